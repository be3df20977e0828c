r"""Text of a VM or a service, made harmless for a terminal.

It may have been attacked: no control sequence, no change of writing direction and no invisible character of it may
reach the engineer's terminal.

>>> safe("name\x1b]52;c;ZXZpbA==\x07\u202etxt.exe")
'name\\x1b]52;c;ZXZpbA==\\x07\\u202etxt.exe'
>>> safe("Größe, 日本語 und Tab\tbleiben lesbar")
'Größe, 日本語 und Tab    bleiben lesbar'

Marks that stand on the character before them are text, as far as a language has use for them; a heap of them would
cover the lines above:

>>> safe("e\u0301") == "e\u0301", safe("e\u0301\u0301\u0301\u0301")[4:]
(True, '\\u0301')
"""

import re
import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
_INVISIBLE = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
"""Letters and marks that show nothing: the rest of Unicode's Default_Ignorable_Code_Point, and the empty braille."""


_HEAP = 3
"""Marks that may stand on one character: Hebrew and Vietnamese need as many."""


def safe(text: str) -> str:
    """One line of ``text``: whatever could act or hide is shown as its escape."""
    if text.isascii() and text.isprintable():
        return text
    shown: list[str] = []
    marks = 0
    for character in text:
        marks = marks + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        shown.append(_escaped(character) if marks > _HEAP else _shown(character))
    return "".join(shown)


def safe_lines(text: str) -> list[str]:
    """``text`` as harmless lines."""
    return [safe(line) for line in text.replace("\r\n", "\n").split("\n")]


def safe_json(document: str) -> str:
    """A JSON document, the same to whoever reads it as JSON and harmless to whoever looks at it.

    JSON itself escapes only the first 32 control characters.

    >>> safe_json('{"name": "\x9b2J\u202e"}')
    '{"name": "\\\\u009b2J\\\\u202e"}'
    """
    if document.isascii() and document.isprintable():
        return document
    return "".join(_json_escaped(each) if each != "\n" and _acts(each) else each for each in document)


def _acts(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN or bool(_INVISIBLE.match(character))


def _json_escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    return _escaped(character) if _acts(character) else character
