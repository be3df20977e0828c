"""The loop over steps, by toy playbooks and stand-in venues: what is asked, approved, recorded, made and concluded."""

import asyncio
from collections.abc import Callable, Generator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix import events
from serialfix.engine import CHECK_EVERY, CHECK_FIRST, Decision, Interrupted, judge
from serialfix.errors import Bug, ConnectionLost, VmError
from serialfix.steps import (
    EXIT_CODES,
    Command,
    Do,
    Done,
    Finding,
    Outcome,
    Output,
    OutsideLook,
    Probe,
    Status,
    Step,
    Unknown,
    ahead,
    choose,
    do,
    look,
    note,
    wait,
)
from tests.standins import Person, Play, World, always, check, fault, number, ok, playbook, probe, set_to

Steps = Generator[Step, Any, Finding]


def repairing(*changes: Any, told: list[Done] | None = None) -> Any:
    """A check that finds ``a`` is not 1 and makes ``changes`` (usually a=1)."""

    def run() -> Steps:
        value = yield from look(probe("a"))
        if value == 1:
            return ok("a")
        done = yield from do("repair a", fault("a", f"a is {value}"), *changes)
        if told is not None:
            told.append(done)
        if done.outcome == "declined":
            return Finding("a", "declined", "a is broken")
        if done.outcome == "failed":
            return fault("a", done.why)
        value = yield from look(probe("a"), fresh=True)
        return ok("a") if value == 1 else fault("a", f"still {value}")

    return run


# --- asking ----------------------------------------------------------------------------------------------------


def test_an_answer_is_kept() -> None:
    def run() -> Steps:
        first = yield from look(probe("a"))
        again = yield from look(probe("a"))
        other_name = yield from look(Probe("b", "b", "", probe("a").query, lambda output: output.text))
        return ok("a", f"{first} {again} {other_name!r}")

    play = Play(World({"a": 5}))
    play.run(playbook(check("a", run)))
    assert play.world.asked == [("get a",)]
    assert play.engine.findings["a"].evidence == ("5 5 '5\\n'",)
    assert [event.probe for event in play.recorder.of(events.Asked)] == ["a"]


def test_fresh_asks_again() -> None:
    def run() -> Steps:
        yield from look(probe("a"))
        play.world.numbers["a"] = 6
        old = yield from look(probe("a"))
        new = yield from look(probe("a"), fresh=True)
        return ok("a", f"{old} {new}")

    play = Play(World({"a": 5}))
    play.run(playbook(check("a", run)))
    assert play.engine.findings["a"].evidence == ("5 6",)


def test_the_first_probes_of_the_chosen_checks_go_together() -> None:
    def run(name: str) -> Any:
        def check_it() -> Steps:
            value = yield from look(probe(name))
            return ok(name, str(value))

        return check_it

    outside: Probe[int] = Probe("out", "out", "", OutsideLook(), number)
    checks = [check(name, run(name), (probe(name),)) for name in "abc"]
    checks.append(check("out", always(ok("out")), (outside,)))
    play = Play(World({"a": 1, "b": 2, "c": 3}))
    play.run(playbook(*checks))
    assert play.world.asked == [("get a", "get b", "get c")]
    assert play.outside.asked == []  # another place: nobody looked there yet
    only = Play(World({"a": 1, "b": 2, "c": 3}))
    only.run(playbook(*checks), only=["b", "c"])
    assert only.world.asked == [("get b", "get c")]
    assert list(only.engine.findings) == ["b", "c"]


def test_what_is_going_to_be_looked_at_comes_in_one_ask_and_anew_only_where_that_is_wanted() -> None:
    def run() -> Steps:
        yield from look(probe("a"))
        yield from ahead(probe("a"), probe("b"), probe("c"))  # a is kept
        play.world.numbers["b"] = 8
        old = yield from look(probe("b"))
        yield from ahead(probe("a"), probe("b"), fresh=True)
        new = yield from look(probe("b"))
        return ok("a", f"{old} {new}")

    play = Play(World({"a": 1, "b": 2, "c": 3}))
    play.run(playbook(check("a", run)))
    assert play.world.asked == [("get a",), ("get b", "get c"), ("get a", "get b")]
    assert play.engine.findings["a"].evidence == ("2 8",)


