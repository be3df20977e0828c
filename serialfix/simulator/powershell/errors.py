"""PowerShell's errors: the record, and how 5.1 prints one at 80 columns.

Texts, and lines that break inside words with three blanks before the rest: the real outputs failures/01, 02, 09 and
18 (output-formats.md, "What happens at 80 columns").
"""

import textwrap
from dataclasses import dataclass
from typing import Any

WIDTH = 80


@dataclass(frozen=True, slots=True)
class Record:
    """One error. ``activity``: the command's name, '' for none; ``target`` as CategoryInfo shows it.

    ``thrown``: the .NET exception as an object, where one is known.
    """

    message: str
    category: str = "NotSpecified"
    target: str = ""
    activity: str = ""
    exception: str = "RuntimeException"
    identifier: str = "RuntimeException"
    thrown: Any = None


class Thrown(Exception):
    """A terminating error; ``value`` is what ``throw`` was given."""

    def __init__(self, record: Record, value: object = None) -> None:
        super().__init__(record.message)
        self.record = record
        self.value = value


@dataclass(frozen=True, slots=True)
class Position:
    """Where an error happened: the line's number and text, the first character, the length of what is underlined."""

    number: int
    text: str
    column: int
    length: int


def _broken(text: str) -> list[str]:
    """Break one line of the footer anywhere at 78 columns; what follows begins with three blanks."""
    first, rest = text[: WIDTH - 2], text[WIDTH - 2 :]
    lines = [first]
    while rest:
        lines.append("   " + rest[: WIDTH - 5])
        rest = rest[WIDTH - 5 :]
    return [line + (" " if number < len(lines) - 1 else "") for number, line in enumerate(lines)]


def _short(target: str) -> str:
    """Shorten a target in its middle, as CategoryInfo does."""
    name, _, kind = target.rpartition(":")
    return f"{name[:15]}...{name[-20:]}:{kind}" if len(name) > 40 else target


def shown(record: Record, position: Position | None, *, width: int = WIDTH) -> str:
    """Return an error as the console prints it, with ``\\r\\n`` line ends."""
    head = f"{record.activity} : {record.message}" if record.activity else record.message
    lines = [
        part
        for line in head.split("\n")
        for part in (textwrap.wrap(line, width - 1, break_on_hyphens=False) if line.strip() else [""])
    ]
    if position is not None:
        lines.append(f"At line:{position.number} char:{position.column}")
        text, start = position.text.rstrip(), position.column - 1
        if len(text) > width - 6:
            begin = max(0, start - 20)
            text = ("... " if begin else "") + text[begin : begin + width - 12] + " ..."
            start = start - begin + (4 if begin else 0)
        lines.append(f"+ {text}")
        lines.append("+ " + " " * start + "~" * max(1, min(position.length, len(text) - start)))
    who = "" if record.identifier == "CommandNotFoundException" else record.activity
    kind = f"{record.category}: ({_short(record.target) if record.target else ':'}) [{who}], {record.exception}"
    lines += _broken(f"    + CategoryInfo          : {kind}")
    lines += _broken(f"    + FullyQualifiedErrorId : {record.identifier}")
    return "".join(line + "\r\n" for line in [*lines, " "])


def coloured(text: str) -> str:
    """Return text as the console host writes it: red on black, its own colours behind it (windows-sac.md 3.2)."""
    return f"\x1b[91m\x1b[40m{text.removesuffix(chr(13) + chr(10))}\x1b[m\r\n"


def not_recognized(name: str) -> Record:
    """Return the error of an unknown command."""
    return Record(
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
        "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
        "ObjectNotFound", f"{name}:String", name, "CommandNotFoundException", "CommandNotFoundException",
    )  # fmt: skip


def path_not_found(path: str, cmdlet: str) -> Record:
    """Return the error of a path that is not there."""
    return Record(
        f"Cannot find path '{path}' because it does not exist.", "ObjectNotFound", f"{path}:String", cmdlet,
        "ItemNotFoundException", f"PathNotFound,Microsoft.PowerShell.Commands.{cmdlet.replace('-', '')}Command",
    )  # fmt: skip


def denied(message: str, target: str, cmdlet: str) -> Record:
    """Return the error of a refused access."""
    return Record(
        message, "PermissionDenied", f"{target}:String", cmdlet, "UnauthorizedAccessException",
        f"System.UnauthorizedAccessException,Microsoft.PowerShell.Commands.{cmdlet.replace('-', '')}Command",
    )  # fmt: skip
