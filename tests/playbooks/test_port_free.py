"""Freeing the port, in a small world of services and processes: freed for good, or everything runs as before."""

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.playbooks import port_free, port_holder, port_listen
from serialfix.playbooks.port_holder import UNTOUCHABLE, Holder
from serialfix.steps import Ahead, Do, Done, Finding, Look, Step, Unknown, Wait
from serialfix.windows.netstat import Socket
from serialfix.windows.registry import Value
from serialfix.windows.services import Service
from serialfix.windows.tasklist import Process

PORT = 3389
MADE = Done("made")
FAULT = port_listen.finding("fault", "the port is held")


@dataclass
class World:
    """Services by name and their process (0: stopped); ``wants`` says who listens on the port when it starts.

    ``needs``: a service by the one it needs. ``unstoppable``: takes no stop. ``dogs``: started again by another one,
    so many seconds after it was stopped. ``hint``: what netstat names.
    """

    pids: dict[str, int]
    wants: set[str]
    needs: dict[str, str] = field(default_factory=dict)
    unstoppable: set[str] = field(default_factory=set)
    dogs: dict[str, float] = field(default_factory=dict)
    hint: tuple[str, ...] = ()
    says_it_takes_none: bool = True
    done: Done = MADE
    now: float = 0.0
    due: list[tuple[float, str]] = field(default_factory=list)
    on: dict[str, None] = field(default_factory=dict)
    stopped: list[str] = field(default_factory=list)
    next_pid: int = 9000

    def __post_init__(self) -> None:
        self.pids |= {"TermService": 500, "UmRdpService": 504}
        self.needs |= {"UmRdpService": "TermService"}
        self.on |= dict.fromkeys(sorted(self.wants))

    def held(self, pid: int) -> tuple[str, ...]:
        return tuple(sorted(name for name, its in self.pids.items() if its == pid and pid))

    def start(self, name: str) -> None:
        if self.pids[name]:
            return
        self.next_pid += 4
        self.pids[name] = self.next_pid
        # Who comes second goes without; those that were there from the beginning have an address each.
        if not self.on and (name in self.wants or name == "TermService"):
            self.on[name] = None

    def stop(self, name: str) -> bool:
        if name in self.unstoppable or any(self.pids[other] for other, of in self.needs.items() if of == name):
            return False
        self.pids[name] = 0
        self.on.pop(name, None)
        self.stopped.append(name)
        if name in self.dogs:
            self.due.append((self.now + self.dogs[name], name))
        return True

    def later(self, seconds: float) -> None:
        self.now += seconds
        for at, name in list(self.due):
            if at <= self.now:
                self.due.remove((at, name))
                self.start(name)

    def service(self, name: str) -> Service:
        return Service(name, "running" if self.pids[name] else "stopped", self.pids[name])

    def look(self, name: str) -> Any:
        self.later(1.0)
        what, _, of = name.partition(":")
        match what:
            case "termservice":
                return self.service("TermService")
            case "termservice_dependents":
                return (self.service("UmRdpService"),)
            case "service":
                return self.service(of)
            case "dependents":
                return tuple(self.service(other) for other, need in self.needs.items() if need == of)
            case "stoppable":
                return not (of in self.unstoppable and self.says_it_takes_none)
            case "named":
                return self.hint
            case "listening":
                return tuple(Socket("tcp", "0.0.0.0", PORT, "0.0.0.0:0", "", self.pids[name]) for name in self.on)
            case "process":
                held = self.held(int(of))
                return Process("svchost.exe", int(of), held) if held else Unknown("there is no such process")
            case "start type":
                return Value("Start", "REG_DWORD", "0x2", 2)
        return Unknown("not asked here")

    def make(self, step: Do) -> Done:
        if self.done.outcome != "made":
            return self.done
        made: list[str] = []
        for change in step.changes:
            what, _, of = change.name.partition(":")
            if what == "stop" and self.pids[of] and not self.stop(of):
                for name in reversed(made):
                    self.start(name)
                return Done("failed", f"{of} does not stop")
            if what == "stop":
                made.append(of)
            if what == "start":
                self.start(of)
            self.later(2.0)
        return Done("made")

    def play(self, generator: Generator[Step, Any, Any]) -> Any:
        answer: Any = None
        for _ in range(2000):
            try:
                step = generator.send(answer)
            except StopIteration as end:
                return end.value
            match step:
                case Look(probe):
                    answer = self.look(probe.name)
                case Do():
                    answer = self.make(step)
                case Wait(seconds):
                    self.later(seconds)
                    answer = None
                case Ahead():
                    answer = None
                case _:
                    raise AssertionError(f"unexpected {step}")
        raise AssertionError("it goes on for ever")

    def holders(self) -> tuple[Holder, ...]:
        pids = sorted({self.pids[name] for name in self.on})
        return tuple(self.play(port_holder.read(pid, PORT)) for pid in pids)

    def free(self) -> Any:
        return self.play(port_free.free(PORT, self.holders(), FAULT))


