"""The one record: what is written is read again, and what must not be written is not."""

import base64
import contextlib
import itertools
import json
import os
import stat
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serialfix import events
from serialfix.errors import UsageError
from serialfix.redact import Secrets
from serialfix.steps import Finding
from serialfix.transcript import FORMAT, HIDDEN_KEY, Record, Transcript, Writer, read, state_folder

STARTED = datetime(2026, 11, 22, 10, 0, 0, tzinfo=UTC)
IN_A_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)

# What a terminal shows of a secret, and nothing that JSON, SAC or a shell would leave alone.
SECRET = 'Zq"7\\k#ä•9'
texts = st.text(max_size=40)


@dataclass(frozen=True)
class Act:
    """One call of the writer: ``what`` is its method."""

    what: str
    data: Any
    after: float

    def do(self, writer: Writer, at: float) -> None:
        match self.what:
            case "keys":
                writer.keys(self.data, at, hidden=False)
            case "hidden":
                writer.keys(self.data, at, hidden=True)
            case "sync":
                writer.sync()
            case what:
                getattr(writer, what)(self.data, at)


pauses = st.integers(0, 5_000_000).map(lambda microseconds: microseconds / 1_000_000)
happenings = st.one_of(
    st.builds(events.Noted, texts),
    st.builds(events.Answered, texts, texts, st.none() | st.integers(0, 255), texts, st.booleans()),
    st.builds(events.Disconnected, st.integers(1000, 4999), texts, st.booleans()),
    st.builds(events.FindingMade, st.builds(Finding, texts, st.sampled_from(["ok", "fault"]), texts, st.tuples(texts))),
)
acts = st.one_of(
    st.builds(Act, st.just("output"), st.binary(min_size=1, max_size=60), pauses),
    st.builds(Act, st.just("keys"), texts.filter(bool).map(str.encode), pauses),
    st.builds(Act, st.just("hidden"), st.text("abc", min_size=1, max_size=5).map(str.encode), pauses),
    st.builds(Act, st.just("timer"), st.sampled_from(["start", "wake"]), pauses),
    st.builds(Act, st.just("marker"), texts, pauses),
    st.builds(Act, st.just("event"), happenings, pauses),
    st.builds(Act, st.just("sync"), st.none(), st.just(0.0)),
)


def write(path: Path, done: Sequence[Act], secrets: Secrets | None = None, title: str = "t") -> Transcript:
    path.unlink(missing_ok=True)
    writer = Writer(path, title=title, started=STARTED, secrets=secrets or Secrets())
    at = 0.0
    for act in done:
        at += act.after
        act.do(writer, at)
    writer.close(0, at)
    return read(path)


def told(record: Record) -> tuple[int, str, str]:
    return record.at, record.code, record.data


@IN_A_FOLDER
@given(done=st.lists(acts, max_size=25))
def test_what_is_written_is_read(tmp_path: Path, done: list[Act]) -> None:
    transcript = write(tmp_path / "a.cast", done)
    at = 0.0
    expected: list[tuple[int, str, Any]] = []
    for act in done:
        at += act.after
        now = round(at * 1_000_000)
        match act.what:
            case "output":
                try:
                    expected.append((now, "o", act.data.decode()))
                except UnicodeDecodeError:
                    expected.append((now, "b", base64.b64encode(act.data).decode()))
                    expected.append((now, "o", act.data.decode("utf-8", "replace")))
            case "keys":
                expected.append((now, "i", act.data.decode()))
            case "hidden":
                expected.append((now, "i", HIDDEN_KEY * len(act.data)))
            case "timer":
                expected.append((now, "t", act.data))
            case "marker":
                expected.append((now, "m", act.data))
            case "event":
                expected.append((now, "e", act.data))
    expected.append((round(at * 1_000_000), "x", "0"))
    found: list[tuple[int, str, Any]] = []
    happened = iter(transcript.events())
    for record in transcript.records:
        found.append((record.at, record.code, next(happened)[1] if record.code == "e" else record.data))
    assert found == expected
    assert transcript.ours
    assert transcript.cut == ""


