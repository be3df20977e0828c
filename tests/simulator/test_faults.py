import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
