r"""What the VM's console shows: bytes in, 80x24 cells out. The only import of the terminal emulator.

SAC keeps 80x24 cells a channel and sends redraws, cursor addressing, NULs inside words and colour changes
(windows-sac.md 2.1 to 2.3), so only an emulated screen says what stands where. Rows that scroll off are kept, up to a
bound, with absolute numbers: row 0 is the first row that was ever shown.

>>> screen = Screen()
>>> _ = screen.feed(b"\x1b[2J\x1b[1;1HComputer is booting\r\n\x00\r\nSAC>")
>>> screen.line_to_cursor()
'SAC>'
>>> screen.rows()[0]
'Computer is booting'

A VM may be hostile, so work and memory for each byte are bounded: output is shown in small pieces, and a sequence that
repeats a character (REP) any number of times is not obeyed. SAC and Windows' console send none.

>>> _ = screen.feed(b"!\x1b[2000000000b")
>>> screen.line_to_cursor(), screen.rows_gone
('SAC>!', 0)
"""

import codecs
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

import avt

T = TypeVar("T")

COLUMNS = 80
ROWS = 24

MOST_KEPT = 256 * 1024  # bytes of scrolled-off rows: an answer of 64 kB with its numbers, also as base64, and more
PIECE = 512  # characters shown at once: each may scroll some rows off, and the emulator's rows are large

# CAN ends a sequence that was cut off; then the main screen, no margins, origin or insert mode, and wraps again.
_RESET = "\x18\x1b[?1047l\x1b[!p\x1b[?7h"

# A control sequence up to, but without, its last character. Control characters within it are obeyed and do not end it.
_CONTROL = r"[\x00-\x17\x19\x1c-\x1f\x7f]"
_OBEYED = _CONTROL + "*+"
_OPENED = rf"[\x1b\x9b](?:(?<=\x9b)|(?<=\x1b){_OBEYED}\[)"  # begins with a set, which is searched for fastest
_INSIDE = r"[\x00-\x17\x19\x1c-\x3f\x7f]*+"
_REPEAT = re.compile(rf"({_OPENED}(?!(?:{_OBEYED}\d){{0,2}}{_OBEYED}b){_INSIDE})b")
# What may forget rows that scrolled off just before: a reset, and a change of screens.
_FORGETS = re.compile(rf"\x1b{_OBEYED}c|{_OPENED}{_INSIDE}[hl]")
_SPECIAL = re.compile(rf"[\x1b\x9b](?:(?<=\x1b){_OBEYED}(?:c|\[{_INSIDE}[bhl])|(?<=\x9b){_INSIDE}[bhl])")
_UNFINISHED = re.compile(rf"\x1b{_OBEYED}|{_OPENED}{_INSIDE}")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: ``number`` counts from the first row ever shown; blanks at the end of ``text`` are removed."""

    number: int
    text: str


class Look(NamedTuple):
    """How a character looks. Colours: 0 to 255, (red, green, blue), or None for the terminal's own."""

    foreground: int | tuple[int, int, int] | None = None
    background: int | tuple[int, int, int] | None = None
    bold: bool = False
    faint: bool = False
    underline: bool = False
    inverse: bool = False


PLAIN = Look()


class Cell(NamedTuple):
    """One cell; ``width`` is 0 in the right half of a wide character."""

    character: str
    width: int
    look: Look


