"""Everything that can happen in a session, one frozen type each. Events are shown, recorded and replayed.

They are plain data (msgspec structs): ``transcript.py`` writes them as ``e`` lines, the faces show them, reports read
them. Text in them may come from a VM: whoever shows it makes it safe for a terminal.
"""

from typing import Any, Literal

import msgspec

from serialfix.steps import Finding, Outcome, Risk, Verified


class Event(msgspec.Struct, frozen=True, tag_field="type"):
    """Base of all events; only carries the tag."""


class SessionStarted(Event, frozen=True, tag="session"):
    """First event. ``mode``: what may be changed. ``target``: the VM in words. ``nonce``: seed of the markers."""

    serialfix: str
    mode: Literal["diagnose", "repair"]
    playbook: str
    target: str
    vm: str
    user: str
    nonce: str
    dry_run: bool = False
    checks: tuple[str, ...] = ()


class VmSeen(Event, frozen=True, tag="vm"):
    """What ARM says about the VM."""

    facts: dict[str, Any]


class Connected(Event, frozen=True, tag="connected"):
    """The serial line is open (the token was taken); output follows."""


class Disconnected(Event, frozen=True, tag="disconnected"):
    """The serial line ended. ``ours``: we closed it."""

    code: int
    reason: str
    ours: bool


class Displaced(Event, frozen=True, tag="displaced"):
    """The line was closed as if another user had connected. ``again``: may we connect, which disconnects them?

    ``waited``: seconds that the other one had before it was decided. ``by``: "engineer", or "unattended".
    """

    code: int
    reason: str
    waited: float
    again: bool
    by: str


class ChannelOpened(Event, frozen=True, tag="channel opened"):
    """We created a channel. ``guid``: as its header says; "" until that was seen, and then the event comes again."""

    name: str
    guid: str


class ChannelClosed(Event, frozen=True, tag="channel closed"):
    """A channel of ours is gone: closed by us, or found gone. ``guid``: which one, since names come again."""

    name: str
    guid: str


class LoggedIn(Event, frozen=True, tag="logged in"):
    """Somebody was logged in at a channel of ours; that ends when it is closed."""

    channel: str
    user: str


class FolderMade(Event, frozen=True, tag="folder"):
    """A folder for answers is about to be made on the VM; from here on it may be there."""

    path: str


class FolderRemoved(Event, frozen=True, tag="folder removed"):
    """That folder was seen to be gone."""

    path: str


class LeftChannel(msgspec.Struct, frozen=True):
    """A channel that an earlier session left. ``guid`` "": it was never seen, so it can't be proven to be ours."""

    name: str
    guid: str
    user: str = ""


class LeftChange(msgspec.Struct, frozen=True):
    """A temporary change that an earlier session may have left, and the commands that take it back."""

    name: str
    command: str
    undo: tuple[str, ...]


class LeftEarlier(Event, frozen=True, tag="left earlier"):
    """What earlier sessions on this machine left on this VM, by their own recordings."""

    channels: tuple[LeftChannel, ...]
    folders: tuple[str, ...]
    changes: tuple[LeftChange, ...]


class Progress(Event, frozen=True, tag="progress"):
    """What happens now and what is waited for, in plain words."""

    text: str


class CheckStarted(Event, frozen=True, tag="check"):
    """A named check of the playbook begins."""

    name: str
    title: str


class Asked(Event, frozen=True, tag="asked"):
    """A probe is asked: ``question`` is the command or the look, ``why`` the reason in plain words."""

    probe: str
    title: str
    why: str
    question: str


class Answered(Event, frozen=True, tag="answered"):
    """The answer of a probe as it came; ``text`` is what the parser reads."""

    probe: str
    text: str
    exit_code: int | None
    proof: str
    partial: bool


class Learnt(Event, frozen=True, tag="learnt"):
    """What an answer says, in a few words."""

    probe: str
    text: str


class NotAnswered(Event, frozen=True, tag="not answered"):
    """A probe has no answer; the reason."""

    probe: str
    reason: str


class Noted(Event, frozen=True, tag="note"):
    """Something a playbook wanted to say."""

    text: str


class FindingMade(Event, frozen=True, tag="finding"):
    """A check ended (or its result was seen anew after a repair)."""

    finding: Finding


class ProposedChange(msgspec.Struct, frozen=True):
    """One change as it stands for approval."""

    name: str
    title: str
    why: str
    risk: Risk
    proven: str
    before: str
    after: str
    command: str
    undo: tuple[str, ...]
    no_undo: str
    impact: tuple[str, ...]
    flag: str | None
    temporary: bool = False


class Proposed(Event, frozen=True, tag="proposed"):
    """Changes wait for approval."""

    title: str
    finding: Finding
    changes: tuple[ProposedChange, ...]


class Decided(Event, frozen=True, tag="decided"):
    """The answer to a proposal. ``by``: "engineer", "--yes-to high", "no terminal", "diagnose", "--dry-run"."""

    approved: bool
    by: str
    note: str = ""


class ChangeStarted(Event, frozen=True, tag="change"):
    """Written and flushed to disk before the command is sent: with it the change can be taken back."""

    name: str
    before: str
    command: str
    undo: tuple[str, ...]
    no_undo: str


class ChangeSkipped(Event, frozen=True, tag="change not needed"):
    """Between proposal and change the object came to be as wanted."""

    name: str


class ChangeDone(Event, frozen=True, tag="changed"):
    """The command was sent and came back. ``exit_code`` is told, not trusted: the check decides."""

    name: str
    text: str
    exit_code: int | None


class ChangeChecked(Event, frozen=True, tag="checked"):
    """The object was read again: does the change hold? None: it could not be read."""

    name: str
    holds: bool | None
    now: str


class PutBack(Event, frozen=True, tag="put back"):
    """A change that made room for others that failed, or was needed for its check only, was undone. ``back``: is it?"""

    name: str
    command: str
    back: bool | None


class Chosen(Event, frozen=True, tag="chosen"):
    """What was chosen of a playbook's choices."""

    question: str
    choice: str
    by: str


class Waited(Event, frozen=True, tag="waited"):
    """Time that a playbook let pass, in seconds."""

    seconds: float
    why: str


class Stopped(Event, frozen=True, tag="stopped"):
    """The run ended before its verdict: Ctrl-C, a lost connection, an error."""

    reason: str


class Ended(Event, frozen=True, tag="ended"):
    """The verdict."""

    outcome: Outcome
    verified: Verified
    sign_in: str
    findings: tuple[Finding, ...]


AnyEvent = (
    SessionStarted
    | VmSeen
    | Connected
    | Disconnected
    | Displaced
    | ChannelOpened
    | ChannelClosed
    | LoggedIn
    | FolderMade
    | FolderRemoved
    | LeftEarlier
    | Progress
    | CheckStarted
    | Asked
    | Answered
    | Learnt
    | NotAnswered
    | Noted
    | FindingMade
    | Proposed
    | Decided
    | ChangeStarted
    | ChangeSkipped
    | ChangeDone
    | ChangeChecked
    | PutBack
    | Chosen
    | Waited
    | Stopped
    | Ended
)
