r"""The VM's clock, without translated text, and how far it is from ours.

rdp-repair.md 0a.6: clocks are compared before a date is called past. PowerShell says UTC in ISO form, in every
language; cmd has nothing like it (``date`` and ``time`` follow the user's country), so without PowerShell the time of
the newest event counts as the earliest that it can be.

>>> parse(Output("2026-06-18T06:10:54\n", 0, "screen"))
datetime.datetime(2026, 6, 18, 6, 10, 54, tzinfo=datetime.timezone.utc)
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import event_xml

FAR = timedelta(hours=1)
"""From this difference on one of the two clocks is wrong."""

_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class Clock:
    """What the VM's clock shows, in UTC. ``exact``: False where it may be any later."""

    at: datetime
    exact: bool


@dataclass(frozen=True, slots=True)
class Clocks:
    """The VM's clock beside ours. None: it could not be read."""

    vm: Clock | None
    ours: datetime | None

    @property
    def off(self) -> timedelta | None:
        """How far the VM's clock is ahead of ours where that is too far to judge a date by it, else None."""
        if self.vm is None or self.ours is None:
            return None
        ahead = self.vm.at - self.ours
        return ahead if ahead > FAR or (self.vm.exact and ahead < -FAR) else None

    def past(self, when: datetime) -> bool | None:
        """Whether ``when`` is past by our clock; None where that is not known, or the VM's clock may not agree."""
        if self.ours is None:
            return None
        if self.ours <= when:
            return False
        agrees = self.vm is not None and (self.vm.exact or self.vm.at > when)
        return True if agrees or self.off is not None else None

    def __str__(self) -> str:
        if self.vm is None:
            return "the VM's clock could not be read"
        if self.off is None:
            shown = "" if self.vm.exact else ", at least"
            return f"the VM's clock shows {self.vm.at:%Y-%m-%d %H:%M} UTC{shown}"
        hours = abs(self.off.total_seconds()) / 3600
        how = f"{hours:.0f} hours" if hours < 48 else f"{hours / 24:.0f} days"
        return (
            f"the VM's clock is about {how} {'ahead of' if self.off > timedelta() else 'behind'} this machine's: "
            f"{self.vm.at:%Y-%m-%d %H:%M} instead of {self.ours:%Y-%m-%d %H:%M} UTC"
        )


def parse(output: Output) -> datetime:
    """Read the ISO date and time, which is UTC. Raises Unreadable."""
    text = output.text.strip()
    if output.exit_code not in (0, None) or output.partial or not _ISO.fullmatch(text):
        raise Unreadable(f"no date in ISO form: {text[:60]!r}")
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        raise Unreadable(f"no such date: {text}") from None


def parse_newest(output: Output) -> datetime:
    """Read the time of the only event. Raises Unreadable."""
    events = event_xml.parse(output)
    if len(events) != 1:
        raise Unreadable(f"{len(events)} events where one was asked for")
    return events[0].at


NOW: Probe[datetime] = Probe(
    name="clock",
    title="The VM's clock",
    why="A certificate is only out of date by a clock that is right.",
    query=Command("powershell", "[DateTime]::UtcNow.ToString('s')", exact=True),
    parse=parse,
    say=lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
)

NEWEST_EVENT: Probe[datetime] = Probe(
    name="newest_event",
    title="When Windows logged its newest event",
    why="The VM's clock can't be earlier; cmd shows no date that is the same in every language.",
    query=Command("cmd", "wevtutil qe System /c:1 /rd:true /f:xml"),
    parse=parse_newest,
    say=lambda at: f"{at:%Y-%m-%d %H:%M:%S} UTC",
)
