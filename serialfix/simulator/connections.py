"""When a connection to the serial gateway ends, and how: one schedule for the gateway and for tests in virtual time.

A client is refused, dropped, disconnected by a second user, or closed because its token has expired or it was idle.
That each happens is known (azure-serial-console.md 2.2, 2.4, 2.5); which close code says so is not, and is drawn from
the seed, as is how a connection is cut. Nothing here knows a socket or a clock: the time is told.

>>> connections = Connections(Knobs(drop_every=30.0), Manners(), seed=3)
>>> connections.begin(0.0)
>>> connections.ended(0.0) is None
True
>>> ending = connections.ended(1000.0)
>>> ending.kind in ("rst", "fin", "silence"), ending.code
(True, 1006)
"""

from dataclasses import dataclass
from random import Random
from typing import Literal

from serialfix.simulator.knobs import Knobs
from serialfix.simulator.manners import Manners

Kind = Literal["rst", "fin", "silence", "second user", "expired", "idle"]
Way = tuple[int, str]

KICKED: tuple[Way, ...] = (
    (1000, ""),
    (1000, "Another connection was made"),
    (1001, ""),
    (1011, ""),
    (1011, "Another connection was made"),
    (4409, "Another connection was made"),
)
INACTIVE: tuple[Way, ...] = ((1000, ""), (1001, "Idle"), (1006, ""), (4408, "Idle timeout"))
EXPIRED: tuple[Way, ...] = (
    (1000, ""),
    (1006, ""),
    (1008, "Token expired"),
    (1011, "Connection not trusted"),
    (4401, "The access token has expired"),
)

PATIENCE = 10.0
"""Seconds for which a drop that is to meet keys waits for some."""
STAY = (20.0, 180.0)
"""Seconds a second user stays. Our choice."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ends: ``rst`` and ``fin`` without a close frame, ``silence`` without anything."""

    kind: Kind
    code: int
    reason: str = ""

    @property
    def cut(self) -> bool:
        """Whether the connection is cut, so that what is under way is lost from any byte on."""
        return self.kind in ("rst", "fin", "silence")


class Connections:
    """The connections to one VM, of which one lives at a time."""

    def __init__(self, knobs: Knobs, manners: Manners, seed: int) -> None:
        self._knobs, self._manners = knobs, manners
        self._random = Random(f"connections {seed}")
        style = Random(f"connection style {seed}")
        self.kicked = style.choice(KICKED)
        """What a client is told that is disconnected because another one came."""
        self._inactive, self._expired = style.choice(INACTIVE), style.choice(EXPIRED)
        self._planned: list[tuple[float, Ending]] = []
        self._meets_keys = False
        self._last_key = 0.0
        self._live = False

    def trusted(self) -> bool:
        """Whether the gateway lets a client in that did everything right."""
        return self._random.random() >= self._manners.untrusted

    def stay(self) -> float:
        """Seconds for which a second user stays."""
        return self._random.uniform(*STAY)

    def begin(self, now: float) -> None:
        """A client has been let in, with a new token."""
        knobs, random = self._knobs, self._random
        self._live, self._last_key, self._planned, self._meets_keys = True, now, [], False
        if knobs.drop_every:
            kind: Kind = random.choice(("rst", "fin", "silence"))
            self._planned.append((now + random.expovariate(1 / knobs.drop_every), Ending(kind, 1006)))
            self._meets_keys = random.random() < 0.5
        if knobs.second_user_every:
            at = now + random.expovariate(1 / knobs.second_user_every)
            self._planned.append((at, Ending("second user", *self.kicked)))
        if self._manners.token_life:
            self._planned.append((now + self._manners.token_life, Ending("expired", *self._expired)))

    def end(self) -> None:
        """The client has gone, or was closed for another reason."""
        self._live = False

    def keys(self, data: bytes, now: float) -> bytes:
        """What of a client's keys gets through. A drop that was waiting for keys happens among them."""
        self._last_key = now
        if not self._live or not data:
            return data
        for number, (at, ending) in enumerate(self._planned):
            if ending.cut and self._meets_keys and at <= now:
                self._planned[number], self._meets_keys = (now, ending), False
                return data[: self._random.randrange(len(data) + 1)]
        return data

    def _all(self) -> list[tuple[float, Ending]]:
        if not self._live:
            return []
        every = [(at + PATIENCE if ending.cut and self._meets_keys else at, ending) for at, ending in self._planned]
        if self._manners.inactive:
            every.append((self._last_key + self._manners.inactive, Ending("idle", *self._inactive)))
        return every

    def due(self) -> float | None:
        """When the connection ends by itself, if nothing more is typed; None: never, or there is none."""
        return min((at for at, _ in self._all()), default=None)

    def ended(self, now: float) -> Ending | None:
        """How the connection has ended by now, told once; None while it lives."""
        first = min(self._all(), key=lambda planned: planned[0], default=None)
        if first is None or first[0] > now:
            return None
        self._live = False
        return first[1]
