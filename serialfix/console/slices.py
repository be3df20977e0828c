r"""Exact output through a 24-row window: numbered lines, and a checksum of the whole.

The command's output is kept on the VM; in the same exchange come its SHA-256, the number of its lines, and the lines,
each as ``NUMBER:text$``. The number shows a line that was lost, the ``$`` keeps the blanks at its end, and the checksum
proves the characters. On a console that shows samples of a screen (2016, 2019) lines are lost when they scroll by; they
are asked for again, a screenful at a time. What the screen can't show as it is (tabs, control characters, characters of
another page, a line longer than the screen) comes as base64.

How a shell is told to do these parts is its ``Dialect``: that of cmd is in folder.py, PowerShell's in powershell.py.
The markers around an answer are typed otherwise than they print.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from serialfix.console.dialogue import TIMEOUT, Conversation, Expect, Send
from serialfix.console.keyboard import ENTER, Keyboard
from serialfix.console.markers import Markers
from serialfix.console.screen import COLUMNS, Row
from serialfix.console.shells import NoAnswer, ShellLost, at_prompt, submit, type_at
from serialfix.steps import Output

SCREENFUL = 18  # lines of less than 80 columns that fit a screen together with two markers and a prompt
ROUNDS = 3  # how often a whole is fetched again when its checksum does not hold


class RowsLost(NoAnswer):
    """The answer is too long for this console to be read at once."""


class LineTooLong(NoAnswer):
    """A single line of the answer does not fit the screen."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one shell is told to do the parts of an exact reading; each is a part of a line that is typed.

    ``joint`` stands between parts. ``mark(first, second)`` prints the two halves as one. ``run(command, exact)`` runs
    the command, keeps its output and as its last line "ok" or "no". ``digest`` prints checksum and number of lines.
    ``rows(encoded, first, last)`` prints lines with their numbers (``first`` 0: all) of what was kept, or of its
    base64, which ``encode`` made. ``clear`` clears the screen. ``instead``: the lines to be entered, and the dialect
    that holds behind them, where ``digest`` prints no checksum.
    """

    joint: str
    mark: Callable[[str, str], str]
    run: Callable[[str, bool], str]
    digest: str
    rows: Callable[[bool, int, int], str]
    encode: str
    clear: str
    instead: "tuple[tuple[str, ...], Dialect] | None" = None


@dataclass(slots=True)
class Shell:
    """A shell of ours in which answers can be read exactly, and what was learnt about it.

    ``page``: the code page of programs' output. ``home``: the prompt of the shell that it was started from, "" where
    there is none. ``lossy``: lines are lost when they scroll.
    """

    dialect: Dialect
    prompt: str
    page: str = "utf-8"
    home: str = ""
    lossy: bool = False


@dataclass(slots=True)
class Whole:
    """What is kept on the VM as far as it came: checksum ("" where there is none), number of lines, and those."""

    sha256: str = ""
    count: int = 0
    lines: dict[int, str] = field(default_factory=dict)

    def missing(self) -> list[int]:
        """The numbers of lines that have not come."""
        return [number for number in range(1, self.count + 1) if number not in self.lines]

    def text(self) -> str:
        """The lines that came without a gap, each ended by CR LF."""
        last = next((number for number in range(1, self.count + 1) if number not in self.lines), self.count + 1)
        return "".join(f"{self.lines[number]}\r\n" for number in range(1, last))


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that stands at the prompt: its markers as they print, the row where it begins, the first line it shows."""

    begin: str
    end: str
    row: int
    first: int


def line(dialect: Dialect, *parts: str, begin: str, end: str) -> str:
    """What is typed: ``parts`` one after the other, between markers that are typed otherwise than they print."""
    shown = [part for part in parts if part]
    return dialect.joint.join((dialect.mark(begin[:4], begin[4:]), *shown, dialect.mark(end[:4], end[4:])))


