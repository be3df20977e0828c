"""How fast a session could have been at best: **L**, from what it really had to send, receive and wait for.

L = round trips + bytes / 11,520 + characters / safe typing rate + time the VM computes. What is counted, and whence:

- **An exchange** is a line that a program in the VM received (its own log says which), or a key that acts without a
  line: the next channel, the SAC channel, the key that a preview swallows (the log says that the mode changed), the
  key that turns a page.
- **Round trips**: two for a line, whose echo is checked before Enter; one for an empty line, and for a key.
- **Characters** are those of the line as it was received, however often and however slowly it was typed.
- **Bytes**: the characters, Enter, the echo (a byte a character: what a sampled screen needs besides is loss), and
  everything the VM wrote from Enter to the next key that reached it.
- **The VM's time** runs from Enter reaching the program to the last byte of its answer leaving the wire, less the
  answer's bytes / 11,520: so what the VM computes while earlier bytes are still on their way is not counted twice. On
  the engine that samples the screen (2016, 2019) the sample is part of it. While the playbook itself waits (for a
  service to start), it is the time until the last thing happened in the VM that happened by itself.
- **The safe typing rate** follows from the safety rule: at most 32 characters may be under way unacknowledged, so 32
  in each (round trip + what the VM takes to echo), and never faster than the wire. The echo's time is measured: from a
  key that reaches a shell to the next byte that leaves it.

Each line counts once in one question of the playbook, without its markers, which differ each time; so a line entered
again is loss. Not seen as loss: a plan that is longer than it need be (more questions, more lines for each, the same
rows in slices that are cut otherwise), and polling. These show as exchanges and characters.

The first 32 characters of a line are under way during the round trip of their echo, which is counted too. So L is a
little more than what can't be beaten; ``strict`` leaves out the typing time of the first 32 of each line, and their
bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from serialfix.console.keyboard import WINDOW
from serialfix.console.markers import Markers
from serialfix.simulator.line import Line
from serialfix.simulator.sac import Sac
from serialfix.steps import Command
from serialfix.venues.serial import SerialVenue
from tests.virtual import VirtualLine

BYTES = 11_520.0
"""Bytes a second each way, at 115,200 baud."""
SHELLS = ("command", "input")
TYPED = ("sac", "username", "domain", "password", *SHELLS)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One line or key, and its answer. ``at``: when it reached the VM; ``done``: when its answer had left the wire."""

    at: float
    done: float
    purpose: str
    text: str
    down: int

    @property
    def round_trips(self) -> int:
        """One to get the answer, and one more where an echo is read back."""
        return 2 if self.characters else 1

    @property
    def characters(self) -> int:
        """How many had to be typed."""
        return len(self.text) if self.purpose in TYPED else 0

    @property
    def computing(self) -> float:
        """Seconds the VM took, less transmission."""
        return max(0.0, self.done - self.at - self.down / BYTES)


@dataclass(frozen=True, slots=True)
class Limit:
    """L and its parts, in seconds. ``first_windows``: what ``strict`` leaves out."""

    round_trips: float = 0.0
    wire: float = 0.0
    typing: float = 0.0
    computing: float = 0.0
    first_windows: float = 0.0

    @property
    def total(self) -> float:
        """L."""
        return self.round_trips + self.wire + self.typing + self.computing

    @property
    def strict(self) -> float:
        """What no client that keeps the safety rule can beat with the same lines."""
        return self.total - self.first_windows

    def __add__(self, other: "Limit") -> "Limit":
        """Both, one after the other."""
        return Limit(
            self.round_trips + other.round_trips,
            self.wire + other.wire,
            self.typing + other.typing,
            self.computing + other.computing,
            self.first_windows + other.first_windows,
        )


def typing_rate(round_trip: float, echo: float) -> float:
    """Characters a second that may be typed: a window in each round trip, and no faster than the wire.

    >>> typing_rate(0.08, 0.0)
    400.0
    """
    return min(BYTES, WINDOW / (round_trip + echo)) if round_trip + echo else BYTES


def limit(exchanges: Iterable[Exchange], round_trip: float, echo: float) -> Limit:
    """L of some exchanges, each of which counts. ``echo``: seconds a shell takes to echo."""
    total = Limit()
    for each in exchanges:
        count = each.characters
        rate = typing_rate(round_trip, echo if each.purpose in SHELLS else 0.0)
        first = min(count, WINDOW)
        up = count + 1
        total += Limit(
            each.round_trips * round_trip,
            (up + count + each.down) / BYTES,
            count / rate,
            each.computing,
            first / rate,
        )
    return total


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a session by the client's clock. ``what``: "ask", "write", "leave" or "sleep"."""

    what: str
    began: float
    ended: float
    commands: tuple[Command, ...] = ()
    computing: float = 0.0


