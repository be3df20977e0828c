import re

from serialfix.simulator.faults import build
from tests.simulator.powershell.console import answer, ps


def test_processes() -> None:
    vm = build(["port-hijack"], "2022", 2)
    name = next(iter(vm.port_uses.values())).service
    service = vm.services.find(name)
    assert service is not None
    path = answer(vm, f"(Get-Process -Id {service.pid}).Path")
    assert path.lower().endswith(".exe\n")
    assert re.search(r"\n +\d+ +\d+ +\d+ +\d+ +[\d.]+ +4 +0 System\n", answer(vm, "Get-Process -Id 4"))
    assert "NoProcessFoundForGivenId" in answer(vm, "Get-Process -Id 99999")
    assert "CouldNotStopProcess" in answer(vm, "Stop-Process -Id 4 -Force")


def test_events() -> None:
    vm = build(["key-permissions"], "2022", 1)
    assert "NoMatchingEventsFound" in answer(vm, "Get-WinEvent -FilterHashtable @{LogName='System';Id=36870}")
    vm.rdp_attempt(1.0, tls_failed=True)
    line = (
        "Get-WinEvent -FilterHashtable @{LogName='System';ProviderName='Schannel';Id=36870,36871;"
        "StartTime=(Get-Date).AddHours(-24)} -MaxEvents 5 -EA 0|"
        "%{$_.Id;($_.ToXml() -replace '.*<EventData>','<EventData>')}"
    )
    text = answer(vm, line)
    assert text.startswith("36870\n<EventData>")
    assert "0x8009030d" in text


def test_modules() -> None:
    vm = build([], "2022", 1)
    text = ps(vm, "remove-module psreadline", "remove-module psreadline", "Import-Module PKI", "Import-Module Nope")
    assert text.count("Modules_NoModulesRemoved") == 1
    assert text.count("Modules_ModuleNotFound") == 1


def test_the_machine() -> None:
    vm = build([], "2019", 1)
    assert answer(vm, "(Get-CimInstance Win32_OperatingSystem).BuildNumber") == "17763\n"
    assert answer(vm, "Get-CimInstance Win32_Service -Filter \"Name='Spooler'\" | % State") == "Running\n"
    assert "0x80041010" in answer(vm, "Get-CimInstance Win32_Nope")
    ps(vm, "Restart-Computer -Force")
    assert [what for what, _ in vm.power_requests] == ["restart"]
