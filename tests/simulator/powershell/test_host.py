import base64
import re

import pytest

from serialfix.simulator.faults import build
from tests.simulator.powershell.console import ps
from tests.simulator.world import CALM, YEARS, Client, ask, shell


@pytest.mark.parametrize("windows", YEARS)
def test_banner_prompt_and_the_way_back(windows: str) -> None:
    text = shell(build([], windows, 1), "powershell", "exit")
    assert "Windows PowerShell\nCopyright (C) Microsoft Corporation. All rights reserved.\n\n" in text
    assert ("https://aka.ms/PSWindows" in text) == (windows in {"2022", "2025"})
    assert "PS C:\\Windows\\system32> exit\n\nC:\\Windows\\system32>" in text


def test_unfinished_lines_ask_for_more() -> None:
    text = ps(build([], "2019", 1), "if (1 -eq 1) {", "'yes'", "}", "'a", "b'")
    assert ">> 'yes'\n>> }\nyes\n" in text
    assert ">> b'\na\nb\n" in text


def test_the_command_line() -> None:
    vm = build([], "2022", 1)
    assert ask(vm, "powershell -NoProfile -Command \"1+1; 'a'\"") == "2\na\n"
    assert ask(vm, "powershell -nop -c 1..2") == "1\n2\n"
    encoded = base64.b64encode("'x' + [char]65".encode("utf-16-le")).decode()
    assert ask(vm, f"powershell -NoProfile -EncodedCommand {encoded}") == "xA\n"
    assert "properly encoded" in ask(vm, "powershell -enc !!!")
    vm.files.write(r"C:\Windows\Temp\s.ps1", b'param($a)\r\n"got $a"\r\n', 0.0)
    assert ask(vm, r"powershell -ExecutionPolicy Bypass -File C:\Windows\Temp\s.ps1 7") == "got 7\n"
    assert ask(vm, "echo 5*5| powershell -nop -c -") == "25\n"


def test_exit_codes() -> None:
    vm = build([], "2022", 1)
    text = shell(vm, "powershell -c exit 3", "echo [%errorlevel%]", "powershell -c nonsense", "echo [%errorlevel%]",
                 "powershell -c 1", "echo [%errorlevel%]")  # fmt: skip
    assert [part.partition("]")[0] for part in text.split("\n[")[1:]] == ["3", "1", "0"]


def test_a_parse_error_runs_nothing() -> None:
    vm = build([], "2022", 1)
    text = ps(vm, "'before'; foo)")
    assert "before\n" not in text.partition("foo)\n")[2]
    assert "ParserError" in text


def test_pasted_repeats_are_damaged_until_psreadline_is_gone() -> None:
    """One letter more (windows-sac.md 3.2), or one less."""
    client = Client("2019", CALM)
    client.open()
    client.type(b"powershell -noprofile\r", seconds=8)
    for _ in range(12):
        client.type(b"'boot'\r", gap=0.001)
    seen = set(re.findall(r"'(bo+t)'", client.text()))
    assert {"booot", "bot"} <= seen <= {"booot", "bot", "boot"}
    client.type(b"Remove-Module PSReadLine\r", gap=0.5)
    client.type(b"cls\r")
    for _ in range(10):
        client.type(b"'installl'\r".replace(b"lll", b"ll"), gap=0.001)
    assert set(re.findall(r"'(instal+)'", client.text())) == {"install"}
    client.type(b"'slow  letters'\r")
    assert "slow  letters" in client.text()


def test_starting_takes_one_to_five_seconds() -> None:
    vm, took = build([], "2022", 1), []
    for _ in range(20):
        before = vm.now
        assert ask(vm, "powershell -nop -c 1") == "1\n"
        took.append(vm.now - before)
    assert 1.0 <= min(took) < 2.0
    assert 4.0 < max(took) <= 5.0


def test_a_prompt_of_ones_own() -> None:
    vm = build([], "2022", 1)
    text = ps(vm, "function prompt{'abc'+'def>'}", "1+1", "function prompt{}", "3", "function prompt{throw 'x'}", "4")
    assert "abcdef>1+1\n2\nabcdef>function prompt{}\nPS>3\n3\nPS>" in text
    assert text.endswith("PS>4\n4\nPS>")


def test_a_profile_may_change_the_prompt_unless_it_is_left_out() -> None:
    changed = loud = 0
    for seed in range(20):
        vm = build([], "2022", seed)
        plain = shell(vm, "powershell -nologo -noprofile").partition("-noprofile\n")[2]
        assert plain == "PS C:\\Windows\\system32> "
        own = shell(vm, "powershell -nologo").partition("-nologo\n")[2]
        changed += "PS [" in own
        loud += "profiles took" in own
    assert changed
    assert loud
    assert changed + loud < 20


def test_errors_are_red_on_a_console_only() -> None:
    client = Client("2022", CALM)
    client.open()
    client.type(b"powershell -noprofile\r", seconds=8)
    assert b"\x1b[91m" in client.type(b"xyzzy\r")
    assert b"\x1b[91m" not in client.type(b"Get-Item C:\\nothing -ea 0; 'fine'\r")
    vm = build([], "2022", 1)
    assert "\x1b" not in shell(vm, "powershell -nop -c xyzzy 2>&1 | findstr /n .")


def test_on_older_windows_the_colours_come_with_the_changed_cells() -> None:
    client = Client("2019", CALM)
    client.open()
    client.type(b"powershell -noprofile\r", seconds=8)
    seen = client.type(b"xyzzy\r")
    assert re.search(rb"\x1b\[\d+;1H\x1b\[91m\x1b\[40mxyzzy : The term", seen)
    assert b"\x1b[m" in seen


def test_constrained_language_refuses_net() -> None:
    vm = build([], "2022", 1)
    vm.language_mode = "ConstrainedLanguage"
    assert ask(vm, "powershell -nop -c $ExecutionContext.SessionState.LanguageMode") == "ConstrainedLanguage\n"
    assert "only on core types" in ask(vm, "powershell -nop -c \"[IO.File]::Exists('x')\"")


def test_two_streams_can_be_one() -> None:
    vm = build([], "2022", 1)
    text = ps(vm, "$a=@(&{'out';Get-Item C:\\nothing;'on'} 2>&1)", "'<'+$a.Count+'>'", "$a[2].FullyQualifiedErrorId",
              "$b=@(&{cmd /c dir /b C:\\nothing;1} 2>&1); $b.Count")  # fmt: skip
    assert "PS C:\\Windows\\system32> '<'+$a.Count+'>'\n<3>\n" in text
    assert "\nPathNotFound" in text
    assert "$b.Count\n2\n" in text


def test_what_is_assigned_is_run_once() -> None:
    vm = build([], "2022", 1)
    ps(vm, "$a=@('x'|Out-File C:\\f -Append -Encoding ascii)", "$b=('y'|Out-File C:\\f -Append -Encoding ascii)")
    assert vm.files.find("C:\\f").data == b"x\r\ny\r\n"  # type: ignore[union-attr]


def test_an_array_of_one_stays_one() -> None:
    assert "1|1|1\n" in ps(build([], "2022", 1), "$a=@('x'); $b=$a; $c=,'x'; \"$($a.Count)|$($b.Count)|$($c.Count)\"")