def test_a_change_empties_the_store() -> None:
    def second() -> Steps:
        value = yield from look(probe("b"))
        return ok("b", str(value))

    play = Play(World({"a": 0, "b": 7}))
    play.person.asked = lambda: play.world.numbers.update(b=8)
    play.run(playbook(check("a", repairing(set_to("a", 1)), (probe("a"), probe("b"))), check("b", second)))
    assert play.engine.findings["b"].evidence == ("8",)


@pytest.mark.parametrize("answer", [Unknown("the line was lost"), Output("junk\n", 0, "screen")])
def test_unknown_is_never_not_set(answer: Output | Unknown) -> None:
    seen: list[Any] = []

    def run() -> Steps:
        value = yield from look(probe("a"))
        seen.append(value)
        return ok("a")

    play = Play(World({"a": 5}, lose=lambda _: answer))
    play.run(playbook(check("a", run)))
    (value,) = seen
    assert isinstance(value, Unknown)
    assert value.reason
    assert play.recorder.of(events.NotAnswered)[0].reason == value.reason


def test_a_probe_that_would_write_is_refused() -> None:
    bad: Probe[int] = Probe("bad", "bad", "", Command("cmd", "set a 5", "write"), number)

    def run() -> Steps:
        yield from look(bad)
        return ok("a")

    play = Play()
    with pytest.raises(Bug, match="would change something"):
        play.run(playbook(check("a", run)))
    assert play.world.asked == []


def test_what_is_no_step_is_a_bug() -> None:
    def run() -> Generator[Any, Any, Finding]:
        yield Command("cmd", "set a 5", "write")
        return ok("a")

    play = Play()
    with pytest.raises(Bug, match="no step"):
        play.run(playbook(check("a", run)))
    assert play.world.asked == []


def test_notes_waits_and_choices() -> None:
    def run() -> Steps:
        yield from note("a note")
        yield from wait(3.5, "it needs a moment")
        choice = yield from choose("which?", ("x", "y"), unattended="x")
        return ok("a", choice)

    play = Play()
    play.run(playbook(check("a", run)))
    assert play.slept == [3.5]
    kinds = (events.Noted, events.Waited, events.Chosen)
    assert [event for event in play.recorder.happened if isinstance(event, kinds)] == [
        events.Noted("a note"),
        events.Waited(3.5, "it needs a moment"),
        events.Chosen("which?", "y", "engineer"),
    ]
    assert play.engine.findings["a"].evidence == ("y",)


# --- what goes wrong -------------------------------------------------------------------------------------------


def test_a_check_that_crashes_is_a_finding_and_the_others_go_on() -> None:
    def run() -> Steps:
        yield from look(probe("a"))
        raise ZeroDivisionError("oops")

    play = Play(World({"a": 5}))
    assert play.run(playbook(check("a", run), check("b", always(ok("b"))))) == "faults_left"
    assert play.status() == {"a": "unknown", "b": "ok", "seen": "ok"}
    assert "bug of serialfix" in play.engine.findings["a"].evidence[0]


def test_a_verification_that_crashes_is_a_finding() -> None:
    def verify(changed: bool) -> Any:
        yield from note("")
        raise ZeroDivisionError("oops")

    book = playbook(check("a", always(ok("a"))))
    play = Play(World({"a": 5}))
    assert play.run(type(book)(book.name, book.title, book.symptoms, book.checks, verify)) == "faults_left"
    assert play.status() == {"a": "ok", "seen": "unknown"}


