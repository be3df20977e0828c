"""Transport, clock, answers and decisions out of a transcript: a session played again, without the world.

Replay is driven by the order of the record, never by a clock. What we would send now is held against what was sent
then, key by key; the first difference ends the replay with a ``Mismatch`` that shows both.
"""

import base64
import binascii
from collections import deque
from collections.abc import Sequence

from serialfix import events
from serialfix.console.dialogue import Send
from serialfix.errors import ConnectionLost, VmError
from serialfix.steps import Output, Unknown
from serialfix.transcript import HIDDEN_KEY, Record, Transcript, read_event
from serialfix.venues.neighbour import left_to_them

ROUNDING = 2e-6
"""Seconds by which the time of a record may be off."""


class Mismatch(BaseException):
    """What we do now differs from the record.

    No Exception: the engine makes a finding of a check that crashes, and here it is not the check that is wrong.
    """


class ReplayLine:
    """The serial line of a transcript."""

    def __init__(self, transcript: Transcript) -> None:
        self._records = deque(_line_records(transcript))
        self._now = 0.0
        self._refused: VmError | None = None

    def begin(self) -> float:
        """A conversation begins where one began."""
        self._take("t", "a conversation to begin", "start")
        return self._now

    async def open(self) -> None:
        """The line was opened here, or was left to somebody else: then raises VmError, from then on always."""
        if self._refused is not None:
            raise self._refused
        while self._records and self._records[0][0] == "displaced":
            _, event, self._now = self._records.popleft()
            if isinstance(event, events.Displaced) and not event.again:
                self._refused = left_to_them(event.code, event.reason)
                raise self._refused
        self._take("connected", "the line to be opened")

    async def send(self, send: Send) -> None:
        """The same keys were sent here; of a secret, as many."""
        text = send.data.decode("utf-8", "replace")
        wanted = HIDDEN_KEY * len(text) if send.secret else text
        self._take("i", f"the keys {wanted!r}", wanted)

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        """What came here: output, or a timer."""
        code, data, at = self._next("output or a timer")
        if code == "o":
            self._records.popleft()
            self._now = at
            return at, data if isinstance(data, bytes) else b""
        if code == "t" and data == "wake":
            self._records.popleft()
            self._now = at
            # A record has microseconds; a deadline that the timer reached must not be missed by less than one.
            return (deadline if deadline is not None and at < deadline <= at + ROUNDING else at), None
        if code == "lost" and isinstance(data, events.Disconnected):
            self._records.popleft()
            raise ConnectionLost(data.code, data.reason)
        due = "nothing" if deadline is None else f"a timer at {deadline:.3f} s"
        raise Mismatch(f"at {self._now:.3f} s we wait for output or {due}; then, {_shown(code, data)}")

    async def close(self) -> None:
        """The line was closed here; output that nobody waited for comes first."""
        while self._records and self._records[0][0] in ("o", "lost"):
            self._records.popleft()
        if self._records:
            self._take("closed", "the line to be closed")

    def stopped_here(self) -> bool:
        """Whether the session was stopped at this point: by the engineer, or by an error."""
        return bool(self._records) and self._records[0][0] == "stopped"

    def go_on(self) -> None:
        """Go on behind the point where the session was stopped: it is left from there."""
        while self.stopped_here():
            self._records.popleft()

    def rest(self) -> str:
        """What the record still holds that was not played, in words; empty when all was."""
        return _shown(*self._records[0][:2]) if self._records else ""

    def _next(self, what: str) -> tuple[str, object, float]:
        if not self._records:
            raise Mismatch(f"at {self._now:.3f} s we expect {what}; the record ends")
        return self._records[0]

    def _take(self, code: str, what: str, wanted: str | None = None) -> None:
        found, data, at = self._next(what)
        if found == "lost" and code == "i" and isinstance(data, events.Disconnected):
            self._records.popleft()
            raise ConnectionLost(data.code, data.reason)
        if found != code or (wanted is not None and data != wanted):
            raise Mismatch(f"after {self._now:.3f} s we expect {what}; then, {_shown(found, data)}")
        self._records.popleft()
        self._now = at


class ReplayVenue:
    """The answers of a place other than the console, in the order in which they were given."""

    def __init__(self, transcript: Transcript) -> None:
        outside = {
            event.probe
            for _, event in transcript.events()
            if isinstance(event, events.Answered) and event.proof == "direct"
        }
        self._answers: deque[Output | Unknown] = deque()
        asked: deque[str] = deque()
        for _, event in transcript.events():
            if isinstance(event, events.Asked) and event.probe in outside:
                asked.append(event.probe)
            elif isinstance(event, events.Answered) and event.probe in outside:
                self._answers.append(Output(event.text, event.exit_code, "direct", event.partial))
                if event.probe in asked:
                    asked.remove(event.probe)
            elif isinstance(event, events.NotAnswered) and event.probe in asked:
                self._answers.append(Unknown(event.reason))
                asked.remove(event.probe)

    async def ask(self, requests: Sequence[object]) -> Sequence[Output | Unknown]:
        """The next answers. Raises Mismatch when there are no more."""
        if len(requests) > len(self._answers):
            raise Mismatch("we look from outside once more than the record does")
        return [self._answers.popleft() for _ in requests]


def _line_records(transcript: Transcript) -> list[tuple[str, object, float]]:
    """What belongs to the line: (code, data, seconds)."""
    found: list[tuple[str, object, float]] = []
    raw: bytes | None = None
    for number, record in enumerate(transcript.records, start=2):
        at = record.at / 1_000_000
        match record.code:
            case "b":
                raw = _raw(record, f"{transcript.path}, line {number}")
            case "o":
                found.append(("o", record.data.encode("utf-8", "replace") if raw is None else raw, at))
                raw = None
            case "i" | "t":
                found.append((record.code, record.data, at))
            case "e":
                event = read_event(record.data, f"{transcript.path}, line {number}")
                if isinstance(event, events.Connected):
                    found.append(("connected", "", at))
                elif isinstance(event, events.Disconnected):
                    found.append(("closed" if event.ours else "lost", event, at))
                elif isinstance(event, events.Displaced):
                    found.append(("displaced", event, at))
                elif isinstance(event, events.Stopped):
                    found.append(("stopped", "", at))
    return found


def _raw(record: Record, where: str) -> bytes:
    try:
        return base64.b64decode(record.data, validate=True)
    except binascii.Error:
        raise Mismatch(f"{where}: not base64") from None


def _shown(code: str, data: object) -> str:
    match code:
        case "o":
            return f"output came: {data!r:.120}"
        case "i":
            return f"we sent {data!r}"
        case "t":
            return "a timer fired" if data == "wake" else "a conversation began"
        case "lost":
            return "the line was lost"
        case "closed":
            return "we closed the line"
        case "connected":
            return "the line was opened"
        case "displaced":
            return "somebody else was on the console"
        case "stopped":
            return "the session was stopped"
    return code
