import pytest

from serialfix.simulator import key_files, security, sids
from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from tests.simulator.world import ask, shell

KEYS = key_files.FOLDER
GRANTS = (
    f'icacls {KEYS} /t /c /grant "NT AUTHORITY\\System:(F)"',
    f'icacls {KEYS} /t /c /grant "NT AUTHORITY\\NETWORK SERVICE:(R)"',
    f'icacls {KEYS} /t /c /grant "BUILTIN\\Administrators:(F)"',
)


def key(vm: Vm) -> str:
    return key_files.path(vm.registry)


def test_a_list() -> None:
    vm = build([], "2016", 1)
    at = key(vm)
    assert ask(vm, f"icacls {at}") == (
        f"{at} NT AUTHORITY\\SYSTEM:(F)\n"
        + " " * len(at) + " NT AUTHORITY\\NETWORK SERVICE:(R)\n"
        + " " * len(at) + " BUILTIN\\Administrators:(R)\n\n"
        "Successfully processed 1 files; Failed processing 0 files\n"
    )  # fmt: skip
    assert f"{KEYS} Everyone:(R,W)\n" in ask(vm, f"icacls {KEYS}")


def test_an_administrator_is_refused_from_2019_on_and_goes_on_with_c() -> None:
    vm = build([], "2019", 1)
    refused = f"{key(vm)}: Access is denied.\n"
    assert ask(vm, f"icacls {key(vm)}") == refused + "Successfully processed 0 files; Failed processing 1 files\n"
    text = ask(vm, f"icacls {KEYS} /t /c")
    assert refused in text
    assert text.endswith("Successfully processed 5 files; Failed processing 1 files\n")
    assert shell(vm, f"icacls {key(vm)} >nul", "echo %errorlevel%").count("\n5\n") == 1


def test_the_articles_listing_is_no_backup() -> None:
    """T10: the file it writes cannot be restored."""
    vm = build([], "2016", 1)
    text = shell(vm, "md c:\\temp", f"icacls {KEYS} /t /c > c:\\temp\\b.txt", f"icacls {KEYS} /restore c:\\temp\\b.txt")
    assert "processed file" not in text
    assert "The data is invalid." in text


def test_save_and_restore_want_the_parent() -> None:
    vm = build([], "2016", 1)
    before = vm.state()["security"]
    shell(vm, f"takeown /f {KEYS} /a /r", f"icacls {KEYS} /save c:\\k.acl /t /c")
    shell(vm, *GRANTS)
    changed = vm.state()["security"]
    wrong = shell(vm, f"icacls {KEYS} /restore c:\\k.acl /c")
    assert "The system cannot find the file specified." in wrong
    assert vm.state()["security"] == changed
    right = shell(vm, f"icacls {KEYS.rpartition(chr(92))[0]} /restore c:\\k.acl /c")
    assert "Successfully processed 6 files; Failed processing 0 files" in right
    owned = {path: sddl.replace("O:SY", "O:BA", 1) for path, sddl in before.items() if "MachineKeys" in path}  # type: ignore[attr-defined]
    after = vm.state()["security"]
    assert {path: after[path] for path in owned} == owned  # type: ignore[index]  # T11: the owner stays changed


def test_the_articles_grants_open_every_key_to_network_service() -> None:
    """T11 and T12."""
    vm = build(["key-permissions"], "2022", 0)
    others = [e.path for e in vm.files.inside(KEYS) if e.path != key(vm)]
    assert not any(vm.files.may(sids.TERM_SERVICE, each, security.READ_DATA) for each in others)
    text = shell(vm, *GRANTS)
    assert "Access is denied." in text
    assert not vm.files.may(sids.TERM_SERVICE, key(vm), security.READ_DATA)
    text = shell(vm, f'takeown /f "{KEYS}" /a /r', *GRANTS)
    assert f'SUCCESS: The file (or folder): "{key(vm)}" now owned by the administrators group.' in text
    assert "Failed processing 1" not in text
    assert all(vm.files.may(sids.TERM_SERVICE, each, security.READ_DATA) for each in others)
    assert vm.files.descriptor(key(vm)).owner == sids.ADMINISTRATORS


