r"""``wevtutil qe ... /f:xml``: number and time of events; their texts are translated and not read.

rdp-repair.md 8.3 and 8.4. The number and the time stand in the element ``System``, which comes first and which a
program that writes events can't shape; SystemTime is UTC:

>>> parse(Output("<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider "
...     "Name='Service Control Manager' Guid='{555908d1-a6d7-4695-8e1e-26931d2012f4}' EventSourceName='Service Control "
...     "Manager'/><EventID Qualifiers='16384'>7036</EventID><Version>0</Version><Level>4</Level><TimeCreated "
...     "SystemTime='2026-06-08T08:21:37.571637000Z'/></System><EventData/></Event>\n", 0, "screen"))
(Event(number=7036, at=datetime.datetime(2026, 6, 8, 8, 21, 37, tzinfo=datetime.timezone.utc)),)
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from serialfix.steps import Command, Output, Probe, Unreadable

_SYSTEM = re.compile(r"<Event\b[^<>]*>\s*<System>(.*?)</System>", re.DOTALL)
_NUMBER = re.compile(r"<EventID\b[^<>]*>(\d{1,5})</EventID>")
_TIME = re.compile(r"<TimeCreated SystemTime=(['\"])(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?Z\1\s*/>")
_PROVIDER = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"


@dataclass(frozen=True, slots=True)
class Event:
    """One event. ``at``: UTC, to the second."""

    number: int
    at: datetime


def parse(output: Output) -> tuple[Event, ...]:
    """The events in the order shown. Raises Unreadable for a failed query and for one without number or time."""
    if output.exit_code != 0:
        raise Unreadable(f"wevtutil ended with {output.exit_code}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    found = []
    for block in _SYSTEM.findall(output.text):
        numbers, times = _NUMBER.findall(block), _TIME.findall(block)
        if len(numbers) != 1 or len(times) != 1:
            raise Unreadable("an event without one number and one time")
        try:
            at = datetime.fromisoformat(times[0][1]).replace(tzinfo=UTC)
        except ValueError:
            raise Unreadable(f"an event's time is none: {times[0][1]}") from None
        found.append(Event(int(numbers[0]), at))
    if not found and output.text.strip():
        raise Unreadable("there is no event that wevtutil prints")
    return tuple(found)


CERTIFICATE_EVENTS: Probe[tuple[Event, ...]] = Probe(
    name="certificate_events",
    title="What Windows said last about Remote Desktop's certificate",
    why="1056 says that a new certificate was made, 1057 and 1058 that it could not be.",
    query=Command(
        "cmd",
        f"wevtutil qe System /c:3 /rd:true /f:xml /q:\"*[System[Provider[@Name='{_PROVIDER}'] and "
        '(EventID=1056 or EventID=1057 or EventID=1058)]]"',
        exact=True,  # XPath tells letter cases apart
    ),
    parse=parse,
    say=lambda found: ", ".join(f"{event.number} at {event.at:%Y-%m-%d %H:%M:%S} UTC" for event in found) or "nothing",
)
