"""Plays a recorded session again through console, parsers and playbook, and says where it would go otherwise today.

Nothing of the world is touched: output, timers, answers from outside and decisions come from the record; what we send
and what happens is held against it. This is how every transcript in ``transcripts/`` is a test.
"""

import contextlib
import difflib
from collections import deque

import msgspec

from serialfix import events
from serialfix.console.channels import Login
from serialfix.engine import Decision, Engine
from serialfix.errors import SerialfixError, UsageError
from serialfix.playbooks import PLAYBOOKS
from serialfix.playbooks.left_earlier import clear
from serialfix.transcript import HIDDEN_KEY, Transcript
from serialfix.venues.housekeeping import NOTHING, Housekeeping
from serialfix.venues.replay import Mismatch, ReplayLine, ReplayVenue
from serialfix.venues.serial import SerialVenue

ENGINE_EVENTS = (
    events.CheckStarted,
    events.Asked,
    events.Answered,
    events.Learnt,
    events.NotAnswered,
    events.Noted,
    events.FindingMade,
    events.Proposed,
    events.Decided,
    events.ChangeStarted,
    events.ChangeSkipped,
    events.ChangeDone,
    events.ChangeChecked,
    events.PutBack,
    events.Chosen,
    events.Waited,
    events.Ended,
)
"""What the engine emits. The rest (progress, connections) belongs to the world."""

VENUE_EVENTS = (
    events.ChannelOpened,
    events.ChannelClosed,
    events.LoggedIn,
    events.FolderMade,
    events.FolderRemoved,
)
"""What the console's venue emits. Recordings from before it did hold none, and are not held against it."""


class _Held:
    """A recorder that holds what happens now against what happened then, and a person who decides as then."""

    def __init__(self, transcript: Transcript) -> None:
        self.left: deque[events.Event] = deque()
        self._later: deque[events.Event] = deque()
        stopped = False
        for _, event in transcript.events():
            stopped = stopped or isinstance(event, events.Stopped)
            if isinstance(event, ENGINE_EVENTS + VENUE_EVENTS):
                (self._later if stopped else self.left).append(event)
        self._venue_told = any(isinstance(event, VENUE_EVENTS) for event in (*self.left, *self._later))

    def emit(self, event: events.Event) -> None:
        """Must be what happened next."""
        if isinstance(event, VENUE_EVENTS) and not self._venue_told:
            return
        if not self.left:
            raise Mismatch(f"the record ends, and now this happens:\n{_lines(event)}")
        then = self.left.popleft()
        if event != then:
            difference = "\n".join(
                difflib.unified_diff(_lines(then).splitlines(), _lines(event).splitlines(), "then", "now", lineterm="")
            )
            raise Mismatch(f"something else happens now:\n{difference}")

    def go_on(self) -> None:
        """Go on behind the point where the session was stopped."""
        self.left += self._later
        self._later.clear()

    def flush(self) -> None:
        """There is no disk."""

    async def decide(self, proposal: events.Proposed) -> Decision:
        """As it was decided."""
        match self.left[0] if self.left else None:
            case events.Decided(approved=approved, by=by, note=note):
                return Decision(approved, by, note)
        raise Mismatch(f"now {proposal.title!r} waits for a decision; then, none was made")

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        """As it was chosen."""
        match self.left[0] if self.left else None:
            case events.Chosen(choice=choice, by=by):
                return choice, by
        raise Mismatch(f"now a choice is wanted ({question!r}, {choices}, else {unattended!r}); then, none was")


async def rerun(transcript: Transcript) -> str:
    """Play ``transcript`` again. "" when everything is as it was, else the first difference in words.

    Raises UsageError for a transcript that holds no session of ours.
    """
    session = next((event for _, event in transcript.events() if isinstance(event, events.SessionStarted)), None)
    if session is None or session.playbook not in PLAYBOOKS:
        raise UsageError(
            f"{transcript.path} holds no session that can be played again.",
            why="It was not recorded by serialfix, or was stopped before the session began.",
            advice="serialfix play shows it all the same.",
        )
    ended = any(isinstance(event, events.Ended) for _, event in transcript.events())
    try:
        return await _held_against(transcript, session, cut=not ended)
    except Mismatch as mismatch:
        return str(mismatch)


async def _held_against(transcript: Transcript, session: events.SessionStarted, *, cut: bool) -> str:
    held = _Held(transcript)
    line = ReplayLine(transcript)
    domain, _, user = session.user.rpartition("\\")
    left = next((event for _, event in transcript.events() if isinstance(event, events.LeftEarlier)), NOTHING)
    login = Login(user, domain, _stand_in(transcript))
    keep = Housekeeping(left, held.emit, choose=held.choose)
    console = SerialVenue(line, login, session.nonce, lambda _: None, keep)
    engine = Engine(
        venues={"console": console, "outside": ReplayVenue(transcript)},
        approver=held,
        recorder=held,
        mode="diagnose" if session.dry_run else session.mode,
        sleep=_no_time,
    )
    try:
        first = clear(left.changes) if left.changes else None
        await engine.play(PLAYBOOKS[session.playbook], session.checks, first)
    except Mismatch:
        # A session that was stopped, or whose record was cut, ends in the middle; up to there it must be the same.
        if held.left or (line.rest() and not line.stopped_here()) or not cut:
            raise
        line.go_on()
        console.abandon()
    except SerialfixError as error:
        return f"now it ends with: {error.what}"
    held.go_on()
    try:
        with contextlib.suppress(SerialfixError):  # that it could not be left is said, and changes no verdict
            await console.leave()
    except Mismatch:
        if line.rest() and not line.stopped_here():
            raise
    line.go_on()
    if held.left:
        return f"then, this happened too:\n{_lines(held.left[0])}"
    if rest := line.rest():
        return f"now it is over; then, {rest}"
    return ""


def _stand_in(transcript: Transcript) -> str:
    """A password as long as the recorded one, with no two neighbours equal (those are typed more slowly)."""
    longest = run = 0
    for record in transcript.records:
        if record.code == "i":
            run = run + len(record.data) if set(record.data) == {HIDDEN_KEY} else 0
            longest = max(longest, run)
    return "".join("ab"[number % 2] for number in range(longest))


async def _no_time(_: float) -> None:
    return None


def _lines(event: events.Event) -> str:
    return msgspec.json.format(msgspec.json.encode(event), indent=1).decode()
