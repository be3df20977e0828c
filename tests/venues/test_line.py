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


# --- a close that looks like somebody else ------------------------------------------------------------------------


class Gate:
    """Decides whether the line may be opened again: ``answers`` one by one, then yes."""

    def __init__(self, *answers: bool) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[int, str]] = []

    async def __call__(self, lost: ConnectionLost) -> None:
        self.asked.append((lost.code, lost.reason))
        if not self.answers.pop(0):
            raise VmError("left to them")


def guarded(gate: Gate, *ways: Stand | Exception) -> LiveLine:
    left = list(ways)

    async def connect() -> Transport:
        way = left.pop(0)
        if isinstance(way, Exception):
            raise way
        return way

    return LiveLine(connect, asyncio.get_running_loop().time, Log(), gate)


async def test_before_it_is_opened_again_it_is_asked_and_only_then() -> None:
    gate = Gate(True)
    line = guarded(gate, Stand([b"a"]), Stand([b"b"], then_lost=False))
    await line.open()
    await line.wait(None)
    with pytest.raises(ConnectionLost):
        await line.wait(None)
    assert gate.asked == []
    await line.open()
    assert gate.asked == [(1011, "boom")]
    assert (await line.wait(None))[1] == b"b"
    await line.close()


async def test_no_stays_no_and_nothing_connects() -> None:
    gate, second = Gate(False), Stand([b"b"])
    line = guarded(gate, Stand([]), second)
    await line.open()
    with pytest.raises(ConnectionLost):
        await line.wait(None)
    for _ in range(3):
        with pytest.raises(VmError, match="left to them"):
            await line.open()
    assert gate.asked == [(1011, "boom")]
    assert second.given == 0
    await line.close()


async def test_windows_that_went_down_is_not_asked_about() -> None:
    gate = Gate()
    down = b"The SAC will become unavailable soon.  The computer is shutting down.\r\n"
    line = guarded(gate, Stand([down]), Stand([b"b"], then_lost=False))
    await line.open()
    await line.wait(None)
    with pytest.raises(ConnectionLost):
        await line.wait(None)
    await line.open()
    assert gate.asked == []
    await line.close()


async def test_somebody_who_comes_while_we_are_let_in_is_asked_about_too() -> None:
    gate = Gate(True, False)
    kicked = ConnectionLost(1000, "")
    line = guarded(gate, kicked, kicked, Stand([b"never"]))
    with pytest.raises(VmError, match="left to them"):
        await line.open()
    assert gate.asked == [(1000, "")] * 2


async def test_a_line_that_can_not_be_opened_again_is_asked_about_once() -> None:
    gate = Gate(True)
    line = guarded(gate, Stand([]), VmError("no way in"), Stand([b"b"], then_lost=False))
    await line.open()
    with pytest.raises(ConnectionLost):
        await line.wait(None)
    with pytest.raises(VmError, match="no way in"):
        await line.open()
    await line.open()
    assert len(gate.asked) == 1
    await line.close()
