"""Runs one conversation with the console: a generator of Send, Pause, Expect and Say.

A conversation never sees a clock or a socket. It is given the time with each byte and each wake-up and says when it
wants to be woken, so one and the same conversation runs live, in virtual time, and from a recording.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from serialfix.console.expect import Found, Pattern, Stream
from serialfix.console.screen import Screen

T = TypeVar("T")

TIMEOUT = Found("timeout", ())
LULL = Found("lull", ())


@dataclass(frozen=True, slots=True)
class Send:
    """Keys, as one message. ``secret``: the name under which they are recorded instead of themselves."""

    data: bytes
    secret: str | None = None

    def __repr__(self) -> str:
        return f"Send({self.data!r})" if self.secret is None else f"Send(<{self.secret}>)"


@dataclass(frozen=True, slots=True)
class Pause:
    """Let ``seconds`` pass, whatever comes meanwhile."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the person who watches what happens, or what is waited for."""

    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """True of the emulated screen. Checked after every piece of output, so it must not be true in passing."""

    name: str
    test: Callable[[Screen], bool]


@dataclass(frozen=True, slots=True)
class Expect:
    """Wait for the first of ``shown`` or ``stream``; answered with ``Found``.

    ``timeout`` seconds from now answer ``TIMEOUT``. ``lull``: so many seconds of silence, after something has come,
    answer ``LULL``. ``quiet``: the same, but silence counts from now on, whether or not anything came.
    """

    shown: tuple[Shown, ...] = ()
    stream: tuple[Pattern, ...] = ()
    timeout: float = 10.0
    lull: float | None = None
    quiet: float | None = None


Talk: TypeAlias = Send | Pause | Expect | Say
Conversation: TypeAlias = Generator[Talk, Any, T]


class Dialogue(Generic[T]):
    """Drives one conversation. Call ``start`` once, then ``receive`` and ``wake``; each gives what to send now.

    ``tell`` is given what the conversation says to the person who watches.

    ``deadline`` is when ``wake`` is wanted (None: not at all). When ``done``, ``result`` is the conversation's value;
    an exception of the conversation leaves the call that caused it.
    """

    def __init__(
        self, screen: Screen, conversation: Conversation[T], tell: Callable[[str], None] = lambda text: None
    ) -> None:
        self._screen = screen
        self._tell = tell
        self._conversation = conversation
        self._waiting: Pause | Expect | None = None
        self._stream: Stream | None = None
        self._until = 0.0
        self._silent_at: float | None = None
        self.done = False
        self._result: list[T] = []

    @property
    def result(self) -> T:
        """The conversation's value, once ``done``."""
        return self._result[0]

    @property
    def deadline(self) -> float | None:
        """When to wake it, in the pump's seconds."""
        if self.done:
            return None
        return self._until if self._silent_at is None else min(self._until, self._silent_at)

    def start(self, now: float) -> list[Send]:
        """Begin; what to send now."""
        return self._go_on(None, now)

    def receive(self, data: bytes, now: float) -> list[Send]:
        """Output has come. ``data`` is shown on the screen even where nobody waits for it."""
        text = self._screen.feed(data)
        waiting = self._waiting
        if not isinstance(waiting, Expect):
            return []
        silence = waiting.lull if waiting.lull is not None else waiting.quiet
        if silence is not None:
            self._silent_at = now + silence
        if self._stream is not None and (found := self._stream.feed(text)):
            return self._go_on(found, now)
        if found := self._on_screen(waiting):
            return self._go_on(found, now)
        return []

    def wake(self, now: float) -> list[Send]:
        """Time has passed."""
        deadline = self.deadline
        if self._waiting is None or deadline is None or now < deadline:
            return []
        if isinstance(self._waiting, Pause):
            return self._go_on(None, now)
        return self._go_on(TIMEOUT if now >= self._until else LULL, now)

    def stop(self) -> None:
        """Give the conversation up."""
        self._conversation.close()
        self.done = True

    def _on_screen(self, waiting: Expect) -> Found | None:
        for shown in waiting.shown:
            if shown.test(self._screen):
                return Found(shown.name, ())
        return None

    def _go_on(self, value: Found | None, now: float) -> list[Send]:
        sends: list[Send] = []
        self._waiting = self._silent_at = self._stream = None
        while True:
            try:
                talk = self._conversation.send(value)
            except StopIteration as end:
                self.done = True
                self._result.append(end.value)
                return sends
            value = None
            if isinstance(talk, Send):
                sends.append(talk)
                continue
            if isinstance(talk, Say):
                self._tell(talk.text)
                continue
            if isinstance(talk, Expect) and (found := self._on_screen(talk)):
                value = found
                continue
            self._waiting = talk
            self._until = now + (talk.seconds if isinstance(talk, Pause) else talk.timeout)
            if isinstance(talk, Expect):
                self._stream = Stream(talk.stream) if talk.stream else None
                self._silent_at = None if talk.quiet is None else now + talk.quiet
            return sends
