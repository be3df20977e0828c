"""Opening the serial line with as many attempts as it takes: a gateway that refuses, then the simulator's own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from serialfix.errors import AzureError, ConnectionLost
from serialfix.venues.arm_errors import TryAgain
from serialfix.venues.azure import Azure, SimulatedCredential
from serialfix.venues.open_serial import open_serial
from serialfix.venues.vm_facts import VmFacts
from serialfix.venues.websocket import NotTrusted
from tests.venues.conftest import Start
from tests.venues.leaks import everything_shown
from tests.venues.standins import Pem, https_server
from tests.venues.test_azure import SUBSCRIPTION, VM_PATH, announced, vm_body


@dataclass
class Moody:
    """ARM and a gateway that refuses the first ``refusals`` tokens, and gives each of them out once."""

    refusals: int
    connect_status: int = 200
    port: int = 0
    retry_after: int = 0
    refusal: tuple[int, bytes] = (1011, b"Connection not trusted")
    tokens: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    urls: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/token"):
            self.tokens.append(f"canary-token-{len(self.tokens)}")
            return web.json_response({"access_token": self.tokens[-1], "expires_in": 3600})
        if request.path.endswith("/connect"):
            self.urls += 1
            headers = {"Retry-After": str(self.retry_after)} if self.retry_after else {}
            if self.connect_status != 200:
                return web.json_response(
                    {"error": {"code": "No", "message": "no"}},
                    status=self.connect_status,
                    headers=headers,
                )
            return web.json_response({"connectionString": f"wss://127.0.0.1:{self.port}/n/{self.urls}/client"})
        if request.path.endswith("/client"):
            socket = web.WebSocketResponse(timeout=1)
            await socket.prepare(request)
            await socket.send_str("Connecting...\r\n\r\n")
            self.heard.append((await socket.receive()).data)
            if len(self.heard) <= self.refusals:
                await socket.close(code=self.refusal[0], message=self.refusal[1])
            else:
                await socket.send_str("SAC>")
                await socket.receive()
            return socket
        assert request.path == f"{VM_PATH}/win1"
        return web.json_response(vm_body(networkProfile=None))


@asynccontextmanager
async def moody(pem: Pem, refusals: int, connect_status: int = 200) -> AsyncIterator[tuple[Moody, Azure, VmFacts]]:
    there = Moody(refusals, connect_status)
    async with https_server(pem, there.answer) as there.port:
        simulated = announced(there.port, pem)
        async with Azure(simulated.cloud, SimulatedCredential(simulated), SUBSCRIPTION) as azure:
            yield there, azure, await azure.vm_facts("rg1", "win1")


async def test_refusals_are_met_with_new_urls_and_new_tokens(pem: Pem) -> None:
    told: list[str] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with moody(pem, 3) as (there, azure, vm):
        line = await open_serial(azure, vm, progress=told.append, sleep=sleep)
        assert await line.receive() == b"SAC>"
        await line.close()
    assert there.urls == 4
    assert len(set(there.heard)) == 4
    assert len(pauses) == 3
    for pause, least in zip(pauses, (1, 2, 3), strict=True):
        assert least <= pause <= least * 1.25
    assert any("did not take our sign-in" in text and "Attempt 2 of 120" in text for text in told)
    assert not any("canary" in text for text in told)


async def test_a_gateway_that_refuses_eleven_times_is_survived(pem: Pem) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    told: list[str] = []
    async with moody(pem, 11) as (there, azure, vm):
        line = await open_serial(azure, vm, progress=told.append, sleep=sleep)
        await line.close()
    assert len(set(there.tokens)) >= 12
    assert len(set(there.heard)) == 12
    for pause, least in zip(pauses, (1, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3), strict=True):
        assert least <= pause <= least * 1.25
    assert any("another tenant" in text for text in told)


async def test_after_eight_minutes_no_attempt_is_begun(pem: Pem) -> None:
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds + 30.0  # a slow Azure

    async with moody(pem, 99) as (there, azure, vm):
        with pytest.raises(NotTrusted):
            await open_serial(azure, vm, progress=lambda _: None, sleep=sleep, clock=lambda: now)
    assert now <= 480 + 30
    assert 3 <= there.urls < 120


@pytest.mark.parametrize("code", [1000, 1001, 4409])
async def test_somebody_who_comes_while_we_are_let_in_is_not_thrown_out_again(pem: Pem, code: int) -> None:
    async def sleep(_: float) -> None:
        raise AssertionError("no attempt may follow")

    async with moody(pem, 99) as (there, azure, vm):
        there.refusal = code, b"Another connection was made"
        with pytest.raises(ConnectionLost) as caught:
            await open_serial(azure, vm, progress=lambda _: None, sleep=sleep)
    assert there.urls == 1
    assert (caught.value.code, caught.value.reason) == (code, "Another connection was made")
    assert "canary" not in everything_shown(caught.value)


async def test_the_last_refusal_is_told(pem: Pem) -> None:
    async def sleep(_: float) -> None:
        pass

    async with moody(pem, 99) as (there, azure, vm):
        with pytest.raises(NotTrusted) as caught:
            await open_serial(azure, vm, attempts=3, progress=lambda _: None, sleep=sleep)
    assert there.urls == 3
    assert caught.value.advice
    assert "canary" not in everything_shown(caught.value)


async def test_what_a_new_attempt_cannot_cure_is_told_at_once(pem: Pem) -> None:
    async def sleep(_: float) -> None:
        raise AssertionError("there is nothing to wait for")

    async with moody(pem, 0, connect_status=403) as (there, azure, vm):
        with pytest.raises(AzureError, match="403"):
            await open_serial(azure, vm, progress=lambda _: None, sleep=sleep)
    assert there.urls == 1


@pytest.mark.parametrize(("after", "urls"), [(30, 2), (300, 1)])
async def test_what_the_service_asks_for_is_waited_for(pem: Pem, after: int, urls: int) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with moody(pem, 0, connect_status=429) as (there, azure, vm):
        there.retry_after = after
        with pytest.raises(TryAgain):
            await open_serial(azure, vm, attempts=2, progress=lambda _: None, sleep=sleep)
    assert there.urls == urls
    assert all(pause >= after for pause in pauses)
    assert len(pauses) == urls - 1


async def test_the_simulators_line(simulator: Start) -> None:
    simulated = await asyncio.to_thread(simulator, "--seed", "11", "--hostility", "calm")
    async with Azure(simulated.cloud, SimulatedCredential(simulated), simulated.subscription) as azure:
        vm = await azure.vm_facts(simulated.resource_group, simulated.vm)
        line = await open_serial(azure, vm, progress=lambda _: None)
        seen = b""
        await line.send(b"\r")
        async with asyncio.timeout(20):
            while b"SAC>" not in seen:
                seen += await line.receive()
        await line.close()
    assert b"Connected to the serial port" in seen
