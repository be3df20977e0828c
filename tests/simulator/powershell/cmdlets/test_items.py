import pytest

from serialfix.simulator import key_files, stores
from serialfix.simulator.baseline import RDP_TCP
from serialfix.simulator.faults import FAULTS, build
from serialfix.simulator.vm import Vm
from tests.simulator.powershell.console import answer, ps

# the article's step 2, as printed
RENEW = (
    "Import-Module PKI",
    "Set-Location Cert:\\LocalMachine",
    "$RdpCertThumbprint = 'Cert:\\LocalMachine\\Remote Desktop\\'+((Get-ChildItem -Path "
    "'Cert:\\LocalMachine\\Remote Desktop\\').thumbprint)",
    "Remove-Item -Path $RdpCertThumbprint",
    'Stop-Service -Name "SessionEnv"',
    'Start-Service -Name "SessionEnv"',
)


def count(vm: Vm) -> int:
    return len(stores.held(vm.registry, stores.REMOTE_DESKTOP))


def seed_with(fault: str, certificates: int) -> int:
    for seed in range(100):
        vm = build([fault], "2022", seed)
        service = vm.services.find("SessionEnv")
        if count(vm) == certificates and service is not None and service.state == 4:
            return seed
    raise AssertionError(f"no seed gives {certificates} certificates")


def test_the_articles_lines_renew_one_certificate() -> None:
    vm = build(["cert-expired"], "2022", seed_with("cert-expired", 1))
    before = stores.held(vm.registry, stores.REMOTE_DESKTOP)
    ps(vm, *RENEW, "Start-Sleep 8")
    after = stores.held(vm.registry, stores.REMOTE_DESKTOP)
    assert len(after) == 1
    assert after != before
    assert not FAULTS["cert-expired"].repaired(vm)  # T09: TermService has its old one
    ps(vm, "Restart-Service TermService -Force")
    assert FAULTS["cert-expired"].repaired(vm)


def test_the_articles_lines_fail_with_several() -> None:
    """T06."""
    vm = build(["cert-expired"], "2022", seed_with("cert-expired", 2))
    before = count(vm)
    assert "PathNotFound" in ps(vm, *RENEW, "Start-Sleep 8")
    assert count(vm) == before
    ps(vm, "Get-ChildItem 'Cert:\\LocalMachine\\Remote Desktop' | ? {$_.NotAfter -lt (Get-Date)} | Remove-Item -Force",
       "Restart-Service SessionEnv -Force", "Start-Sleep 8", "Restart-Service TermService -Force")  # fmt: skip
    assert count(vm) == 1
    assert FAULTS["cert-expired"].repaired(vm)


def test_the_articles_lines_delete_the_store_when_it_is_empty() -> None:
    """T06. A store stays empty where SessionEnv is disabled; otherwise a new certificate comes within seconds."""
    vm = next(vm for seed in range(100) if not count(vm := build(["cert-missing-key"], "2022", seed)))
    assert stores.exists(vm.registry, stores.REMOTE_DESKTOP)
    ps(vm, *RENEW[:4])
    assert not stores.exists(vm.registry, stores.REMOTE_DESKTOP)
    assert "PathNotFound" in answer(vm, "Get-ChildItem 'Cert:\\LocalMachine\\Remote Desktop'")


def test_removing_a_certificate_leaves_its_key() -> None:
    """T08."""
    vm = build([], "2022", 1)
    ps(vm, *RENEW[:4])
    assert vm.files.find(key_files.path(vm.registry)) is not None


@pytest.mark.parametrize(
    ("value", "error"), [("D3E", "FormatException"), ("<Hexportnumber>", "RedirectionNotSupported")]
)
def test_a_port_that_is_no_number(value: str, error: str) -> None:
    """T15."""
    vm = build([], "2022", 1)
    path = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp"
    text = answer(vm, f'Set-ItemProperty -Path "{path}" -name PortNumber -value {value}')
    assert error in text.replace("\n   ", "").replace(" \n", "")
    assert vm.registry.number(RDP_TCP, "PortNumber") == 3389
    ps(vm, f'Set-ItemProperty -Path "{path}" -name PortNumber -value 0xD3E')
    assert vm.registry.number(RDP_TCP, "PortNumber") == 3390


