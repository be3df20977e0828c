"""qwinsta: who is signed in, read by columns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Output, Unreadable
from serialfix.windows.sessions import in_words, users
from tests.windows.samples import good, junk

HEADING = " SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE"
NEWER = " SESSIONNAME                USERNAME                 ID  STATE   TYPE        DEVICE"
GERMAN = " SITZUNGSNAME      BENUTZERNAME             ID  STATUS  TYP         GERÄT"
CHINESE = " 会话名            用户名                   ID  状态    类型        设备"


def row(session: str, user: str, number: int, state: str, *, current: bool = False, width: int = 18) -> str:
    return f"{'>' if current else ' '}{session:<{width}}{user:<20} {number:>6}  {state}"


def table(heading: str, *rows: str) -> Output:
    return good("\n".join((heading, *rows)) + "\n")


SAMPLE = table(
    HEADING,
    row("services", "", 0, "Disc", current=True),
    row("console", "", 1, "Conn"),
    row("", "azureadmin", 2, "Disc"),
    row("rdp-tcp#3", "maria", 3, "Active"),
    row("rdp-tcp", "", 65536, "Listen"),
)


def test_good() -> None:
    assert users(SAMPLE) == ("azureadmin", "maria")
    assert in_words(SAMPLE) == "signed in: azureadmin, maria"


def test_nobody() -> None:
    output = table(HEADING, row("services", "", 0, "Disc", current=True), row("console", "", 1, "Conn"))
    assert users(output) == ()
    assert in_words(output) == "nobody is signed in"


@pytest.mark.parametrize("user", ["Maria 2", "user 7 of 9", "42", "a.b-c_d$", "Jürgen"])
def test_names_with_blanks_and_numbers(user: str) -> None:
    assert users(table(HEADING, row("rdp-tcp#1", user, 3, "Active"))) == (user,)


@pytest.mark.parametrize(
    ("heading", "state", "width"),
    [(NEWER, "Active", 27), (GERMAN, "Aktiv", 18), (CHINESE, "运行中", 18), (HEADING, "Активно", 18)],
)
def test_localised_and_newer(heading: str, state: str, width: int) -> None:
    rows = [row("console", "", 1, "Conn", width=width), row("rdp-tcp#0", "bob", 2, state, current=True, width=width)]
    assert users(table(heading, *rows)) == ("bob",)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "No session exists for *\n",
        HEADING + "\n rdp-tcp#3         maria\n",  # the rest of the row was lost
    ],
)
def test_empty_or_damaged(text: str) -> None:
    with pytest.raises(Unreadable):
        users(good(text))


@given(junk(SAMPLE.text, GERMAN, CHINESE))
def test_junk_is_unreadable_at_worst(output: Output) -> None:
    try:
        found = users(output)
    except Unreadable:
        return
    assert all(name == name.strip() and name for name in found)


@given(st.lists(st.from_regex(r"[A-Za-z][A-Za-z0-9._-]{0,18}", fullmatch=True), max_size=6))
def test_all_users_are_named(names: list[str]) -> None:
    rows = [row(f"rdp-tcp#{number}", name, number + 2, "Active") for number, name in enumerate(names)]
    assert users(table(HEADING, row("services", "", 0, "Disc", current=True), *rows)) == tuple(names)