def type_question(
    keyboard: Keyboard, markers: Markers, shell: Shell, command: str, *, exact: bool
) -> Conversation[Typed]:
    """Type what runs ``command`` and shows its output, without Enter. ``exact``: its letter case matters.

    Raises ShellLost, Untypable.
    """
    reader = _Reader(keyboard, markers, shell, 0.0)
    pages = (1, SCREENFUL - 5) if shell.lossy else (0, 0)
    run = shell.dialect.run(command, exact)
    return (yield from reader.type(1, run, shell.dialect.digest, shell.dialect.rows(False, *pages)))


def answer(
    keyboard: Keyboard, markers: Markers, shell: Shell, typed: Typed, *, most: int, timeout: float
) -> Conversation[Output]:
    """Enter what was typed and read the output exactly. ``most``: bytes; ``timeout``: seconds for each exchange.

    Raises ShellLost, Untypable, NoAnswer; RowsLost where not even a few lines could be seen together.
    """
    reader = _Reader(keyboard, markers, shell, timeout)
    dialect = shell.dialect
    whole = Whole()
    try:
        yield from reader.enter(whole, typed, most=2 * most)
    except RowsLost:
        shell.lossy = True
        whole = Whole()
        yield from reader.show(whole, 0, dialect.digest, most=most)
    if not whole.sha256 and dialect.instead is not None:
        # The program that makes checksums is blocked on this VM.
        lines, dialect = dialect.instead
        for text in lines:
            yield from plain(keyboard, shell.prompt, text)
        shell.dialect = dialect
        yield from reader.show(whole, 0, dialect.digest, most=most)
    for _ in range(ROUNDS):
        too_long = False
        try:
            yield from reader.fill(whole, most, encoded=False)
        except LineTooLong:
            if not whole.sha256:
                raise
            too_long = True  # as base64 its lines are short
        if whole.missing() and not too_long:
            return _output(whole.text().encode(), "utf-8", most, "screen")
        if not whole.sha256:
            return _output(whole.text().encode(), "utf-8", most, "screen")
        for content, encoding in () if too_long else contents(whole.text(), shell.page):
            if _sha256(content) == whole.sha256:
                return _output(content, encoding, most, "checksum")
        encoded = Whole()
        yield from reader.show(encoded, 1, dialect.encode, dialect.rows(True, 1, 2), most=2 * most)
        yield from reader.fill(encoded, 2 * most, encoded=True)
        for content, encoding in () if encoded.missing() else contents(encoded.text(), shell.page):
            if _sha256(content) == whole.sha256:
                return _output(content, encoding, most, "checksum")
        whole.lines.clear()  # something on the way was damaged: all of it once more
    raise NoAnswer("the answer did not match its checksum, however often it was read")


