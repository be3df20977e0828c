r"""Batch files: lines one after another, labels, ``goto``, ``call :label``, arguments, ``setlocal``.

In a file a doubled percent sign is one, and a variable that is not defined is nothing. Common knowledge.
"""

import re
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serialfix.simulator import commands
from serialfix.simulator.cmd_parse import BadSyntax, Incomplete, parse
from serialfix.simulator.cmd_streams import Exit, Streams
from serialfix.simulator.cmd_text import Environment, Lookup, modified
from serialfix.simulator.programs import Request

if TYPE_CHECKING:
    from serialfix.simulator.cmd import Shell

DEEPEST = 30


class Goto(Exception):
    """``goto label`` was run."""

    def __init__(self, label: str) -> None:
        super().__init__(label)
        self.label = label


class Leave(Exit):
    """``exit /b`` was run: it ends the batch file only."""


@dataclass(slots=True)
class Frame:
    """A batch file that runs: its path, its arguments (0 is its name), its lines, what setlocal kept."""

    path: str
    arguments: list[str]
    lines: list[str]
    kept: list[tuple[Environment, bool, str]] = field(default_factory=list)
    depth: int = 0


def expand_batch(text: str, lookup: Lookup, frame: Frame) -> str:
    """Do the percent phase of a batch line.

    >>> expand_batch("%1 %%i %no%.", {}.get, Frame("C:\\\\x.cmd", ["x", "a"], []))
    'a %i .'
    """
    result, at = "", 0
    while at < len(text):
        if text[at] != "%":
            result, at = result + text[at], at + 1
            continue
        if text[at : at + 2] == "%%":
            result, at = result + "%", at + 2
            continue
        argument = re.match(r"%(~[fdpnxsFDPNXS]*)?([0-9*])", text[at:])
        if argument is not None:
            result, at = result + _argument(frame, argument[2], argument[1]), at + argument.end()
            continue
        end = text.find("%", at + 1)
        if end < 0:
            at += 1
            continue
        result, at = result + (modified(text[at + 1 : end], lookup) or ""), end + 1
    return result


def _argument(frame: Frame, which: str, how: str | None) -> str:
    if which == "*":
        return " ".join(frame.arguments[1:])
    value = frame.arguments[int(which)] if int(which) < len(frame.arguments) else ""
    if how is None:
        return value
    plain, letters = value.strip('"'), how[1:].lower()
    if which == "0" and letters:
        plain = frame.path
    if not letters or letters == "f":
        return plain
    folder, _, name = plain.rpartition("\\")
    stem, dot, extension = name.rpartition(".")
    parts = {"d": plain[:2], "p": folder[2:] + "\\", "n": stem or extension, "x": dot + extension if stem else ""}
    return "".join(parts[letter] for letter in "dpnx" if letter in letters)


def run_file(shell: "Shell", path: str, arguments: list[str], streams: Streams) -> Generator[Request, str, int]:
    """Run a batch file; return the exit code it leaves."""
    entry = shell.vm.files.find(path)
    text = commands.decode(entry.data) if entry is not None and entry.data is not None else ""
    outer, echo = shell.batch, shell.echo
    frame = Frame(path, arguments, text.splitlines(), depth=outer.depth + 1 if outer else 0)
    if frame.depth > DEEPEST:
        streams.err("******  B A T C H   R E C U R S I O N  exceeds STACK limits ******\r\n")
        return 1
    shell.batch = frame
    try:
        yield from _lines(shell, frame, 0, streams)
    except Leave as end:
        shell.errorlevel = end.code
    finally:
        while frame.kept:
            restore(shell)
        shell.batch = outer
        if outer is None:
            shell.echo = echo
    return shell.errorlevel


def call_label(shell: "Shell", text: str, streams: Streams) -> Generator[Request, str, int]:
    """Run ``call :label arguments``: from the label to the end of the file or ``exit /b``."""
    frame = shell.batch
    if frame is None:
        streams.err("Invalid attempt to call batch label outside of batch script.\r\n")
        shell.errorlevel = 1
        return 1
    words = re.findall(r'"[^"]*"|[^\s,;=]+', text)
    at = _label(frame, words[0][1:])
    if at is None:
        streams.err(f"The system cannot find the batch label specified - {words[0][1:]}\r\n")
        shell.errorlevel = 1
        return 1
    inner = Frame(frame.path, [words[0], *words[1:]], frame.lines, depth=frame.depth + 1)
    if inner.depth > DEEPEST:
        streams.err("******  B A T C H   R E C U R S I O N  exceeds STACK limits ******\r\n")
        return 1
    shell.batch = inner
    try:
        yield from _lines(shell, inner, at, streams)
    except Leave as end:
        shell.errorlevel = end.code
    finally:
        while inner.kept:
            restore(shell)
        shell.batch = frame
    return shell.errorlevel


def keep(shell: "Shell", tail: str) -> None:
    """Run ``setlocal``."""
    if shell.batch is None:
        return
    shell.batch.kept.append((shell.environment.copy(), shell.delayed, shell.cwd))
    if "enabledelayedexpansion" in tail.lower():
        shell.delayed = True
    elif "disabledelayedexpansion" in tail.lower():
        shell.delayed = False


def restore(shell: "Shell") -> None:
    """Run ``endlocal``."""
    if shell.batch is not None and shell.batch.kept:
        shell.environment, shell.delayed, shell.cwd = shell.batch.kept.pop()


def _label(frame: Frame, name: str) -> int | None:
    for number, line in enumerate(frame.lines):
        match = re.match(r"\s*:([^\s:+=,;&<>|]+)", line)
        if match is not None and match[1].lower() == name.lower():
            return number + 1
    return None


def _lines(shell: "Shell", frame: Frame, at: int, streams: Streams) -> Generator[Request, str, None]:
    while at < len(frame.lines):
        line = frame.lines[at]
        at += 1
        if line.lstrip().startswith(":") or not line.strip():
            continue
        text = expand_batch(line, shell.lookup, frame)
        while True:
            try:
                tree = parse(text)
                break
            except Incomplete:
                if at >= len(frame.lines):
                    streams.err("The syntax of the command is incorrect.\r\n")
                    raise Leave(255) from None
                text += "\n" + expand_batch(frame.lines[at], shell.lookup, frame)
                at += 1
            except BadSyntax as error:
                streams.err(error.message() + "\r\n")
                raise Leave(255) from None
        if shell.echo and not text.lstrip().startswith("@"):
            streams.out("\r\n" + shell.prompt() + text + "\r\n")
        try:
            yield from shell.run(tree, streams)
        except Goto as jump:
            if jump.label.lower() == ":eof" or jump.label.lower() == "eof":
                return
            target = _label(frame, jump.label.lstrip(":"))
            if target is None:
                streams.err(f"The system cannot find the batch label specified - {jump.label.lstrip(':')}\r\n")
                raise Leave(1) from None
            at = target


def is_batch(path: str) -> bool:
    """Say whether a path is a batch file's."""
    return path.lower().endswith((".cmd", ".bat"))
