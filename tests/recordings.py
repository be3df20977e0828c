"""Sessions in virtual time, recorded as ``session.run`` records them: for tests of whatever reads a transcript."""

import asyncio
import base64
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serialfix import events
from serialfix.approval import Policy
from serialfix.console.channels import Login
from serialfix.console.dialogue import Send
from serialfix.engine import Engine, Interrupted
from serialfix.errors import ConnectionLost
from serialfix.playbooks import PLAYBOOKS
from serialfix.redact import Secrets
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs
from serialfix.simulator.line import Line
from serialfix.transcript import Record, Transcript, Writer, read
from serialfix.venues.housekeeping import Housekeeping
from serialfix.venues.serial import SerialVenue
from tests.virtual import PortVenue, VirtualLine

YES = Policy(yes_to="high")


class RecordedLine(VirtualLine):
    """A virtual line that writes what a live one writes. ``cancel``: the wait at which somebody presses Ctrl-C.

    ``lose``: the waits at which the connection is lost.
    """

    def __init__(self, line: Line, writer: Writer, cancel: int | None, lose: Sequence[int]) -> None:
        super().__init__(line)
        self._writer = writer
        self._cancel = cancel
        self._lose = lose
        self.waits = 0

    async def open(self) -> None:
        await super().open()
        self._writer.event(events.Connected(), self.now)

    def begin(self) -> float:
        self._writer.timer("start", self.now)
        return super().begin()

    async def send(self, send: Send) -> None:
        self._writer.keys(send.data, self.now, hidden=send.secret is not None)
        await super().send(send)

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        self.waits += 1
        if self.waits == self._cancel:
            raise asyncio.CancelledError
        if self.waits in self._lose:
            self._writer.event(events.Disconnected(1006, "", ours=False), self.now)
            raise ConnectionLost(1006, "")
        now, data = await super().wait(deadline)
        if data is None:
            self._writer.timer("wake", now)
        else:
            self._writer.output(data, now)
        return now, data

    async def close(self) -> None:
        self._writer.event(events.Disconnected(1000, "", ours=True), self.now)


class Recorder:
    """Writes what happens, with the line's time."""

    def __init__(self, writer: Writer, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._clock = clock

    def emit(self, event: events.Event) -> None:
        self._writer.event(event, self._clock())

    def flush(self) -> None:
        self._writer.sync()


def record(
    path: Path,
    faults: Sequence[str],
    *,
    seed: int = 7,
    knobs: Knobs = PRESETS["calm"],
    policy: Policy = YES,
    mode: Any = "repair",
    cancel: int | None = None,
    lose: Sequence[int] = (),
) -> Transcript:
    """Play a session on a simulated VM and record it at ``path``."""
    vm = build(faults, "2022", seed)
    writer = Writer(path, title="a session", started=datetime(2026, 11, 22, tzinfo=UTC), secrets=Secrets([vm.password]))
    line = RecordedLine(Line(vm, knobs, seed, 0.0), writer, cancel, lose)
    recorder = Recorder(writer, lambda: line.now)
    nonce = f"nonce {seed}"

    async def session() -> None:
        recorder.emit(events.SessionStarted("0", mode, "rdp_internal_error", "", vm.name, vm.user, nonce))
        keep = Housekeeping(emit=recorder.emit)
        progress = lambda text: recorder.emit(events.Progress(text))  # noqa: E731
        console = SerialVenue(line, Login(vm.user, "", vm.password), nonce, progress, keep)
        engine = Engine(
            venues={"console": console, "outside": PortVenue(vm)},
            approver=policy,
            recorder=recorder,
            mode=mode,
            sleep=line.sleep,
        )
        try:
            await engine.play(PLAYBOOKS["rdp_internal_error"])
        except (asyncio.CancelledError, Interrupted):
            recorder.emit(events.Stopped("by the engineer"))
            console.abandon()
        await console.leave()

    asyncio.run(session())
    writer.close(0, line.now)
    return read(path)


def altered(transcript: Transcript, change: Callable[[list[Record]], None]) -> Transcript:
    """A transcript with its records changed."""
    records = list(transcript.records)
    change(records)
    return replace(transcript, records=tuple(records))


def output_of(transcript: Transcript) -> bytes:
    """All bytes that came."""
    found, raw = b"", None
    for each in transcript.records:
        if each.code == "b":
            raw = base64.b64decode(each.data)
        elif each.code == "o":
            found, raw = found + (each.data.encode() if raw is None else raw), None
    return found
