r"""Which bytes a key is on a Windows serial console, and which keys are better not sent.

VT100+ and VT-UTF8, as Windows reads them (windows-sac.md 2.4): Home is ``ESC h``, F1 ``ESC 1``, Delete ``ESC -``;
Backspace is 0x08, since 0x7F is taken as Ctrl+Backspace and erases a word; Enter is CR alone.

>>> encode("home"), encode("c-h"), encode("c-m"), encode("é")
(b'\x1bh', b'\x08', b'\r', b'\xc3\xa9')
>>> read_escape("^T"), in_words("c-t")
('c-t', 'Ctrl-T')
"""

import re
from typing import NamedTuple

from serialfix.console.modes import Kind
from serialfix.errors import UsageError

PASTE = "<bracketed-paste>"
ESCAPE = "c-]"
CTRL_C = "c-c"
ENTER = "c-m"

EDITING = {
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1bh",
    "end": b"\x1bk",
    "insert": b"\x1b+",
    "delete": b"\x1b-",
    "pageup": b"\x1b?",
    "pagedown": b"\x1b/",
    **{f"f{number}": b"\x1b%d" % (number % 10) for number in range(1, 11)},
    "f11": b"\x1b!",
    "f12": b"\x1b@",
}
"""Keys of more than one byte. At ``SAC>`` the Escape is swallowed, and the rest is left as rubbish in the line."""

CONTROL = {
    **{f"c-{chr(letter)}": bytes((letter - 0x60,)) for letter in range(ord("a"), ord("z") + 1)},
    "c-j": b"\r",  # a line feed alone is no Enter in cmd
    "escape": b"\x1b",
    "c-@": b"\x00",
    "c-\\": b"\x1c",
    "c-]": b"\x1d",
    "c-^": b"\x1e",
    "c-_": b"\x1f",
}

# Of Enter, Tab, Backspace, Escape and Ctrl-C one has need.
_NEEDED = frozenset({"c-c", "c-h", "c-i", "c-j", "c-m"})
_SAC: frozenset[Kind] = frozenset({"sac", "stripped sac", "sac pager", "preview"})


class Key(NamedTuple):
    """A key that was pressed: its name (a character's is itself), and the text that a paste brought."""

    name: str
    text: str = ""


def encode(name: str) -> bytes | None:
    """The bytes of a key; None for one that the console does not have. With Shift or Ctrl it is the key without."""
    if len(name) == 1:
        return name.encode("utf-8", "replace") if name.isprintable() else None
    if name in CONTROL:
        return CONTROL[name]
    return EDITING.get(re.sub(r"^(s-|c-|c-s-)(?=..)", "", name))


def leaves_rubbish(data: bytes, kind: Kind) -> bool:
    """Whether these bytes of a key do nothing but harm at the prompt that stands at the cursor."""
    return kind in _SAC and len(data) > 1 and data.startswith(b"\x1b")


def read_escape(text: str) -> str:
    """The name of the key that opens the menu, from ``^]``, ``ctrl-t``, ``C-t``. Raises UsageError."""
    found = re.fullmatch(r"(?:\^|ctrl[-+]|c-)([a-z\]\\^_])", text.strip().lower())
    if found is None or f"c-{found[1]}" in _NEEDED:
        raise UsageError(
            f"{text!r} can't be the key that opens the menu.",
            why="It has to be Ctrl with a letter or with ] \\ ^ _, and none that the console itself needs: Ctrl-C, "
            "Enter (^M, ^J), Tab (^I), Backspace (^H).",
            advice="For example: --escape ^T",
        )
    return f"c-{found[1]}"


def in_words(name: str) -> str:
    """A key's name as people say it."""
    return f"Ctrl-{name[2:].upper()}" if re.fullmatch(r"c-.", name) else name
