r"""The VM's screen -> text that draws it on ours: only cells that changed, and no control sequence but our own.

What the VM sends ends in the emulated screen; from there come characters and colours, nothing else. A character that
could act, hide or overlap another is drawn as a replacement character.

>>> from serialfix.console.screen import Screen
>>> painter, screen = Painter(), Screen()
>>> _ = painter.paint(screen.cells(), screen.place, ["vm1"], (25, 80))
>>> _ = screen.feed(b"\x1b]52;c;ZXZpbA==\x07\x1b[3;1HSAC>")
>>> painter.paint(screen.cells(), screen.place, ["vm1"], (25, 80))
'\x1b[?25l\x1b[3;1HSAC>\x1b[0m\x1b[3;5H\x1b[?25h'
"""

import unicodedata
from collections.abc import Sequence

from serialfix.console.screen import PLAIN, Cell, Look
from serialfix.tui.safe import safe

REPLACEMENT = "\ufffd"
BAR = Look(inverse=True)
_BLANK = Cell(" ", 1, PLAIN)

Cells = Sequence[Sequence[Cell]]


class Painter:
    """Knows what stands on our terminal, and draws the difference."""

    def __init__(self) -> None:
        self._size = (0, 0)
        self._shown: list[list[Cell]] = []

    def forget(self) -> None:
        """Somebody else has drawn there: the next picture is drawn whole."""
        self._size = (0, 0)

    def paint(
        self, cells: Cells, place: tuple[int, int], bar: Sequence[str], size: tuple[int, int], over: Sequence[str] = ()
    ) -> str:
        """What to write so that ``cells`` stand above the lines of ``bar`` on a terminal of ``size``, rows and columns.

        ``place``: the cursor among the cells; its row is always seen. ``over``: our own lines, drawn over the cells.
        """
        rows, columns = size
        height = max(1, min(len(cells), rows - len(bar)))
        first = max(0, place[0] - height + 1)
        picture = [_fit(row, columns) for row in cells[first : first + height]]
        for number, line in enumerate(over[:height]):
            picture[number] = _fit(text_cells(f"  {line}", PLAIN), columns)
        for line in bar:
            # The last cell is left alone: some terminals scroll when the last of all is written.
            picture.append(_fit(text_cells(f" {line}".ljust(columns)[: columns - 1], BAR), columns))
        picture = (picture + [[_BLANK] * columns] * rows)[:rows]
        drawn = ["\x1b[?25l"]
        if self._size != size:
            drawn.append("\x1b[0m\x1b[2J")
            self._size, self._shown = size, [[_BLANK] * columns] * rows
        for number, (row, shown) in enumerate(zip(picture, self._shown, strict=True)):
            drawn.extend(_row(number, row, shown))
        self._shown = picture
        row_there, column = place[0] - first, min(place[1], columns - 1)
        drawn.append(f"\x1b[0m\x1b[{row_there + 1};{column + 1}H\x1b[?25h")
        return "".join(drawn)


def text_cells(text: str, look: Look) -> list[Cell]:
    """A line of our own as cells; what is quoted in it was not made safe."""
    return [Cell(_glyph(character), 1, look) for character in safe(text)]


def _row(number: int, row: Sequence[Cell], shown: Sequence[Cell]) -> list[str]:
    drawn: list[str] = []
    pen = PLAIN  # where nothing was drawn yet
    at = -1  # where our terminal's cursor stands, if that is certain
    for column, (cell, was) in enumerate(zip(row, shown, strict=True)):
        # The left half of a wide character takes the right one with it: both are drawn again or neither.
        if cell == was and not (column and row[column - 1] != shown[column - 1] and row[column - 1].width == 2):
            continue
        if cell.width == 0:
            continue
        if at != column:
            drawn.append(f"\x1b[{number + 1};{column + 1}H")
        if cell.look != pen:
            drawn.append(sgr(cell.look))
            pen = cell.look
        if cell.width == 2:  # blanks first, for a terminal that draws it narrow
            drawn.append(f"  \x1b[{number + 1};{column + 1}H")
        drawn.append(cell.character)
        # Terminals differ in how wide they draw what is not ASCII.
        at = column + 1 if cell.character.isascii() else -1
    if pen != PLAIN:
        drawn.append("\x1b[0m")
    return drawn


def _fit(row: Sequence[Cell], columns: int) -> list[Cell]:
    """The row as wide as our terminal, with glyphs that are safe to draw."""
    fitted = [Cell(_glyph(cell.character), cell.width, cell.look) for cell in row[:columns]]
    if fitted and fitted[-1].width == 2:  # its right half is cut off
        fitted[-1] = Cell(" ", 1, fitted[-1].look)
    return fitted + [_BLANK] * (columns - len(fitted))


def _glyph(character: str) -> str:
    if character.isascii() and character.isprintable():
        return character
    if len(character) != 1 or safe(character) != character or unicodedata.category(character).startswith("M"):
        return REPLACEMENT
    return character


def sgr(look: Look) -> str:
    """The one kind of sequence that a look becomes.

    >>> sgr(Look(foreground=1, background=(1, 2, 3), bold=True))
    '\\x1b[0;1;31;48;2;1;2;3m'
    """
    words = ["0"]
    words += [
        word for word, on in (("1", look.bold), ("2", look.faint), ("4", look.underline), ("7", look.inverse)) if on
    ]
    words += _colour(look.foreground, 30) + _colour(look.background, 40)
    return f"\x1b[{';'.join(words)}m"


def _colour(colour: int | tuple[int, int, int] | None, base: int) -> list[str]:
    if colour is None:
        return []
    if isinstance(colour, tuple):
        return [str(base + 8), "2", *map(str, colour)]
    if colour < 8:
        return [str(base + colour)]
    return [str(base + 52 + colour)] if colour < 16 else [str(base + 8), "5", str(colour)]
