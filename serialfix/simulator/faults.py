"""Named faults: what a customer would say, what is broken, how, and what a repaired VM looks like.

Each fault changes the state of a healthy VM and judges its own part of the state only, so faults combine. What breaks
RDP and how comes from rdp-repair.md 2.5 (TLS), 0.3, 2.3 and 0a.6 (certificate), 2.4 and 0a.5 (key), 2.2 and 0a.7
(port).
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from uuid import UUID

from serialfix.simulator import hijack, key_files, keys, rdp_certificate, security, sids, stores
from serialfix.simulator.baseline import SCHANNEL
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.security import Ace
from serialfix.simulator.services import ROOT as SERVICES
from serialfix.simulator.vm import PROTOCOLS, Vm, stream


class UnknownFault(ValueError):
    """There is no such fault here."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``break_`` gets a random stream of its own; ``repaired`` judges the VM as it is now."""

    name: str
    sentence: str
    what_is_broken: str
    break_: Callable[[Vm, Random], None]
    repaired: Callable[[Vm], bool]


def _nothing(vm: Vm, random: Random) -> None:
    del vm, random


def _offers_tls_1_2(vm: Vm) -> bool:
    return vm.listener is not None and "TLSv1.2" in vm.listener.tls


def _answers(vm: Vm) -> bool:
    """Say whether RDP is reached from outside, on whatever port."""
    port = vm.listens()
    return port is not None and vm.rdp_port(port).behaviour == "rdp"


def _has_its_key(vm: Vm) -> bool:
    return vm.listener is not None and vm.listener.credential.key == "usable"


def _is_valid(vm: Vm) -> bool:
    held = vm.listener.credential.held if vm.listener is not None else None
    return held is not None and held.certificate.not_valid_after_utc > vm.clock() and _has_its_key(vm)


def _is_healthy(vm: Vm) -> bool:
    return _answers(vm) and _offers_tls_1_2(vm) and _is_valid(vm)


def _switch_tls_off(vm: Vm, random: Random) -> None:
    """Write what a hardening script would: every TLS version's Server key, in one of three ways; decoys besides."""
    how = random.choice(("enabled", "by default", "both"))

    def off(protocol: str, side: str) -> None:
        path = rf"{SCHANNEL}\Protocols\{protocol}\{side}"
        if how != "by default":
            vm.registry.set(path, "Enabled", REG_DWORD, 0)
        if how != "enabled":
            vm.registry.set(path, "DisabledByDefault", REG_DWORD, 1)

    clients = random.random() < 0.4
    for protocol in ("SSL 2.0", "SSL 3.0") if random.random() < 0.6 else ():
        off(protocol, "Server")
        off(protocol, "Client")
    for tls, protocol in PROTOCOLS.items():
        if tls in vm.edition.tls or random.random() < 0.5:
            off(protocol, "Server")
            if clients:
                off(protocol, "Client")
    vm.read_listener()


def _remove_certificates(vm: Vm) -> None:
    for held in stores.held(vm.registry, stores.REMOTE_DESKTOP):
        stores.remove(vm.registry, stores.REMOTE_DESKTOP, held.thumbprint)


def _disable_session_env(vm: Vm) -> None:
    """Let nobody make certificates: the service is disabled and does not run."""
    vm.registry.set(rf"{SERVICES}\SessionEnv", "Start", REG_DWORD, 4)
    vm.services.set_stopped("SessionEnv")


def _let_expire(vm: Vm, random: Random) -> None:
    """Leave one expired certificate or several; by seed SessionEnv is disabled besides, which is why none followed."""
    how = random.choice(("one", "several", "disabled"))
    _remove_certificates(vm)
    pem = keys.key_pem(vm.seed)
    age = timedelta(days=random.randrange(190, 400))
    for number in range(random.randrange(2, 4) if how == "several" else 1):
        rdp_certificate.mint(vm, pem, age + number * rdp_certificate.LIFETIME)
    if how == "disabled":
        _disable_session_env(vm)
    vm.read_listener()


