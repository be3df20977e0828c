from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.services import RUNNING, START_PENDING, STOP_PENDING, STOPPED
from serialfix.simulator.vm import Vm


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["TermService", "UmRdpService", "BITS", "SessionEnv"]), st.booleans(), st.floats(0, 5)
        )
    )
)
def test_a_running_service_never_lacks_what_it_needs(acts: list[tuple[str, bool, float]]) -> None:
    vm, now = Vm("2022", 1), 0.0
    for name, start, pause in acts:
        code = vm.services.start(name, now) if start else vm.services.stop(name, now)
        assert code in {0, 1051, 1056, 1061, 1062, 1068}
        now += pause
        vm.advance(now)
    while (due := vm.due()) is not None:
        vm.advance(due)
    term, port = vm.services.find("TermService"), vm.services.find("UmRdpService")
    assert term is not None
    assert port is not None
    assert port.state != RUNNING or term.state == RUNNING
    assert (vm.rdp_port().behaviour == "rdp") == (term.state == RUNNING)
    assert {term.state, port.state} <= {RUNNING, STOPPED}


def test_pending_states_and_new_process() -> None:
    vm = Vm("2019", 2)
    service = vm.services.find("sessionenv")
    assert service is not None
    old = service.pid
    assert vm.services.stop("SESSIONENV", 0.0) == 0
    assert service.state == STOP_PENDING
    assert vm.services.stop("SessionEnv", 0.0) == 1061
    vm.advance(vm.due() or 0.0)
    assert (service.state, service.pid) == (STOPPED, 0)
    assert vm.services.start("SessionEnv", 10.0) == 0
    assert service.state == START_PENDING
    vm.advance(20.0)
    assert service.state == RUNNING
    assert service.pid not in {0, old}
    assert [event.number for event in vm.log[-2:]] == [7036, 7036]


def test_names_and_dependents() -> None:
    services = Vm("2016", 1).services
    assert services.by_display_name("remote desktop services") is services.find("TERMSERVICE")
    assert [s.name for s in services.dependents("TermService")] == ["UmRdpService"]
    assert services.find("sacdrv") is None  # a driver
    assert services.find("x\\y") is None
    assert "RpcSs" in services.in_process(services.find("RpcEptMapper").pid)  # type: ignore[union-attr]
