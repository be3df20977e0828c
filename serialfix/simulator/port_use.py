"""Which program has which TCP port, besides RDP: services that listen, and what answers there.

A service takes its port when it starts; who comes second goes without (TermService then runs and does not listen:
rdp-repair.md 2.2). Windows keeps ranges of ports, on which nobody can listen: fixed ones for its own web server, and
ones that Hyper-V or an administrator took, which differ from VM to VM (common knowledge; which, the seed chooses).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from serialfix.simulator.registry import Registry
from serialfix.simulator.services import ROOT

Answers = Literal["http", "foreign"]


@dataclass(frozen=True, slots=True)
class PortUse:
    """A service that listens. Its port stands in its ``Parameters`` key as ``Port``."""

    service: str
    answers: Answers

    def port(self, registry: Registry) -> int | None:
        """Return the port it is configured for."""
        return registry.number(f"{ROOT}\\{self.service}\\Parameters", "Port")


def excluded(seed: int) -> Sequence[tuple[int, int, bool]]:
    """Return the ranges nobody can listen on: first, last, and whether an administrator made it."""
    random = Random(f"{seed}/excluded ports")
    found = [(5985, 5985, False), (47001, 47001, False)]
    for _ in range(random.randrange(4)):
        first = random.randrange(4000, 60000)
        found.append((first, first + 99, False))
    if random.random() < 0.25:
        first = random.randrange(3390, 3394)
        found.append((first, first + random.randrange(12), True))
    return sorted(found)


def is_excluded(seed: int, port: int) -> bool:
    """Say whether nobody can listen on a port."""
    return any(first <= port <= last for first, last, _ in excluded(seed))
