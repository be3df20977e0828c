"""TLS from inside the VM, as an engineer types it."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator import stores
from serialfix.simulator.baseline import SCHANNEL
from serialfix.simulator.faults import build
from serialfix.simulator.powershell import ssl_stream
from serialfix.simulator.powershell.errors import Thrown
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.vm import PROTOCOLS, Vm
from tests.simulator.powershell.console import answer
from tests.simulator.powershell.test_sockets import TALK
from tests.simulator.world import YEARS

READ = "$b=New-Object byte[] 32; $n=$s.Read($b,0,32)"
CALLBACK = "({$true} -as [Net.Security.RemoteCertificateValidationCallback])"
MAKE = f"$t=New-Object System.Net.Security.SslStream($s,$false,{CALLBACK})"
OPEN = f"{TALK}; {READ}; {MAKE}; "
TLS12 = "$t.AuthenticateAsClient('vm',$null,[Security.Authentication.SslProtocols]::Tls12,$false); "


def off(vm: Vm, version: str, side: str, value: str = "Enabled", number: int = 0) -> None:
    vm.registry.set(rf"{SCHANNEL}\Protocols\{version}\{side}", value, REG_DWORD, number)
    vm.read_listener()


@pytest.mark.parametrize("windows", YEARS)
def test_the_certificate_is_the_listeners(windows: str) -> None:
    vm = build([], windows, 2)
    held = stores.held(vm.registry, stores.REMOTE_DESKTOP)[0]
    shown = "$r=$t.RemoteCertificate; $r.GetCertHashString(); $r.Thumbprint; $r.Subject; $t.SslProtocol; $t.IsEncrypted"
    assert answer(vm, OPEN + TLS12 + shown) == (
        f"{held.thumbprint}\n{held.thumbprint}\n{held.certificate.subject.rfc4514_string()}\nTls12\nTrue\n"
    )
    der = "[Convert]::ToBase64String($t.RemoteCertificate.GetRawCertData())"
    assert base64.b64decode(answer(vm, OPEN + TLS12 + der)) == held.der
    again = "$c=New-Object Security.Cryptography.X509Certificates.X509Certificate2($t.RemoteCertificate)"
    assert answer(vm, OPEN + TLS12 + again + "; $c.NotAfter -gt (Get-Date)") == "True\n"
    assert answer(vm, OPEN + TLS12 + "$t.CipherAlgorithm -in 'Aes128','Aes256'") == "True\n"


def test_nobody_vouches_for_a_self_signed_certificate() -> None:
    vm = build([], "2022", 2)
    text = answer(vm, OPEN.replace("$true", "$false") + TLS12).replace("\n", " ")
    assert "remote certificate is invalid according to the validation procedure" in text
    plain = f"{TALK}; {READ}; $t=[Net.Security.SslStream]::new($s); {TLS12}"
    assert "FullyQualifiedErrorId : AuthenticationException" in answer(vm, plain)


def test_the_callback_sees_what_it_is_asked_about() -> None:
    vm = build([], "2022", 2)
    held = stores.held(vm.registry, stores.REMOTE_DESKTOP)[0]
    asked = OPEN.replace("{$true}", "{param($o,$c,$h,$e) $global:seen=$c.Thumbprint; $true}")
    assert answer(vm, asked + TLS12 + "$seen") == held.thumbprint + "\n"


@pytest.mark.parametrize("windows", YEARS)
def test_one_argument_alone_asks_for_the_versions_of_its_time(windows: str) -> None:
    vm = build([], windows, 2)
    newest = {"2016": "Tls", "2019": "Tls", "2022": "Tls13", "2025": "Tls13"}[windows]
    assert answer(vm, OPEN + "$t.AuthenticateAsClient('vm'); $t.SslProtocol") == newest + "\n"


def test_the_clients_own_keys_end_it_before_a_byte_is_sent() -> None:
    vm = build([], "2022", 2)
    off(vm, "TLS 1.2", "Client")
    codes = "try{%s}catch{$e=$_.Exception.GetBaseException(); '{0:x} {1}' -f $e.NativeErrorCode,$e.GetType().Name}"
    assert answer(vm, OPEN + codes % TLS12) == "80090331 Win32Exception\n"
    events = [event for event in vm.log if event.number == 36871]
    assert [event.data[0] for event in events] == [("Type", "client")]


def test_off_by_default_is_off_for_those_who_do_not_name_it() -> None:
    vm = build([], "2022", 2)
    for version in PROTOCOLS.values():
        off(vm, version, "Client", "DisabledByDefault", 1)
    assert answer(vm, OPEN + TLS12 + "$t.SslProtocol") == "Tls12\n"
    assert "SSPI" in answer(vm, OPEN + "$t.AuthenticateAsClient('vm')")


def test_a_reset_and_its_number() -> None:
    vm = build(["key-permissions"], "2022", 2)
    codes = "try{%s}catch{$e=$_.Exception; $e.InnerException.GetType().Name; $e.GetBaseException().ErrorCode}"
    assert answer(vm, OPEN + codes % TLS12) == "IOException\n10054\n"
    assert any(event.number == 36870 for event in vm.log)


def test_another_version_is_an_alert() -> None:
    found = set()
    for seed in range(12):
        vm = build([], "2019", seed)
        off(vm, "TLS 1.2", "Server")
        codes = "try{%s}catch{'{0:x}' -f $_.Exception.GetBaseException().NativeErrorCode}"
        found.add(answer(vm, OPEN + codes % TLS12).strip())
    assert found == {f"{code:x}" for code in ssl_stream.SSPI_TEXTS}


def test_what_is_no_tls() -> None:
    vm = next(
        vm
        for seed in range(20)
        if (vm := build(["port-hijack"], "2022", seed)).rdp_port(inside=True).behaviour == "http"
    )
    line = "$s=(New-Object Net.Sockets.TcpClient('127.0.0.1',3389)).GetStream(); " + MAKE + "; " + TLS12
    assert "unexpected packet format" in answer(vm, line).replace("\n", " ")


@pytest.mark.parametrize("windows", YEARS)
def test_tls_1_3_has_a_name_since_server_2022(windows: str) -> None:
    vm = build([], windows, 2)
    new = windows in {"2022", "2025"}
    assert answer(vm, "[Security.Authentication.SslProtocols]::Tls13 -eq 12288") == f"{new}\n"
    text = answer(vm, OPEN + "$t.AuthenticateAsClient('vm',$null,12288,$false)")
    assert ("Cannot convert argument" in text) != new


def test_a_read_that_takes_too_long() -> None:
    """The far end that says nothing: SMB's port."""
    vm = build([], "2022", 2)
    line = "$c=New-Object Net.Sockets.TcpClient('127.0.0.1',445); $s=$c.GetStream(); $s.ReadTimeout=500; " + MAKE + "; "
    codes = "try{%s}catch{$_.Exception.GetBaseException().NativeErrorCode}"
    assert answer(vm, line + codes % TLS12) == "10060\n"
    assert "closed the transport stream" in answer(vm, line.replace("$s.ReadTimeout=500; ", "") + TLS12).replace(
        "\n", " "
    )


