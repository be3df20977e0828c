"""The helper that runs as SYSTEM: its commands typed by hand into the simulator's cmd, and strict readers."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator import key_files
from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from serialfix.steps import Change, Command, NoUndo, Output, Probe, Unreadable
from serialfix.windows import sddl, system_helper
from serialfix.windows.system_helper import Helper, Task, parse_task, read_saved
from tests.simulator.world import YEARS, ask, shell

HELPER = Helper("kqxwvd3hmtb9")
TEXTS = st.text(alphabet='abX019 .:,;\\/@*+-"()', min_size=1, max_size=60)
XML = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Principals>
    <Principal id="Author">
      <UserId>S-1-5-18</UserId>
    </Principal>
  </Principals>
  <Actions Context="Author">
    <Exec>
      <Command>C:\\Windows\\x\\s.cmd</Command>
    </Exec>
  </Actions>
</Task>
"""


def lines(vm: Vm) -> tuple[str, ...]:
    return (f"icacls {key_files.path(vm.registry)} /save t /q",)


def read(vm: Vm, probe: Probe[Any]) -> Any:
    """What a probe reads, typed by hand; whether the command succeeded is asked of it as the channel does."""
    assert isinstance(probe.query, Command)
    text = ask(vm, f"{probe.query.text}&&echo ok||echo no")
    answer, _, last = text.rstrip("\n").rpartition("\n")
    return probe.parse(Output(answer + "\n" if answer else "", {"ok": 0, "no": 1}[last[-2:]], "screen"))


def make(vm: Vm, change: Change[Any]) -> None:
    before = read(vm, change.before)
    assert not change.check(before), change.name
    shell(vm, change.do.text)
    now = read(vm, change.before)
    assert change.check(now), (change.name, now)


def undo(vm: Vm, changes: Sequence[Change[Any]]) -> None:
    for change in reversed(changes):
        assert not isinstance(change.undo, NoUndo)
        for command in change.undo(None):
            shell(vm, command.text)


def rights(vm: Vm) -> Probe[sddl.Dacl]:
    name = key_files.path(vm.registry).rpartition("\\")[2]
    return system_helper.result(HELPER, "x", "x", "x", lambda output: read_saved(output, name))


@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("seed", range(3))  # with and without a mark in what icacls saves
def test_it_is_set_up_reads_what_an_administrator_may_not_and_leaves_nothing(windows: str, seed: int) -> None:
    vm = build(["key-permissions"], windows, seed)
    before = vm.state()
    changes = system_helper.changes(HELPER, lines(vm), why="x")
    for change in changes:
        assert change.temporary
        assert change.risk == "medium"
        make(vm, change)
    assert vm.files.descriptor(HELPER.folder).protected
    found = read(vm, rights(vm))
    assert found.text == vm.files.descriptor(key_files.path(vm.registry)).sddl(owner=False)
    assert read(vm, rights(vm)) == found  # what the first run left is no hindrance
    undo(vm, changes)
    assert vm.state() == before


def test_it_says_that_security_software_will_see_it() -> None:
    assert any(system_helper.SEEN in change.title for change in system_helper.changes(HELPER, ("x",), why="x"))


def test_an_old_result_is_never_read() -> None:
    vm = build([], "2022", 1)
    for change in system_helper.changes(HELPER, lines(vm), why="x"):
        make(vm, change)
    read(vm, rights(vm))
    vm.files.delete(key_files.path(vm.registry))
    with pytest.raises(Unreadable):
        read(vm, rights(vm))


def test_the_change_is_made_once_and_only_when_asked_for() -> None:
    vm = build([], "2022", 1)
    for change in system_helper.changes(HELPER, lines(vm), why="x"):
        make(vm, change)
    make(vm, system_helper.script(HELPER, "w.cmd", (r"md C:\made",), why="x"))
    read(vm, rights(vm))
    assert not vm.files.is_folder(r"C:\made")
    shell(vm, system_helper.write(HELPER).text)
    assert vm.files.is_folder(r"C:\made")
    shell(vm, r"rd C:\made")
    read(vm, rights(vm))
    assert not vm.files.is_folder(r"C:\made")


@pytest.mark.parametrize(("how", "says"), [("blocked", "did not end"), ("removed", "did not end|no result")])
def test_a_task_that_does_not_run_has_no_result(how: Any, says: str) -> None:
    vm = build([], "2022", 1)
    vm.system_tasks = how
    for change in system_helper.changes(HELPER, lines(vm), why="x"):
        shell(vm, change.do.text)
    vm.advance(vm.now + 1)
    with pytest.raises(Unreadable, match=says):
        read(vm, rights(vm))


@pytest.mark.parametrize("how", ["refused", "stopped"])
def test_a_refused_task_is_not_there(how: str) -> None:
    vm = build([], "2022", 1)
    if how == "stopped":
        vm.services.set_stopped("Schedule")
    else:
        vm.system_tasks = "refused"
    *others, task = system_helper.changes(HELPER, lines(vm), why="x")
    for change in others:
        make(vm, change)
    shell(vm, task.do.text)
    assert read(vm, task.before) is None


