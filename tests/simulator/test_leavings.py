import re
from typing import get_args

import pytest

from serialfix.simulator.knobs import Knobs, Shown
from tests.simulator.world import YEARS, Client

# What must stand at the cursor, in the row where the cursor is, up to the cursor.
AT_CURSOR = {
    "SAC": r"SAC>",
    "prompt": r"C:\\[\w\\]*>",
    "half-typed": r"C:\\Windows\\system32>.+",
    "pager": r"-- More .*-- ?",
    "continuation": r">> ?",
    "powershell": r"PS .*> ?(Restart-Comp)?",
    "username": r"Username: .*",
    "password": r"Password: \**",
}


def at_cursor(client: Client) -> str:
    at = client.terminal.cursor
    return client.terminal.view()[at.row].text[: at.col]


@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("shown", list(AT_CURSOR))
def test_who_comes_sees_what_was_left(windows: str, shown: Shown) -> None:
    for seed in range(4):
        client = Client(windows, Knobs(shown=shown), seed)
        client.wait(2.0)
        assert re.fullmatch(AT_CURSOR[shown], at_cursor(client)), client.text()
        assert client.line.sac is not None
        assert all(channel.by == "" for channel in client.line.sac.channels.values()), "nobody of ours made them"
        assert client.line.knobs == client.line.sac.knobs


def test_a_program_goes_on_writing_until_it_is_stopped() -> None:
    client = Client("2022", Knobs(shown="program"), 2)
    first = client.wait(5.0)
    assert len(client.wait(5.0)) > 30, first
    client.type(b"\x03", 2.0)
    assert re.fullmatch(AT_CURSOR["prompt"], at_cursor(client)), client.text()
    assert client.wait(20.0) == b""


def test_a_preview_waits_for_a_key_and_eats_it() -> None:
    client = Client("2022", Knobs(shown="preview"), 1)
    assert client.text().strip().endswith("Use any other key to view this channel.")
    client.type(b"x", 2.0)
    assert at_cursor(client) == r"C:\Windows\system32>"


@pytest.mark.parametrize("shown", [each for each in get_args(Shown) if each != "SAC"])
def test_with_nine_orphans_there_is_no_room_left_but_the_way_home_is(shown: Shown) -> None:
    client = Client("2019", Knobs(shown=shown, orphans=9), 5)
    client.type(b"\x1b\t0\r", 3.0)
    client.type(b"\x03" if "SAC>" not in at_cursor(client) else b"", 1.0)
    client.type(b"ch\r", 3.0)
    assert sum(bool(re.match(r"\d \(AV\)", row)) for row in client.rows()) >= 10
    client.type(b"cmd\r", 3.0)
    assert "The maximum number of channels has been reached." in client.text()


def test_any_is_drawn_from_the_seed() -> None:
    kinds = set()
    for seed in range(40):
        client = Client("2022", Knobs(shown="any"), seed)
        client.wait(2.0)
        kinds |= {name for name, pattern in AT_CURSOR.items() if re.fullmatch(pattern, at_cursor(client))}
    assert kinds == set(AT_CURSOR)
