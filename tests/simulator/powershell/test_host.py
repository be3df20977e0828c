import base64

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


def test_pasted_repeats_get_a_third_letter_until_psreadline_is_gone() -> None:
    client = Client("2019", CALM)
    client.open()
    client.type(b"powershell\r")
    client.type(b"echo boot\r", gap=0.001)
    assert "booot" in client.text()
    client.type(b"Remove-Module PSReadLine\r")
    client.type(b"echo installl\r".replace(b"lll", b"ll"), gap=0.001)
    assert "installl" not in client.text()
    client.type(b"'slow  letters'\r")
    assert "slow  letters" in client.text()
