r"""Text of a VM or a service, made harmless for a terminal.

It may have been attacked: no control sequence, no change of writing direction and no invisible character of it may
reach the engineer's terminal.

>>> safe("name\x1b]52;c;ZXZpbA==\x07\u202etxt.exe")
'name\\x1b]52;c;ZXZpbA==\\x07\\u202etxt.exe'
>>> safe("Größe, 日本語 und Tab\tbleiben lesbar")
'Größe, 日本語 und Tab    bleiben lesbar'
"""

import unicodedata

_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def safe(text: str) -> str:
    """One line of ``text``: whatever could act or hide is shown as its escape."""
    return "".join(_shown(character) for character in text)


def safe_lines(text: str) -> list[str]:
    """``text`` as harmless lines."""
    return [safe(line) for line in text.replace("\r\n", "\n").split("\n")]


def _shown(character: str) -> str:
    if character == "\t":
        return "    "
    if unicodedata.category(character) in _HIDDEN:
        return character.encode("unicode_escape").decode()
    return character
