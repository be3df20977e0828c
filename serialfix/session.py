"""Wires a playbook, venues, a record and a face together; used by the command line and by the tests.

How the VM is reached is up to ``reach.py``. The face shows events and asks; it never touches the VM.
"""

import asyncio
import contextlib
import secrets as tokens
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from serialfix import __version__, events
from serialfix.approval import Policy
from serialfix.console.channels import Login
from serialfix.engine import Approver, ChangeRecord, Engine, Interrupted
from serialfix.errors import SerialfixError, UsageError
from serialfix.leftovers import identity, left_on, recorded_here
from serialfix.playbooks import PLAYBOOKS
from serialfix.playbooks.left_earlier import clear
from serialfix.reach import Where, in_words, reach
from serialfix.redact import Secrets
from serialfix.steps import EXIT_CODES, Finding, Risk, Verified
from serialfix.transcript import Writer, new_path, state_folder
from serialfix.underway import underway
from serialfix.venues.housekeeping import NOTHING, Housekeeping, nobody
from serialfix.venues.line import LiveLine
from serialfix.venues.neighbour import Neighbour
from serialfix.venues.serial import SerialVenue

INTERRUPTED = 130
BUG = 70
LEAVE_TIMEOUT = 45.0

MADE = (events.ChannelOpened, events.FolderMade)
"""What is on disk before anything follows it."""

NOW = ("SIGTERM", "SIGHUP", "SIGBREAK")
"""Signals, where the system has them, that mean what a second Ctrl-C does."""


@dataclass(frozen=True, slots=True)
class Settings(Where):
    """What a run is asked to do, and where."""

    mode: Literal["diagnose", "repair"]
    playbook: str = "rdp_internal_error"
    checks: tuple[str, ...] = ()
    user: str = ""
    password: str = field(default="", repr=False)
    yes_to: Risk | None = None
    flags: frozenset[str] = frozenset()
    dry_run: bool = False
    transcript: Path | None = None
    reveal: bool = False


class Face(Protocol):
    """Shows what happens, and asks."""

    @property
    def person(self) -> Approver | None:
        """Who can be asked; None: nobody."""

    def show(self, event: events.Event) -> None:
        """Something happened."""

    async def ask_login(self, vm: str, user: str) -> tuple[str, str] | None:
        """User name and password for the VM, or None when nobody can be asked."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended. ``outcome`` as in the design, or "interrupted", or "error" for what kept it from starting."""

    outcome: str
    exit_code: int
    verified: Verified
    sign_in: str
    playbook: str
    findings: tuple[Finding, ...]
    changes: tuple[ChangeRecord, ...]
    transcript: str
    seconds: float
    error: SerialfixError | None = None
    truth: str = ""

    def as_json(self) -> dict[str, Any]:
        """The document of ``--output json``."""
        document: dict[str, Any] = {
            "outcome": self.outcome,
            "verified": self.verified,
            "sign_in": self.sign_in,
            "playbook": self.playbook,
            "findings": [asdict(finding) for finding in self.findings],
            "changes": [asdict(change) for change in self.changes],
            "transcript": self.transcript,
            "seconds": self.seconds,
        }
        if self.error is not None:
            document["error"] = {"what": self.error.what, "why": self.error.why, "advice": self.error.advice}
        if self.truth:
            document["truth"] = self.truth
        return document


