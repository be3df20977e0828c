r"""What is fuzzed: any bytes in; what a target must never do makes it raise.

``screen``, ``transcript``: the bytes are a console's output, and a file. The others are a console that says anything:
the first byte chooses what is tried, the second how the console echoes, and the rest are pieces of output with
``\xff`` between them. A piece's first byte says when and how it comes (``_piece``); in the rest ``\xfe0`` to ``\xfe9``
stand for the markers of eight letters that a session draws, one after the other, and ``\xfea`` to ``\xfee`` for those
of six. So a fuzzer can build on what it can't guess, as a hostile VM could that reads what is typed.

Only functions that the rest of serialfix uses are called here.
"""

import asyncio
import contextlib
import tempfile
from collections import deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

from serialfix.console.channels import Login, LoginRefused, NoWay, find_home, log_in, open_channel, show_channel
from serialfix.console.dialogue import Conversation
from serialfix.console.folder import CMD
from serialfix.console.keyboard import Keyboard, Untypable, type_line
from serialfix.console.markers import Markers
from serialfix.console.powershell import POWERSHELL
from serialfix.console.screen import COLUMNS, ROWS, Row, Screen
from serialfix.console.shells import NoAnswer, ShellLost, set_prompt, submit
from serialfix.console.slices import Asked, RowsLost, Shell, Whole, answers, contents, take, type_question
from serialfix.errors import UsageError
from serialfix.rerun import rerun
from serialfix.steps import Output
from serialfix.transcript import read
from serialfix.tui.player import frames
from tests.console.pump import Pump

SEED = "fuzz"
EXPECTED = (NoWay, LoginRefused, Untypable, ShellLost, NoAnswer)
"""How a conversation may end, besides with its result; the docstrings of console/ name them."""

LONGEST = 3600.0
"""Virtual seconds that a conversation may go on after the last output."""

PROMPT = "kqxwvd>"
LINES = (
    "dir",
    "reg query HKLM\\SYSTEM\\CurrentControlSet\\Control\\SCHANNEL /s",
    "x" * 40,
    "C:\\日本語 Größe" + "ab" * 60,
)
DELAYS = (0.0, 0.01, 0.1, 0.5, 1.0, 3.0, 12.0, 70.0)


class Script:
    """A console that plays pieces of output, whatever is typed. ``echo``: 1 each key, 2 all but every 9th, 0 none."""

    def __init__(self, pieces: Iterable[bytes], echo: int) -> None:
        self._pieces = deque(pieces)
        self._echo = echo
        self._typed = 0
        self._out: list[tuple[float, bytes]] = []
        self._head: float | None = None
        self.last = 0.0
        self._advance(0.0)

    def _advance(self, now: float) -> None:
        self._head = None
        if self._pieces and not _waits(self._pieces[0]):
            self._head = now + _delay(self._pieces[0])

    def keys(self, data: bytes, now: float) -> None:
        for byte in data:
            self._typed += 1
            if self._echo and (byte >= 32 or byte == 8) and not (self._echo == 2 and self._typed % 9 == 0):
                self._out.append((now + 0.02, b"\b \b" if byte == 8 else bytes([byte])))
            if byte < 32 and byte != 8 and self._head is None and self._pieces:
                self._head = now + _delay(self._pieces[0])

    def due(self) -> float | None:
        return min((at for at in (self._head, self._out[0][0] if self._out else None) if at is not None), default=None)

    def output(self, now: float) -> bytes:
        self.last = now
        if self._out and self._out[0][0] <= now:
            return self._out.pop(0)[1]
        if self._head is not None and self._head <= now:
            piece = self._pieces.popleft()
            self._advance(now)
            return _expanded(piece[1:])
        return b""


def _delay(piece: bytes) -> float:
    return DELAYS[piece[0] % 8] if piece else 0.0


def _waits(piece: bytes) -> bool:
    """Whether a piece comes only after Enter, Ctrl-C or another key that acts."""
    return bool(piece) and piece[0] % 16 >= 8


def _drawn(length: int, count: int) -> list[bytes]:
    markers = Markers(SEED)
    return [markers.draw(length).encode() for _ in range(count)]


_MACROS = {
    **{b"\xfe%d" % number: drawn for number, drawn in enumerate(_drawn(8, 10))},
    **{b"\xfe" + b"abcde"[number : number + 1]: drawn for number, drawn in enumerate(_drawn(6, 5))},
}


def _expanded(raw: bytes) -> bytes:
    if b"\xfe" in raw:
        for macro, text in _MACROS.items():
            raw = raw.replace(macro, text)
    return raw


def _run(data: bytes, converse: Callable[[Keyboard, Markers], Conversation[Any]]) -> tuple[Pump, Any]:
    """Converse with the console that ``data`` describes; the pump, and the result or the exception.

    Raises AssertionError when it goes on for too long.
    """
    head, *pieces = data.split(b"\xff")
    device = Script(pieces, head[1] % 3 if len(head) > 1 else 0)
    pump = Pump(device)
    ended: Any
    try:
        ended = pump.run(converse(Keyboard(), Markers(SEED)))
    except EXPECTED as problem:
        ended = problem
    assert pump.now <= device.last + LONGEST, (
        f"it went on until {pump.now:.0f} s; the last output came {device.last:.0f}"
    )
    return pump, ended


