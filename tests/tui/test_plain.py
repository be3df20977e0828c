"""The story of a session in lines: every event, and no event can do anything to the terminal."""

import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from serialfix import events
from serialfix.engine import Decision
from serialfix.steps import Finding
from serialfix.tui.plain import MARKS, OUTCOMES, PlainFace, error_lines, proposal_lines, story, why_lines
from tests.standins import Person
from tests.test_events import KINDS, any_event, made
from tests.tui.test_safe import BIDI, harmless, hostile

SILENT = (
    events.Connected,
    events.Answered,
    events.ChangeDone,
    # What is done on the VM is said before it is done; these are for the next session.
    events.ChannelOpened,
    events.ChannelClosed,
    events.LoggedIn,
    events.FolderMade,
    events.FolderRemoved,
)


def plain(event: events.Event) -> str:
    return "\n".join(line.plain for line in story(event))


def shown(*happened: events.Event, person: bool = False, **options: Any) -> str:
    stream = io.StringIO()
    face = PlainFace(Console(file=stream, width=100, legacy_windows=False, **options))
    if person:
        face.attend(Person(), no_login)
    for event in happened:
        face.show(event)
    return stream.getvalue()


async def no_login(vm: str, user: str) -> tuple[str, str] | None:
    return vm, user


@settings(max_examples=300)
@given(st.one_of([made(kind, hostile) for kind in KINDS]))
def test_a_hostile_event_never_reaches_the_terminal_raw(event: events.AnyEvent) -> None:
    assert all(harmless(line.plain) for line in story(event))
    assert all(harmless(line.plain) for line in story(event, again=True))
    if isinstance(event, events.Proposed):
        for lines in (why_lines(event), proposal_lines(event, details=False)):
            assert all(harmless(line.plain) for line in lines)
    for person in (False, True):
        written = shown(event, color_system=None, person=person)
        assert harmless(written.replace("\n", ""))


@given(hostile, hostile, hostile)
def test_a_hostile_error_never_reaches_the_terminal_raw(what: str, why: str, advice: str) -> None:
    assert all(harmless(line.plain) for line in error_lines(what, why, advice))


@given(any_event)
def test_markup_of_a_vm_is_text(event: events.AnyEvent) -> None:
    assert "[link" not in shown(event)


def test_an_answer_with_markup_is_shown_as_it_stands() -> None:
    assert "[bold]x[/bold] [link=http://a]" in shown(events.Noted("[bold]x[/bold] [link=http://a]"))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_event_has_its_say_or_is_known_to_be_silent(kind: type[events.Event]) -> None:
    event = SAMPLES[kind]
    assert bool(plain(event).strip()) == (kind not in SILENT)


FINDING = Finding("tls", "fault", "TLS is off", ("Enabled is 0",), "Switch it on.", "https://docs")
CHANGE = events.ProposedChange(
    name="c",
    title="set Enabled",
    why="because of TLS",
    risk="high",
    proven="documented",
    before="0",
    after="1",
    command="reg add X",
    undo=("reg delete X",),
    no_undo="",
    impact=("two people are signed in",),
    flag=None,
)
PROPOSED = events.Proposed("Switch TLS on", FINDING, (CHANGE,))
SAMPLES: dict[type[events.Event], events.Event] = {
    type(event): event
    for event in (
        events.SessionStarted("0", "repair", "p", "t", "vm1", "admin", "n"),
        events.VmSeen({"name": "vm1", "os_name": "Windows Server 2022", "size": "D2", "location": None, "power": "on"}),
        events.Connected(),
        events.Disconnected(1011, "kicked", ours=False),
        events.Displaced(1000, "", 60.0, again=False, by="engineer"),
        events.ChannelOpened("Cmd0001", "e203fb79-d80d-11ea-87e3-c2679e14957d"),
        events.ChannelClosed("Cmd0001", "e203fb79-d80d-11ea-87e3-c2679e14957d"),
        events.LoggedIn("Cmd0001", "admin"),
        events.FolderMade("C:\\Windows\\kqxwvdahmtbs"),
        events.FolderRemoved("C:\\Windows\\kqxwvdahmtbs"),
        events.LeftEarlier(
            (events.LeftChannel("Cmd0001", "e203fb79-d80d-11ea-87e3-c2679e14957d", "admin"),),
            ("C:\\Windows\\kqxwvdahmtbs",),
            (events.LeftChange("helper_folder", "md C:\\Windows\\x", ("rd /s /q C:\\Windows\\x",)),),
        ),
        events.Progress("waiting"),
        events.CheckStarted("tls", "TLS versions"),
        events.Asked("p", "the question", "to know", "reg query X"),
        events.Answered("p", "answer", 0, "screen", partial=False),
        events.Learnt("p", "it is 5"),
        events.NotAnswered("p", "no route"),
        events.Noted("a note"),
        events.FindingMade(FINDING),
        PROPOSED,
        events.Decided(True, "engineer", "go"),
        events.ChangeStarted("c", "0", "reg add X", (), ""),
        events.ChangeSkipped("c"),
        events.ChangeDone("c", "ok", 0),
        events.ChangeChecked("c", True, "1"),
        events.PutBack("c", "reg delete X", True),
        events.Chosen("which?", "this", "engineer"),
        events.Waited(3.0, "it needs a moment"),
        events.Stopped("by the engineer"),
        events.Ended("fixed", "outside", "not tested", (FINDING,)),
    )
}


