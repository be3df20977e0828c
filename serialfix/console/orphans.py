"""Channels that are left at ``SAC>``: which they are, and closing one that is proven to be ours.

All of it happens in previews: a channel's header is shown and left again by ESC TAB, 0, without the one key that would
show the channel itself. So nothing is typed into a channel, and what runs there goes on. Closing is by name, and only
after the header of that name has shown the GUID that our own recording holds (windows-sac.md 1.5, 1.7, 6.5).
"""

import re
from typing import Literal

from serialfix.console.channels import (
    NEXT_CHANNEL,
    SAC_PROMPT,
    SWITCH_TIMEOUT,
    NoWay,
    close_by_name,
    find_home,
)
from serialfix.console.dialogue import TIMEOUT, Conversation, Expect, Send, Shown
from serialfix.console.expect import Pattern
from serialfix.console.header import Header, read_header, see_header
from serialfix.console.keyboard import ENTER, Keyboard, type_line
from serialfix.console.screen import Screen

MOST_CHANNELS = 10  # SAC's own among them (windows-sac.md 1.8)

_NO_CHANNEL = Pattern("no channel", r"Could not find a channel with that name", width=60)
_NAME = re.compile(r"[A-Za-z0-9_]{1,64}")

Ended = Literal["closed", "gone", "another"]


def preview(keyboard: Keyboard, name: str) -> Conversation[Header | None]:
    """At an empty ``SAC>``: the header of the channel ``name``, or None where there is no such channel.

    Ends at an empty ``SAC>``; the channel is not shown. Raises NoWay, Untypable.
    """
    if _NAME.fullmatch(name) is None:
        return None  # no channel has such a name, and it is not typed
    yield from type_line(keyboard, SAC_PROMPT, f"ch -sn {name}")
    yield Send(ENTER)

    def shown(screen: Screen) -> bool:
        header = read_header(screen)
        return header is not None and header.name.lower() == name.lower()

    found = yield Expect((Shown("header", shown),), stream=(_NO_CHANNEL,), timeout=SWITCH_TIMEOUT)
    header = None
    if found.name == "header":
        yield Expect((), timeout=SWITCH_TIMEOUT, quiet=0.2)
        header = yield from see_header()
    yield from find_home(keyboard, connected=False)
    if header is None and found.name != _NO_CHANNEL.name:
        raise NoWay(f"SAC did not show the header of the channel {name}.", "It is left alone.")
    return header


def close_if_ours(keyboard: Keyboard, name: str, guid: str) -> Conversation[Ended]:
    """At an empty ``SAC>``: close the channel ``name`` if its header shows ``guid``. Raises NoWay, Untypable.

    "gone": there is none of that name. "another": the name is somebody else's now, or ``guid`` is empty.
    """
    header = yield from preview(keyboard, name)
    if header is None:
        return "gone"
    if not guid or header.guid != guid.lower():
        return "another"
    yield from close_by_name(keyboard, name)
    if (after := (yield from preview(keyboard, name))) is not None and after.guid == header.guid:
        raise NoWay(f"SAC did not close the channel {name}.", f"At the SAC prompt: ch -cn {name}")
    return "closed"


def all_headers(keyboard: Keyboard) -> Conversation[tuple[Header, ...]]:
    """At an empty ``SAC>``: the headers of all channels but SAC's own, in order. Ends there. Raises NoWay."""
    seen: dict[str, Header] = {}

    def another(screen: Screen) -> bool:
        header = read_header(screen)
        return header is not None and header.name not in seen

    for _ in range(MOST_CHANNELS):
        yield Send(NEXT_CHANNEL)
        found = yield Expect((Shown("another", another),), timeout=SWITCH_TIMEOUT)
        if found is TIMEOUT:
            break
        yield Expect((), timeout=SWITCH_TIMEOUT, quiet=0.2)
        header = yield from see_header()
        if header is None or header.name == "SAC":
            break
        seen[header.name] = header
    yield from find_home(keyboard, connected=False)
    return tuple(seen.values())
