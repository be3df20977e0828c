"""Playing a recording: frames at the right time, and nothing of it passed through."""

import io
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from serialfix import events
from serialfix.errors import UsageError
from serialfix.transcript import Record, Transcript
from serialfix.tui import player
from serialfix.tui.player import Frame, frames, heading, play
from tests.recordings import record
from tests.test_events import KINDS, made
from tests.tui.test_plain import SAMPLES
from tests.tui.test_safe import harmless, hostile


def transcript(*records: tuple[float, str, str], ours: bool = True, cut: str = "") -> Transcript:
    header = {"version": 3, "title": "a title", **({"serialfix": {"format": 1}} if ours else {})}
    made = tuple(Record(round(at * 1_000_000), code, data) for at, code, data in records)
    return Transcript("a.cast", header, made, cut)


SMALL = transcript(
    (0.5, "o", "C:\\>"),
    (1.0, "m", "a step"),
    (11.0, "i", "dir"),
    (11.5, "o", "dir\r\n"),
    (11.5, "e", '{"type":"note","text":"noted"}'),
    (11.6, "t", "wake"),
)


def times(speed: float, idle_limit: float) -> list[float]:
    return [round(frame.at, 6) for frame in frames(SMALL, speed=speed, idle_limit=idle_limit)]


def test_speed_and_idle_limit() -> None:
    assert times(1, 100) == [0.5, 11.5, 11.5]
    assert times(2, 100) == [0.25, 5.75, 5.75]
    assert times(1, 2.0) == [0.5, 3.5, 3.5]
    assert times(4, 2.0) == [0.125, 0.875, 0.875]
    assert times(1, 0.0) == [0, 0, 0]


@given(speed=st.floats(0.1, 1000), idle=st.floats(0, 3600))
def test_time_never_goes_back_and_no_pause_is_too_long(speed: float, idle: float) -> None:
    at = [0.0, *times(speed, idle)]
    assert at == sorted(at)
    # Between two frames lie at most four lines here.
    assert all(later - sooner <= 4 * idle / speed + 1e-5 for sooner, later in pairwise(at))


def test_frames_show_the_screen_under_its_step() -> None:
    first, second, told = frames(SMALL, speed=1, idle_limit=1)
    assert (first.step, second.step) == ("a title", "a step")
    assert first.rows is not None
    assert second.rows is not None
    assert first.rows[0] == "C:\\>"
    assert second.rows[0] == "C:\\>dir"
    assert told.rows is None
    assert [line.plain for line in told.told] == ["  noted"]


def test_somebody_elses_recording_has_a_screen_and_no_story() -> None:
    foreign = transcript((0.5, "o", "hi"), (1.0, "e", "not an event"), ours=False)
    assert [frame.told for frame in frames(foreign, speed=1, idle_limit=1)] == [()]


def test_an_event_of_another_version_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="line 2"):
        list(frames(transcript((0, "e", "{}")), speed=1, idle_limit=1))


def test_output_that_is_no_text_is_shown_somehow() -> None:
    (frame,) = frames(transcript((0, "o", "a\ud800b")), speed=1, idle_limit=1)
    assert frame.rows is not None
    assert frame.rows[0].startswith("a")


def test_headings() -> None:
    found = {kind.__name__: heading(event) for kind, event in SAMPLES.items()}
    assert found["CheckStarted"] == "Check: TLS versions"
    assert found["Asked"] == "Question: the question"
    assert found["Proposed"] == "Proposed: Switch TLS on"
    assert found["ChangeStarted"] == "Change: reg add X"
    assert found["FindingMade"] == "✗ FAULT  TLS is off"
    assert found["Ended"] == "Outcome: fixed"
    assert found["Noted"] == ""


def played(recording: Transcript, *, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=100, force_terminal=terminal, color_system=None, legacy_windows=False)
    play(recording, console, speed=1000, idle_limit=0.0)
    return stream.getvalue()


def test_a_whole_session_is_told_where_there_is_no_terminal(tmp_path: Path) -> None:
    text = played(record(tmp_path / "a.cast", ["tls-disabled"]), terminal=False)
    for said in ("Look at Remote Desktop from outside", "| ", "approved by --yes-to high", "Fixed:"):
        assert said in text
    assert harmless(text.replace("\n", ""))


def test_a_cut_recording_says_so() -> None:
    assert "line 9 is cut off" in played(transcript(cut="line 9 is cut off"), terminal=False)


@given(st.one_of([made(kind, hostile) for kind in KINDS]), hostile)
def test_a_hostile_recording_never_reaches_the_terminal_raw(event: events.AnyEvent, output: str) -> None:
    import msgspec

    try:
        data = msgspec.json.encode(event).decode()
    except UnicodeEncodeError:
        return  # JSON has no lone surrogates
    recording = transcript((0, "o", output), (0, "m", output), (0, "e", data), (0, "o", "x"))
    assert harmless(played(recording, terminal=False).replace("\n", ""))
    for frame in frames(recording, speed=1, idle_limit=1):
        picture = player._picture(frame.step, frame.rows or ())
        assert harmless(picture.plain.replace("\n", ""))


def test_on_a_terminal_the_screen_is_drawn_at_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + sum(slept))
    stream = io.StringIO()
    console = Console(file=stream, width=100, height=40, force_terminal=True, legacy_windows=False)
    play(SMALL, console, speed=1, idle_limit=100)
    assert sum(slept) == pytest.approx(11.5)
    assert "C:\\>dir" in stream.getvalue()
    assert "a step" in stream.getvalue()


def test_a_frame_is_a_value() -> None:
    assert Frame(0.0, "s", None, ()) == Frame(0.0, "s", None, ())
