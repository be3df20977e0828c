"""The console in a terminal: keys to the VM, its screen drawn, a bar below it that says where we are and what happens.

Only the emulated screen is drawn (``painter.py``). With ``raw`` what the VM sends is passed through as it is, and the
bar's words stand between it.
"""

import asyncio
import codecs
import contextlib
import textwrap
from collections.abc import Callable

from serialfix import events
from serialfix.console.dialogue import Send
from serialfix.console.keyboard import ENTER, PACES, strokes
from serialfix.console.modes import read_mode
from serialfix.console.screen import Screen
from serialfix.errors import ConnectionLost, SerialfixError, UsageError
from serialfix.tui.hands import Act, Hands, Link, Quit, Reconnect, StopPaste, Type
from serialfix.tui.keys import Key, in_words
from serialfix.tui.painter import Painter
from serialfix.tui.piped import end
from serialfix.tui.safe import safe
from serialfix.tui.terminal import RawTerminal
from serialfix.venues.line import LiveLine

TYPED, PASTED = PACES[0], PACES[1]
LINE_PAUSE = 0.25
"""Seconds after each line of a paste (windows-sac.md 6.19)."""

FRAME, TICK = 0.03, 0.5
"""Seconds between two pictures at least, and between two looks at the size of our terminal."""

LONGEST_PAUSE = 60.0
"""Seconds between two attempts to connect again; they begin with 1 and double."""

AT = {"sac": "SAC prompt", "stripped sac": "!SAC prompt", "cmd": "cmd", "powershell": "PowerShell", "password": "login"}
WIDEST_NAME, WIDEST_REASON = 24, 70


