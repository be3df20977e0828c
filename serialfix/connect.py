"""The console by hand: a way to the VM, a line over it, a person or a pipe at its end, and a record of what was shown.

By hand the echo is recorded, not the keys: what somebody types at a password prompt, or into a program that shows
nothing of it, is written down nowhere. So there are no ``i`` lines in such a transcript.
"""

import asyncio
import contextlib
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from serialfix import events
from serialfix.errors import ConnectionLost, SerialfixError, UsageError
from serialfix.reach import Place, Where, in_words, reach
from serialfix.redact import Secrets
from serialfix.transcript import Writer, new_path
from serialfix.tui.keys import ESCAPE
from serialfix.venues.line import LiveLine
from serialfix.venues.neighbour import looks_like_second_user

INTERRUPTED, HUNG_UP, TERMINATED = 130, 129, 143
BUG = 70

Tell = Callable[[events.Event], None]
Outcome = Literal["left", "interrupted", "lost", "unreachable", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish(Where):
    """What is asked for. ``escape``: the name of the key for the menu. ``raw``: control sequences are passed through.

    ``wait``: seconds of silence after the end of piped input that end it. ``password``: only to mask it in the record.
    """

    escape: str = ESCAPE
    raw: bool = False
    wait: float = 5.0
    transcript: Path | None = None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended: left by who was there, interrupted, the line lost for good, or an error before there was one."""

    outcome: Outcome
    exit_code: int
    vm: str
    connections: int
    transcript: str
    seconds: float
    error: SerialfixError | None = None

    def as_json(self) -> dict[str, Any]:
        """The document of ``--output json``."""
        document: dict[str, Any] = {
            "outcome": self.outcome,
            "vm": self.vm,
            "connections": self.connections,
            "transcript": self.transcript,
            "seconds": self.seconds,
        }
        if self.error is not None:
            document["error"] = {"what": self.error.what, "why": self.error.why, "advice": self.error.advice}
        return document


class Log:
    """The record of a console by hand: what came and what happened, but no key.

    ``tell`` shows events to the person; whoever takes over the terminal takes over that, too.
    """

    def __init__(self, writer: Writer, clock: Callable[[], float], tell: Tell) -> None:
        self._writer = writer
        self.clock = clock
        self.tell = tell
        self.vm = ""
        self.connections = 0

    def output(self, data: bytes, at: float) -> None:
        """Bytes that came."""
        self._writer.output(data, at)

    def keys(self, data: bytes, at: float, *, hidden: bool) -> None:
        """Keys that were sent: not written. Nobody knows which of them are a password."""

    def timer(self, what: str, at: float) -> None:
        """A timer fired: nothing depends on it here."""

    def event(self, event: events.Event, at: float) -> None:
        """Something happened."""
        self.connections += isinstance(event, events.Connected)
        self._writer.event(event, at)
        self.tell(event)

    def emit(self, event: events.Event) -> None:
        """Something happened now."""
        self.event(event, self.clock())

    def progress(self, text: str) -> None:
        """What happens now."""
        self.emit(events.Progress(text))


class Hand(Protocol):
    """Who works on the line: a person at a terminal, or a pipe."""

    async def work(self, place: Place, line: LiveLine, log: Log) -> None:
        """From the open line to the end. Returns when it is left; raises SerialfixError."""


class AtTerminal:
    """A person at a terminal."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish

    async def work(self, place: Place, line: LiveLine, log: Log) -> None:
        """Keys to the VM, its screen drawn."""
        from serialfix.tui.desk import Desk

        # A simulated VM's password is no secret from who simulates it; the record masks it all the same.
        login = place.login
        hint = f"This VM is simulated: log in as {login.user}, password: {login.password}" if login is not None else ""
        desk = Desk(place.vm, escape=self._wish.escape, raw=self._wish.raw, asks_first=asks_first, hint=hint)
        before, log.tell = log.tell, desk.told
        try:
            await desk.work(line)
        finally:
            log.tell = before


class InPipe:
    """Lines in, lines out; ``show`` prints one."""

    def __init__(self, wish: Wish, show: Callable[[str], None]) -> None:
        self._wish = wish
        self._show = show

    async def work(self, place: Place, line: LiveLine, log: Log) -> None:
        """Type what is piped, print what comes."""
        from serialfix.tui.piped import Piped

        await Piped(self._show, log.clock, wait=self._wish.wait).work(line)


async def run(wish: Wish, hand: Hand, tell: Tell) -> Result:
    """Connect, let ``hand`` work, and leave. Raises nothing that a VM, Azure or a signal can cause."""
    begun = time.monotonic()

    def clock() -> float:
        return round(time.monotonic() - begun, 6)

    secrets = Secrets([wish.password])
    name = in_words(wish)
    try:
        path = wish.transcript or new_path()
        writer = Writer(path, title=f"serialfix connect {name}", started=datetime.now(UTC), secrets=secrets)
    except SerialfixError as error:
        return Result("error", error.exit_code, name, 0, "", clock(), error)
    log = Log(writer, clock, tell)
    outcome: Outcome = "error"
    code = BUG
    failed: SerialfixError | None = None
    try:
        async with _until_signal() as stopped:
            work: asyncio.Future[None] = asyncio.create_task(_work(wish, hand, log, secrets))
            await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work
        outcome, code = ("left", 0) if not stopped.done() else ("interrupted", stopped.result())
    except UsageError as error:
        outcome, code, failed = "error", error.exit_code, error
    except SerialfixError as error:
        outcome, code, failed = "lost" if log.connections else "unreachable", error.exit_code, error
    finally:
        with contextlib.suppress(OSError):
            if failed is not None or outcome == "interrupted":
                writer.event(events.Stopped(failed.what if failed is not None else "by a signal"), clock())
            writer.close(code, clock())
    return Result(outcome, code, log.vm or name, log.connections, str(writer.path), round(clock(), 3), failed)


async def _work(wish: Wish, hand: Hand, log: Log, secrets: Secrets) -> None:
    async with reach(wish, log, secrets) as place:
        log.vm = place.vm
        if wish.simulate:  # as on a real console, where it is said on the way
            log.progress("A serial console has one connection: anyone else on it is disconnected now.")
        line = LiveLine(place.connect, log.clock, log)
        try:
            await line.open()
            await hand.work(place, line, log)
        finally:
            await line.close()


def asks_first(problem: SerialfixError) -> str:
    """Why a loss is not answered by connecting again: somebody else may be there, or somebody wanted the end; or ""."""
    if isinstance(problem, ConnectionLost) and "ended with exit status 0" in problem.reason:
        return "It ended by itself."
    theirs = (
        looks_like_second_user(problem)
        if isinstance(problem, ConnectionLost)
        else "another connection" in problem.what.lower()  # an attempt that failed
    )
    return "Somebody else may be on this console now." if theirs else ""


@contextlib.asynccontextmanager
async def _until_signal() -> AsyncIterator["asyncio.Future[int]"]:
    """Done, with the exit code, when we are told to end. A signal never ends us between two lines of code."""
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[int] = loop.create_future()

    def stop(code: int) -> None:
        if not stopped.done():
            stopped.set_result(code)

    with contextlib.ExitStack() as stack:
        for name, code in (("SIGINT", INTERRUPTED), ("SIGTERM", TERMINATED), ("SIGHUP", HUNG_UP)):
            if (number := getattr(signal, name, None)) is not None:
                stack.enter_context(_handled(number, loop, stop, code))
        yield stopped


@contextlib.contextmanager
def _handled(
    number: signal.Signals, loop: asyncio.AbstractEventLoop, stop: Callable[[int], None], code: int
) -> Iterator[None]:
    try:
        before = signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop, code))
    except ValueError:  # another thread: whoever runs us there has its own way to stop us
        yield
        return
    try:
        yield
    finally:
        signal.signal(number, before)
