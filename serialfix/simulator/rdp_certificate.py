"""The RDP listener's certificate: which one TermService takes, whether it can use its key, and who makes a new one.

A pin (``SSLCertificateSHA1Hash``) names a certificate in My or Remote Desktop; without one it is the newest self-signed
one in the store ``Remote Desktop`` (rdp-repair.md 2.3). TermService takes it when it starts and keeps it (2.8 T09).
SessionEnv makes a new one only where the store has none: that heals within seconds, while an entry that stands there,
expired or without its key, is in the way and stays until it is deleted (0.3, 2.3; event texts 8.3). **Our choice**, as
the sources only say "renewal has been failing": SessionEnv never replaces an entry by itself. An expired certificate
still lets clients in, with a warning (0a.6).
"""

import functools
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from serialfix.simulator import baseline, key_files, keys, pki, security, sids, stores
from serialfix.simulator.certificate_blob import KeyProvider
from serialfix.simulator.services import RUNNING
from serialfix.simulator.stores import REMOTE_DESKTOP, Held

if TYPE_CHECKING:
    from serialfix.simulator.vm import Vm

LIFETIME = timedelta(days=182)
PIN = "SSLCertificateSHA1Hash"
RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
KeyState = Literal["usable", "denied", "missing", "damaged", "none"]
_CREATE = (
    "The RD Session Host Server has failed to create a new self signed certificate to be used for RD Session Host "
    "Server authentication on TLS connections. The relevant status code was {}"
)
_REPLACE = (
    "The RD Session Host Server has failed to replace the expired self signed certificate used for RD Session Host "
    "Server authentication on TLS connections. The relevant status code was {}"
)
_CREATED = (
    "A new self signed certificate to be used for RD Session Host Server authentication on SSL connections was "
    "generated. The name on this certificate is {0}. The SHA1 hash of the certificate is in the event data."
)


@dataclass(frozen=True, slots=True)
class Credential:
    """What TermService got hold of: a certificate or none, and its key or why not."""

    held: Held | None
    key: KeyState
    key_pem: bytes = b""

    @property
    def pem(self) -> bytes:
        """The certificate as PEM, empty when there is none."""
        return self.held.certificate.public_bytes(Encoding.PEM) if self.held else b""


@functools.cache
def _pool() -> dict[bytes, bytes]:
    """The simulator's keys by their identifiers."""
    found = {}
    for number in range(len(keys.POOL)):
        pem = keys.key_pem(number)
        found[x509.SubjectKeyIdentifier.from_public_key(_private(pem).public_key()).digest] = pem
    return found


@functools.cache
def _private(pem: bytes) -> rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    return pki.private_key(pem)


def pinned(vm: "Vm") -> str | None:
    """Return the thumbprint RDP-Tcp is pinned to, or None."""
    data = vm.registry.get(baseline.RDP_TCP, PIN)
    return data.hex().upper() if isinstance(data, bytes) and data else None


def choose(vm: "Vm") -> Credential:
    """Return what TermService gets when it looks for its certificate now."""
    pin = pinned(vm)
    if pin is not None:
        both = stores.held(vm.registry, stores.MY) + stores.held(vm.registry, REMOTE_DESKTOP)
        found = [each for each in both if each.thumbprint == pin]
    else:
        store = str(vm.registry.get(baseline.TERMINAL_SERVER + r"\WinStations", "SelfSignedCertStore") or "")
        found = [each for each in stores.held(vm.registry, store) if each.self_signed] if store else []
        found.sort(key=lambda each: each.certificate.not_valid_after_utc, reverse=True)
    if not found:
        return Credential(None, "none")
    state, pem = key_state(vm, found[0])
    return Credential(found[0], state, pem)


def key_state(vm: "Vm", held: Held, token: sids.Token = sids.TERM_SERVICE) -> tuple[KeyState, bytes]:
    """Return whether ``token`` can use a certificate's key, and the key (PEM) when it can."""
    if held.provider is None:
        return "missing", b""
    entry = vm.files.find(key_files.path(vm.registry, held.provider.container))
    if entry is None or entry.data is None:
        return "missing", b""
    if not key_files.readable(vm.files, entry, token):
        return "denied", b""
    identifier = key_files.identifier(entry.data)
    if identifier is None:
        return "damaged", b""
    if identifier != stores.key_identifier(held.certificate):
        return "missing", b""
    return "usable", _pool()[identifier]


