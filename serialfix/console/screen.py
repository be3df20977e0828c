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
"""

import codecs
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import avt

COLUMNS = 80
ROWS = 24

# CAN ends a sequence that was cut off; then the main screen, no margins, origin or insert mode, and wraps again.
_RESET = "\x18\x1b[?1047l\x1b[!p\x1b[?7h"


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
    """An emulated screen. ``keep``: how many scrolled-off rows are remembered (memory is bounded by it)."""

    def __init__(self, *, keep: int = 4000) -> None:
        self._vt = avt.Vt(COLUMNS, ROWS, scrollback_limit=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._gone: deque[Row] = deque(maxlen=keep)
        self._top = 0

    def feed(self, data: bytes) -> str:
        """Show ``data``; returns it as text (incomplete characters wait for the next call)."""
        text = self._decoder.decode(data)
        if text:
            _, pushed = self._vt.feed_str(text)
            for line in pushed:
                self._gone.append(Row(self._top, line.text.rstrip()))
                self._top += 1
        return text

    def unstick(self) -> None:
        """End an escape sequence that never ended, and modes that would bend what follows; no cell changes."""
        self._vt.feed_str(_RESET)

    def rows(self) -> list[str]:
        """The 24 rows shown now, blanks at their ends removed."""
        return [line.text.rstrip() for line in self._vt.view()]

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

    def line_to_cursor(self) -> str:
        """The cursor's row from its first column to the cursor, blanks kept."""
        at = self._vt.cursor
        return str(self._vt.view()[at.row].text)[: at.col]

    def rest_of_line(self) -> str:
        """What stands in the cursor's row behind the cursor, blanks at the end removed."""
        at = self._vt.cursor
        return str(self._vt.view()[at.row].text)[at.col :].rstrip()

    def before_cursor(self, count: int) -> str:
        """The ``count`` cells that end at the cursor, row by row, blanks kept; fewer where the screen begins.

        Wraps, scrolls and cursor addressing do not matter: a typed line stands in the cells before the cursor
        whichever way they were painted.
        """
        at = self._vt.cursor
        rows = self._vt.view()
        first = max(0, at.row - count // COLUMNS - 1)
        cells = "".join(_full(rows[number].text) for number in range(first, at.row))
        cells += _full(rows[at.row].text)[: at.col]
        return cells[-count:] if count else ""

    def since(self, number: int) -> Iterator[Row]:
        """All rows from absolute row ``number`` to the last one shown, as far as they are still remembered."""
        for row in self._gone:
            if row.number >= number:
                yield row
        for offset, line in enumerate(self._vt.view()):
            if self._top + offset >= number:
                yield Row(self._top + offset, line.text.rstrip())


def _full(text: str) -> str:
    return text.ljust(COLUMNS)[:COLUMNS]


def _look(pen: avt.Pen) -> Look:
    return Look(_colour(pen.foreground), _colour(pen.background), pen.bold, pen.faint, pen.underline, pen.inverse)


def _colour(colour: avt.Color | None) -> int | tuple[int, int, int] | None:
    match colour:
        case avt.Color.Indexed():
            return int(colour[0])
        case avt.Color.RGB():
            return int(colour[0]), int(colour[1]), int(colour[2])
    return None
