r"""Which mode the console is in, read at the cursor of the emulated screen.

The same keys mean different things in different modes: ``dir`` typed at ``SAC>`` dumps the kernel log, ``shutdown /a``
there shuts the VM down (windows-sac.md 1.5). So the mode is read before anything is typed, from the row the cursor
stands in, never from a match somewhere in the stream: ``SAC>`` also stands in every redraw, EVENT and echo (6.2).

>>> screen = Screen()
>>> _ = screen.feed(b"EVENT: The CMD command is now available.\r\nSAC>")
>>> read_mode(screen)
Mode(kind='sac', typed='', name='')
>>> _ = screen.feed(b"\r\nC:\\Windows\\system32>dir")
>>> read_mode(screen)
Mode(kind='cmd', typed='dir', name='')
"""

import re
from dataclasses import dataclass
from typing import Literal

from serialfix.console.screen import Screen

Kind = Literal[
    "sac",
    "stripped sac",
    "sac pager",
    "preview",
    "username",
    "domain",
    "password",
    "cmd",
    "powershell",
    "pager",
    "continuation",
    "unknown",
]

# What stands in the cursor's row, from its first column to the cursor. Texts: windows-sac.md 1.2, 1.5, 1.8, 3.2.
LINES: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("stripped sac", re.compile(r"!SAC>(?P<typed>.*)")),
    ("sac", re.compile(r"SAC>(?P<typed>.*)")),
    ("sac pager", re.compile(r"----Press <Enter> for more----\s*")),
    ("username", re.compile(r"Username: ?(?P<typed>.*)")),
    ("domain", re.compile(r"Domain {1,2}: ?(?P<typed>.*)")),
    ("password", re.compile(r"Password: ?(?P<typed>\**)")),
    ("powershell", re.compile(r"PS [A-Za-z]:\\[^>]*> ?(?P<typed>.*)")),
    ("cmd", re.compile(r"[A-Za-z]:\\[^>]*>(?P<typed>.*)")),
    ("pager", re.compile(r"-- More .*--\s*")),
    ("continuation", re.compile(r"(More\? |>> ?)(?P<typed>.*)")),
)

PREVIEW_LAST_LINE = "Use any other key to view this channel."
_PREVIEW_NAME = re.compile(r"Name: +(\S+)")

IN_WORDS: dict[Kind, str] = {
    "sac": "the SAC prompt",
    "stripped sac": "the stripped-down !SAC> prompt (SAC failed, or Windows has stopped)",
    "sac pager": "SAC's pager",
    "preview": "the preview of a channel",
    "username": "a login prompt asking for a user name",
    "domain": "a login prompt asking for a domain",
    "password": "a login prompt asking for a password",
    "cmd": "a command prompt",
    "powershell": "a PowerShell prompt",
    "pager": "a pager waiting for a key",
    "continuation": "a half-entered command",
    "unknown": "no prompt that is known",
}


@dataclass(frozen=True, slots=True)
class Mode:
    """``typed``: what stands between prompt and cursor. ``name``: the channel that a preview is of."""

    kind: Kind
    typed: str = ""
    name: str = ""


def read_mode(screen: Screen) -> Mode:
    """The mode at the cursor. Trust it only when the line is quiet: a redraw passes through every mode."""
    return screen.once(_mode)


def _mode(screen: Screen) -> Mode:
    line = screen.line_to_cursor()
    for kind, pattern in LINES:
        if found := pattern.fullmatch(line):
            return Mode(kind, found.groupdict().get("typed") or "")
    if name := _previewed(screen):
        return Mode("preview", name=name)
    return Mode("unknown")


def _previewed(screen: Screen) -> str:
    """The channel named by a header behind which the cursor stands, or an empty string.

    The bytes around the header are unknown (windows-sac.md 1.7), so only its text lines are relied on. Below the cursor
    may stand what a channel showed that was closed while it was drawn.
    """
    rows = screen.once(Screen.rows)
    above = screen.cursor_row
    while above >= 0 and not rows[above]:
        above -= 1
    if above < 0 or rows[above] != PREVIEW_LAST_LINE:
        return ""
    names = [found[1] for row in rows[:above] if (found := _PREVIEW_NAME.fullmatch(row))]
    return names[-1] if names else ""