@pytest.mark.parametrize("error", [VmError("the console is gone", advice="try later"), ConnectionLost(1006, "")])
def test_a_lost_place_ends_it_and_leaves_no_check_without_a_finding(error: VmError) -> None:
    play = Play(World({"a": 5}, lose=lambda _: error))
    assert play.run(playbook(*(check(name, always(ok(name))) for name in "abc"))) == "unreachable"
    assert play.status() == {"a": "unknown", "b": "unknown", "c": "unknown"}
    assert len(play.world.asked) == 1
    assert play.engine.findings["c"].evidence == (error.what,)
    (ended,) = play.recorder.of(events.Ended)
    assert (ended.outcome, ended.verified) == ("unreachable", "no")


def test_a_place_lost_while_verifying_is_unreachable() -> None:
    def verify(changed: bool) -> Any:
        yield from look(probe("late"))

    book = playbook(check("a", always(ok("a"))))
    play = Play(World({"a": 5}, lose=lambda text: ConnectionLost(1006, "") if text == "get late" else None))
    assert play.run(type(book)(book.name, book.title, book.symptoms, book.checks, verify)) == "unreachable"
    assert play.status() == {"a": "ok", "seen": "unknown"}
    assert len(play.recorder.of(events.Ended)) == 1


# --- changing --------------------------------------------------------------------------------------------------


def test_before_then_approval_then_the_record_on_disk_then_the_command_then_the_check() -> None:
    play = Play(World({"a": 0}))
    at_write: list[tuple[int, bool]] = []

    def before_write(_: str) -> None:
        happened = play.recorder.happened
        at_write.append((len(happened), play.recorder.flushed[-1:] == [len(happened)]))
        assert isinstance(happened[-1], events.ChangeStarted)

    play.world.before_write = before_write
    assert play.run(playbook(check("a", repairing(set_to("a", 1))), seen=[ok("seen")])) == "fixed"
    assert [flushed for _, flushed in at_write] == [True]
    of_change = [
        event for event in play.recorder.happened if not isinstance(event, events.Answered | events.CheckStarted)
    ]
    names = [type(event).__name__ for event in of_change]
    assert names == [
        "Asked",
        "Proposed",
        "Decided",
        "Asked",
        "ChangeStarted",
        "ChangeDone",
        "Asked",
        "ChangeChecked",
        "Asked",
        "FindingMade",
        "FindingMade",
        "Ended",
    ]
    (started,) = play.recorder.of(events.ChangeStarted)
    assert started == events.ChangeStarted("a=1", "0", "set a 1", ("set a 0",), "")
    assert play.recorder.of(events.ChangeChecked) == [events.ChangeChecked("a=1", True, "1")]
    (record,) = play.engine.changes
    assert (record.check, record.name, record.approved, record.done, record.checked) == ("a", "a=1", True, True, True)


def test_the_proposal_holds_what_somebody_must_know() -> None:
    impact: Probe[str] = Probe("who", "who is there", "", Command("cmd", "get who"), lambda output: output.text.strip())
    lost: Probe[str] = Probe("x", "what else", "", Command("cmd", "get x"), lambda output: output.text)
    play = Play(World({"a": 3, "who": 7}, lose=lambda text: Unknown("no answer") if text == "get x" else None))
    changes = (set_to("a", 1, risk="high", impact=(impact, lost)), set_to("b", 2, undo=False))
    play.world.numbers["b"] = 0
    play.run(playbook(check("a", repairing(*changes))))
    (proposal,) = play.person.proposals
    first, second = proposal.changes
    assert (first.risk, first.before, first.after, first.command) == ("high", "3", "1", "set a 1")
    assert first.undo == ("set a 3",)
    assert first.impact == ("7", "what else: could not be read (no answer)")
    assert (second.undo, second.no_undo) == ((), "toys break")
    assert proposal.finding.evidence == ("a is 3",)


