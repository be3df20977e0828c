"""Secrets never reach a transcript: what is written is masked first, also where a secret is cut by a chunk.

>>> secrets = Secrets(["hunter2"])
>>> secrets.mask("the password is hunter2.")
'the password is •••••••.'
>>> secrets.open_end(b"and now hunt")
4
"""

from collections.abc import Iterable

_SHORTEST = 4  # shorter "secrets" would mask half of all text; nobody has such a password


class Secrets:
    """The values that must not be written, as text."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: list[str] = []
        for value in values:
            self.add(value)

    def add(self, value: str) -> None:
        """From now on ``value`` is masked."""
        if len(value) >= _SHORTEST and value not in self._values:
            self._values = sorted([*self._values, value], key=len, reverse=True)

    def mask(self, text: str) -> str:
        """``text`` with every character of every secret replaced by a dot."""
        for value in self._values:
            text = text.replace(value, "•" * len(value))
        return text

    def spans(self, data: bytes) -> list[tuple[int, int]]:
        """Where secrets stand in ``data``, as (start, end) in bytes."""
        found = []
        for value in self._values:
            needle = value.encode()
            start = data.find(needle)
            while start >= 0:
                found.append((start, start + len(needle)))
                start = data.find(needle, start + 1)
        return found

    def open_end(self, data: bytes) -> int:
        """How many bytes at the end of ``data`` could be the beginning of a secret."""
        longest = 0
        for value in self._values:
            needle = value.encode()
            for length in range(min(len(needle) - 1, len(data)), 0, -1):
                if data.endswith(needle[:length]):
                    longest = max(longest, length)
                    break
        return longest
