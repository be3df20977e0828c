r"""The machine's certificate stores as they stand in the registry, read by ``reg query``.

rdp-repair.md 2.7 O6: an entry is a key named by the SHA-1 of its certificate, with a value ``Blob``: records of (property
u32, encoding u32, length u32, data), little-endian; property 32 is the certificate in DER, 2 is where its private key is
(CRYPT_KEY_PROV_INFO, provider type 0 is CNG), 3 the SHA-1 again. How the latter looks inside when stored (seven u32, the
first two are where the names begin) is common knowledge. An entry that can't be read is kept as broken, never dropped.

>>> sample = '''
... HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates\\Remote Desktop\\Certificates
...
... HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\SystemCertificates\\Remote Desktop\\Certificates\\71FBF3FF4E8FFD93B9DAB0F6C8A1F8D2D4B6E1AA
...     Blob    REG_BINARY    030000000100000014000000
... '''
>>> parse(Output(sample, 0, "screen"), REMOTE_DESKTOP).broken
(Broken(name='71fbf3ff4e8ffd93b9dab0f6c8a1f8d2d4b6e1aa', why='a record of the blob says 20 bytes where 0 are left'),)
>>> records(bytes.fromhex("030000000100000002000000abcd"))
{3: b'\xab\xcd'}
"""  # noqa: E501 - reg prints a key in one line

import hashlib
import re
import struct
import warnings
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509

from serialfix import quoting
from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import registry
from serialfix.windows.registry import Keys

ROOT = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
REMOTE_DESKTOP, MY = "Remote Desktop", "MY"
MOST = 256 * 1024

_KEY_PROVIDER, _SHA1, _CERTIFICATE = 2, 3, 32
_PARTS = ("Certificates", "CRLs", "CTLs")
_THUMBPRINT = re.compile(r"[0-9a-f]{40}")

