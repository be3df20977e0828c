"""Drawing the VM's screen: it looks the same on ours, and nothing but our own sequences goes there."""

import re
from itertools import pairwise

import avt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.screen import Look, Screen
from serialfix.tui.painter import REPLACEMENT, Painter, sgr
from tests.tui.test_safe import BIDI, INVISIBLE, harmless

OURS = re.compile(r"\x1b\[(?:\?25[hl]|2J|\d+;\d+H|0(?:;\d+)*m)")

pieces = st.lists(
    st.sampled_from(
        [
            b"SAC>",
            b"\r\n",
            b"\x1b[2J",
            b"\x1b[5;70H",
            b"\x1b[24;80HX",
            b"\x1b[1;31;44mred",
            b"\x1b[38;2;1;2;3m",
            b"\x1b[48;5;200m",
            b"\x1b[7m",
            b"\x1b[m",
            b"\x1b[0K",
            b"\x1b]52;c;ZXZpbA==\x07",
            b"\x1b]0;title\x1b\\",
            b"\x1bP+q544e\x1b\\",
            b"\x1b[6n\x1b[c\x1bZ",
            b"\x1b[?1049h\x1b[?1000h",
            b"\x9b31m\x90q\x9c",
            "日本語é".encode(),
            "e\u0301\u202ex\u200b".encode(),
            b"\x00\x07\x0e\x0f",
            b"w" * 100,
        ]
    )
    | st.binary(max_size=8)
    | st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace")),
    max_size=20,
)


def paint(painter: Painter, screen: Screen, size: tuple[int, int] = (26, 80), **more: tuple[str, ...]) -> str:
    return painter.paint(screen.cells(), screen.place, ["vm1"], size, **more)


def shown(ours: avt.Vt) -> list[str]:
    return [line.text.rstrip() for line in ours.view()]


@given(pieces)
def test_nothing_but_our_own_sequences_is_written(came: list[bytes]) -> None:
    painter, screen = Painter(), Screen()
    for data in came:
        screen.feed(data)
        text = OURS.sub("", paint(painter, screen))
        assert harmless(text), text


@settings(max_examples=30)
@given(pieces.filter(bool))
def test_what_is_shown_in_steps_is_what_is_shown_at_once(came: list[bytes]) -> None:
    """The difference, drawn on a terminal, leaves the same picture as all of it on an empty one."""
    painter, screen, ours = Painter(), Screen(), avt.Vt(80, 26)
    for data in came:
        screen.feed(data)
        ours.feed_str(paint(painter, screen))
    fresh = avt.Vt(80, 26)
    fresh.feed_str(paint(Painter(), screen))
    assert shown(ours) == shown(fresh)
    assert (ours.cursor.row, ours.cursor.col) == (fresh.cursor.row, fresh.cursor.col)
    pens = [[[cell.pen for cell in line.cells] for line in vt.view()] for vt in (ours, fresh)]
    assert pens[0] == pens[1]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300))
def test_plain_text_looks_the_same(text: str) -> None:
    screen, ours = Screen(), avt.Vt(80, 26)
    screen.feed(text.encode())
    ours.feed_str(paint(Painter(), screen))
    assert shown(ours)[:24] == screen.rows()
    assert shown(ours)[24] == " vm1"
    row, column = screen.place
    assert (ours.cursor.row, ours.cursor.col) == (row, min(column, 79))


def test_looks_come_along() -> None:
    screen, ours = Screen(), avt.Vt(80, 26)
    screen.feed(b"\x1b[1;31;44mred\x1b[0m \x1b[38;2;1;2;3mrgb\x1b[96mbright\x1b[38;5;200m256\x1b[m plain")
    ours.feed_str(paint(Painter(), screen))
    (there, here) = ([(cell.char, cell.pen) for cell in line.cells] for line in (screen._vt.view()[0], ours.view()[0]))
    assert there == here


def test_only_what_changed_is_written() -> None:
    painter, screen = Painter(), Screen()
    screen.feed(b"Microsoft Windows\r\nC:\\>")
    first = paint(painter, screen)
    assert "Microsoft" in first
    screen.feed(b"d")
    assert paint(painter, screen) == "\x1b[?25l\x1b[2;5Hd\x1b[0m\x1b[2;6H\x1b[?25h"
    assert len(paint(painter, screen)) < 30
    painter.forget()
    assert "Microsoft" in paint(painter, screen)


@pytest.mark.parametrize("character", ["\u202e", "\u200b", "\u0301", "\ufe0f", "\x7f", "\u2028", *BIDI, *INVISIBLE])
def test_what_would_hide_or_act_is_a_replacement(character: str) -> None:
    screen = Screen()
    screen.feed(f"a{character}b".encode())
    text = OURS.sub("", paint(Painter(), screen))
    assert character not in text
    assert REPLACEMENT in text or "ab" in text


def test_wide_characters_keep_their_columns() -> None:
    painter, screen, ours = Painter(), Screen(), avt.Vt(80, 26)
    for data in ("日本|x".encode(), b"\x1b[1;1Hab", b"\x1b[1;3H" + "本".encode(), b"\x1b[1;2H" + "日".encode()):
        screen.feed(data)
        ours.feed_str(paint(painter, screen))
        assert shown(ours)[0] == screen.rows()[0]


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 24, 25, 60])
@pytest.mark.parametrize("columns", [1, 2, 20, 79, 80, 81, 200])
def test_any_size_shows_the_cursor_s_row(rows: int, columns: int) -> None:
    screen, ours = Screen(), avt.Vt(columns, rows)
    screen.feed(b"top\r\n" + "日".encode() * 45 + b"\r\n" * 19 + b"SAC>")
    ours.feed_str(paint(Painter(), screen, (rows, columns)))
    assert ours.view()[ours.cursor.row].text.rstrip()[:4] == "SAC>"[:columns]
    if rows >= 25:
        assert shown(ours)[0] == "top"[:columns]
    if rows > 1:
        assert any(text.startswith(" vm1"[: columns - 1].rstrip()) for text in shown(ours))


def test_a_terminal_that_changes_its_size_is_drawn_anew() -> None:
    painter, screen = Painter(), Screen()
    screen.feed(b"SAC>")
    for before, after in pairwise([(26, 80), (30, 80), (30, 100), (10, 40), (26, 80)]):
        paint(painter, screen, before)
        ours = avt.Vt(after[1], after[0])
        ours.feed_str(paint(painter, screen, after))
        assert shown(ours)[0] == "SAC>"


def test_help_is_drawn_over_the_screen_and_goes_away() -> None:
    painter, screen, ours = Painter(), Screen(), avt.Vt(80, 26)
    screen.feed(b"SAC>")
    ours.feed_str(paint(painter, screen, over=("help \x1b[2J", "")))
    assert shown(ours)[0] == r"  help \x1b[2J"
    ours.feed_str(paint(painter, screen))
    assert shown(ours)[0] == "SAC>"


def test_a_look_is_one_sequence() -> None:
    assert sgr(Look()) == "\x1b[0m"
    assert sgr(Look(foreground=9, background=200, faint=True, underline=True, inverse=True)) == (
        "\x1b[0;2;4;7;91;48;5;200m"
    )