def test_our_own_goodbye_is_no_loss() -> None:
    assert plain(events.Disconnected(1000, "", ours=True)) == ""
    assert "code 1011, kicked" in plain(SAMPLES[events.Disconnected])


def test_a_question_is_explained_once() -> None:
    asked = SAMPLES[events.Asked]
    text = shown(asked, asked)
    assert text.count("to know") == 1
    assert text.count("the question") == 2


def test_a_proposal_holds_what_somebody_must_know_to_say_yes() -> None:
    text = shown(PROPOSED)
    for said in (
        "Switch TLS on",
        "risk: high",
        "TLS is off",
        "Enabled is 0",
        "two people are signed in",
        "set Enabled",
        "0 → 1",
        "reg add X",
        "reg delete X",
        "documented",
        "never made this change on a real VM",
    ):
        assert said in text, said


def test_to_a_person_the_undo_is_shown_when_asked_for() -> None:
    text = shown(PROPOSED, person=True)
    assert "reg add X" in text
    assert "reg delete X" not in text
    assert "[d]" in text


@pytest.mark.parametrize("holds", [True, False, None])
def test_a_check_of_a_change_looks_like_what_it_is(holds: bool | None) -> None:
    mark = {True: "✓", False: "✗", None: "?"}[holds]
    assert f"{mark} checked: now 5" in plain(events.ChangeChecked("c", holds, "5"))


@pytest.mark.parametrize("outcome", [outcome for outcome in OUTCOMES if outcome != "interrupted"])
def test_every_outcome_has_its_sentence(outcome: Any) -> None:
    assert OUTCOMES[outcome] in plain(events.Ended(outcome, "no", "not tested", ()))


@pytest.mark.parametrize("status", MARKS)
def test_every_status_has_its_mark_and_its_word(status: Any) -> None:
    mark, _, word = MARKS[status]
    text = plain(events.FindingMade(Finding("tls", status, "a title", ("a value",), "an advice")))
    assert f"{mark} {word}" in text
    assert "a value" in text
    assert ("an advice" in text) == (status != "ok")


def test_no_color_means_no_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    everything = tuple(SAMPLES.values())
    assert "\x1b[" in shown(*everything, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    written = shown(*everything, force_terminal=True)
    assert "\x1b[3" not in written  # no colour; bold and dim are none


def test_into_a_file_no_line_is_broken() -> None:
    long = "reg query " + "x" * 200
    assert long in shown(events.Asked("p", "t", "w", long))


def test_what_is_very_long_is_cut_and_says_so() -> None:
    """A script that is typed as one line; a proposal shows its commands whole."""
    long = "reg query " + "x" * 1000
    text = shown(events.Asked("p", "t", "w", long))
    assert long not in text
    assert "… (1010 characters)" in text


def test_on_a_terminal_a_long_line_goes_on_under_its_beginning() -> None:
    text = shown(events.Noted("word " * 60), force_terminal=True, color_system=None)
    lines = [line for line in text.split("\n") if line.strip()]
    assert len(lines) > 1
    assert all(line.startswith("  word") and len(line) <= 100 for line in lines)


def test_an_error_is_what_why_and_what_to_try() -> None:
    lines = [line.plain for line in error_lines("it broke\nhere", "because", "this\nor that")]
    assert lines == ["Error: it broke", "       here", "Why:   because", "Try:   this", "       or that"]
    assert [line.plain for line in error_lines("it broke", "", "")] == ["Error: it broke"]


async def test_nobody_is_asked_unless_somebody_attends() -> None:
    face = PlainFace(Console(file=io.StringIO()))
    assert face.person is None
    assert await face.ask_login("vm", "me") is None
    person = Person([Decision(True, "engineer")])
    face.attend(person, no_login)
    assert face.person is person
    assert await face.ask_login("vm", "me") == ("vm", "me")


def test_the_vm_is_known_once_it_is_told() -> None:
    face = PlainFace(Console(file=io.StringIO()))
    face.show(SAMPLES[events.SessionStarted])
    assert face.vm == "vm1"


def test_a_right_to_left_override_in_a_name_is_shown() -> None:
    text = shown(events.SessionStarted("0", "repair", "p", "t", f"vm{BIDI}", "a", "n"))
    assert r"\u202e" in text
