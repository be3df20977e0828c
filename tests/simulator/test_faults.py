import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator import key_files, stores
from serialfix.simulator.faults import FAULTS, UnknownFault, build
from serialfix.simulator.vm import UnknownWindows
from tests.simulator.world import YEARS, shell

SERVER = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Server"
RESTART = ("net stop TermService /y", "net start TermService")


@settings(max_examples=30)
@given(st.sampled_from(YEARS), st.integers(0, 10**6))
def test_tls_disabled_is_broken_and_the_documented_repair_repairs_it(windows: str, seed: int) -> None:
    vm = build(["tls-disabled"], windows, seed)
    fault = FAULTS["tls-disabled"]
    assert vm.rdp_port().behaviour == "rdp"
    assert vm.rdp_port().tls == frozenset()
    assert not fault.repaired(vm)
    shell(
        vm,
        f'reg add "{SERVER}" /v Enabled /t REG_DWORD /d 1 /f',
        f'reg add "{SERVER}" /v DisabledByDefault /t REG_DWORD /d 0 /f',
    )
    assert not fault.repaired(vm)  # TermService has not read it yet
    shell(vm, *RESTART)
    assert fault.repaired(vm)
    assert vm.rdp_port().tls == {"TLSv1.2"}


@given(st.sampled_from(YEARS), st.integers(0, 10**6))
@settings(max_examples=20)
def test_enabled_alone_is_not_enough_where_off_by_default(windows: str, seed: int) -> None:
    vm = build(["tls-disabled"], windows, seed)
    off_by_default = vm.registry.number(SERVER, "DisabledByDefault")
    shell(vm, f'reg add "{SERVER}" /v Enabled /t REG_DWORD /d 1 /f', *RESTART)
    assert FAULTS["tls-disabled"].repaired(vm) == (not off_by_default)


def test_the_seed_chooses_how_it_is_broken() -> None:
    ways = set()
    for seed in range(40):
        vm = build(["tls-disabled"], "2019", seed)
        ways.add((vm.registry.number(SERVER, "Enabled"), vm.registry.number(SERVER, "DisabledByDefault")))
    assert ways == {(0, None), (None, 1), (0, 1)}


@pytest.mark.parametrize("windows", YEARS)
def test_healthy(windows: str) -> None:
    vm = build(["healthy"], windows, 1)
    newest = {"TLSv1.2", "TLSv1.3"}
    expected = {"2016": {"TLSv1", "TLSv1.1", "TLSv1.2"}, "2022": newest | {"TLSv1", "TLSv1.1"}, "2025": newest}
    assert vm.rdp_port().tls == expected.get(windows, expected["2016"])
    assert FAULTS["healthy"].repaired(vm)
    assert json.loads(json.dumps(vm.state())) == vm.state()


@given(st.integers(0, 10**6))
@settings(max_examples=20)
def test_the_same_seed_is_the_same_vm(seed: int) -> None:
    one, two = build(["tls-disabled"], "2022", seed), build(["tls-disabled"], "2022", seed)
    assert one.state() == two.state()
    assert (one.password, one.name, one.user) == (two.password, two.name, two.user)
    assert len(one.password) >= 20


def test_errors_are_one_clear_line() -> None:
    with pytest.raises(UnknownFault, match=r"^unknown fault 'tls-disable'; near: tls-disabled$"):
        build(["tls-disable"], "2022", 1)
    with pytest.raises(UnknownWindows, match=r"^unknown Windows '2012'; there are 2016, 2019, 2022, 2025$"):
        build([], "2012", 1)
    assert issubclass(UnknownFault, ValueError)


BROKEN = sorted(set(FAULTS) - {"healthy"})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(BROKEN), min_size=1, max_size=3, unique=True),
    st.sampled_from(YEARS),
    st.integers(0, 10**6),
)
def test_faults_combine_and_each_is_broken(faults: list[str], windows: str, seed: int) -> None:
    if {"port-hijack", "port-hijack-stubborn"} <= set(faults):
        faults.remove("port-hijack")
    vm = build(faults, windows, seed)
    assert [FAULTS[name].repaired(vm) for name in faults] == [False] * len(faults)
    assert not FAULTS["healthy"].repaired(vm)
    assert json.loads(json.dumps(vm.state())) == vm.state()
    assert build(faults, windows, seed).state() == vm.state()


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(BROKEN), st.sampled_from(YEARS), st.integers(0, 10**6))
def test_a_restart_of_the_vm_repairs_nothing(fault: str, windows: str, seed: int) -> None:
    vm = build([fault], windows, seed)
    vm.boot(vm.now + 60)
    vm.advance(vm.now + 300)
    assert not FAULTS[fault].repaired(vm)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(YEARS), st.integers(0, 10**6))
def test_looking_around_changes_nothing(windows: str, seed: int) -> None:
    vm = build(["key-permissions", "port-hijack"], windows, seed)
    before = vm.state()
    shell(
        vm,
        "netstat -anob",
        "icacls C:\\ProgramData\\Microsoft\\Crypto\\RSA\\MachineKeys /t /c",
        'certutil -store "Remote Desktop"',
        "netsh advfirewall firewall show rule name=all",
        "powershell -nop -c \"Get-Service; gci 'Cert:\\LocalMachine\\Remote Desktop'; Get-NetFirewallRule\"",
    )
    assert vm.state() == before


def test_certificates_and_keys_come_in_several_ways() -> None:
    shapes = set()
    for seed in range(60):
        vm = build(["cert-missing-key"], "2022", seed)
        entry = vm.files.find(key_files.path(vm.registry))
        count = len(stores.held(vm.registry, stores.REMOTE_DESKTOP))
        shapes.add((count, None if entry is None else len(entry.data or b"") > 0))
    assert shapes == {(0, None), (1, None), (1, False), (2, None)}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(YEARS), st.integers(0, 10**6))
def test_the_documented_repair_of_a_missing_key(windows: str, seed: int) -> None:
    vm = build(["cert-missing-key"], windows, seed)
    at = key_files.path(vm.registry)
    entry = vm.files.find(at)
    if entry is not None and not entry.data:
        shell(vm, f'ren "{at}" spoilt')
    for held in stores.held(vm.registry, stores.REMOTE_DESKTOP):
        shell(vm, f'certutil -delstore "Remote Desktop" {held.thumbprint}')
    shell(vm, "sc config SessionEnv start= demand", "net stop SessionEnv", "net start SessionEnv",
          "timeout /t 6 /nobreak >nul", *RESTART)  # fmt: skip
    assert FAULTS["cert-missing-key"].repaired(vm)
    assert FAULTS["healthy"].repaired(vm)