def test_refused_changes_nothing() -> None:
    told: list[Done] = []
    play = Play(World({"a": 0}), person=Person([Decision(False, "engineer", "not now")]))
    book = playbook(check("a", repairing(set_to("a", 1), told=told)), check("b", always(ok("b"))), seen=[fault("seen")])
    assert play.run(book) == "declined"
    assert told == [Done("declined")]
    assert play.world.writes == []
    assert play.recorder.of(events.ChangeStarted) == []
    assert play.recorder.of(events.Decided) == [events.Decided(False, "engineer", "not now")]
    assert play.status() == {"a": "declined", "b": "ok", "seen": "fault"}
    (record,) = play.engine.changes
    assert (record.approved, record.done, record.checked) == (False, False, None)


def test_diagnose_goes_on_after_no_and_is_never_declined() -> None:
    told: list[Done] = []
    person = Person([Decision(False, "diagnose"), Decision(False, "diagnose")])
    play = Play(World({"a": 0, "b": 0}), person=person, mode="diagnose")
    repair = repairing(set_to("a", 1), told=told)
    with_flag = repairing(set_to("a", 1, flag="--yes-really"), told=told)
    book = playbook(check("a", repair), check("f", with_flag), check("b", always(ok("b"))), seen=[fault("seen")])
    assert play.run(book) == "faults_left"
    assert [done.outcome for done in told] == ["failed", "failed"]
    assert len(person.proposals) == 2
    assert play.world.writes == []
    assert play.status()["b"] == "ok"


def test_what_came_to_be_meanwhile_is_skipped() -> None:
    play = Play(World({"a": 0, "b": 0}))
    play.person.asked = lambda: play.world.numbers.update(a=1)
    told: list[Done] = []
    play.run(playbook(check("a", repairing(set_to("a", 1), set_to("b", 1), told=told))))
    assert told == [Done("made")]
    assert play.world.writes == ["set b 1"]
    assert play.recorder.of(events.ChangeSkipped) == [events.ChangeSkipped("a=1")]
    assert [(record.name, record.done, record.checked) for record in play.engine.changes] == [
        ("a=1", False, True),
        ("b=1", True, True),
    ]


def test_a_change_that_does_not_hold_ends_its_group() -> None:
    play = Play(World({"a": 0, "b": 0}, deaf={"a"}))
    told: list[Done] = []
    book = playbook(check("a", repairing(set_to("a", 1), set_to("b", 1), told=told)), seen=[fault("seen")])
    assert play.run(book) == "faults_left"
    assert told == [Done("failed", "set a to 1: afterwards it was 0")]
    assert play.world.writes == ["set a 1"]
    assert [(record.name, record.approved, record.done, record.checked) for record in play.engine.changes] == [
        ("a=1", True, False, False),
        ("b=1", True, False, None),
    ]


@pytest.mark.parametrize("where", ["propose", "make"])
def test_what_cannot_be_read_before_is_not_changed(where: str) -> None:
    play = Play(World({"a": 0, "b": 0}))

    def gone() -> None:
        play.world.lose = lambda text: Unknown("no answer") if text == "get b" else None

    if where == "propose":
        gone()
    play.person.asked = gone
    told: list[Done] = []
    assert play.run(playbook(check("a", repairing(set_to("b", 1), told=told)), seen=[fault("seen")])) == "faults_left"
    assert told == [Done("failed", "set b to 1: what is there now could not be read (no answer)")] or (
        told[0].why.endswith("what is there now could not be read (no answer)")
    )
    assert len(play.person.proposals) == (1 if where == "make" else 0)
    assert play.world.writes == []


@pytest.mark.parametrize("made", [True, False])
def test_a_lost_answer_is_decided_by_the_check_and_the_command_never_sent_again(made: bool) -> None:
    lost = Unknown("the console was lost after the command was entered")
    play = Play(World({"a": 0}, lose=lambda text: lost if text == "set a 1" else None, deaf=set() if made else {"a"}))
    outcome = play.run(playbook(check("a", repairing(set_to("a", 1, settle=20.0))), seen=[ok("seen")]))
    assert outcome == ("fixed" if made else "faults_left")
    assert play.world.writes == ["set a 1"]
    assert play.recorder.of(events.ChangeDone) == [events.ChangeDone("a=1", lost.reason, None)]
    (record,) = play.engine.changes
    assert (record.done, record.checked) == (made, made)


