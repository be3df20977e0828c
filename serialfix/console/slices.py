r"""Exact output through a 24-row window: numbered lines, and a checksum of the whole.

The command's output goes into a file in a folder of ours on the VM; in the same exchange come its SHA-256, the number
of its lines, and the lines, each as ``NUMBER:text$``. The number shows a line that was lost, the ``$`` keeps the
blanks at its end, and the checksum proves the characters. On a console that shows samples of a screen (2016, 2019)
lines are lost when they scroll by; they are asked for again, a screenful at a time. What the screen can't show as it
is (tabs, control characters, characters of another page, a line longer than the screen) comes as base64, made by
``certutil -encode``.

What is used often is defined once, as variables of our own shell, so that little is typed for each question. cmd
expands them before it looks for ``&``, ``>`` and ``|``, so they may hold those:

>>> line("sc queryex TermService%_r%", "%_h%", Pages().text, begin="abcdefgh", end="jkmnpqrs")
'echo abcd^efgh&sc queryex TermService%_r%&%_h%&%_p% o%_e%&echo jkmn^pqrs'

The folder lies under %SystemRoot%, has a name that can't be guessed, inherits no rights, and is removed at the end
(rdp-repair.md 0a.3).
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from serialfix.console.dialogue import TIMEOUT, Conversation, Expect, Send
from serialfix.console.keyboard import ENTER, Keyboard, vary_case
from serialfix.console.markers import Markers
from serialfix.console.screen import COLUMNS, Row
from serialfix.console.shells import NoAnswer, ShellLost, at_prompt, enter, submit, type_at, type_command
from serialfix.steps import Output

ROOT = r"C:\Windows"
SCREENFUL = 18  # lines of less than 80 columns that fit a screen together with two markers and a prompt
ROUNDS = 3  # how often a whole is fetched again when its checksum does not hold

VARIABLES = (
    # Behind a command: run it into the file "o", with its success as the last line.
    ("_r", "^>o 2^>^&1^&^&^>^>o echo ok^|^|^>^>o echo no"),
    # The checksum of "o" and the number of its lines.
    ("_h", 'certutil -hashfile o SHA256^&find /c /v "" ^<o'),
    # Show a file's lines with their numbers; between the two parts stands the file, or file and filter.
    ("_p", '(for /f "delims=" %a in (\'findstr /n "^"'),
    ("_e", "') do @echo(%a$)"),
)
ENCODE = 'certutil -f -encode o e>nul&find /c /v "" <e'


class RowsLost(NoAnswer):
    """The answer is too long for this console to be read at once."""


class LineTooLong(NoAnswer):
    """A single line of the answer does not fit the screen."""


@dataclass(slots=True)
class Folder:
    """Our folder on the VM. ``page``: the code page of programs' output. ``lossy``: lines are lost when they scroll."""

    path: str
    page: str = "cp437"
    lossy: bool = False


@dataclass(frozen=True, slots=True)
class Pages:
    """Which lines are shown of which file: numbers ``first`` to ``last``, or (0) all of it."""

    file: str = "o"
    first: int = 0
    last: int = 0

    @property
    def text(self) -> str:
        """The part of a line that shows them."""
        numbers = " ".join(f"{number}:" for number in range(self.first, self.last + 1))
        chosen = f'^|findstr /b "{numbers}"' if self.first else ""
        return f"%_p% {self.file}{chosen}%_e%"


@dataclass(slots=True)
class Whole:
    """A file on the VM as far as it came: its checksum ("" where there is none), how many lines it has, and those."""

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


def line(*parts: str, begin: str, end: str) -> str:
    """What is typed: ``parts`` one after the other, between markers that are typed otherwise than they print."""
    shown = [part for part in parts if part]
    return "&".join((f"echo {begin[:4]}^{begin[4:]}", *shown, f"echo {end[:4]}^{end[4:]}"))


def new_folder(markers: Markers) -> Folder:
    """A folder that is not there yet; whoever makes it knows its name before, and can remove it whatever happens."""
    return Folder(rf"{ROOT}\{markers.draw(12)}")


def prepare(keyboard: Keyboard, markers: Markers, prompt: str, folder: Folder) -> Conversation[bool]:
    """Make the folder and the variables; False where that can't be done. Raises ShellLost, Untypable."""
    rights = '/inheritance:r /grant "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F"'
    framed, row = yield from type_command(
        keyboard, markers, prompt, f"md {folder.path}&&icacls {folder.path} {rights}>nul&&chcp", exact=True
    )
    try:
        made = yield from enter(prompt, framed, row, most=4096, timeout=30.0)
    except NoAnswer:
        return False
    page = re.findall(r"\d{3,5}", made.text)
    if made.exit_code != 0 or not page:
        return False
    folder.page = "utf-8" if page[-1] == "65001" else f"cp{page[-1]}"
    yield from _plain(keyboard, prompt, f"cd /d {folder.path}")
    for name, value in VARIABLES:
        yield from _plain(keyboard, prompt, f"set {name}={value}")
    return True


