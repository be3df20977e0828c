from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator import key_files, keys, rdp_certificate, stores
from serialfix.simulator.baseline import RDP_TCP
from serialfix.simulator.faults import build
from serialfix.simulator.registry import REG_BINARY
from serialfix.simulator.vm import Vm
from tests.simulator.world import YEARS, ask, shell

RESTART = ("net stop TermService /y", "net start TermService")
RENEW = ("net stop SessionEnv", "net start SessionEnv", "timeout /t 5 /nobreak >nul")


def thumbprints(vm: Vm) -> list[str]:
    return [each.thumbprint for each in stores.held(vm.registry, stores.REMOTE_DESKTOP)]


def delete(vm: Vm) -> list[str]:
    return [f'certutil -delstore "Remote Desktop" {each}' for each in thumbprints(vm)]


@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("restart", [True, False])
def test_a_missing_certificate_heals_itself_and_the_old_handle_stays(windows: str, restart: bool) -> None:
    vm = build([], windows, 6)
    before, shown = thumbprints(vm), vm.rdp_port().certificate_pem
    shell(vm, *delete(vm), "timeout /t 6 /nobreak >nul", *(RESTART if restart else ()))
    after = thumbprints(vm)
    assert len(after) == 1
    assert after != before
    assert "Event ID: 1056" in ask(vm, 'wevtutil qe System /rd:true /f:text /q:"*[System[EventID=1056]]"')
    assert (vm.rdp_port().certificate_pem != shown) == restart  # rdp-repair.md 2.8 T09
    assert vm.rdp_port().key_pem


def test_a_valid_certificate_with_a_broken_key_never_heals_and_deleting_it_makes_it_worse() -> None:
    vm = build(["key-permissions"], "2022", 1)
    shell(vm, *RENEW, *RESTART, "timeout /t 60 /nobreak >nul")
    assert vm.rdp_port().certificate_pem
    assert vm.rdp_port().key_pem == b""
    shell(vm, *delete(vm), *RENEW, *RESTART, "timeout /t 60 /nobreak >nul")
    assert thumbprints(vm) == []
    assert vm.rdp_port().certificate_pem == b""
    assert "Access is denied." in ask(vm, 'wevtutil qe System /c:1 /rd:true /f:text /q:"*[System[EventID=1057]]"')


def test_a_pin_wins_and_may_name_nothing() -> None:
    vm = build([], "2022", 6)
    pem = keys.key_pem(vm.seed + 1)
    rdp_certificate.write_key(vm, pem, "mine")
    mine = rdp_certificate.mint(vm, pem, timedelta(days=3), stores.MY, "mine")
    vm.registry.set(RDP_TCP, rdp_certificate.PIN, REG_BINARY, bytes.fromhex(mine.thumbprint))
    shell(vm, *RESTART)
    assert vm.listener is not None
    assert vm.listener.credential.held == mine
    assert vm.rdp_port().key_pem == pem
    stores.remove(vm.registry, stores.MY, mine.thumbprint)
    shell(vm, *RESTART, "timeout /t 9 /nobreak >nul")
    assert vm.rdp_port().certificate_pem == b""
    shell(vm, rf'reg delete "{RDP_TCP}" /v {rdp_certificate.PIN} /f', *RESTART)
    assert vm.rdp_port().certificate_pem


@pytest.mark.parametrize(
    ("spoil", "status"),
    [
        ("reg add HKLM\\SYSTEM\\CurrentControlSet\\Services\\KeyIso /v Start /t REG_DWORD /d 4 /f", "disabled"),
        (f"icacls {key_files.FOLDER} /remove *S-1-1-0", "Access is denied"),
    ],
)
def test_what_stops_a_new_certificate(spoil: str, status: str) -> None:
    vm = build([], "2019", 6)
    shell(vm, spoil, f"del {key_files.path(vm.registry)}", *delete(vm), "timeout /t 6 /nobreak >nul")
    assert thumbprints(vm) == []
    assert status in ask(vm, 'wevtutil qe System /c:1 /rd:true /f:text /q:"*[System[EventID=1057]]"')


def test_a_missing_folder_is_made_again() -> None:
    vm = build([], "2022", 6)
    shell(vm, f"rd /s /q {key_files.FOLDER}", *delete(vm), "timeout /t 6 /nobreak >nul")
    assert len(thumbprints(vm)) == 1
    assert vm.files.descriptor(key_files.FOLDER).sddl() == key_files.FOLDER_SDDL


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from(["healthy", "cert-expired", "cert-missing-key"]), st.integers(-900, 900))
def test_moving_the_calendar_moves_the_certificates_with_it(seed: int, fault: str, days: int) -> None:
    vm = build([fault], "2022", seed)

    def ages() -> list[timedelta]:
        found = stores.held(vm.registry, stores.REMOTE_DESKTOP)
        return [vm.clock() - each.certificate.not_valid_before_utc for each in found]

    before, presented = ages(), bool(vm.rdp_port().certificate_pem)
    today = vm.clock() + timedelta(days=days)
    vm.set_today(today)
    assert vm.clock() == today
    assert ages() == before
    assert bool(vm.rdp_port().certificate_pem) == presented
    assert all(event.when <= today for event in vm.log)
    assert vm.journal == []