def test_a_granted_right_does_not_undo_a_denied_one() -> None:
    vm = build([], "2016", 1)
    shell(vm, f"takeown /f {key(vm)} /a", f"icacls {key(vm)} /deny *S-1-5-20:(R)")
    shell(vm, f"icacls {key(vm)} /grant *S-1-5-20:(R)")
    assert "NT AUTHORITY\\NETWORK SERVICE:(DENY)(R)" in ask(vm, f"icacls {key(vm)}")
    assert not vm.files.may(sids.TERM_SERVICE, key(vm), security.READ_DATA)
    shell(vm, f"icacls {key(vm)} /remove:d *S-1-5-20")
    assert vm.files.may(sids.TERM_SERVICE, key(vm), security.READ_DATA)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("icacls C:\\nothing", "C:\\nothing: The system cannot find the file specified."),
        ("icacls C:\\no\\where", "C:\\no\\where: The system cannot find the path specified."),
        ("icacls C:\\Windows /grant Jemand:(F)", "Jemand: No mapping between account names and security IDs was done."),
        ("icacls C:\\Windows /grant Everyone:(QQ)", 'Invalid parameter "Everyone:(QQ)"'),
        ("icacls C:\\Windows /grant", 'Invalid parameter "/grant"'),
    ],
)
def test_what_is_wrong(line: str, expected: str) -> None:
    assert ask(build([], "2022", 1), line).startswith(expected + "\n")


def test_names_of_another_language_fail() -> None:
    """T13."""
    vm = build([], "2022", 1)
    assert "No mapping" in ask(vm, r'icacls C:\Windows\Temp /grant "NT-AUTORITÄT\SYSTEM:(F)"')
    assert "processed file" in ask(vm, r"icacls C:\Windows\Temp /grant *S-1-5-18:(F)")


def test_inheritance_and_reset() -> None:
    vm = build([], "2022", 1)
    shell(vm, r"md C:\t", r"icacls C:\t /inheritance:r /grant:r *S-1-5-18:(OI)(CI)(F) *S-1-5-32-544:(OI)(CI)(F)")
    assert vm.files.descriptor(r"C:\t").sddl() == "O:BAG:SYD:PAI(A;OICI;FA;;;BA)(A;OICI;FA;;;SY)"
    shell(vm, r"echo x>C:\t\f.txt")
    assert ask(vm, r"icacls C:\t\f.txt").count(":(I)(F)") == 2
    shell(vm, r"icacls C:\t /reset")
    assert not vm.files.descriptor(r"C:\t").protected


def test_what_it_saves_begins_with_a_mark_on_some_machines_and_only_such_a_file_is_restored() -> None:
    marks = set()
    for seed in range(6):
        vm = build([], "2016", seed)
        shell(vm, f"icacls {key(vm)} /save c:\\k.acl")
        saved = vm.files.find("C:\\k.acl")
        assert saved is not None
        assert saved.data is not None
        mark = saved.data.startswith(b"\xff\xfe")
        marks.add(mark)
        vm.files.write("C:\\other.acl", saved.data[2:] if mark else b"\xff\xfe" + saved.data, 0.0)
        assert "The data is invalid." in ask(vm, f"icacls {KEYS} /restore c:\\other.acl")
        shell(vm, "copy /b c:\\k.acl+c:\\other.acl c:\\joined.acl")
        if mark:  # what follows without a mark is read like the rest
            assert "processed file" in shell(vm, f"takeown /f {key(vm)}", f"icacls {KEYS} /restore c:\\joined.acl")
    assert marks == {True, False}


def test_nothing_is_saved_where_the_program_may_not_write() -> None:
    vm = build([], "2022", 1)
    shell(vm, r"md C:\t", r"icacls C:\t /deny *S-1-5-32-544:W")
    assert "Access is denied." in ask(vm, r"icacls C:\Windows\Temp /save C:\t\a")
    assert vm.files.find(r"C:\t\a") is None