def test_a_change_whose_check_cannot_be_read_is_unknown_and_not_called_undone() -> None:
    play = Play(World({"a": 0}))
    play.world.before_write = lambda _: setattr(play.world, "lose", lambda _: Unknown("dead line"))
    assert play.run(playbook(check("a", repairing(set_to("a", 1))), seen=[fault("seen")])) == "faults_left"
    assert play.recorder.of(events.ChangeChecked) == [events.ChangeChecked("a=1", None, "dead line")]
    (record,) = play.engine.changes
    assert (record.approved, record.done, record.checked) == (True, True, None)


def test_a_line_lost_for_good_in_between_leaves_the_change_on_record() -> None:
    play = Play(World({"a": 0}))
    play.world.before_write = lambda _: setattr(play.world, "lose", lambda _: ConnectionLost(1006, ""))
    assert play.run(playbook(check("a", repairing(set_to("a", 1))))) == "unreachable"
    assert play.world.writes == ["set a 1"]
    (record,) = play.engine.changes
    assert (record.approved, record.done, record.checked) == (True, True, None)


def test_a_check_that_crashes_after_the_command_leaves_the_change_on_record() -> None:
    play = Play(World({"a": 0}))
    crashing = set_to("a", 1, fails=lambda now: now == 1)
    assert play.run(playbook(check("a", repairing(crashing)))) == "faults_left"
    assert play.world.writes == ["set a 1"]
    assert [(record.name, record.done, record.checked) for record in play.engine.changes] == [("a=1", True, None)]


def test_a_change_is_given_time_to_come_true() -> None:
    play = Play(World({"a": 0}, deaf={"a"}))
    looks = 0

    def slow(text: str) -> None:
        nonlocal looks
        if text == "get a" and play.world.writes:
            looks += 1
            if looks == 4:
                play.world.numbers["a"] = 1

    play.world.lose = slow
    assert play.run(playbook(check("a", repairing(set_to("a", 1, settle=60.0))), seen=[ok("seen")])) == "fixed"
    assert play.slept == [CHECK_FIRST, 2 * CHECK_FIRST, 4 * CHECK_FIRST]
    never = Play(World({"a": 0}, deaf={"a"}))
    never.run(playbook(check("a", repairing(set_to("a", 1, settle=10.0)))))
    assert sum(never.slept) == 10.0
    assert max(never.slept) == CHECK_EVERY


def test_a_change_its_check_and_the_look_at_the_next_object_go_in_one_ask() -> None:
    play = Play(World({"a": 0, "b": 0, "c": 0}))
    changes = (set_to("a", 1), set_to("b", 1), set_to("c", 1))
    assert play.run(playbook(check("a", repairing(*changes)), seen=[ok("seen")])) == "fixed"
    assert play.world.asked == [
        ("get a",),
        ("get b", "get c"),  # for the proposal
        ("get a", "get b", "get c"),  # deciding takes time
        ("set a 1", "get a", "get b"),
        ("set b 1", "get b", "get c"),
        ("set c 1", "get c"),
        ("get a",),  # the check looks afresh
    ]


def test_the_next_object_is_looked_at_once_where_it_is_the_same() -> None:
    play = Play(World({"a": 0}))
    twice = (set_to("a", 2), set_to("a", 1))
    play.run(playbook(check("a", repairing(*twice))))
    sent = [asked for asked in play.world.asked if asked[0].startswith("set")]
    assert sent == [("set a 2", "get a"), ("set a 1", "get a")]


