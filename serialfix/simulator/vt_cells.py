r"""The SAC driver's cell model of a VT-UTF8 channel: what a redraw shows.

It reads the channel's own output. windows-sac.md 2.1 to 2.3: 80x24, it knows cursor moves, erase and colours; in the
``strict`` form (as ReactOS does it) text past column 80 overwrites column 80, TAB goes to a multiple of 4, and of an
unknown sequence only ESC and the next character are skipped, so its tail lands on the screen. The tolerant form wraps
and skips unknown sequences whole: nobody knows which one newer Windows has.
"""

import codecs
import re

from serialfix.simulator.cells import Cells

_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[^\[\]])")
_KNOWN = re.compile(r"\x1b\[(?:\d*[ABCD]|[012]?[KJ]|(?:\d+(?:;\d+){1,2})?[Hfr]|\d*(?:;\d+){0,2}m)")


class VtCells:
    """The cells of one channel, fed with its output."""

    def __init__(self, *, strict: bool = False) -> None:
        self.cells = Cells()
        self._strict = strict
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._full = False  # the last column was written: the next character wraps (tolerant)

    def feed(self, data: bytes) -> None:
        """Apply output; a sequence cut at the end waits for its rest."""
        text = self._rest + self._decoder.decode(data)
        self._rest = ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self._character(text[at])
                at += 1
                continue
            match = (_KNOWN if self._strict else _SEQUENCE).match(text, at)
            if match is None:
                unfinished = re.compile(r"\x1b(?:\[[0-9;?]*|\][^\x07\x1b]*\x1b?)?\Z").match(text, at)
                if unfinished and len(text) - at < 300:
                    self._rest = text[at:]
                    return
                at += 2
                continue
            self._sequence(match[0])
            at = match.end()

    def _character(self, character: str) -> None:
        cells = self.cells
        if character == "\r":
            cells.column, self._full = 0, False
        elif character == "\n":
            self._full = False
            cells.down()
        elif character == "\b":
            cells.column, self._full = max(0, cells.column - 1), False
        elif character == "\t":
            step = 4 if self._strict else 8
            cells.move(cells.row, cells.column + step - cells.column % step)
        elif character >= " ":
            if self._full and not self._strict:
                cells.column = 0
                cells.down()
            cells.grid[cells.row][cells.column] = character
            self._full = cells.column == cells.columns - 1
            cells.column = min(cells.column + 1, cells.columns - 1)

    def _sequence(self, text: str) -> None:
        cells, final = self.cells, text[-1]
        if text[1] != "[" or final in "mr" or "?" in text:
            return
        numbers = [int(n) if n.isdigit() else 0 for n in text[2:-1].split(";")]
        first = numbers[0]
        self._full = False
        if final in "Hf":
            cells.move((first or 1) - 1, ((numbers[1] if len(numbers) > 1 else 1) or 1) - 1)
        elif final in "ABCD":
            step = first or 1
            rows, columns = {"A": (-step, 0), "B": (step, 0), "C": (0, step), "D": (0, -step)}[final]
            cells.move(cells.row + rows, cells.column + columns)
        elif final == "X":
            cells.erase(first or 1)
        elif final == "K":
            start = 0 if first else cells.column
            stop = cells.column + 1 if first == 1 else cells.columns
            cells.grid[cells.row][start:stop] = " " * (stop - start)
        elif final == "J":
            begin = 0 if first else cells.row + 1
            end = cells.row if first == 1 else cells.rows
            if first != 2:
                self._sequence(f"\x1b[{first}K")
            for row in range(begin, end):
                cells.grid[row] = [" "] * cells.columns

    def redraw(self) -> bytes:
        """Return the full redraw of windows-sac.md 2.2, without its possible NULs."""
        cells = self.cells
        rows = cells.lines()
        text = "\x1b[2J\x1b[1;1H\x1b[0m\x1b[22m\x1b[25m\x1b[27m\x1b[40m\x1b[37m" + rows[0]
        text += "".join(f"\x1b[{number};1H{row}" for number, row in enumerate(rows[1:], 2))
        text += f"\x1b[{cells.row + 1};{cells.column + 1}H\x1b[22m\x1b[25m\x1b[27m\x1b[40m\x1b[37m"
        return text.encode()
