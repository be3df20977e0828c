"""The console in a pipe: lines of standard input are typed, what the VM shows is printed as lines.

Each line is typed slowly, with CR at its end, when the console has been quiet for a moment; so ``printf 'cmd\\nch\\n'``
does not run ahead of the console. A lost line ends it, since what comes next was meant for a prompt that may be gone.
"""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterable
from typing import Any

from serialfix.console.dialogue import Send
from serialfix.console.keyboard import ENTER, PACES, strokes
from serialfix.errors import ConnectionLost, VmError
from serialfix.tui.rows import Rows
from serialfix.venues.line import LiveLine

SETTLED = 0.3
"""Seconds of silence after which what stands on the screen is printed."""

LULL = 1.0
"""Seconds of silence before the next line is typed: gaps inside an answer last up to 0.4 s (windows-sac.md 2.5)."""

MOST = 30.0
"""Seconds after which it is typed even so: what never ends may be waiting for it."""

PACE = PACES[1]


class Piped:
    """Lines in, lines out. ``show`` prints a line; ``clock`` is the line's; ``descriptor`` is that of the input."""

    def __init__(
        self, show: Callable[[str], None], clock: Callable[[], float], *, wait: float, descriptor: int = 0
    ) -> None:
        self._show = show
        self._clock = clock
        self._wait = wait
        self._descriptor = descriptor
        self._rows = Rows()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue()
        self._sent = 0
        self._last = 0.0

    async def work(self, line: LiveLine) -> None:
        """Type all of the input, and print until it is quiet. Raises VmError when the line is lost before that."""
        self._last = self._clock()
        threading.Thread(target=self._read, args=(asyncio.get_running_loop(),), daemon=True).start()
        printing = asyncio.create_task(self._print(line))
        typing = asyncio.create_task(self._type(line))
        try:
            done, _ = await asyncio.wait({printing, typing}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except ConnectionLost as lost:
            raise VmError(
                f"{lost.what} {self._sent} lines of the input were entered; nothing more is sent.",
                why="What comes next was meant for a prompt that may not stand there any more.",
                advice="Look where the console is (serialfix connect in a terminal), then send the rest.",
            ) from None
        finally:
            await end((printing, typing))
            self._tell(self._rows.end())

    async def _print(self, line: LiveLine) -> None:
        unsettled = False
        while True:
            now, data = await line.wait(self._clock() + SETTLED if unsettled else None)
            if data is None:
                self._tell(self._rows.settle())
            else:
                self._last = now
                self._tell(self._rows.feed(data))
            unsettled = data is not None
            await asyncio.sleep(0)  # in a flood, signals are heard all the same

    async def _type(self, line: LiveLine) -> None:
        while True:
            await self._quiet(LULL, MOST)
            text = await self._lines.get()
            if text is None:
                break
            for data, pause in strokes(text, PACE):
                await line.send(Send(data))
                await asyncio.sleep(pause)
            await line.send(Send(ENTER))
            self._sent += 1
            self._last = self._clock()
        await self._quiet(self._wait, None)

    async def _quiet(self, seconds: float, most: float | None) -> None:
        begun = self._clock()
        while most is None or self._clock() < begun + most:
            left = self._last + seconds - self._clock()
            if left <= 0:
                break
            await asyncio.sleep(min(left, 0.2))

    def _tell(self, lines: list[str]) -> None:
        for text in lines:
            self._show(text)

    def _read(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread, since not every input can be waited for otherwise. Not through ``sys.stdin``: its lock would be
        held when the program ends."""
        rest = b""
        with contextlib.suppress(RuntimeError):  # the loop is gone: so are we
            while data := _some(self._descriptor):
                *whole, rest = (rest + data).replace(b"\r\n", b"\n").split(b"\n")
                for text in whole:
                    loop.call_soon_threadsafe(self._lines.put_nowait, text.decode("utf-8", "replace"))
            if rest:
                loop.call_soon_threadsafe(self._lines.put_nowait, rest.decode("utf-8", "replace"))
            loop.call_soon_threadsafe(self._lines.put_nowait, None)


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancel tasks and wait until they have ended, whatever they say. Never raises but when cancelled itself.

    More than once: what is cancelled at the moment at which it would have gone on may go on (``asyncio.wait_for``).
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=0.5)
        for task in done:
            if not task.cancelled():
                task.exception()


def _some(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except OSError:  # closed, or hung up
        return b""
