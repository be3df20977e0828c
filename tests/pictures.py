"""What goes over the line in a short session: the pictures of docs/how-it-types.md. ``python -m tests.pictures``"""

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from serialfix.console import keyboard
from serialfix.console.keyboard import PACES, Pace
from serialfix.simulator.connections import Connections, Ending
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.steps import Check, Command, Finding, Playbook, Probe, Step, Verified, look
from tests.virtual import run

KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp"
COMMANDS = (
    Command("cmd", "sc queryex TermService"),
    Command("cmd", f'reg query "{KEY}"'),
    Command("powershell", "(Get-Service TermService).Status"),
)
PROBES = [Probe(command.text, "a question", "to see it typed", command, str) for command in COMMANDS]
HASTE = (Pace(16, 0.01, 0.0), *PACES[1:])
"""No pause between equal neighbours."""

Went = list[tuple[str, bytes]]
"""What went over the line: "→" and keys, "←" and output."""


def questions() -> Generator[Step, Any, Finding]:
    for probe in PROBES:
        yield from look(probe)
    return Finding("pictures", "ok", "asked")


def verify(changed: bool) -> Generator[Step, Any, tuple[tuple[Finding, ...], Verified]]:
    return (), "no"
    yield


PLAYBOOK = Playbook("pictures", "", ("pictures",), (Check("pictures", "", "", (PROBES[1],), questions),), verify)


def line(
    windows: str,
    hostility: str = "calm",
    seed: int = 7,
    paces: Sequence[Pace] = PACES,
    *,
    lost_behind: bytes = b"",
    round_trip: float = 0.0,
) -> Went:
    """Three questions, two of them in one exchange. The connection ends once, behind an Enter of ``lost_behind``."""
    went: Went = []
    ends = [Ending("fin", 1006)]

    def tap(console: Line) -> None:
        send, receive = console.send, console.receive

        def sent(data: bytes, now: float) -> None:
            went.append(("→", data))
            send(data, now)

        def came(now: float) -> bytes:
            went.append(("←", receive(now)))
            return went[-1][1]

        console.send = sent  # type: ignore[method-assign]
        console.receive = came  # type: ignore[method-assign]

    def ended(connections: Connections, now: float) -> Ending | None:
        keys = b"".join([keys for arrow, keys in went if arrow == "→"][-2:])
        return ends.pop() if ends and lost_behind and keys.endswith(lost_behind + b"\r") else None

    knobs = replace(PRESETS[hostility], round_trip=round_trip)
    with patch.object(keyboard, "PACES", paces), patch.object(Connections, "ended", ended):
        run(["healthy"], seed=seed, windows=windows, knobs=knobs, playbook=PLAYBOOK, meanwhile=tap)
    return went


def at_sac(keys: bytes, hostility: str = "calm") -> Went:
    """What SAC answers to ``keys``, sent as one message."""
    console = Line(build(["healthy"], "2022", 7), PRESETS[hostility], 7, 0.0)
    console.send(keys, 1.0)
    return [("←", console.receive(5.0))]


if __name__ == "__main__":
    for arrow, data in line("2022"):
        print(arrow, data)
