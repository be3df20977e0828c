"""The repairs: one write each, and an undo that really brings back what was."""

from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.registry import REG_DWORD, REG_SZ
from serialfix.simulator.vm import Vm
from serialfix.steps import Change, Command, NoUndo, Output, Unreadable
from serialfix.windows import changes, tls
from serialfix.windows.registry import Value
from serialfix.windows.services import Service, State
from tests.simulator.world import ask, shell
from tests.windows.samples import failed, good

KEY = tls.server_key("TLS 1.2")


def set_dword(key: str = KEY, name: str = "Enabled", number: int = 1) -> Change[Value | None]:
    return changes.set_dword(
        "change", parent=tls.SCHANNEL, key=key, name=name, number=number,
        title="Set it", why="Because.", risk="low", proven="documented", docs="",
    )  # fmt: skip


def read(vm: Vm, change: Change[Any]) -> Any:
    """What the change's before-probe says of a VM."""
    assert isinstance(change.before.query, Command)
    return change.before.parse(good(ask(vm, change.before.query.text)))


def registry(vm: Vm) -> object:
    return vm.state()["registry"]


@settings(max_examples=40, deadline=None)
@given(
    before=st.none() | st.integers(0, 2**32 - 1),
    number=st.integers(0, 2**32 - 1),
    name=st.sampled_from(["Enabled", "DisabledByDefault", "A Name"]),
)
def test_set_and_undo_in_a_vm(before: int | None, number: int, name: str) -> None:
    """Do, check and undo, typed into the simulator's cmd: the value is as it was; only an empty key may stay."""
    vm = build([], "2022", 1)
    change = set_dword(name=name, number=number)
    vm.registry.set(KEY, "Other", REG_DWORD, 7)
    if before is not None:
        vm.registry.set(KEY, name, REG_DWORD, before)
    was, value = registry(vm), read(vm, change)
    assert (value.number if value else None) == before
    assert change.check(value) == (before == number)

    shell(vm, change.do.text)
    after = read(vm, change)
    assert after.number == number
    assert change.check(after)
    for command in change.undo(value) if callable(change.undo) else ():
        assert command.effect == "write"
        shell(vm, command.text)
    assert registry(vm) == was


def test_a_key_made_for_the_value_stays_empty() -> None:
    vm, change = build([], "2022", 1), set_dword()
    value = read(vm, change)
    assert value is None
    assert change.show(value) == "not set"
    assert callable(change.undo)
    shell(vm, change.do.text)
    shell(vm, *(command.text for command in change.undo(value)))
    assert vm.registry.number(KEY, "Enabled") is None
    assert read(vm, change) is None


def test_the_texts() -> None:
    key = r'"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Server"'
    change = set_dword()
    assert change.do == Command("cmd", f"reg add {key} /v Enabled /t REG_DWORD /d 1 /f", "write")
    assert callable(change.undo)
    assert change.undo(None) == (Command("cmd", f"reg delete {key} /v Enabled /f", "write"),)
    was = Value("Enabled", "REG_DWORD", "0xffffffff", 0xFFFFFFFF)
    assert change.undo(was) == (
        Command("cmd", f"reg add {key} /v Enabled /t REG_DWORD /d 4294967295 /f", "write"),
    )  # fmt: skip
    assert change.show(was) == "4294967295 (0xffffffff)"
    assert change.before.query == Command("cmd", f"reg query {tls.SCHANNEL} /s")


def test_what_could_not_be_brought_back_is_not_changed() -> None:
    vm = build([], "2022", 1)
    vm.registry.set(KEY, "Enabled", REG_SZ, "0")
    with pytest.raises(Unreadable, match="REG_SZ"):
        read(vm, set_dword())


@pytest.mark.parametrize("output", [good(""), failed("ERROR: Access is denied.\n")])
def test_what_could_not_be_read_is_not_changed(output: Output) -> None:
    with pytest.raises(Unreadable):
        set_dword().before.parse(output)


@pytest.mark.parametrize("hostile", ['x" /f & shutdown /r', "%TEMP%", "a|b", "a\\ \\", "", "a\r\nb"])
def test_hostile_values_never_become_a_command(hostile: str) -> None:
    with pytest.raises(ValueError, match="typed safely"):
        set_dword(name=hostile)
    with pytest.raises(ValueError, match="typed safely"):
        set_dword(key=hostile)
    for make in (changes.stop_service, changes.start_service):
        with pytest.raises(ValueError, match="typed safely"):
            make(hostile, why="Because.", risk="low")


def test_stop_and_start() -> None:
    stop = changes.stop_service("UmRdpService", why="Because.", risk="medium")
    start = changes.start_service("UmRdpService", why="Because.", risk="medium")
    assert stop.do == Command("cmd", "sc stop UmRdpService", "write")
    assert callable(stop.undo)
    assert stop.undo(Service("UmRdpService", "running", 5)) == (start.do,)
    assert start.do == Command("cmd", "sc start UmRdpService", "write")
    assert isinstance(start.undo, NoUndo)
    for state in get_args(State):
        service = Service("UmRdpService", state, 0)
        assert stop.check(service) == (state == "stopped")
        assert start.check(service) == (state == "running")
    assert stop.show(Service("UmRdpService", "running", 5)) == "running, process 5"
    assert stop.show(Service("UmRdpService", "stopped", 0)) == "stopped"
    assert [probe.name for probe in stop.impact] == ["signed_in"]
    assert stop.settle >= 30


def restart(*dependents: Service) -> list[str]:
    return [
        change.name
        for change in changes.restart_service("TermService", dependents, why="Because.", risk="medium")
    ]  # fmt: skip


def test_a_restart_is_one_change_each_and_leaves_stopped_services_alone() -> None:
    assert restart() == ["stop:TermService", "start:TermService"]
    assert restart(Service("A", "running", 1), Service("B", "stopped", 0), Service("C", "paused", 2)) == [
        "stop:A", "stop:C", "stop:TermService", "start:TermService", "start:C", "start:A",
    ]  # fmt: skip


def test_a_restart_with_a_hostile_dependent_is_refused_whole() -> None:
    with pytest.raises(ValueError, match="typed safely"):
        restart(Service("A", "running", 1), Service("x & del /q C:\\", "running", 2))


def test_a_restart_in_a_vm_ends_as_it_began() -> None:
    vm = build([], "2022", 1)
    pid, before = vm.services.find("TermService").pid, vm.state()  # type: ignore[union-attr]
    made = changes.restart_service(
        "TermService", (Service("UmRdpService", "running", 1),), why="Because.", risk="medium"
    )  # fmt: skip
    for change in made:
        assert not change.check(read(vm, change)), change.name
        shell(vm, change.do.text)
        vm.advance(vm.now + 60)
        assert change.check(read(vm, change)), change.name
    assert vm.state() == before
    assert vm.services.find("TermService").pid != pid  # type: ignore[union-attr]
