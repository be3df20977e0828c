r"""The machine's certificate stores, as they stand in the registry.

``HKLM\SOFTWARE\Microsoft\SystemCertificates\Remote Desktop\Certificates\<THUMBPRINT>`` with its ``Blob``
(rdp-repair.md 2.7 O6). A store whose key is gone is made anew by whoever adds to it.
"""

import functools
from dataclasses import dataclass

from cryptography import x509

from serialfix.simulator import certificate_blob
from serialfix.simulator.certificate_blob import CERTIFICATE, KEY_PROVIDER, BadBlob, KeyProvider
from serialfix.simulator.registry import REG_BINARY, Registry

ROOT = r"HKLM\SOFTWARE\Microsoft\SystemCertificates"
REMOTE_DESKTOP, MY = "Remote Desktop", "MY"
ALWAYS = ("AuthRoot", "CA", "Disallowed", MY, "ROOT", "TrustedPeople", "TrustedPublisher")
NAMES = ("AuthRoot", "CA", "Disallowed", MY, REMOTE_DESKTOP, "ROOT", "TrustedPeople", "TrustedPublisher", "WebHosting")


@dataclass(frozen=True, slots=True)
class Held:
    """One certificate in a store; ``provider`` says where its key should be, None for a certificate without one."""

    store: str
    thumbprint: str
    der: bytes
    provider: KeyProvider | None

    @property
    def certificate(self) -> x509.Certificate:
        """The certificate, parsed."""
        return _parsed(self.der)

    @property
    def self_signed(self) -> bool:
        """Whether issuer and subject are the same."""
        return self.certificate.issuer == self.certificate.subject


@functools.lru_cache(maxsize=256)
def _parsed(der: bytes) -> x509.Certificate:
    return x509.load_der_x509_certificate(der)


def fill(registry: Registry) -> None:
    """Make the stores that every Windows has, whether or not anything is in them: common knowledge."""
    for store in ALWAYS:
        _make(registry, store)


def _make(registry: Registry, store: str) -> None:
    for folder in ("Certificates", "CRLs", "CTLs"):
        registry.create(f"{path(store)}\\{folder}")


def path(store: str) -> str:
    """Return a store's key."""
    return f"{ROOT}\\{store}"


def exists(registry: Registry, store: str) -> bool:
    """Say whether a store is there."""
    return registry.key(path(store)) is not None


def true_name(store: str) -> str | None:
    """Return a store's name as Windows writes it, or None when there is no such store."""
    return next((name for name in NAMES if name.lower() == store.lower()), None)


def held(registry: Registry, store: str) -> list[Held]:
    """Return the certificates of a store in the order they came; entries that are none are left out."""
    key = registry.key(path(store) + r"\Certificates")
    found = []
    for each in list(key.keys.values()) if key else []:
        value = each.values.get("blob")
        if value is None or not isinstance(value.data, bytes):
            continue
        try:
            properties = certificate_blob.parse(value.data)
            der = properties[CERTIFICATE]
            _parsed(der)
            provider = properties.get(KEY_PROVIDER)
            known = certificate_blob.unpack_provider(provider) if provider else None
        except (BadBlob, KeyError, ValueError):
            continue
        found.append(Held(store, each.name, der, known))
    return found


def add(registry: Registry, store: str, certificate: x509.Certificate, provider: KeyProvider | None) -> Held:
    """Put a certificate into a store, made where missing."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    der = certificate.public_bytes(Encoding.DER)
    info = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    blob = certificate_blob.build(der, info, key_identifier(certificate), provider)
    thumbprint = certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - Windows names them so
    _make(registry, store)
    registry.set(f"{path(store)}\\Certificates\\{thumbprint}", "Blob", REG_BINARY, blob)
    return Held(store, thumbprint, der, provider)


def key_identifier(certificate: x509.Certificate) -> bytes:
    """Return the SHA-1 of a certificate's public key."""
    return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def remove(registry: Registry, store: str, thumbprint: str) -> bool:
    """Take a certificate out of a store; its key stays."""
    return registry.delete_key(f"{path(store)}\\Certificates\\{thumbprint}")


def remove_store(registry: Registry, store: str) -> bool:
    """Remove a whole store."""
    return registry.delete_key(path(store))
