"""Markers that belong to one exchange, never repeat in a session, and can't be guessed from what was in the VM before.

They are drawn from a seed that the session draws at its start and records, so a replay draws the same. No marker has
two equal neighbours, for these are what the line damages.
"""

import hashlib
from collections.abc import Iterator

_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # no i, l, o, 0, 1: people read them too


class Markers:
    """Draws markers from ``seed`` (text)."""

    def __init__(self, seed: str) -> None:
        self._stream = self._letters(seed)

    def draw(self, length: int = 8) -> str:
        """A new marker; its first character is a letter."""
        marker = ""
        while len(marker) < length:
            letter = next(self._stream)
            if letter == marker[-1:] or (not marker and letter.isdigit()):
                continue
            marker += letter
        return marker

    @staticmethod
    def _letters(seed: str) -> Iterator[str]:
        block = 0
        while True:
            for byte in hashlib.sha256(f"{seed}/{block}".encode()).digest():
                if byte < 256 - 256 % len(_LETTERS):
                    yield _LETTERS[byte % len(_LETTERS)]
            block += 1
