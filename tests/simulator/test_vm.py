import pytest
from cryptography import x509

from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from tests.simulator.world import shell

TS = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server"
PROTOCOL = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Server"


@pytest.mark.parametrize(
    ("enabled", "by_default", "offered"),
    [(None, None, True), (0, None, False), (0, 0, False), (0, 1, False), (1, None, True), (0xFFFFFFFF, 0, True),
     (1, 1, False),
     (None, 1, False), (None, 0, True)],
)  # fmt: skip
def test_schannel_state_function(enabled: int | None, by_default: int | None, offered: bool) -> None:
    vm = Vm("2019", 1)
    for name, value in (("Enabled", enabled), ("DisabledByDefault", by_default)):
        if value is not None:
            vm.registry.set(PROTOCOL, name, "REG_DWORD", value)
    assert ("TLSv1.2" in vm.schannel()) == offered


def test_a_missing_fdeny_closes_the_port_after_a_restart() -> None:
    vm = build([], "2022", 1)
    shell(vm, f'reg delete "{TS}" /v fDenyTSConnections /f')
    assert vm.rdp_port().behaviour == "rdp"
    shell(vm, "net stop TermService /y")
    assert vm.rdp_port().behaviour == "closed"
    shell(vm, "net start TermService")
    assert vm.rdp_port().behaviour == "closed"
    shell(
        vm, f'reg add "{TS}" /v fDenyTSConnections /t REG_DWORD /d 0', "net stop TermService", "net start TermService"
    )
    assert vm.rdp_port().behaviour == "rdp"


def test_the_port_moves() -> None:
    vm = build([], "2022", 1)
    shell(
        vm,
        rf'reg add "{TS}\WinStations\RDP-Tcp" /v PortNumber /t REG_DWORD /d 3390 /f',
        "net stop TermService /y",
        "net start TermService",
    )
    assert vm.rdp_port().behaviour == "closed"
    assert vm.rdp_port(3390).behaviour == "silent"  # the firewall's rule is for 3389
    shell(vm, 'netsh advfirewall firewall set rule name="Remote Desktop - User Mode (TCP-In)" new localport=3390')
    assert vm.rdp_port(3390).behaviour == "rdp"
    assert "0.0.0.0:3390 " in shell(vm, "netstat -ano")


def test_the_certificate_is_handed_out() -> None:
    vm = build([], "2022", 1)
    found = x509.load_pem_x509_certificate(vm.rdp_port().certificate_pem)
    assert found.subject.rfc4514_string() == f"CN={vm.name}"
    assert found.not_valid_before_utc < vm.clock() < found.not_valid_after_utc
    vm.install_certificate(b"C", b"K")
    assert (vm.rdp_port().certificate_pem, vm.rdp_port().key_pem) == (b"C", b"K")


def test_failed_handshakes_are_logged() -> None:
    vm = build(["tls-disabled"], "2022", 1)
    vm.rdp_attempt(5.0, tls_failed=True)
    text = shell(
        vm,
        "wevtutil qe System /c:1 /rd:true /f:text "
        "/q:\"*[System[Provider[@Name='Schannel'] and (EventID=36871 or EventID=36874)]]\"",
    )
    assert "Event ID: 36871" in text
    assert "creating a TLS server credential" in text


def test_services_take_time() -> None:
    vm = build([], "2019", 4)
    text = shell(vm, "sc stop UmRdpService", "sc query UmRdpService", "timeout 3 /nobreak", "sc query UmRdpService")
    assert text.count("STATE              : 3  STOP_PENDING \n") == 2
    assert text.count("STATE              : 1  STOPPED \n") == 1
