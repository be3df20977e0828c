r"""The two console engines that stand between a cmd channel's programs and the line.

``Stream`` (2022, 2025): what the program writes goes out as text and control sequences, like ConPTY: ``ESC[nC`` instead
of runs of blanks, titles as OSC 0, SGR and cursor noise. ``Scrape`` (2016, 2019): the screen is looked at every 16 to
100 ms and only what changed is sent, as cursor address, text and erase-to-end; rows that scrolled through between two
looks are lost. windows-sac.md 2.3 and 7; thresholds and intervals are not known there and are drawn from the seed.
"""

import re
from collections.abc import Iterator
from random import Random
from typing import Protocol

from serialfix.simulator.cells import Cells

_PARTS = re.compile(r"\x1b\[[0-9;?]*[@-~]|\x1b.?|\r\n|[\x00-\x1f]| +|[^\x00-\x20]+", re.DOTALL)


class Console(Protocol):
    """What a session writes to."""

    cells: Cells

    def write(self, text: str, now: float) -> None:
        """Put text at the cursor."""

    def erase(self, count: int, now: float) -> None:
        """Take back the last ``count`` characters of a typed line."""

    def clear(self, now: float) -> None:
        """Clear the screen."""

    def title(self, text: str) -> None:
        """Set the title."""

    def overlay(self, rows: tuple[str, ...], now: float) -> None:
        """Paint over the first rows; no rows: give back what was below."""

    def take(self) -> bytes:
        """Return what came out since the last call."""

    def due(self) -> float | None:
        """Return when something comes out by itself."""

    def advance(self, now: float) -> None:
        """Let what is due come out."""


def _csi(text: str) -> tuple[str, list[int]]:
    return text[-1], [int(n) if n.isdigit() else 0 for n in text[2:-1].lstrip("?").split(";")]


def _apply(cells: Cells, part: str) -> bool:
    """Apply a control sequence a program wrote; False when the console does not know it."""
    if not part.startswith("\x1b["):
        return False
    final, numbers = _csi(part)
    first = numbers[0]
    if final in "Hf":
        cells.move((first or 1) - 1, ((numbers[1] if len(numbers) > 1 else 1) or 1) - 1)
    elif final == "K" and first == 0:
        cells.erase(cells.columns)
    elif final == "J" and first == 2:
        row, column = cells.row, cells.column
        cells.clear()
        cells.move(row, column)
    else:
        return final == "m"
    return True


class Tinted(str):
    """One character with a colour: ``pen`` is the SGR that was in force."""

    __slots__ = ("pen",)
    pen: str

    def __new__(cls, character: str, pen: str) -> "Tinted":
        """Make one."""
        made = super().__new__(cls, character)
        made.pen = pen
        return made


def _cover(cells: Cells, rows: tuple[str, ...], below: list[list[str]]) -> None:
    """Put rows over the first ones of the grid, keeping those in ``below``; no rows: put those back."""
    if rows:
        below[:] = [list(row) for row in cells.grid[: len(rows)]]
        for number, text in enumerate(rows):
            cells.grid[number] = list(text[: cells.columns].ljust(cells.columns))
        return
    cells.grid[: len(below)] = below
    below.clear()


def _parts(text: str) -> Iterator[str]:
    for match in _PARTS.finditer(text):
        yield match[0]


