"""A grid of characters with a cursor: what the console holds, and what the SAC driver holds of each channel.

80 columns; the console wraps at once after the last column, as Windows' does. Colours are not kept: nothing in this
simulator shows any.
"""

BLANK = " "


class Cells:
    """``rows`` x ``columns`` characters; row and column count from 0."""

    def __init__(self, rows: int = 24, columns: int = 80) -> None:
        self.rows, self.columns = rows, columns
        self.grid = [[BLANK] * columns for _ in range(rows)]
        self.row = self.column = 0

    def lines(self) -> list[str]:
        """Return the rows as text, each ``columns`` long."""
        return ["".join(row) for row in self.grid]

    def scroll(self) -> None:
        """Push the first row out."""
        self.grid.pop(0)
        self.grid.append([BLANK] * self.columns)

    def down(self) -> None:
        """Move one row down, scrolling at the bottom."""
        if self.row == self.rows - 1:
            self.scroll()
        else:
            self.row += 1

    def put(self, character: str) -> bool:
        """Write one character; True when that wrapped to the next row."""
        self.grid[self.row][self.column] = character
        self.column += 1
        if self.column < self.columns:
            return False
        self.column = 0
        self.down()
        return True

    def move(self, row: int, column: int) -> None:
        """Put the cursor somewhere inside."""
        self.row = min(max(row, 0), self.rows - 1)
        self.column = min(max(column, 0), self.columns - 1)

    def back(self) -> None:
        """Step back one cell, to the end of the row above at a row's start."""
        if self.column:
            self.column -= 1
        elif self.row:
            self.row, self.column = self.row - 1, self.columns - 1

    def erase(self, count: int) -> None:
        """Blank ``count`` cells from the cursor on, within the row."""
        for column in range(self.column, min(self.column + count, self.columns)):
            self.grid[self.row][column] = BLANK

    def clear(self) -> None:
        """Blank everything, cursor home."""
        self.grid = [[BLANK] * self.columns for _ in range(self.rows)]
        self.row = self.column = 0
