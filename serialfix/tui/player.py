"""Replays a transcript in a terminal: the VM's screen as it was, under a line that says which step this is.

Plain for now: speed, an idle limit, steps as headings. What is shown is drawn from the emulated screen, never passed
through. Where there is no terminal, the story and the answers are printed as lines.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from serialfix import events
from serialfix.console.screen import COLUMNS, ROWS, Screen
from serialfix.transcript import Transcript, read_event
from serialfix.tui.plain import finding_lines, story
from serialfix.tui.safe import safe, safe_lines


@dataclass(frozen=True, slots=True)
class Frame:
    """What is seen from ``at`` seconds on: the step, and the rows (None: the screen stays)."""

    at: float
    step: str
    rows: tuple[str, ...] | None
    told: tuple[Text, ...]


def frames(transcript: Transcript, *, speed: float, idle_limit: float) -> Iterator[Frame]:
    """The recording as frames; times are seconds of playing, pauses cut to ``idle_limit`` before ``speed`` applies."""
    screen = Screen(keep=0)
    step = str(transcript.header.get("title") or "")
    played = 0.0
    last = 0
    for number, record in enumerate(transcript.records, start=2):
        played += min((record.at - last) / 1_000_000, idle_limit) / speed
        last = record.at
        if record.code == "o":
            screen.feed(record.data.encode("utf-8", "replace"))
            yield Frame(played, step, tuple(screen.rows()), ())
        elif record.code == "e" and transcript.ours:
            event = read_event(record.data, f"{transcript.path}, line {number}")
            step = heading(event) or step
            yield Frame(played, step, None, tuple(_told(event)))
        elif record.code == "m":
            step = record.data or step


def heading(event: events.Event) -> str:
    """The step that an event begins, in a few words; "" for none."""
    match event:
        case events.CheckStarted(title=title):
            return f"Check: {title}"
        case events.Asked(title=title):
            return f"Question: {title}"
        case events.Proposed(title=title):
            return f"Proposed: {title}"
        case events.ChangeStarted(command=command):
            return f"Change: {command}"
        case events.FindingMade(finding=finding):
            return next(finding_lines(finding)).plain.strip()
        case events.Progress(text=text):
            return text
        case events.Ended(outcome=outcome):
            return f"Outcome: {outcome}"
    return ""


def play(transcript: Transcript, console: Console, *, speed: float, idle_limit: float) -> None:
    """Play it to the end; Ctrl-C stops it (KeyboardInterrupt)."""
    if console.is_terminal:
        _play_screen(transcript, console, speed=speed, idle_limit=idle_limit)
    else:
        for frame in frames(transcript, speed=speed, idle_limit=0.0):
            for line in frame.told:
                console.print(line, soft_wrap=True, highlight=False)
    if transcript.cut:
        console.print(Text(f"The recording is not whole: {transcript.cut}.", "yellow"), highlight=False)


def _play_screen(transcript: Transcript, console: Console, *, speed: float, idle_limit: float) -> None:
    from rich.live import Live

    begun = time.monotonic()
    rows: tuple[str, ...] = ()
    with Live(console=console, auto_refresh=False, screen=False) as live:
        for frame in frames(transcript, speed=speed, idle_limit=idle_limit):
            rows = rows if frame.rows is None else frame.rows
            if (ahead := begun + frame.at - time.monotonic()) > 0:
                time.sleep(ahead)
            live.update(_picture(frame.step, rows), refresh=True)


def _picture(step: str, rows: tuple[str, ...]) -> Text:
    picture = Text(safe(step)[:COLUMNS], "bold", no_wrap=True, overflow="crop")
    for number in range(ROWS):
        picture.append("\n" + (safe(rows[number]) if number < len(rows) else ""), "not bold")
    return picture


def _told(event: events.Event) -> Iterator[Text]:
    yield from story(event)
    if isinstance(event, events.Answered) and event.proof != "direct":
        for line in safe_lines(event.text.rstrip("\n")):
            yield Text(f"      | {line}", "dim")
