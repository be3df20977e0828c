r"""The header that SAC shows before a channel: which channel it is, exactly.

Names count up again after each start of Windows, so a name says little; the GUID is new for each channel
(windows-sac.md 1.7), and proves that a channel is the one that was opened. It is read from the rows of the screen, and
only a well-formed one counts.

>>> screen = Screen()
>>> _ = screen.feed(b'''\x1b[2J\x1b[HName:                  Cmd0001\r
... Description:           Command\r
... Type:                  VT-UTF8\r
... Channel GUID:          e203fb79-d80d-11ea-87e3-c2679e14957d\r
... Application Type GUID: 63d02271-8aa4-11d5-bccf-00b0d014a2d0\r
... \r
... Press <esc><tab> for next channel.\r
... Press <esc><tab>0 to return to the SAC channel.\r
... Use any other key to view this channel.\r
... ''')
>>> read_header(screen)
Header(name='Cmd0001', description='Command', guid='e203fb79-d80d-11ea-87e3-c2679e14957d')
"""

import re
from dataclasses import dataclass

from serialfix.console.dialogue import Conversation, Expect, Shown
from serialfix.console.modes import PREVIEW_LAST_LINE
from serialfix.console.screen import Screen

_GUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_ROWS = tuple(
    re.compile(row)
    for row in (
        r"Name: +(\w{1,64})",
        r"Description: +(\S.*)",
        r"Type: +(\S.*)",
        rf"Channel GUID: +({_GUID})",
        rf"Application Type GUID: +({_GUID})",
    )
)


@dataclass(frozen=True, slots=True)
class Header:
    """A channel as its header names it. ``description`` is cut to its half by some versions of Windows."""

    name: str
    description: str
    guid: str


def read_header(screen: Screen) -> Header | None:
    """The header that ends the screen's text, whole and well-formed, or None."""
    rows = [row for row in screen.rows() if row]
    if len(rows) < 8 or rows[-1] != PREVIEW_LAST_LINE:
        return None
    found = [pattern.fullmatch(row) for pattern, row in zip(_ROWS, rows[-8:-3], strict=True)]
    values = [match[1] for match in found if match is not None]
    if len(values) < len(_ROWS):
        return None
    return Header(values[0], values[1], values[3].lower())


def see_header() -> Conversation[Header | None]:
    """The header that is shown now."""
    seen: list[Header | None] = []

    def read(screen: Screen) -> bool:
        seen[:] = [read_header(screen)]
        return True

    yield Expect((Shown("header", read),), timeout=0.0)
    return seen[0]
