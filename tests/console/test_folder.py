"""The folder of ours in cmd: made, used, removed; and what its lines do, seen by a cmd that is not the client's."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.console.folder import CMD, VARIABLES, new_folder, with_powershell
from serialfix.console.markers import Markers
from serialfix.console.slices import line
from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from tests.simulator.world import shell

BEGIN, END = "abcdefgh", "jkmnpqrs"
PATH = r"C:\Windows\abcdefghjkmn"


def shown(vm: Vm, *typed: str) -> list[str]:
    """What a cmd in our folder prints for lines behind those that define our words."""
    ready = (f"md {PATH}", f"cd /d {PATH}", "prompt $g", *(f"set {name}={value}" for name, value in VARIABLES))
    return shell(vm, *ready, *typed).partition(typed[0] + "\n")[2].split("\n")


@given(st.integers(1, 500), st.integers(0, 20), st.booleans())
def test_what_is_typed_holds_no_marker_and_chooses_lines_by_number(first: int, more: int, encoded: bool) -> None:
    typed = line(CMD, CMD.run("ver", True), CMD.rows(encoded, first, first + more), begin=BEGIN, end=END)
    assert BEGIN not in typed
    assert END not in typed
    numbers = re.findall(r"(\d+):", typed)
    assert [int(number) for number in numbers] == list(range(first, first + more + 1))


@pytest.mark.parametrize("windows", ["2016", "2022"])
def test_the_answer_is_in_the_file_and_its_checksum_is_the_files(windows: str) -> None:
    vm = build([], windows, 1)
    rows = shown(vm, line(CMD, CMD.run("echo one", True), CMD.digest, CMD.rows(False, 0, 0), begin=BEGIN, end=END))
    entry = vm.files.find(rf"{PATH}\o")
    assert entry is not None
    assert entry.data == b"one \r\nok\r\n"  # echo writes the blank before the second redirection
    assert hashlib.sha256(entry.data).hexdigest() in [row.replace(" ", "") for row in rows]
    assert rows[rows.index("1:one $") : rows.index(END)] == ["1:one $", "2:ok$"]


@pytest.mark.parametrize(("command", "last"), [("ver", b"ok\r\n"), ("xyzzy", b"no\r\n"), ("cmd /c exit 3", b"no\r\n")])
def test_success_is_the_last_line(command: str, last: bytes) -> None:
    vm = build([], "2022", 1)
    shown(vm, CMD.run(command, True))
    assert vm.files.find(rf"{PATH}\o").data.endswith(last)  # type: ignore[union-attr]


def test_a_digit_at_the_end_of_a_command_is_not_taken_for_a_stream() -> None:
    assert CMD.run("cmd /c exit 3", True) == "cmd /c exit 3 %_r%"
    assert CMD.run("sc enumdepend TermService 16384", True) == "sc enumdepend TermService 16384%_r%"


def test_where_certutil_is_blocked_powershell_says_and_encodes_the_same() -> None:
    vm = build([], "2022", 1)
    dialect = with_powershell(PATH)
    assert dialect.instead is not None
    lines, instead = dialect.instead
    vm.blocked["certutil"] = 5
    rows = shown(vm, "echo one two>o", *lines, instead.digest, instead.encode)
    content = b"one two\r\n"
    assert rows.count(hashlib.sha256(content).hexdigest()) == 1
    assert vm.files.find(rf"{PATH}\e").data == b"b25lIHR3bw0K\r\n"  # type: ignore[union-attr]
    assert rows.count("1") == 2


def test_where_powershell_is_of_no_use_either_it_is_as_before() -> None:
    dialect = with_powershell(PATH)
    assert dialect.instead is not None
    again = dialect.instead[1].instead
    assert again is not None
    lines, last = again
    assert lines == (f"set _h={dict(VARIABLES)['_h']}",)
    assert (last.instead, last.encode) == (None, CMD.encode)


def test_the_name_of_a_folder_can_not_be_guessed() -> None:
    markers = Markers("seed")
    paths = {new_folder(markers) for _ in range(50)}
    assert len(paths) == 50
    assert all(re.fullmatch(r"C:\\Windows\\[a-z2-9]{12}", path) for path in paths)
    assert new_folder(Markers("other")) not in paths
