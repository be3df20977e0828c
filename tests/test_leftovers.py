"""What recordings say that earlier sessions left: all that may still be there, and nothing that was seen gone."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix import events
from serialfix.leftovers import MOST_AGE, identity, left_on, recorded_here
from serialfix.redact import Secrets
from serialfix.steps import Finding
from serialfix.transcript import Writer
from serialfix.underway import underway
from serialfix.windows.left_behind import LEFT

VM = "via virsh"
GUID, OTHER = "e203fb79-d80d-11ea-87e3-c2679e14957d", "00000000-d80d-11ea-87e3-c2679e14957d"
FOLDER = r"C:\Windows\kqxwvdahmtbs"
NOTHING = events.LeftEarlier((), (), ())


def started(target: str = VM) -> events.SessionStarted:
    return events.SessionStarted("0", "repair", "p", target, "vm1", "admin", "n")


def proposed(*names: str, temporary: bool = True) -> events.Proposed:
    changes = tuple(
        events.ProposedChange(name, "t", "w", "medium", "derived", "b", "a", "c", ("u",), "", (), None, temporary)
        for name in names
    )
    return events.Proposed("t", Finding("key", "fault", "t"), changes)


def left(*sessions: Sequence[events.Event], vm: str = VM) -> events.LeftEarlier:
    return left_on(vm, [tuple(session) for session in sessions])


OPENED = events.ChannelOpened("Cmd0001", GUID)
UNDO = rf"rd /s /q {FOLDER}"
MADE = events.ChangeStarted("helper_folder", "not there", f"md {FOLDER}", (UNDO,), "")
CHANGE = events.LeftChange("helper_folder", f"md {FOLDER}", (UNDO,))


def test_a_crash_leaves_what_it_had_opened() -> None:
    session: list[events.Event] = [
        started(),
        events.ChannelOpened("Cmd0001", ""),
        OPENED,
        events.LoggedIn("Cmd0001", "admin"),
    ]
    found = left([*session, events.FolderMade(FOLDER)])
    assert found == events.LeftEarlier((events.LeftChannel("Cmd0001", GUID, "admin"),), (FOLDER,), ())


def test_what_the_session_itself_saw_gone_is_gone() -> None:
    removed = [events.FolderRemoved(FOLDER), events.ChannelClosed("Cmd0001", GUID)]
    assert left([started(), OPENED, events.FolderMade(FOLDER), *removed]) == NOTHING


def test_what_a_later_session_saw_gone_is_gone_in_whatever_order_they_are_read() -> None:
    first = [started(), OPENED, events.FolderMade(FOLDER)]
    second = [started(), events.ChannelClosed("Cmd0001", GUID), events.FolderRemoved(FOLDER)]
    assert left(first, second) == left(second, first) == NOTHING


def test_the_same_name_after_a_restart_is_another_channel() -> None:
    second = [started(), events.ChannelOpened("Cmd0001", OTHER), events.ChannelClosed("Cmd0001", OTHER)]
    assert left([started(), OPENED], second).channels == (events.LeftChannel("Cmd0001", GUID),)


def test_a_channel_whose_guid_was_not_seen_is_known_as_that() -> None:
    unseen = [started(), events.ChannelOpened("Cmd0001", "")]
    assert left(unseen).channels == (events.LeftChannel("Cmd0001", ""),)
    assert left(unseen, [started(), events.ChannelClosed("Cmd0001", "")]) == NOTHING


def test_another_vm_is_another_vm() -> None:
    assert left([started("via ssh"), OPENED]) == NOTHING
    azure = {"vm_id": "6F0C", "id": "/subscriptions/a/b", "name": "vm1"}
    session = [events.VmSeen(azure), started("rg/vm1"), OPENED]
    assert left(session, vm=identity(azure, "")).channels
    assert left(session, vm=identity(azure | {"vm_id": "77"}, "rg/vm1")) == NOTHING
    assert identity({"id": "/Subscriptions/A"}, "t") == "/subscriptions/a"
    assert left([OPENED]) == NOTHING  # stopped before it was known which VM it is


# --- temporary changes ------------------------------------------------------------------------------------------


def test_a_temporary_change_of_a_session_that_was_killed() -> None:
    assert left([started(), proposed("helper_folder"), MADE]).changes == (CHANGE,)


def test_a_change_that_was_meant_to_stay_is_no_leaving() -> None:
    assert left([started(), proposed("helper_folder", temporary=False), MADE]) == NOTHING


@pytest.mark.parametrize(("back", "found"), [(True, ()), (False, (CHANGE,)), (None, (CHANGE,))])
def test_what_was_put_back(back: bool | None, found: tuple[events.LeftChange, ...]) -> None:
    happened = [started(), proposed("helper_folder"), MADE, events.PutBack("helper_folder", UNDO, back)]
    assert left([*happened, events.CheckStarted("next", "t")]).changes == found


def test_what_another_check_follows_was_seen_to_be_as_before() -> None:
    assert left([started(), proposed("helper_folder"), MADE, events.CheckStarted("next", "t")]) == NOTHING


@pytest.mark.parametrize("end", [events.ChangeSkipped(LEFT + UNDO), events.ChangeChecked(LEFT + UNDO, True, "gone")])
def test_what_a_later_session_took_back(end: events.AnyEvent) -> None:
    assert left([started(), proposed("helper_folder"), MADE], [started(), end]) == NOTHING
    failed = events.ChangeChecked(LEFT + UNDO, False, "there")
    assert left([started(), proposed("helper_folder"), MADE], [started(), failed]).changes == (CHANGE,)


@pytest.mark.parametrize(
    "path", ["", "C:\\Windows", "C:\\Windows\\System32\\x", "C:\\Windows\\abcdefgh & x", "C:\\Temp"]
)
def test_no_other_folder_is_removed(path: str) -> None:
    assert left([started(), events.FolderMade(path)]).folders == ()


# --- the files --------------------------------------------------------------------------------------------------


def record(path: Path, *happened: events.AnyEvent) -> Path:
    writer = Writer(path, title="", started=datetime(2026, 11, 22, tzinfo=UTC), secrets=Secrets(["hunter22"]))
    for number, event in enumerate(happened):
        writer.output(b"SAC>", number)
        writer.event(event, number + 0.5)
    writer.close(0, 99.0)
    return path


def here(folder: Path, age: float = 0.0) -> tuple[events.LeftEarlier, list[str]]:
    sessions, notes = recorded_here(folder, folder / "own.cast", time.time() + age)
    return left_on(VM, sessions), notes


def test_it_is_read_from_recordings_but_from_our_own(tmp_path: Path) -> None:
    record(tmp_path / "own.cast", started(), events.ChannelOpened("Cmd0002", OTHER))
    record(tmp_path / "a.cast", started(), OPENED, proposed("helper_folder"), MADE)
    found, notes = here(tmp_path)
    assert (found.channels, found.changes, notes) == ((events.LeftChannel("Cmd0001", GUID),), (CHANGE,), [])


@settings(max_examples=50)
@given(data=st.data())
def test_a_recording_that_was_cut_anywhere_tells_what_it_holds(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = record(folder / "a.cast", started(), OPENED).read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    (folder / "a.cast").write_bytes(whole[:cut])
    found, notes = here(folder)
    opened = whole.index(b"\n", whole.index(b"channel opened")) < cut
    assert (bool(found.channels), notes) == (opened, [])


def test_a_damaged_recording_is_skipped_and_said(tmp_path: Path) -> None:
    record(tmp_path / "a.cast", started(), OPENED)
    path = record(tmp_path / "b.cast", started(), OPENED)
    path.write_bytes(path.read_bytes().replace(b'"guid', b'"gu d'.replace(b" ", b"\\")))
    (tmp_path / "c.cast").write_bytes(b"\x00\xff" * 1000)
    found, notes = here(tmp_path)
    assert found.channels
    assert len(notes) == 1
    assert "b.cast" in notes[0]


def test_a_session_that_still_runs_is_left_alone(tmp_path: Path) -> None:
    path = record(tmp_path / "a.cast", started(), OPENED)
    with underway(tmp_path, path):
        assert here(tmp_path) == (NOTHING, [])
    assert here(tmp_path)[0].channels


def test_a_recording_elsewhere_is_found_while_its_mark_stands(tmp_path: Path) -> None:
    path = record(tmp_path / "elsewhere" / "a.cast", started(), OPENED)
    folder = tmp_path / "state"
    with underway(folder, path):
        (mark,) = folder.iterdir()
        kept = mark.read_text()
    mark.write_text(kept)  # as it stays after a crash
    assert here(folder)[0].channels
    path.unlink()
    assert here(folder) == (NOTHING, [])
    assert list(folder.iterdir()) == []


def test_what_is_old_is_not_looked_at(tmp_path: Path) -> None:
    record(tmp_path / "a.cast", started(), OPENED)
    assert here(tmp_path, MOST_AGE - 60)[0].channels
    assert here(tmp_path, MOST_AGE + 60) == (NOTHING, [])


def test_where_nothing_was_recorded_nothing_is_left(tmp_path: Path) -> None:
    assert here(tmp_path / "none") == (NOTHING, [])