@dataclass(slots=True)
class _Reader:
    """What every exchange of one reading needs."""

    keyboard: Keyboard
    markers: Markers
    shell: Shell
    timeout: float

    def type(self, first: int, *parts: str) -> Conversation[Typed]:
        """Type a line of ``parts``, without Enter; ``first``: the number of the first line that it shows, or 0."""
        begin, end = self.markers.draw(), self.markers.draw()
        dialect = self.shell.dialect
        text = line(dialect, *parts, begin=begin, end=end)
        if self.shell.lossy:
            text = dialect.joint.join((dialect.clear, text))
        row = yield from type_at(self.keyboard, self.shell.prompt, text)
        return Typed(begin, end, 0 if self.shell.lossy else row, first)

    def enter(self, whole: Whole, typed: Typed, *, most: int) -> Conversation[None]:
        """Enter a typed line; what comes is added to ``whole``. Raises RowsLost, ShellLost, NoAnswer."""
        yield from submit(
            self.shell.prompt,
            typed.end,
            typed.row,
            lambda rows: take(rows, whole, typed.first, begin=typed.begin, end=typed.end),
            most=most,
            timeout=self.timeout,
            home=self.shell.home,
        )

    def show(self, whole: Whole, first: int, *parts: str, most: int) -> Conversation[None]:
        """One exchange. Raises RowsLost, ShellLost, NoAnswer, Untypable."""
        typed = yield from self.type(first, *parts)
        yield from self.enter(whole, typed, most=most)

    def fill(self, whole: Whole, most: int, *, encoded: bool) -> Conversation[None]:
        """Ask for the lines that are missing, a screenful at a time, until ``most`` bytes have come."""
        size = SCREENFUL
        while (missing := whole.missing()) and len(whole.text()) <= most:
            first = missing[0]
            try:
                yield from self.show(
                    whole, first, self.shell.dialect.rows(encoded, first, first + size - 1), most=16 * 1024
                )
                lost = whole.missing()[:1] == missing[:1]
            except RowsLost:
                lost = True
            if lost:
                self.shell.lossy = True
                if size == 1:
                    raise LineTooLong("a line of the answer is longer than the screen")
                size = max(1, size // 2)


def take(rows: Iterable[Row], whole: Whole, first: int, *, begin: str, end: str) -> None:
    """Add what stands between the markers to ``whole``; lines are numbered from ``first`` on (0: there are none).

    Raises RowsLost when the first marker is not to be seen.
    """
    head: list[str] = []
    parts: list[str] = []
    number = 0
    seen = False
    for row in rows:
        if not seen:
            seen = row.text == begin
        elif row.text == end:
            break
        elif first and row.text.startswith(f"{number + 1 if number else first}:"):
            _keep(whole, number, parts)
            number, parts = (number + 1 if number else first), [row.text]
        else:
            (parts if number else head).append(row.text)
    if not seen:
        raise RowsLost("the answer scrolled off before it could be read")
    _keep(whole, number, parts)
    # All that certutil and find print in every language: the checksum, in pairs and broken at the edge of the screen on
    # older Windows, and the number of lines.
    numbers = [text.replace(" ", "") for text in head if re.fullmatch("[0-9a-f ]+", text)]
    if numbers and numbers[-1].isdigit() and len(numbers[-1]) < 10:
        whole.count = int(numbers.pop())
    if len(checksum := "".join(numbers)) == 64:
        whole.sha256 = checksum


def plain(keyboard: Keyboard, prompt: str, text: str) -> Conversation[None]:
    """Enter a line that prints nothing. Raises ShellLost, Untypable."""
    yield from type_at(keyboard, prompt, text)
    yield Send(ENTER)
    found = yield Expect((at_prompt(prompt),), timeout=15.0)
    if found is TIMEOUT:
        raise ShellLost("unknown")


def contents(text: str, page: str) -> Iterator[tuple[bytes, str]]:
    """What the lines in ``text`` may stand for, and its encoding: themselves, or base64. A checksum decides."""
    for encoding in (page, "utf-8"):
        try:
            yield text.encode(encoding), encoding
        except (UnicodeEncodeError, LookupError):  # a page that Python does not know
            continue
    # certutil -encode puts a line before and one behind it.
    body = "".join(part for part in text.split("\r\n") if not part.startswith("-----"))
    try:
        content = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        return
    yield content, _encoding(content, page)


def _keep(whole: Whole, number: int, parts: list[str]) -> None:
    """Keep a line that was put together from its rows, if its end was seen."""
    text = "".join(part.ljust(COLUMNS) for part in parts).rstrip()
    if number and text.endswith("$"):
        whole.lines[number] = text[len(f"{number}:") : -1]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _encoding(content: bytes, page: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return page
    return "utf-8"


def _output(content: bytes, encoding: str, most: int, proof: Literal["checksum", "screen"]) -> Output:
    """The answer, whose last line says whether the command succeeded."""
    try:
        shown = content.decode(encoding, "replace")
    except LookupError:
        shown = content.decode("cp437")
    lines = shown.replace("\r\n", "\n").removesuffix("\n").split("\n")
    last = lines.pop()
    exit_code = {"ok": 0, "no": 1}.get(last[-2:])
    if exit_code is None:
        lines.append(last)  # the rest did not come
    elif last[:-2]:
        lines.append(last[:-2])  # the command's last line had no end
    text = "".join(f"{line}\n" for line in lines)
    partial = exit_code is None or len(text.encode()) > most
    if partial:
        text = text.encode()[:most].decode(errors="ignore")
    return Output(text, exit_code, proof, partial)
