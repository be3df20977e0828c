"""A program on a pty as a transport; and with it, where Wine is installed, the keyboard on a real console by others.

Wine's cmd.exe draws its console as a screen: titles, cursor hiding, hard wraps at column 80, prompts painted again
(test-beds.md, "Wine as a console"). It knows no ``&&`` and no ``certutil``, so exact reading can't be tried on it; that
what was typed is what stands there, can.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from serialfix import events
from serialfix.console.dialogue import Conversation, Expect, Shown
from serialfix.console.keyboard import Keyboard
from serialfix.console.markers import Markers
from serialfix.console.modes import read_mode
from serialfix.console.screen import Row, Screen
from serialfix.console.shells import set_prompt, submit, type_at
from serialfix.errors import ConnectionLost, UsageError
from serialfix.venues.process import ProcessTransport
from serialfix.venues.serial import LiveLine, converse

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals are POSIX")


async def test_what_is_typed_comes_back_and_the_end_is_a_loss() -> None:
    transport = ProcessTransport(["cat"])
    await transport.send(b"hello\n")
    assert b"hello" in await asyncio.wait_for(transport.receive(), 10)
    await transport.send(b"\x04")

    async def rest() -> None:
        while True:
            await transport.receive()

    with pytest.raises(ConnectionLost):
        await asyncio.wait_for(rest(), 10)
    await transport.close()


async def test_a_program_that_is_not_there_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="no-such-program"):
        ProcessTransport(["no-such-program"])


class Silent:
    """A log that keeps nothing."""

    def output(self, data: bytes, at: float) -> None: ...
    def keys(self, data: bytes, at: float, *, hidden: bool) -> None: ...
    def timer(self, what: str, at: float) -> None: ...
    def event(self, event: events.Event, at: float) -> None: ...


@pytest.fixture(scope="module")
def wine(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    if shutil.which("wine") is None:
        pytest.skip("Wine is not installed (apt-get install wine wine64)")
    environment = {
        **os.environ,
        "WINEARCH": "win64",
        "WINEDEBUG": "-all",
        "WINEDLLOVERRIDES": "mscoree,mshtml=",
        "WINEPREFIX": str(tmp_path_factory.mktemp("wine") / "prefix"),
    }
    environment.pop("DISPLAY", None)
    return environment


@pytest.mark.slow
@pytest.mark.program("wine")
async def test_lines_of_any_length_are_read_back_from_wine_s_console(
    wine: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in wine.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    loop = asyncio.get_running_loop()

    async def connect() -> ProcessTransport:
        return ProcessTransport(["sh", "-c", "wineboot -i >/dev/null 2>&1; stty raw -echo; exec wine cmd.exe"])

    line = LiveLine(connect, lambda: round(loop.time(), 6), Silent())
    await line.open()
    screen, keyboard, markers = Screen(), Keyboard(), Markers("wine")
    try:
        await converse(line, screen, _until_prompt())
        prompt = await converse(line, screen, set_prompt(keyboard, markers))
        for length in (1, 30, 78, 79, 80, 81, 200, 700):
            text = ("abcdefghij" * 100)[:length]
            said = await converse(line, screen, _echo(keyboard, prompt, text, markers.draw()))
            assert said == text
    finally:
        await line.close()
    assert keyboard.damaged == 0


def _until_prompt() -> Conversation[None]:
    found = yield Expect((Shown("cmd", lambda screen: read_mode(screen).kind == "cmd"),), timeout=100.0)
    assert found.name == "cmd"


def _echo(keyboard: Keyboard, prompt: str, text: str, end: str) -> Conversation[str]:
    """What ``echo`` says of ``text``: the rows between the typed line and the marker, put together."""
    row = yield from type_at(keyboard, prompt, f"echo {text}&echo {end[:4]}^{end[4:]}")
    typed = len(prompt) + len(f"echo {text}&echo {end[:4]}^{end[4:]}")

    def read(rows: Iterable[Row]) -> str:
        shown = [one.text for one in rows]
        return "".join(shown[-(-typed // 80) : shown.index(end)])

    return (yield from submit(prompt, end, row, read, most=8192, timeout=30.0))
