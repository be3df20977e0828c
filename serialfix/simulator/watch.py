"""What reached SAC and its shells, byte by byte and line by line: the truth that a client's claims are held against.

``Line.met`` holds a ``Met`` for each byte; ``entered`` and ``outputs`` read the VM's journal. Nothing here comes from a
client: what it meant, it must say itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from serialfix.simulator.sac import Sac
from serialfix.simulator.vm import Vm

SAMPLE = 0.1
"""Seconds: the longest pause between two looks of the scrape engine at its screen (windows-sac.md 7)."""
MOST = 500_000
"""Bytes that are remembered."""


@dataclass(frozen=True, slots=True)
class Met:
    """One byte that reached SAC, and what it met there.

    ``by``: "client" or "visitor". ``mode``: see ``mode_of``. ``channel``: the name of the one that is shown; ``own``:
    whether a client of this run made it. ``since``: seconds since the mode changed. ``blind``: whether the byte was
    sent before anybody could have seen that: less than a round trip and a sample of the screen after the change, or
    after what shows it got through the line. ``meaning``: what the sender said of it when it was sent.
    """

    at: float
    byte: int
    by: str
    mode: str
    channel: str
    own: bool
    since: float
    blind: bool
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """A line that a shell, SAC or a login received. ``shell``: "sac", "cmd", "powershell", "login" or "program"."""

    at: float
    channel: str
    shell: str
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class Wrote:
    """What a command wrote. ``to``: "console", the path of a file, or ``$`` and the name of a PowerShell variable."""

    at: float
    to: str
    text: str


def mode_of(sac: Sac) -> str:
    """What a key meets now.

    "SAC", "SAC pager", "preview", "bugcheck"; in a cmd channel "username", "domain", "password", "cmd", "powershell",
    "more" (an unfinished line), "confirm" or "input" (a program reads a line), "key" (it reads a key) or "running".
    """
    if sac.mode != "channel":
        return "SAC pager" if sac.mode == "SAC" and sac.paged else sac.mode
    session = sac.channels[sac.shown].session
    reading = "" if session is None else session.reading
    if reading == "command" and session is not None:
        return session.shell
    return reading or "running"


def entered(vm: Vm) -> Iterator[Entered]:
    """The lines that shells received, the oldest first. Of a password only the length is told."""
    for entry in vm.journal:
        if entry["kind"] == "line":
            purpose = str(entry["purpose"])
            shell = {"sac": "sac", "command": str(entry.get("shell", "cmd")), "more": str(entry.get("shell", "cmd"))}
            kind = shell.get(purpose, "login" if purpose in ("username", "domain", "password") else "program")
            yield Entered(
                float(str(entry["time"])), str(entry["channel"]), kind, str(entry["text"]), str(entry.get("by", ""))
            )


def outputs(vm: Vm, since: float = 0.0) -> Iterator[Wrote]:
    """What commands wrote into files and PowerShell variables since a time, and, piece by piece, onto consoles."""
    later: list[dict[str, object]] = []
    for entry in reversed(vm.journal):
        if float(str(entry["time"])) < since:
            break
        later.append(entry)
    for entry in reversed(later):
        if entry["kind"] == "wrote":
            yield Wrote(float(str(entry["time"])), "console", str(entry["text"]))
        elif entry["kind"] == "output":
            yield Wrote(float(str(entry["time"])), str(entry["to"]), str(entry["text"]))
