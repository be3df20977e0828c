"""The writes of a renewal against the simulator's cmd: made, held, and taken back exactly."""

from dataclasses import replace
from typing import Any

import pytest

from serialfix.console.shells import frame
from serialfix.simulator import key_files, stores
from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from serialfix.steps import Change, Command, NoUndo, Output
from serialfix.windows.certificate_changes import bring_back, delete_entry, enable_service, move_empty_key
from serialfix.windows.certificate_store import REMOTE_DESKTOP, Entry, contents
from tests.simulator.world import YEARS, ask, shell
from tests.windows.blobs import blob, made, thumbprint


def answer(vm: Vm, change: Change[Any]) -> Any:
    """The object as it is now, asked as the engine asks it."""
    assert isinstance(change.before.query, Command)
    return change.before.parse(Output(ask(vm, change.before.query.text), 0, "screen"))


def entries(vm: Vm) -> tuple[Entry, ...]:
    probe = contents(REMOTE_DESKTOP)
    assert isinstance(probe.query, Command)
    return probe.parse(Output(ask(vm, probe.query.text), 0, "screen")).entries


def undo(change: Change[Any], before: Any) -> list[str]:
    assert not isinstance(change.undo, NoUndo)
    return [command.text for command in change.undo(before)]


@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("typed", ["by hand", "framed"])
def test_a_deleted_entry_is_brought_back_exactly(windows: str, typed: str) -> None:
    vm = build(["cert-expired"], windows, 3)  # several
    before, files = vm.registry.dump(), set(vm.files.entries)
    for entry in entries(vm):
        change = delete_entry(entry, why="test", key_is_there=True)
        was = answer(vm, change)
        assert was == entry
        assert not change.check(was)
        ask(vm, change.do.text)
        assert change.check(answer(vm, change))
        lines = undo(change, was)
        assert all(len(line) < 1000 for line in lines)
        shell(
            vm, *(frame(line, begin="abcdefgh", end="jkmnpqrs").line if typed == "framed" else line for line in lines)
        )
        assert answer(vm, change) == entry
    assert vm.registry.dump() == before
    assert set(vm.files.entries) == files


def test_only_the_one_entry_goes() -> None:
    vm = build(["cert-expired"], "2022", 3)
    gone, *kept = entries(vm)
    ask(vm, delete_entry(gone, why="test", key_is_there=True).do.text)
    assert entries(vm) == tuple(kept)
    assert stores.exists(vm.registry, stores.REMOTE_DESKTOP)


@pytest.mark.parametrize("length", [1, 289, 290, 291, 580, 581, 3000])
def test_a_blob_of_any_length_comes_back(length: int) -> None:
    vm = build(["healthy"], "2019", 1)
    entry = replace(entries(vm)[0], thumbprint="AB" * 20, blob=bytes(i % 251 for i in range(length)))
    shell(vm, *(command.text for command in bring_back(entry)))
    path = rf"{stores.path(stores.REMOTE_DESKTOP)}\Certificates\{'AB' * 20}"
    assert vm.registry.get(path, "Blob") == entry.blob


def test_where_the_key_is_gone_there_is_no_undo() -> None:
    der = made()
    entry = Entry(thumbprint(der), *(2 * (build([], "2022", 1).clock(),)), True, "legacy", "TSSecKeySet1", blob(der))
    change = delete_entry(entry, why="test", key_is_there=False)
    assert isinstance(change.undo, NoUndo)
    assert "private key is gone" in change.undo.why
    assert bring_back(None) == ()


def test_a_value_of_the_vm_cant_become_a_command() -> None:
    entry = Entry("AB&calc", *(2 * (build([], "2022", 1).clock(),)), True, "legacy", "", b"x")
    with pytest.raises(ValueError, match="typed safely"):
        bring_back(entry)


@pytest.mark.parametrize(("name", "start"), [("SessionEnv", 3), ("CryptSvc", 2), ("KeyIso", 3)])
def test_a_disabled_service_is_enabled_and_disabled_again(name: str, start: int) -> None:
    vm = build(["healthy"], "2022", 1)
    vm.registry.set(rf"HKLM\SYSTEM\CurrentControlSet\Services\{name}", "Start", "REG_DWORD", 4)
    change = enable_service(name, start, why="test")
    was = answer(vm, change)
    assert not change.check(was)
    ask(vm, change.do.text)
    assert change.check(answer(vm, change))
    assert vm.services.start_type(name) == start
    shell(vm, *undo(change, was))
    assert vm.services.start_type(name) == 4
    assert undo(change, None) == []


@pytest.mark.parametrize("windows", YEARS)
def test_an_empty_key_file_is_moved_away_and_back(windows: str) -> None:
    vm = build(["cert-missing-key"], windows, 0)  # emptied
    path = key_files.path(vm.registry)
    guid = path.rpartition("_")[2]
    change = move_empty_key(guid, "kqxwvd3hmtbs")
    before = vm.state()
    assert answer(vm, change) == 0
    ask(vm, change.do.text)
    assert change.check(answer(vm, change))
    entry = vm.files.find(f"{path}.kqxwvd3hmtbs")
    assert entry is not None
    assert entry.data == b""
    shell(vm, *undo(change, 0))
    assert vm.state() == before
