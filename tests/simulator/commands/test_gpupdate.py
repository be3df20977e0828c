from serialfix.simulator.faults import build
from tests.simulator.world import ask, shell


def test_it_updates_what_is_asked_while_its_service_runs() -> None:
    vm = build([], "2022", 1)
    assert ask(vm, "gpupdate /force").count("has completed successfully.") == 2
    assert "User" not in ask(vm, "gpupdate /target:computer")
    vm.services.set_stopped("gpsvc")
    assert "could not be updated" in ask(vm, "gpupdate /force")
    assert "Invalid argument" in ask(vm, "gpupdate /x")


def test_the_articles_way_to_stop_group_policy_is_refused() -> None:
    """T20 and T21."""
    vm = build([], "2022", 1)
    before = vm.services.start_type("gpsvc")
    key = r"HKLM\SYSTEM\CurrentControlSet\Services\gpsvc"
    assert "Access is denied." in ask(vm, f'REG add "{key}" /v Start /t REG_DWORD /d 4 /f')
    assert "FAILED 5:" in ask(vm, "sc config gpsvc start= auto sc start gpsvc")
    assert "FAILED 5:" in ask(vm, "sc stop gpsvc")
    assert vm.services.start_type("gpsvc") == before
    change = f"reg add {key} /v Start /t REG_DWORD /d 4 /f"
    shell(vm, f'schtasks /create /tn g /sc once /st 00:00 /ru SYSTEM /f /tr "{change}"', "schtasks /run /tn g")
    vm.advance(vm.now + 3)
    assert vm.services.start_type("gpsvc") == 4
