"""The mode table: what stands left of the cursor, and nothing else, says where we are."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.console.modes import IN_WORDS, LINES, Kind, Mode, read_mode
from serialfix.console.screen import Screen

HEADER = (
    "Name:                  {}\r\nDescription:           Command\r\nType:                  VT-UTF8\r\n"
    "Channel GUID:          e203fb79-d80d-11ea-87e3-c2679e14957d\r\n"
    "Application Type GUID: 63d02271-8aa4-11d5-bccf-00b0d014a2d0\r\n\r\nPress <esc><tab> for next channel.\r\n"
    "Press <esc><tab>0 to return to the SAC channel.\r\nUse any other key to view this channel.\r\n"
)


def mode(text: str) -> Mode:
    screen = Screen()
    screen.feed(text.encode())
    return read_mode(screen)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("SAC>", Mode("sac")),
        ("SAC>ch -si 1", Mode("sac", "ch -si 1")),
        ("!SAC>", Mode("stripped sac")),
        ("!SAC>id", Mode("stripped sac", "id")),
        ("----Press <Enter> for more----", Mode("sac pager")),
        ("Username: ", Mode("username")),
        ("Username:", Mode("username")),
        ("Username: Administrator", Mode("username", "Administrator")),
        ("Domain  :", Mode("domain")),
        ("Domain  : CONTOSO", Mode("domain", "CONTOSO")),
        ("Password: ", Mode("password")),
        ("Password:", Mode("password")),
        ("Password: ***", Mode("password", "***")),
        ("C:\\Windows\\system32>", Mode("cmd")),
        ("C:\\>dir", Mode("cmd", "dir")),
        ("d:\\a b\\c>echo x>y", Mode("cmd", "echo x>y")),
        ("PS C:\\Windows\\system32> ", Mode("powershell")),
        ("PS C:\\> Get-Service", Mode("powershell", "Get-Service")),
        ("-- More  --", Mode("pager")),
        ("-- More (42%) -- ", Mode("pager")),
        ("More? ", Mode("continuation")),
        (">> ", Mode("continuation")),
        (">>", Mode("continuation")),
        # What is none of them:
        ("", Mode("unknown")),
        ("Password: letmein", Mode("unknown")),
        ("the SAC>", Mode("unknown")),
        (" SAC>", Mode("unknown")),
        ("New Username: ", Mode("unknown")),
        ("C:\\Windows\\system32", Mode("unknown")),
        ("c:/>", Mode("unknown")),
        ("BdsDxe: loading Boot0001", Mode("unknown")),
        ("Use any other key to view this channel.", Mode("unknown")),
    ],
)
def test_the_table(line: str, expected: Mode) -> None:
    assert mode(line) == expected
    assert mode("SAC>cmd\r\nUsername: x\r\nC:\\>dir\r\n" + line) == expected
    assert mode("\x1b[2J\x1b[5;1H" + line) == expected


def test_only_the_row_of_the_cursor_counts() -> None:
    assert mode("SAC>\r\nEVENT: The CMD command is now available.\r\n").kind == "unknown"
    assert mode("\x1b[9;1HSAC>\x1b[4;1Hx").kind == "unknown"
    assert mode("Password: \x1b[1;1H").kind == "unknown"


def test_what_stands_behind_the_cursor_does_not_count() -> None:
    assert mode("SAC>restart\x1b[1;5H") == Mode("sac")


@pytest.mark.parametrize("before", ["", "\x1b[2J\x1b[H", "SAC>cmd\r\nSAC>\r\n", "\r\n" * 30, HEADER.format("Cmd0009")])
@pytest.mark.parametrize("after", ["", "\r\n", "\r\n\r\n"])
@pytest.mark.parametrize("name", ["SAC", "Cmd0001"])
def test_a_preview(before: str, after: str, name: str) -> None:
    assert mode(before + HEADER.format(name) + after) == Mode("preview", name=name)


def test_a_preview_is_over_when_something_follows() -> None:
    assert mode(HEADER.format("SAC") + "SAC>").kind == "sac"
    assert mode(HEADER.format("SAC") + "text\r\n").kind == "unknown"


def test_half_a_header_is_no_preview() -> None:
    text = HEADER.format("Cmd0001")
    for end in range(len(text.rstrip())):
        assert mode(text[:end]).kind in ("unknown",), text[:end][-30:]


def test_a_header_whose_name_scrolled_off_is_no_preview() -> None:
    assert mode("Use any other key to view this channel.\r\n").kind == "unknown"


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=70))
def test_a_password_prompt_shows_nothing_but_stars(typed: str) -> None:
    found = mode("Password: " + typed)
    assert (found.kind == "password") == (
        set(typed.rstrip(" ")) <= {"*"} and typed.lstrip(" ") == typed
    ) or typed.strip(" ") == ""


def test_every_kind_has_words_and_every_line_a_kind() -> None:
    assert set(IN_WORDS) == set(get_args(Kind))
    assert {kind for kind, _ in LINES} | {"preview", "unknown"} == set(get_args(Kind))


def test_a_header_in_the_middle_of_what_was_drawn_is_one() -> None:
    """A channel that is closed while its screen is drawn leaves its last rows below the header."""
    screen = Screen()
    screen.feed(b"\x1b[2J" + b"".join(b"\x1b[%d;1Hold row %d" % (row, row) for row in range(1, 25)))
    screen.feed(b"\x1b[9;1H\x1b[KName:                  SAC\r\n\x1b[KUse any other key to view this channel.\r\n\x1b[K")
    assert read_mode(screen) == Mode("preview", name="SAC")
