"""A program at a console: its output takes time, its input is edited as Windows' console edits a line.

CR is Enter (at the login prompts LF too), 0x08 takes one character back, 0x7F a word, ESC clears the line and is held
until the next byte, Ctrl-C interrupts, keys typed while a program runs wait: windows-sac.md 2.4. The cursor stays at
the end of the line: arrow left and right are not modelled, up and down recall earlier lines.
"""

import codecs
from collections import deque
from collections.abc import Callable
from random import Random

from serialfix.simulator.conhost import Console
from serialfix.simulator.programs import Clear, Interrupted, Overlay, ReadKey, ReadLine, Request, Sleep, Steps, Title
from serialfix.simulator.vm import Vm

LONGEST = 8191
PASTED, DAMAGED = 0.015, 0.9  # seconds between keys below which they count as pasted; how many suffer: our choice
_FINAL = frozenset(b"@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~")


class Session:
    """Runs ``steps`` at ``console``. ``code`` is the exit code once it has ended."""

    def __init__(
        self,
        vm: Vm,
        console: Console,
        program: Callable[[Callable[[str], None]], Steps],
        random: Random,
        now: float,
        *,
        channel: str = "",
        lf_is_enter: bool = False,
        eaten: float = 0.0,
    ) -> None:
        self.console = console
        self.code: int | None = None
        self.typist = ""
        """Who typed last: "client" or "visitor"."""
        self._vm, self._random, self._channel = vm, random, channel
        self._outbox: deque[str | Clear | Title | Overlay] = deque()
        self._cost = random.uniform(0.0002, 0.001)  # a row takes so long to be written
        self._next_write = now
        self._steps = program(self._write)
        self._request: Request | None = None
        self._wake: float | None = None
        self._line: list[str] = []
        self._keys: deque[int] = deque()
        self._escape = ""
        self._last = ("", now)  # what was typed, and when
        self._decoder = codecs.getincrementaldecoder("utf-8")("ignore")
        self._history: list[str] = []
        self._recall = 0
        self._lf_is_enter = lf_is_enter
        self._eaten = eaten
        self._deaf: float | str | None = None  # until a time, or "line": until the first Enter
        self._resume(None, now)

    # -- the program ------------------------------------------------------------------------------------------

    def _write(self, text: str) -> None:
        self._vm.note("wrote", channel=self._channel, text=text)
        self._outbox.extend(text.splitlines(keepends=True))

    def _resume(self, value: str | None, now: float, *, interrupt: bool = False) -> None:
        """Let the program go on until it waits for something that takes time."""
        self._next_write = max(self._next_write, now)
        self._request, self._wake = None, None
        while True:
            try:
                if interrupt:
                    request = self._steps.throw(Interrupted())
                else:
                    request = next(self._steps) if value is None else self._steps.send(value)
            except StopIteration as end:
                self.code = end.value
                return
            except Interrupted:
                self.code = -1073741510
                return
            interrupt = False
            if not isinstance(request, (Clear, Title, Overlay)):
                self._request = request
                break
            self._outbox.append(request)
            value = ""
        if isinstance(self._request, Sleep):
            self._wake = now + self._request.seconds
        elif isinstance(self._request, ReadKey) and self._request.timeout is not None:
            self._wake = now + self._request.timeout
        elif isinstance(self._request, ReadLine) and self._request.purpose == "command" and self._eaten:
            if self._random.random() < self._eaten:
                self._deaf = now + self._random.uniform(0.3, 3.0) if self._random.random() < 0.5 else "line"
            self._eaten = 0.0

    @property
    def reading(self) -> str:
        """What the program waits for: a ReadLine's purpose, "key", or ""."""
        if self._outbox:
            return ""
        return (
            self._request.purpose
            if isinstance(self._request, ReadLine)
            else "key"
            if isinstance(self._request, ReadKey)
            else ""
        )

    @property
    def shell(self) -> str:
        """Which shell reads, where one does: "cmd" or "powershell"."""
        return self._request.reader if isinstance(self._request, ReadLine) else ""

    @property
    def ended(self) -> bool:
        """Whether the program has ended and all it wrote is out."""
        return self.code is not None and not self._outbox

    def due(self) -> float | None:
        """Return when something happens by itself."""
        times = [self.console.due(), self._next_write if self._outbox else self._wake]
        if not self._outbox and self._keys and isinstance(self._request, (ReadLine, ReadKey)):
            times.append(self._next_write)
        return min((t for t in times if t is not None), default=None)

    def advance(self, now: float) -> None:
        """Do all that is due by now."""
        while True:
            if self._outbox:
                if self._next_write > now:
                    break
                item = self._outbox.popleft()
                if isinstance(item, Clear):
                    self.console.clear(self._next_write)
                elif isinstance(item, Title):
                    self.console.title(item.text)
                elif isinstance(item, Overlay):
                    self.console.overlay(item.rows, self._next_write)
                else:
                    self.console.write(item, self._next_write)
                    self._next_write += self._cost
            elif self.code is not None:
                break
            elif self._keys and isinstance(self._request, (ReadLine, ReadKey)):
                self._consume(self._keys.popleft(), now)
            elif self._wake is not None and self._wake <= now:
                self._resume("", now)
            else:
                break
        self.console.advance(now)

    # -- keys -------------------------------------------------------------------------------------------------

    def key(self, byte: int, now: float) -> None:
        """Take one byte from the line."""
        if isinstance(self._deaf, float):
            if now < self._deaf:
                return
            self._deaf = None
        elif self._deaf == "line":
            if byte in b"\r\n":
                self._deaf = None
            return
        if byte == 3 and not (
            isinstance(self._request, ReadLine) and self._request.purpose in {"username", "domain", "password"}
        ):
            self._interrupt(now)
            return
        self._keys.append(byte)
        self.advance(now)

    def _interrupt(self, now: float) -> None:
        reads_key = isinstance(self._request, ReadKey) and not self._outbox
        self._keys.clear()
        self._outbox.clear()
        self._line.clear()
        self._escape = ""
        self._vm.note("interrupt", channel=self._channel)
        self.console.write("\r\n" if reads_key else "^C\r\n", now)
        self._resume(None, now, interrupt=True)
        self.advance(now)

    def _consume(self, byte: int, now: float) -> None:
        if isinstance(self._request, ReadKey):
            self._resume(chr(byte), now)
            return
        if self._escape:
            self._escaped(byte, now)
        elif byte == 0x1B:
            self._escape = "\x1b"
        elif byte == 0x0D or (byte == 0x0A and self._lf_is_enter):
            self._enter(now)
        elif byte == 0x08:
            if self._line:
                self._line.pop()
                self._erase(1, now)
        elif byte == 0x7F:
            self._erase_word(now)
        elif byte >= 0x20:
            for character in self._decoder.decode(bytes([byte])):
                for _ in range(self._copies(character, now)):
                    self._type(character, now)
        elif byte == 0x1A:
            self._type("\x1a", now)

    def _copies(self, character: str, now: float) -> int:
        """Return how often a typed character arrives: PSReadLine loses or doubles the second of two equal ones."""
        previous, at = self._last
        self._last = (character, now)
        if not (isinstance(self._request, ReadLine) and self._request.doubles) or character != previous:
            return 1
        if now - at >= PASTED or self._random.random() >= DAMAGED:
            return 1
        return 2 if self._random.random() < 0.7 else 0

    def _escaped(self, byte: int, now: float) -> None:
        self._escape += chr(byte)
        if self._escape == "\x1b[" or (self._escape.startswith("\x1b[") and byte not in _FINAL):
            return
        sequence, self._escape = self._escape, ""
        if sequence in {"\x1b[A", "\x1b[B"}:
            self._history_step(-1 if sequence == "\x1b[A" else 1, now)
        elif sequence.startswith("\x1b[") or sequence[1] in "0123456789!@hk+-?/Rr":
            return  # a cursor or function key of VT100+
        else:
            self._clear(now)
            if byte != 0x1B:
                self._consume(byte, now)

    def _echo(self) -> str:
        return self._request.echo if isinstance(self._request, ReadLine) else "none"

    def _type(self, character: str, now: float) -> None:
        if len(self._line) >= LONGEST:
            return
        self._line.append(character)
        echo = self._echo()
        if echo != "none":
            self.console.write("^Z" if character == "\x1a" else "*" if echo == "stars" else character, now)

    def _erase(self, count: int, now: float) -> None:
        if self._echo() != "none" and count:
            self.console.erase(count, now)

    def _clear(self, now: float) -> None:
        count = len(self._line)
        self._line.clear()
        self._erase(count, now)

    def _erase_word(self, now: float) -> None:
        text = "".join(self._line).rstrip(" ")
        kept = text[: text.rfind(" ") + 1]
        count = len(self._line) - len(kept)
        self._line = list(kept)
        self._erase(count, now)

    def _history_step(self, step: int, now: float) -> None:
        if not self._history or self._echo() != "text":
            return
        self._recall = min(max(self._recall + step, 0), len(self._history) - 1)
        self._clear(now)
        for character in self._history[self._recall]:
            self._type(character, now)

    def _enter(self, now: float) -> None:
        line = "".join(self._line)
        self._line.clear()
        request = self._request
        purpose = request.purpose if isinstance(request, ReadLine) else ""
        shown = f"<{len(line)} characters>" if purpose == "password" else line
        self._vm.note("line", channel=self._channel, purpose=purpose, text=shown, shell=self.shell, by=self.typist)
        if purpose == "command" and line.strip() and (not self._history or self._history[-1] != line):
            self._history.append(line)
        self._recall = len(self._history)
        self.console.write("\r\n", now)
        self._resume(line, now)
