r"""The usual ways to drive such a console, against the same virtual line and the same simulated VM.

- ``quiet``: type a command whole, then read until nothing has come for half a second (what most scripts do).
- ``pexpect``: type a command whole, then read until a prompt stands at the end of the raw stream, for 30 seconds at
  most. No screen, no read-back.
- ``article``: the article's own commands, ``| more`` and all, by perfect hands: nothing is mistyped, the end of an
  answer is known the moment its last byte is here, and each page gets its Space at once. Where bytes of a burst are
  lost the hands type sixteen at a time and equal ones 30 ms apart; where nothing is lost they type whole lines.

All begin at an open, logged-in command prompt that nothing has happened to; the line eats no first command.
"""

import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from serialfix.console.dialogue import Send
from serialfix.console.screen import Screen
from serialfix.simulator.conhost import Raw
from serialfix.simulator.knobs import Knobs
from serialfix.simulator.line import FIFO, Line
from serialfix.simulator.vm import Vm
from serialfix.steps import Command
from tests.virtual import VirtualLine

Way = Literal["quiet", "pexpect", "article"]

QUIET = 0.5
TIMEOUT = 30.0  # pexpect's default
APART = 0.031  # seconds between equal keys where the second may be lost
PASTED = 0.016  # the same for PSReadLine, which doubles equal keys of a paste
SEQUENCE = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]|\].*?\x07)|[\x00-\x1f]")
PROMPT = re.compile(rb"(?:PS )?[A-Z]:\\[^\r\n<>|]*> ?(?:\x1b\[[0-9;?]*[A-Za-z])*$")

LOOKS = (
    "powershell",
    "Netstat -anob |more",
    r"Import-Module PKI",
    r"Set-Location Cert:\LocalMachine",
    r"$RdpCertThumbprint = 'Cert:\LocalMachine\Remote Desktop\'+"
    r"((Get-ChildItem -Path 'Cert:\LocalMachine\Remote Desktop\').thumbprint)",
    "remove-module psreadline",
    r"md c:\temp",
    r"icacls C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys /t /c > c:\temp\BeforeScript_permissions.txt",
)
"""What the article's steps look at, as printed (its links between lines joined)."""

_FOLDER = r"icacls C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys /t /c"
_TLS = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols"
REPAIR = (
    "Remove-Item -Path $RdpCertThumbprint",
    'Stop-Service -Name "SessionEnv"',
    'Start-Service -Name "SessionEnv"',
    r'takeown /f "C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys" /a /r',
    rf'{_FOLDER} /grant "NT AUTHORITY\System:(F)"',
    rf'{_FOLDER} /grant "NT AUTHORITY\NETWORK SERVICE:(R)"',
    rf'{_FOLDER} /grant "BUILTIN\Administrators:(F)"',
    rf"{_FOLDER} > c:\temp\AfterScript_permissions.txt",
    "Restart-Service TermService -Force",
    "exit",
    *(rf'reg add "{_TLS}\TLS {version}\Server" /v Enabled /t REG_DWORD /d 1 /f' for version in ("1.0", "1.1", "1.2")),
    r'REG add "HKLM\SYSTEM\CurrentControlSet\Services\gpsvc" /v Start /t REG_DWORD /d 4 /f',
)
"""What the article's steps 2 and 3 change, as printed. The restarts of the VM that it asks for are left out."""


@dataclass(frozen=True, slots=True)
class Driven:
    """How one of the usual ways did. ``right``: commands that arrived as meant and whose whole answer was seen."""

    wall: float
    commands: int
    right: int
    round_trips: int
    down: int


def typed(commands: Sequence[Command | float]) -> Iterator[str | float]:
    """The product's own questions as they would be typed one by one; numbers are seconds it waited on purpose."""
    shell = "cmd"
    for command in commands:
        if isinstance(command, float):
            yield command
            continue
        if command.shell != shell:
            shell = command.shell
            yield from ("powershell", "Remove-Module PSReadLine") if shell == "powershell" else ("exit",)
        yield command.text


def drive(vm: Vm, knobs: Knobs, seed: int, way: Way, lines: Sequence[str | float]) -> Driven:
    """Type ``lines`` one after the other in one of the usual ways."""
    knobs = replace(knobs, first_command_eaten=0.0, paging=False, half_typed=False, orphans=0)
    line = Watched(Line(vm, knobs, seed, 0.0))
    return asyncio.run(_drive(line, way, lines))