@given(st.integers(-1, 20_000) | st.text(max_size=6) | st.sampled_from(["Tls12", "tls11, tls12", "0", "None"]))
def test_protocols_are_known_or_refused(value: int | str) -> None:
    try:
        bits = ssl_stream.protocols(value)
    except (ValueError, Thrown):
        return
    assert str(ssl_stream.named(bits))
    if "," in str(ssl_stream.named(bits)) or bits in ssl_stream.NAMES.values():
        assert ssl_stream.protocols(str(ssl_stream.named(bits))) == bits


SIDES = st.sampled_from([None, 0, 1, 0xFFFFFFFF])


@settings(max_examples=60)
@given(st.sampled_from(YEARS), SIDES, SIDES, st.integers(0, 3))
def test_the_state_function_of_the_client(windows: str, enabled: int | None, by_default: int | None, seed: int) -> None:
    vm = build([], windows, seed)
    for value, number in (("Enabled", enabled), ("DisabledByDefault", by_default)):
        if number is not None:
            off(vm, "TLS 1.2", "Client", value, number)
    assert ("TLSv1.2" in ssl_stream.offered(vm, 3072)) == (enabled != 0)
    assert ("TLSv1.2" in ssl_stream.offered(vm, 0)) == (enabled != 0 and not by_default)