class Desk:
    """A person at a terminal. ``asks_first``: why a loss is not answered by connecting again, or "".

    ``hint``: what else is worth knowing about this VM.
    """

    def __init__(
        self, vm: str, *, escape: str, raw: bool, asks_first: Callable[[SerialfixError], str], hint: str = ""
    ) -> None:
        self._vm = vm
        self._escape = in_words(escape)
        self._raw = raw
        self._asks_first = asks_first
        self._hands = Hands(escape, hint)
        self._screen = Screen(keep=0)
        self._painter = Painter()
        self._link: Link = "open"
        self._said = f"Connected. Press Enter if nothing shows. {hint}".strip()
        self._written = ""
        self._queue: asyncio.Queue[Type] = asyncio.Queue()
        self._pasting = 0
        self._changed = asyncio.Event()
        self._wanted = asyncio.Event()
        self._left = asyncio.Event()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def told(self, event: events.Event) -> None:
        """Something happened on the way to the VM."""
        if isinstance(event, events.Progress):
            self._say(event.text)

    async def work(self, line: LiveLine) -> None:
        """From the open line until the person leaves. Raises UsageError."""
        with RawTerminal(self._press, self._left.set, whole=not self._raw) as terminal:
            tasks = [
                asyncio.create_task(each)
                for each in (self._keep(line, terminal), self._type(line), self._draw(terminal), self._left.wait())
            ]
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
            finally:
                await end(tasks)

    async def _keep(self, line: LiveLine, terminal: RawTerminal) -> None:
        """Show what comes; connect again after a loss."""
        while True:
            try:
                _, data = await line.wait(None)
            except ConnectionLost as lost:
                await self._again(line, lost)
                continue
            if data is None:
                continue
            self._screen.feed(data)
            if self._raw:
                terminal.write(self._decoder.decode(data))
            self._changed.set()
            await asyncio.sleep(0)  # in a flood, keys are heard all the same

    async def _again(self, line: LiveLine, problem: SerialfixError) -> None:
        self._drop()
        pause = 1.0
        while True:
            self._wanted.clear()
            what = textwrap.shorten(_in_short(problem).rstrip("."), WIDEST_REASON, placeholder=" …")
            if why := self._asks_first(problem):
                self._link = "taken"
                self._say(f"{what}. {why} Enter: connect again | q: quit")
                await self._wanted.wait()
            else:
                self._link = "lost"
                self._say(f"{what}. Connecting again in {pause:.0f} s. Enter: now | q: quit")
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._wanted.wait()
                pause = min(2 * pause, LONGEST_PAUSE)
            try:
                await line.open()
            except UsageError:
                raise
            except SerialfixError as again:
                problem = again
            else:
                break
        self._screen.unstick()
        self._link = "open"
        self._say("Connected again. Press Enter if nothing shows.")

    async def _type(self, line: LiveLine) -> None:
        """Send what was typed, equal neighbours never closer than the line can take."""
        loop = asyncio.get_running_loop()
        last, at = "", 0.0
        while True:
            typed = await self._queue.get()
            try:
                if typed.paste:
                    await self._paste(line, typed.data)
                    continue
                if typed.data == last and typed.data.isprintable():
                    await asyncio.sleep(max(0.0, at + TYPED.equal - loop.time()))
                await line.send(Send(typed.data.encode("utf-8", "replace")))
                last, at = typed.data, loop.time()
            except ConnectionLost:
                self._drop()  # whoever waits for output meets it, too
            finally:
                self._pasting -= typed.paste

    async def _paste(self, line: LiveLine, text: str) -> None:
        *whole, rest = text.split("\r")
        for number, part in enumerate([*whole, rest]):
            for data, pause in strokes(part, PASTED):
                if not self._pasting:
                    return
                await line.send(Send(data))
                await asyncio.sleep(pause)
            if number < len(whole) and self._pasting:
                await line.send(Send(ENTER))
                await asyncio.sleep(LINE_PAUSE)

    def _drop(self) -> None:
        """Nothing of what waits is sent any more."""
        while not self._queue.empty():
            self._queue.get_nowait()
        self._pasting = 0

    def _press(self, keys: list[Key]) -> None:
        for key in keys:
            if self._link == "open":
                self._said = ""
            kind = read_mode(self._screen).kind
            for act in self._hands.press(key, kind, link=self._link, pasting=self._pasting > 0):
                self._do(act)
        self._changed.set()

    def _do(self, act: Act) -> None:
        match act:
            case Type():
                self._pasting += act.paste
                self._queue.put_nowait(act)
            case StopPaste():
                self._drop()
            case Reconnect():
                self._wanted.set()
            case Quit():
                self._left.set()

    def _say(self, text: str) -> None:
        self._said = text
        self._changed.set()

    async def _draw(self, terminal: RawTerminal) -> None:
        if self._raw:
            terminal.write(
                "Passing through what the VM sends: it can act on this terminal (titles, clipboard, answers).\r\n"
            )
        while True:
            if self._raw:
                self._write_words(terminal)
            else:
                size = terminal.size()
                bar = self._bar(size[1])
                terminal.write(
                    self._painter.paint(self._screen.cells(), self._screen.place, bar, size, self._hands.help)
                )
            await asyncio.sleep(FRAME)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(TICK):
                    await self._changed.wait()
            self._changed.clear()

    def _write_words(self, terminal: RawTerminal) -> None:
        words = "\r\n".join((self._hands.notice or self._said, *self._hands.help)).strip()
        if words and words != self._written:
            terminal.write(f"\r\n[{safe(words) if not self._hands.help else words}]\r\n")
        self._written = words

    def _bar(self, columns: int) -> list[str]:
        """The line or two below the screen."""
        vm = self._vm if len(self._vm) <= WIDEST_NAME else self._vm[: WIDEST_NAME - 1] + "…"
        said = self._hands.notice or self._said
        if not said:
            at = AT.get(read_mode(self._screen).kind)
            pasting = "pasting, Ctrl-C stops it" if self._pasting else ""
            said = " | ".join(filter(None, ("connected", at, "recorded", pasting, f"{self._escape} menu")))
        return textwrap.wrap(f"{vm} | {said}", max(20, columns - 3), max_lines=2, placeholder=" …")


def _in_short(problem: SerialfixError) -> str:
    if not isinstance(problem, ConnectionLost):
        return problem.what
    return f"Connection closed ({problem.code}{', ' + problem.reason if problem.reason else ''})"