def test_it_is_an_asciicast_v3(tmp_path: Path) -> None:
    """As in the format's own words: a header object, then arrays of interval, code, data; nothing else."""
    done = [Act("output", b"C:\\>\xff", 1.5), Act("keys", b"dir\r", 0.25), Act("event", events.Connected(), 0.25)]
    write(tmp_path / "a.cast", done, title="serialfix demo")
    header, *lines = [json.loads(line) for line in (tmp_path / "a.cast").read_text(encoding="utf-8").splitlines()]
    assert header == {
        "version": 3,
        "term": {"cols": 80, "rows": 24},
        "timestamp": int(STARTED.timestamp()),
        "idle_time_limit": 2,
        "title": "serialfix demo",
        "serialfix": {"format": FORMAT, "version": header["serialfix"]["version"]},
    }
    assert lines == [
        [1.5, "b", base64.b64encode(b"C:\\>\xff").decode()],
        [0.0, "o", "C:\\>�"],
        [0.25, "i", "dir\r"],
        [0.25, "e", '{"type":"connected"}'],
        [0.0, "x", "0"],
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no file modes")
def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / "new" / "a.cast", [])
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new" / "a.cast").stat().st_mode) == 0o600


def test_it_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.cast"
    path.write_text("somebody's")
    with pytest.raises(UsageError, match="is there already") as caught:
        Writer(path, title="", started=STARTED, secrets=Secrets())
    assert "--transcript" in caught.value.advice
    assert path.read_text() == "somebody's"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "a.cast").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="is there already"):
        Writer(tmp_path / "a.cast", title="", started=STARTED, secrets=Secrets())
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be written") as caught:
        Writer(tmp_path / "file" / "a.cast", title="", started=STARTED, secrets=Secrets())
    assert "nothing is changed" in caught.value.why


