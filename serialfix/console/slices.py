r"""Exact output through a 24-row window: numbered lines, and a checksum of the whole.

The output of one or several commands is kept on the VM; in the same exchange come its SHA-256, the number of its lines,
and the lines, each as ``NUMBER:text$``. The number shows a line that was lost, the ``$`` keeps the blanks at its end,
and the checksum proves the characters. Behind the output of each command stands whether it succeeded, with the
exchange's key, which nobody could know before. On a console that shows samples of a screen (2016, 2019) lines are lost
when they scroll by; there the answer goes through ``more``, a page at a time, as Microsoft recommends for SAC
(windows-sac.md 3.2). What the screen can't show as it is (tabs, control characters, characters of another page, a line
longer than the screen) comes as base64.

How a shell is told to do these parts is its ``Dialect``: that of cmd is in folder.py, PowerShell's in powershell.py.
A key is typed once and printed as ``b`` and ``e`` with it behind, so what was typed never looks like an answer.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

from serialfix.console.dialogue import TIMEOUT, Conversation, Expect, Send
from serialfix.console.keyboard import ENTER, Keyboard
from serialfix.console.markers import Markers
from serialfix.console.screen import COLUMNS, Row
from serialfix.console.shells import NoAnswer, ShellLost, at_prompt, submit, type_at
from serialfix.steps import Output

SCREENFUL = 18  # lines of less than 80 columns that fit a screen together with two markers and a prompt
_NUMBERED = re.compile(r"(\d{1,9}):")
ROUNDS = 3  # how often a whole is fetched again when its checksum does not hold


class RowsLost(NoAnswer):
    """The answer is too long for this console to be read at once."""


class LineTooLong(NoAnswer):
    """A single line of the answer does not fit the screen."""


Way = Literal["stream", "pages", "few", "head"]
"""How an answer is shown: all at once; through ``more``; its first lines on a cleared screen; its checksum alone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One command to be run. ``exact``: its letter case matters."""

    text: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line to be typed, the words that have to be defined before it, and the first line that it shows (0: none)."""

    text: str
    words: tuple[str, ...] = ()
    first: int = 1


class Dialect(Protocol):
    """How one shell is told to do the parts of an exact reading.

    ``together``: how many commands a line may hold. ``ways``: the ways in which it can show an answer, the one that a
    better console takes first.
    """

    @property
    def together(self) -> int: ...  # noqa: D102 - a field
    @property
    def ways(self) -> tuple[Way, ...]: ...  # noqa: D102

    def ask(self, key: str, commands: Sequence[Asked], way: Way) -> Spoken:
        """Run the commands, keep their output, show its checksum, its number of lines, and the lines."""

    def again(self, key: str, way: Way) -> Spoken:
        """Show what is kept again, with checksum and number."""

    def encode(self, key: str, way: Way) -> Spoken:
        """Make the base64 of what is kept; show its number of lines, and the lines."""

    def rows(self, key: str, first: int, last: int, *, encoded: bool) -> Spoken:
        """Show some lines of what is kept, or of its base64."""

    def define(self, word: str) -> str:
        """What is entered to define a word."""

    @property
    def instead(self) -> "Dialect | None":
        """The dialect to go on with where no checksum is printed; None: there is none."""