def _lose_key(vm: Vm, random: Random) -> None:
    """Take the key from under the certificate: file gone, emptied, another machine's; or no certificate at all."""
    how = random.choice(("gone", "empty", "cloned", "several", "nothing"))
    at = key_files.path(vm.registry)
    entry = vm.files.find(at)
    if entry is None or entry.data is None:
        return
    if how == "empty":
        entry.data = b""
    elif how == "cloned":  # left over from the image: the name ends with another machine's GUID
        other = f"{key_files.FOLDER}\\{key_files.container_prefix(key_files.RDP)}_{UUID(int=random.getrandbits(128))}"
        vm.files.write(other, entry.data, vm.booted)
        vm.files.protect(other, key_files.healthy(vm.edition.build))
        vm.files.delete(at)
    else:
        vm.files.delete(at)
    if how == "several":
        rdp_certificate.mint(vm, keys.key_pem(vm.seed + 1), timedelta(days=random.randrange(200, 380)))
    if how == "nothing":
        _remove_certificates(vm)
        _disable_session_env(vm)
    vm.read_listener()


def _spoil_permissions(vm: Vm, random: Random) -> None:
    """Take the key from TermService: its entry is gone, or one denies it, by its account or by a group it is in."""
    at = key_files.path(vm.registry)
    old = vm.files.descriptor(at)
    how = random.choice(("removed", "removed", "denied", "group denied"))
    if how == "removed":
        vm.files.protect(at, security.without(old, sids.NETWORK_SERVICE))
    else:
        groups = (sids.EVERYONE, sids.USERS, sids.AUTHENTICATED, sids.SERVICE)
        who = sids.NETWORK_SERVICE
        if how == "group denied":  # a group SYSTEM is in would take the key from SessionEnv as well
            who = random.choice(groups)
        vm.files.protect(at, security.with_grant(old, Ace(False, who, 0x20089)))
    vm.read_listener()


def _take_port(vm: Vm, random: Random) -> None:
    hijack.squat(vm, random)


def _take_port_for_good(vm: Vm, random: Random) -> None:
    hijack.make_stubborn(vm, hijack.squat(vm, random), random)


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "healthy",
            "Remote Desktop works; somebody only wants to be sure.",
            "Nothing.",
            _nothing,
            _is_healthy,
        ),
        Fault(
            "tls-disabled",
            "Since the hardening last night Remote Desktop says: An internal error has occurred.",
            "Every TLS version is switched off on Schannel's server side, so no handshake can succeed.",
            _switch_tls_off,
            _offers_tls_1_2,
        ),
        Fault(
            "cert-expired",
            "Since some days Remote Desktop warns about the certificate, and our gateway lets nobody through any more.",
            "The RDP listener's self-signed certificate has expired and no new one was made. The handshake works.",
            _let_expire,
            _is_valid,
        ),
        Fault(
            "cert-missing-key",
            "After we restored the machine from its image, Remote Desktop says: An internal error has occurred.",
            "The listener's certificate has no usable private key (or there is no certificate), so no handshake works.",
            _lose_key,
            _has_its_key,
        ),
        Fault(
            "key-permissions",
            "Security tightened some folder permissions, and now nobody gets in: An internal error has occurred.",
            "TermService (NETWORK SERVICE) may not read the private key of its certificate; Schannel logs 36870.",
            _spoil_permissions,
            _has_its_key,
        ),
        Fault(
            "port-hijack",
            "We installed something yesterday, and after the restart Remote Desktop does not connect any more.",
            "Another service has port 3389; TermService runs and does not listen.",
            _take_port,
            _answers,
        ),
        Fault(
            "port-hijack-stubborn",
            "Something else answers on the Remote Desktop port, and when we stop it, it is back, or will not stop.",
            "A service that takes no stop, or is started again by another one, has port 3389.",
            _take_port_for_good,
            _answers,
        ),
    )
}


def build(faults: Sequence[str], windows: str, seed: int, now: float = 0.0) -> Vm:
    """Build a VM with these faults, in this order.

    Raises UnknownFault or UnknownWindows (both ValueError), whose text is one line that says what there is.
    """
    for name in faults:
        if name not in FAULTS:
            near = difflib.get_close_matches(name, FAULTS, n=3)
            raise UnknownFault(
                f"unknown fault {name!r}; " + (f"near: {', '.join(near)}" if near else f"there are {', '.join(FAULTS)}")
            )
    vm = Vm(windows, seed, now)
    for name in faults:
        FAULTS[name].break_(vm, stream(seed, f"fault/{name}"))
    vm.faults = tuple(faults)
    vm.journal.clear()
    return vm
