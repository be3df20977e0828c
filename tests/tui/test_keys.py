"""Keys as a Windows serial console reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.keys import Keys

from serialfix.errors import UsageError
from serialfix.tui.keys import CONTROL, EDITING, encode, in_words, leaves_rubbish, read_escape


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("c-h", b"\x08"),  # what a terminal's Backspace is called; 0x7F would erase a word
        ("c-m", b"\r"),
        ("c-j", b"\r"),
        ("c-i", b"\t"),
        ("c-c", b"\x03"),
        ("c-z", b"\x1a"),
        ("escape", b"\x1b"),
        ("up", b"\x1b[A"),
        ("left", b"\x1b[D"),
        ("home", b"\x1bh"),
        ("end", b"\x1bk"),
        ("insert", b"\x1b+"),
        ("delete", b"\x1b-"),
        ("pageup", b"\x1b?"),
        ("pagedown", b"\x1b/"),
        ("f1", b"\x1b1"),
        ("f9", b"\x1b9"),
        ("f10", b"\x1b0"),
        ("f11", b"\x1b!"),
        ("f12", b"\x1b@"),
        ("s-left", b"\x1b[D"),
        ("c-home", b"\x1bh"),
        ("é", "é".encode()),
        ("日", "日".encode()),
        ("f13", None),
        ("<vt100-mouse-event>", None),
        ("<cursor-position-response>", None),
    ],
)
def test_a_key_is_these_bytes(name: str, data: bytes | None) -> None:
    assert encode(name) == data


def test_the_names_are_those_of_the_terminal() -> None:
    known = {key.value for key in Keys}
    assert set(EDITING) | set(CONTROL) <= known


@given(st.sampled_from([key.value for key in Keys]) | st.characters())
def test_no_key_is_an_unfinished_or_unknown_sequence(name: str) -> None:
    data = encode(name)
    assert data is None or len(data) == 1 or data in EDITING.values() or data.decode() == name


@pytest.mark.parametrize("kind", ["sac", "stripped sac", "sac pager", "preview"])
def test_where_sequences_are_unknown_they_leave_rubbish(kind: str) -> None:
    assert all(leaves_rubbish(data, kind) for data in EDITING.values())  # type: ignore[arg-type]
    assert not any(leaves_rubbish(data, kind) for data in (b"a", b"\x08", b"\r", b"\x1b", b"\t"))  # type: ignore[arg-type]


def test_in_cmd_they_are_keys() -> None:
    assert not any(leaves_rubbish(data, "cmd") or leaves_rubbish(data, "unknown") for data in EDITING.values())


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [("^]", "c-]", "Ctrl-]"), ("^T", "c-t", "Ctrl-T"), ("ctrl-t", "c-t", "Ctrl-T"), ("C-\\", "c-\\", "Ctrl-\\")],
)
def test_the_key_for_the_menu_can_be_chosen(text: str, name: str, words: str) -> None:
    assert (read_escape(text), in_words(name)) == (name, words)


@pytest.mark.parametrize("text", ["", "x", "^C", "^M", "^J", "^I", "^H", "^1", "^^^", "f1", "\x1b", "^\u202e"])
def test_but_not_one_that_is_needed(text: str) -> None:
    with pytest.raises(UsageError):
        read_escape(text)