def test_the_before_values_of_a_proposal_come_in_one_ask() -> None:
    play = Play(World({"a": 0, "b": 4, "who": 7}), person=Person([Decision(False, "engineer")]))
    impact: Probe[str] = Probe("who", "who", "", Command("cmd", "get who"), lambda output: output.text.strip())
    play.run(playbook(check("x", repairing(set_to("b", 1, impact=(impact,)), set_to("a", 1)))))
    assert play.world.asked == [("get a",), ("get b", "get who")]  # what is kept is not asked again
    other = Play(World({"a": 0, "b": 4, "c": 5}), person=Person([Decision(False, "engineer")]))
    other.run(playbook(check("x", repairing(set_to("c", 1), set_to("b", 1)))))
    assert other.world.asked == [("get a",), ("get c", "get b")]


def test_while_a_change_settles_what_was_looked_at_along_the_way_grows_old() -> None:
    """The next object may have become something else in that time, and its before-value is what undo goes back to."""
    play = Play(World({"a": 0, "b": 0}, deaf={"a"}))

    def meanwhile(text: str) -> None:
        if len(play.slept) == 2:
            play.world.numbers.update(a=1, b=5)

    play.world.lose = meanwhile
    play.run(playbook(check("a", repairing(set_to("a", 1, settle=60.0), set_to("b", 1)))))
    first, second = play.recorder.of(events.ChangeStarted)
    assert (first.before, second.before) == ("0", "5")
    assert second.undo == ("set b 5",)
    sends = [asked for asked in play.world.asked if asked[0].startswith("set")]
    assert sends == [("set a 1", "get a", "get b"), ("set b 1", "get b")]


def test_a_flag_is_needed_besides() -> None:
    told: list[Done] = []
    book = playbook(check("a", repairing(set_to("a", 1, flag="--reset"), told=told)), seen=[fault("seen"), ok("seen")])
    without = Play(World({"a": 0}))
    assert without.run(book) == "declined"
    assert told == [Done("declined", "needs --reset")]
    assert without.person.proposals == []
    assert without.world.writes == []
    assert Play(World({"a": 0}), flags=frozenset({"--reset"})).run(book) == "fixed"


def test_fixed_is_derived_also_for_the_symptom() -> None:
    def see() -> Steps:
        value = yield from look(probe("a"))
        return ok("seen") if value == 1 else fault("seen")

    play = Play(World({"a": 0}))
    assert play.run(playbook(check("seen", see), check("a", repairing(set_to("a", 1))))) == "fixed"
    assert play.status() == {"seen": "fixed", "a": "fixed"}
    healthy = Play(World({"a": 1}))
    assert healthy.run(playbook(check("seen", see), check("a", repairing(set_to("a", 1))))) == "healthy"
    assert healthy.status() == {"seen": "ok", "a": "ok"}


# --- stopping --------------------------------------------------------------------------------------------------


def test_it_stops_between_groups_of_changes_only() -> None:
    play = Play(World({"a": 0, "b": 0, "c": 0}))

    def press(text: str) -> None:
        if text == "set a 1":
            assert play.engine.changing
            play.engine.stopping = True

    play.world.before_write = press
    group = (set_to("a", 1), set_to("b", 1))
    book = playbook(check("a", repairing(*group)), check("c", repairing(set_to("c", 1))))
    with pytest.raises(Interrupted):
        play.run(book)
    assert play.world.numbers == {"a": 1, "b": 1, "c": 0}
    assert not play.engine.changing
    assert [record.checked for record in play.engine.changes] == [True, True]
    assert play.recorder.of(events.Ended) == []


def test_quit_at_the_question_stops_with_nothing_made() -> None:
    play = Play(World({"a": 0}), person=Person([Decision(False, "engineer", "quit", quit=True)]))
    with pytest.raises(Interrupted):
        play.run(playbook(check("a", repairing(set_to("a", 1)))))
    assert play.world.writes == []
    assert play.recorder.of(events.Decided) == [events.Decided(False, "engineer", "quit")]


