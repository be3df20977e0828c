import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.registry import REG_DWORD, REG_SZ, AccessDenied, InvalidKeyName, Registry, long_name

NAMES = st.text("abcXYZ 1.{}-", min_size=1, max_size=12).filter(lambda s: s.strip() == s)


@given(st.lists(NAMES, min_size=1, max_size=4), NAMES, st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_in_any_letter_case(parts: list[str], name: str, number: int) -> None:
    registry = Registry()
    path = "\\".join(["HKLM", *parts])
    registry.set(path, name, REG_DWORD, number)
    assert registry.get(path.swapcase().replace("hklm", "HKLM"), name.swapcase()) == number
    assert [key for key, _ in registry.walk("HKLM")][-1].lower() == path.lower()
    assert registry.delete_value(path.upper(), name.lower())
    assert registry.get(path, name) is None


def test_letter_case_stays_as_first_made() -> None:
    registry = Registry()
    registry.set(r"HKLM\SOFTWARE\One", "Value", REG_SZ, "a")
    registry.set(r"hklm\software\ONE", "VALUE", REG_SZ, "b")
    assert registry.dump()[r"HKLM\SOFTWARE\One"] == {"Value": [REG_SZ, "b"]}


def test_current_control_set_is_a_link() -> None:
    registry = Registry()
    registry.set(r"HKLM\SYSTEM\CurrentControlSet\Control", "x", REG_DWORD, 1)
    assert registry.get(r"HKLM\SYSTEM\ControlSet001\Control", "x") == 1
    assert registry.subkeys(r"HKLM\SYSTEM") == ["ControlSet001", "CurrentControlSet"]


def test_names_and_access() -> None:
    assert long_name(r"hklm\Software\x") == r"HKEY_LOCAL_MACHINE\Software\x"
    with pytest.raises(InvalidKeyName):
        Registry().key(r"HKXX\Software")
    with pytest.raises(AccessDenied):
        Registry().key(r"HKLM\SECURITY\Policy", as_system=False)


def test_every_write_is_told() -> None:
    seen: list[tuple[str, str | None, str]] = []
    registry = Registry(lambda path, value, what: seen.append((path, value, what)))
    registry.set(r"HKLM\A", "v", REG_DWORD, 1)
    registry.delete_value(r"HKLM\A", "v")
    registry.delete_value(r"HKLM\A", "v")
    registry.delete_key(r"HKLM\A")
    assert [what for _, _, what in seen] == ["created", "REG_DWORD 1", "deleted", "deleted with all below it"]
