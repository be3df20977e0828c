"""Before the checks: temporary changes that an earlier session left are taken back, if somebody says yes.

They were approved once, by whoever ran that session; whether they are taken back now is asked anew, once for all.
"""

from collections.abc import Generator, Sequence
from typing import Any

from serialfix.events import LeftChange
from serialfix.steps import Finding, Step, do, note
from serialfix.windows.left_behind import object_of, take_back

NAME = "left earlier"


def clear(changes: Sequence[LeftChange]) -> Generator[Step, Any, None]:
    """Propose to take back what is known to be ours; of the rest, tell how it is taken back by hand."""
    commands = tuple(dict.fromkeys(command for change in changes for command in change.undo))
    known = [command for command in commands if object_of(command) is not None]
    for command in commands:
        if command not in known:
            yield from note(f"An earlier session may have left something; it is taken back by hand with: {command}")
    if not known:
        return
    finding = Finding(
        NAME,
        "fault",
        "An earlier session left temporary changes",
        tuple(f"{change.name}: {change.command}" for change in changes),
    )
    done = yield from do("Take back what an earlier session left", finding, *map(take_back, known))
    if done.outcome == "failed" and done.why:
        yield from note(f"Not all of it was taken back: {done.why}")