def test_the_check_is_closed_when_the_run_is_cancelled() -> None:
    closed: list[str] = []

    def run() -> Steps:
        try:
            yield from wait(1.0, "")
        finally:
            closed.append("a")
        return ok("a")

    async def cancelled() -> None:
        play = Play()
        play.engine._sleep = asyncio.sleep
        task = asyncio.create_task(play.engine.play(playbook(check("a", run))))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert closed == ["a"]


# --- what is taken back in the same session --------------------------------------------------------------------


def helped(then: Callable[[], Steps], *, undo: bool = True) -> Steps:
    """A check that needs ``a`` to be 1 and ``b`` to be 2 for a while."""
    yield from do("help", fault("x"), set_to("a", 1, temporary=True, undo=undo), set_to("b", 2, temporary=True))
    return (yield from then())


def raised() -> Steps:
    yield from look(probe("a"))
    raise ZeroDivisionError("oops")


@pytest.mark.parametrize("then", [always(ok("x")), raised])
def test_temporary_changes_are_undone_last_first_when_their_check_ends_however_it_ends(then: Any) -> None:
    after: list[Any] = []

    def next_check() -> Steps:
        after.append((yield from look(probe("a"))))
        return ok("y")

    play = Play(World({"a": 5, "b": 6}))
    play.run(playbook(check("x", lambda: helped(then)), check("y", next_check)))
    assert play.world.writes == ["set a 1", "set b 2", "set b 6", "set a 5"]
    assert after == [5]
    assert play.recorder.of(events.PutBack) == [
        events.PutBack("b=2", "set b 6", True),
        events.PutBack("a=1", "set a 5", True),
    ]
    (proposed,) = play.recorder.of(events.Proposed)
    assert all(change.temporary for change in proposed.changes)


def test_a_temporary_change_repairs_nothing() -> None:
    changed: list[bool] = []
    play = Play(World({"a": 5, "b": 6}))
    book = playbook(check("x", lambda: helped(always(ok("x")))))

    def verify(made: bool) -> Any:
        changed.append(made)
        return (yield from book.verify(made))

    assert play.run(type(book)(book.name, book.title, book.symptoms, book.checks, verify)) == "healthy"
    assert changed == [False]
    assert play.status()["x"] == "ok"
    assert [(record.done, record.temporary, record.repairs) for record in play.engine.changes] == 2 * [
        (True, True, False)
    ]


def test_a_temporary_change_that_cannot_be_undone_stays_and_the_other_goes() -> None:
    play = Play(World({"a": 5, "b": 6}))
    play.run(playbook(check("x", lambda: helped(always(ok("x")), undo=False))))
    assert play.world.writes == ["set a 1", "set b 2", "set b 6"]


def test_a_console_lost_before_it_is_undone_is_said_with_the_command() -> None:
    lost: list[bool] = []

    def then() -> Steps:
        yield from look(probe("a"))
        lost.append(True)
        yield from look(probe("a"), fresh=True)
        return ok("x")

    play = Play(World({"a": 5, "b": 6}, lose=lambda _: ConnectionLost(1006, "") if lost else None))
    assert play.run(playbook(check("x", lambda: helped(then)))) == "unreachable"
    assert play.recorder.of(events.PutBack) == [
        events.PutBack("b=2", "set b 6", None),
        events.PutBack("a=1", "set a 5", None),
    ]


def test_a_temporary_change_that_was_made_half_is_undone_too() -> None:
    """It was entered, and afterwards the object is neither as before nor as wanted."""
    play = Play(World({"a": 5}, before_write=lambda text: None))
    half = set_to("a", 1, temporary=True)
    half = replace(half, do=Command("cmd", "set a 7", "write"))

    def run() -> Steps:
        done = yield from do("help", fault("x"), half)
        return fault("x", done.why)

    play.run(playbook(check("x", run)))
    assert play.world.writes == ["set a 7", "set a 5"]
    assert play.world.numbers == {"a": 5}


