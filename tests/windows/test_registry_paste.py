"""reg query out of a paste: the strict reader's values, and what does not fit is said."""

import pytest

from serialfix.steps import Unreadable
from serialfix.windows.registry_paste import content, read_paste

KEY = "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\TermService"


def held(text: str) -> dict[str, dict[str, object]]:
    return {key: {value.name: content(value) for value in values} for key, values in read_paste(text).keys.items()}


def test_values_of_all_types() -> None:
    text = (
        f"\n{KEY}\n    (Standard)    REG_SZ    x y\n    Start    REG_DWORD    0x3\n"
        "    Big    REG_QWORD    0x100000000\n"
        "    Depends    REG_MULTI_SZ    RPCSS\\0TermDD\n    Empty    REG_SZ\n    Bin    REG_BINARY    00FF\n"
        "    A name with blanks    REG_EXPAND_SZ    %SystemRoot%\\x    y\n"
    )
    assert held(text) == {
        KEY: {
            "(Standard)": "x y",
            "Start": 3,
            "Big": 2**32,
            "Depends": ["RPCSS", "TermDD"],
            "Empty": "",
            "Bin": "00FF",
            "A name with blanks": "%SystemRoot%\\x    y",
        }
    }
    assert read_paste(text).unread == ()


@pytest.mark.parametrize("between", ["  ", "    ", "\t"])
def test_form_that_a_wiki_changed(between: str) -> None:
    assert held(f"{KEY}\nStart{between}REG_DWORD{between}0x2\n") == {KEY: {"Start": 2}}


def test_a_value_whose_key_is_not_there() -> None:
    found = read_paste("    PortNumber    REG_DWORD    0xd3d\n")
    assert [(value.name, value.number) for value in found.loose] == [("PortNumber", 3389)]


@pytest.mark.parametrize("gap", ["[...]", "C:\\>reg query HKLM\\X /v Start"])
def test_a_value_behind_a_gap_is_not_given_to_the_key_above(gap: str) -> None:
    found = read_paste(f"{KEY}\n    Start    REG_DWORD    0x2\n{gap}\n    Start    REG_DWORD    0x4\n")
    assert [[value.number for value in values] for values in found.keys.values()] == [[2]]
    assert [value.number for value in found.loose] == [4]


@pytest.mark.parametrize(
    "line",
    [
        "    Start    REG_DWORD    0x",
        "    Start    REG_DWORD    2",
        "    Start    REG_DW0RD    0x2",
        "    Start    REG_DWORD    0x2 0x3",
        "    Start    REG_DWORD",
        "HKEY_OCAL_MACHINE\\SYSTEM",
    ],
)
def test_damage_is_said_and_not_read(line: str) -> None:
    found = read_paste(f"{KEY}\n{line}\n")
    assert ([*found.keys], found.keys[KEY], [item.text for item in found.unread]) == ([KEY], (), [line.strip()])


def test_the_text_of_a_command_is_no_value() -> None:
    found = read_paste(f"{KEY}\n\nC:\\>reg add x  REG_DWORD  0x1\n    reg add x    REG_DWORD    0x1\n")
    assert (found.keys[KEY], found.loose) == ((), ())


def test_a_later_value_replaces_an_earlier_one_and_that_is_said() -> None:
    block = f"{KEY}\n    Start    REG_DWORD    0x{{}}\n\n"
    found = read_paste(block.format(2) + "C:\\>reg add ...\n" + block.format(4).replace("SYSTEM", "system"))
    assert [[value.number for value in values] for values in found.keys.values()] == [[4]]
    assert "0x2" in found.unread[0].why
    assert read_paste(block.format(2) * 2).unread == ()


def test_a_long_value_that_the_window_broke() -> None:
    line = "    Path    REG_SZ    " + "C:\\Program Files\\Something;" * 5
    for width in (80, 120):
        pieces = [line[at : at + width] for at in range(0, len(line), width)]
        assert held("\n".join([KEY, *pieces, "    Start    REG_DWORD    0x2"]))[KEY] == {"Path": line[22:], "Start": 2}


@pytest.mark.parametrize(
    "text",
    [
        "ERROR: The system was unable to find the specified registry key or value.",
        "FEHLER: Das System hat den angegebenen Registrierungsschlüssel nicht gefunden.",
        "ERREUR : le système n'a pas trouvé la clé.",
        "ОШИБКА: Не удается найти указанный раздел.",
        "错误: 系统找不到指定的注册表项或值。",
    ],
)
def test_an_error_is_reported_as_one(text: str) -> None:
    found = read_paste(f"C:\\>reg query HKLM\\X\n{text}\n")
    assert (found.errors, found.unread) == ((text,), ())


def test_nothing_of_reg_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_paste("Start is 2, I think")
