import json

from serialfix.simulator import firewall
from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from tests.simulator.powershell.console import answer, ps


def ports(vm: Vm) -> dict[str, str]:
    return {rule.name: rule.ports for rule in firewall.rules(vm.registry)}


def test_the_articles_rule_leaves_udp_behind() -> None:
    """T16."""
    vm = build([], "2022", 1)
    ps(vm, 'Set-NetFirewallRule -Name "RemoteDesktop-UserMode-In-TCP" -LocalPort 3390')
    assert ports(vm)["RemoteDesktop-UserMode-In-TCP"] == "3390"
    assert ports(vm)["RemoteDesktop-UserMode-In-UDP"] == "3389"


def test_who_listens() -> None:
    vm = build(["port-hijack"], "2022", 1)
    name = next(iter(vm.port_uses.values())).service
    service = vm.services.find(name)
    assert service is not None
    line = (
        "Get-NetTCPConnection -State Listen -LocalPort 3389 | select LocalPort,OwningProcess | ConvertTo-Json -Compress"
    )
    found = json.loads(answer(vm, line))
    assert [each["OwningProcess"] for each in found] == [service.pid, service.pid]
    assert "CmdletizationQuery_NotFound" in answer(vm, "Get-NetTCPConnection -LocalPort 4")


def test_a_rules_life() -> None:
    vm = build([], "2022", 1)
    ps(
        vm,
        "New-NetFirewallRule -Name r1 -DisplayName 'my rule' -Direction Inbound -Protocol TCP -LocalPort 3390 "
        "-Program '%SystemRoot%\\system32\\svchost.exe' -Service termservice -Action Allow -Profile Any | Out-Null",
    )
    assert ports(vm)["r1"] == "3390"
    assert "Windows System Error 183" in answer(vm, "New-NetFirewallRule -Name r1 -DisplayName x")
    assert answer(vm, "(Get-NetFirewallRule r1 | Get-NetFirewallPortFilter).LocalPort") == "3390\n"
    ps(vm, "Disable-NetFirewallRule -Name r1")
    assert answer(vm, "(Get-NetFirewallRule -Name r1).Enabled") == "False\n"
    ps(vm, "Remove-NetFirewallRule -Name r1")
    assert "r1" not in ports(vm)
    assert "CmdletizationQuery_NotFound_InstanceID" in answer(vm, "Get-NetFirewallRule -Name r1")


def test_the_articles_way_to_a_new_port_works() -> None:
    vm = build(["port-hijack-stubborn"], "2019", 3)
    ps(
        vm,
        'Set-ItemProperty -Path "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp" '
        "-name PortNumber -value 3390",
        "Stop-Service -Name Termservice -Force",
        "Start-Service -Name Termservice",
        'Set-NetFirewallRule -Name "RemoteDesktop-UserMode-In-TCP" -LocalPort 3390',
    )
    assert vm.rdp_port(3390).behaviour == "rdp"
    assert vm.rdp_port(3389).behaviour in {"http", "foreign"}
