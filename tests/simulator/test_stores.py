import re

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from serialfix.simulator import stores
from serialfix.simulator.faults import build
from tests.simulator.world import ask, shell

KEY = r"HKLM\SOFTWARE\Microsoft\SystemCertificates\Remote Desktop\Certificates"


def test_reg_prints_the_blob_and_it_holds_the_certificate_clients_see() -> None:
    vm = build([], "2022", 5)
    certificate = x509.load_pem_x509_certificate(vm.rdp_port().certificate_pem)
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()
    text = ask(vm, f'reg query "{KEY}\\{thumbprint}" /v Blob')
    found = re.search(r"    Blob    REG_BINARY    ([0-9A-F]+)\n", text)
    assert found is not None
    assert bytes.fromhex(found[1]).endswith(certificate.public_bytes(Encoding.DER))


def test_adding_to_a_removed_store_makes_it_again() -> None:
    vm = build([], "2022", 5)
    one = stores.held(vm.registry, stores.REMOTE_DESKTOP)[0]
    assert stores.remove_store(vm.registry, stores.REMOTE_DESKTOP)
    assert not stores.exists(vm.registry, stores.REMOTE_DESKTOP)
    assert stores.held(vm.registry, stores.REMOTE_DESKTOP) == []
    assert stores.add(vm.registry, stores.REMOTE_DESKTOP, one.certificate, one.provider) == one
    assert stores.held(vm.registry, stores.REMOTE_DESKTOP) == [one]


def test_an_entry_that_is_no_certificate_is_left_out() -> None:
    vm = build([], "2022", 5)
    shell(vm, f'reg add "{KEY}\\0011" /v Blob /t REG_BINARY /d 2000000001000000020000003082')
    assert len(stores.held(vm.registry, stores.REMOTE_DESKTOP)) == 1


def test_names() -> None:
    assert stores.true_name("remote desktop") == "Remote Desktop"
    assert stores.true_name("my") == "MY"
    assert stores.true_name("nothing") is None


def test_every_windows_has_its_stores_whether_or_not_anything_is_in_them() -> None:
    vm = build(["healthy"], "2016", 2)
    root = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates"
    assert {rf"{root}\{name}" for name in stores.ALWAYS} <= set(ask(vm, f"reg query {root}").split("\n"))
    assert stores.held(vm.registry, stores.MY) == []