@dataclass(slots=True)
class Shell:
    """A shell of ours in which answers can be read exactly, and what was learnt about it.

    ``page``: the code page of programs' output. ``home``: the prompt of the shell that it was started from, "" where
    there is none. ``way``: how the console takes an answer. ``words``: what was defined in it.
    """

    dialect: Dialect
    prompt: str
    page: str = "utf-8"
    home: str = ""
    way: Way = "stream"
    words: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Whole:
    """What is kept on the VM as far as it came: checksum ("" where there is none), number of lines, and those."""

    sha256: str = ""
    count: int = 0
    lines: dict[int, str] = field(default_factory=dict)

    def missing(self) -> int:
        """The number of the first line that has not come, or 0. What is shown as ``count`` may be any number."""
        return next((number for number in range(1, self.count + 1) if number not in self.lines), 0)

    def text(self) -> str:
        """The lines that came without a gap, each ended by CR LF."""
        last = self.missing() or self.count + 1
        return "".join(f"{self.lines[number]}\r\n" for number in range(1, last))


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that stands at the prompt: its key, the row where it begins, the first line it shows, how many commands.

    ``way``: how its answer is shown.
    """

    key: str
    row: int
    first: int
    count: int
    way: Way


def begins(key: str) -> str:
    """The marker in front of an answer, as it is printed."""
    return f"b{key}"


def ends(key: str) -> str:
    """The marker behind an answer, as it is printed."""
    return f"e{key}"


def type_question(keyboard: Keyboard, markers: Markers, shell: Shell, commands: Sequence[Asked]) -> Conversation[Typed]:
    """Type what runs ``commands`` and shows their output, without Enter. Raises ShellLost, Untypable."""
    key = markers.draw()
    spoken = shell.dialect.ask(key, commands, shell.way)
    return (yield from _Reader(keyboard, markers, shell, 0.0).type(key, spoken, len(commands)))


def answers(
    keyboard: Keyboard, markers: Markers, shell: Shell, typed: Typed, *, most: int, timeout: float
) -> Conversation[list[Output]]:
    """Enter what was typed and read the outputs exactly, one for each command.

    ``most``: bytes of all of them; ``timeout``: seconds for each exchange. Raises ShellLost, Untypable, NoAnswer;
    RowsLost where not even a few lines could be seen together.
    """
    reader = _Reader(keyboard, markers, shell, timeout)
    whole = Whole()
    try:
        yield from reader.enter(whole, typed, most=2 * most)
    except RowsLost:
        # What was entered is not run again: what is kept is shown.
        if typed.way == "stream":
            shell.way = shell.dialect.ways[1]
        whole = yield from reader.again(most, head=typed.way != "stream")
    if not whole.sha256 and shell.dialect.instead is not None:
        # The program that makes checksums is blocked on this VM.
        before, shell.dialect = shell.dialect, shell.dialect.instead
        shell.words = {word for word in shell.words if before.define(word) == shell.dialect.define(word)}
        whole = yield from reader.again(most, head=False)
    for _ in range(ROUNDS):
        # A page was seen whole, so what is missing of it is a line that is longer than the screen.
        too_long = shell.way == "pages" and bool(whole.sha256 and whole.missing()) and len(whole.text()) <= most
        try:
            if not too_long:
                yield from reader.fill(whole, most, encoded=False)
        except LineTooLong:
            if not whole.sha256:
                raise
            too_long = True  # as base64 its lines are short
        if (whole.missing() and not too_long) or not whole.sha256:
            return _outputs(whole.text().encode(), "utf-8", typed, most, "screen")
        for content, encoding in () if too_long else contents(whole.text(), shell.page):
            if _sha256(content) == whole.sha256:
                return _outputs(content, encoding, typed, most, "checksum")
        encoded = yield from reader.encoded(most)
        for content, encoding in () if encoded.missing() else contents(encoded.text(), shell.page):
            if _sha256(content) == whole.sha256:
                return _outputs(content, encoding, typed, most, "checksum")
        whole.lines.clear()  # something on the way was damaged: all of it once more
    raise NoAnswer("the answer did not match its checksum, however often it was read")


@dataclass(slots=True)
class _Reader:
    """What every exchange of one reading needs."""

    keyboard: Keyboard
    markers: Markers
    shell: Shell
    timeout: float

    def type(self, key: str, spoken: Spoken, count: int = 0) -> Conversation[Typed]:
        """Type a line, without Enter; what it takes is defined first."""
        shell = self.shell
        if new := [word for word in spoken.words if word not in shell.words]:
            yield from plain(self.keyboard, shell.prompt, "&".join(shell.dialect.define(word) for word in new))
            shell.words.update(new)
        row = yield from type_at(self.keyboard, shell.prompt, spoken.text)
        return Typed(key, row, spoken.first, count, shell.way)

    def enter(self, whole: Whole, typed: Typed, *, most: int) -> Conversation[None]:
        """Enter a typed line; what comes is added to ``whole``. Raises RowsLost, ShellLost, NoAnswer."""
        yield from submit(
            self.shell.prompt,
            ends(typed.key),
            typed.row,
            lambda rows: take(rows, whole, typed.first, begin=begins(typed.key), end=ends(typed.key)),
            most=most,
            timeout=self.timeout,
            home=self.shell.home,
            cleared=typed.way != "stream",
            paged=typed.way == "pages",
        )

    def again(self, most: int, *, head: bool) -> Conversation[Whole]:
        """What is kept, shown again. ``head``: its checksum and number of lines alone. Raises as ``enter``."""
        if not head:
            with suppress(RowsLost):
                return (yield from self.shown(self.shell.dialect.again, self.shell.way, most=2 * most))
        # A line of it may be so long that nothing else can be seen together with it.
        return (yield from self.shown(self.shell.dialect.again, "head", most=4096))

    def encoded(self, most: int) -> Conversation[Whole]:
        """The base64 of what is kept. Raises as ``enter``."""
        try:
            whole = yield from self.shown(self.shell.dialect.encode, self.shell.way, most=3 * most)
        except RowsLost:
            self.shell.way = "few"  # its lines are short: it is the way that does not work here
            whole = yield from self.shown(self.shell.dialect.encode, "few", most=3 * most)
        yield from self.fill(whole, 2 * most, encoded=True)
        return whole

    def shown(self, speak: Callable[[str, Way], Spoken], way: Way, *, most: int) -> Conversation[Whole]:
        """One exchange. Raises RowsLost, ShellLost, NoAnswer, Untypable."""
        whole, key = Whole(), self.markers.draw()
        typed = yield from self.type(key, speak(key, way))
        yield from self.enter(whole, replace(typed, way=way), most=most)
        return whole

    def fill(self, whole: Whole, most: int, *, encoded: bool) -> Conversation[None]:
        """Ask for the lines that are missing, a screenful at a time, until ``most`` bytes have come."""
        size = SCREENFUL
        while (missing := whole.missing()) and len(whole.text()) <= most:
            first, key = missing, self.markers.draw()
            typed = yield from self.type(key, self.shell.dialect.rows(key, first, first + size - 1, encoded=encoded))
            try:
                yield from self.enter(whole, replace(typed, way="few"), most=16 * 1024)
                lost = whole.missing() == missing
            except RowsLost:
                lost = True
            if lost:
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
    begun: re.Match[str] | None = None
    seen = False
    for row in rows:
        if row.text == begin:
            # A paged answer shows it once more, behind what ran.
            seen, head, parts, number = True, [], [], 0
        elif not seen:
            continue
        elif row.text == end:
            break
        elif first and (begun := _NUMBERED.match(row.text)) and int(begun[1]) == (number + 1 if number else first):
            _keep(whole, number, parts)
            number, parts = int(begun[1]), [row.text]
        elif number and _text(parts).endswith("$"):
            # The line before is whole, so rows in between were lost; what goes on here is told by its number.
            if begun and int(begun[1]) > number:
                _keep(whole, number, parts)
                number, parts = int(begun[1]), [row.text]
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
    text = _text(parts)
    if number and text.endswith("$"):
        whole.lines[number] = text[len(f"{number}:") : -1]


def _text(parts: list[str]) -> str:
    return "".join(part.ljust(COLUMNS) for part in parts).rstrip()


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


def _outputs(
    content: bytes, encoding: str, typed: Typed, most: int, proof: Literal["checksum", "screen"]
) -> list[Output]:
    """The answers, each ended by a line that says whether its command succeeded. What did not come is partial."""
    try:
        shown = content.decode(encoding, "replace")
    except LookupError:
        shown = content.decode("cp437")
    said = {f"ok {typed.key}": 0, f"no {typed.key}": 1}
    found: list[Output] = []
    lines: list[str] = []
    for line in shown.replace("\r\n", "\n").removesuffix("\n").split("\n"):
        code = said.get(line[-len(typed.key) - 3 :])
        before = line if code is None else line[: -len(typed.key) - 3]
        if before or code is None:
            lines.append(before)  # in front of a code: the command's last line had no end
        if code is not None:
            found.append(_output(lines, code, most, proof))
            lines = []
    while len(found) < typed.count:
        found.append(_output(lines, None, most, proof))  # the rest did not come
        lines = []
    return found


def _output(lines: list[str], exit_code: int | None, most: int, proof: Literal["checksum", "screen"]) -> Output:
    text = "".join(f"{line}\n" for line in lines)
    partial = exit_code is None or len(text.encode()) > most
    if partial:
        text = text.encode()[:most].decode(errors="ignore")
    return Output(text, exit_code, proof, partial)
