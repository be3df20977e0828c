"""The simulator's certificates: a CA made anew at each start, its server certificate, and the VM's RDP certificate.

The CA's private key exists in this process only and its name constraints let it vouch for 127.0.0.1 and localhost and
nothing else (design.md, "The simulator"). The RDP certificate has the form Windows gives its self-signed one
(rdp-repair.md 2.2: CN is the computer name, SHA-256, six months, server authentication).
"""

import hashlib
import ipaddress
import secrets
import ssl
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOOPBACK = ipaddress.ip_address("127.0.0.1")


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority; ``key`` never leaves the process."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)

    def pem(self) -> bytes:
        """The certificate, for clients to trust."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def make_authority(now: datetime) -> Authority:
    """A new CA, valid for a year around ``now``, that can sign for 127.0.0.1 and localhost only."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"serialfix simulator {secrets.token_hex(4)}, loopback only")
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(ca=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.NameConstraints(
                permitted_subtrees=[
                    x509.DNSName("localhost"),
                    x509.IPAddress(ipaddress.ip_network(f"{LOOPBACK}/32")),
                ],
                excluded_subtrees=None,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def issue(
    authority: Authority, now: datetime, names: tuple[x509.GeneralName, ...]
) -> tuple[bytes, ec.EllipticCurvePrivateKey]:
    """A server certificate (PEM) and its key. The CA signs any names; its constraints make other ones worthless."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer_key = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        x509.CertificateBuilder()
        .subject_name(_name("serialfix simulator"))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=364))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key),
            critical=False,
        )
        .sign(authority.key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key


def server_context(authority: Authority, now: datetime) -> ssl.SSLContext:
    """TLS for ARM and the gateway: a certificate for 127.0.0.1 and localhost, TLS 1.2 or newer."""
    certificate, key = issue(authority, now, (x509.DNSName("localhost"), x509.IPAddress(LOOPBACK)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load(context, certificate, key)
    return context


def load(context: ssl.SSLContext, certificate_pem: bytes, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> None:
    """Give ``context`` its certificate and key.

    ``ssl`` reads keys from files only, so the file holds the key encrypted under a password that was never written.
    Raises ``ssl.SSLError`` when the two do not belong together.
    """
    password = secrets.token_bytes(24).hex().encode()
    encrypted = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(password)
    )
    with tempfile.TemporaryDirectory(prefix="serialfix-simulator-") as folder:
        chain = Path(folder) / "chain.pem"
        chain.write_bytes(certificate_pem + encrypted)
        context.load_cert_chain(chain, password=password)


def private_key(pem: bytes) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    """A PEM key of one of the two kinds used here. Raises ``ValueError`` for anything else."""
    key = serialization.load_pem_private_key(pem, password=None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError(f"not an RSA or EC key: {type(key).__name__}")  # noqa: TRY004 - the caller gave bytes
    return key


def rdp_certificate(computer: str, key_pem: bytes, now: datetime) -> bytes:
    """The self-signed certificate Windows makes for its RDP listener: PEM, six months around the day of ``now``.

    The same on the same day for the same computer and key, so that a seed gives the same thumbprint.
    """
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    serial = int.from_bytes(hashlib.sha256(computer.encode() + key_pem).digest()[:15], "big") + 1
    half = timedelta(days=91)
    return self_signed(computer, private_key(key_pem), day - half, day + half, serial).public_bytes(
        serialization.Encoding.PEM
    )


def self_signed(
    computer: str, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, begin: datetime, end: datetime, serial: int
) -> x509.Certificate:
    """A certificate in the form of the RDP listener's own one, valid from ``begin`` to ``end`` (whole seconds)."""
    name = _name(computer)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=False,
                content_commitment=False,
                key_encipherment=True,
                data_encipherment=True,
                key_agreement=False,
                key_cert_sign=False,
                crl_sign=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )


def today() -> datetime:
    """Now, in whole seconds UTC, which is what X.509 can hold."""
    return datetime.now(UTC).replace(microsecond=0)