@dataclass(slots=True)
class Watch:
    """What was seen of one session, at the wire's far end and at the client's venue.

    ``gaps``: seconds by which the line held output up, besides the time that its bytes take.
    """

    line: VirtualLine | None = None
    pushes: list[tuple[float, int]] = field(default_factory=list)
    keys: list[tuple[float, int, bool]] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    markers: list[str] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)
    gaps: float = 0.0

    @property
    def now(self) -> float:
        """The client's time."""
        return self.line.now if self.line is not None else 0.0

    def watch(self, line: Line) -> None:
        """Note what leaves the VM from now on."""
        push: Callable[[bytes, float], None] = line._push

        def pushed(data: bytes, now: float) -> None:
            if data:
                self.pushes.append((now, len(data)))
            free = max(line._output_free, now)
            push(data, now)
            if data:
                self.gaps += max(0.0, line._output_free - free - len(data) * 10 / line.knobs.baud)

        line._push = pushed  # type: ignore[method-assign]

    def echo(self) -> float:
        """Mean seconds from a key that reaches a shell whose echo is all sent to the next byte that leaves it."""
        times, at = [], 0
        last = float("-inf")
        for time, byte, shell in self.keys:
            if not shell or byte < 0x20 or time <= last:
                continue
            while at < len(self.pushes) and self.pushes[at][0] < time:
                at += 1
            if at == len(self.pushes):
                break
            last = self.pushes[at][0]
            times.append(last - time)
        return sum(times) / len(times) if times else 0.0

    def exchanges(self, journal: Sequence[dict[str, Any]]) -> list[Exchange]:
        """All of them, in their order, the repeated ones too; ``journal`` is the simulator's own log."""
        arrived = sorted({time for time, _, _ in self.keys})
        found: dict[float, tuple[str, str]] = {}
        for entry in journal:
            at = float(entry["time"])
            if entry["kind"] == "line":
                found[at] = (str(entry["purpose"]), str(entry["text"]))
            elif entry["kind"] in ("header", "mode") and at in arrived:
                what = f"{entry.get('mode', '')} {entry['channel']}"
                found.setdefault(at, ("key", what))
        for number, at in enumerate(self.pages):
            found.setdefault(at, ("key", f"page {number}"))
        starts = sorted(found)
        exchanges = []
        ends = sorted({*arrived, *starts})
        for at in starts:
            purpose, text = found[at]
            if purpose == "password":  # the log says only how long it is
                text = "*" * int(text.strip("<>").split()[0])
            until = next((end for end in ends if end > at), float("inf"))
            free, down = at, 0
            for time, size in self.pushes:
                if at <= time < until:
                    free = max(free, time) + size / BYTES
                    down += size
            exchanges.append(Exchange(at, free, purpose, text, down))
        return exchanges

    def needed(self, exchanges: Iterable[Exchange], round_trip: float) -> list[Exchange]:
        """Those that count: each line once in each question of the playbook, whatever its markers."""
        kept, seen = [], set()
        for each in exchanges:
            sent = each.at - round_trip / 2
            within = next((n for n, span in enumerate(self.spans) if span.began <= sent <= span.ended), -1)
            key = (within, each.purpose, self._without_markers(each.text))
            if key not in seen:
                seen.add(key)
                kept.append(each)
        return kept

    def _without_markers(self, text: str) -> str:
        for marker in self.markers:
            half = len(marker) // 2
            for part in (marker, marker[:half], marker[half:]):
                text = text.replace(part, "#")
        return text


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Watch the session that is played meanwhile: hand ``watch.watch`` its line."""
    key, ask, leave = Sac.key, SerialVenue.ask, SerialVenue.leave
    draw, made, sleep = Markers.draw, VirtualLine.__init__, VirtualLine.sleep

    def watched_key(self: Sac, byte: int, now: float, *, by: str = "client") -> None:
        session = self.channels[self.shown].session if self.mode == "channel" else None
        if session is not None and session.reading == "key":
            watch.pages.append(now)
        watch.keys.append((now, byte, session is not None and session.reading == "command"))
        key(self, byte, now, by=by)

    async def watched_ask(self: SerialVenue, requests: Sequence[Any]) -> Any:
        began = watch.now
        commands = tuple(each.query for each in requests if isinstance(each.query, Command))
        try:
            return await ask(self, requests)
        finally:
            what = "write" if any(command.effect == "write" for command in commands) else "ask"
            watch.spans.append(Span(what, began, watch.now, commands))

    async def watched_leave(self: SerialVenue) -> None:
        began = watch.now
        try:
            await leave(self)
        finally:
            watch.spans.append(Span("leave", began, watch.now))

    def watched_draw(self: Markers, length: int = 8) -> str:
        marker = draw(self, length)
        watch.markers.append(marker)
        return marker

    def watched_line(self: VirtualLine, *args: Any, **named: Any) -> None:
        watch.line = self
        made(self, *args, **named)

    async def watched_sleep(self: VirtualLine, seconds: float) -> None:
        began = self.now
        computing = _by_itself(self.line, began, began + seconds)
        await sleep(self, seconds)
        watch.spans.append(Span("sleep", began, self.now, (), computing))

    with ExitStack() as stack:
        for owner, name, new in (
            (Sac, "key", watched_key),
            (SerialVenue, "ask", watched_ask),
            (SerialVenue, "leave", watched_leave),
            (Markers, "draw", watched_draw),
            (VirtualLine, "__init__", watched_line),
            (VirtualLine, "sleep", watched_sleep),
        ):
            stack.enter_context(patch.object(owner, name, new))
        yield


def _by_itself(line: Line, began: float, ended: float) -> float:
    """Seconds until the last thing that happens in the VM by itself; all of them while a service is on its way."""
    last = began
    while (due := line.vm.due()) is not None and due <= ended:
        line.advance(due)
        last = max(last, due)
    return (ended if line.vm.services.due() is not None else last) - began
