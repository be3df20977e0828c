"""A recorded session played again: the same is the same, and whatever differs is told in words."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix import events
from serialfix.approval import Policy
from serialfix.engine import Decision
from serialfix.errors import UsageError
from serialfix.rerun import ENGINE_EVENTS, rerun
from serialfix.simulator.knobs import PRESETS
from serialfix.transcript import HIDDEN_KEY, Record, Transcript, read, read_event
from tests.recordings import altered, record
from tests.standins import Person

SHIPPED = Path(__file__).parents[1] / "transcripts"
FEW = settings(max_examples=20)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def repaired(folder: Path) -> Transcript:
    return record(folder / "repaired.cast", ["tls-disabled"])


@pytest.fixture(scope="module")
def healthy(folder: Path) -> Transcript:
    return record(folder / "healthy.cast", ["healthy"])


def again(transcript: Transcript) -> str:
    return asyncio.run(rerun(transcript))


def outcome_of(transcript: Transcript) -> str:
    return next(str(event.outcome) for _, event in transcript.events() if isinstance(event, events.Ended))


def at(transcript: Transcript, fits: Callable[[Record], bool]) -> list[int]:
    return [number for number, each in enumerate(transcript.records) if fits(each)]


def is_engines(each: Record) -> bool:
    return each.code == "e" and isinstance(read_event(each.data, ""), ENGINE_EVENTS)


# --- the same --------------------------------------------------------------------------------------------------


def test_a_repair_replays(repaired: Transcript) -> None:
    assert outcome_of(repaired) == "fixed"
    assert again(repaired) == ""


def test_a_healthy_session_replays(healthy: Transcript) -> None:
    assert outcome_of(healthy) == "healthy"
    assert again(healthy) == ""


@pytest.mark.parametrize(
    ("mode", "policy", "outcome"),
    [("diagnose", Policy(never="diagnose"), "faults_left"), ("repair", Policy(), "declined")],
)
def test_a_refusal_replays(tmp_path: Path, mode: str, policy: Policy, outcome: str) -> None:
    transcript = record(tmp_path / "a.cast", ["tls-disabled"], mode=mode, policy=policy)
    assert outcome_of(transcript) == outcome
    assert again(transcript) == ""


@pytest.mark.parametrize("seed", range(3))
def test_a_session_on_a_bad_line_replays(tmp_path: Path, seed: int) -> None:
    assert again(record(tmp_path / "a.cast", ["tls-disabled"], seed=seed, knobs=PRESETS["real"])) == ""


@pytest.mark.parametrize("lose", [(5,), (60, 100), (250,)])
def test_a_session_whose_line_was_lost_replays(tmp_path: Path, lose: tuple[int, ...]) -> None:
    transcript = record(tmp_path / "a.cast", ["tls-disabled"], lose=lose)
    lost = [event for _, event in transcript.events() if isinstance(event, events.Disconnected) and not event.ours]
    assert len(lost) == len(lose)
    assert again(transcript) == ""


# --- stopped ---------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(cancel=st.integers(1, 400))
def test_a_session_stopped_anywhere_replays(folder: Path, cancel: int) -> None:
    path = folder / "stopped.cast"
    path.unlink(missing_ok=True)
    assert again(record(path, ["tls-disabled"], cancel=cancel)) == ""


def test_a_session_stopped_at_the_question_replays(tmp_path: Path) -> None:
    person = Person([Decision(False, "engineer", "quit", quit=True)])
    transcript = record(tmp_path / "a.cast", ["tls-disabled"], policy=Policy(person=person))
    assert any(isinstance(event, events.Stopped) for _, event in transcript.events())
    assert again(transcript) == ""


@FEW
@given(data=st.data())
def test_a_record_cut_anywhere_is_the_same_up_to_there(healthy: Transcript, data: st.DataObject) -> None:
    begun = next(number for number, each in enumerate(healthy.records) if '"session"' in each.data) + 1
    cut = data.draw(st.integers(begun, len(healthy.records)))
    # Bytes that are no text stand in two lines; a cut between them leaves the first alone.
    assert again(altered(healthy, lambda records: records.__delitem__(slice(cut, None)))) == ""


def test_a_stopped_session_that_differs_is_told(tmp_path: Path) -> None:
    transcript = record(tmp_path / "a.cast", ["tls-disabled"], cancel=150)
    keys = at(transcript, lambda each: each.code == "i" and HIDDEN_KEY not in each.data)
    for number in (keys[0], keys[len(keys) // 2], keys[-1]):
        assert again(altered(transcript, lambda records, n=number: _other_key(records, n))) != ""  # type: ignore[misc]


# --- different -------------------------------------------------------------------------------------------------


def _other_key(records: list[Record], number: int) -> None:
    data = records[number].data
    records[number] = replace(records[number], data=("y" if data[0] != "y" else "z") + data[1:])


@FEW
@given(data=st.data())
def test_another_key_is_a_difference(repaired: Transcript, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from(at(repaired, lambda each: each.code == "i")))
    difference = again(altered(repaired, lambda records: _other_key(records, number)))
    assert "then, we sent" in difference or HIDDEN_KEY in repaired.records[number].data
    assert difference


@FEW
@given(data=st.data())
def test_another_answer_is_a_difference(repaired: Transcript, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from(at(repaired, lambda each: '"type":"answered"' in each.data)))
    told = json.loads(repaired.records[number].data)
    told["text"] = told["text"].replace("0x1", "0x0").replace("1", "2") + "more\n"

    def change(records: list[Record]) -> None:
        records[number] = replace(records[number], data=json.dumps(told))

    difference = again(altered(repaired, change))
    assert difference
    assert "---" in difference or "we look" in difference or "expect" in difference


@FEW
@given(data=st.data())
def test_an_event_that_is_missing_is_a_difference(repaired: Transcript, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from(at(repaired, is_engines)))
    assert again(altered(repaired, lambda records: records.pop(number))) != ""  # type: ignore[arg-type]


@FEW
@given(data=st.data())
def test_another_event_is_a_difference(healthy: Transcript, data: st.DataObject) -> None:
    number = data.draw(st.sampled_from(at(healthy, is_engines)))

    def change(records: list[Record]) -> None:
        records.insert(number, replace(records[number], data='{"type":"note","text":"never said"}'))

    assert "never said" in again(altered(healthy, change))


@settings(max_examples=40)
@given(data=st.data())
def test_whatever_is_done_to_a_record_it_is_words(healthy: Transcript, data: st.DataObject) -> None:
    """Lines taken out, doubled, swapped or spoilt: words, or a UsageError that names the line; never anything else."""
    number = data.draw(st.integers(0, len(healthy.records) - 1))
    other = data.draw(st.integers(0, len(healthy.records) - 1))
    junk = data.draw(st.sampled_from(["", "\ud800", "{}", "not base64!", '{"type":"connected"}', "wake"]))
    code = data.draw(st.sampled_from("oibte"))

    def change(records: list[Record]) -> None:
        match data.draw(st.sampled_from(["remove", "double", "swap", "spoil", "retype"])):
            case "remove":
                del records[number]
            case "double":
                records.insert(number, records[number])
            case "swap":
                records[number], records[other] = records[other], records[number]
            case "spoil":
                records[number] = replace(records[number], data=junk)
            case "retype":
                records[number] = replace(records[number], code=code)

    with contextlib.suppress(UsageError):
        assert isinstance(again(altered(healthy, change)), str)


def test_more_in_the_record_than_happens_now_is_a_difference(healthy: Transcript) -> None:
    last = healthy.records[-1]
    more = [Record(last.at, "t", "start"), Record(last.at, "i", "dir\r")]
    assert "now it is over" in again(altered(healthy, lambda records: records.extend(more)))
    late = Record(last.at, "e", '{"type":"note","text":"late"}')
    assert "this happened too" in again(altered(healthy, lambda records: records.append(late)))


def test_what_holds_no_session(tmp_path: Path, healthy: Transcript) -> None:
    def refuse(records: list[Record], change: Callable[[dict[str, Any]], object]) -> None:
        number = next(number for number, each in enumerate(records) if '"session"' in each.data)
        told = json.loads(records[number].data)
        change(told)
        records[number] = replace(records[number], data=json.dumps(told))

    other = altered(healthy, lambda records: refuse(records, lambda told: told.update(playbook="another")))
    none = altered(healthy, lambda records: records.clear())
    (tmp_path / "foreign.cast").write_text('{"version": 2, "width": 80, "height": 24}\n[0, "o", "x"]\n')
    for transcript in (other, none, read(tmp_path / "foreign.cast")):
        with pytest.raises(UsageError, match="no session") as caught:
            again(transcript)
        assert "serialfix play" in caught.value.advice


# --- what ships ------------------------------------------------------------------------------------------------


def test_transcripts_ship() -> None:
    shipped = list(SHIPPED.glob("*.cast"))
    if not shipped:
        pytest.skip("no transcript is shipped yet")
    assert len(shipped) >= 2


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.cast")), ids=lambda path: path.name)
def test_a_shipped_transcript_replays(path: Path) -> None:
    transcript = read(path)
    assert transcript.cut == ""
    assert again(transcript) == ""


def test_nothing_is_asked_of_the_hidden_password(repaired: Transcript) -> None:
    """Replay knows how long it was, and nothing else."""
    hidden = [each for each in repaired.records if each.code == "i" and set(each.data) == {HIDDEN_KEY}]
    assert hidden
    shorter = altered(repaired, lambda records: records.remove(hidden[-1]))
    assert again(shorter) != ""
