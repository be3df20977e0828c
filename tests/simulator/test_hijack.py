import re

from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.faults import FAULTS, build
from serialfix.simulator.port_use import is_excluded
from serialfix.simulator.vm import Vm
from tests.simulator.world import YEARS, ask, shell

RESTART = ("net stop TermService /y", "net start TermService")


def squatter(vm: Vm) -> str:
    return next(iter(vm.port_uses.values())).service


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(YEARS), st.integers(0, 10**6))
def test_stopping_the_squatter_and_restarting_rdp_repairs_it(windows: str, seed: int) -> None:
    vm = build(["port-hijack"], windows, seed)
    name = squatter(vm)
    term = re.search(r"PID +: (\d+)", ask(vm, "sc queryex TermService"))
    other = re.search(r"PID +: (\d+)", ask(vm, f"sc queryex {name}"))
    assert term is not None
    assert other is not None
    netstat = ask(vm, "netstat -ano -p TCP")
    assert re.search(rf"0\.0\.0\.0:3389 .* {other[1]}\n", netstat)
    assert not re.search(rf"LISTENING +{term[1]}\n", netstat)
    assert vm.rdp_port().behaviour in {"http", "foreign"}
    shell(vm, *RESTART)
    assert not FAULTS["port-hijack"].repaired(vm)  # whoever was first keeps the port
    shell(vm, f"net stop {name} /y")
    assert vm.rdp_port().behaviour == "closed"  # TermService has to be started again
    shell(vm, *RESTART)
    assert FAULTS["port-hijack"].repaired(vm)
    assert vm.rdp_port().behaviour == "rdp"


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(YEARS), st.integers(0, 10**6))
def test_a_stubborn_one_stays_or_comes_back_and_moving_rdp_repairs_it(windows: str, seed: int) -> None:
    vm = build(["port-hijack-stubborn"], windows, seed)
    name = squatter(vm)
    shell(vm, f"net stop {name} /y", "timeout /t 30 /nobreak >nul", *RESTART)
    assert not FAULTS["port-hijack-stubborn"].repaired(vm)
    pid = re.search(r"PID +: (\d+)", ask(vm, f"sc queryex {name}"))
    assert pid is not None
    shell(vm, f"taskkill /f /pid {pid[1]}", "timeout /t 30 /nobreak >nul", *RESTART)
    assert not FAULTS["port-hijack-stubborn"].repaired(vm)
    kept = next((number for number in range(3390, 4000) if is_excluded(seed, number)), 0)
    port = next(number for number in range(3390, 4000) if not is_excluded(seed, number))
    key = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp"
    for number in (kept, port) if kept else (port,):
        shell(vm, f'reg add "{key}" /v PortNumber /t REG_DWORD /d {number} /f', *RESTART)
        assert vm.listens() == (port if number == port else None)  # nobody listens on a port that Windows keeps
    assert not FAULTS["port-hijack-stubborn"].repaired(vm)  # the firewall
    shell(vm, f"netsh advfirewall firewall add rule name=r dir=in action=allow protocol=TCP localport={port}")
    assert FAULTS["port-hijack-stubborn"].repaired(vm)
    assert vm.open_ports() == (3389, port)


def test_disabling_a_stubborn_one_and_a_restart_of_the_vm_frees_the_port() -> None:
    for seed in range(8):
        vm = build(["port-hijack-stubborn"], "2022", seed)
        shell(vm, f"sc config {squatter(vm)} start= disabled")
        vm.boot(vm.now + 60)
        assert FAULTS["port-hijack-stubborn"].repaired(vm)


def test_both_kinds_come_and_of_a_shared_process_any_service_may_be_named_or_none() -> None:
    images, shown = set(), set()
    for seed in range(40):
        vm = build(["port-hijack"], "2022", seed)
        name = squatter(vm)
        shared = "svchost" in ask(vm, f"sc qc {name}")
        images.add(shared)
        block = ask(vm, "netstat -anob -p tcp").partition("0.0.0.0:3389")[2].splitlines()
        if shared:
            owner = block[1].strip()
            held = ask(vm, 'tasklist /svc /fo csv /nh /fi "SERVICES eq ' + name + '"')
            assert name in held
            if owner == "[svchost.exe]":
                shown.add("none")
                continue
            shown.add("right" if owner == name else "another")
            assert owner in held
            assert block[2] == " [svchost.exe]"
        else:
            assert block[1].startswith(" [")
    assert images == {True, False}
    assert shown == {"right", "another", "none"}
