"""Lines through a pipe: typed one after another, each when it is quiet; ended by silence, or by a loss."""

import asyncio
import os
import time
from collections.abc import Iterator

import pytest

from serialfix import events
from serialfix.errors import ConnectionLost, VmError
from serialfix.tui import piped
from serialfix.tui.piped import Piped, end
from serialfix.venues.line import LiveLine


class Echo:
    """A console that echoes; lost after so many Enters."""

    def __init__(self, lives: int = 1000) -> None:
        self.took = b""
        self.lives = lives
        self.pieces: list[bytes] = []
        self._came: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(self) -> bytes:
        data = await self._came.get()
        if self.took.count(b"\r") >= self.lives:
            raise ConnectionLost(1006, "gone")
        return data

    async def send(self, data: bytes) -> None:
        self.took += data
        self.pieces.append(data)
        self._came.put_nowait(data.replace(b"\r", b"\r\nSAC>"))

    async def close(self) -> None:
        pass


class Silent:
    """A record that nobody reads."""

    def output(self, data: bytes, at: float) -> None:
        pass

    def keys(self, data: bytes, at: float, *, hidden: bool) -> None:
        pass

    def timer(self, what: str, at: float) -> None:
        pass

    def event(self, event: events.Event, at: float) -> None:
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piped, "LULL", 0.05)
    monkeypatch.setattr(piped, "SETTLED", 0.02)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for descriptor in ends:
        try:
            os.close(descriptor)
        except OSError:
            continue


async def run(pipe: tuple[int, int], text: bytes, console: Echo) -> list[str]:
    shown: list[str] = []

    async def connect() -> Echo:
        return console

    line = LiveLine(connect, time.monotonic, Silent())
    await line.open()
    os.write(pipe[1], text)
    os.close(pipe[1])
    try:
        await Piped(shown.append, time.monotonic, wait=0.2, descriptor=pipe[0]).work(line)
    finally:
        await line.close()
    return shown


@pytest.mark.parametrize(
    ("text", "took"),
    [
        (b"ch\n?\n", b"ch\r?\r"),
        (b"ch\r\n?", b"ch\r?\r"),
        (b"\n", b"\r"),
        (b"", b""),
        ("\u00e9\n".encode(), "\u00e9\r".encode()),
        (b"\x03\n", b"\x03\r"),
    ],
)
async def test_lines_are_typed_with_cr_at_their_ends(pipe: tuple[int, int], text: bytes, took: bytes) -> None:
    console = Echo()
    await run(pipe, text, console)
    assert console.took == took


async def test_what_comes_is_printed_once(pipe: tuple[int, int]) -> None:
    assert await run(pipe, b"ch\nboot\n", Echo()) == ["ch", "SAC>boot", "SAC>"]


async def test_equal_neighbours_never_share_a_message(pipe: tuple[int, int]) -> None:
    console = Echo()
    await run(pipe, b"aabbb" + b"x" * 5 + b"\n", console)
    assert all(len(set(piece)) == len(piece) for piece in console.pieces)


async def test_a_loss_ends_it_and_nothing_more_is_typed(pipe: tuple[int, int]) -> None:
    console = Echo(lives=2)
    with pytest.raises(VmError, match="2 lines of the input were entered"):
        await run(pipe, b"one\ntwo\nthree\n", console)
    assert console.took == b"one\rtwo\r"


async def test_tasks_end_even_if_one_overhears_it() -> None:
    heard: list[bool] = []

    async def deaf() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            heard.append(True)
        await asyncio.sleep(60)

    async def failing() -> None:
        raise ZeroDivisionError

    tasks = [asyncio.create_task(deaf()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await end(tasks)
    assert heard
    assert all(task.done() for task in tasks)
