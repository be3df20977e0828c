"""How bad the line and the console behind it are.

Each knob is a property named in windows-sac.md 1.8, 1.9, 2.4, 2.5, 6 and 7, or a way in which a console is lost
(azure-serial-console.md 2.4 and 2.5). That they exist is known from clients that met them; **the rates are our
choice**, since nobody has published a measurement. What happens "every" so many seconds happens at random, that long
apart on average.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, Literal, get_args, get_type_hints

Shown = Literal[
    "SAC",
    "prompt",
    "half-typed",
    "pager",
    "continuation",
    "program",
    "powershell",
    "preview",
    "username",
    "password",
    "any",
]
Port = Literal["SAC", "blank", "health", "debugger", "linux", "bugcheck", "boot"]


@dataclass(frozen=True, slots=True)
class Knobs:
    """Seconds, bytes, and probabilities from 0 to 1."""

    boot: int = 0  # 0: up for long; 1: booting now; 2: booting now, everything up to the EVENT twice (sysprep)
    event_delay: float = 0.0  # longest time from the banner to the EVENT that cmd is available
    chunk: int = 4096  # longest piece of output that arrives at once; cuts fall anywhere
    gap: float = 0.0  # usual longest gap between two pieces
    long_gap: float = 0.0  # longest rare gap
    long_gap_rate: float = 0.0  # how many of the gaps are rare ones
    event_every: float = 0.0  # mean time between EVENT texts that break in at SAC>; 0: never
    redraw: int = 1  # how often the screen is drawn when a channel is shown: 0, 1 or 2 times
    nul_rate: float = 0.0  # NUL bytes among the characters of a redraw
    full_description: bool = True  # False: the header halves the description, as 2016 to 2022 do
    crlf_counts: int = 1  # how often CR LF counts as Enter at SAC>
    first_command_eaten: float = 0.0  # probability that the first line at a fresh cmd prompt is lost
    neighbour: float = 0.0  # probability that the second of two equal keys closer than 30 ms is lost or doubled
    burst: float = 0.0  # probability that a byte after the 16th of one send() is lost
    baud: int = 115200  # output pace, ten bits a byte; input too
    round_trip: float = 0.0  # there and back
    paging: bool = False  # somebody left paging on
    half_typed: bool = False  # somebody's text stands at SAC>
    orphans: int = 0  # cmd channels somebody left open (0 to 9)
    idle: float = 0.0  # seconds without a key after which a cmd channel asks for the password again; 0: never
    strict_cells: bool = False  # SAC's cells as in ReactOS: no wrap, unknown sequences leave their tail on the screen
    rows_25: bool = False  # the console has 25 rows, one more than the line shows (scrape engine)
    certutil_blocked: float = 0.0  # probability that endpoint protection refuses certutil (drawn once a VM)
    constrained_language: float = 0.0  # probability that a policy keeps PowerShell in ConstrainedLanguage
    drop_every: float = 0.0  # the connection ends, by RST, FIN or silence; 0: never
    second_user_every: float = 0.0  # somebody else connects, which closes ours, and leaves after a while; 0: never
    kill_every: float = 0.0  # the cmd.exe of an open channel is ended, and its channel closes; 0: never
    relogin_every: float = 0.0  # an open channel asks for its login again, whatever runs there; 0: never
    reboot: float = 0.0  # probability that the VM restarts once by itself, in the first 200 s
    powershell_hangs: float = 0.0  # probability that a PowerShell that is started never shows a prompt
    shown: Shown = "SAC"  # what stands on the console when somebody comes; not SAC: somebody's channel, as it was left
    port: Port = "SAC"  # what is on the port: SAC, or one of the states of windows-sac.md 1.9


PRESETS: Mapping[str, Knobs] = MappingProxyType(
    {
        "calm": Knobs(),
        "real": Knobs(
            event_delay=60.0,
            chunk=64,
            gap=0.005,
            long_gap=0.4,
            long_gap_rate=0.02,
            event_every=120.0,
            nul_rate=0.002,
            full_description=False,
            first_command_eaten=0.3,
            neighbour=0.05,
            burst=0.02,
            drop_every=600.0,
        ),
        "worst": Knobs(
            event_delay=60.0,
            # Sizes and times are those of "real"; how often something happens is five times as often.
            chunk=64,
            gap=0.005,
            long_gap=0.4,
            long_gap_rate=0.1,
            event_every=24.0,
            redraw=2,
            nul_rate=0.01,
            full_description=False,
            crlf_counts=2,
            first_command_eaten=0.9,
            neighbour=0.25,
            burst=0.1,
            paging=True,
            half_typed=True,
            orphans=3,
            strict_cells=True,
            certutil_blocked=0.5,
            # Three of 60 s each: one of a drop, a kill and a login every 20 s.
            drop_every=60.0,
            kill_every=60.0,
            relogin_every=60.0,
            reboot=0.2,
        ),
    }
)

_LIMITS: Mapping[str, tuple[float, float]] = {
    "boot": (0, 2),
    "redraw": (0, 2),
    "crlf_counts": (1, 2),
    "orphans": (0, 9),
    "chunk": (1, 65536),
    "baud": (300, 10_000_000),
}
_PROBABILITIES = frozenset(
    {
        "long_gap_rate",
        "nul_rate",
        "first_command_eaten",
        "neighbour",
        "burst",
        "certutil_blocked",
        "constrained_language",
        "reboot",
        "powershell_hangs",
    }
)


def steady(knobs: Knobs) -> Knobs:
    """The same bad line, on which nothing happens by itself: no connection ends, no channel, no VM.

    For what is a property of one conversation, which has no way to connect again.
    """
    return replace(
        knobs, drop_every=0.0, second_user_every=0.0, kill_every=0.0, relogin_every=0.0, reboot=0.0,
        powershell_hangs=0.0,
    )  # fmt: skip


def parse_knob(text: str, base: Knobs) -> Knobs:
    """Return ``base`` with one knob set from NAME=VALUE.

    >>> parse_knob("redraw=2", PRESETS["calm"]).redraw
    2

    Raises ValueError whose text says what is wrong and what would be right.
    """
    name, equals, value = (part.strip() for part in text.partition("="))
    hints = get_type_hints(Knobs)
    names = [field.name for field in fields(Knobs)]
    if not equals:
        raise ValueError(f"knob {text!r}: expected NAME=VALUE, for instance redraw=2")
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3)
        raise ValueError(f"unknown knob {name!r}; " + (f"near: {', '.join(near)}" if near else ", ".join(names)))
    kind = hints[name]
    if choices := get_args(kind):
        if value not in choices:
            near = difflib.get_close_matches(value, choices, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(choices)}"
            raise ValueError(f"knob {name}: there is no {value!r}; {hint}")
        return _with(base, name, value)
    if kind is bool:
        truth = {
            "1": True,
            "true": True,
            "yes": True,
            "on": True,
            "0": False,
            "false": False,
            "no": False,
            "off": False,
        }
        if value.lower() not in truth:
            raise ValueError(f"knob {name}: {value!r} is neither on nor off")
        return _with(base, name, truth[value.lower()])
    try:
        number = kind(value)
    except ValueError:
        expected = "a whole number" if kind is int else "a number"
        raise ValueError(f"knob {name}: {value!r} is not {expected}") from None
    low, high = (0, 1) if name in _PROBABILITIES else _LIMITS.get(name, (0, 1e6))
    if not low <= number <= high:
        raise ValueError(f"knob {name}: {value} is outside {low:g} to {high:g}")
    return _with(base, name, number)


def _with(base: Knobs, name: str, value: Any) -> Knobs:
    return replace(base, **{name: value})
