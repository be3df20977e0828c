r"""What the console shows where there is no SAC prompt to be had: in words, and whether waiting may help.

The texts: windows-sac.md 1.1, 1.2 and 1.9. They are looked for on the emulated screen only, from its last rows up, so a
log that holds such a text is not taken for it once a prompt stands below.

>>> screen = Screen()
>>> _ = screen.feed(b"Ubuntu 22.04.4 LTS vm ttyS0\r\n\r\nvm login: ")
>>> seen(screen).name
'linux'
"""

import re
from dataclasses import dataclass

from serialfix.console.modes import IN_WORDS, read_mode
from serialfix.console.screen import Screen

SAC_OFF = (
    "SAC has to be switched on in Windows (bcdedit /ems {current} on, then a restart): by Run Command where the Azure "
    "agent answers, or on the disk of a recovery VM."
)
OFFLINE = "Without SAC the disk has to be repaired offline."


@dataclass(frozen=True, slots=True)
class State:
    """``sentence``: what is seen. ``advice``: what to do. ``wait``: seconds after which it may have changed, or 0."""

    name: str
    sentence: str
    advice: str
    wait: float = 0.0


_STARTING = State(
    "starting",
    "The VM is starting: its firmware or boot manager has the console.",
    "SAC needs about a minute after that. If it stays so, look at the boot diagnostics screenshot.",
    600.0,
)
_BUGCHECK = State(
    "bugcheck",
    "The console shows !SAC>: Windows has stopped with an error, or its SAC has failed.",
    "Look at the boot diagnostics screenshot; a restart of the VM may bring SAC back.",
)
_MARKS: tuple[tuple[re.Pattern[str], State], ...] = (
    (re.compile(r"BLUESCREEN|STOPCODE|^!SAC>|^\s*\d+% complete"), _BUGCHECK),
    (
        re.compile(r"Microsoft Azure VM Health Report"),
        State(
            "health report",
            "The console shows the Azure agent's health report: Windows runs, but its SAC is switched off.",
            SAC_OFF,
        ),
    ),
    (
        re.compile(
            r"kd> ?$|Kernel Debugger|Waiting to reconnect|KDTARGET|Connected to Windows .* target"
            # Its packets begin with 0000 or iiii and are mostly no text at all.
            r"|^(?=(?:.*\ufffd){4}).*(?:0000|iiii)",
            re.IGNORECASE,
        ),
        State(
            "kernel debugger",
            "The kernel debugger of Windows is on this serial port, so SAC takes no input.",
            "Switch it off (bcdedit /debug off, then a restart) by Run Command, or offline.",
        ),
    ),
    (
        re.compile(r"^\S*\s?login: ?(?:\^[A-Z\[]|\t)*$|^\S+@\S+:\S*[$#] ?$"),
        State(
            "linux",
            "This is the login prompt of a Linux machine, not the console of Windows.",
            "Check the VM's name: serialfix repairs Windows.",
        ),
    ),
    (re.compile(r"BdsDxe|Windows Boot Manager|EMS Enabled|^</?machine-info>|^<\?xml version|PXE|SeaBIOS"), _STARTING),
)
BLANK = State(
    "blank",
    "The console shows nothing and answers nothing.",
    f"Windows may be starting, or SAC is not switched on in it. {SAC_OFF} {OFFLINE}",
    60.0,
)


def seen(screen: Screen) -> State:
    """What the screen shows, where keys did not lead to SAC's prompt."""
    rows = [row for row in screen.rows() if row.strip()]
    if not rows:
        return BLANK
    for row in reversed(rows):
        for mark, state in _MARKS:
            if mark.search(row):
                return state
    mode = read_mode(screen)
    return State(
        mode.kind,
        f"No SAC> prompt could be reached; the console shows {IN_WORDS[mode.kind]}.",
        f"The VM may still be starting (SAC needs about a minute), or SAC is not enabled in it. {SAC_OFF} {OFFLINE}",
        60.0,
    )
