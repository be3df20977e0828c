"""Named faults: what a customer would say, what is broken, how, and what a repaired VM looks like.

Each fault changes the state of a healthy VM and judges by state, so faults combine. What breaks RDP and how comes
from rdp-repair.md 2.5 (TLS).
"""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from serialfix.simulator.baseline import SCHANNEL
from serialfix.simulator.registry import REG_DWORD
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


def _listens_with_tls_1_2(vm: Vm) -> bool:
    port = vm.rdp_port()
    return port.behaviour == "rdp" and "TLSv1.2" in port.tls


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


FAULTS: dict[str, Fault] = {
    fault.name: fault
    for fault in (
        Fault(
            "healthy",
            "Remote Desktop works; somebody only wants to be sure.",
            "Nothing.",
            _nothing,
            _listens_with_tls_1_2,
        ),
        Fault(
            "tls-disabled",
            "Since the hardening last night Remote Desktop says: An internal error has occurred.",
            "Every TLS version is switched off on Schannel's server side, so no handshake can succeed.",
            _switch_tls_off,
            _listens_with_tls_1_2,
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
