r"""The VM's screen as lines of text, for a pipe: each row once it is done, and again only when it has changed.

Read from the emulated screen, since Windows draws rather than writes (windows-sac.md 2.1 to 2.3). The row that the
cursor stands in is held back until the cursor leaves it, or the end.

>>> rows = Rows()
>>> rows.feed(b"SAC>ch\r\nChannel List\r\n\r\nSAC>")
[]
>>> rows.settle(), rows.end()
(['SAC>ch', 'Channel List', ''], ['SAC>'])
"""

from serialfix.console.screen import ROWS, Screen
from serialfix.tui.safe import safe

_PIECE = 1024


class Rows:
    """What was printed of a screen, and what was not yet. All lines that it gives are safe to print."""

    def __init__(self) -> None:
        self.screen = Screen(keep=_PIECE)
        self._printed: dict[int, str] = {}
        self._next = 0  # the first row of which nothing was printed

    def feed(self, data: bytes) -> list[str]:
        """Show ``data``; the rows that scrolled away and were not printed."""
        lines: list[str] = []
        for start in range(0, len(data), _PIECE):  # not more rows than the screen remembers
            top = self._top()
            self.screen.feed(data[start : start + _PIECE])
            now = self._top()
            if now > top:
                lines += self._print(top, now, now)
                self._printed = {number: text for number, text in self._printed.items() if number >= now}
        return lines

    def settle(self) -> list[str]:
        """All is quiet: the rows above the cursor, and others that are drawn, as far as they are new."""
        top, cursor = self._top(), self.screen.cursor[0]
        return self._print(top, top + ROWS, cursor)

    def end(self) -> list[str]:
        """Nothing comes any more: the rest, with the cursor's row."""
        lines = self.settle()
        text = self.screen.rows()[self.screen.place[0]]
        return [*lines, safe(text)] if text else lines

    def _top(self) -> int:
        return self.screen.cursor[0] - self.screen.place[0]

    def _print(self, first: int, behind: int, cursor: int) -> list[str]:
        lines = []
        for row in self.screen.since(first):
            if row.number >= behind:
                break
            if row.number == cursor or self._printed.get(row.number) == row.text:
                continue
            if not row.text and (row.number > cursor or row.number < self._next):
                continue  # erased, or nothing yet
            lines.append(safe(row.text))
            self._printed[row.number] = row.text
            self._next = max(self._next, row.number + 1)
        return lines