def test_what_was_synced_is_on_disk_before_the_end(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.cast", title="", started=STARTED, secrets=Secrets([SECRET]))
    writer.output(b"ends like a secret: " + SECRET.encode()[:4], 1.0)
    writer.event(events.Noted("before the command"), 1.0)
    writer.sync()
    transcript = read(tmp_path / "a.cast")
    assert [event for _, event in transcript.events()] == [events.Noted("before the command")]
    writer.close(0, 2.0)
    writer.close(1, 3.0)
    assert [told(record) for record in read(tmp_path / "a.cast").records if record.code == "x"] == [
        (2_000_000, "x", "0")
    ]


# --- secrets ---------------------------------------------------------------------------------------------------


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


def everything(transcript: Transcript) -> dict[str, bytes]:
    """All that a file tells, by kind, with what was cut by lines put together again."""
    found: dict[str, bytes] = {}
    raw: bytes | None = None
    for record in transcript.records:
        if record.code == "b":
            raw = base64.b64decode(record.data)
            continue
        data = record.data.encode()
        if record.code == "o" and raw is not None:
            data, raw = raw, None
        if record.code == "e":
            data = repr(msgspec.to_builtins(msgspec.json.decode(record.data))).encode()
            assert repr(SECRET)[1:-1].encode() not in data
            assert SECRET not in strings(msgspec.json.decode(record.data))
        found[record.code] = found.get(record.code, b"") + data
    return found


def strings(value: Any) -> str:
    match value:
        case str():
            return value
        case dict():
            return "\0".join(strings(item) for item in value.values())
        case list():
            return "\0".join(strings(item) for item in value)
    return ""


@IN_A_FOLDER
@given(
    flows=st.lists(
        st.tuples(st.sampled_from(["output", "keys"]), st.text('xZq"7', max_size=8), st.text("x9ä", max_size=8)),
        min_size=1,
        max_size=3,
    ),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    between=st.lists(st.sampled_from(["event", "timer", "sync", ""]), min_size=1, max_size=4),
)
def test_a_secret_is_masked_wherever_it_is_cut(
    tmp_path: Path, flows: list[tuple[str, str, str]], cuts: list[int], between: list[str]
) -> None:
    done: list[Act] = []
    for what, before, after in flows:
        for number, piece in enumerate(pieces((before + SECRET + after).encode(), cuts)):
            done.append(Act(what, piece, 0.1))
            match between[number % len(between)]:
                case "event":
                    done.append(Act("event", events.Noted(f"the password is {SECRET}!"), 0.1))
                case "timer":
                    done.append(Act("timer", "wake", 0.1))
                case "sync":
                    done.append(Act("sync", None, 0.0))
    found = everything(write(tmp_path / "a.cast", done, Secrets([SECRET])))
    for code, data in found.items():
        assert SECRET.encode() not in data, code
    # Masked, not cut out: the places of all else stay, so that the screen looks as it did.
    came = b"".join(act.data for act in done if act.what == "output")
    assert len(found.get("o", b"")) == len(came)


@pytest.mark.parametrize(
    "event",
    [
        events.Noted(SECRET),
        events.Answered("p", f"x{SECRET}\n", 0, "screen", False),
        events.VmSeen({"tags": {"owner": SECRET}, "addresses": [SECRET, "10.0.0.4"]}),
        events.FindingMade(Finding("tls", "fault", f"a{SECRET}", (f"b{SECRET}",), f"c{SECRET}")),
        events.Stopped(f"{SECRET}"),
    ],
)
def test_events_are_masked_before_they_are_encoded(tmp_path: Path, event: events.AnyEvent) -> None:
    transcript = write(tmp_path / "a.cast", [Act("event", event, 0.0), Act("marker", SECRET, 0.0)], Secrets([SECRET]))
    everything(transcript)
    assert "•••" in (tmp_path / "a.cast").read_text(encoding="utf-8")
    assert len(list(transcript.events())) == 1


def test_a_secret_that_is_a_word_of_the_format_leaves_it_readable(tmp_path: Path) -> None:
    done = [Act("event", events.FindingMade(Finding("tls", "fault", "a fault", ())), 0.0)]
    transcript = write(tmp_path / "a.cast", done, Secrets(["fault", "finding"]))
    ((_, event),) = transcript.events()
    assert event == events.FindingMade(Finding("tls", "fault", "a •••••", ()))


def test_the_title_is_masked(tmp_path: Path) -> None:
    assert SECRET not in write(tmp_path / "a.cast", [], Secrets([SECRET]), title=f"x {SECRET}").header["title"]


def test_a_flood_that_looks_like_a_secret_is_not_held_back_for_ever(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "a.cast", title="", started=STARTED, secrets=Secrets([SECRET]))
    for number in range(40):
        writer.output(b"Z" * 4096, float(number))
    assert (tmp_path / "a.cast").stat().st_size > 64 * 1024
    writer.close(0, 41.0)


def test_a_name_that_is_no_unicode_is_written_all_the_same(tmp_path: Path) -> None:
    transcript = write(tmp_path / "a.cast", [Act("event", events.Noted("x\udcffy"), 0.0)], title="g\udcff")
    assert [event for _, event in transcript.events()] == [events.Noted("x?y")]
    assert transcript.header["title"] == "g?"


# --- reading what is damaged -----------------------------------------------------------------------------------

HEADER = '{"version": 3, "term": {"cols": 80, "rows": 24}, "serialfix": {"format": 1, "version": "0"}}'


@IN_A_FOLDER
@given(done=st.lists(acts, min_size=1, max_size=8), where=st.floats(0, 1))
def test_cut_anywhere_it_is_read_up_to_there(tmp_path: Path, done: list[Act], where: float) -> None:
    whole = write(tmp_path / "a.cast", done)
    data = (tmp_path / "a.cast").read_bytes()
    first = data.index(b"\n") + 1
    cut = first + round(where * (len(data) - first))
    (tmp_path / "b.cast").write_bytes(data[:cut])
    transcript = read(tmp_path / "b.cast")
    assert transcript.records == whole.records[: len(transcript.records)]
    complete = data[:cut].count(b"\n") - 1
    assert complete <= len(transcript.records) <= complete + 1
    assert bool(transcript.cut) == (
        not transcript.records or (len(transcript.records) == complete and not data[:cut].endswith(b"\n"))
    )


@pytest.mark.parametrize(
    "line",
    [
        "junk",
        '[0.1, "o"',
        '[0.1, "o"]',
        '[-1, "o", "x"]',
        '[NaN, "o", "x"]',
        '[Infinity, "o", "x"]',
        '[1e400, "o", "x"]',
        "[1" + "0" * 400 + ', "o", "x"]',
        '[0.1, "oo", "x"]',
        '[0.1, "o", 5]',
        "{}",
        "[" * 100_000,
    ],
)
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.cast"
    path.write_text(f'{HEADER}\n[0.1, "o", "a"]\n{line}\n[0.1, "o", "b"]\n', encoding="utf-8")
    with pytest.raises(UsageError, match="line 3") as caught:
        read(path)
    assert caught.value.advice
    path.write_text(f'{HEADER}\n[0.1, "o", "a"]\n{line}\n\n', encoding="utf-8")
    transcript = read(path)
    assert [told(record) for record in transcript.records] == [(100_000, "o", "a")]
    assert "line 3 is cut off" in transcript.cut


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "no transcript"),
        (b"\n", "no transcript"),
        (HEADER[:20].encode(), "no transcript"),
        (b"#!/bin/sh\necho\n", "no transcript"),
        (b"[1, 2]\n", "no transcript"),
        (b'{"version": 1}\n', "no transcript"),
        (b"[" * 100_000, "no transcript"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (HEADER.encode() + b'\n[0, "o", "\xff"]\n[0, "o", "x"]\n', "not UTF-8"),
        (HEADER.replace('"format": 1', '"format": 2').encode(), "format 2"),
        (HEADER.replace('"format": 1', '"form": 1').encode(), "format None"),
    ],
)
def test_what_is_no_transcript(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "a.cast").write_bytes(content)
    with pytest.raises(UsageError, match=what) as caught:
        read(tmp_path / "a.cast")
    assert "a.cast" in caught.value.what
    assert caught.value.advice


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.cast", tmp_path):
        with pytest.raises(UsageError, match="can't be read"):
            read(path)


