"""The progress bar paints over what stands there, gives it back, and keeps silent when told to."""

import pytest

from serialfix.simulator.faults import build
from tests.simulator.powershell.console import answer
from tests.simulator.world import CALM, Client

ASK = b"(Get-NetFirewallProfile -Name Public).Name\r"


@pytest.mark.parametrize("windows", ["2019", "2022"])
def test_it_paints_over_the_stream_and_gives_back_what_was_there(windows: str) -> None:
    client = Client(windows, CALM)
    client.open()
    client.type(b"powershell -noprofile\r", seconds=8)
    first = client.text().splitlines()[0]
    seen = client.type(ASK, seconds=8)
    assert b"Preparing modules for first use." in seen
    assert b"oooooooooo" in seen
    assert "Preparing" not in client.text()
    assert client.text().splitlines()[0] == first
    assert "Public" in client.text()
    assert b"Preparing" not in client.type(ASK, seconds=8)  # loaded by now


@pytest.mark.parametrize("windows", ["2019", "2022"])
def test_it_is_silent_when_told_so(windows: str) -> None:
    client = Client(windows, CALM)
    client.open()
    client.type(b"powershell -noprofile\r", seconds=8)
    client.type(b"$ProgressPreference='SilentlyContinue'\r", gap=0.4)
    assert b"Preparing" not in client.type(ASK, seconds=8)


def test_nothing_is_painted_into_a_pipe() -> None:
    assert answer(build([], "2022", 1), "(Get-NetFirewallProfile -Name Public).Name") == "Public\n"
