"""How a session is wired: what stands around the engine, without a VM where none is needed."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from serialfix import events, session
from serialfix.approval import Policy
from serialfix.engine import ChangeRecord, Engine
from serialfix.errors import AzureError, Bug, UsageError, VmError
from serialfix.redact import Secrets
from serialfix.session import INTERRUPTED, Interrupt, Record, Result, Settings, policy
from serialfix.steps import Finding
from serialfix.transcript import Writer, read
from tests.standins import Person


class Face:
    """Keeps what is shown; ``login``: what somebody would type."""

    def __init__(self, login: tuple[str, str] | None = None, person: Person | None = None) -> None:
        self.shown: list[events.Event] = []
        self.login = login
        self.person = person
        self.asked: list[tuple[str, str]] = []

    def show(self, event: events.Event) -> None:
        self.shown.append(event)

    async def ask_login(self, vm: str, user: str) -> tuple[str, str] | None:
        self.asked.append((vm, user))
        return self.login


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SERIALFIX_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SERIALFIX_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


# --- what it is asked to do ------------------------------------------------------------------------------------


def test_who_says_yes() -> None:
    person = Person()
    assert policy(Settings("diagnose", yes_to="high"), person) == Policy(never="diagnose")
    assert policy(Settings("repair", yes_to="high", dry_run=True), person) == Policy(never="--dry-run")
    assert policy(Settings("repair", yes_to="low"), person) == Policy(yes_to="low", person=person)
    assert policy(Settings("repair"), None) == Policy()


def test_a_password_never_shows() -> None:
    assert "canary" not in repr(Settings("repair", password="canary"))


def test_the_document_of_a_result() -> None:
    finding = Finding("tls", "fixed", "t", ("e",), "a", "d")
    change = ChangeRecord("tls", "c", "low", "documented", True, True, None)
    result = Result("fixed", 0, "outside", "not tested", "p", (finding,), (change,), "a.cast", 1.5)
    assert result.as_json() == {
        "outcome": "fixed",
        "verified": "outside",
        "sign_in": "not tested",
        "playbook": "p",
        "findings": [{"check": "tls", "status": "fixed", "title": "t", "evidence": ("e",), "advice": "a", "docs": "d"}],
        "changes": [
            {
                "check": "tls",
                "name": "c",
                "risk": "low",
                "proven": "documented",
                "approved": True,
                "done": True,
                "checked": None,
                "temporary": False,
            }
        ],
        "transcript": "a.cast",
        "seconds": 1.5,
    }
    error = UsageError("what", why="why", advice="advice")
    more = Result("error", 2, "no", "not tested", "p", (), (), "", 0.0, error, "the truth").as_json()
    assert more["error"] == {"what": "what", "why": "why", "advice": "advice"}
    assert more["truth"] == "the truth"


# --- what goes wrong around it ---------------------------------------------------------------------------------


def reaching(monkeypatch: pytest.MonkeyPatch, problem: BaseException) -> None:
    """Make the way to the VM end with ``problem``."""

    async def failing(*_: Any, **__: Any) -> Any:
        raise problem

    monkeypatch.setattr(session, "_run", failing)


@pytest.mark.parametrize(
    ("problem", "outcome", "code"),
    [
        (UsageError("no such VM"), "error", 2),
        (AzureError("refused"), "unreachable", 3),
        (VmError("gone"), "unreachable", 3),
    ],
)
async def test_an_error_is_a_result(
    folders: Path, monkeypatch: pytest.MonkeyPatch, problem: Any, outcome: str, code: int
) -> None:
    reaching(monkeypatch, problem)
    face = Face()
    result = await session.run(Settings("diagnose", simulate="x", transcript=folders / "a.cast"), face)
    assert (result.outcome, result.exit_code, result.error) == (outcome, code, problem)
    assert face.shown == [events.Stopped(problem.what)]
    transcript = read(folders / "a.cast")
    assert [record.code for record in transcript.records] == ["e", "x"]
    assert transcript.records[-1].data == str(code)


async def test_a_bug_leaves_a_transcript_that_says_so(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reaching(monkeypatch, Bug("ours"))
    with pytest.raises(Bug):
        await session.run(Settings("diagnose", simulate="x", transcript=folders / "a.cast"), Face())
    assert read(folders / "a.cast").records[-1].data == "70"


async def test_cancelled_by_somebody_else_is_not_taken_for_ctrl_c(
    folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reaching(monkeypatch, asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await session.run(Settings("diagnose", simulate="x", transcript=folders / "a.cast"), Face())
    assert read(folders / "a.cast").records[-1].data == str(INTERRUPTED)


async def test_without_a_record_nothing_is_begun(folders: Path) -> None:
    (folders / "a.cast").write_text("mine")
    face = Face()
    result = await session.run(Settings("repair", simulate="healthy", transcript=folders / "a.cast"), face)
    assert (result.outcome, result.exit_code, result.transcript) == ("error", 2, "")
    assert face.shown == []
    assert (folders / "a.cast").read_text() == "mine"


async def test_a_transcript_gets_a_name_of_its_own(folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reaching(monkeypatch, UsageError("x"))
    paths = {(await session.run(Settings("diagnose", simulate="x"), Face())).transcript for _ in range(3)}
    assert len(paths) == 3
    for path in paths:
        assert Path(path).parent == folders / "state" / "transcripts"
        assert ":" not in Path(path).name


# --- logging in ------------------------------------------------------------------------------------------------


async def login(settings: Settings, face: Face) -> tuple[Any, Secrets]:
    secrets = Secrets()
    return await session._login(settings, face, "vm1", secrets), secrets


async def test_a_given_login_is_not_asked_for() -> None:
    face = Face()
    found, secrets = await login(Settings("repair", user="DOM\\me", password="hunter22"), face)
    assert (found.user, found.domain, found.password) == ("me", "DOM", "hunter22")
    assert face.asked == []
    assert secrets.mask("hunter22") == "••••••••"
    assert "hunter22" not in repr(found)


async def test_what_is_missing_of_a_login_is_asked_for() -> None:
    face = Face(("me", "hunter22"), Person())
    found, secrets = await login(Settings("repair", user="me"), face)
    assert (found.user, found.domain, found.password) == ("me", "", "hunter22")
    assert face.asked == [("vm1", "me")]
    assert secrets.mask("hunter22") != "hunter22"


async def test_a_login_that_is_not_given_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="No login for vm1") as caught:
        await login(Settings("repair"), Face(None, Person()))
    assert "SERIALFIX_PASSWORD" in caught.value.advice


async def test_nobody_to_ask_is_known_before_azure_is_asked(folders: Path) -> None:
    face = Face()
    settings = Settings("repair", resource_group="g", name="vm1", transcript=folders / "a.cast")
    result = await session.run(settings, face)
    assert result.error is not None
    assert (result.exit_code, result.error.what) == (2, "No login for vm1.")
    assert [type(event) for event in face.shown] == [events.Stopped]


# --- Ctrl-C ----------------------------------------------------------------------------------------------------


class Changing:
    """An engine in the middle of a group of changes."""

    changing = True
    stopping = False


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


async def interrupted(engine: Any, presses: int, *, leaving: bool = False) -> tuple[list[str], bool, Interrupt]:
    """What is told, and whether the task was cancelled."""
    told: list[str] = []
    interrupt = Interrupt(told.append)
    interrupt.engine, interrupt.leaving = engine, leaving
    cancelled = False
    with interrupt.caught():
        try:
            for _ in range(presses):
                press()
                await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            interrupt.taken()
            cancelled = True
    return told, cancelled, interrupt


async def test_ctrl_c_cancels_what_waits() -> None:
    told, cancelled, interrupt = await interrupted(None, 1)
    assert (told, cancelled, interrupt.pressed) == ([], True, 1)
    await asyncio.sleep(0)  # the cancellation is forgotten


async def test_ctrl_c_lets_a_group_of_changes_finish() -> None:
    engine = Changing()
    told, cancelled, _ = await interrupted(engine, 1)
    assert engine.stopping
    assert not cancelled
    assert "finished" in told[0]


async def test_a_second_ctrl_c_leaves_now() -> None:
    engine = Changing()
    assert (await interrupted(engine, 2))[1]


async def test_ctrl_c_does_not_stop_the_closing_but_the_second_does() -> None:
    told, cancelled, _ = await interrupted(None, 1, leaving=True)
    assert not cancelled
    assert "Closing" in told[0]
    assert (await interrupted(None, 2, leaving=True))[1]


ENDS = [getattr(signal, name) for name in ("SIGINT", *session.NOW) if hasattr(signal, name)]


async def test_afterwards_signals_are_as_they_were() -> None:
    before = [signal.getsignal(number) for number in ENDS]
    await interrupted(None, 1)
    assert [signal.getsignal(number) for number in ENDS] == before


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("number", ENDS[1:])
@pytest.mark.parametrize("changing", [True, False])
async def test_being_told_to_end_is_like_the_second_ctrl_c(number: int, changing: bool) -> None:
    hung_up: list[bool] = []
    interrupt = Interrupt(lambda _: None, lambda: hung_up.append(True))
    interrupt.engine = Changing() if changing else None  # type: ignore[assignment]
    cancelled = False
    with interrupt.caught():
        try:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0.01)
        except asyncio.CancelledError:
            interrupt.taken()
            cancelled = True
    assert cancelled
    assert interrupt.now
    assert hung_up == [True]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no SIGHUP")
async def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupt(lambda _: None).caught():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_terminal_that_is_gone_does_not_end_the_record(folders: Path) -> None:
    class Gone(Face):
        def show(self, event: events.Event) -> None:
            raise OSError("Input/output error")

    writer = Writer(folders / "a.cast", title="", started=datetime.now(UTC), secrets=Secrets())
    record = Record(writer, Gone(), lambda: 0.0)
    with pytest.raises(OSError, match="Input"):
        record.progress("as long as nobody said that it is gone")
    record.hung_up = True
    record.progress("afterwards")
    writer.close(0, 0.0)
    assert "afterwards" in (folders / "a.cast").read_text()


def test_a_channel_is_on_disk_before_anything_follows(folders: Path) -> None:
    """Also while the line's last byte may be the beginning of a secret, which holds other lines back."""
    writer = Writer(folders / "a.cast", title="", started=datetime.now(UTC), secrets=Secrets(["hunter22"]))
    record = Record(writer, Face(), lambda: 0.0)
    record.output(b"SAC>hunt", 0.0)
    record.emit(events.LoggedIn("Cmd0001", "me"))
    assert "logged in" not in (folders / "a.cast").read_text()
    record.emit(events.ChannelOpened("Cmd0001", "g"))
    assert "channel opened" in (folders / "a.cast").read_text()
    writer.close(0, 0.0)


