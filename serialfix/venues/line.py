"""A serial line with a clock and a record, and the pump that runs conversations over it. The only clock of a session.

A ``Line`` is either live (``LiveLine``: a transport, the clock and the record) or a recording (``replay.py``); whoever
talks over it does not know which, so what runs live is what is replayed.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from serialfix import events
from serialfix.console.dialogue import Conversation, Dialogue, Send
from serialfix.console.screen import Screen
from serialfix.errors import ConnectionLost, VmError
from serialfix.venues.neighbour import announced_its_end, looks_like_second_user

T = TypeVar("T")

TAIL = 4096
"""Bytes of the last output that are kept, to know whether Windows said that it goes down."""

FLOOD = 8 * 1024 * 1024
"""Bytes that may wait unread before the VM is made to wait."""


class Transport(Protocol):
    """Bytes to and from whatever shows the console."""

    async def receive(self) -> bytes:
        """The next bytes. Raises ConnectionLost."""

    async def send(self, data: bytes) -> None:
        """Send bytes. Raises ConnectionLost."""

    async def close(self) -> None:
        """Close; never raises."""


class Log(Protocol):
    """The record, as a line writes it."""

    def output(self, data: bytes, at: float) -> None:
        """Bytes that came."""

    def keys(self, data: bytes, at: float, *, hidden: bool) -> None:
        """Keys that were sent."""

    def timer(self, what: str, at: float) -> None:
        """A conversation began, or a timer fired."""

    def event(self, event: events.Event, at: float) -> None:
        """The line came or went."""


class Line(Protocol):
    """A serial line with a clock."""

    async def open(self) -> None:
        """Connect. Raises SerialfixError."""

    def begin(self) -> float:
        """A conversation begins; the time."""

    async def send(self, send: Send) -> None:
        """Send keys. Raises ConnectionLost."""

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        """What comes first: output, or (None) the deadline; and the time. Raises ConnectionLost."""

    async def close(self) -> None:
        """Close; never raises."""


async def always(lost: ConnectionLost) -> None:
    """Whatever ended the line, it may be opened again."""


class LiveLine:
    """A transport, the clock, and the record of both. ``connect`` opens a transport; ``clock`` gives seconds.

    ``may_reconnect`` is asked before the line is opened again after a loss; what it raises is what ``open`` raises,
    from then on always.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Transport]],
        clock: Callable[[], float],
        log: Log,
        may_reconnect: Callable[[ConnectionLost], Awaitable[None]] = always,
    ) -> None:
        self._connect = connect
        self._clock = clock
        self._log = log
        self._may_reconnect = may_reconnect
        self._refused: VmError | None = None
        self._tail = b""
        self._transport: Transport | None = None
        self._reader: asyncio.Task[None] | None = None
        self._came: deque[bytes] = deque()
        self._waiting = 0
        self._lost: ConnectionLost | None = None
        self._said_lost = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()

    async def open(self) -> None:
        """Connect, and read from now on whether or not somebody waits. Raises SerialfixError."""
        await self.close()
        while True:
            await self._ask_first()
            try:
                self._transport = await self._connect()
                break
            except ConnectionLost as lost:
                # Somebody else came while we were let in. Anything else is for whoever opens the line to decide.
                if self._may_reconnect is always or not looks_like_second_user(lost):
                    raise
                self._lost = lost
        self._lost, self._said_lost, self._tail = None, False, b""
        self._reader = asyncio.create_task(self._read(self._transport))
        self._log.event(events.Connected(), self._clock())

    async def _ask_first(self) -> None:
        """Ask whether the line may be opened again, where it was lost. Raises VmError."""
        if self._refused is not None:
            raise self._refused
        lost = self._lost
        if lost is not None and not announced_its_end(self._tail):
            try:
                await self._may_reconnect(lost)
            except VmError as refused:
                self._refused = refused
                raise
        self._lost = None  # allowed once: where connecting fails for another reason, nobody is asked again

    def begin(self) -> float:
        """A conversation begins; the time."""
        now = self._clock()
        self._log.timer("start", now)
        return now

    async def send(self, send: Send) -> None:
        """Send and record keys. Raises ConnectionLost."""
        if self._transport is None or self._lost is not None:
            raise self._gone()
        self._log.keys(send.data, self._clock(), hidden=send.secret is not None)
        try:
            await self._transport.send(send.data)
        except ConnectionLost as lost:
            self._lost = lost
            raise self._gone() from None

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        """Output, or None at ``deadline``; and the time. Raises ConnectionLost."""
        while not self._came:
            if self._lost is not None or self._transport is None:
                raise self._gone()
            left = None if deadline is None else deadline - self._clock()
            if left is not None and left <= 0:
                now = max(self._clock(), deadline or 0.0)
                self._log.timer("wake", now)
                return now, None
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), left)
        data = self._came.popleft()
        self._waiting -= len(data)
        self._room.set()
        now = self._clock()
        self._tail = (self._tail + data)[-TAIL:]
        self._log.output(data, now)
        return now, data

    async def close(self) -> None:
        """Close; what came and was not read yet goes into the record."""
        reader, transport = self._reader, self._transport
        self._reader = self._transport = None
        if reader is not None:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader
        while self._came:
            data = self._came.popleft()
            self._tail = (self._tail + data)[-TAIL:]
            self._log.output(data, self._clock())
        self._waiting = 0
        if transport is not None:
            await transport.close()
            if self._lost is None:
                self._log.event(events.Disconnected(1000, "", ours=True), self._clock())

    def _gone(self) -> ConnectionLost:
        lost = self._lost or ConnectionLost(1006, "not connected")
        if not self._said_lost:
            # Recorded when it is met, behind the last output that was read: replay meets it at the same place.
            self._said_lost = True
            self._log.event(events.Disconnected(lost.code, lost.reason, ours=False), self._clock())
        return lost

    async def _read(self, transport: Transport) -> None:
        try:
            while True:
                data = await transport.receive()
                self._came.append(data)
                self._waiting += len(data)
                self._news.set()
                if self._waiting > FLOOD:
                    self._room.clear()
                    await self._room.wait()
        except ConnectionLost as lost:
            self._lost = lost
        finally:
            self._news.set()


async def converse(
    line: Line, screen: Screen, conversation: Conversation[T], tell: Callable[[str], None] = lambda text: None
) -> T:
    """Run one conversation to its end. Raises ConnectionLost and whatever the conversation raises."""
    dialogue = Dialogue(screen, conversation, tell)
    try:
        sends = dialogue.start(line.begin())
        while True:
            for send in sends:
                await line.send(send)
            if dialogue.done:
                return dialogue.result
            now, data = await line.wait(dialogue.deadline)
            sends = dialogue.wake(now) if data is None else dialogue.receive(data, now)
    finally:
        dialogue.stop()
