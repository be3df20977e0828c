import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator import key_files
from serialfix.simulator.faults import build
from tests.simulator.world import ask, shell

WORDS = st.text("abcdefXYZ0123456789_-.:", min_size=1, max_size=20)


def test_banner_and_prompt() -> None:
    assert shell(build([], "2016", 1)) == (
        "Microsoft Windows [Version 10.0.14393]\n(c) 2016 Microsoft Corporation. All rights reserved.\n"
        "\nC:\\Windows\\system32>"
    )
    assert "\n(c) Microsoft Corporation. All rights reserved.\n" in shell(build([], "2022", 1))


@settings(max_examples=40)
@given(WORDS)
def test_echo_prints_what_stands_there(word: str) -> None:
    vm = build([], "2022", 1)
    assert ask(vm, f"echo {word}") == f"{word}\n"
    assert ask(vm, f"echo ^{word}") == f"{word}\n"
    assert ask(vm, f"(set v={word})& call echo %^v%") == f"{word}\n"


@pytest.mark.parametrize(
    ("line", "output"),
    [
        ("echo %nope% %OS%", "%nope% Windows_NT\n"),
        ("echo a & echo b", "a \nb\n"),
        ("ver >nul && echo yes|| echo no", "yes\n"),
        ("reg query HKLM\\nope >nul 2>&1 && echo yes || echo no", "no\n"),
        ("nosuch 2>nul&call echo %^errorlevel%", "9009\n"),
        ("reg query HKLM\\nope 2>nul & echo x & call echo %^errorlevel%", "x \n1\n"),
        ('cmd /v:on /c "reg query HKLM\\nope 2>nul & echo [!errorlevel!]"', "[1]\n"),
        ("cmd /c exit 7&call echo %^errorlevel%", "7\n"),
        ("if 1==1 (echo yes) else echo no", "yes\n"),
        ("if not exist C:\\nope (echo gone)", "gone\n"),
        ("if 9 GTR 10 (echo more) else (echo less)", "less\n"),
        ("for %i in (1 2 3) do @echo %i", "1\n2\n3\n"),
        ("for /l %i in (3,-1,1) do @echo %i", "3\n2\n1\n"),
        ("for /f \"tokens=2 delims==\" %i in ('set OS') do @echo %i", "Windows_NT\n"),
        ('echo one two three| find "two"', "one two three\n"),
        ('echo abc| findstr /r "^a.c$"', "abc\n"),
        ("set /a 7/2*(1+1)", "6"),
        ("hostname & rem nothing & echo more", None),
        ("echo.", "\n"),
        ("dir C:\\nope", " Volume in drive C is Windows\n"),
        ("type C:\\nope.txt", "The system cannot find the file specified.\n"),
        ("cd C:\\nope", "The system cannot find the path specified.\n"),
        ("& x", "& was unexpected at this time.\n"),
    ],
)
def test_lines(line: str, output: str | None) -> None:
    vm = build([], "2022", 1)
    found = ask(vm, line)
    if output is None:
        assert found == f"{vm.name}\n"
    elif line.startswith("dir"):
        assert found.startswith(output)
        assert found.endswith("File Not Found\n")
    else:
        assert found == output


def test_unknown_command_and_its_code() -> None:
    text = shell(build([], "2022", 1), "nosuch", "echo %errorlevel%")
    assert "'nosuch' is not recognized as an internal or external command,\noperable program or batch file.\n" in text
    assert "echo %errorlevel%\n9009\n" in text


def test_echo_does_not_change_errorlevel() -> None:
    assert shell(build([], "2022", 1), "nosuch", "echo x", "echo %errorlevel%").count("9009") == 1


def test_continuation() -> None:
    text = shell(build([], "2022", 1), "(echo a", "echo b)", "echo c^", "d")
    assert "More? echo b)\na\nb\n" in text
    assert "More? d\ncd\n" in text


def test_too_long_a_line() -> None:
    vm = build([], "2022", 1)
    long = "x" * 3000
    text = shell(vm, f"set v={long}", "echo %v%%v%%v%")
    assert text.endswith("The input line is too long.\n\nC:\\Windows\\system32>")


@settings(max_examples=30)
@given(st.lists(WORDS, min_size=1, max_size=5))
def test_files_hold_what_was_redirected(words: list[str]) -> None:
    vm = build([], "2019", 1)
    lines = [f">>C:\\Windows\\Temp\\t.txt echo {word}" for word in words]
    text = shell(vm, *lines, "type C:\\Windows\\Temp\\t.txt")
    assert "\n".join(words) + "\n" in text.rpartition("t.txt\n")[2]
    entry = vm.files.find(r"C:\Windows\Temp\t.txt")
    assert entry is not None
    assert entry.data == "".join(word + "\r\n" for word in words).encode()


