"""Everything a playbook may say: questions, changes, choices, notes; and what it ends with.

A playbook is a generator. It yields these values and is sent the answers; it never sees a socket, a clock or a
console. The only way to alter a VM is to yield ``Do`` with ``Change`` values: a bare ``Command`` is no step and does
not type-check (docs/architecture.md, "Whatever decides is a generator").
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Shell = Literal["cmd", "powershell"]
Effect = Literal["read", "write"]
Risk = Literal["low", "medium", "high"]
Proven = Literal["documented", "measured", "derived", "common knowledge"]
Status = Literal["ok", "fault", "fixed", "declined", "unknown"]
Outcome = Literal["unreachable", "needs_offline", "faults_left", "unexplained", "declined", "fixed", "healthy"]
Verified = Literal["outside", "inside only", "no"]

RISKS: tuple[Risk, ...] = ("low", "medium", "high")

EXIT_CODES: dict[Outcome, int] = {
    "unreachable": 3,
    "needs_offline": 5,
    "faults_left": 1,
    "unexplained": 1,
    "declined": 4,
    "fixed": 0,
    "healthy": 0,
}


@dataclass(frozen=True, slots=True)
class Command:
    """One line for a shell in the VM. ``effect`` "write" is for Changes only; the engine refuses it in a Probe.

    ``exact``: its letter case matters. Otherwise the case of a read may be changed so that no two neighbouring letters
    are equal, which is what the line damages; a write is always typed as it stands.
    """

    shell: Shell
    text: str
    effect: Effect = "read"
    exact: bool = False


@dataclass(frozen=True, slots=True)
class OutsideLook:
    """One look at the VM's RDP port as a client sees it, from where serialfix runs. Changes nothing.

    ``port``: Remote Desktop's port inside the VM; 0: wherever clients reach it now.
    """

    port: int = 0
    effect: Effect = "read"


@dataclass(frozen=True, slots=True)
class NewName:
    """A name that was never used and can't be guessed, for what a Change makes on the VM for a while.

    Answered from the session's own nonce, so a replay draws the same; nothing is typed.
    """

    purpose: str
    effect: Effect = "read"


Query: TypeAlias = Command | OutsideLook | NewName


@dataclass(frozen=True, slots=True)
class Output:
    """What a question brought back.

    ``text``: lines ended by ``\\n``, without echo, prompt and markers. ``exit_code``: None where there is none.
    ``proof``: "checksum" when the text was proven against the VM, "screen" when it was read off the screen only,
    "direct" when it did not come over the console, "ours" when serialfix made it itself. ``partial``: cut at the
    probe's ``most``.
    """

    text: str
    exit_code: int | None
    proof: Literal["checksum", "screen", "direct", "ours"]
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """Why a question has no answer. Never the same as "not set"."""

    reason: str

    def __str__(self) -> str:
        return self.reason


class Unreadable(ValueError):
    """A parser was given text that it cannot read; the message says what was wrong. Becomes ``Unknown``."""


@dataclass(frozen=True, slots=True)
class Probe(Generic[T_co]):
    """A read-only question: where it goes, how it is asked, the parser of its answer.

    ``parse`` raises ``Unreadable`` and nothing else. ``why``: the question in plain words, for the person watching.
    ``say``: what was learnt, in a few words for the person watching. ``exact``: what is decided or put back by the
    answer needs each of its characters, so one that was read off the screen, without a checksum, is none. ``most``:
    the largest answer in bytes; ``timeout``: seconds for the whole exchange.
    """

    name: str
    title: str
    why: str
    query: Query
    parse: Callable[[Output], T_co]
    say: Callable[[Any], str] = lambda _: ""
    exact: bool = False
    most: int = 64 * 1024
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class NoUndo:
    """A change that can't be taken back, and why; said before approval."""

    why: str