class Watched(VirtualLine):
    """A line whose output is kept on a screen: more than whoever reads the raw stream has."""

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self.screen = Screen()
        self._first = 0
        self._seen: list[str] = []

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        now, data = await super().wait(deadline)
        if data:
            self.screen.feed(data)
            self._seen.append(_joined(self.screen.rows()))
        return now, data

    def begin_command(self) -> None:
        """Forget what was seen."""
        self._first = self.screen.cursor[0]
        self._seen.clear()

    def saw(self, text: str) -> bool:
        """Whether each line of a text stood on the screen at some time since then."""
        seen = [*self._seen, _joined(row.text for row in self.screen.since(self._first))]
        at = 0
        for line in (_joined(SEQUENCE.sub("", line)) for line in re.split("[\r\n]+", text)):
            # Mostly they come in their order, so it is looked for where the last one was first.
            found = next((n for n in (*range(at, len(seen)), *range(at)) if line in seen[n]), None)
            if found is None:
                return False
            at = found
        return True


def _joined(rows: Iterable[str]) -> str:
    return "".join(rows).replace(" ", "")


async def _drive(line: Watched, way: Way, lines: Sequence[str | float]) -> Driven:
    vm = line.line.vm
    await _log_in(line)
    began, came = line.now, len(line.came)
    right = commands = round_trips = 0
    for text in lines:
        if isinstance(text, float):
            await line.sleep(text)
            continue
        commands += 1
        round_trips += 1
        before = len(vm.journal)
        line.begin_command()
        if way == "article":
            round_trips += await _by_hand(line, text)
        else:
            await line.send(Send(text.encode() + b"\r"))
            await (_silence(line) if way == "quiet" else _prompt(line))
        entered = [entry["text"] for entry in vm.journal[before:] if entry["kind"] == "line"]
        wrote = "".join(str(entry["text"]) for entry in vm.journal[before:] if entry["kind"] == "wrote")
        right += entered == [text] and _over(line) and line.saw(wrote)
    return Driven(line.now - began, commands, right, round_trips, len(line.came) - came)


async def _log_in(line: VirtualLine) -> None:
    """Stand at a fresh command prompt, as everybody does in the end."""
    sac = line.line.sac
    if sac is None:
        raise RuntimeError("the VM is not up")
    channel = sac.create(0.0)
    if channel is None:
        raise RuntimeError("no channel is free")
    sac.logged_in(channel, 0.0)
    sac.shown, sac.mode = channel.index, "channel"
    await _rest(line)


def _over(line: VirtualLine) -> bool:
    """Whether the shell waits for the next line and all that it wrote is here. The simulator knows."""
    sac = line.line.sac
    if sac is None or sac.mode != "channel":
        return False
    session = sac.channels[sac.shown].session
    if session is None or session.console is None or isinstance(session.console, Raw):
        return False
    waits = session.reading in ("command", "key")
    return waits and session.console.due() is None and not line.line._input and not line.line._output


async def _rest(line: VirtualLine) -> None:
    """Read until the answer's last byte is here."""
    while not _over(line):
        due = line.line.due()
        if due is None:
            raise RuntimeError("the VM has nothing to say and its shell does not wait")
        await line.wait(max(due, line.now) + 1e-6)


async def _silence(line: VirtualLine) -> None:
    while (await line.wait(line.now + QUIET))[1] is not None:
        pass


async def _prompt(line: VirtualLine) -> None:
    seen, until = b"", line.now + TIMEOUT
    while PROMPT.search(seen) is None:
        _, data = await line.wait(until)
        if data is None:
            return
        seen += data


async def _by_hand(line: VirtualLine, text: str) -> int:
    """Type a line without a mistake and page through its answer; the round trips beyond the first."""
    knobs = line.line.knobs
    sac = line.line.sac
    doubles = False
    if sac is not None and (session := sac.channels[sac.shown].session) is not None:
        doubles = bool(getattr(session._request, "doubles", False))
    apart = APART if knobs.neighbour else PASTED if doubles else 0.0
    piece, last = b"", -1
    for byte in text.encode() + b"\r":
        if piece and ((apart and byte == last) or (knobs.burst and len(piece) == FIFO)):
            await line.send(Send(piece))
            if byte == last:
                await line.sleep(apart + len(piece) * 10 / knobs.baud)
            piece = b""
        piece, last = piece + bytes([byte]), byte
    await line.send(Send(piece))
    await _rest(line)
    pages = 0
    while _pages(line):
        pages += 1
        await line.send(Send(b" "))
        await _rest(line)
    return pages


def _pages(line: VirtualLine) -> bool:
    sac = line.line.sac
    session = sac.channels[sac.shown].session if sac is not None else None
    return session is not None and session.reading == "key"
