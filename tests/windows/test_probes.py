"""The questions: they only read, they can be typed as they stand, and no answer makes them raise."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.keyboard import vary_case
from serialfix.console.shells import frame
from serialfix.simulator.baseline import WINDOWS
from serialfix.simulator.faults import build
from serialfix.steps import Command, Output, OutsideLook, Probe, Unreadable
from serialfix.windows import probes, tls
from tests.simulator.world import ask
from tests.windows.samples import good, junk

MADE = (
    probes.service("TermService"),
    probes.service("MSSQL$X"),
    probes.registry_keys(tls.SCHANNEL),
    probes.registry_keys(r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"),
)
EVERY: tuple[Probe[object], ...] = (*probes.ALL, *MADE)
TYPED = tuple(probe for probe in EVERY if isinstance(probe.query, Command))
LINES = "\n".join(
    ask(build([], "2022", 1), probe.query.text) for probe in TYPED if isinstance(probe.query, Command)
)  # fmt: skip


def named(probe: Probe[object]) -> str:
    return probe.name


@pytest.mark.parametrize("probe", EVERY, ids=named)
def test_it_reads_and_says_why(probe: Probe[object]) -> None:
    assert probe.query.effect == "read"
    assert probe.title
    assert probe.why.endswith(".")
    assert 0 < probe.timeout <= 300
    assert 0 < probe.most <= 1 << 20


def test_names_are_unique() -> None:
    assert len({probe.name for probe in EVERY}) == len(EVERY)


@pytest.mark.parametrize("probe", TYPED, ids=named)
def test_it_can_be_typed_and_framed(probe: Probe[object]) -> None:
    assert isinstance(probe.query, Command)
    text = probe.query.text
    assert text.isascii()
    assert text.isprintable()
    assert not set(text) & set("%!^&|<>")
    assert frame(vary_case(text), begin="abcdefgh", end="jkmnpqrs").line


@pytest.mark.parametrize("windows", sorted(WINDOWS))
@pytest.mark.parametrize("faults", [(), ("tls-disabled",)])
@pytest.mark.parametrize("probe", TYPED, ids=named)
def test_a_vm_answers_it_and_stays_as_it_was(probe: Probe[object], windows: str, faults: tuple[str, ...]) -> None:
    """In the letter case in which it is typed; MSSQL$X is a service that this VM has not got."""
    assert isinstance(probe.query, Command)
    vm = build(faults, windows, 5)
    before = vm.state()
    text = ask(vm, vary_case(probe.query.text))
    assert vm.state() == before
    assert {entry["kind"] for entry in vm.journal} <= {"program"}
    if "MSSQL" in probe.name:
        with pytest.raises(Unreadable):
            probe.parse(Output(text, 1, "screen"))
    else:
        probe.parse(good(text))


@settings(max_examples=60)
@pytest.mark.parametrize("probe", EVERY, ids=named)
@given(junk(LINES))
def test_no_answer_makes_it_raise_anything_else(probe: Probe[object], output: Output) -> None:
    try:
        probe.parse(output)
    except Unreadable:
        return


@pytest.mark.parametrize("make", [probes.service, probes.registry_keys])
@given(st.text('ab "%&|<>^!\n\r\\', max_size=8))
def test_hostile_names_never_become_a_command(make: Callable[[str], Probe[object]], name: str) -> None:
    try:
        probe = make(name)
    except ValueError:
        return
    assert isinstance(probe.query, Command)
    assert not set(probe.query.text) & set("%!^&|<>\r\n")
    assert probe.query.text.count('"') in (0, 2)


def test_the_outside_look_goes_nowhere_near_a_shell() -> None:
    assert isinstance(probes.OUTSIDE.query, OutsideLook)


def test_the_registry_is_asked_for_a_parent_that_is_always_there() -> None:
    """A key that is missing below it is then "not set", and a query that failed is "could not be read"."""
    for windows in WINDOWS:
        assert ask(build([], windows, 1), f"reg query {tls.SCHANNEL}").strip().startswith("HKEY_LOCAL_MACHINE")
    assert isinstance(probes.TLS_PROTOCOLS.query, Command)
    assert probes.TLS_PROTOCOLS.query.text == rf"reg query {tls.SCHANNEL} /s"
