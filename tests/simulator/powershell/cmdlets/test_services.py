from serialfix.simulator.faults import build
from serialfix.simulator.services import RUNNING, STOPPED
from serialfix.simulator.vm import Vm
from tests.simulator.powershell.console import answer, ps


def state(vm: Vm, name: str) -> int:
    service = vm.services.find(name)
    assert service is not None
    return service.state


def test_without_force_dependents_are_in_the_way() -> None:
    """T05."""
    vm = build([], "2022", 1)
    text = answer(vm, "Stop-Service -Name TermService").replace("\n", " ")
    assert "because it has dependent services. It can only be stopped if the Force flag is set." in text
    assert state(vm, "TermService") == RUNNING


def test_stop_with_force_and_start_leave_the_dependents_stopped_and_restart_does_not() -> None:
    """T05: the article's two lines."""
    vm = build([], "2022", 1)
    ps(vm, "Stop-Service -Name Termservice -Force", "Start-Service -Name Termservice")
    assert (state(vm, "TermService"), state(vm, "UmRdpService"), state(vm, "SessionEnv")) == (RUNNING, STOPPED, RUNNING)
    vm = build([], "2022", 1)
    before = vm.services.find("TermService")
    pid = before.pid if before else 0
    ps(vm, "Restart-Service TermService -Force")
    after = vm.services.find("TermService")
    assert after is not None
    assert after.pid != pid
    assert (state(vm, "TermService"), state(vm, "UmRdpService")) == (RUNNING, RUNNING)


def test_what_refuses() -> None:
    vm = build(["port-hijack-stubborn"], "2022", 5)
    assert vm.services.unstoppable
    name = next(iter(vm.port_uses.values())).service
    assert "CouldNotStopService" in answer(vm, f"Stop-Service {name} -Force")
    assert "CouldNotStopService" in answer(vm, "Stop-Service gpsvc -Force")
    ps(vm, "Set-Service Spooler -StartupType Disabled", "Stop-Service Spooler")
    assert "CouldNotStartService" in answer(vm, "Start-Service Spooler")


def test_objects() -> None:
    vm = build([], "2022", 1)
    assert answer(vm, "(Get-Service TermService).DependentServices.Name") == "UmRdpService\n"
    assert answer(vm, "Get-Service Term*,Session* | sort Name | % Name") == "SessionEnv\nTermService\n"
    assert answer(vm, "(Get-Service SessionEnv).StartType") == "Manual\n"
    ps(vm, "Get-Service Spooler | Stop-Service")
    assert state(vm, "Spooler") == STOPPED