def test_a_task_that_somebody_else_made_is_not_ours() -> None:
    vm = build([], "2022", 1)
    task = system_helper.changes(HELPER, lines(vm), why="x")[-1]
    for run, user in ((r"C:\evil\s.cmd", "SYSTEM"), (rf"{HELPER.folder}\s.cmd", vm.user)):
        shell(vm, f"schtasks /create /tn {HELPER.name} /sc once /st 00:00 /ru {user} /f /tr {run}")
        found = read(vm, task.before)
        assert found is not None
        assert not task.check(found)
    shell(vm, rf'schtasks /create /tn {HELPER.name} /sc once /st 00:00 /ru SYSTEM /f /tr "{HELPER.folder}\s.cmd /x"')
    with pytest.raises(Unreadable):
        read(vm, task.before)


def test_a_folder_that_others_may_enter_does_not_pass() -> None:
    vm = build([], "2022", 1)
    folder, closed = system_helper.changes(HELPER, lines(vm), why="x")[:2]
    make(vm, folder)
    make(vm, closed)
    for spoil in ("/grant *S-1-5-32-545:R", "/deny *S-1-1-0:W", "/inheritance:e", "/remove *S-1-5-18"):
        shell(vm, f"icacls {HELPER.folder} {spoil}")
        assert not closed.check(read(vm, closed.before)), spoil
        shell(vm, f"icacls {HELPER.folder} /reset", f"icacls {HELPER.folder} /remove:d *S-1-1-0", closed.do.text)
        assert closed.check(read(vm, closed.before)), spoil


def test_a_script_that_was_altered_does_not_pass() -> None:
    vm = build([], "2022", 1)
    folder, _, script, _ = system_helper.changes(HELPER, lines(vm), why="x")
    make(vm, folder)
    make(vm, script)
    shell(vm, rf"echo net user evil /add>>{HELPER.folder}\s.cmd")
    assert not script.check(read(vm, script.before))


@settings(max_examples=60)
@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_what_can_be_written_arrives_as_it_is(texts: list[str]) -> None:
    vm = Vm("2022", 1)
    try:
        change = system_helper.script(HELPER, "s.cmd", texts, why="x")
    except ValueError:
        return
    shell(vm, f"md {HELPER.folder}", change.do.text)
    found = read(vm, change.before)
    assert found == tuple(text.rstrip() for text in texts)


@pytest.mark.parametrize(
    "text",
    ["", "  ", "on", "OFF ", "a&b", "a|b", "a>b", "a^b", "%x%", "!x!", "a(b", "a)b", 'a"b', '"a&b"', "a\nb", "ä"],
)
def test_what_a_shell_could_take_for_more_is_not_written(text: str) -> None:
    with pytest.raises(ValueError, match="echoed"):
        system_helper.script(HELPER, "s.cmd", (text,), why="x")


def test_a_name_is_one_that_can_be_typed() -> None:
    probe = system_helper.new_name("x")
    assert probe.parse(Output("kqxwvd3hmtbs", None, "ours")) == "kqxwvd3hmtbs"
    for text in ("", "a&b", "../../x", "kqxwvd3hmtb", "KQXWVD3HMTBS", "3qxwvd3hmtbs"):
        with pytest.raises(Unreadable):
            probe.parse(Output(text, None, "ours"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ERROR: The system cannot find the file specified.\n",
        XML.replace("</Exec>", "</Exec><Exec><Command>evil</Command></Exec>"),
        XML.replace("</Command>", "</Command><Arguments>evil</Arguments>"),
        XML.replace("</Principal>", "<UserId>S-1-5-20</UserId></Principal>"),
        XML.replace("<Exec>", "<ComHandler/><Exec>"),
        XML.replace("<UserId>S-1-5-18</UserId>", ""),
        XML + XML,
    ],
)
def test_a_task_that_is_more_than_one_program_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_task(Output(text, 0, "screen"))


def test_a_task_is_read_and_none_is_none() -> None:
    assert parse_task(Output(XML, 0, "screen")) == Task(r"C:\Windows\x\s.cmd", "S-1-5-18")
    assert parse_task(Output("FEHLER: Das System kann die Datei nicht finden.\nnone\n", 0, "screen")) is None
    for broken in (Output(XML, 1, "screen"), Output(XML, 0, "screen", partial=True)):
        with pytest.raises(Unreadable):
            parse_task(broken)


@given(st.text(max_size=80))
def test_readers_raise_nothing_else(text: str) -> None:
    output = Output(text, 0, "screen")
    for parse in (parse_task, lambda output: read_saved(output, "x"), rights(Vm("2022", 1)).parse):
        try:
            found = parse(output)
        except Unreadable:
            continue
        assert found is None or text


def test_a_list_too_long_to_be_typed_back_is_said_before() -> None:
    dacl = sddl.parse("D:PAI" + "(A;;FR;;;S-1-5-21-1-2-3-500)" * 60).dacl
    with pytest.raises(ValueError, match="can't be typed back"):
        system_helper.saved("x", r"C:\x", dacl)
