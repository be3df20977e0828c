from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.cmd_batch import Frame, expand_batch
from serialfix.simulator.faults import build
from tests.simulator.world import shell

FILE = r"C:\Windows\Temp\t.cmd"


def run(text: str, *after: str, call: str = 't a "b c"') -> str:
    vm = build([], "2022", 1)
    vm.files.write(FILE, text.replace("\n", "\r\n").encode(), 0.0)
    return shell(vm, r"cd C:\Windows\Temp", call, *after).partition(f">{call}\n")[2]


def test_arguments_labels_and_loops() -> None:
    text = run(
        "@echo off\nset n=0\n:again\nset /a n+=1 >nul\nif %n% lss 3 goto again\n"
        "echo %n% %1 %~2 %~nx0 %* %% %nothing%.\n"
        "for %%i in (x y) do echo [%%i]\ncall :sub z\necho back %errorlevel%\ngoto :eof\n:sub\necho in %1\nexit /b 7\n"
    )
    assert text.startswith('3 a b c t.cmd a "b c" % .\n[x]\n[y]\nin z\nback 7\n\nC:\\Windows\\Temp>')


def test_setlocal_is_undone_and_a_nested_file_does_not_return_without_call() -> None:
    text = run("@echo off\nsetlocal enabledelayedexpansion\nset v=1\n(set v=2\necho %v% !v!)\nendlocal\necho [%v%]\n")
    assert text.startswith("1 2\n[]\n")


def test_lines_are_shown_with_echo_on() -> None:
    assert run("echo 1\n@echo 2\n").startswith("\nC:\\Windows\\Temp>echo 1\n1\n2\n")


def test_a_missing_label_and_a_file_that_calls_itself_end() -> None:
    assert "The system cannot find the batch label specified - nowhere\n" in run("@goto nowhere\n@echo no\n")
    assert "R E C U R S I O N" in run("@call t\n")


def test_exit_b_sets_errorlevel_and_exit_leaves_the_shell() -> None:
    assert "\n5\n" in run("@exit /b 5\n", "echo %errorlevel%")
    assert "<exit 3>" in run("@exit 3\n")


@given(st.text(st.sampled_from("%ab1*~ "), max_size=12))
def test_the_percent_phase_never_fails_and_leaves_no_defined_name(text: str) -> None:
    found = expand_batch(text, {"a": "<A>"}.get, Frame(FILE, ["t", "one"], []))
    assert found.count("%") <= text.count("%%")
