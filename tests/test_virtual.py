"""The virtual line loses connections as a real one does."""

import asyncio

import pytest

from serialfix.console.dialogue import Send
from serialfix.errors import AzureError, ConnectionLost
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import Knobs
from serialfix.simulator.line import Line
from serialfix.simulator.manners import Manners
from tests.virtual import ATTEMPTS, LONGEST_PAUSE, PING_GIVES_UP, VirtualLine


def line(knobs: Knobs = Knobs(), manners: Manners | None = None, seed: int = 1) -> VirtualLine:  # noqa: B008 - frozen
    return VirtualLine(Line(build([], "2022", seed), knobs, seed, 0.0), manners=manners or Manners())


async def until_lost(wire: VirtualLine) -> ConnectionLost:
    await wire.open()
    with pytest.raises(ConnectionLost) as caught:
        await type_enter_again_and_again(wire)
    return caught.value


async def type_enter_again_and_again(wire: VirtualLine) -> None:
    while True:
        await wire.send(Send(b"\r"))
        deadline = wire.now + 1.0
        while (await wire.wait(deadline))[1] is not None:
            pass


def test_each_way_of_losing_a_connection_looks_as_it_does_to_a_client() -> None:
    seen = set()
    for seed in range(10):
        wire = line(Knobs(drop_every=30.0), seed=seed)
        lost = asyncio.run(until_lost(wire))
        ((at, ending),) = wire.endings
        seen.add(ending.kind)
        assert lost.code == 1006
        assert lost.reason == ("keepalive ping timeout" if ending.kind == "silence" else "")
        assert wire.now >= at + (PING_GIVES_UP if ending.kind == "silence" else 0.0)
        assert wire.now <= at + PING_GIVES_UP + 1.0
    assert seen == {"rst", "fin", "silence"}


def test_in_silence_nothing_gets_through_and_what_came_meanwhile_is_shown_again() -> None:
    wire = next(
        wire
        for seed in range(20)
        if asyncio.run(until_lost(wire := line(Knobs(drop_every=30.0), seed=seed)))
        and wire.endings[0][1].kind == "silence"
    )
    at = wire.endings[0][0]
    assert not [
        entry for entry in wire.line.vm.journal if entry["kind"] == "line" and float(str(entry["time"])) > at + 1.0
    ]

    async def again() -> bytes:
        await wire.open()
        return (await wire.wait(None))[1] or b""

    assert asyncio.run(again()).endswith(b"SAC>")


def test_a_second_user_and_an_old_token_close_with_their_codes() -> None:
    lost = asyncio.run(until_lost(wire := line(Knobs(second_user_every=20.0))))
    assert (lost.code, lost.reason) == (wire.endings[0][1].code, wire.endings[0][1].reason)
    assert [entry["what"] for entry in wire.line.vm.journal if entry["kind"] == "visitor"] == ["came"]
    wire = line(manners=Manners(token_life=50.0))
    asyncio.run(until_lost(wire))
    assert wire.endings[0][1].kind == "expired"
    assert 50.0 <= wire.now <= 51.0


def test_refusals_cost_time_and_end() -> None:
    wire = line(manners=Manners(untrusted=0.5), seed=3)
    for _ in range(20):
        asyncio.run(wire.open())
    assert 25 <= wire.attempts <= 60
    assert wire.now > 10.0
    refused = line(manners=Manners(untrusted=1.0))
    with pytest.raises(AzureError):
        asyncio.run(refused.open())
    assert refused.attempts == ATTEMPTS
    assert refused.now == sum(min(2.0**number, LONGEST_PAUSE) for number in range(ATTEMPTS - 1))


def test_without_manners_no_connection_ends() -> None:
    wire = VirtualLine(Line(build([], "2022", 1), Knobs(drop_every=1.0, second_user_every=1.0), 1, 0.0))

    async def stay() -> None:
        await wire.open()
        for _ in range(100):
            await wire.wait(wire.now + 1.0)

    asyncio.run(stay())
    assert wire.endings == []
