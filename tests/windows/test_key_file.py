"""The key file: its name, its size, and the difference between "none" and "could not be seen"."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import key_files, security, sids
from serialfix.simulator.faults import build
from serialfix.simulator.security import Ace
from serialfix.simulator.vm import Vm
from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import key_file
from tests.simulator.world import YEARS, ask

GUID = "6f3c1f0e-2b1d-4c58-9a53-1d2f3c4b5a69"


def answer(vm: Vm, probe: Probe[object]) -> Output:
    assert isinstance(probe.query, Command)
    return Output(ask(vm, probe.query.text), 0, "screen")


def size(vm: Vm) -> int | None:
    probe = key_file.size(key_files.machine_guid(vm.registry))
    return probe.parse(answer(vm, probe))


@pytest.mark.parametrize("windows", YEARS)
def test_name_and_build_are_those_of_the_machine(windows: str) -> None:
    for seed in range(5):
        vm = build([], windows, seed)
        guid = key_file.MACHINE_GUID.parse(answer(vm, key_file.MACHINE_GUID))
        assert key_file.path(guid) == key_files.path(vm.registry)
        assert key_file.BUILD.parse(answer(vm, key_file.BUILD)) == vm.edition.build


@given(st.text(max_size=60))
def test_only_a_guid_is_taken(text: str) -> None:
    output = Output(
        "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography\n    MachineGuid    REG_SZ    " + text + "\n",
        0,
        "screen",
    )
    with pytest.raises(Unreadable):
        key_file.parse_guid(output)


@given(st.uuids())
def test_every_guid_is_taken_in_any_case(guid: object) -> None:
    for text in (str(guid), str(guid).upper()):
        sample = f"HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography\n    MachineGuid    REG_SZ    {text}\n"
        assert key_file.parse_guid(Output(sample, 0, "screen")) == str(guid)


@pytest.mark.parametrize(
    ("kind", "data"),
    [("REG_DWORD", "0x4563"), ("REG_SZ", "17763.1"), ("REG_SZ", "017763"), ("REG_SZ", ""), ("REG_SZ", "17763 & dir")],
)
def test_no_other_build_is_taken(kind: str, data: str) -> None:
    key = r"HKEY_LOCAL_MACHINE\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
    with pytest.raises(Unreadable):
        key_file.parse_build(Output(f"{key}\n    CurrentBuildNumber    {kind}    {data}\n", 0, "screen"))


@pytest.mark.parametrize("windows", YEARS)
def test_the_size_is_seen_though_the_file_itself_lets_nobody_in(windows: str) -> None:
    vm = build(["key-permissions"], windows, 3)
    at = key_files.path(vm.registry)
    entry = vm.files.find(at)
    assert entry is not None
    assert entry.data is not None
    vm.files.protect(at, replace(vm.files.descriptor(at), aces=()))
    assert size(vm) == len(entry.data)
    entry.data = b""
    assert size(vm) == 0


def test_no_file_and_no_folder_are_none() -> None:
    vm = build([], "2022", 3)
    vm.files.delete(key_files.path(vm.registry))
    assert size(vm) is None
    for entry in vm.files.inside(key_files.FOLDER):
        vm.files.delete(entry.path)
    assert size(vm) is None  # the folder is empty
    vm.files.delete(key_files.FOLDER)
    assert size(vm) is None


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_can_not_be_listed_says_nothing(there: bool) -> None:
    vm = build([], "2022", 3)
    if not there:
        vm.files.delete(key_files.path(vm.registry))
    closed = security.with_grant(vm.files.descriptor(key_files.FOLDER), Ace(False, sids.ADMINISTRATORS, 1))
    vm.files.protect(key_files.FOLDER, closed)
    with pytest.raises(Unreadable):
        size(vm)


@given(st.text(max_size=20))
def test_whatever_else_comes_is_unreadable(text: str) -> None:
    try:
        found = key_file.parse_size(Output(text, 0, "screen"))
    except Unreadable:
        return
    assert text.strip() == ("none" if found is None else text.strip())
    assert found is None or found == int(text)


@pytest.mark.parametrize("output", [Output("12\n", 1, "screen"), Output("12\n", 0, "screen", partial=True)])
def test_a_failed_or_cut_answer_is_none(output: Output) -> None:
    with pytest.raises(Unreadable):
        key_file.parse_size(output)


def test_the_largest_size_that_is_believed() -> None:
    with pytest.raises(Unreadable):
        key_file.parse_size(Output("9999999999999\n", 0, "screen"))
