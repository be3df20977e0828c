"""The menu, the questions, and what is not sent because nobody can have meant it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.console.modes import Kind
from serialfix.tui.hands import LONG_PASTE, Hands, Quit, Reconnect, StopPaste, Type, clean, help_lines
from serialfix.tui.keys import EDITING, PASTE, Key

MENU = "c-]"


def press(hands: Hands, *names: str, kind: Kind = "cmd", link: Any = "open", pasting: bool = False) -> list[Any]:
    """What the last of the keys does."""
    acts: list[Any] = []
    for name in names:
        acts = list(hands.press(Key(name), kind, link=link, pasting=pasting))
    return acts


def paste(hands: Hands, text: str, kind: Kind = "cmd") -> list[Any]:
    return list(hands.press(Key(PASTE, text), kind, link="open", pasting=False))


def test_keys_go_to_the_vm() -> None:
    hands = Hands(MENU)
    assert press(hands, "a") == [Type("a")]
    assert press(hands, "c-h") == [Type("\x08")]
    assert press(hands, "home") == [Type("\x1bh")]
    assert press(hands, "f13") == []


def test_the_menu() -> None:
    hands = Hands(MENU)
    assert press(hands, MENU) == []
    assert "q quit" in hands.notice
    assert press(hands, "q") == [Quit()]
    assert press(hands, MENU, MENU) == [Type("\x1d")]
    assert hands.notice == ""
    assert press(hands, MENU, "x") == []  # any other key closes it, and is not sent
    assert press(hands, "q") == [Type("q")]


def test_nothing_in_the_menu_restarts_the_vm() -> None:
    """az has n and r there: who types them by habit must not have them sent to the VM either."""
    hands = Hands(MENU)
    for name in ("n", "r", "s"):
        assert press(hands, MENU, name) == []


def test_help_stays_until_a_key_that_is_not_sent() -> None:
    hands = Hands(MENU, "a hint")
    press(hands, MENU, "h")
    assert "a hint" in hands.help
    assert press(hands, "x") == []
    assert hands.help == ()
    assert press(hands, "x") == [Type("x")]
    assert all(len(line) <= 78 for line in help_lines("Ctrl-]", ""))


def test_another_key_for_the_menu() -> None:
    hands = Hands("c-t")
    assert press(hands, "c-]") == [Type("\x1d")]
    assert press(hands, "c-t", "c-t") == [Type("\x14")]
    assert "Ctrl-T" in "".join((press(hands, "c-t", "h"), hands.help)[1])


@pytest.mark.parametrize("kind", ["sac", "stripped sac"])
def test_ctrl_c_at_sac_is_sent_when_pressed_twice(kind: Kind) -> None:
    hands = Hands(MENU)
    assert press(hands, "c-c", kind=kind) == []
    assert "Ctrl-C may run what is typed" in hands.notice
    assert press(hands, "c-c", kind=kind) == [Type("\x03")]
    assert press(hands, "c-c", kind=kind) == []  # and then it counts from the beginning
    assert press(hands, "x", kind=kind) == [Type("x")]
    assert press(hands, "c-c", kind=kind) == []


def test_elsewhere_ctrl_c_is_sent() -> None:
    assert press(Hands(MENU), "c-c", kind="cmd") == [Type("\x03")]
    assert press(Hands(MENU), "c-c", kind="unknown") == [Type("\x03")]


def test_ctrl_c_ends_a_paste_first() -> None:
    hands = Hands(MENU)
    assert press(hands, "c-c", pasting=True) == [StopPaste()]
    assert press(hands, "c-c") == [Type("\x03")]


@given(st.sampled_from(sorted(EDITING)), st.sampled_from(["sac", "stripped sac", "preview"]))
def test_editing_keys_are_not_sent_to_sac(name: str, kind: Kind) -> None:
    hands = Hands(MENU)
    assert press(hands, name, kind=kind) == []
    assert "rubbish" in hands.notice
    assert press(hands, name, kind="cmd") == [Type(EDITING[name].decode())]


def test_a_paste_is_text() -> None:
    assert paste(Hands(MENU), "dir\r\n\x1b[A\x03\tx\n") == [Type("dir\r[A    x\r", paste=True)]
    assert paste(Hands(MENU), "\x1b\x03") == []
    assert paste(Hands(MENU), "reg\xa0query") == [Type("reg query", paste=True)]


@given(st.text())
def test_no_paste_holds_a_key_that_acts(text: str) -> None:
    assert all(character == "\r" or character.isprintable() for character in clean(text))
    assert clean(clean(text)) == clean(text)


@pytest.mark.parametrize(
    ("text", "kind", "asked"),
    [
        ("x" * LONG_PASTE, "cmd", False),
        ("x" * (LONG_PASTE + 1), "cmd", True),
        ("dir\nver\n", "cmd", False),
        ("dir\nver\n", "sac", True),
        ("ch\n", "sac", False),
        ("ch", "sac", False),
    ],
)
def test_long_ones_and_several_lines_at_sac_are_asked_about(text: str, kind: Kind, asked: bool) -> None:
    for answer, sent in (("y", True), ("n", False), ("c-m", False), (MENU, False)):
        hands = Hands(MENU)
        acts = paste(hands, text, kind)
        assert (acts == []) is asked
        if asked:
            assert f"{len(clean(text)):,} characters" in hands.notice
            assert press(hands, answer, kind=kind) == ([Type(clean(text), paste=True)] if sent else [])
            assert press(hands, answer if answer != MENU else "x", kind="cmd") != [Type(clean(text), paste=True)]


@pytest.mark.parametrize("link", ["lost", "taken"])
def test_without_a_line_nothing_is_sent_and_nothing_kept(link: Any) -> None:
    hands = Hands(MENU)
    assert press(hands, "x", link=link) == []
    assert "not sent" in hands.notice
    assert list(hands.press(Key(PASTE, "dir\n"), "cmd", link=link, pasting=False)) == []
    assert press(hands, MENU, MENU, link=link) == []
    assert press(hands, "c-m", link=link) == [Reconnect()]
    assert press(hands, "q", link=link) == [Quit()]
    assert press(hands, "c-c", link=link) == [Quit()]
    assert press(hands, MENU, "q", link=link) == [Quit()]


def test_a_paste_that_was_asked_about_is_not_sent_to_another_line() -> None:
    hands = Hands(MENU)
    paste(hands, "dir\nver\n", "sac")
    assert press(hands, "y", link="lost") == []


@given(st.lists(st.sampled_from(["a", MENU, "q", "h", "c-c", "c-m", "up", "y", PASTE, "escape"]), max_size=30))
def test_it_can_always_be_left(names: list[str]) -> None:
    hands = Hands(MENU)
    for name in names:
        hands.press(Key(name, "a\nb"), "sac", link="open", pasting=False)
    press(hands, "x")  # closes whatever is open
    assert press(hands, MENU, "q") == [Quit()]