class Stream:
    """The engine of 2022 and 2025."""

    def __init__(self, random: Random, rows: int = 24) -> None:
        self.cells = Cells(rows)
        self._random = random
        self._out: list[str] = (
            ["\x1b[2J\x1b[m\x1b[H"] if random.random() < 0.5 else ["\x1b[?25l\x1b[2J\x1b[m\x1b[H\x1b[?25h"]
        )
        self._run = random.randrange(5, 12)  # blanks from which a cursor move is shorter
        self._explicit = random.random() < 0.5  # whether a wrap is sent as CR LF or left to the terminal
        self._wrapped = False
        self._below: list[list[str]] = []

    def _end_row(self) -> None:
        if self._wrapped:
            self._out.append("\r\n")
            self._wrapped = False

    def _characters(self, text: str) -> None:
        cells = self.cells
        for character in text:
            self._wrapped = False  # the terminal wraps by itself when the next character comes
            self._out.append(character)
            if cells.put(character):
                self._wrapped = True
                if self._explicit:
                    self._end_row()

    def _blanks(self, text: str) -> None:
        cells, count = self.cells, len(text)
        if self._wrapped or count < self._run or cells.column + count >= cells.columns:
            self._characters(text)
            return
        standing = cells.grid[cells.row][cells.column : cells.column + count]
        if any(character != " " for character in standing):
            self._out.append(f"\x1b[{count}X")
            cells.erase(count)
        self._out.append(f"\x1b[{count}C")
        cells.column += count

    def write(self, text: str, now: float) -> None:
        """Put text at the cursor and send it on."""
        del now
        cells = self.cells
        hide = len(text) > 3 and self._random.random() < 0.2
        if hide:
            self._end_row()
            self._out.append("\x1b[?25l")
        for part in _parts(text):
            if part[0] == " ":
                self._blanks(part)
            elif part[0] > " ":
                self._characters(part)
            else:
                self._end_row()
                self._control(part, cells)
        if hide:
            self._end_row()
            self._out.append("\x1b[?25h")
        elif len(text) > 1 and self._random.random() < 0.05:
            self._end_row()
            self._out.append("\x1b[m")

    def _control(self, part: str, cells: Cells) -> None:
        if part in {"\r\n", "\n"}:
            cells.column = 0
            cells.down()
            self._out.append("\r\n")
        elif part == "\r":
            cells.column = 0
            self._out.append("\r")
        elif part == "\b":
            if cells.column:
                cells.column -= 1
                self._out.append("\b")
        elif part == "\t":
            self._blanks(" " * (8 - cells.column % 8))
        elif part == "\a":
            self._out.append("\a")
        elif part == "\f":
            self._characters("♀")
        elif _apply(cells, part):
            self._out.append(part)

    def erase(self, count: int, now: float) -> None:
        """Take back typed characters, across rows by cursor address."""
        del now
        self._end_row()
        cells = self.cells
        for _ in range(count):
            crosses = cells.column == 0
            cells.back()
            cells.grid[cells.row][cells.column] = " "
            here = f"\x1b[{cells.row + 1};{cells.column + 1}H"
            self._out.append(f"{here} {here}" if crosses else "\b \b")

    def clear(self, now: float) -> None:
        """Clear the screen."""
        del now
        self._end_row()
        self.cells.clear()
        self._out.append("\x1b[2J\x1b[H")

    def title(self, text: str) -> None:
        """Send the title."""
        self._end_row()
        self._out.append(f"\x1b]0;{text}\x07")

    def overlay(self, rows: tuple[str, ...], now: float) -> None:
        """Send the rows by cursor address, yellow on cyan; later what was below."""
        del now
        self._end_row()
        cells, count = self.cells, len(rows) or len(self._below)
        _cover(cells, rows, self._below)
        colour = "\x1b[93m\x1b[46m" if rows else ""
        for number in range(count):
            self._out.append(f"\x1b[{number + 1};1H{colour}{''.join(cells.grid[number])}")
        self._out.append(f"\x1b[m\x1b[{cells.row + 1};{cells.column + 1}H")

    def take(self) -> bytes:
        """Return what came out; the terminal's cursor then stands where the console's does."""
        self._end_row()
        text = "".join(self._out)
        self._out.clear()
        return text.encode()

    def due(self) -> float | None:
        """Return None: nothing comes later."""
        return None

    def advance(self, now: float) -> None:
        """Do nothing."""
        del now


