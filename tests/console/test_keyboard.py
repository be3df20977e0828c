"""Typing on a bad line, held against a model of a console's line editor: exactly what was meant, or nothing."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.dialogue import Conversation, Send
from serialfix.console.keyboard import (
    ENTER,
    FASTER_AFTER,
    MOST_TYPED,
    PACES,
    SILENT_TRIES,
    TRIES,
    Keyboard,
    Pace,
    Untypable,
    _stand,
    erase_line,
    strokes,
    type_line,
    vary_case,
)
from serialfix.console.screen import Screen
from tests.console.pump import Editor, Pump

PRINTABLE = st.characters(codec="ascii", exclude_categories=["Cc"])
TEXT = st.text(PRINTABLE, max_size=120) | st.text("ab o\\", max_size=120)
PROMPTS = st.sampled_from(["C:\\Windows\\system32>", "SAC>", "qzvxkw>", "p" * 77 + ">", "p" * 79 + ">"])
PLAN = st.lists(st.sampled_from(["ok"] * 12 + ["lose", "double", "late", "late"]), max_size=200)


def enter(keyboard: Keyboard, prompt: str, text: str) -> Conversation[None]:
    yield from type_line(keyboard, prompt, text)
    yield Send(ENTER)


@settings(max_examples=250, deadline=None)
@given(TEXT, PROMPTS, PLAN, st.sampled_from([0.0, 0.02, 0.3]))
def test_what_is_entered_is_what_was_meant_or_nothing(text: str, prompt: str, plan: list[str], lag: float) -> None:
    editor = Editor(prompt, plan=plan, lag=lag)
    pump = Pump(editor)
    pump.drain(0.5)
    try:
        pump.run(enter(Keyboard(), prompt, text))
    except Untypable:
        pump.drain()
        assert editor.entered == []
    else:
        pump.drain()
        assert editor.entered == [text]


@settings(max_examples=40, deadline=None)
@given(TEXT, PROMPTS, st.integers(0, 30))
def test_on_a_good_line_it_is_typed_once(text: str, prompt: str, above: int) -> None:
    """Also at the bottom of the screen, where a line that wraps scrolls it."""
    editor, keyboard = Editor(prompt), Keyboard()
    pump = Pump(editor)
    pump.screen.feed(b"\r\n" * above)
    pump.drain(0.5)
    pump.run(enter(keyboard, prompt, text))
    pump.drain()
    assert editor.entered == [text]
    assert keyboard.damaged == 0
    assert b"".join(send.data for _, send in pump.sent) == text.encode() + ENTER


@pytest.mark.parametrize("length", [75, 76, 77, 156, 400, MOST_TYPED])
def test_long_lines_are_read_back_over_wraps(length: int) -> None:
    text = ("abcdefghij" * 200)[:length]
    editor = Editor("SAC>", plan=["ok"] * 40 + ["lose"])
    pump = Pump(editor)
    pump.drain(0.5)
    pump.run(enter(Keyboard(), "SAC>", text))
    pump.drain()
    assert editor.entered == [text]


@pytest.mark.parametrize("text", ["x" * (MOST_TYPED + 1), "a\rb", "a\x03", "a\tb", "\x1b[A", "\u202e"])
def test_what_can_not_be_typed_safely_is_not_begun(text: str) -> None:
    pump = Pump(Editor("SAC>"))
    with pytest.raises(Untypable):
        pump.run(type_line(Keyboard(), "SAC>", text))
    assert pump.sent == []


def test_a_line_that_eats_everything_ends_in_untypable() -> None:
    editor, keyboard = Editor("SAC>", plan=["lose"] * 100_000), Keyboard()
    pump = Pump(editor)
    pump.drain(0.5)
    with pytest.raises(Untypable, match=f"in {TRIES} tries"):
        pump.run(type_line(keyboard, "SAC>", "cmd"))
    assert editor.entered == []
    assert keyboard.damaged == TRIES - SILENT_TRIES  # silence may have another cause than haste
    assert keyboard.pace == PACES[2]


def test_a_line_without_a_prompt_is_not_typed_blindly() -> None:
    """Where the prompt does not stand left of the cursor, nothing that is typed can be proven."""
    editor = Editor("C:\\>")
    pump = Pump(editor)
    pump.drain(0.5)
    with pytest.raises(Untypable):
        pump.run(enter(Keyboard(), "SAC>", "restart"))
    pump.drain()
    assert editor.entered == []


def test_text_behind_the_cursor_is_damage() -> None:
    editor = Editor("SAC>")
    pump = Pump(editor)
    pump.drain(0.5)
    pump.screen.feed(b"    x\x1b[1;5H")
    with pytest.raises(Untypable):
        pump.run(enter(Keyboard(), "SAC>", "cmd"))


@settings(max_examples=60, deadline=None)
@given(st.text("abc", max_size=60), PLAN.map(lambda plan: plan[:40]))
def test_a_half_typed_line_is_erased(left: str, plan: list[str]) -> None:
    editor = Editor("SAC>")
    pump = Pump(editor)
    editor.keys(left.encode(), 0.0)
    pump.drain(1.0)
    editor._plan = iter(plan)
    try:
        pump.run(erase_line("SAC>", len(left)))
    except Untypable:
        return
    assert pump.screen.line_to_cursor() == "SAC>"
    assert editor.line == ""


def test_too_many_backspaces_do_nothing() -> None:
    editor = Editor("SAC>")
    pump = Pump(editor)
    pump.drain(0.5)
    pump.run(erase_line("SAC>", 78))
    assert (editor.entered, editor.line, pump.screen.line_to_cursor()) == ([], "", "SAC>")


def test_the_pace_goes_down_after_every_second_damage() -> None:
    keyboard = Keyboard()
    paces = [keyboard.pace]
    for _ in range(10):
        keyboard.was_damaged()
        paces.append(keyboard.pace)
    assert paces[:7] == [PACES[0], PACES[0], PACES[1], PACES[1], PACES[2], PACES[2], PACES[3]]
    assert set(paces[6:]) == {PACES[3]}
    for faster, slower in pairwise(PACES):
        assert slower.size <= faster.size
        assert slower.gap >= faster.gap
        assert slower.equal > faster.equal


def test_the_pace_goes_up_again_after_a_run_of_good_lines() -> None:
    keyboard = Keyboard()
    for _ in range(4):
        keyboard.was_damaged()
    for _ in range(FASTER_AFTER - 1):
        keyboard.was_good()
    assert keyboard.pace == PACES[2]
    keyboard.was_good()
    assert keyboard.pace == PACES[1]
    for _ in range(5 * FASTER_AFTER):
        keyboard.was_good()
    assert keyboard.pace == PACES[0]


def test_a_line_that_is_interrupted_is_no_reason_to_type_more_slowly() -> None:
    """What stands behind the prompt is the beginning of the line, and then nothing comes: a lost channel, say."""
    editor, keyboard = Editor("SAC>", plan=["ok"] * 5 + ["lose"] * 10), Keyboard()
    pump = Pump(editor)
    pump.drain(0.5)
    pump.run(enter(keyboard, "SAC>", "ch -sn Cmd0001" + "x"))
    assert editor.entered == ["ch -sn Cmd0001x"]
    assert keyboard.pace == PACES[0]


@given(st.text(), st.sampled_from(PACES))
def test_strokes_are_the_text_and_part_equal_neighbours(text: str, pace: Pace) -> None:
    typed = list(strokes(text.encode("utf-8", "replace").decode(), pace))
    assert b"".join(data for data, _ in typed).decode() == text.encode("utf-8", "replace").decode()
    for data, _ in typed:
        piece = data.decode()
        assert 1 <= len(piece) <= pace.size
        assert all(left != right for left, right in pairwise(piece))
    for (data, pause), (following, _) in pairwise(typed):
        equal = data.decode()[-1] == following.decode()[0]
        assert pause == (pace.equal if equal else pace.gap)


def test_no_message_is_longer_than_the_uart_holds() -> None:
    assert max(pace.size for pace in PACES) <= 16


@given(st.text() | st.text("aAbB\\1 ßŉ", max_size=30))
def test_vary_case_changes_nothing_but_case(text: str) -> None:
    varied = vary_case(text)
    assert len(varied) == len(text)
    for was, now in zip(text, varied, strict=True):
        assert now in {was, was.swapcase()}
        assert was.isascii() or now == was
    for left, right in pairwise(varied):
        assert left != right or not (right.isascii() and right.isalpha())


def test_a_case_that_already_differs_is_left() -> None:
    assert vary_case("CurrentControlSet") == "CurRentControlSet"
    assert vary_case("aaaa") == "aAaA"


def test_a_row_may_be_full_while_the_cursor_stands_on_its_last_cell() -> None:
    """As Wine's console paints it; the line goes on when more is typed."""
    screen = Screen()
    screen.feed(b"p>" + b"a" * 78 + b"\x1b[1;80H")
    assert _stand(screen, "p>" + "a" * 78, "")
    assert not _stand(screen, "p>" + "a" * 77 + "b", "")
    assert not _stand(screen, "p>" + "a" * 79, "")