def mint(vm: "Vm", key_pem: bytes, age: timedelta, store: str = REMOTE_DESKTOP, container: str = key_files.RDP) -> Held:
    """Put a self-signed certificate that was made ``age`` ago into a store. No check, no event."""
    begin = (vm.clock() - age).replace(microsecond=0)
    serial = vm.random("certificates").getrandbits(120) | 1 << 119
    certificate = pki.self_signed(vm.name, _private(key_pem), begin, begin + LIFETIME, serial)
    return stores.add(vm.registry, store, certificate, KeyProvider(container))


def write_key(vm: "Vm", key_pem: bytes, container: str = key_files.RDP) -> None:
    """Write a container's file with the access list of a healthy one."""
    identifier = x509.SubjectKeyIdentifier.from_public_key(_private(key_pem).public_key()).digest
    at = key_files.path(vm.registry, container)
    vm.files.write(at, key_files.contents(identifier), vm.now)
    vm.files.protect(at, key_files.healthy(vm.edition.build))


def heal(vm: "Vm") -> None:
    """Do what SessionEnv does when it looks at the store: make a certificate where there is none, complain else."""
    service = vm.services.find("SessionEnv")
    if service is None or service.state != RUNNING or pinned(vm) is not None:
        return
    present = [each for each in stores.held(vm.registry, REMOTE_DESKTOP) if each.self_signed]
    if present:
        newest = max(present, key=lambda each: each.certificate.not_valid_after_utc)
        if key_state(vm, newest, sids.SESSION_ENV)[0] == "missing":
            _complain(vm, 1057, _CREATE, "Object already exists.")
        elif newest.certificate.not_valid_after_utc < vm.clock():
            _complain(vm, 1058, _REPLACE, "Object already exists.")
        return
    key_pem = _key_for_new(vm)
    if key_pem is None:
        return
    fresh = mint(vm, key_pem, timedelta())
    vm.event("System", RCM, 1056, 4, _CREATED.format(vm.name), Name=vm.name, Hash=fresh.thumbprint)
    vm.note("certificate made", thumbprint=fresh.thumbprint)
    if vm.listener is not None and vm.listener.credential.held is None:
        vm.read_listener()


def _complain(vm: "Vm", number: int, text: str, status: str) -> None:
    vm.event("System", RCM, number, 2, text.format(status), param1=status)


def _key_for_new(vm: "Vm") -> bytes | None:
    """Return the key for a new certificate: the container's when it stands, else a new one; None with an event."""
    if any(vm.services.start_type(name) == 4 for name in ("CryptSvc", "KeyIso")):
        _complain(vm, 1057, _CREATE, "The service cannot be started, either because it is disabled.")
        return None
    entry = vm.files.find(key_files.path(vm.registry))
    if entry is not None and entry.data is not None:
        if not all(key_files.readable(vm.files, entry, token) for token in (sids.SESSION_ENV, sids.TERM_SERVICE)):
            _complain(vm, 1057, _CREATE, "Access is denied.")
            return None
        identifier = key_files.identifier(entry.data)
        if identifier is None:
            _complain(vm, 1057, _CREATE, "Keyset does not exist")
            return None
        return _pool()[identifier]
    if vm.files.find(key_files.FOLDER) is None:
        vm.files.make_folder(key_files.FOLDER, vm.now)
        vm.files.protect(key_files.FOLDER, security.parse(key_files.FOLDER_SDDL))
    if not vm.files.may(sids.TERM_SERVICE, key_files.FOLDER, 2):
        _complain(vm, 1057, _CREATE, "Access is denied.")
        return None
    vm.new_keys += 1
    pem = keys.key_pem(vm.seed + vm.new_keys)
    write_key(vm, pem)
    return pem


def move_calendar(vm: "Vm", by: timedelta) -> None:
    """Sign every certificate of the machine anew with its dates moved, for a VM whose calendar was set at its start."""
    for store in (REMOTE_DESKTOP, stores.MY):
        for held in stores.held(vm.registry, store):
            old = held.certificate
            pem = _pool().get(stores.key_identifier(old))
            if pem is None:
                continue
            begin, end = (when + by for when in (old.not_valid_before_utc, old.not_valid_after_utc))
            fresh = pki.self_signed(vm.name, _private(pem), begin, end, old.serial_number)
            stores.remove(vm.registry, store, held.thumbprint)
            new = stores.add(vm.registry, store, fresh, held.provider)
            if pinned(vm) == held.thumbprint:
                vm.registry.set(baseline.RDP_TCP, PIN, "REG_BINARY", bytes.fromhex(new.thumbprint))