async def test_a_cancellation_that_is_not_ours_goes_on() -> None:
    with pytest.raises(asyncio.CancelledError):
        Interrupt(lambda _: None).taken()


async def test_in_another_thread_it_is_somebody_elses() -> None:
    async def there() -> bool:
        with Interrupt(lambda _: None).caught():
            return True

    assert await asyncio.to_thread(asyncio.run, there())


# --- the record ------------------------------------------------------------------------------------------------


def test_all_goes_to_the_transcript_and_events_to_the_face(folders: Path) -> None:
    face = Face()
    now = 1.0
    writer = Writer(folders / "a.cast", title="", started=datetime.now(UTC), secrets=Secrets())
    record = Record(writer, face, lambda: now)
    record.emit(events.CheckStarted("tls", "TLS versions"))
    record.progress("working")
    record.output(b"SAC>", 1.5)
    record.keys(b"secret", 1.5, hidden=True)
    record.timer("wake", 2.0)
    record.flush()
    writer.close(0, 2.0)
    assert face.shown == [events.CheckStarted("tls", "TLS versions"), events.Progress("working")]
    codes = [(each.code, each.data) for each in read(folders / "a.cast").records if each.code != "e"]
    assert codes == [("m", "TLS versions"), ("o", "SAC>"), ("i", "••••••"), ("t", "wake"), ("x", "0")]


def test_an_engine_is_told_to_stop_only_by_its_own_flags() -> None:
    engine = Engine(venues={}, approver=Person(), recorder=Record(None, Face(), float), mode="repair")  # type: ignore[arg-type]
    assert (engine.stopping, engine.changing) == (False, False)