class Record:
    """The record of a running session: everything goes to the transcript and to the face.

    ``facts``: what ARM said of the VM, None where it was not asked. ``hung_up``: the terminal is gone; what can't be
    shown there any more is recorded all the same.
    """

    def __init__(self, writer: Writer, face: Face, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._face = face
        self.clock = clock
        self.facts: dict[str, Any] | None = None
        self.hung_up = False

    @property
    def path(self) -> Path:
        """Where it is written."""
        return self._writer.path

    def emit(self, event: events.Event) -> None:
        """Record and show an event."""
        self.event(event, self.clock())

    def event(self, event: events.Event, at: float) -> None:
        """Record and show an event of a known time."""
        if isinstance(event, events.CheckStarted):
            self._writer.marker(event.title, at)
        if isinstance(event, events.VmSeen):
            self.facts = event.facts
        self._writer.event(event, at)
        if isinstance(event, MADE):
            self._writer.sync()  # with it, a later session can take away what this one leaves when it is killed
        with contextlib.suppress(OSError) if self.hung_up else contextlib.nullcontext():
            self._face.show(event)

    def output(self, data: bytes, at: float) -> None:
        """Bytes that came."""
        self._writer.output(data, at)

    def keys(self, data: bytes, at: float, *, hidden: bool) -> None:
        """Keys that were sent."""
        self._writer.keys(data, at, hidden=hidden)

    def timer(self, what: str, at: float) -> None:
        """A conversation began, or a timer fired."""
        self._writer.timer(what, at)

    def progress(self, text: str) -> None:
        """Say what happens now."""
        self.emit(events.Progress(text))

    def flush(self) -> None:
        """Return when everything so far is on disk."""
        self._writer.sync()


class Interrupt:
    """Ctrl-C. The first: stop at the next safe point, then close what was opened. The second: leave now.

    The end of the terminal and being told to end are like the second: nobody waits for us any more.
    """

    def __init__(self, tell: Callable[[str], None], hang_up: Callable[[], None] = lambda: None) -> None:
        self._tell = tell
        self._hang_up = hang_up
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self.engine: Engine | None = None
        self.console: SerialVenue | None = None
        self.leaving = False
        self.pressed = 0
        self.now = False

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Handle signals here instead of raising KeyboardInterrupt somewhere. Only in the main thread."""
        before = {}
        try:
            for number, act in ((signal.SIGINT, self._press), *((each, self._leave_now) for each in _signals())):
                handler = self._handler(act)
                before[number] = signal.signal(number, handler)
        except ValueError:  # another thread: whoever runs us there has its own way to stop us
            yield
            return
        try:
            yield
        finally:
            for number, handler_before in before.items():
                signal.signal(number, handler_before)

    def _handler(self, act: Callable[[], None]) -> Callable[..., object]:
        return lambda *_: self._loop.call_soon_threadsafe(act)

    def _press(self) -> None:
        self.pressed += 1
        self.now = self.now or self.pressed > 1
        if self.pressed == 1 and self.engine is not None and self.engine.changing:
            self.engine.stopping = True
            self._tell("Stopping when the change under way is finished and checked. Press Ctrl-C again to leave now.")
        elif self.pressed == 1 and self.leaving:
            self._tell("Closing what was opened on the VM. Press Ctrl-C again to leave now.")
        elif self._task is not None:
            self._task.cancel()

    def _leave_now(self) -> None:
        self._hang_up()
        self.pressed = max(self.pressed, 1)
        self._press()

    def taken(self) -> None:
        """Forget the cancellation that a press caused. Raises CancelledError where none did."""
        if not self.pressed or self._task is None:
            raise asyncio.CancelledError
        while self._task.cancelling():
            self._task.uncancel()

    def left(self) -> str:
        """What is left on the VM, as the end of a sentence; empty when nothing is known to be."""
        left = self.console.left if self.console is not None else ()
        return f"; left on the VM, and taken away by the next run on this machine: {', '.join(left)}" if left else ""


def _signals() -> list[signal.Signals]:
    """Those of ``NOW`` that this system has and that are not ignored (nohup ignores SIGHUP)."""
    found = [getattr(signal, name) for name in NOW if hasattr(signal, name)]
    return [number for number in found if signal.getsignal(number) is not signal.SIG_IGN]


async def run(settings: Settings, face: Face) -> Result:
    """Run a playbook against a VM, from the first look to the closed channel. Raises nothing that a VM can cause."""
    begun = time.monotonic()

    def clock() -> float:
        return round(time.monotonic() - begun, 6)

    secrets = Secrets([settings.password])
    title = f"serialfix {settings.mode} {in_words(settings)}"
    try:
        writer = Writer(settings.transcript or new_path(), title=title, started=datetime.now(UTC), secrets=secrets)
    except SerialfixError as error:
        return _failed(settings, error, "", clock())
    record = Record(writer, face, clock)
    interrupt = Interrupt(record.progress, lambda: setattr(record, "hung_up", True))
    result = _failed(settings, None, str(writer.path), 0.0)
    try:
        with interrupt.caught(), underway(state_folder() / "transcripts", writer.path):
            try:
                result = await _run(settings, face, record, secrets, interrupt=interrupt, result=result)
            except asyncio.CancelledError:
                interrupt.taken()
                record.emit(events.Stopped(f"by the engineer{interrupt.left()}"))
            except SerialfixError as error:
                record.emit(events.Stopped(error.what))
                result = _failed(settings, error, str(writer.path), 0.0)
            except Exception:
                result = replace(result, outcome="error", exit_code=BUG)
                raise
    finally:
        result = replace(result, seconds=round(clock(), 3))
        writer.close(result.exit_code, clock())
    return result


async def _run(
    settings: Settings, face: Face, record: Record, secrets: Secrets, *, interrupt: Interrupt, result: Result
) -> Result:
    if not settings.simulate and not settings.via and face.person is None and not (settings.user and settings.password):
        raise _no_login(settings.name)  # nobody will be there to ask, so it is said before anything is begun
    async with reach(settings, record, secrets) as place:
        login = place.login or await _login(settings, face, place.vm, secrets)
        nonce = tokens.token_hex(16)
        record.emit(
            events.SessionStarted(
                serialfix=__version__,
                mode=settings.mode,
                playbook=settings.playbook,
                target=in_words(settings),
                vm=place.vm,
                user=f"{login.domain}\\{login.user}" if login.domain else login.user,
                nonce=nonce,
                dry_run=settings.dry_run,
                checks=settings.checks,
            )
        )
        left = await _left_earlier(settings, record)
        person = face.person if settings.yes_to is None else None
        neighbour = Neighbour(place.vm, person, emit=record.emit, progress=record.progress)
        line = LiveLine(place.connect, record.clock, record, neighbour.may_reconnect)
        choose = person.choose if person is not None else nobody
        keep = Housekeeping(left, record.emit, record.progress, choose)
        console = interrupt.console = SerialVenue(line, login, nonce, record.progress, keep)
        engine = Engine(
            venues={"console": console, "outside": place.outside},
            approver=policy(settings, face.person),
            recorder=record,
            # A dry run is a diagnosis that shows its proposals: nobody refuses anything.
            mode="diagnose" if settings.dry_run else settings.mode,
            flags=settings.flags,
        )
        interrupt.engine = engine
        try:
            first = clear(left.changes) if left.changes else None
            played = await engine.play(PLAYBOOKS[settings.playbook], settings.checks, first)
            result = replace(
                result,
                outcome=played.verdict.outcome,
                exit_code=EXIT_CODES[played.verdict.outcome],
                verified=played.verdict.verified,
                sign_in=played.verdict.sign_in,
            )
        except (asyncio.CancelledError, Interrupted) as stop:
            if isinstance(stop, asyncio.CancelledError):
                interrupt.taken()
            made = sum(change.done for change in engine.changes)
            told = f"{made} changes were made; the recording holds their undo" if made else "nothing was changed"
            record.emit(events.Stopped(f"by the engineer; {told}{interrupt.left() if interrupt.now else ''}"))
            console.abandon()
        except Exception as error:
            record.emit(events.Stopped(f"a bug of serialfix: {error!r}"))
            console.abandon()
            await _leave(console, record)
            raise
        interrupt.engine, interrupt.leaving = None, True
        if interrupt.now:
            await line.close()
        else:
            await _leave(console, record)
        if settings.reveal and place.truth is not None:
            result = replace(result, truth=await place.truth())
        return replace(result, findings=tuple(engine.findings.values()), changes=tuple(engine.changes))


async def _left_earlier(settings: Settings, record: Record) -> events.LeftEarlier:
    """What earlier sessions of this machine left on this VM; shown and recorded where there is anything."""
    sessions, notes = await asyncio.to_thread(recorded_here, state_folder() / "transcripts", record.path, time.time())
    left = left_on(identity(record.facts, in_words(settings)), sessions)
    for note in notes:
        record.progress(note)
    if left != NOTHING:
        record.emit(left)
    return left


async def _leave(console: SerialVenue, record: Record) -> None:
    """Leave the console as it was found. A failure is said; the verdict stands."""
    try:
        async with asyncio.timeout(LEAVE_TIMEOUT):
            await console.leave()
    except TimeoutError:
        record.progress(f"The console did not answer within {LEAVE_TIMEOUT:.0f} s; our channel there may be left open.")
    except SerialfixError as error:
        record.progress(f"{error.what} {error.advice}")


def policy(settings: Settings, person: Approver | None) -> Policy:
    """Who says yes in this run."""
    if settings.mode == "diagnose":
        return Policy(never="diagnose")
    if settings.dry_run:
        return Policy(never="--dry-run")
    return Policy(yes_to=settings.yes_to, person=person)


async def _login(settings: Settings, face: Face, vm: str, secrets: Secrets) -> Login:
    user, password = settings.user, settings.password
    if not user or not password:
        asked = await face.ask_login(vm, user)
        if asked is None:
            raise _no_login(vm)
        user, password = asked
    secrets.add(password)
    domain, _, account = user.rpartition("\\")
    return Login(account, domain, password)


def _no_login(vm: str) -> UsageError:
    return UsageError(
        f"No login for {vm}.",
        why="A command prompt on the serial console asks for a user name and a password of the VM.",
        advice="Give the user with --user and the password in the environment variable SERIALFIX_PASSWORD, "
        "or run it in a terminal to be asked.",
    )


def _failed(settings: Settings, error: SerialfixError | None, transcript: str, seconds: float) -> Result:
    """The result of a run that did not come to a verdict: because of ``error``, or (None) interrupted."""
    outcome, code = "interrupted", INTERRUPTED
    if isinstance(error, UsageError):
        outcome, code = "error", error.exit_code
    elif error is not None:
        outcome, code = "unreachable", error.exit_code
    return Result(outcome, code, "no", "not tested", settings.playbook, (), (), transcript, seconds, error)
