"""How a VM comes within reach: what a program shows, and what is seen from outside. Azure: test_sessions.py."""

import sys

import pytest

from serialfix import events
from serialfix.engine import Request
from serialfix.errors import Bug, ConnectionLost
from serialfix.reach import OutsideVenue, Where, in_words, reach
from serialfix.redact import Secrets
from serialfix.steps import Command, Output, OutsideLook, Unknown
from serialfix.venues import outside
from serialfix.venues.neighbour import ALONE_PERHAPS


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[events.Event] = []

    def emit(self, event: events.Event) -> None:
        self.events.append(event)

    def progress(self, text: str) -> None:
        self.emit(events.Progress(text))


# --- the console that a program shows --------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="--via is POSIX")
@pytest.mark.parametrize(("host", "seen_at"), [("", None), ("203.0.113.7", "203.0.113.7")])
async def test_a_place_from_a_command_knows_no_azure(host: str, seen_at: str | None) -> None:
    where = Where(via=("/bin/sh", "-c", "exec cat # canary"), rdp_host=host, rdp_port=13389)
    told = Told()
    async with reach(where, told, Secrets()) as place:
        assert (place.vm, place.login) == ("the VM behind sh", None)
        assert (place.outside.host, place.outside.port, place.outside.elsewhere) == (seen_at, 13389, None)
        assert place.truth is None
        transport = await place.connect()
        await transport.send(b"x")
        assert await transport.receive() == b"x"
    with pytest.raises(ConnectionLost):
        await transport.send(b"x")
    assert told.events == [events.Progress(ALONE_PERHAPS), events.Progress("Starting sh.")]


def test_the_arguments_of_via_never_show() -> None:
    where = Where(via=("/bin/cat", "canary"))
    assert in_words(where) == "via cat"
    assert "canary" not in repr(where)


# --- looking from outside --------------------------------------------------------------------------------------


async def test_from_outside_there_are_only_looks() -> None:
    with pytest.raises(Bug):
        await OutsideVenue("127.0.0.1", 1).ask([Request(Command("cmd", "ver"), 1, 1.0)])


async def test_a_look_is_an_answer_also_where_there_is_no_address() -> None:
    (answer,) = await OutsideVenue(None, 3389).ask([Request(OutsideLook(), 1, 1.0)])
    assert isinstance(answer, Output)
    assert (answer.proof, answer.exit_code) == ("direct", None)


async def test_a_port_that_was_moved_is_looked_for_where_it_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[tuple[str | None, int]] = []

    async def look(host: str | None, port: int) -> str:
        looked.append((host, port))
        return "{}"

    async def elsewhere(inside: int) -> tuple[str, int] | None:
        return ("127.0.0.1", 40000 + inside) if inside == 3391 else None

    monkeypatch.setattr(outside, "look", look)
    asked = [Request(OutsideLook(port), 1, 1.0) for port in (0, 3390, 3391, 3390, 0, 3392)]
    await OutsideVenue("192.0.2.7", 50001).ask(asked)
    behind = ("192.0.2.7", 50001)
    assert looked == [behind, behind, ("192.0.2.7", 3391), behind, behind, ("192.0.2.7", 3392)]
    looked.clear()
    answers = await OutsideVenue("127.0.0.1", 50001, elsewhere).ask(asked)
    here = ("127.0.0.1", 50001)
    assert looked == [here, here, ("127.0.0.1", 43391), here, here]
    assert [isinstance(answer, Unknown) for answer in answers] == [False] * 5 + [True]
