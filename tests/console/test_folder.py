"""The folder of ours in cmd: made, used, removed; and what its lines do, seen by a cmd that is not the client's."""

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.console.folder import CMD, new_folder, with_powershell
from serialfix.console.markers import Markers
from serialfix.console.slices import Asked, Spoken, Way, begins, ends
from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from tests.simulator.world import shell

KEY = "abcdefgh"
PATH = r"C:\Windows\abcdefghjkmn"
WORDS = ("_f", "_g", "_r", "_z", "_h", "_p", "_e", "_q", "_b")


def shown(vm: Vm, *typed: str) -> list[str]:
    """What a cmd in our folder prints for lines behind those that define our words."""
    ready = (f"md {PATH}", f"cd /d {PATH}", "prompt $g", *(CMD.define(word) for word in WORDS))
    return shell(vm, *ready, *typed).partition(typed[0] + "\n")[2].split("\n")


def ask(*commands: str, way: Way = "stream") -> str:
    return CMD.ask(KEY, [Asked(command, True) for command in commands], way).text


@given(st.integers(1, 500), st.integers(0, 20), st.booleans())
def test_lines_are_chosen_by_number(first: int, more: int, encoded: bool) -> None:
    spoken = CMD.rows(KEY, first, first + more, encoded=encoded)
    assert begins(KEY) not in spoken.text
    assert ends(KEY) not in spoken.text
    assert spoken.first == first
    assert [int(number) for number in re.findall(r"(\d+):", spoken.text)] == list(range(first, first + more + 1))


@pytest.mark.parametrize("windows", ["2016", "2022"])
def test_the_answer_is_in_the_file_and_its_checksum_is_the_files(windows: str) -> None:
    vm = build([], windows, 1)
    rows = shown(vm, ask("echo one", "echo two"))
    entry = vm.files.find(rf"{PATH}\o")
    assert entry is not None
    # echo writes the blank before the redirection
    assert entry.data == f"one \r\nok {KEY}\r\ntwo \r\nok {KEY}\r\n".encode()
    assert hashlib.sha256(entry.data).hexdigest() in [row.replace(" ", "") for row in rows]
    assert rows[rows.index("1:one $") : rows.index(ends(KEY))] == [
        "1:one $",
        f"2:ok {KEY}$",
        "3:two $",
        f"4:ok {KEY}$",
    ]
    assert begins(KEY) in rows


@pytest.mark.parametrize("way", ["few", "head"])
def test_it_is_shown_again_without_being_run_again(way: Way) -> None:
    vm = build([], "2022", 1)
    rows = shown(vm, ask("ver"), CMD.again(KEY, way).text)
    assert [row for row in rows if row == begins(KEY)] == [begins(KEY)] * 2
    ran = [entry for entry in vm.journal if entry["kind"] == "line" and "ver%_r%" in str(entry["text"])]
    assert len(ran) <= 1
    entry = vm.files.find(rf"{PATH}\o")
    assert entry is not None
    assert hashlib.sha256(entry.data or b"").hexdigest() in [row.replace(" ", "") for row in rows]


@pytest.mark.parametrize(
    ("command", "last"),
    [
        ("ver", "ok"),
        ("xyzzy", "no"),
        ("cmd /c exit 3", "no"),
        (r"if exist C:\nowhere (ver) else (xyzzy)", "no"),
        ("ver&xyzzy", "no"),
        ("xyzzy&ver", "ok"),
        ("(echo x)", "ok"),
        ('netstat -ano|findstr ":99999 "', "no"),
    ],
)
def test_success_is_the_last_line(command: str, last: str) -> None:
    vm = build([], "2022", 1)
    shown(vm, ask(command))
    assert vm.files.find(rf"{PATH}\o").data.endswith(f"{last} {KEY}\r\n".encode())  # type: ignore[union-attr]


def test_a_digit_at_the_end_of_a_command_is_not_taken_for_a_stream() -> None:
    assert "cmd /c exit 3 %_r%" in ask("cmd /c exit 3")
    assert "sc enumdepend TermService 16384%_r%" in ask("sc enumdepend TermService 16384")


@pytest.mark.parametrize("command", ['reg query "HKLM', "(ver", "ver)", 'echo "a" )'])
def test_what_leaves_something_open_is_refused(command: str) -> None:
    with pytest.raises(ValueError, match="left open"):
        ask(command)


def test_each_percent_sign_that_is_typed_belongs_to_a_word() -> None:
    """One that stands alone might pair with the next, and what is between them would be taken for a variable."""
    spoken: list[Spoken] = [CMD.rows(KEY, 1, 3, encoded=True)]
    for way in ("stream", "pages", "few", "head"):
        spoken += [CMD.ask(KEY, [Asked("ver", True)], way), CMD.again(KEY, way), CMD.encode(KEY, way)]
    for each in spoken:
        assert "%" not in re.sub(r"%_[a-z]%", "", each.text)
        assert {word.strip("%") for word in re.findall(r"%_[a-z]%", each.text)} == set(each.words)


def test_where_certutil_is_blocked_powershell_says_and_encodes_the_same() -> None:
    vm = build([], "2022", 1)
    dialect = with_powershell(PATH)
    assert dialect.instead is not None
    instead = dialect.instead
    vm.blocked["certutil"] = 5
    words = [instead.define(word) for word in ("_h", "_b")]
    rows = shown(vm, "echo one two>o", *words, instead.again(KEY, "few").text, instead.encode(KEY, "stream").text)
    content = b"one two\r\n"
    assert rows.count(hashlib.sha256(content).hexdigest()) == 1
    assert vm.files.find(rf"{PATH}\e").data == b"b25lIHR3bw0K\r\n"  # type: ignore[union-attr]


def test_where_powershell_is_of_no_use_either_it_is_as_before() -> None:
    dialect = with_powershell(PATH)
    assert dialect.instead is not None
    last = dialect.instead.instead
    assert last is not None
    assert last.instead is None
    assert [last.define(word) for word in WORDS] == [CMD.define(word) for word in WORDS]


def test_the_name_of_a_folder_can_not_be_guessed() -> None:
    markers = Markers("seed")
    paths = {new_folder(markers) for _ in range(50)}
    assert len(paths) == 50
    assert all(re.fullmatch(r"C:\\Windows\\[a-z2-9]{12}", path) for path in paths)
    assert new_folder(Markers("other")) not in paths
