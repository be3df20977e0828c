"""The emulated screen: what stands where, whatever way it was painted, and however hostile the bytes are."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.screen import COLUMNS, MOST_KEPT, PLAIN, ROWS, Cell, Look, Row, Screen

PRINTABLE = st.characters(codec="ascii", exclude_categories=["Cc"])
LINE = st.text(PRINTABLE, max_size=COLUMNS - 1).map(str.rstrip)


def showing(*pieces: bytes) -> Screen:
    screen = Screen()
    for piece in pieces:
        screen.feed(piece)
    return screen


def everything(screen: Screen) -> tuple[object, ...]:
    return screen.rows(), screen.cursor, screen.line_to_cursor(), screen.rest_of_line(), list(screen.since(0))


def test_nuls_inside_words_show_nothing() -> None:
    assert showing(b"\0Use\0rname: \0").line_to_cursor() == "Username: "


def test_cursor_addressing() -> None:
    screen = showing(b"\x1b[2J\x1b[10;1HSAC>ch\x1b[3;5Hword\x1b[10;5H")
    assert screen.cursor == (9, 4)
    assert screen.line_to_cursor() == "SAC>"
    assert screen.rest_of_line() == "ch"
    assert screen.rows()[2] == "    word"


def test_erasing_and_moving() -> None:
    assert showing(b"SAC>abc\b \b").line_to_cursor() == "SAC>ab"
    assert showing(b"a\x1b[4Cb").line_to_cursor() == "a    b"
    assert showing(b"abc\x1b[1;2H\x1b[K").rows()[0] == "a"


def test_colours_and_titles_show_nothing() -> None:
    screen = showing(b"\x1b]0;C:\\Windows\x07\x1b[0;40m\x1b[37mSAC>\x1b[22m")
    assert screen.line_to_cursor() == "SAC>"


def test_the_last_column_waits_for_the_next_character() -> None:
    screen = showing(b"x" * COLUMNS)
    assert screen.cursor == (0, COLUMNS)
    assert screen.line_to_cursor() == "x" * COLUMNS
    screen.feed(b"y")
    assert screen.cursor == (1, 1)
    assert screen.before_cursor(3) == "xxy"


@given(st.text(PRINTABLE, min_size=1, max_size=1500), st.integers(0, 40), st.booleans())
def test_a_typed_line_stands_before_the_cursor(text: str, above: int, hard: bool) -> None:
    """Wrapped by the terminal, or by a console that sends CR LF at column 80; scrolled or not."""
    screen = showing(b"line\r\n" * above)
    if hard:
        rows = [text[start : start + COLUMNS] for start in range(0, len(text), COLUMNS)]
        screen.feed("\r\n".join(rows).encode())
    else:
        screen.feed(text.encode())
    assert screen.before_cursor(len(text)) == text


def test_before_cursor_where_the_screen_begins() -> None:
    screen = showing(b"ab")
    assert screen.before_cursor(500) == "ab"
    assert screen.before_cursor(0) == ""


@settings(max_examples=60)
@given(st.lists(LINE, max_size=80), LINE, st.integers(0, 90))
def test_every_row_has_its_number_for_ever(lines: list[str], last: str, start: int) -> None:
    screen = showing("".join(line + "\r\n" for line in lines).encode(), last.encode())
    rows = list(screen.since(start))
    blank = max(0, ROWS - len(lines) - 1)  # rows of the screen that nothing was written to
    expected = [Row(number, text) for number, text in enumerate([*lines, last, *[""] * blank])]
    assert rows == expected[start:]
    assert screen.cursor == (len(lines), len(last))


def test_what_is_remembered_is_bounded() -> None:
    screen = Screen(keep=100)
    for number in range(5000):
        screen.feed(b"%d\r\n" % number)
    rows = list(screen.since(0))
    assert len(rows) == 100 + ROWS
    assert rows[0] == Row(5000 - ROWS + 1 - 100, "4877")
    assert screen.cursor == (5000, 0)


def test_rows_of_many_bytes_are_remembered_as_far_as_memory_goes() -> None:
    screen = Screen(keep=10_000)
    screen.feed(("日" * 39 + "\r\n").encode() * 6000)
    rows = list(screen.since(0))
    size = sum(len(row.text.encode()) + 1 for row in rows[:-ROWS])
    assert MOST_KEPT - 3 * COLUMNS < size <= MOST_KEPT
    assert {row.text for row in rows[:-1]} == {"日" * 39}
    assert rows[-1] == Row(6000, "")


@pytest.mark.parametrize("width", [18, 40, 79])
def test_an_answer_of_64_kb_with_its_numbers_is_whole(width: int) -> None:
    lines = [f"{number}:".ljust(width, "x") + "$" for number in range(1, 64 * 1024 // width + 1)]
    screen = showing(b"before\r\n" * 3000, b"begin\r\n", ("\r\n".join(lines) + "\r\nend\r\n").encode())
    texts = [row.text for row in screen.since(3000)]
    shown = "".join(texts[: texts.index("end")])
    assert shown == "begin" + "".join(lines)


def test_a_flood_takes_no_memory() -> None:
    screen = Screen(keep=50)
    screen.feed(b"y" * 100_000)
    tracemalloc.start()
    try:
        for _ in range(20):
            screen.feed(b"z" * 20_000 + b"\x1b]52;c;" + b"A" * 20_000)
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 1_000_000


HOSTILE = {
    "clipboard": b"\x1b]52;c;cm0gLXJmIC8=\x07",
    "clipboard, C1": "\x9d52;c;cm0gLXJmIC8=\x9c".encode(),
    "DCS": b"\x1bP$qm\x1b\\",
    "sixel": b"\x1bPq#0;2;0;0;0~~~~-\x1b\\",
    "resize": b"\x1b[8;50;200t",
    "132 columns": b"\x1b[?40h\x1b[?3h",
    "report": b"\x1b[6n\x1b[c\x1b[>c\x1b[21t\x05",
    "alternate screen": b"\x1b[?1049h",
    "hyperlink": b"\x1b]8;;http://example.invalid/\x1b\\",
    "reset": b"\x1bc",
    "margins": b"\x1b[5;6r\x1b[?6h",
    "far away": b"\x1b[99999;99999H\x1b[99999999S\x1b[99999999L\x1b[99999999@",
    "huge number": b"\x1b[" + b"9" * 400 + b"A",
    "repeat": b"x\x1b[2000000000b",
    "private": b"\x1b_secret\x1b\\\x1b^secret\x1b\\\x1bXsecret\x1b\\",
}


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE)
def test_hostile_sequences_leave_80_by_24(attack: bytes) -> None:
    screen = showing(b"before\r\n", attack)
    screen.unstick()
    screen.feed(b"\x1b[2J\x1b[1;1H" + b"z" * 90 + b"\r\nSAC>")
    assert screen.line_to_cursor() == "SAC>"
    assert len(screen.rows()) == ROWS
    assert max(map(len, screen.rows())) == COLUMNS
    assert screen.before_cursor(4) == "SAC>"
    shown = "\n".join(row.text for row in screen.since(0))
    assert "secret" not in shown
    assert "52;c" not in shown


def test_a_short_repetition_is_obeyed() -> None:
    assert showing(b"x\x1b[20b|").line_to_cursor() == "x" * 21 + "|"
    assert showing(b"x\x1b[2", b"0b|").line_to_cursor() == "x" * 21 + "|"
    assert showing(b"x\x1b", b"\0" * 30, b"[", b"\0" * 30, b"2", b"\0" * 30 + b"0b|").line_to_cursor() == "x" * 21 + "|"


@pytest.mark.parametrize(
    "repeat",
    [b"\x1b[100b", b"\x1b[2000000000b", b"\x1b\x07[65\0535b", b"\x1b[\x071\x070\x070\x07b",
     b"\xc2\x9b65535b", b"\x1b[;65535b", b"\x1b[1;\x0765535b",
     b"\x1b[" + b"0" * 300 + b"65535b"],
)  # fmt: skip
@pytest.mark.parametrize("cut", range(1, 9))
def test_a_long_repetition_is_not_however_it_comes(repeat: bytes, cut: int) -> None:
    screen = showing(b"x", repeat[:cut], repeat[cut:], b"|")
    assert "".join(screen.rows()).replace(" ", "") == "x|"
    bytewise = showing(b"x", *(bytes([byte]) for byte in repeat), b"|")
    assert everything(bytewise) == everything(screen)


def test_what_only_looks_like_a_repetition_stays() -> None:
    assert showing(b"\x1b]0;\x1b[999\x1b\\b").line_to_cursor() == "b"
    assert showing(b"\x1b[999", b"\x18b").line_to_cursor() == "b"
    assert showing("\x1b[999éb".encode()).line_to_cursor() == "b"
    assert showing("\x9b[65535b".encode()).line_to_cursor() == "65535b"
    assert showing(b"\x1b[999", b"").line_to_cursor() == ""
    stuck = showing(b"\x1b[999")
    stuck.unstick()
    stuck.feed(b"bb")
    assert stuck.line_to_cursor() == "bb"


@pytest.mark.parametrize(
    "forgets", [b"\x1bc", b"\x1b\nc", b"\x1b[?1049h", b"\x1b[?47h\x1b[?47l", b"\x1b[?1049h\n\n\x1bc"]
)
def test_rows_that_scrolled_off_outlive_a_reset_in_the_same_message(forgets: bytes) -> None:
    screen = showing(b"row\r\n" * 30 + forgets + b"\x1b[2J")
    bytewise = showing(b"row\r\n" * 30, *(bytes([byte]) for byte in forgets), b"\x1b[2J")
    assert screen.rows_gone == bytewise.rows_gone >= 7
    assert [row.text for row in screen.since(0)][:7] == ["row"] * 7


def test_wide_characters_fill_two_columns() -> None:
    screen = showing("C:\\日本>dir 語|".encode(), b"\x1b[4D")
    assert screen.cursor == (0, 11)
    assert screen.line_to_cursor() == "C:\\日本>dir"
    assert screen.rest_of_line() == " 語|"
    assert screen.before_cursor(6) == "日本>dir"[-6:]


def test_a_typed_line_of_wide_characters_stands_before_the_cursor() -> None:
    line = "日本語" * 20
    screen = showing(b"above\r\n", line.encode())
    assert screen.before_cursor(len(line)) == line


def test_the_last_row_that_shows_something() -> None:
    assert showing(b"").last_row() == ""
    assert showing(b"\x1b[3;1Hlow  \x1b[1;1Hhigh").last_row() == "low"


def test_once_means_once_until_something_is_shown() -> None:
    calls: list[Screen] = []

    def read(of: Screen) -> int:
        calls.append(of)
        return len(calls)

    screen, other = Screen(), Screen()
    assert [screen.once(read), screen.once(read), other.once(read)] == [1, 1, 2]
    screen.feed(b"x")
    assert screen.once(read) == 3
    screen.unstick()
    assert [screen.once(read), other.once(read)] == [4, 2]


def test_what_rows_gives_belongs_to_the_caller() -> None:
    screen = showing(b"x")
    screen.rows().clear()
    assert screen.rows()[0] == "x"


@given(st.lists(st.sampled_from(list(HOSTILE.values())) | st.binary(max_size=6) | st.just(b"row\r\n" * 9), max_size=9))
def test_looking_between_changes_nothing_that_is_seen(pieces: list[bytes]) -> None:
    looked_at, left_alone = Screen(), Screen()
    for piece in pieces:
        looked_at.feed(piece)
        left_alone.feed(piece)
        everything(looked_at)
        looked_at.last_row()
    assert everything(looked_at) == everything(left_alone)
    assert looked_at.last_row() == next(filter(None, reversed(left_alone.rows())), "")


def test_unstick_changes_no_cell() -> None:
    screen = showing(SESSION)
    before = everything(screen)
    screen.unstick()
    assert everything(screen) == before


def test_unstick_ends_what_bends_the_screen() -> None:
    screen = showing(b"\x1b[?1049h\x1b[5;6r\x1b[?6h\x1b[4h\x1b[?7l\x1b(0\x1b]0;x")
    screen.unstick()
    screen.feed(b"\x1b[2J\x1b[1;1H" + b"qz" * 45 + b"\r\n" + b"x\r\n" * 30 + b"SAC>")
    assert screen.line_to_cursor() == "SAC>"
    assert [row.text for row in screen.since(0)][-33:-31] == ["qz" * 40, "qz" * 5]


@pytest.mark.parametrize(
    "start", [b"\x1b", b"\x1b[", b"\x1b[1;", b"\x1b]0;title", b"\x1bP", b"\x1b_x", b"\x1b(", b"\xe2\x82"]
)
def test_an_unfinished_sequence_blinds_until_it_is_ended(start: bytes) -> None:
    screen = showing(start)
    screen.unstick()
    screen.feed(b"\r\nSAC>")
    assert screen.line_to_cursor() == "SAC>"


@pytest.mark.parametrize("start", [b"\x1b]0;title", b"\x1bPq"])
def test_it_really_was_blind(start: bytes) -> None:
    screen = showing(start, b"SAC>")
    assert screen.line_to_cursor() == ""


@settings(max_examples=300)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from(list(HOSTILE.values())) | st.binary(max_size=4), max_size=6).map(b"".join)
)
def test_after_any_bytes_a_redraw_is_seen(junk: bytes) -> None:
    screen = showing(junk)
    screen.unstick()
    screen.feed(b"\x1b[2J\x1b[1;1HSAC>")
    assert screen.line_to_cursor() == "SAC>"
    row, column = screen.cursor
    assert 0 <= column <= COLUMNS
    numbers = [each.number for each in screen.since(0)]
    assert all(after == before + 1 for before, after in pairwise(numbers))
    assert numbers[0] <= row <= numbers[-1]


SESSION = (
    b"\x1b[2J\x1b[1;1H\x1b[0m\x1b[22m\x1b[40m\x1b[37mComputer is booting" + b" " * 61 + b"\x1b[2;1H" + b" " * 80
    + b"\x1b[3;1H\0SAC>\r\nEVENT: caf\xc3\xa9 \xe2\x82\xac\r\nSAC>ch\b\b  \b\b" + b"w" * 200 + b"\r\n" * 30
    + b"\x1b]0;title\x07C:\\>dir\x1b[12C|\x1b[24;80HX\r\nend"
)  # fmt: skip


@given(st.lists(st.integers(0, len(SESSION)), max_size=12))
def test_any_cut_shows_the_same(cuts: list[int]) -> None:
    edges = sorted({0, *cuts, len(SESSION)})
    cut = showing(*(SESSION[start:end] for start, end in pairwise(edges)))
    assert everything(cut) == everything(showing(SESSION))


def test_feed_gives_back_the_text_with_half_characters_later() -> None:
    screen = Screen()
    assert screen.feed(b"a\xe2\x82") == "a"
    assert screen.feed(b"\xacb\xff") == "€b\ufffd"


def test_cells_have_their_looks() -> None:
    screen = showing("a\x1b[1;31;44mb\x1b[0;38;2;1;2;3;48;5;200m日\x1b[m.".encode())
    row = screen.cells()[0]
    assert len(row) == COLUMNS
    assert row[0] == Cell("a", 1, PLAIN)
    assert row[1] == Cell("b", 1, Look(foreground=1, background=4, bold=True))
    assert [(cell.width, cell.look) for cell in row[2:4]] == [
        (2, Look(foreground=(1, 2, 3), background=200)),
        (0, Look(foreground=(1, 2, 3), background=200)),
    ]
    assert row[4] == Cell(".", 1, PLAIN)
    assert screen.place == (0, 5)
