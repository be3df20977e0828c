from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import failure_actions
from serialfix.simulator.faults import build
from serialfix.simulator.services import RUNNING, STOPPED
from tests.simulator.world import shell

NUMBERS = st.integers(0, 2**32 - 1)


@given(NUMBERS, st.lists(st.tuples(st.integers(0, 3), NUMBERS), max_size=4))
def test_both_ways(reset: int, actions: list[tuple[int, int]]) -> None:
    assert failure_actions.unpack(failure_actions.pack(reset, actions)) == (reset, actions)


@given(st.one_of(st.binary(max_size=19), st.none(), st.integers()))
def test_anything_else_means_no_actions(data: object) -> None:
    assert failure_actions.unpack(data) == (0, [])


def test_a_killed_service_comes_back_and_a_stopped_one_does_not() -> None:
    vm = build([], "2022", 1)
    spooler = vm.services.find("Spooler")
    assert spooler is not None
    text = shell(vm, "sc failure Spooler reset= 0 actions= restart/3000", "sc qfailure Spooler")
    assert "RESTART -- Delay = 3000 milliseconds." in text
    vm.kill(spooler.pid)
    assert spooler.state == STOPPED
    vm.advance(vm.now + 6)
    assert spooler.state == RUNNING
    shell(vm, "net stop Spooler", "timeout /t 9 /nobreak >nul")
    assert spooler.state == STOPPED
