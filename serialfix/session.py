"""Wires a playbook, venues, a record and a face together; used by the command line and by the tests.

One path for real and simulated VMs: the simulator is reached through the same clients, only with another endpoint, CA
and credential type. The face shows events and asks; it never touches the VM.
"""

import asyncio
import contextlib
import os
import secrets as tokens
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol

import platformdirs

from serialfix import __version__, events
from serialfix.approval import Policy
from serialfix.console.channels import Login
from serialfix.engine import Approver, ChangeRecord, Engine, Interrupted, Request
from serialfix.errors import Bug, SerialfixError, UsageError
from serialfix.playbooks import PLAYBOOKS
from serialfix.redact import Secrets
from serialfix.steps import EXIT_CODES, Finding, Output, OutsideLook, Risk, Unknown, Verified
from serialfix.transcript import Writer
from serialfix.venues.cloud import CLOUDS, Cloud
from serialfix.venues.line import LiveLine, Transport
from serialfix.venues.serial import SerialVenue
from serialfix.venues.vm_facts import obstacles

INTERRUPTED = 130
BUG = 70
LEAVE_TIMEOUT = 45.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run is asked to do. ``simulate``: "" for real Azure, a URL of a running simulator, or a fault's name.

    ``via``: the words of a command that shows the VM's console, instead of Azure's; it may hold secrets.
    ``rdp_port``: where clients reach RDP from outside (the port inside the VM is read from the VM).
    """

    mode: Literal["diagnose", "repair"]
    playbook: str = "rdp_internal_error"
    checks: tuple[str, ...] = ()
    resource_group: str = ""
    name: str = ""
    subscription: str = ""
    cloud: str = "public"
    simulate: str = ""
    simulator_options: tuple[str, ...] = ()
    via: tuple[str, ...] = field(default=(), repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    yes_to: Risk | None = None
    flags: frozenset[str] = frozenset()
    dry_run: bool = False
    transcript: Path | None = None
    rdp_host: str = ""
    rdp_port: int = 3389
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
    """The record of a running session: everything goes to the transcript and to the face."""

    def __init__(self, writer: Writer, face: Face, clock: Callable[[], float]) -> None:
        self._writer = writer
        self._face = face
        self.clock = clock

    def emit(self, event: events.Event) -> None:
        """Record and show an event."""
        self.event(event, self.clock())

    def event(self, event: events.Event, at: float) -> None:
        """Record and show an event of a known time."""
        if isinstance(event, events.CheckStarted):
            self._writer.marker(event.title, at)
        self._writer.event(event, at)
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


@dataclass(slots=True)
class OutsideVenue:
    """Looks at the RDP port from here. ``host`` None: there is no address that could be looked at.

    ``port``: where clients reach Remote Desktop now. Inside the VM it may be another one; the first that is asked about
    is taken for it. Any other is where it has been moved to in this session: ``elsewhere`` says where clients reach it
    (host and port, None for nowhere); without it, on the same host under its own number.
    """

    host: str | None
    port: int
    elsewhere: Callable[[int], Awaitable[tuple[str, int] | None]] | None = None
    usual: int | None = None

    async def ask(self, requests: Sequence[Request]) -> Sequence[Output | Unknown]:
        """One look for each request."""
        from serialfix.venues.outside import look

        answers: list[Output | Unknown] = []
        for request in requests:
            if not isinstance(request.query, OutsideLook):
                raise Bug(f"this can't be seen from outside: {request.query!r}")
            inside = request.query.port
            self.usual = self.usual or inside or None
            if inside in (0, self.usual):
                answers.append(Output(await look(self.host, self.port), None, "direct"))
            elif self.elsewhere is None:
                answers.append(Output(await look(self.host, inside), None, "direct"))
            elif (reached := await self.elsewhere(inside)) is not None:
                answers.append(Output(await look(*reached), None, "direct"))
            else:
                answers.append(Unknown(f"nobody says where port {inside} of the VM is reached"))
        return answers


def state_folder() -> Path:
    """Where sessions are kept on this machine; ``SERIALFIX_STATE_DIR`` overrides it."""
    chosen = os.environ.get("SERIALFIX_STATE_DIR")
    return Path(chosen) if chosen else platformdirs.user_state_path("serialfix")


@dataclass(frozen=True, slots=True)
class Place:
    """A VM within reach: who logs in, how its line is opened, where it is seen from outside.

    ``truth``: of a simulated VM, what is wrong with it.
    """

    vm: str
    login: Login
    connect: Callable[[], Awaitable[Transport]]
    outside: OutsideVenue
    truth: Callable[[], Awaitable[str]] | None = None


class Interrupt:
    """Ctrl-C. The first: stop at the next safe point, then close what was opened. The second: leave now."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self.engine: Engine | None = None
        self.leaving = False
        self.pressed = 0

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Handle SIGINT here instead of raising KeyboardInterrupt somewhere. Only in the main thread."""
        try:
            before = signal.signal(signal.SIGINT, lambda *_: self._loop.call_soon_threadsafe(self._press))
        except ValueError:  # another thread: whoever runs us there has its own way to stop us
            yield
            return
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)

    def _press(self) -> None:
        self.pressed += 1
        if self.pressed == 1 and self.engine is not None and self.engine.changing:
            self.engine.stopping = True
            self._tell("Stopping when the change under way is finished and checked. Press Ctrl-C again to leave now.")
        elif self.pressed == 1 and self.leaving:
            self._tell("Closing what was opened on the VM. Press Ctrl-C again to leave now.")
        elif self._task is not None:
            self._task.cancel()

    def taken(self) -> None:
        """Forget the cancellation that a press caused. Raises CancelledError where none did."""
        if not self.pressed or self._task is None:
            raise asyncio.CancelledError
        while self._task.cancelling():
            self._task.uncancel()


async def run(settings: Settings, face: Face) -> Result:
    """Run a playbook against a VM, from the first look to the closed channel. Raises nothing that a VM can cause."""
    begun = time.monotonic()

    def clock() -> float:
        return round(time.monotonic() - begun, 6)

    secrets = Secrets([settings.password])
    title = f"serialfix {settings.mode} {_target(settings)}"
    try:
        writer = Writer(settings.transcript or _new_path(), title=title, started=datetime.now(UTC), secrets=secrets)
    except SerialfixError as error:
        return _failed(settings, error, "", clock())
    record = Record(writer, face, clock)
    interrupt = Interrupt(record.progress)
    result = _failed(settings, None, str(writer.path), 0.0)
    try:
        with interrupt.caught():
            try:
                result = await _run(settings, face, record, secrets, interrupt=interrupt, result=result)
            except asyncio.CancelledError:
                interrupt.taken()
                record.emit(events.Stopped("by the engineer"))
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
    reach = _reach_by_program if settings.via else _reach
    async with reach(settings, face, record, secrets) as place:
        nonce = tokens.token_hex(16)
        record.emit(
            events.SessionStarted(
                serialfix=__version__,
                mode=settings.mode,
                playbook=settings.playbook,
                target=_target(settings),
                vm=place.vm,
                user=f"{place.login.domain}\\{place.login.user}" if place.login.domain else place.login.user,
                nonce=nonce,
                dry_run=settings.dry_run,
                checks=settings.checks,
            )
        )
        console = SerialVenue(LiveLine(place.connect, record.clock, record), place.login, nonce, record.progress)
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
            played = await engine.play(PLAYBOOKS[settings.playbook], settings.checks)
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
            left = f"{made} changes were made; the recording holds their undo" if made else "nothing was changed"
            record.emit(events.Stopped(f"by the engineer; {left}"))
            console.abandon()
        except Exception as error:
            record.emit(events.Stopped(f"a bug of serialfix: {error!r}"))
            console.abandon()
            await _leave(console, record)
            raise
        interrupt.engine, interrupt.leaving = None, True
        await _leave(console, record)
        if settings.reveal and place.truth is not None:
            result = replace(result, truth=await place.truth())
        return replace(result, findings=tuple(engine.findings.values()), changes=tuple(engine.changes))


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


@contextlib.asynccontextmanager
async def _reach(settings: Settings, face: Face, record: Record, secrets: Secrets) -> AsyncIterator[Place]:
    """The VM, real or simulated, as ARM knows it. Raises SerialfixError."""
    from serialfix.venues.azure import Azure, SimulatedCredential, real_credential
    from serialfix.venues.child import simulator
    from serialfix.venues.open_serial import open_serial
    from serialfix.venues.simulated import ports, read_announcement, what_is_wrong

    async with contextlib.AsyncExitStack() as stack:
        simulated = None
        if settings.simulate:
            url = settings.simulate
            if not url.startswith("https:"):
                record.progress("Starting a simulated VM on this machine.")
                url = await stack.enter_async_context(
                    simulator(["--fault", settings.simulate, *settings.simulator_options])
                )
            simulated = read_announcement(url)
            secrets.add(simulated.password)
        elif face.person is None and not (settings.user and settings.password):
            raise _no_login(settings.name)  # nobody will be there to ask, so it is said before anything is begun
        record.progress("Asking Azure about the VM.")
        if simulated is not None:
            cloud: Cloud = simulated.cloud
            azure = Azure(cloud, SimulatedCredential(simulated), simulated.subscription)
            group, name = settings.resource_group or simulated.resource_group, settings.name or simulated.vm
        else:
            cloud = CLOUDS[settings.cloud]
            azure = Azure(cloud, real_credential(cloud, settings.subscription), settings.subscription)
            group, name = settings.resource_group, settings.name
        azure = await stack.enter_async_context(azure)
        vm = await azure.vm_facts(group, name)
        record.emit(events.VmSeen(vm.as_dict()))
        if found := obstacles(vm):
            raise found[0]
        login = (
            Login(simulated.user, "", simulated.password)
            if simulated is not None
            else await _login(settings, face, vm.name, secrets)
        )
        host = settings.rdp_host or next(iter(vm.public_addresses), None)
        port = settings.rdp_port if simulated is None else simulated.rdp_port

        async def connect() -> Transport:
            if simulated is None:
                record.progress(
                    "Azure allows one connection to a serial console: anyone else on it is disconnected now."
                )
            return await open_serial(azure, vm, progress=record.progress)

        async def truth() -> str:
            return await what_is_wrong(cloud, await azure.token())

        async def elsewhere(inside: int) -> tuple[str, int] | None:
            return (await ports(cloud, await azure.token())).get(inside)

        outside = OutsideVenue(host, port, elsewhere if simulated is not None else None)
        yield Place(vm.name, login, connect, outside, truth if simulated is not None else None)


@contextlib.asynccontextmanager
async def _reach_by_program(settings: Settings, face: Face, record: Record, secrets: Secrets) -> AsyncIterator[Place]:
    """The VM whose console a program shows; Azure is not asked. Raises SerialfixError."""
    from serialfix.venues.process import Program, name_of

    vm = f"the VM behind {name_of(settings.via)}"
    login = await _login(settings, face, vm, secrets)
    program = Program(settings.via, record.progress)
    try:
        yield Place(vm, login, program.connect, OutsideVenue(settings.rdp_host or None, settings.rdp_port))
    finally:
        await program.close()


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


def _target(settings: Settings) -> str:
    if settings.simulate:
        return "a simulated VM"
    if settings.via:
        from serialfix.venues.process import name_of

        return f"via {name_of(settings.via)}"
    return f"{settings.resource_group}/{settings.name}"


def _new_path() -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return state_folder() / "transcripts" / f"{stamp}-{tokens.token_hex(2)}.cast"