Provider = Literal["none", "legacy", "CNG"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One certificate of a store. ``thumbprint``: SHA-1 in upper hex. Dates are UTC.

    ``self_signed``: its issuer is its subject. ``provider``: by what kind of provider its private key is kept ("none":
    the entry names no key), ``container`` the key's name there. ``blob``: the whole entry as it stands.
    """

    thumbprint: str
    not_before: datetime
    not_after: datetime
    self_signed: bool
    provider: Provider
    container: str
    blob: bytes = field(repr=False)

    def __str__(self) -> str:
        kind = "self-signed" if self.self_signed else "issued by another"
        return f"{self.thumbprint} ({kind}, valid {self.not_before:%Y-%m-%d} to {self.not_after:%Y-%m-%d})"


@dataclass(frozen=True, slots=True)
class Broken:
    """An entry that can't be read. ``name``: of its key, as the VM says it."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a store, in the order of the registry."""

    entries: tuple[Entry, ...] = ()
    broken: tuple[Broken, ...] = ()

    def find(self, thumbprint: str) -> Entry | None:
        """The entry with this thumbprint, in any letter case. Raises Unreadable where it is there and broken."""
        for broken in self.broken:
            if broken.name.lower() == thumbprint.lower():
                raise Unreadable(f"the certificate {thumbprint} can't be read: {broken.why}")
        return next((entry for entry in self.entries if entry.thumbprint == thumbprint.upper()), None)


def path(store: str) -> str:
    """The registry key of a store."""
    return rf"{ROOT}\{store}"


def key(store: str, thumbprint: str) -> str:
    """The registry key of an entry."""
    return rf"{path(store)}\Certificates\{thumbprint}"


def parse_stores(output: Output) -> frozenset[str]:
    """Read ``reg query`` of the stores' parent: their names in lower case. Raises Unreadable."""
    names = frozenset(registry.parse(output).below(ROOT))
    if not names:
        # Every Windows has ROOT, CA and MY, so an answer without any store is none.
        raise Unreadable("the answer shows no certificate store at all")
    return names


def parse(output: Output, store: str) -> Contents:
    """Read ``reg query ... /s`` of a store. Raises Unreadable where the answer as a whole is none."""
    keys = registry.parse(output)
    if not any(keys.has(each) for each in (path(store), *(rf"{path(store)}\{part}" for part in _PARTS))):
        raise Unreadable(f"the answer does not hold the store {store}")
    entries: list[Entry] = []
    broken: list[Broken] = []
    for name in keys.below(rf"{path(store)}\Certificates"):
        try:
            entries.append(_entry(keys, store, name))
        except Unreadable as problem:
            broken.append(Broken(name, str(problem)))
    return Contents(tuple(entries), tuple(broken))


def _entry(keys: Keys, store: str, name: str) -> Entry:
    if not _THUMBPRINT.fullmatch(name):
        raise Unreadable("the entry's name is no thumbprint")
    values = keys.keys.get(registry.normal(key(store, name)), {})
    if set(values) != {"blob"} or any(keys.below(key(store, name))):
        # What can't be brought back by its blob alone is not taken for an entry.
        raise Unreadable("the entry holds something else than a blob")
    blob = values["blob"]
    if blob.type != "REG_BINARY" or not re.fullmatch(r"(?:[0-9A-Fa-f]{2})*", blob.data):
        raise Unreadable(f"the blob has the type {blob.type[:20]}, or is no hexadecimal text")
    return read_blob(bytes.fromhex(blob.data), name)


def read_blob(blob: bytes, name: str) -> Entry:
    """Read the blob of the entry called ``name``. Raises Unreadable, also where the thumbprints differ."""
    found = records(blob)
    der = found.get(_CERTIFICATE)
    if der is None:
        raise Unreadable("the blob holds no certificate")
    thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    if thumbprint != name.upper():
        raise Unreadable(f"the entry holds another certificate than its name says: {thumbprint}")
    if found.get(_SHA1, bytes.fromhex(thumbprint)).hex().upper() != thumbprint:
        raise Unreadable("the SHA-1 that the blob states is another one")
    provider, container = _key(found.get(_KEY_PROVIDER))
    try:
        with warnings.catch_warnings():
            # The library warns of odd serial numbers; here they are what is being looked at.
            warnings.simplefilter("ignore")
            seen = x509.load_der_x509_certificate(der)
            begin, end = seen.not_valid_before_utc, seen.not_valid_after_utc
            self_signed = seen.issuer == seen.subject
    except Exception as problem:  # a stranger's bytes: the library has no common type for what it makes of them
        raise Unreadable(f"the certificate in the blob can't be read: {problem}") from None
    return Entry(thumbprint, begin, end, self_signed, provider, container, blob)


def records(blob: bytes) -> dict[int, bytes]:
    """The records of a blob by property. Raises Unreadable for one that is cut, lies of its length or comes twice."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(blob):
        if len(blob) - at < 12:
            raise Unreadable("the blob ends within the head of a record")
        number, _, length = struct.unpack_from("<3I", blob, at)
        at += 12
        if length > len(blob) - at:
            raise Unreadable(f"a record of the blob says {length} bytes where {len(blob) - at} are left")
        if number in found:
            raise Unreadable(f"the blob holds the record {number} twice")
        found[number] = blob[at : at + length]
        at += length
    return found


def _key(data: bytes | None) -> tuple[Provider, str]:
    """Kind of provider and container's name of a CRYPT_KEY_PROV_INFO as stored."""
    if data is None:
        return "none", ""
    if len(data) < 28:
        raise Unreadable("what the blob says of the private key is too short")
    container, _, kind, _, _, _, _ = struct.unpack_from("<7I", data)
    return ("CNG" if kind == 0 else "legacy"), _text(data, container)


def _text(data: bytes, at: int) -> str:
    end = at
    while end + 2 <= len(data) and data[end : end + 2] != b"\0\0":
        end += 2
    if at < 28 or end + 2 > len(data):
        raise Unreadable("the name of the private key's container lies outside of what the blob says")
    try:
        return data[at:end].decode("utf-16-le")
    except UnicodeDecodeError:
        raise Unreadable("the name of the private key's container is no text") from None


STORES: Probe[frozenset[str]] = Probe(
    name="certificate_stores",
    title="The machine's certificate stores",
    # reg's exit code is 1 for "not there" and "refused" alike, so a store is looked for in its parent first.
    why="Whether there is a store for Remote Desktop at all has to be told from one that can't be read.",
    query=Command("cmd", f"reg query {ROOT}"),
    parse=parse_stores,
    say=lambda found: ", ".join(sorted(found)),
)


def contents(store: str) -> Probe[Contents]:
    """What is in a store that is there."""
    return Probe(
        name=f"certificates:{store}",
        title=f"Certificates in the store {store}",
        why="Remote Desktop takes its certificate from there; dates and thumbprint are read from the certificate.",
        query=Command("cmd", f"reg query {quoting.cmd(path(store))} /s"),
        parse=lambda output: parse(output, store),
        say=_say,
        exact=True,  # the certificate's own bytes, and what would bring a deleted entry back
        most=MOST,
        timeout=120.0,
    )


def _say(found: Contents) -> str:
    shown = [*map(str, found.entries), *(f"{broken.name} can't be read" for broken in found.broken)]
    return "; ".join(shown) or "none"
