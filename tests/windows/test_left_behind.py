"""Out of a recording nothing is run but what takes back our own helpers."""

from typing import Any

import pytest

from serialfix.console.folder import new_folder
from serialfix.console.markers import Markers
from serialfix.steps import Change, NoUndo, Output, Unreadable
from serialfix.windows.left_behind import is_our_folder, object_of, take_back
from serialfix.windows.system_helper import ROOT, TASKS, Helper, changes

OURS = [
    (rf"rd /s /q {ROOT}\kqxwvdahmtbs", rf"{ROOT}\kqxwvdahmtbs"),
    (rf"del /q {ROOT}\kqxwvdahmtbs\s.cmd", rf"{ROOT}\kqxwvdahmtbs\s.cmd"),
    ("schtasks /delete /tn kqxwvdahmtbs /f", rf"{TASKS}\kqxwvdahmtbs"),
]


@pytest.mark.parametrize(("command", "path"), OURS)
def test_ours_are_known_by_what_they_take_away(command: str, path: str) -> None:
    assert object_of(command) == path
    change = take_back(command)
    assert change.do.text == command
    assert path in change.title
    assert isinstance(change.undo, NoUndo)
    assert (change.risk, change.temporary) == ("medium", True)


def test_everything_that_takes_a_helper_back_is_known() -> None:
    helper = Helper("kqxwvdahmtbs")
    made: tuple[Change[Any], ...] = changes(helper, ("icacls C:\\x /save t",), why="test")
    for change in made:
        assert not isinstance(change.undo, NoUndo)
        for command in change.undo(None):
            assert object_of(command.text) is not None, command


@pytest.mark.parametrize(
    "command",
    [
        "",
        "shutdown /r",
        r"rd /s /q C:\Windows",
        r"rd /s /q C:\Windows\System32",
        r"rd /s /q C:\Windows\system32",
        r"rd /s /q C:\Windows\servicestate",
        r"rd /s /q C:\Windows\prefetch",
        r"rd /s /q C:\Windows\kqxwvdahmtbs\..",
        r"rd /s /q C:\Windows\kqxwvdahmtbs&shutdown /r",
        r"rd /s /q C:\Users\kqxwvdahmtbs",
        r"del /q C:\Windows\notepad.exe",
        r"del /q C:\Windows\kqxwvdahmtbs\..\notepad.exe",
        "schtasks /delete /tn * /f",
        r"schtasks /delete /tn \Microsoft\x /f",
    ],
)
def test_no_other_command_is_run(command: str) -> None:
    assert object_of(command) is None
    with pytest.raises(ValueError, match="no command of ours"):
        take_back(command)


@pytest.mark.parametrize(("text", "code", "there"), [("there\n", 0, True), ("none\n", 0, False)])
def test_whether_it_is_there(text: str, code: int, there: bool) -> None:
    change = take_back(OURS[0][0])
    assert change.before.parse(Output(text, code, "checksum")) is there
    assert change.check(there) is not there


@pytest.mark.parametrize(("text", "code"), [("", 0), ("there\n", 1), ("Zugriff verweigert\n", 1), ("the", 0)])
def test_what_can_not_be_read_is_not_taken_for_gone(text: str, code: int) -> None:
    with pytest.raises(Unreadable):
        take_back(OURS[0][0]).before.parse(Output(text, code, "checksum"))


@pytest.mark.parametrize(
    "path",
    [
        r"C:\Windows",
        r"C:\Windows\System32",
        r"C:\Windows\system32",
        r"C:\Windows\kqxwvdahmtbs\x",
        "",
        r"C:\kqxwvdahmtbs",
    ],
)
def test_folders_that_are_not_ours(path: str) -> None:
    assert not is_our_folder(path)


def test_names_that_are_drawn_are_ours() -> None:
    assert all(is_our_folder(new_folder(Markers(str(seed)))) for seed in range(200))
