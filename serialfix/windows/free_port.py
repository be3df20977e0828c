"""Where Remote Desktop may move to: the first port from 3390 on that nobody has, keeps or is known for.

rdp-repair.md 2.2 "Fix B": not listened on, not in an excluded range, not one that Windows hands out by itself (from
49152 on). The same facts always give the same port.

>>> choose(busy={3390}, excluded=[(3392, 3394)], blocked=lambda port: False)
3395
"""

from collections.abc import Callable, Collection, Iterable

FIRST, LAST = 3390, 3499
"""The ports looked at; the question who uses them (``port_probes.NEARBY``) covers just these."""

KNOWN = frozenset({3391, 3478, 3479, 3480, 3481, 3493})
"""Ports others are known for: an RD Gateway's UDP, STUN and TURN, and UPS tools."""


def choose(*, busy: Collection[int], excluded: Iterable[tuple[int, int]], blocked: Callable[[int], bool]) -> int | None:
    """The port, or None where none is left. ``blocked``: whether a firewall rule forbids one."""
    ranges = tuple(excluded)
    for port in range(FIRST, LAST + 1):
        taken = port in busy or port in KNOWN or any(first <= port <= last for first, last in ranges)
        if not taken and not blocked(port):
            return port
    return None
