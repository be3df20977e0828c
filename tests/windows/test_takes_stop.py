"""Whether a service takes a stop: said, or unknown."""

import contextlib

import pytest
from hypothesis import given

from serialfix.simulator.faults import build
from serialfix.steps import Output, Unreadable
from serialfix.windows.takes_stop import parse
from tests.simulator.world import ask
from tests.windows.samples import good, junk

# The labels as output-formats.md "sc query" describes them for Spanish.
SPANISH = """
NOMBRE_SERVICIO: TermService
        TIPO               : 30  WIN32
        ESTADO             : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        CÓD_SALIDA_WIN32   : 0  (0x0)
        CÓD_SALIDA_SERVICIO: 0  (0x0)
        PUNTO_COMPROB.     : 0x0
        INDICACIÓN_INICIO  : 0x0
        PID                : 820
        MARCAS             :
"""


def test_in_any_language() -> None:
    assert parse(good(SPANISH)) is True
    assert parse(good(SPANISH.replace("(STOPPABLE", "(NOT_STOPPABLE"))) is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        SPANISH.replace("(STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)", ""),
        SPANISH.replace("(STOPPABLE", "(PARABLE"),
        SPANISH.replace("4  RUNNING", "1  STOPPED"),
        SPANISH + SPANISH,
    ],
)
def test_anything_else_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(good(text))


def test_a_simulated_vm() -> None:
    vm = build([], "2022", 1)
    assert parse(good(ask(vm, "sc queryex Spooler"))) is True
    assert parse(good(ask(vm, "sc queryex RpcSs"))) is False
    with pytest.raises(Unreadable):
        parse(good(ask(vm, "sc queryex wuauserv")))  # it does not run


@given(junk(SPANISH))
def test_nothing_but_unreadable_is_raised(output: Output) -> None:
    with contextlib.suppress(Unreadable):
        assert parse(output) in (True, False)
