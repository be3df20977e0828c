"""A synchronous pump in virtual time, and a model of a console's line editor, for the tests of conversations.

The model knows nothing of the client: keys come in order, each takes its time, may be lost or doubled by a plan, and is
echoed; 0x08 erases, CR enters (windows-sac.md 2.4).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, TypeVar

from serialfix.console.dialogue import Conversation, Dialogue, Send
from serialfix.console.screen import COLUMNS, Screen

T = TypeVar("T")


class Device(Protocol):
    """What is at the other end of the line."""

    def keys(self, data: bytes, now: float) -> None:
        """Keys come."""

    def due(self) -> float | None:
        """When the next output comes; None: never."""

    def output(self, now: float) -> bytes:
        """What has come out by now."""


class Pump:
    """Joins conversations and a device. ``now`` goes on from one conversation to the next; ``sent``: all that was."""

    def __init__(self, device: Device, recut: Callable[[bytes], Sequence[bytes]] = lambda data: [data]) -> None:
        self.device = device
        self.screen = Screen()
        self.now = 0.0
        self.sent: list[tuple[float, Send]] = []
        self._recut = recut
        self._came: list[bytes] = []

    def run(self, conversation: Conversation[T]) -> T:
        """Run one conversation to its end; its exceptions come out."""
        dialogue = Dialogue(self.screen, conversation)
        sends = dialogue.start(self.now)
        for _ in range(200_000):
            for send in sends:
                self.sent.append((self.now, send))
                self.device.keys(send.data, self.now)
            if dialogue.done:
                return dialogue.result
            data = self._next(dialogue.deadline)
            sends = dialogue.wake(self.now) if data is None else dialogue.receive(data, self.now)
        raise AssertionError("the conversation goes on for ever")

    def _next(self, deadline: float | None) -> bytes | None:
        if not self._came:
            due = self.device.due()
            if deadline is not None and (due is None or due > deadline):
                self.now = max(self.now, deadline)
                return None
            assert due is not None, "the conversation waits for ever and nothing will come"
            self.now = max(self.now, due)
            self._came = [piece for piece in self._recut(self.device.output(self.now)) if piece]
        return self._came.pop(0) if self._came else b""

    def drain(self, seconds: float = 60.0) -> None:
        """Let the device finish, with nobody but the screen watching."""
        end = self.now + seconds
        while (due := self.device.due()) is not None and due <= end:
            self.now = max(self.now, due)
            self.screen.feed(self.device.output(self.now))


class Editor:
    """A console's prompt and line. ``entered``: the lines that got Enter.

    ``plan``: what becomes of each key but Enter, which comes alone and arrives: "ok", "lose", "double" (at once), or
    "late" (doubled, the copy 80 ms later, but only of a key that equals the one before). ``stars``: what is typed at
    ``Password:`` is echoed so. ``answer(line, self)`` gives pieces of output as (seconds later, text) and may change
    ``prompt``; while ``reading`` is False no prompt follows and keys wait for Ctrl-C.
    """

    def __init__(
        self,
        prompt: str,
        *,
        plan: Iterable[str] = (),
        lag: float = 0.02,
        stars: bool = False,
        answer: "Callable[[str, Editor], Iterable[tuple[float, str]]]" = lambda line, editor: (),
    ) -> None:
        self.prompt = prompt
        self.line = ""
        self.entered: list[str] = []
        self.reading = True
        self._plan = iter(plan)
        self._lag = lag
        self._stars = stars
        self._answer = answer
        self._keys: list[tuple[float, int]] = []
        self._free = 0.0
        self._last = -1
        self._wrapped = False
        self._out: list[tuple[float, bytes]] = []
        self._output_free = 0.0
        self.write(prompt, 0.0)

    def write(self, text: str, at: float) -> None:
        """Let text come out, never before what was written earlier."""
        self._output_free = max(self._output_free, at)
        self._out.append((self._output_free, text.encode()))

    def keys(self, data: bytes, now: float) -> None:
        for byte in data:
            effect = "ok" if byte == 13 else next(self._plan, "ok")
            at = max(self._free, now + self._lag)
            if effect == "lose":
                continue
            self._key(byte, at)
            if effect == "double" or (effect == "late" and byte == self._last):
                at += 0.08 if effect == "late" else 0.0
                self._key(byte, at)
            self._last, self._free = byte, at

    def _key(self, byte: int, at: float) -> None:
        if byte == 3:
            self.line, self.reading = "", True
            self._out = [(due, text) for due, text in self._out if due <= at]
            self._output_free = at
            self.write(f"^C\r\n{self.prompt}", at)
        elif not self.reading:
            return
        elif byte == 13:
            line, self.line = self.line, ""
            self.entered.append(line)
            self.write("\r\n", at)
            for later, text in self._answer(line, self):
                self.write(text, at + later)
            if self.reading:
                self.write(self.prompt, self._output_free)
        elif byte == 8:
            if self.line:
                self._erase(at)
        elif byte >= 32:
            self.line += chr(byte)
            self._wrapped = False
            self.write("*" if self._stars and self.prompt.startswith("Password") else chr(byte), at)

    def _erase(self, at: float) -> None:
        # Where the line wraps the cursor has to go up a row by itself, as a console does.
        stood = len(self.prompt) + len(self.line)
        column = (stood - 1) % COLUMNS + 1
        up = "\x1b[A" if self._wrapped else ""
        self._wrapped = column == 1
        self.line = self.line[:-1]
        self.write(f"{up}\x1b[{column}G \x1b[{column}G", at)

    def due(self) -> float | None:
        return self._out[0][0] if self._out else None

    def output(self, now: float) -> bytes:
        data = b""
        while self._out and self._out[0][0] <= now:
            data += self._out.pop(0)[1]
        return data