class Scrape:
    """The engine of 2016 and 2019."""

    def __init__(self, random: Random, rows: int = 24) -> None:
        self.cells = Cells(rows)
        self._random = random
        self._out: list[str] = ["\x1b[2J\x1b[1;1H"]
        self._sent = self.cells.lines()
        self._sent_cursor = (0, 0)
        self._interval = random.uniform(0.016, 0.1)
        self._next: float | None = None
        self._pen = ""
        self._below: list[list[str]] = []

    def _touched(self, now: float) -> None:
        if self._next is None:
            self._next = now + self._interval * self._random.uniform(0.2, 1.0)

    def write(self, text: str, now: float) -> None:
        """Put text at the cursor; a later look sends it."""
        cells = self.cells
        for part in _parts(text):
            if part[0] >= " ":
                for character in part:
                    cells.put(Tinted(character, self._pen) if self._pen else character)
            elif part.startswith("\x1b[") and part.endswith("m"):
                self._pen = "" if part in {"\x1b[m", "\x1b[0m"} else self._pen + part
            elif part in {"\r\n", "\n"}:
                cells.column = 0
                cells.down()
            elif part == "\r":
                cells.column = 0
            elif part == "\b":
                cells.column = max(0, cells.column - 1)
            elif part == "\t":
                cells.move(cells.row, cells.column + 8 - cells.column % 8)
            elif part == "\f":
                cells.put("♀")
            else:
                _apply(cells, part)
        self._touched(now)

    def erase(self, count: int, now: float) -> None:
        """Take back typed characters."""
        for _ in range(count):
            self.cells.back()
            self.cells.grid[self.cells.row][self.cells.column] = " "
        self._touched(now)

    def clear(self, now: float) -> None:
        """Clear the screen."""
        self.cells.clear()
        self._touched(now)

    def title(self, text: str) -> None:
        """Ignore titles: they are not on the screen."""

    def overlay(self, rows: tuple[str, ...], now: float) -> None:
        """Paint over the first rows; a later look sends that."""
        _cover(self.cells, rows, self._below)
        self._touched(now)

    def due(self) -> float | None:
        """Return when the screen is looked at next, if it may have changed."""
        return self._next

    def advance(self, now: float) -> None:
        """Look at the screen if it is time."""
        if self._next is not None and self._next <= now:
            self._next = None
            self._look()

    def _look(self) -> None:
        lines = self.cells.lines()
        for row, (old, new) in enumerate(zip(self._sent, lines, strict=True)):
            if old == new:
                continue
            end = len(new.rstrip())
            for start, stop in _changed(old, new):
                if start >= end:
                    break
                cells = self.cells.grid[row][start : min(stop, end)]
                self._out.append(f"\x1b[{row + 1};{start + 1}H{_painted(cells)}")
            if len(old.rstrip()) > end:
                self._out.append(f"\x1b[{row + 1};{end + 1}H\x1b[0K")
        cursor = (self.cells.row, self.cells.column)
        if lines != self._sent or cursor != self._sent_cursor:
            self._out.append(f"\x1b[{cursor[0] + 1};{cursor[1] + 1}H")
        self._sent, self._sent_cursor = lines, cursor

    def take(self) -> bytes:
        """Return what came out."""
        text = "".join(self._out)
        self._out.clear()
        return text.encode()


def _painted(cells: list[str]) -> str:
    """Return cells as text, with an SGR wherever the colour changes."""
    found, pen = "", ""
    for cell in cells:
        here = cell.pen if isinstance(cell, Tinted) else ""
        if here != pen:
            found, pen = found + ("\x1b[m" if pen else "") + here, here
        found += str(cell)
    return found + ("\x1b[m" if pen else "")


def _changed(old: str, new: str) -> list[tuple[int, int]]:
    """Return the runs where two rows differ; runs less than four cells apart are one."""
    runs: list[tuple[int, int]] = []
    for column in range(len(new)):
        if old[column] != new[column]:
            if runs and column - runs[-1][1] < 4:
                runs[-1] = (runs[-1][0], column + 1)
            else:
                runs.append((column, column + 1))
    return runs


class Raw:
    """No console at all: what the login dialogue writes goes straight to the channel."""

    def __init__(self) -> None:
        self.cells = Cells()
        self._out: list[str] = []

    def write(self, text: str, now: float) -> None:
        """Send text."""
        del now
        self._out.append(text)

    def erase(self, count: int, now: float) -> None:
        """Send backspaces."""
        del now
        self._out.append("\b \b" * count)

    def clear(self, now: float) -> None:
        """Do nothing."""

    def title(self, text: str) -> None:
        """Do nothing."""

    def overlay(self, rows: tuple[str, ...], now: float) -> None:
        """Do nothing."""

    def take(self) -> bytes:
        """Return what came out."""
        text = "".join(self._out)
        self._out.clear()
        return text.encode()

    def due(self) -> float | None:
        """Return None."""
        return None

    def advance(self, now: float) -> None:
        """Do nothing."""
