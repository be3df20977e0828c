"""Patterns over the stream, bounded. The only import of pexpect's Expecter and searcher.

Most of what is expected is read off the emulated screen (``modes.py``). The stream is asked only for what may scroll
off before anybody looks, such as the name of a new channel. An Expecter is made anew for each wait, sees only what came
after it was made, and looks back just as far as its widest pattern (limits.md, "Expect": other ways lose markers or
grow quadratic).

>>> stream = Stream((Pattern("channel", r"Channel: (Cmd\\d{4})", width=40),))
>>> stream.feed("EVENT:   A new cha")
>>> stream.feed("nnel\\r\\nChannel: Cmd0001\\r\\nSAC>").groups
('Cmd0001',)
"""

import re
from dataclasses import dataclass, field

from pexpect.expect import Expecter, searcher_re
from pexpect.spawnbase import SpawnBase

MOST_KEPT = 64 * 1024


@dataclass(frozen=True, slots=True)
class Pattern:
    """``regex`` must not match more than ``width`` characters: a pattern without a bound looks back for ever."""

    name: str
    regex: str
    width: int
    compiled: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "compiled", re.compile(self.regex, re.DOTALL))
        _refuse_unbounded(self.regex)


@dataclass(frozen=True, slots=True)
class Found:
    """The pattern that matched first, and its groups."""

    name: str
    groups: tuple[str, ...]


class Stream:
    """Watches text as it comes for the first of ``patterns``."""

    def __init__(self, patterns: tuple[Pattern, ...]) -> None:
        self._patterns = patterns
        self._lookback = max(pattern.width for pattern in patterns)
        self._start_over()

    def _start_over(self) -> None:
        searcher = searcher_re([pattern.compiled for pattern in self._patterns])
        searcher.longest_string = self._lookback  # type: ignore[attr-defined]  # Expecter reads it: how far to look back
        self._memory: SpawnBase[str] = SpawnBase(encoding="utf-8")  # its buffers only: nothing is spawned
        self._expecter: Expecter[str] = Expecter(self._memory, searcher, searchwindowsize=None)
        self._fed = 0
        self._tail = ""

    def feed(self, text: str) -> Found | None:
        """Add ``text``; the match it completes, or None."""
        index = self._expecter.new_data(text)
        match = self._memory.match
        if index is not None and isinstance(match, re.Match):
            return Found(self._patterns[index].name, tuple(group or "" for group in match.groups()))
        self._fed += len(text)
        self._tail = (self._tail + text)[-self._lookback :]
        if self._fed > MOST_KEPT:  # a flood: forget all but what a match could still reach back to
            tail = self._tail
            self._start_over()
            self._tail = tail
            self._expecter.new_data(tail)
        return None


def _refuse_unbounded(regex: str) -> None:
    bare = re.sub(r"\\.", "x", regex)  # an escaped sign repeats nothing, nor does one in a set
    bare = re.sub(r"\[\^?\]?[^\]]*\]", "x", bare)
    if re.search(r"[*+]|\{\d+,\}", bare):
        raise ValueError(f"the pattern {regex!r} has no bound; write {{0,80}} instead of * or +")