def shared(**more: Any) -> World:
    return World({"A": 100, "B": 100, "C": 100}, {"B"}, **more)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    names = draw(st.lists(st.sampled_from(["A", "B", "C", "D"]), min_size=1, max_size=4, unique=True))
    pids = {name: draw(st.sampled_from([100, 104])) for name in names}
    wants = {names[0]} | ({names[1]} if len(names) > 1 and draw(st.booleans()) else set())
    needs = {}
    if draw(st.booleans()):
        pids["Child"] = draw(st.sampled_from([0, 108]))
        needs["Child"] = names[0]
    some = st.sets(st.sampled_from(names), max_size=2)
    dogs = {name: draw(st.floats(1.0, 100.0)) for name in draw(some)}
    hint = tuple(draw(st.lists(st.sampled_from([*names, "Nobody"]), max_size=1)))
    return World(pids, wants, needs, draw(some), dogs, hint, draw(st.booleans()))


@given(worlds())
def test_freed_for_good_or_all_runs_as_before(world: World) -> None:
    ran = {name for name, pid in world.pids.items() if pid}
    result = world.free()
    world.later(200.0)  # whatever comes back comes back
    now = {name for name, pid in world.pids.items() if pid}
    assert {"TermService", "UmRdpService"} <= now
    if isinstance(result, Finding):
        assert result.status == "ok"
        assert "TermService" in world.on
        away = ran - now
        assert away <= set(world.stopped)
        assert all(name in " ".join(result.evidence) for name in away), "what does not run any more is said"
    else:
        assert result
        assert ran <= now, "stopped in vain, and not started again"


@given(worlds())
def test_only_services_of_the_holders_and_what_needs_them_are_stopped(world: World) -> None:
    held = {name for holder in world.holders() for name in holder.process.services or ()}
    may = held | {child for child, of in world.needs.items() if of in held} | {"TermService", "UmRdpService"}
    world.free()
    assert set(world.stopped) <= may
    assert not {name.lower() for name in world.stopped} & UNTOUCHABLE


@pytest.mark.parametrize("hint", ["A", "B", "C"])
def test_the_named_one_is_tried_first_and_others_after_it(hint: str) -> None:
    world = shared(hint=(hint,))
    assert isinstance(world.free(), Finding)
    tried = [name for name in world.stopped if name in "ABC"]
    assert tried == list(dict.fromkeys([hint, "A", "B"]))[: tried.index("B") + 1]
    assert world.pids["A"]
    assert world.pids["C"]
    assert not world.pids["B"]


def test_both_of_two_processes_are_freed() -> None:
    world = World({"A": 100, "B": 104}, {"A", "B"})
    assert isinstance(world.free(), Finding)
    assert not world.pids["A"]
    assert not world.pids["B"]


def test_where_one_of_two_stays_the_other_runs_again() -> None:
    world = World({"A": 100, "B": 104}, {"A", "B"}, unstoppable={"B"})
    assert "B takes no stop" in world.free()
    assert world.pids["A"]


@pytest.mark.parametrize("seconds", [1.0, 30.0])
def test_a_watchdog_is_told_from_another_service(seconds: float) -> None:
    world = World({"A": 100}, {"A"}, dogs={"A": seconds})
    result = world.free()
    if seconds < 2:
        assert "A" in world.on
        assert "something started it again" in result or "does not stop" in result
    else:  # Remote Desktop was first; that somebody else is running again is said
        assert isinstance(result, Finding)
        assert any("A runs again" in line for line in result.evidence)


def test_a_holder_that_is_another_one_by_now_is_not_stopped() -> None:
    world = shared()
    holders = world.holders()
    world.pids |= {"A": 200, "B": 200, "C": 200}
    assert "not what held port 3389 any more" in world.play(port_free.free(PORT, holders, FAULT))
    world = shared()
    holders = world.holders()
    world.pids["D"] = 100
    assert "with other services than before" in world.play(port_free.free(PORT, holders, FAULT))
    world = shared(hint=("C",))
    holders = world.holders()
    world.pids["C"] = 0
    assert "C is not in process 100" in world.play(port_free.free(PORT, holders, FAULT))
    assert world.stopped == []


@pytest.mark.parametrize(
    ("done", "status"), [(Done("declined"), "declined"), (Done("failed", port_listen.NOT_ASKED_FOR), "fault")]
)
def test_a_no_and_a_diagnosis_end_it(done: Done, status: str) -> None:
    world = shared(done=done)
    result = world.free()
    assert isinstance(result, Finding)
    assert result.status == status
    assert world.stopped == []