def remove(keyboard: Keyboard, markers: Markers, prompt: str, folder: Folder) -> Conversation[bool]:
    """Remove the folder; whether it is gone. Raises ShellLost, Untypable."""
    yield from _plain(keyboard, prompt, "cd \\")
    for _ in range(2):
        framed, row = yield from type_command(
            keyboard, markers, prompt, f"rd /s /q {folder.path}&dir /b {folder.path}", exact=True
        )
        try:
            listed = yield from enter(prompt, framed, row, most=4096, timeout=30.0)
        except NoAnswer:
            # At the bottom of a sampled screen even a short answer may scroll by; removing twice does no harm.
            yield from _plain(keyboard, prompt, "cls")
        else:
            return listed.exit_code != 0
    return False


def read(
    keyboard: Keyboard,
    markers: Markers,
    prompt: str,
    folder: Folder,
    command: str,
    *,
    exact: bool,
    most: int,
    timeout: float,
) -> Conversation[Output]:
    """Run ``command`` once and read its output exactly. ``exact``: its letter case matters. ``most``: bytes.

    Raises ShellLost, Untypable, NoAnswer; RowsLost where not even a few lines could be seen together.
    """
    reader = _Reader(keyboard, markers, prompt, folder, timeout)
    whole = Whole()
    run = f"{command if exact else vary_case(command)}%_r%"
    pages = Pages("o", 1, SCREENFUL - 5) if folder.lossy else Pages("o")
    try:
        yield from reader.show(whole, pages, run, "%_h%", most=2 * most)
    except RowsLost:
        folder.lossy = True
        whole = Whole()
        yield from reader.show(whole, None, "%_h%", most=most)
    for _ in range(ROUNDS):
        too_long = False
        try:
            yield from reader.fill(whole, "o", most)
        except LineTooLong:
            if not whole.sha256:
                raise
            too_long = True  # as base64 its lines are short
        if whole.missing() and not too_long:
            return _output(whole.text().encode(), "utf-8", most, "screen")
        for encoding in (folder.page, "utf-8"):
            if not too_long and (content := _encoded(whole.text(), encoding)) and _sha256(content) == whole.sha256:
                return _output(content, encoding, most, "checksum")
        if not whole.sha256:
            return _output(whole.text().encode(), "utf-8", most, "screen")  # certutil is blocked on this VM
        encoded = Whole()
        yield from reader.show(encoded, Pages("e", 1, 2), ENCODE, most=2 * most)
        yield from reader.fill(encoded, "e", 2 * most)
        if not encoded.missing() and (content := _decoded(encoded.text())) and _sha256(content) == whole.sha256:
            return _output(content, _encoding(content, folder.page), most, "checksum")
        whole.lines.clear()  # something on the way was damaged: all of it once more
    raise NoAnswer("the answer did not match its checksum, however often it was read")


@dataclass(slots=True)
class _Reader:
    """What every exchange of one reading needs."""

    keyboard: Keyboard
    markers: Markers
    prompt: str
    folder: Folder
    timeout: float

    def show(self, whole: Whole, pages: Pages | None, *parts: str, most: int) -> Conversation[None]:
        """One exchange: ``parts``, then ``pages``; what comes is added to ``whole``.

        Raises RowsLost, ShellLost, NoAnswer, Untypable.
        """
        begin, end = self.markers.draw(), self.markers.draw()
        typed = line(*parts, pages.text if pages else "", begin=begin, end=end)
        row = yield from type_at(self.keyboard, self.prompt, f"cls&{typed}" if self.folder.lossy else typed)
        first = (pages.first or 1) if pages else 0
        yield from submit(
            self.prompt,
            end,
            0 if self.folder.lossy else row,
            lambda rows: take(rows, whole, first, begin=begin, end=end),
            most=most,
            timeout=self.timeout,
        )

    def fill(self, whole: Whole, file: str, most: int) -> Conversation[None]:
        """Ask for the lines that are missing, a screenful at a time, until ``most`` bytes have come."""
        size = SCREENFUL
        while (missing := whole.missing()) and len(whole.text()) <= most:
            try:
                yield from self.show(whole, Pages(file, missing[0], missing[0] + size - 1), most=16 * 1024)
                lost = whole.missing()[:1] == missing[:1]
            except RowsLost:
                lost = True
            if lost:
                self.folder.lossy = True
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


def _keep(whole: Whole, number: int, parts: list[str]) -> None:
    """Keep a line that was put together from its rows, if its end was seen."""
    text = "".join(part.ljust(COLUMNS) for part in parts).rstrip()
    if number and text.endswith("$"):
        whole.lines[number] = text[len(f"{number}:") : -1]


def _plain(keyboard: Keyboard, prompt: str, text: str) -> Conversation[None]:
    """Enter a line that prints nothing. Raises ShellLost, Untypable."""
    yield from type_at(keyboard, prompt, text)
    yield Send(ENTER)
    found = yield Expect((at_prompt(prompt),), timeout=15.0)
    if found is TIMEOUT:
        raise ShellLost("unknown")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _encoded(text: str, encoding: str) -> bytes:
    try:
        return text.encode(encoding)
    except (UnicodeEncodeError, LookupError):  # a page that Python does not know
        return b""


def _decoded(lines: str) -> bytes:
    """What certutil -encode made of a file; b"" when it is damaged."""
    body = "".join(part for part in lines.split("\r\n") if not part.startswith("-----"))
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error:
        return b""


def _encoding(content: bytes, page: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return page
    return "utf-8"


def _output(content: bytes, encoding: str, most: int, proof: Literal["checksum", "screen"]) -> Output:
    """The answer in a file whose last line says whether the command succeeded."""
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
