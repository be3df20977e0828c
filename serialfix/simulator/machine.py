"""What the network side wants of the simulated VM and its serial wire: two Protocols, so that each side stands alone.

Time on a wire is seconds of one clock that only ``server.py`` reads; the VM and its wire are told it.
"""

from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from serialfix.simulator.knobs import Knobs
from serialfix.simulator.rdp_port import RdpPort


class Machine(Protocol):
    """The VM as ARM, the RDP port and the control API see it."""

    @property
    def seed(self) -> int: ...  # noqa: D102 - a field
    @property
    def windows(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def user(self) -> str: ...  # noqa: D102
    @property
    def password(self) -> str: ...  # noqa: D102
    @property
    def journal(self) -> list[dict[str, Any]]: ...  # noqa: D102

    def rdp_port(self, port: int = 3389) -> RdpPort:
        """How a TCP port of the VM answers now."""

    def install_certificate(self, certificate_pem: bytes, key_pem: bytes) -> None:
        """What TermService presents from now on."""

    def state(self) -> dict[str, Any]:
        """The whole state, as JSON can carry it."""


@runtime_checkable
class Calendar(Protocol):
    """A VM that has certificates and a log of its own, whose calendar the server sets."""

    def set_today(self, today: datetime) -> None:
        """Move the calendar so that it is ``today`` now."""


class Wire(Protocol):
    """The serial line: bytes and the time in, bytes out."""

    @property
    def knobs(self) -> Knobs:
        """How bad it is."""

    def connect(self, now: float) -> None:
        """A client is on the console from now on."""

    def disconnect(self, now: float) -> None:
        """It has gone."""

    def cut(self, now: float) -> bytes:
        """Its connection is cut; the last bytes that still reach it."""

    def visit(self, now: float, stay: float) -> None:
        """Somebody else is on the console in its place, for ``stay`` seconds."""

    def send(self, data: bytes, now: float) -> None:
        """Keys from the client."""

    def receive(self, now: float) -> bytes:
        """What has arrived at the client's end by ``now``."""

    def due(self) -> float | None:
        """When ``receive`` has something to give again; None: not before something is sent."""

    def replay(self, now: float) -> bytes:
        """The recent output that a new connection is shown first."""

    @property
    def phase(self) -> str:
        """ "up", "booting", "down" (going down) or "off"."""

    def restart(self, now: float) -> None:
        """Restart the VM from outside, in order."""

    def power_off(self, now: float) -> None:
        """Switch the VM off from outside, in order: it takes some seconds until it is off."""

    def power_on(self, now: float) -> None:
        """Start a VM that is off."""
