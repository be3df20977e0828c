"""The header of a channel, read exactly or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.console.header import Header, read_header
from serialfix.console.screen import Screen

GUID = "e203fb79-d80d-11ea-87e3-c2679e14957d"
TEXT = (
    "Name:                  Cmd0001\n"
    "Description:           Command\n"
    "Type:                  VT-UTF8\n"
    f"Channel GUID:          {GUID}\n"
    "Application Type GUID: 63d02271-8aa4-11d5-bccf-00b0d014a2d0\n"
    "\n"
    "Press <esc><tab> for next channel.\n"
    "Press <esc><tab>0 to return to the SAC channel.\n"
    "Use any other key to view this channel.\n"
)


def shown(text: str) -> Header | None:
    screen = Screen()
    screen.feed(text.replace("\n", "\r\n").encode())
    return read_header(screen)


@pytest.mark.parametrize("before", ["", "SAC>ch -sn Cmd0001\n", "\x1b[2J\x1b[H", "x\n" * 40])
@pytest.mark.parametrize("after", ["", "\n"])
def test_it_is_read_wherever_it_stands(before: str, after: str) -> None:
    assert shown(before + TEXT + after) == Header("Cmd0001", "Command", GUID)


def test_the_last_one_counts() -> None:
    other = TEXT.replace("Cmd0001", "Cmd0002").replace("e203fb79", "00000000")
    assert shown(other + TEXT) == Header("Cmd0001", "Command", GUID)


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        (GUID, GUID[:-1]),
        (GUID, GUID + "0"),
        (GUID, GUID.replace("e", "g")),
        (GUID, "{" + GUID + "}"),
        ("Channel GUID:          ", "Channel GUID "),
        ("Type:                  VT-UTF8\n", ""),
        ("Description:           Command\n", "Description:           Command\nmore\n"),
        ("Use any other key to view this channel.\n", "Use any other key to view this channel.\nSAC>"),
        ("Cmd0001", "Cmd 0001"),
    ],
)
def test_what_is_not_whole_is_no_header(what: str, instead: str) -> None:
    assert what in TEXT
    assert shown(TEXT.replace(what, instead)) is None


@given(st.integers(0, len(TEXT) - 1), st.characters(categories=["L", "N", "P", "S"]))
def test_a_damaged_header_never_shows_another_channel(at: int, character: str) -> None:
    found = shown(TEXT[:at] + character + TEXT[at + 1 :])
    if found is not None and found.guid != GUID:
        # One cell of the GUID itself was changed to another hex digit: nothing can tell that, but it is one cell only.
        assert sum(a != b for a, b in zip(found.guid, GUID, strict=True)) == 1
