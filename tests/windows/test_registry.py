"""reg query: what is there is read, what can't be read is never taken for "not there"."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Unreadable
from serialfix.windows.registry import Keys, Value, normal, parse
from tests.windows.samples import capture, failed, good, junk, partial

ROOT = r"HKEY_LOCAL_MACHINE\SOFTWARE\Test"
SAMPLE = f"""
{ROOT}
    (Default)    REG_SZ    (value not set)
    A Name With  Blanks    REG_DWORD    0x1f
    Empty    REG_SZ
    Many    REG_MULTI_SZ    one\\0two
    Big    REG_QWORD    0xffffffffffffffff
    Path    REG_EXPAND_SZ    "C:\\Program Files\\x.exe" -k    tail
    Raw    REG_BINARY    0A0B

{ROOT}\\Sub
{ROOT}\\Sub\\Deep
    Type    REG_DWORD    0x0
"""


def test_good() -> None:
    keys = parse(good(SAMPLE))
    assert keys.value(r"hklm\software\TEST", "a name with  blanks") == Value(
        "A Name With  Blanks", "REG_DWORD", "0x1f", 31
    )
    assert keys.value(ROOT, "Empty") == Value("Empty", "REG_SZ", "", None)
    assert keys.value(ROOT, "Big") == Value("Big", "REG_QWORD", "0xffffffffffffffff", 2**64 - 1)
    assert keys.value(ROOT, "Path") == Value("Path", "REG_EXPAND_SZ", '"C:\\Program Files\\x.exe" -k    tail', None)
    assert keys.has(ROOT + "\\Sub")
    assert list(keys.below(ROOT)) == ["sub"]
    assert list(keys.below(ROOT + "\\Sub")) == ["deep"]
    assert keys.value(ROOT, "missing") is None
    assert keys.value(ROOT + "\\Missing", "x") is None


@pytest.mark.parametrize(
    "output",
    [
        good(""),
        good("\n\n  \n"),
        failed("ERROR: The system was unable to find the specified registry key or value.\n"),
        failed("FEHLER: Zugriff verweigert\n"),
        partial(SAMPLE),
        good(SAMPLE + "End of search: 3 match(es) found.\n"),
        good("    Enabled    REG_DWORD    0x1\n"),  # a value without its key
        good(f"{ROOT}\n   Enabled    REG_DWORD    0x1\n"),  # an indent that reg does not print
        good(f"{ROOT}\n    Enabled    REG_DWORD    \n"),  # a number whose data was lost
        good(f"{ROOT}\n    Enabled    REG_DWORD    0xZ\n"),
        good(f"{ROOT}\n    Enabled    REG_DWORD    1\n"),
    ],
)
def test_empty_failed_or_damaged_is_unreadable(output: object) -> None:
    with pytest.raises(Unreadable):
        parse(output)  # type: ignore[arg-type]


def test_a_failure_says_what_reg_said() -> None:
    with pytest.raises(Unreadable, match="ended with 1: FEHLER: Zugriff verweigert"):
        parse(failed("\nFEHLER: Zugriff verweigert\n"))


@pytest.mark.parametrize("default", ["(Standard)", "(par défaut)", "(既定)", "(По умолчанию)"])
def test_localised(default: str) -> None:
    keys = parse(good(f"{ROOT}\n    {default}    REG_SZ    Wert\n    Enabled    REG_DWORD    0x0\n"))
    assert keys.value(ROOT, "enabled") == Value("Enabled", "REG_DWORD", "0x0", 0)
    assert keys.value(ROOT, default) == Value(default, "REG_SZ", "Wert", None)


@given(junk(SAMPLE))
def test_junk_is_unreadable_at_worst(output: object) -> None:
    try:
        keys = parse(output)  # type: ignore[arg-type]
    except Unreadable:
        return
    assert keys.keys


NAMES = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=12).filter(
    lambda name: name == name.strip() and "    " not in name and "REG_" not in name and "\\" not in name
)


@given(st.dictionaries(NAMES.map(str.lower), st.integers(0, 2**32 - 1), max_size=5), st.booleans())
def test_numbers_come_back(values: dict[str, int], sub_key: bool) -> None:
    rows = "".join(f"    {name}    REG_DWORD    {number:#x}\n" for name, number in values.items())
    keys = parse(good(f"\n{ROOT}\n{rows}\n" + (f"{ROOT}\\Sub\n" if sub_key else "")))
    found = {name: keys.value(ROOT, name.upper()) for name in values}
    assert {name: value.number for name, value in found.items() if value} == values
    assert list(keys.below(ROOT)) == (["sub"] if sub_key else [])


@pytest.mark.parametrize("lost", range(1, 4))
def test_a_cut_line_is_not_another_value(lost: int) -> None:
    """A row that lost its beginning must not read as a value with another name."""
    row = "    Enabled    REG_DWORD    0x1"
    with pytest.raises(Unreadable):
        parse(good(f"{ROOT}\n{row[lost:]}\n"))


def test_normal() -> None:
    assert (
        normal(r"HKLM\Software\X" + "\\")
        == normal(r"hkey_local_machine\SOFTWARE\x ")
        == r"hkey_local_machine\software\x"
    )
    assert normal("HKU") == "hkey_users"
    assert str(Value("n", "REG_DWORD", "0x10", 16)) == "16 (0x10)"
    assert str(Value("n", "REG_SZ", "x", None)) == "'x' (REG_SZ)"
    assert not Keys({}).has("HKLM")


@pytest.mark.parametrize(
    "name",
    ["07-schannel-root", "08-winlogon-part", "11-service-key-zh-values", "12-service-key-regsvc",
     "13-policy-two-hives", "14-wsus-au"],
)  # fmt: skip
def test_captures(name: str) -> None:
    text, truth = capture(f"reg-query/{name}.txt")
    keys = parse(good(re.sub(r"\A.*>.*\n", "", text)))  # the line of the prompt goes
    assert truth["keys"]
    for key, values in truth["keys"].items():
        assert keys.has(key)
        for value_name, (kind, data) in values.items():
            value = keys.value(key, value_name)
            assert value is not None
            assert value.type == kind
            assert data in (value.number, value.data, value.data.split("\\0"))


def test_a_capture_with_very_long_lines() -> None:
    text, truth = capture("reg-query/10-multi-sz-shares.txt")
    keys = parse(good(re.sub(r"\A.*>.*\n", "", text)))
    (shares,) = [values for values in keys.keys.values() if values]
    assert [value.name for value in shares.values()] == truth["names"]
    assert {value.type for value in shares.values()} == {"REG_MULTI_SZ"}


def test_a_capture_with_foreign_lines_is_refused() -> None:
    text, _ = capture("reg-query/15-powershell-versions-padded.txt")
    assert re.search(r"(?m)^PowerShell v5", text)
    with pytest.raises(Unreadable, match="PowerShell v5 Version"):
        parse(good(text))
