from itertools import pairwise

import avt
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.conhost import Console, Scrape, Stream
from serialfix.simulator.vm import stream
from serialfix.simulator.vt_cells import VtCells
from tests.simulator.world import screen

PIECES = st.one_of(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=200),
    st.sampled_from(["\r\n", "\n", "\r", "\b", "\t", "\a", " " * 15, " " * 80, "x" * 80, "x" * 79, "é♀─", "\r\n" * 30]),
    st.sampled_from(["\x1b[5;70H", "\x1b[K", "\x1b[2J", "\x1b[0m", "\x1b[999z"]),
)
ACTIONS = st.lists(st.one_of(PIECES, st.integers(1, 100), st.sampled_from(["CLEAR", "TITLE"])), max_size=30)


def play(console: Console, actions: list[object]) -> bytes:
    """Do what a program and a typist do; return all bytes, with the console looked at in between."""
    out, now = b"", 0.0
    for action in actions:
        if isinstance(action, int):
            console.erase(action % 30, now)
        elif action == "CLEAR":
            console.clear(now)
        elif action == "TITLE":
            console.title("a title")
        else:
            console.write(str(action), now)
        now += 0.03
        console.advance(now)
        if len(str(action)) % 3:
            out += console.take()
    console.advance(now + 1.0)
    return out + console.take()


@settings(max_examples=150)
@given(ACTIONS, st.integers(0, 50))
def test_an_independent_terminal_sees_the_stream_engines_cells(actions: list[object], seed: int) -> None:
    console = Stream(stream(seed, "t"))
    terminal = avt.Vt(80, 24)
    terminal.feed_str(play(console, actions).decode())
    assert screen(terminal) == [line.rstrip() for line in console.cells.lines()]
    assert (terminal.cursor.row, terminal.cursor.col) == (console.cells.row, console.cells.column)


@settings(max_examples=150)
@given(ACTIONS, st.integers(0, 50))
def test_an_independent_terminal_sees_the_scrape_engines_cells(actions: list[object], seed: int) -> None:
    console = Scrape(stream(seed, "t"))
    terminal = avt.Vt(80, 24)
    terminal.feed_str(play(console, actions).decode())
    assert screen(terminal) == [line.rstrip() for line in console.cells.lines()]
    assert (terminal.cursor.row, terminal.cursor.col) == (console.cells.row, console.cells.column)


@settings(max_examples=100)
@given(ACTIONS, st.integers(0, 50), st.booleans(), st.lists(st.integers(0, 5000), max_size=20))
def test_the_drivers_cells_and_their_redraw_agree(
    actions: list[object], seed: int, scrape: bool, cuts: list[int]
) -> None:
    console = Scrape(stream(seed, "t")) if scrape else Stream(stream(seed, "t"))
    data = play(console, actions)
    model = VtCells()
    edges = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    for start, end in pairwise(edges):
        model.feed(data[start:end])
    assert model.cells.lines() == console.cells.lines()
    terminal = avt.Vt(80, 24)
    terminal.feed_str("rubbish\r\n" * 5 + model.redraw().decode())
    assert screen(terminal) == [line.rstrip() for line in model.cells.lines()]


def test_rows_that_scroll_through_between_two_looks_are_lost() -> None:
    console = Scrape(stream(1, "t"))
    for number in range(100):
        console.write(f"row {number}\r\n", 0.0)
    console.advance(1.0)
    data = console.take()
    assert b"row 99" in data
    assert b"row 50" not in data


def test_text_that_stands_there_is_not_sent_again() -> None:
    console = Scrape(stream(1, "t"))
    console.write("C:\\>", 0.0)
    console.advance(1.0)
    assert b"C:\\>" in console.take()
    console.clear(2.0)
    console.write("C:\\>", 2.0)
    console.advance(3.0)
    assert console.take() == b""


def test_the_stream_engine_moves_over_runs_of_blanks() -> None:
    console = Stream(stream(1, "t"))
    console.take()
    console.write("a" + " " * 20 + "b", 0.0)
    assert b"\x1b[20C" in console.take()
    console.title("x")
    assert console.take() == b"\x1b]0;x\x07"