class Screen:
    """An emulated screen. ``keep``: how many scrolled-off rows are remembered, and no more than ``MOST_KEPT`` bytes."""

    def __init__(self, *, keep: int = 4000) -> None:
        self._vt = avt.Vt(COLUMNS, ROWS, scrollback_limit=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._keep = keep
        self._gone = bytearray()  # the rows, each ended by a line feed: as one object they take little memory
        self._kept = 0
        self._top = 0
        self._unfinished = ""
        self._read: dict[Callable[[Screen], Any], Any] = {}

    def feed(self, data: bytes) -> str:
        """Show ``data``; returns it as text (incomplete characters wait for the next call)."""
        text = self._decoder.decode(data)
        if text:
            self._read.clear()
            for part in self._tamed(text):
                for start in range(0, len(part), PIECE):
                    _, pushed = self._vt.feed_str(part[start : start + PIECE])
                    if pushed:
                        self._remember([line.text.rstrip() for line in pushed])
        return text

    def _tamed(self, text: str) -> list[str]:
        """``text`` with REPs that would do much work made into sequences that do nothing, cut where rows must be kept.

        What came before, as far as it is a sequence without an end, is looked at too.
        """
        if not self._unfinished and "\x1b" not in text and "\x9b" not in text:
            return [text]
        before = len(self._unfinished)
        whole = self._unfinished + text
        parts = [text]
        if _SPECIAL.search(whole):
            whole = _REPEAT.sub(r"\1~", whole)
            edges = [before, *(found.end() - 1 for found in _FORGETS.finditer(whole)), len(whole)]
            parts = [whole[start:end] for start, end in pairwise(edges)]
        unfinished = _UNFINISHED.fullmatch(whole, max(whole.rfind("\x1b"), whole.rfind("\x9b"), 0))
        # Five characters tell a short number from what is none.
        self._unfinished = re.sub(_CONTROL, "", unfinished[0])[:5] if unfinished else ""
        return parts

    def _remember(self, rows: list[str]) -> None:
        self._gone += "".join(f"{row}\n" for row in rows).encode()
        self._kept += len(rows)
        self._top += len(rows)
        while self._kept > self._keep or len(self._gone) > MOST_KEPT:
            del self._gone[: self._gone.index(b"\n") + 1]
            self._kept -= 1

    def unstick(self) -> None:
        """End an escape sequence that never ended, and modes that would bend what follows; no cell changes."""
        self._read.clear()
        self._unfinished = ""
        self._vt.feed_str(_RESET)

    def rows(self) -> list[str]:
        """The 24 rows shown now, blanks at their ends removed."""
        return self.once(Screen._rows).copy()

    def last_row(self) -> str:
        """The lowest row that shows anything, blanks at its end removed; empty when none does."""
        return self.once(Screen._last_row)

    def once(self, read: "Callable[[Screen], T]") -> T:
        """What ``read`` makes of the screen, worked out but once until something is shown.

        Several who wait ask the same of a screen after each message. ``read`` is kept: no lambda made for one call.
        """
        if read not in self._read:
            self._read[read] = read(self)
        value: T = self._read[read]
        return value

    @property
    def rows_gone(self) -> int:
        """How many rows have scrolled off, kept or not: the number of the uppermost row that is shown."""
        return self._top

    def cells(self) -> list[list[Cell]]:
        """The 24 rows shown now as 80 cells each, with their looks."""
        return [
            [
                Cell(cell.char, cell.width, PLAIN if cell.pen.is_default() else _look(cell.pen))
                for cell in line.cells[:COLUMNS]
            ]
            for line in self._vt.view()
        ]

    @property
    def place(self) -> tuple[int, int]:
        """The cursor's row (0 to 23) and column among the rows that are shown."""
        at = self._vt.cursor
        return at.row, at.col

    @property
    def cursor(self) -> tuple[int, int]:
        """Absolute row number and column (0 to 80; 80 means that the next character wraps)."""
        at = self._vt.cursor
        return self._top + at.row, at.col

    @property
    def cursor_row(self) -> int:
        """The row of the screen that the cursor stands in, from 0."""
        return int(self._vt.cursor.row)

    def line_to_cursor(self) -> str:
        """The cursor's row from its first column to the cursor, blanks kept."""
        text, at = self.once(Screen._cut)
        return text[:at]

    def rest_of_line(self) -> str:
        """What stands in the cursor's row behind the cursor, blanks at the end removed."""
        text, at = self.once(Screen._cut)
        return text[at:].rstrip()

    def before_cursor(self, count: int) -> str:
        """The ``count`` characters that end at the cursor, row by row, blanks kept; fewer where the screen begins.

        Wraps, scrolls and cursor addressing do not matter: a typed line stands in the cells before the cursor
        whichever way they were painted.
        """
        text, at = self.once(Screen._cut)
        before = text[:at]
        row = self._vt.cursor.row
        while len(before) < count and row > 0:
            row -= 1
            before = str(self._vt[row].text) + before
        return before[-count:] if count else ""

    def since(self, number: int) -> Iterator[Row]:
        """All rows from absolute row ``number`` to the last one shown, as far as they are still remembered."""
        if number < self._top:
            first = self._top - self._kept
            gone = self._gone.decode().split("\n")
            for offset in range(max(0, number - first), self._kept):
                yield Row(first + offset, gone[offset])
        for offset, text in enumerate(self.rows()):
            if self._top + offset >= number:
                yield Row(self._top + offset, text)

    def _rows(self) -> list[str]:
        return [line.text.rstrip() for line in self._vt.view()]

    def _last_row(self) -> str:
        texts = (str(self._vt[row].text).rstrip() for row in reversed(range(ROWS)))
        return next(filter(None, texts), "")

    def _cut(self) -> tuple[str, int]:
        """The cursor's row, and how many of its characters stand before the cursor: wide ones fill two columns."""
        at = self._vt.cursor
        line = self._vt[at.row]
        text = str(line.text)
        if len(text) == COLUMNS:
            return text, at.col
        return text, sum(cell.width > 0 for cell in line.cells[: at.col])


def _look(pen: avt.Pen) -> Look:
    return Look(_colour(pen.foreground), _colour(pen.background), pen.bold, pen.faint, pen.underline, pen.inverse)


def _colour(colour: avt.Color | None) -> int | tuple[int, int, int] | None:
    match colour:
        case avt.Color.Indexed():
            return int(colour[0])
        case avt.Color.RGB():
            return int(colour[0]), int(colour[1]), int(colour[2])
    return None
