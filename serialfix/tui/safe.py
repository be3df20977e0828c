r"""Text of a VM or a service, made harmless for a terminal.

It may have been attacked: no control sequence, no change of writing direction and no invisible character of it may
reach the engineer's terminal.

>>> safe("name\x1b]52;c;ZXZpbA==\x07\u202etxt.exe")
'name\\x1b]52;c;ZXZpbA==\\x07\\u202etxt.exe'
>>> safe("Größe, 日本語 und Tab\tbleiben lesbar")
'Größe, 日本語 und Tab    bleiben lesbar'
"""

import re
import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Letters and marks that show nothing: the rest of Unicode's Default_Ignorable_Code_Point, and the empty braille."""


def safe(text: str) -> str:
    """One line of ``text``: whatever could act or hide is shown as its escape."""
    return "".join(_shown(character) for character in text)


def safe_lines(text: str) -> list[str]:
    """``text`` as harmless lines."""
    return [safe(line) for line in text.replace("\r\n", "\n").split("\n")]


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    if unicodedata.category(character) in _HIDDEN or _INVISIBLE.match(character):
        return character.encode("unicode_escape").decode()
    return character
