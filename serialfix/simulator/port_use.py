"""Which program has which TCP port, besides RDP: services that listen, and what answers there.

A service takes its port when it starts; who comes second goes without (TermService then runs and does not listen:
rdp-repair.md 2.2).
"""

from dataclasses import dataclass
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