def test_what_made_room_is_put_back_when_what_follows_fails() -> None:
    play = Play(World({"a": 5, "b": 6}, deaf={"b"}))
    done = []

    def run() -> Steps:
        done.append((yield from do("room", fault("x"), set_to("a", 1, put_back=True), set_to("b", 2))))
        return fault("x")

    play.run(playbook(check("x", run)))
    assert play.world.writes == ["set a 1", "set b 2", "set a 5"]
    assert done[0].outcome == "failed"


# --- the outcome -----------------------------------------------------------------------------------------------

STATUSES: tuple[Status, ...] = ("ok", "fault", "fixed", "declined", "unknown")


def verdict(symptom: Any, *causes: Any, reached: bool = True) -> Outcome:
    findings = (Finding("seen", symptom, ""), *(Finding(f"c{n}", cause, "") for n, cause in enumerate(causes)))
    return judge(findings, ("seen",), "outside", reached=reached).outcome


@pytest.mark.parametrize(
    ("symptom", "causes", "outcome"),
    [
        ("ok", ("ok", "ok"), "healthy"),
        ("ok", (), "healthy"),
        ("ok", ("fixed", "ok"), "fixed"),
        ("fixed", ("fixed",), "fixed"),
        ("fault", ("ok", "ok"), "unexplained"),
        ("fault", (), "unexplained"),
        ("fault", ("declined", "ok"), "declined"),
        ("ok", ("declined", "fixed"), "declined"),
        ("fault", ("declined", "fixed"), "declined"),
        ("fault", ("fixed",), "faults_left"),
        ("ok", ("fault",), "faults_left"),
        ("ok", ("unknown",), "faults_left"),
        ("unknown", ("ok",), "faults_left"),
        ("unknown", ("fixed",), "faults_left"),
        ("fault", ("fault", "declined", "fixed"), "faults_left"),
        ("fault", ("unknown", "declined"), "faults_left"),
    ],
)
def test_outcomes(symptom: str, causes: tuple[str, ...], outcome: str) -> None:
    assert verdict(symptom, *causes) == outcome
    assert verdict(symptom, *causes, reached=False) == "unreachable"


@given(symptom=st.sampled_from(STATUSES), causes=st.lists(st.sampled_from(STATUSES), max_size=4), data=st.data())
def test_the_outcome_is_never_better_than_the_worst_finding(symptom: Status, causes: list[Status], data: Any) -> None:
    outcome = verdict(symptom, *causes)
    assert outcome == verdict(symptom, *data.draw(st.permutations(causes)))
    if outcome in ("fixed", "healthy"):
        assert not {"fault", "unknown", "declined"} & {*causes}
        assert symptom not in ("fault", "unknown")
    if outcome == "declined":
        assert "declined" in causes
        assert not {"fault", "unknown"} & {*causes}
    assert EXIT_CODES[outcome] == {"faults_left": 1, "unexplained": 1, "declined": 4, "fixed": 0, "healthy": 0}[outcome]


def test_an_empty_proposal_is_made_at_once() -> None:
    def run() -> Steps:
        done = yield Do("nothing", fault("a"), ())
        return ok("a", done.outcome)

    play = Play()
    play.run(playbook(check("a", run)))
    assert play.engine.findings["a"].evidence == ("made",)


@pytest.mark.parametrize(("proof", "known"), [("checksum", True), ("screen", False), ("direct", True)])
def test_what_needs_each_character_is_not_taken_off_the_screen(proof: Any, known: bool) -> None:
    seen: list[Any] = []

    def run() -> Steps:
        seen.append((yield from look(replace(probe("a"), exact=True))))
        return ok("a")

    play = Play(World({"a": 5}, lose=lambda _: Output("5\n", 0, proof)))
    play.run(playbook(check("a", run)))
    assert seen == [5] if known else isinstance(seen[0], Unknown)
    assert bool(play.recorder.of(events.NotAnswered)) is not known
