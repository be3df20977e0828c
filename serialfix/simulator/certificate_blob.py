"""The ``Blob`` of a certificate in a registry store: properties one after another, the certificate itself the last.

Each property is four parts, little-endian: id, 1, length, data (rdp-repair.md 2.7 O6; which ids Windows writes and how
a key's provider looks inside are common knowledge). A sample's beginning: ``19000000 01000000 10000000`` and 16 bytes.
"""

import hashlib
import struct
from dataclasses import dataclass

KEY_PROVIDER, SHA1, KEY_IDENTIFIER, KEY_MD5, CERTIFICATE, FRIENDLY_NAME = 2, 3, 20, 25, 32, 11


class BadBlob(ValueError):
    """The bytes are no such blob."""


@dataclass(frozen=True, slots=True)
class KeyProvider:
    """Where the private key is: CRYPT_KEY_PROV_INFO. ``kind`` 0 means CNG."""

    container: str
    provider: str = "Microsoft Strong Cryptographic Provider"
    kind: int = 1
    flags: int = 0x20  # the machine's keys
    spec: int = 1  # for key exchange

    def pack(self) -> bytes:
        """Return the structure as stored: seven numbers, then the two names the first two point at."""
        container, provider = (f"{text}\0".encode("utf-16-le") for text in (self.container, self.provider))
        first = 28
        head = struct.pack("<7I", first, first + len(container), self.kind, self.flags, 0, 0, self.spec)
        return head + container + provider


def unpack_provider(data: bytes) -> KeyProvider:
    """Read CRYPT_KEY_PROV_INFO as stored. Raises BadBlob."""
    if len(data) < 28:
        raise BadBlob("a short key provider")
    container, provider, kind, flags, _, _, spec = struct.unpack("<7I", data[:28])
    return KeyProvider(_text(data, container), _text(data, provider), kind, flags, spec)


def _text(data: bytes, at: int) -> str:
    end = at
    while data[end : end + 2] not in {b"\0\0", b""}:
        end += 2
    return data[at:end].decode("utf-16-le", "replace")


def build(der: bytes, key_info: bytes, key_identifier: bytes, provider: KeyProvider | None) -> bytes:
    """Return the blob of a certificate. ``key_info``: its SubjectPublicKeyInfo, DER."""
    properties = [
        (KEY_MD5, hashlib.md5(key_info, usedforsecurity=False).digest()),
        (SHA1, hashlib.sha1(der, usedforsecurity=False).digest()),
    ]
    if provider is not None:
        properties.append((KEY_PROVIDER, provider.pack()))
    properties += [(KEY_IDENTIFIER, key_identifier), (CERTIFICATE, der)]
    return b"".join(struct.pack("<3I", number, 1, len(data)) + data for number, data in properties)


def parse(blob: bytes) -> dict[int, bytes]:
    """Return the properties by their ids. Raises BadBlob."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(blob):
        if len(blob) - at < 12:
            raise BadBlob("a piece of a property")
        number, _, length = struct.unpack("<3I", blob[at : at + 12])
        if at + 12 + length > len(blob):
            raise BadBlob("a property is cut off")
        found[number] = blob[at + 12 : at + 12 + length]
        at += 12 + length
    return found
