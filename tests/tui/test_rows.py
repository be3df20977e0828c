"""A screen as lines in a pipe: each row once, whole, and harmless."""

from hypothesis import given
from hypothesis import strategies as st

from serialfix.tui.rows import Rows
from tests.tui.test_safe import harmless


def lines(*came: bytes) -> list[str]:
    rows = Rows()
    printed: list[str] = []
    for data in came:
        printed += rows.feed(data)
        printed += rows.settle()
    return printed + rows.end()


def test_a_line_is_printed_when_it_is_done() -> None:
    rows = Rows()
    rows.feed(b"SAC>c")
    assert rows.settle() == []
    rows.feed(b"h\r\nChannel List\r\n")
    assert rows.settle() == ["SAC>ch", "Channel List"]
    assert rows.settle() == []


@given(st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=79), max_size=300))
def test_every_line_is_printed_once_and_in_order(text: list[str]) -> None:
    assert lines("".join(f"{line}\r\n" for line in text).encode()) == text


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_whatever_comes_is_printed_as_harmless_lines(came: list[bytes]) -> None:
    assert all(harmless(line) for line in lines(*came))


def test_a_redraw_of_the_same_prints_nothing_new() -> None:
    drawn = b"\x1b[2J\x1b[1;1HComputer is booting\x1b[2;1HSAC>"
    assert lines(drawn, drawn, drawn) == ["Computer is booting", "SAC>"]
    assert lines(drawn, drawn.replace(b"booting", b"ready")) == ["Computer is booting", "Computer is ready", "SAC>"]


def test_a_flood_is_whole() -> None:
    text = [f"line {number}" for number in range(20_000)]
    assert lines("".join(f"{line}\r\n" for line in text).encode()) == text
