"""The article's own PowerShell lines, as printed, typed by hand at the serial console: they do what they do for real.

rdp-repair.md 2.8: T05, T06, T09, T15.
"""

import pytest

from serialfix.simulator import stores
from serialfix.simulator.baseline import RDP_TCP
from serialfix.simulator.faults import FAULTS, build
from serialfix.simulator.services import RUNNING, STOPPED
from serialfix.simulator.vm import Vm
from tests.simulator.world import CALM, Client

# article.md, "Set correct permissions on the RDP self-signed certificate", 1; with the blanks at the ends of lines
RENEW = (
    r"Import-Module PKI",
    r"Set-Location Cert:\LocalMachine ",
    r"$RdpCertThumbprint = 'Cert:\LocalMachine\Remote Desktop\'+"
    r"((Get-ChildItem -Path 'Cert:\LocalMachine\Remote Desktop\').thumbprint) ",
    r"Remove-Item -Path $RdpCertThumbprint",
    r'Stop-Service -Name "SessionEnv"',
    r'Start-Service -Name "SessionEnv"',
)
# "Check the RDP port", 2.1
MOVE = (
    r'Set-ItemProperty -Path "HKLM:\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp" '
    r"-name PortNumber -value {}",
    r"Stop-Service -Name Termservice -Force",
    r"Start-Service -Name Termservice",
)
WINDOWS = ("2016", "2025")  # one of each console engine


def held(vm: Vm) -> list[str]:
    return [each.thumbprint for each in stores.held(vm.registry, stores.REMOTE_DESKTOP)]


def state(vm: Vm, service: str) -> int:
    found = vm.services.find(service)
    assert found is not None
    return found.state


def at_powershell(windows: str, fault: str, certificates: int, *, running: bool = True) -> Client:
    """A person at a PowerShell of a VM whose store holds so many certificates, SessionEnv running or not."""
    for seed in range(200):
        vm = build([fault], windows, seed)
        if len(held(vm)) == certificates and (state(vm, "SessionEnv") == RUNNING) == running:
            break
    else:
        raise AssertionError("no seed gives that")
    client = Client(windows, CALM, seed, (fault,))
    client.open()
    client.type(b"powershell\r", 12.0)
    assert "PS " in client.text()
    return client


def typed(client: Client, *lines: str) -> str:
    """Type lines by hand; return what came."""
    start = len(client.seen)
    for line in lines:
        client.type(line.encode() + b"\r", 12.0)
    got = [str(text) for text in client.typed("command")][-len(lines) :]
    assert got == list(lines)
    return client.seen[start:].decode("utf-8", "replace")


@pytest.mark.parametrize("windows", WINDOWS)
def test_without_a_certificate_the_store_is_deleted(windows: str) -> None:
    """T06: the path that was put together is the store itself."""
    client = at_powershell(windows, "cert-missing-key", 0, running=False)
    assert stores.exists(client.vm.registry, stores.REMOTE_DESKTOP)
    typed(client, *RENEW)
    assert not stores.exists(client.vm.registry, stores.REMOTE_DESKTOP)
    assert not FAULTS["cert-missing-key"].repaired(client.vm)
    assert "LocalMachine\\Remote Desktop" not in typed(client, "(gci Cert:\\LocalMachine).Name").partition(").Name")[2]


@pytest.mark.parametrize("windows", WINDOWS)
def test_with_one_certificate_it_is_renewed_and_termservice_keeps_the_old_one(windows: str) -> None:
    """T09: only a restart of TermService takes the new one into use."""
    client = at_powershell(windows, "cert-expired", 1)
    before = held(client.vm)
    typed(client, *RENEW)
    after = held(client.vm)
    assert len(after) == 1
    assert after != before
    assert not FAULTS["cert-expired"].repaired(client.vm)
    typed(client, "Restart-Service TermService -Force")
    assert FAULTS["cert-expired"].repaired(client.vm)


@pytest.mark.parametrize("windows", WINDOWS)
@pytest.mark.parametrize("number", [2, 3])
def test_with_several_certificates_nothing_is_deleted(windows: str, number: int) -> None:
    """T06: two thumbprints, joined by a blank, are no path."""
    client = at_powershell(windows, "cert-expired", number)
    before = held(client.vm)
    text = typed(client, *RENEW)
    assert "PathNotFound" in text
    assert held(client.vm) == before
    assert stores.exists(client.vm.registry, stores.REMOTE_DESKTOP)
    assert not FAULTS["cert-expired"].repaired(client.vm)


def test_dependents_stay_stopped() -> None:
    """T05."""
    client = at_powershell("2022", "healthy", 1)
    assert state(client.vm, "UmRdpService") == RUNNING
    typed(client, *MOVE[1:])
    assert state(client.vm, "TermService") == RUNNING
    assert state(client.vm, "UmRdpService") == STOPPED


@pytest.mark.parametrize(
    ("value", "error"), [("<Hexportnumber>", "RedirectionNotSupported"), ("D3E", "FormatException")]
)
def test_a_hexadecimal_port_without_its_prefix(value: str, error: str) -> None:
    """T15."""
    client = at_powershell("2022", "healthy", 1)
    text = typed(client, MOVE[0].format(value))
    assert error in text.replace("\r\n   ", "").replace(" \r\n", "").replace("\r\n", "")
    assert client.vm.registry.number(RDP_TCP, "PortNumber") == 3389
    typed(client, MOVE[0].format("0xD3E"), *MOVE[1:])
    assert client.vm.listens() == 3390
