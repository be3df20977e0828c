import ipaddress
import socket
import ssl
import threading
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID

from serialfix.simulator import keys, pki

NOW = pki.today()
AUTHORITY = pki.make_authority(NOW)


def handshake(server: ssl.SSLContext, name: str) -> None:
    """A TLS handshake with a client that trusts AUTHORITY only and wants ``name``."""
    client = ssl.create_default_context(cadata=AUTHORITY.pem().decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    here, there = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(there, server_side=True) as tls:
                tls.recv(1)
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with here, client.wrap_socket(here, server_hostname=name):
            pass
    finally:
        thread.join(5)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_strict_client_trusts_loopback(name: str) -> None:
    handshake(pki.server_context(AUTHORITY, NOW), name)


def test_but_no_other_name_of_that_certificate() -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"(?i)mismatch|not valid for"):
        handshake(pki.server_context(AUTHORITY, NOW), "example.com")


@pytest.mark.parametrize("name", ["management.azure.com", "localhost.example.com", "127.0.0.2", "10.0.0.1", "::1"])
def test_the_ca_cannot_vouch_for_anything_else(name: str) -> None:
    try:
        names: tuple[x509.GeneralName, ...] = (x509.IPAddress(ipaddress.ip_address(name)),)
    except ValueError:
        names = (x509.DNSName(name),)
    certificate, key = pki.issue(AUTHORITY, NOW, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pki.load(context, certificate, key)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        handshake(context, name)


def test_the_keys_never_show() -> None:
    assert "PRIVATE" not in repr(AUTHORITY)
    assert b"PRIVATE" not in AUTHORITY.pem()


def test_the_rdp_certificate_is_like_windows_own() -> None:
    certificate = x509.load_pem_x509_certificate(pki.rdp_certificate("SQL01", keys.key_pem(1), NOW))
    assert certificate.subject.rfc4514_string() == certificate.issuer.rfc4514_string() == "CN=SQL01"
    assert isinstance(certificate.signature_hash_algorithm, hashes.SHA256)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc == timedelta(days=182)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    certificate.verify_directly_issued_by(certificate)
    assert pki.rdp_certificate("SQL01", keys.key_pem(1), NOW) == pki.rdp_certificate("SQL01", keys.key_pem(1), NOW)
    assert pki.rdp_certificate("SQL02", keys.key_pem(1), NOW) != pki.rdp_certificate("SQL01", keys.key_pem(1), NOW)


def test_a_key_that_does_not_fit_is_refused() -> None:
    certificate = pki.rdp_certificate("SQL01", keys.key_pem(1), NOW)
    with pytest.raises(ssl.SSLError):
        pki.load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), certificate, pki.private_key(keys.key_pem(2)))
    with pytest.raises(ValueError, match=r"(?i)pem|deserialize"):
        pki.private_key(b"no key")
