import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.powershell.cmdlets import drives
from serialfix.simulator.powershell.errors import Thrown

PARTS = st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=5), max_size=4)


@given(st.sampled_from(["C", "HKLM", "Cert"]), PARTS)
def test_a_place_is_its_path(drive: str, parts: list[str]) -> None:
    at = drives.place(f"{drive}:\\" + "\\".join(parts), "C:\\")
    assert (at.drive, list(at.parts)) == (drive, parts)
    assert drives.place(at.path, "HKLM:\\x") == at
    assert drives.place("..", drives.Place(drive, (*parts, "x")).path) == at


def test_the_long_forms() -> None:
    long = "Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE\\SOFTWARE"
    assert drives.place(long, "C:\\").path == "HKLM:\\SOFTWARE"
    certificate = "Microsoft.PowerShell.Security\\Certificate::LocalMachine\\My"
    assert drives.place(certificate, "C:\\").path == "Cert:\\LocalMachine\\My"
    with pytest.raises(Thrown, match="Cannot find drive"):
        drives.place("Q:\\x", "C:\\")


def test_what_exists() -> None:
    vm = build([], "2022", 1)
    for path in ("Cert:\\", "Cert:\\LocalMachine\\Remote Desktop", "HKLM:\\SOFTWARE", "C:\\Windows"):
        assert drives.exists(vm, drives.place(path, "C:\\")), path
    for path in ("Cert:\\LocalMachine\\x", "HKLM:\\nope", "C:\\nope"):
        assert not drives.exists(vm, drives.place(path, "C:\\")), path
