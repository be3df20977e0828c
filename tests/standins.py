"""Stand-ins for what the engine talks to: places that answer, people that decide; and toy playbooks for it."""

import asyncio
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serialfix import events
from serialfix.engine import Decision, Engine, Request
from serialfix.steps import (
    Change,
    Check,
    Command,
    Finding,
    NewName,
    NoUndo,
    Output,
    OutsideLook,
    Playbook,
    Probe,
    Query,
    Risk,
    Step,
    Unknown,
    Unreadable,
    Verified,
    look,
)
from tests.virtual import Kept


def number(output: Output) -> int:
    """The toy parser: a whole number, or Unreadable."""
    try:
        return int(output.text)
    except ValueError:
        raise Unreadable(f"not a number: {output.text!r}") from None


def probe(name: str, *, why: str = "") -> Probe[int]:
    return Probe(name, f"the {name}", why, Command("cmd", f"get {name}"), number)


def set_to(
    name: str,
    value: int,
    *,
    risk: Risk = "low",
    settle: float = 0.0,
    impact: tuple[Probe[str], ...] = (),
    flag: str | None = None,
    undo: bool = True,
    put_back: bool = False,
    temporary: bool = False,
    fails: Callable[[int], bool] = lambda _: False,
) -> Change[int]:
    """A change of the object that ``probe(name)`` reads."""

    def check(now: int) -> bool:
        if fails(now):
            raise ZeroDivisionError("a check that crashes")
        return now == value

    return Change(
        name=f"{name}={value}",
        title=f"set {name} to {value}",
        why="a toy",
        risk=risk,
        proven="measured",
        before=probe(name),
        do=Command("cmd", f"set {name} {value}", "write"),
        after=str(value),
        show=str,
        check=check,
        undo=(lambda was: (Command("cmd", f"set {name} {was}", "write"),)) if undo else NoUndo("toys break"),
        impact=impact,
        settle=settle,
        flag=flag,
        put_back=put_back,
        temporary=temporary,
    )


def ok(check: str, *evidence: str) -> Finding:
    return Finding(check, "ok", f"{check} is fine", evidence)


def fault(check: str, *evidence: str) -> Finding:
    return Finding(check, "fault", f"{check} is broken", evidence)


Run = Callable[[], Generator[Step, Any, Finding]]


def check(name: str, run: Run, first: tuple[Probe[Any], ...] = ()) -> Check:
    return Check(name, f"the check {name}", "", first, run)


def always(finding: Finding) -> Run:
    def run() -> Generator[Step, Any, Finding]:
        yield from look(probe("a"))
        return finding

    return run


def playbook(
    *checks: Check, symptom: str = "seen", seen: Sequence[Finding] = (), verified: Verified = "outside"
) -> Playbook:
    """A playbook whose verification ends with the next of ``seen``, or ok."""
    left = list(seen)

    def verify(changed: bool) -> Generator[Step, Any, tuple[tuple[Finding, ...], Verified]]:
        yield from ()
        return ((left.pop(0) if left else ok(symptom, f"changed: {changed}")),), verified

    return Playbook("toy", "a toy", (symptom,), checks, verify)


@dataclass
class World:
    """Numbers that can be read and set, as a venue. ``lose``: what to do with an answer instead of giving it."""

    numbers: dict[str, int] = field(default_factory=dict)
    asked: list[tuple[str, ...]] = field(default_factory=list)
    lose: Callable[[str], Output | Unknown | BaseException | None] = lambda _: None
    before_write: Callable[[str], None] = lambda _: None
    deaf: set[str] = field(default_factory=set)

    async def ask(self, requests: Sequence[Request]) -> Sequence[Output | Unknown]:
        self.asked.append(tuple(text_of(request.query) for request in requests))
        return [self._answer(text_of(request.query)) for request in requests]

    def _answer(self, text: str) -> Output | Unknown:
        verb, name, *value = text.split()
        if verb == "set":
            self.before_write(text)
            if name not in self.deaf:
                self.numbers[name] = int(value[0])
        lost = self.lose(text)
        if isinstance(lost, BaseException):
            raise lost
        if lost is not None:
            return lost
        shown = self.numbers.get(name, "not there") if verb == "get" else ""
        return Output(f"{shown}\n", 0, "screen")

    def count(self, text: str) -> int:
        return sum(asked.count(text) for asked in self.asked)

    @property
    def writes(self) -> list[str]:
        return [text for asked in self.asked for text in asked if text.startswith("set ")]


def text_of(query: Query) -> str:
    match query:
        case OutsideLook():
            return "look outside"
        case NewName():
            return "draw a name"
    return query.text


@dataclass
class Person:
    """Decides as told: ``answers`` in order, then yes."""

    answers: list[Decision] = field(default_factory=list)
    proposals: list[events.Proposed] = field(default_factory=list)
    asked: Callable[[], None] = lambda: None

    async def decide(self, proposal: events.Proposed) -> Decision:
        self.proposals.append(proposal)
        self.asked()
        return self.answers.pop(0) if self.answers else Decision(True, "engineer")

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        return choices[-1], "engineer"


@dataclass
class Play:
    """An engine with everything around it, and the time it let pass."""

    world: World = field(default_factory=World)
    outside: World = field(default_factory=World)
    person: Person = field(default_factory=Person)
    recorder: Kept = field(default_factory=Kept)
    slept: list[float] = field(default_factory=list)
    mode: Any = "repair"
    flags: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        async def sleep(seconds: float) -> None:
            self.slept.append(seconds)

        venues: Mapping[Any, World] = {"console": self.world, "outside": self.outside}
        self.engine = Engine(
            venues=venues,
            approver=self.person,
            recorder=self.recorder,
            mode=self.mode,
            flags=self.flags,
            sleep=sleep,
        )

    def run(self, played: Playbook, only: Sequence[str] = ()) -> str:
        """Play it; the outcome."""
        return asyncio.run(self.engine.play(played, only)).verdict.outcome

    def status(self) -> dict[str, str]:
        return {name: finding.status for name, finding in self.engine.findings.items()}


def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until ``true()``, for a thing that another process does."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to be"
        time.sleep(0.02)