def test_sort_more_and_find() -> None:
    vm = build([], "2019", 1)
    text = shell(
        vm, "(echo c& echo a& echo b)| sort", 'set| find /c /i "system"', 'tasklist | findstr /v svchost | find /c "e"'
    )
    assert "\na\nb\nc\n" in text


def test_exit_ends_the_shell() -> None:
    assert shell(build([], "2022", 1), "exit 5").endswith("<exit 5>")
    assert shell(build([], "2022", 1), "cmd", "exit 3", "echo %errorlevel%").count("\n3\n") == 1


READS = r"""
reg query HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL /s
sc query state= all
sc qc TermService
tasklist /svc
netstat -anob
whoami /all
hostname
qwinsta
systeminfo
ipconfig /all
dir C:\ /s /b
set
wevtutil qe System /c:5 /rd:true /f:text
certutil -store My
net start
sc enumdepend TermService
reg query HKLM\SAM\SAM
where reg
type C:\Windows\System32\drivers\etc\hosts
net user
sc sdshow TermService
""".strip().splitlines()


@settings(max_examples=20)
@given(st.lists(st.sampled_from(READS), min_size=1, max_size=4), st.sampled_from(["2016", "2025"]))
def test_reading_leaves_the_state_equal(lines: list[str], windows: str) -> None:
    vm = build(["tls-disabled"], windows, 5)
    before = vm.state()
    shell(vm, *lines)
    assert vm.state() == before
    shell(vm, "reg add HKLM\\SOFTWARE\\x /f")
    assert vm.state() != before


def test_a_size_is_read_from_the_folder_and_not_from_the_file() -> None:
    vm = build([], "2022", 1)
    at = key_files.path(vm.registry)
    entry = vm.files.find(at)
    assert entry is not None
    assert entry.data is not None
    assert "Access is denied." in ask(vm, f"type {at}")
    assert ask(vm, f"for %i in ({at}) do @echo %~zi") == f"{len(entry.data)}\n"
    assert ask(vm, f"for %i in ({at}) do @echo %~znxi") == f"{len(entry.data)} {entry.name}\n"
    assert ask(vm, r"for %i in (C:\none) do @echo [%~zi]") == "[]\n"


def test_a_folder_that_can_be_listed_holds_its_own_dot() -> None:
    vm = build([], "2022", 1)
    shell(vm, r"md C:\t")
    line = r"if exist C:\t\{} (echo yes) else echo no"
    assert [ask(vm, line.format(what)) for what in ("*", "*.*", "*.txt", "x", "..\\*", ".")] == [
        "yes\n", "yes\n", "no\n", "no\n", "yes\n", "yes\n",
    ]  # fmt: skip
    shell(vm, r"echo x>C:\t\x", r"icacls C:\t /deny *S-1-5-32-544:(RD)")
    assert [ask(vm, line.format(what)) for what in ("*", "x")] == ["no\n", "no\n"]
    assert ask(vm, r"if exist C:\t (echo yes)") == "yes\n"
    assert ask(vm, r"if exist C:\ (echo yes)") == "yes\n"


def test_with_u_its_own_commands_write_utf_16_without_a_mark() -> None:
    vm = build([], "2022", 1)
    shell(vm, r'cmd /u /c ">C:\a echo x(y)&>>C:\a echo é"', r'cmd /u /c "hostname>C:\b"', r'cmd /a /c "echo z>C:\c"')
    found = {name: vm.files.find(rf"C:\{name}") for name in "abc"}
    data = {name: entry.data for name, entry in found.items() if entry is not None}
    assert data == {
        "a": "x(y)\r\né\r\n".encode("utf-16-le"),
        "b": f"{vm.name}\r\n".encode(),  # a program of its own writes as it always does
        "c": b"z\r\n",
    }


def test_copy_puts_files_one_behind_the_other() -> None:
    vm = build([], "2022", 1)
    text = shell(vm, r"echo 1>C:\a", r"echo x>C:\a", r"echo y>C:\b", r"copy /b C:\a+C:\b+C:\none C:\c", r"type C:\c")
    assert "1 file(s) copied." in text
    assert "\nx\ny\n" in text
    assert "cannot find the file" in ask(vm, r"copy /b C:\none+C:\nothing C:\d")