def _sent(pump: Pump) -> bytes:
    return b"".join(send.data for _, send in pump.sent)


def screen(data: bytes) -> None:
    """The screen stays one, however output is cut, and a redraw is seen after anything."""
    size, output = (data[0] % 31 + 1 if data else 1), data[1:]
    whole, cut = Screen(), Screen(keep=50)
    text = whole.feed(output)
    fed = ""
    for start in range(0, len(output), size):
        fed += cut.feed(output[start : start + size])
        cut.line_to_cursor()
    assert fed == text
    assert (whole.rows(), whole.cursor) == (cut.rows(), cut.cursor)
    for each in (whole, cut):
        row, column = each.cursor
        rows = list(each.since(0))
        assert all(after.number == before.number + 1 for before, after in pairwise(rows))
        assert rows[-1].number == rows[-ROWS].number + ROWS - 1
        assert rows[-ROWS].number <= row <= rows[-1].number
        assert 0 <= column <= COLUMNS
        assert all(len(row.text) <= COLUMNS and "\x1b" not in row.text and "\n" not in row.text for row in rows)
        assert each.before_cursor(9 * COLUMNS).endswith(each.line_to_cursor())
        each.unstick()
        each.feed(b"\x1b[2J\x1b[1;1HSAC>")
        assert each.line_to_cursor() == "SAC>"


def readback(data: bytes) -> None:
    """A typed line is as it was meant, or not entered; and typing presses no key that acts."""
    text = LINES[data[0] % len(LINES)] if data else LINES[0]
    pump, ended = _run(data, lambda keyboard, _: type_line(keyboard, PROMPT, text))
    assert not set(_sent(pump)) & {3, 10, 13, 27}
    if ended is None:
        assert pump.screen.before_cursor(len(PROMPT + text)) == PROMPT + text


def slices(data: bytes) -> None:
    """Rows, lines and whole readings: an answer, or no answer."""
    _rows(data)
    which = data[0] if data else 0
    dialect = CMD if which % 2 else POWERSHELL
    shell = Shell(dialect, PROMPT, page=("utf-8", "cp437", "cp932", "cp0")[which // 2 % 4])
    shell.way = dialect.ways[-1] if which & 8 else "stream"
    asked = [Asked("dir", True), Asked("ver", True)][: dialect.together]

    def reading(keyboard: Keyboard, markers: Markers) -> Conversation[list[Output]]:
        typed = yield from type_question(keyboard, markers, shell, asked)
        return (yield from answers(keyboard, markers, shell, typed, most=2048, timeout=20.0))

    _, ended = _run(data, reading)
    for output in ended if isinstance(ended, list) else ():
        assert output.proof in ("checksum", "screen")
        assert output.exit_code in (0, 1, None)
        assert len(output.text.encode()) <= 2048 or not output.partial


def _rows(data: bytes) -> None:
    text = _expanded(data).decode("utf-8", "replace")
    begin, end = (drawn.decode() for drawn in _drawn(8, 2))
    rows = [Row(number, row[:COLUMNS]) for number, row in enumerate(text.split("\n"))]
    for first in (0, 1, 7):
        whole = Whole()
        with contextlib.suppress(RowsLost):
            take(rows, whole, first, begin=begin, end=end)
        assert 0 <= whole.missing() <= whole.count
        for page in ("utf-8", "cp437", "cp932", "cp0", ""):
            for content, encoding in contents(whole.text() + text, page):
                assert isinstance(content, bytes)
                assert encoding


def _submitted(_: Keyboard, markers: Markers) -> Conversation[Whole]:
    begin, end = markers.draw(), markers.draw()
    whole = Whole()

    def taken(rows: Iterable[Row]) -> Whole:
        take(rows, whole, 1, begin=begin, end=end)
        return whole

    return (yield from submit(PROMPT, end, 0, taken, most=2048, timeout=30.0, home="homeless>"))


CONVERSATIONS: tuple[Callable[[Keyboard, Markers], Conversation[Any]], ...] = (
    lambda keyboard, _: find_home(keyboard),
    lambda keyboard, _: open_channel(keyboard),
    lambda keyboard, _: show_channel(keyboard, "Cmd0001"),
    lambda keyboard, _: log_in(keyboard, Login("vmadmin", "", "Secret-123"), PROMPT),
    set_prompt,
    _submitted,
)


def dialogue(data: bytes) -> None:
    """Any conversation ends in time, as it says that it may; a password goes nowhere without its name."""
    number = data[0] % len(CONVERSATIONS) if data else 0
    pump, _ = _run(data, CONVERSATIONS[number])
    assert not any(b"Secret" in send.data for _, send in pump.sent)


def transcript(data: bytes) -> None:
    """A file is a transcript or a UsageError, whoever reads it."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(UsageError):
        path = Path(folder) / "fuzzed.cast"
        path.write_bytes(data)
        recording = read(path)
        with contextlib.suppress(UsageError):
            list(recording.events())
        with contextlib.suppress(UsageError):
            list(frames(recording, speed=4.0, idle_limit=2.0))
        asyncio.run(rerun(recording))


TARGETS: dict[str, Callable[[bytes], None]] = {
    "screen": screen,
    "readback": readback,
    "slices": slices,
    "dialogue": dialogue,
    "transcript": transcript,
}
