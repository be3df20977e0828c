"""The live line, with transports that break at will."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from serialfix import events
from serialfix.console.dialogue import Send
from serialfix.errors import ConnectionLost, VmError
from serialfix.venues.line import FLOOD, LiveLine, Transport

LOST = ConnectionLost(1011, "boom")


@dataclass
class Stand:
    """A transport: gives ``coming`` one by one, then breaks or hangs. ``breaks_sending``: the send that fails."""

    coming: list[bytes] = field(default_factory=list)
    then_lost: bool = True
    breaks_sending: int = 0
    sent: list[bytes] = field(default_factory=list)
    given: int = 0
    closed: bool = False

    async def receive(self) -> bytes:
        await asyncio.sleep(0)
        if self.coming:
            self.given += 1
            return self.coming.pop(0)
        if self.then_lost:
            raise LOST
        await asyncio.Event().wait()
        raise AssertionError("never")

    async def send(self, data: bytes) -> None:
        self.sent.append(data)
        if len(self.sent) == self.breaks_sending:
            raise LOST

    async def close(self) -> None:
        self.closed = True


@dataclass
class Log:
    """What a line writes into the record, in order."""

    lines: list[tuple[str, object]] = field(default_factory=list)

    def output(self, data: bytes, at: float) -> None:
        self.lines.append(("o", data))

    def keys(self, data: bytes, at: float, *, hidden: bool) -> None:
        self.lines.append(("hidden" if hidden else "i", data))

    def timer(self, what: str, at: float) -> None:
        self.lines.append(("t", what))

    def event(self, event: events.Event, at: float) -> None:
        self.lines.append(("e", event))


def live(*stands: Stand, clock: Callable[[], float] | None = None) -> tuple[LiveLine, Log]:
    left = list(stands)

    async def connect() -> Transport:
        return left.pop(0)

    log = Log()
    return LiveLine(connect, clock or asyncio.get_running_loop().time, log), log


CONNECTED = ("e", events.Connected())
GONE = ("e", events.Disconnected(1011, "boom", ours=False))
CLOSED = ("e", events.Disconnected(1000, "", ours=True))


async def test_output_comes_in_order_and_a_loss_only_behind_it() -> None:
    line, log = live(Stand([b"a", b"b"]))
    await line.open()
    assert [(await line.wait(None))[1] for _ in range(2)] == [b"a", b"b"]
    for _ in range(2):
        with pytest.raises(ConnectionLost) as caught:
            await line.wait(None)
        assert caught.value.code == 1011
    assert log.lines == [CONNECTED, ("o", b"a"), ("o", b"b"), GONE]
    await line.close()


async def test_a_deadline_is_a_timer_and_the_time_is_never_before_it() -> None:
    ticks = itertools.count(0, 0.004)
    line, log = live(Stand(then_lost=False), clock=lambda: next(ticks))
    await line.open()
    begun = line.begin()
    now, data = await line.wait(begun + 0.05)
    assert data is None
    assert now >= begun + 0.05
    assert log.lines == [CONNECTED, ("t", "start"), ("t", "wake")]
    await line.close()


async def test_keys_are_recorded_before_they_are_sent_and_secrets_as_such() -> None:
    stand = Stand(then_lost=False)
    line, log = live(stand)
    await line.open()
    await line.send(Send(b"dir"))
    await line.send(Send(b"hunter2", secret="password"))
    assert stand.sent == [b"dir", b"hunter2"]
    assert log.lines[1:] == [("i", b"dir"), ("hidden", b"hunter2")]
    await line.close()


async def test_a_loss_while_sending() -> None:
    line, log = live(Stand(then_lost=False, breaks_sending=2))
    await line.open()
    await line.send(Send(b"a"))
    for _ in range(2):
        with pytest.raises(ConnectionLost):
            await line.send(Send(b"b"))
    with pytest.raises(ConnectionLost):
        await line.wait(None)
    assert log.lines == [CONNECTED, ("i", b"a"), ("i", b"b"), GONE]
    await line.close()
    assert log.lines[-1] == GONE  # it was not we who closed it


async def test_before_it_is_opened_there_is_no_line() -> None:
    line, _ = live()
    with pytest.raises(ConnectionLost, match="not connected"):
        await line.send(Send(b"a"))
    with pytest.raises(ConnectionLost, match="not connected"):
        await line.wait(None)
    await line.close()


async def test_it_can_be_opened_again_after_a_loss() -> None:
    first, second = Stand([b"old"]), Stand([b"new"], then_lost=False)
    line, log = live(first, second)
    await line.open()
    await asyncio.sleep(0.01)
    await line.open()
    assert first.closed
    assert (await line.wait(None))[1] == b"new"
    await line.send(Send(b"x"))
    await line.close()
    # What came and nobody read stands in the record, before the new connection.
    assert log.lines == [CONNECTED, ("o", b"old"), CONNECTED, ("o", b"new"), ("i", b"x"), CLOSED]


async def test_closing_drains_what_nobody_read() -> None:
    stand = Stand([b"a", b"b", b"c"], then_lost=False)
    line, log = live(stand)
    await line.open()
    await asyncio.sleep(0.01)
    await line.close()
    assert stand.closed
    assert log.lines == [CONNECTED, ("o", b"a"), ("o", b"b"), ("o", b"c"), CLOSED]
    await line.close()
    assert log.lines[-1] == CLOSED
    assert len(log.lines) == 5


async def test_a_flood_makes_the_vm_wait_and_is_read_whole() -> None:
    piece = b"x" * (FLOOD // 8)
    stand = Stand([piece] * 40, then_lost=False)
    line, _ = live(stand)
    await line.open()
    for _ in range(200):
        await asyncio.sleep(0)
    assert 8 <= stand.given <= 10
    read = 0
    for _ in range(40):
        _, data = await asyncio.wait_for(line.wait(None), 5)
        read += len(data or b"")
    assert read == 40 * len(piece)
    await line.close()


async def test_a_reader_that_waits_is_woken_by_the_loss() -> None:
    stand = Stand(then_lost=True)
    line, _ = live(stand)
    await line.open()
    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(line.wait(None), 5)
    await line.close()


async def test_a_line_that_cannot_be_opened() -> None:
    async def connect() -> Transport:
        raise VmError("no way in")

    log = Log()
    line = LiveLine(connect, asyncio.get_running_loop().time, log)
    with pytest.raises(VmError, match="no way in"):
        await line.open()
    assert log.lines == []
    await line.close()
