r"""Wine's cmd.exe as a shell in which the client reads exactly: how it is started, and the dialect that it understands.

Wine 8's cmd takes ``&&`` and ``||`` for ``&``, expands variables only after it has looked for ``>`` and ``&``, and has
no certutil, no ``findstr /n`` and no ``find /c``. Those three are done by a script for Wine's own cscript
(wine_exact.js), and all else (redirection, ``if errorlevel``, ``for /f``, markers broken by a caret) is cmd's own.
Since variables come too late there, there are no words, and everything is typed each time:

>>> WINE.ask("abcdefgh", [Asked("dir", True), Asked("ver", True)], "few").text  # doctest: +NORMALIZE_WHITESPACE
'cls&echo b^abcdefgh&call zero&dir>o 2>&1&(if errorlevel 1 >>o echo no abcdefgh)&(if not errorlevel 1
 >>o echo ok abcdefgh)&call zero&ver>>o 2>&1&(if errorlevel 1 >>o echo no abcdefgh)&(if not errorlevel 1 >>o echo ok
 abcdefgh)&call sum o&(for /f "delims=" %a in (\'rows.bat o 1 13\') do @echo.%a$)&echo e^abcdefgh'
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from serialfix import events
from serialfix.console.dialogue import Conversation
from serialfix.console.keyboard import Keyboard, vary_case
from serialfix.console.markers import Markers
from serialfix.console.screen import Screen
from serialfix.console.shells import set_prompt
from serialfix.console.slices import Asked, Dialect, Shell, Spoken, Way, answers, plain, type_question
from serialfix.steps import Output
from serialfix.venues.line import LiveLine, converse
from serialfix.venues.process import Program

T = TypeVar("T")

HERE = Path(__file__).parent
INSTALL = "apt-get install --no-install-recommends wine wine64"


FIRST_FEW = 13  # lines that fit a cleared screen behind what is typed, its checksum and its number


@dataclass(frozen=True, slots=True)
class Wine:
    """The dialect of Wine's cmd. Its ``more`` shows no page with a prompt on a line of its own, so nothing is paged."""

    together: int = 4
    ways: tuple[Way, ...] = ("stream", "few")
    instead: Dialect | None = None

    def ask(self, key: str, commands: Sequence[Asked], way: Way) -> Spoken:
        """Run the commands and show what they wrote."""
        runs = "&".join(_run(key, command, ">>" if number else ">") for number, command in enumerate(commands))
        return Spoken(_between(key, way, f"{runs}&call sum o{_show('o', way)}"))

    def again(self, key: str, way: Way) -> Spoken:
        """Show it again."""
        return Spoken(_between(key, way, f"call sum o{_show('o', way)}"))

    def encode(self, key: str, way: Way) -> Spoken:
        """Make base64 of it and show that."""
        return Spoken(_between(key, way, f"call encode o e{_show('e', way)}"))

    def rows(self, key: str, first: int, last: int, *, encoded: bool) -> Spoken:
        """Show the lines ``first`` to ``last``."""
        return Spoken(_between(key, "few", _rows("e" if encoded else "o", first, last)), first=first)

    def define(self, word: str) -> str:
        """There are no words."""
        raise KeyError(word)


def _run(key: str, command: Asked, into: str) -> str:
    text = command.text if command.exact else vary_case(command.text)
    # Not every command of cmd sets its success; a digit in front of ">" would say which stream is meant; and the second
    # "else" of a line is run in any case.
    apart = " " if text[-1:].isdigit() else ""
    said = f"(if errorlevel 1 >>o echo no {key})&(if not errorlevel 1 >>o echo ok {key})"
    return f"call zero&{text}{apart}{into}o 2>&1&{said}"


def _show(file: str, way: Way) -> str:
    return "" if way == "head" else f"&{_rows(file, *((0, 0) if way == 'stream' else (1, FIRST_FEW)))}"


def _rows(file: str, first: int, last: int) -> str:
    return f"(for /f \"delims=\" %a in ('rows.bat {file} {first} {last}') do @echo.%a$)"


def _between(key: str, way: Way, text: str) -> str:
    return f"{'' if way == 'stream' else 'cls&'}echo b^{key}&{text}&echo e^{key}"


WINE = Wine()