def test_values() -> None:
    vm = build([], "2022", 1)
    key = "HKLM:\\SOFTWARE\\Test"
    ps(
        vm,
        f"New-Item {key}",
        f"New-ItemProperty {key} -Name n -Value 7 -PropertyType DWord",
        f"New-ItemProperty {key} -Name s -Value 'a b'",
        f"New-ItemProperty {key} -Name m -Value a,b -PropertyType MultiString",
    )
    assert vm.registry.get("HKLM\\SOFTWARE\\Test", "n") == 7
    assert vm.registry.get("HKLM\\SOFTWARE\\Test", "m") == ("a", "b")
    assert answer(vm, f"(Get-ItemProperty {key}).n; Get-ItemPropertyValue {key} -Name s") == "7\na b\n"
    assert "already exists" in answer(vm, f"New-ItemProperty {key} -Name n -Value 8")
    ps(vm, f"Remove-ItemProperty {key} -Name n")
    assert "PSArgumentException" in answer(vm, f"Get-ItemProperty {key} -Name n")
    assert "SOFTWA" in answer(vm, f"Get-ItemProperty {key}")
    assert "not allowed" in answer(vm, "Set-ItemProperty HKLM:\\SYSTEM\\CurrentControlSet\\Services\\gpsvc Start 4")


def test_files() -> None:
    vm = build([], "2022", 1)
    ps(vm, "md C:\\t", "Set-Content C:\\t\\a.txt 'one','two'", "Add-Content C:\\t\\a.txt three", "'x' > C:\\t\\u.txt")
    assert answer(vm, "Get-Content C:\\t\\a.txt") == "one\ntwo\nthree\n"
    entry = vm.files.find("C:\\t\\u.txt")
    assert entry is not None
    assert entry.data == b"\xff\xfex\0\r\0\n\0"  # rdp-repair.md 1 C14
    assert "already exists" in answer(vm, "md C:\\t")
    assert answer(vm, "(gci C:\\t).Name; Test-Path C:\\t\\*.txt; Test-Path C:\\t\\no") == "a.txt\nu.txt\nTrue\nFalse\n"
    assert "are you" in ps(vm, "Remove-Item C:\\t", "n").lower()
    assert vm.files.is_folder("C:\\t")
    ps(vm, "Remove-Item C:\\t -Recurse")
    assert not vm.files.is_folder("C:\\t")
    assert "denied" in answer(vm, f"Get-Content {key_files.path(vm.registry)}")


def test_the_articles_permissions_lines_in_powershell() -> None:
    """T10 to T14: they repair a missing entry, and their "backup" is UTF-16 nobody can restore."""
    repaired = set()
    for seed in range(12):
        vm = build(["key-permissions"], "2022", seed)
        folder = key_files.FOLDER
        text = ps(
            vm, "remove-module psreadline", "md c:\\temp", f"icacls {folder} /t /c > c:\\temp\\Before.txt",
            f'takeown /f "{folder}" /a /r', f'icacls {folder} /t /c /grant "NT AUTHORITY\\System:(F)"',
            f'icacls {folder} /t /c /grant "NT AUTHORITY\\NETWORK SERVICE:(R)"',
            f'icacls {folder} /t /c /grant "BUILTIN\\Administrators:(F)"', "Restart-Service TermService -Force",
        )  # fmt: skip
        assert "Access is denied." in text
        saved = vm.files.find("c:\\temp\\Before.txt")
        assert saved is not None
        assert saved.data is not None
        assert saved.data.startswith(b"\xff\xfe")
        repaired.add(FAULTS["key-permissions"].repaired(vm))
    assert repaired == {True, False}  # an entry that denies stays