def test_nothing_but_a_header(tmp_path: Path) -> None:
    (tmp_path / "a.cast").write_text(HEADER + "\n")
    assert "nothing but its first line" in read(tmp_path / "a.cast").cut


def test_somebody_elses_recording(tmp_path: Path) -> None:
    """Version 2 has times since the start instead of intervals; comments are version 3's."""
    (tmp_path / "a.cast").write_text('{"version": 2, "width": 80, "height": 24}\n[0.5, "o", "a"]\n[2.0, "o", "b"]\n')
    two = read(tmp_path / "a.cast")
    assert [told(record) for record in two.records] == [(500_000, "o", "a"), (2_000_000, "o", "b")]
    assert not two.ours
    (tmp_path / "b.cast").write_text(
        '{"version": 3, "term": {}}\n# a comment\n\n[0.5, "o", "a"]\r\n[2, "r", "90x20"]\n'
    )
    three = read(tmp_path / "b.cast")
    assert [told(record) for record in three.records] == [(500_000, "o", "a"), (2_500_000, "r", "90x20")]


def test_an_event_of_another_version(tmp_path: Path) -> None:
    (tmp_path / "a.cast").write_text(f'{HEADER}\n[0, "o", "x"]\n[0, "e", "{{\\"type\\":\\"new\\"}}"]\n')
    transcript = read(tmp_path / "a.cast")
    with pytest.raises(UsageError, match=r"a\.cast, line 3") as caught:
        list(transcript.events())
    assert "serialfix play" in caught.value.advice


@IN_A_FOLDER
@given(junk=st.binary(max_size=200) | st.binary(max_size=100).map(lambda data: HEADER.encode() + b"\n" + data))
def test_junk_is_a_usage_error_or_a_cut(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "a.cast").write_bytes(junk)
    with contextlib.suppress(UsageError):
        assert read(tmp_path / "a.cast").header["version"] in (2, 3)


def test_the_state_folder_can_be_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIALFIX_STATE_DIR", str(tmp_path / "state"))
    assert state_folder() == tmp_path / "state"
    monkeypatch.delenv("SERIALFIX_STATE_DIR")
    assert "serialfix" in state_folder().parts