@contextmanager
def wine() -> Iterator[Path]:
    """Wine with a new prefix, which all consoles of a module share; its folder ``C:\\s``. Skips where there is none."""
    if shutil.which("wine") is None or shutil.which("wineserver") is None:
        pytest.skip(f"Wine is not installed ({INSTALL})")
    if not Path("/proc/self/stat").exists():
        pytest.skip("Wine's programs are found in /proc, which only Linux has")
    with pytest.MonkeyPatch.context() as patch, _prefix() as prefix:
        patch.delenv("DISPLAY", raising=False)
        patch.setenv("WINEPREFIX", str(prefix))
        patch.setenv("WINEARCH", "win64")
        patch.setenv("WINEDEBUG", "-all")
        patch.setenv("WINEDLLOVERRIDES", "mscoree,mshtml=")
        patch.setenv("LC_ALL", "C.UTF-8")
        _quietly("wineserver", "-p600")
        _quietly("wineboot", "-i")
        try:
            yield _folder(prefix)
        finally:
            _quietly("wineserver", "-k")
            _quietly("wineserver", "-w")


@contextmanager
def _prefix() -> Iterator[Path]:
    # Not pytest's own folder, which is kept for three runs: a prefix takes hundreds of megabytes.
    with tempfile.TemporaryDirectory(prefix="serialfix-wine-", ignore_cleanup_errors=True) as folder:
        yield Path(folder) / "prefix"


def _quietly(*command: str) -> None:
    # Not captured: the services that it starts would hold the pipes open.
    nothing = subprocess.DEVNULL
    subprocess.run(command, stdin=nothing, stdout=nothing, stderr=nothing, timeout=100, check=False)


def _folder(prefix: Path) -> Path:
    folder = prefix / "drive_c" / "s"
    folder.mkdir()
    shutil.copy(HERE / "wine_exact.js", folder / "exact.js")
    for verb in ("sum", "encode", "rows"):
        # In a batch file cmd waits for cscript, which counts as a program with windows.
        (folder / f"{verb}.bat").write_text(f"@cscript //nologo C:\\s\\exact.js {verb} %*\r\n")
    (folder / "zero.bat").write_text("@exit /b 0\r\n")
    return folder


class Keys:
    """A log that keeps the keys."""

    def __init__(self) -> None:
        self.typed: list[bytes] = []

    def output(self, data: bytes, at: float) -> None: ...

    def keys(self, data: bytes, at: float, *, hidden: bool) -> None:
        self.typed.append(data)

    def timer(self, what: str, at: float) -> None: ...
    def event(self, event: events.Event, at: float) -> None: ...


@dataclass
class Console:
    """A shell of ours in Wine. ``folder``: where it stands, as the host sees it."""

    folder: Path
    line: LiveLine
    screen: Screen
    keyboard: Keyboard
    markers: Markers
    log: Keys
    shell: Shell

    async def run(self, conversation: Conversation[T]) -> T:
        """One conversation."""
        return await converse(self.line, self.screen, conversation)

    async def enter(self, text: str) -> None:
        """Enter a line that prints nothing."""
        await self.run(plain(self.keyboard, self.shell.prompt, text))

    async def ask(self, command: str, *, exact: bool = True, most: int = 64 * 1024, seconds: float = 30.0) -> Output:
        """Ask as the product does."""
        (output,) = await self.ask_all(Asked(command, exact), most=most, seconds=seconds)
        return output

    async def ask_all(self, *asked: Asked, most: int = 64 * 1024, seconds: float = 30.0) -> list[Output]:
        """Ask several commands in one exchange, as the product does."""
        typed = await self.run(type_question(self.keyboard, self.markers, self.shell, asked))
        return await self.run(answers(self.keyboard, self.markers, self.shell, typed, most=most, timeout=seconds))

    async def new_shell(self) -> None:
        """Open the line, again after a loss, and prepare a shell."""
        await self.line.open()
        self.screen = Screen()
        self.shell = Shell(WINE, await self.run(set_prompt(self.keyboard, self.markers)), "cp437")
        await self.enter("cd /d C:\\s")


@asynccontextmanager
async def console(folder: Path, *bridge: str) -> AsyncIterator[Console]:
    """A console of its own; ``bridge``: options of wine_bridge.py."""
    loop = asyncio.get_running_loop()
    program = Program((sys.executable, str(HERE / "wine_bridge.py"), *bridge), lambda _: None)
    log = Keys()
    line = LiveLine(program.connect, lambda: round(loop.time(), 6), log)
    here = Console(folder, line, Screen(), Keyboard(), Markers(os.urandom(8).hex()), log, Shell(WINE, ""))
    try:
        await here.new_shell()
        yield here
    finally:
        await line.close()
        await program.close()
