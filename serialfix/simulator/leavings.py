"""What somebody before us left on the console: channels, and whatever stands in the one that is shown.

The knob ``shown`` chooses it; windows-sac.md 6.8 names the states: "prompt, ``Username:``, ``Password:``, ``more``,
``>>`` or a running program". Each is made by typing what that person would have typed, in the minutes before we come.
"""

from collections.abc import Mapping
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import get_args

from serialfix.simulator.knobs import Knobs, Shown
from serialfix.simulator.sac import Sac

BEFORE = 120.0
"""Seconds before us in which it is typed."""

# Lines end with \r; the rest is left without Enter. "~" lets time pass.
TYPED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "prompt": ("", "cd \\\r", "ipconfig\r", "ver\r~cls\r", "net stop nosuchservice\r"),
        "half-typed": (
            "shutdown /r /t ",
            "del C:\\Windows\\Temp\\x",
            "net stop termser",
            'reg delete "HKLM\\SOFT',
            "d",
        ),
        "pager": (
            "tasklist | more\r",
            "reg query HKLM\\SYSTEM\\CurrentControlSet\\Services | more\r",
            "sc query | more\r",
        ),
        "continuation": (
            "powershell\r~foreach ($s in Get-Service) {\r",
            "powershell\r~if ($true) {\r~Get-Date\r",
            "powershell\r~'some text\r",
        ),
        "program": (
            "ping -t 127.0.0.1\r",
            "timeout /t 9999 /nobreak\r",
            "ping -t 10.0.0.250\r",
            "choice /m Continue\r",
        ),
        "powershell": ("powershell\r", "powershell\r~Get-Date\r", "powershell\r~Restart-Comp"),
        "preview": ("",),
        "username": ("", "admin", "DOMAIN\\j"),
        "password": ("admin\r\rP", "azureuser\r\rhunter", "admin\r.\r"),
    }
)


def leave(sac: Sac, knobs: Knobs, random: Random, now: float) -> None:
    """Let somebody have been here until ``now``: as many orphans as the knob says, and what ``shown`` names."""
    shown = random.choice([each for each in get_args(Shown) if each != "any"]) if knobs.shown == "any" else knobs.shown
    began = now - BEFORE
    # They had no bad luck with their first command; what became of ours is another matter.
    sac.knobs = replace(knobs, first_command_eaten=0.0, idle=0.0)
    hangs, sac.vm.powershell_hangs = sac.vm.powershell_hangs, 0.0
    if shown != "SAC":
        _show(sac, shown, random, began)
    for _ in range(knobs.orphans):
        channel = sac.create(now)
        if channel is None:
            break
        sac.announce(channel)
        if random.random() < 0.4:
            sac.logged_in(channel, now)
    if knobs.half_typed and shown == "SAC":
        _type(sac, random.choice(("ch -s", "hel", "restar", "shutdow", "cm")), now, 0.0)
    _pass(sac, now)
    sac.knobs, sac.vm.powershell_hangs = knobs, hangs


def _show(sac: Sac, shown: str, random: Random, began: float) -> None:
    channel = sac.create(began)
    assert channel is not None, "it is the first"  # noqa: S101
    sac.announce(channel)
    if shown not in ("username", "password"):
        sac.logged_in(channel, began)
    at = _type(sac, f"ch -si {channel.index}\r", began, 1.0)
    if shown != "preview":
        at = _type(sac, " ", at, 1.0)
    for part in random.choice(TYPED[shown]).split("~"):
        at = _type(sac, part, at, 8.0)


def _type(sac: Sac, keys: str, at: float, rest: float) -> float:
    """Type at a person's pace, wait, and return the time."""
    for byte in keys.encode():
        sac.key(byte, at, by="visitor")
        at += 0.12
        _pass(sac, at)
    _pass(sac, at + rest)
    return at + rest


def _pass(sac: Sac, until: float) -> None:
    while (due := sac.due()) is not None and due <= until:
        sac.advance(due)
    sac.advance(until)
