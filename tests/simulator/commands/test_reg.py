import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from tests.simulator.world import ask, shell

NAMES = st.text("abcXYZ_019", min_size=1, max_size=12)
NO_KEY = "ERROR: The system was unable to find the specified registry key or value.\n"


@settings(max_examples=40)
@given(NAMES, NAMES, st.integers(0, 2**32 - 1))
def test_what_was_added_is_queried(key: str, name: str, number: int) -> None:
    vm = build([], "2022", 1)
    path = f"HKLM\\SOFTWARE\\sfx {key}"
    assert (
        ask(vm, f'reg add "{path}" /v {name} /t REG_DWORD /d {number} /f') == "The operation completed successfully.\n"
    )
    shown = ask(vm, f'reg query "{path.upper()}" /v {name.upper()}')
    assert shown == f"\nHKEY_LOCAL_MACHINE\\{path.upper()[5:]}\n    {name}    REG_DWORD    0x{number:x}\n\n"
    assert ask(vm, f'reg delete "{path}" /v {name} /f') == "The operation completed successfully.\n"
    assert ask(vm, f'reg query "{path}" /v {name}') == NO_KEY


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(NAMES, st.sampled_from(["REG_SZ", "REG_EXPAND_SZ", "REG_QWORD", "REG_BINARY", "REG_MULTI_SZ"])),
        min_size=1,
        max_size=5,
    )
)
def test_export_delete_import_restores(values: list[tuple[str, str]]) -> None:
    vm = build([], "2019", 1)
    data = {
        "REG_SZ": r"a\b",
        "REG_EXPAND_SZ": "x;y z",
        "REG_QWORD": "77",
        "REG_BINARY": "00ff" * 40,
        "REG_MULTI_SZ": r"a\0b",
    }
    shell(vm, *(f'reg add HKLM\\SOFTWARE\\sfx /v {name} /t {kind} /d "{data[kind]}" /f' for name, kind in values))
    before = vm.registry.dump()
    shell(vm, r"reg export HKLM\SOFTWARE\sfx C:\Windows\Temp\e.reg", r"reg delete HKLM\SOFTWARE\sfx /f")
    assert vm.registry.dump() != before
    shell(vm, r"reg import C:\Windows\Temp\e.reg")
    assert vm.registry.dump() == before
    entry = vm.files.find(r"C:\Windows\Temp\e.reg")
    assert entry is not None
    assert entry.data is not None
    assert entry.data.startswith(
        "\ufeffWindows Registry Editor Version 5.00\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\sfx]".encode("utf-16-le")
    )


def test_a_key_with_values_and_sub_keys_as_the_real_one_prints_it() -> None:
    text = ask(build([], "2022", 1), r"reg query HKLM\system\CurrentControlSet\Control\SecurityProviders\SCHANNEL")
    lines = text.split("\n")
    root = r"HKEY_LOCAL_MACHINE\system\CurrentControlSet\Control\SecurityProviders\SCHANNEL"
    assert lines[:4] == ["", root, "    EventLogging    REG_DWORD    0x1", ""]
    assert lines[4] == root + r"\Ciphers"


def test_overwriting_asks() -> None:
    vm = build([], "2022", 1)
    shell(vm, r"reg add HKLM\SOFTWARE\a /v b /d 1")
    text = shell(vm, r"reg add HKLM\SOFTWARE\a /v b /d 2", "maybe", "no", r"echo 3")
    assert text.count("Value b exists, overwrite(Yes/No)? ") == 2
    assert vm.registry.get(r"HKLM\SOFTWARE\a", "b") == "1"
    shell(vm, r"echo y| reg add HKLM\SOFTWARE\a /v b /d 2")
    assert vm.registry.get(r"HKLM\SOFTWARE\a", "b") == "2"


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (r"reg query HKLM\SOFTWARE\nope", NO_KEY),
        (r"reg query HKLM\SECURITY", "ERROR: Access is denied.\n"),
        (r"reg query HKZZ\x", 'ERROR: Invalid key name.\nType "REG QUERY /?" for usage.\n'),
        (r"reg query HKLM\SOFTWARE /x", 'ERROR: Invalid syntax.\nType "REG QUERY /?" for usage.\n'),
        (r"reg add HKLM\SOFTWARE\x /v y /t REG_DWORD /d zz /f",
         "ERROR: Invalid syntax. Specify a numeric value for the '/d' option.\nType \"REG ADD /?\" for usage.\n"),
    ],
)  # fmt: skip
def test_errors(line: str, answer: str) -> None:
    vm = build([], "2022", 1)
    assert ask(vm, line) == answer
    assert shell(vm, line + " >nul 2>&1", "echo %errorlevel%").endswith(
        "echo %errorlevel%\n1\n\nC:\\Windows\\system32>"
    )


def test_searching() -> None:
    text = ask(build([], "2022", 1), r"reg query HKLM\SYSTEM\CurrentControlSet\Control /s /v fDenyTSConnections")
    assert "\\Control\\Terminal Server\n    fDenyTSConnections    REG_DWORD    0x0\n" in text
    assert text.endswith("\nEnd of search: 1 match(es) found.\n")


FORMS = [
    ("REGEDIT4", "0a,\\", "  0b,0c", "0a0b0c"),
    ("  REGEDIT4", "0a,\\;why", "0b", "0a0b"),
    ("Windows Registry Editor Version 5.00", "0a,0b", "", "0a0b"),
    ("REGEDIT4 ", "0a,0b", "", None),
    ("REGEDIT5", "0a,0b", "", None),
]


@pytest.mark.parametrize(("first", "data", "more", "read"), FORMS)
def test_import_takes_the_forms_the_real_one_takes(first: str, data: str, more: str, read: str | None) -> None:
    vm = build([], "2022", 1)
    lines = [first, r"[HKEY_LOCAL_MACHINE\SOFTWARE\sfx]", f'"v"=hex:{data}', more, ""]
    vm.files.write(r"C:\f.reg", "\r\n".join(lines).encode(), vm.now)
    ask(vm, r"reg import C:\f.reg")
    assert vm.registry.get(r"HKLM\SOFTWARE\sfx", "v") == (None if read is None else bytes.fromhex(read))


def test_import_refuses_what_is_no_registry_file() -> None:
    vm = build([], "2022", 1)
    vm.files.write(r"C:\f.reg", b"regedit4\r\n", vm.now)
    assert "not a registry script" in ask(vm, r"reg import C:\f.reg")
