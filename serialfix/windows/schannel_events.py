r"""Event 36870 of Schannel: a private key that could not be opened.

rdp-repair.md 8.3 (the number; the codes 0x8009030d, not let in, and 0x80090016, no such key) and 8.4 (the question).
Events are known by provider and number, since their text is translated:

>>> sample = '''<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Schannel'/>
... <EventID>36870</EventID><TimeCreated SystemTime='2026-11-22T09:58:41.1230000Z'/></System><EventData>
... <Data Name='Type'>server</Data><Data Name='ErrorCode'>0x8009030d</Data><Data Name='ErrorStatus'>10001</Data>
... </EventData></Event>'''
>>> print(*parse(Output(sample, 0, "screen")))
36870 at 2026-11-22 09:58:41 UTC, code 0x8009030d
"""

import re
from dataclasses import dataclass
from datetime import datetime

from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import event_xml

NUMBER = 36870
DAY = 86_400_000  # milliseconds

_CODE = re.compile(r"<Data Name=['\"]ErrorCode['\"]>(0x[0-9a-fA-F]{1,8})</Data>")


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """A key that could not be opened. ``at``: UTC, by the VM's clock; ``code``: in hex, "" where none was read."""

    at: datetime
    code: str

    def __str__(self) -> str:
        return f"{NUMBER} at {self.at:%Y-%m-%d %H:%M:%S} UTC" + (f", code {self.code}" if self.code else "")


def parse(output: Output) -> tuple[KeyRefused, ...]:
    """Read ``wevtutil qe /f:xml``, the newest first; no event is an empty answer. Raises Unreadable."""
    events = event_xml.parse(output)
    if any(event.number != NUMBER for event in events):
        raise Unreadable("an event that was not asked for")
    codes = _CODE.findall(output.text)
    # Whose code is whose is only sure when every event has one.
    shown = codes if len(codes) == len(events) else [""] * len(events)
    return tuple(KeyRefused(event.at, code.lower()) for event, code in zip(events, shown, strict=True))


KEY_REFUSED: Probe[tuple[KeyRefused, ...]] = Probe(
    name="key_refused",
    title="Schannel's events about keys that could not be opened, of the last 24 hours",
    why="Each handshake that fails because a key can't be opened leaves one.",
    query=Command(
        "cmd",
        f"wevtutil qe System /c:3 /rd:true /f:xml /q:\"*[System[Provider[@Name='Schannel'] and EventID={NUMBER} and "
        f'TimeCreated[timediff(@SystemTime) <= {DAY}]]]"',
        exact=True,  # XPath tells letter cases apart
    ),
    parse=parse,
    say=lambda found: "; ".join(map(str, found)) or "none",
)
