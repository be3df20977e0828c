"""Certificates and the blobs that Windows keeps them in, made by the cryptography library and by hand."""

import functools
import hashlib
import struct
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from serialfix.steps import Output

ROOT = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\SystemCertificates"
BEGIN, END = datetime(2026, 1, 5, 6, 7, 8, tzinfo=UTC), datetime(2026, 7, 6, 6, 7, 8, tzinfo=UTC)


@functools.cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@functools.cache
def made(
    subject: str = "vm01", issuer: str = "vm01", begin: datetime = BEGIN, end: datetime = END, serial: int = 4711
) -> bytes:
    """A certificate in DER."""
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in (subject, issuer)]
    builder = x509.CertificateBuilder(names[1], names[0], key().public_key(), serial, begin, end)
    return builder.sign(key(), hashes.SHA256()).public_bytes(Encoding.DER)


def thumbprint(der: bytes) -> str:
    return hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()


def record(number: int, data: bytes) -> bytes:
    return struct.pack("<3I", number, 1, len(data)) + data


def provider(container: str = "TSSecKeySet1", kind: int = 1) -> bytes:
    """CRYPT_KEY_PROV_INFO as it is stored."""
    names = [f"{text}\0".encode("utf-16-le") for text in (container, "Microsoft Strong Cryptographic Provider")]
    return struct.pack("<7I", 28, 28 + len(names[0]), kind, 0x20, 0, 0, 1) + b"".join(names)


def blob(der: bytes, key_provider: bytes | None = None) -> bytes:
    """A blob as Windows writes it; other properties stand between those that are read."""
    kept = b"" if key_provider is None else record(2, key_provider)
    sha1 = record(3, hashlib.sha1(der, usedforsecurity=False).digest())
    return record(25, bytes(16)) + sha1 + kept + record(20, bytes(20)) + record(32, der)


def listing(*entries: tuple[str, bytes], store: str = "Remote Desktop") -> Output:
    """What ``reg query ... /s`` prints of a store with these entries."""
    lines = ["", rf"{ROOT}\{store}", "", rf"{ROOT}\{store}\Certificates", ""]
    for name, data in entries:
        lines += [rf"{ROOT}\{store}\Certificates\{name}", f"    Blob    REG_BINARY    {data.hex().upper()}", ""]
    lines += [rf"{ROOT}\{store}\CRLs", "", rf"{ROOT}\{store}\CTLs"]
    return Output("".join(f"{line}\n" for line in lines), 0, "checksum")
