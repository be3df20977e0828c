r"""Wine's cmd.exe as a shell in which the client reads exactly: how it is started, and the dialect that it understands.

Wine 8's cmd takes ``&&`` and ``||`` for ``&``, expands variables only after it has looked for ``>`` and ``&``, and has
no certutil, no ``findstr /n`` and no ``find /c``. Those three are done by a script for Wine's own cscript
(wine_exact.js), and all else (redirection, ``if errorlevel``, ``for /f``, markers broken by a caret) is cmd's own:

>>> from serialfix.console.slices import line
>>> line(WINE, WINE.run("dir", True), WINE.digest, WINE.rows(False, 3, 9), begin="abcdefgh", end="jkmnpqrs")
... # doctest: +NORMALIZE_WHITESPACE
'echo abcd^efgh&dir>o 2>&1&(if errorlevel 1 (echo no>>o) else echo ok>>o)&call sum o&(for /f "delims=" %a in (\'rows.bat
 o 3 9\') do @echo.%a$)&echo jkmn^pqrs'
"""

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
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
from serialfix.console.slices import Dialect, Shell, answer, plain, type_question
from serialfix.steps import Output
from serialfix.venues.line import LiveLine, converse
from serialfix.venues.process import Program

T = TypeVar("T")

HERE = Path(__file__).parent
INSTALL = "apt-get install --no-install-recommends wine wine64"


def _rows(encoded: bool, first: int, last: int) -> str:
    shown = f"rows.bat {'e' if encoded else 'o'} {first} {last}"
    return f"(for /f \"delims=\" %a in ('{shown}') do @echo.%a$)"


WINE = Dialect(
    joint="&",
    mark=lambda first, second: f"echo {first}^{second}",
    run=lambda command, exact: (
        f"{command if exact else vary_case(command)}>o 2>&1&(if errorlevel 1 (echo no>>o) else echo ok>>o)"
    ),
    digest="call sum o",
    rows=_rows,
    encode="call encode o e",
    clear="cls",
)


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
        typed = await self.run(type_question(self.keyboard, self.markers, self.shell, command, exact=exact))
        return await self.run(answer(self.keyboard, self.markers, self.shell, typed, most=most, timeout=seconds))

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