@dataclass(frozen=True, slots=True)
class Change(Generic[T]):
    """One write to one object, the only way to alter anything.

    ``before`` reads the object; its value goes to ``undo`` (the commands that bring it back) and to ``show`` (the
    value in words), is recorded before ``do`` is sent, and is asked anew for the check: ``check(value)`` says whether
    the change holds. ``settle``: seconds the check may take to come true. ``impact``: probes whose answers a person
    should see before saying yes. ``flag``: the command-line flag without which it is never made.
    ``put_back``: it only makes room for the changes behind it, such as a service that is stopped to be started again;
    when one of those fails, it is undone at once. ``temporary``: it is needed only while its check runs, and is undone
    when that ends, however it ends; the approval covers that.
    """

    name: str
    title: str
    why: str
    risk: Risk
    proven: Proven
    before: Probe[T]
    do: Command
    after: str
    show: Callable[[T], str]
    check: Callable[[T], bool]
    undo: Callable[[T], tuple[Command, ...]] | NoUndo
    impact: tuple[Probe[str], ...] = ()
    settle: float = 0.0
    reboot: bool = False
    put_back: bool = False
    temporary: bool = False
    flag: str | None = None
    docs: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check ended with. ``evidence``: sentences with the values they rest on, newest knowledge last."""

    check: str
    status: Status
    title: str
    evidence: tuple[str, ...] = ()
    advice: str = ""
    docs: str = ""


# --- steps: what a playbook yields, and (in the helpers below) what it is sent back -----------------------------


@dataclass(frozen=True, slots=True)
class Look:
    """Ask. Sent back: the parsed value, or ``Unknown``."""

    probe: Probe[Any]
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Ahead:
    """Ask what is going to be looked at, in as few exchanges as the venue can. Sent back: nothing.

    ``fresh``: also what is kept.
    """

    probes: tuple[Probe[Any], ...]
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Do:
    """Propose changes as one approval, then make them one by one. Sent back: ``Done``."""

    title: str
    finding: Finding
    changes: tuple[Change[Any], ...]


@dataclass(frozen=True, slots=True)
class Choose:
    """Let the engineer choose. Sent back: one of ``choices``; ``unattended`` where nobody is there to ask."""

    question: str
    choices: tuple[str, ...]
    unattended: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Let ``seconds`` pass before going on, saying why."""

    seconds: float
    why: str


@dataclass(frozen=True, slots=True)
class Note:
    """Tell the person watching, and the record."""

    text: str


Step: TypeAlias = Look | Ahead | Do | Choose | Note | Wait


@dataclass(frozen=True, slots=True)
class Done:
    """How a ``Do`` ended: "made" (every needed change holds its check), "declined", "failed" (``why`` says at what)."""

    outcome: Literal["made", "declined", "failed"]
    why: str = ""


def look(probe: Probe[T], *, fresh: bool = False) -> Generator[Step, Any, T | Unknown]:
    """Ask a probe; ``fresh`` asks the VM again even when the answer is still kept."""
    answer: T | Unknown = yield Look(probe, fresh)
    return answer


def ahead(*probes: Probe[Any], fresh: bool = False) -> Generator[Step, Any, None]:
    """Have ``probes`` asked together, since the next looks are at them; each exchange costs two round trips.

    ``fresh``: the VM is asked again even for answers that are still kept.
    """
    yield Ahead(probes, fresh)


def do(title: str, finding: Finding, *changes: Change[Any]) -> Generator[Step, Any, Done]:
    """Propose ``changes`` for ``finding``; they are approved together and made in order."""
    done: Done = yield Do(title, finding, changes)
    return done


def choose(question: str, choices: tuple[str, ...], *, unattended: str) -> Generator[Step, Any, str]:
    """Ask the engineer to pick one of ``choices``."""
    choice: str = yield Choose(question, choices, unattended)
    return choice


def note(text: str) -> Generator[Step, Any, None]:
    """Tell something that is neither a finding nor a question."""
    yield Note(text)


def wait(seconds: float, why: str) -> Generator[Step, Any, None]:
    """Let time pass in the VM's world."""
    yield Wait(seconds, why)


def growing(total: float, longest: float, first: float = 0.5) -> Generator[float, None, None]:
    """Pauses between looks at what needs a while: short ones at first, each twice the last, ``total`` in all.

    >>> list(growing(10.0, 3.0))
    [0.5, 1.0, 2.0, 3.0, 3.0, 0.5]
    """
    pause = first
    while total > 0:
        pause = min(pause, longest, total)
        yield pause
        total -= pause
        pause *= 2


@dataclass(frozen=True, slots=True)
class Check:
    """One named part of a playbook: can be explained, run and learnt alone. ``first``: the probes it begins with."""

    name: str
    title: str
    docs: str
    first: tuple[Probe[Any], ...]
    run: Callable[[], Generator[Step, Any, Finding]]


@dataclass(frozen=True, slots=True)
class Playbook:
    """A symptom and the checks for it, in order.

    ``symptoms``: the checks that see the symptom itself, the most trusted first; the others look for its causes.
    ``verify(changed)`` sees it again at the end and gives the findings of those checks that it made anew, and from
    where it was seen; ``changed``: a change was made in this session.
    """

    name: str
    title: str
    symptoms: tuple[str, ...]
    checks: tuple[Check, ...]
    verify: Callable[[bool], Generator[Step, Any, tuple[tuple[Finding, ...], Verified]]]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run ends with. ``sign_in``: whether a logon was tried; serialfix does not try one."""

    outcome: Outcome
    verified: Verified
    sign_in: Literal["tested", "not tested"]
    findings: tuple[Finding, ...]
