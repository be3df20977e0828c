r"""What a key means while somebody works on the console by hand. Pure: a key in, what is to be done out.

One key opens a menu, as in ``az serial-console connect``: q leaves, h explains, the key itself once more is sent.
Everything else is for the VM, but for what a person can't have meant: at ``SAC>`` a Ctrl-C may run the half-typed line
(windows-sac.md 2.4), and a paste of several lines is several commands.

>>> hands = Hands("c-]")
>>> hands.press(Key("a"), "sac", link="open", pasting=False)
[Type(data='a', paste=False)]
>>> hands.press(Key("c-]"), "sac", link="open", pasting=False), hands.notice
([], 'q quit | h help | Ctrl-] send it to the VM | any other key: back')
>>> hands.press(Key("q"), "sac", link="open", pasting=False)
[Quit()]
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from serialfix.console.modes import Kind
from serialfix.tui.keys import CTRL_C, ENTER, PASTE, Key, encode, in_words, leaves_rubbish

LONG_PASTE = 2048
"""Characters that the portal takes at once (azure-serial-console.md 2.3); more is asked about."""

Link = Literal["open", "lost", "taken"]
"""``lost``: connecting again by itself. ``taken``: it ended in a way that has to be asked about."""


@dataclass(frozen=True, slots=True)
class Type:
    """Send to the VM; ``paste``: text that came at once, so slowly that the line can carry it."""

    data: str
    paste: bool = False


@dataclass(frozen=True, slots=True)
class StopPaste:
    """Send nothing more of what was pasted."""


@dataclass(frozen=True, slots=True)
class Reconnect:
    """Connect now."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Leave."""


Act = Type | StopPaste | Reconnect | Quit


class Hands:
    """What is open: nothing, the menu, the help, or a question. ``notice``: what the bar says about it.

    ``hint``: a line of the help about this VM.
    """

    def __init__(self, escape: str, hint: str = "") -> None:
        self._escape = escape
        self._name = in_words(escape)
        self._hint = hint
        self._open: Literal["", "menu", "help", "paste"] = ""
        self._pasted = ""
        self._warned = False
        self.notice = ""

    @property
    def help(self) -> tuple[str, ...]:
        """The lines that explain, while they are wanted."""
        return help_lines(self._name, self._hint) if self._open == "help" else ()

    def press(self, key: Key, kind: Kind, *, link: Link, pasting: bool) -> list[Act]:
        """What a key does with this prompt at the cursor. ``pasting``: there is text that was not sent yet."""
        was, self._open, self.notice = self._open, "", ""
        warned, self._warned = self._warned, False
        match was:
            case "menu":
                return self._choose(key, link)
            case "help":
                return []
            case "paste":
                pasted, self._pasted = self._pasted, ""
                if key.name in {"y", "Y"} and link == "open":
                    return [Type(pasted, paste=True)]
                self.notice = "Not pasted."
                return []
        if key.name == self._escape:
            self._open = "menu"
            self.notice = f"q quit | h help | {self._name} send it to the VM | any other key: back"
            return []
        if link != "open":
            return self._offline(key)
        if key.name == PASTE:
            return self._paste(clean(key.text), kind)
        if key.name == CTRL_C and pasting:
            self.notice = "The rest of the paste is not sent. Press Ctrl-C once more to send Ctrl-C."
            return [StopPaste()]
        if key.name == CTRL_C and kind in {"sac", "stripped sac"} and not warned:
            self._warned = True
            self.notice = "Not sent: at SAC> Ctrl-C may run what is typed there. Backspace erases; again sends it."
            return []
        data = encode(key.name)
        if data is None:
            return []
        if leaves_rubbish(data, kind):
            self.notice = "Not sent: here that key would only leave rubbish behind."
            return []
        return [Type(data.decode())]

    def _choose(self, key: Key, link: Link) -> list[Act]:
        if key.name in {"q", "Q"}:
            return [Quit()]
        if key.name in {"h", "H", "?"}:
            self._open, self.notice = "help", "any key: back to the console"
        elif key.name == self._escape and link == "open":
            return [Type((encode(self._escape) or b"").decode())]
        return []

    def _offline(self, key: Key) -> list[Act]:
        if key.name in {ENTER, "c-j"}:
            return [Reconnect()]
        if key.name in {"q", "Q", CTRL_C}:
            return [Quit()]
        self.notice = "Not connected, so that key was not sent. Enter: connect now | q: quit"
        return []

    def _paste(self, text: str, kind: Kind) -> list[Act]:
        lines = text.count("\r") + (not text.endswith("\r"))
        if len(text) <= LONG_PASTE and not (lines > 1 and kind in {"sac", "stripped sac"}):
            return [Type(text, paste=True)] if text else []
        self._open, self._pasted = "paste", text
        where = "at SAC>, where each line is a command" if kind in {"sac", "stripped sac"} else "into the console"
        self.notice = f"Paste {len(text):,} characters, {lines:,} lines, {where}? y yes | any other key: no"
        return []


def clean(text: str) -> str:
    r"""Pasted text as it is typed: CR at the ends of lines, blanks for tabs, and nothing that acts.

    >>> clean("a\tb\r\nc\x03\x1b[A\n")
    'a    b\rc[A\r'
    """
    text = re.sub(r"\r\n?|\n", "\r", text).replace("\t", "    ")
    # Other blanks come with what is copied from a web page; a shell knows the plain one only.
    text = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    return "".join(character for character in text if character == "\r" or character.isprintable())


def help_lines(escape: str, hint: str) -> tuple[str, ...]:
    """What somebody may want to know who works here for the first time."""
    return (
        "",
        f"{escape} opens the menu: q quits, h shows this, {escape} again sends it to the VM.",
        "",
        "At SAC>:  ch lists the channels, cmd opens a command prompt, ch -? helps.",
        "          ch -sn Cmd0001 shows it; so does Esc, Tab. Then press any key.",
        "          Arrows, Home and F-keys mean nothing there, and are not sent.",
        "          Ctrl-C may run the half-typed line: sent when pressed twice.",
        "In cmd:   arrows, Home, End, Delete and F-keys work as usual.",
        "          Ctrl-C stops a program. exit closes the channel.",
        "",
        "Pasted text goes out slowly, or the line would lose some; Ctrl-C stops it.",
        "Several lines at SAC>, and more than 2,048 characters, are asked about.",
        "",
        "What the VM shows is recorded. Keys are not: a password is never written.",
        "A lost line is made again by itself, but not if somebody may have taken it.",
        "",
        *([hint, ""] if hint else []),
    )
