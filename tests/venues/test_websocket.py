"""The gateway's transport against gateways of every manner on loopback."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from serialfix.errors import AzureError, ConnectionLost
from serialfix.venues.arm_errors import TryAgain
from serialfix.venues.cloud import Cloud
from serialfix.venues.websocket import LARGEST_MESSAGE, Gateway, NotTrusted, check_url, open_gateway
from tests.venues.leaks import everything_shown
from tests.venues.standins import Pem, https_server, tcp_server

TOKEN = "canary-5f0c1e77"

Behave = Callable[[web.WebSocketResponse], Awaitable[None]]


@asynccontextmanager
async def gateway(pem: Pem, behave: Behave) -> AsyncIterator[str]:
    async def handler(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(timeout=1)
        await socket.prepare(request)
        await behave(socket)
        return socket

    async with https_server(pem, handler) as port:
        yield f"wss://127.0.0.1:{port}/n/connector/c/sessions/s/client"


async def connect(url: str, pem: Pem, **options: Any) -> Gateway:
    cloud = Cloud("simulated", "https://127.0.0.1:1", "scope", "127.0.0.1", ca=str(pem.certificate))
    return await open_gateway(url, TOKEN, suffix="127.0.0.1", ssl_context=cloud.ssl_context(), **options)


async def greet(socket: web.WebSocketResponse) -> str:
    """What a gateway does first; returns the token."""
    await socket.send_str("Connecting...\r\n\r\n")
    message = await socket.receive()
    assert message.type is WSMsgType.TEXT
    return str(message.data)


async def test_token_once_then_bytes_both_ways(pem: Pem) -> None:
    taken: list[tuple[WSMsgType, Any]] = []

    async def behave(socket: web.WebSocketResponse) -> None:
        taken.append((WSMsgType.TEXT, await greet(socket)))
        await socket.send_str("banner\r\n")
        await socket.send_bytes(b"\xff\x00 raw")
        async for message in socket:
            taken.append((message.type, message.data))
            await socket.send_str("SAC>")

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        assert await line.receive() == b"banner\r\n"
        assert await line.receive() == b"\xff\x00 raw"
        await line.send(b"cmd\r")
        assert await line.receive() == b"SAC>"
        await line.close()
    assert taken == [(WSMsgType.TEXT, TOKEN), (WSMsgType.TEXT, "cmd\r")]


async def test_a_silent_console_counts_as_trusted(pem: Pem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serialfix.venues.websocket.SILENCE_MEANS_TRUSTED", 0.1)

    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        assert (await socket.receive()).data == "\r"
        await socket.send_str("SAC>")
        await socket.receive()

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        await line.send(b"\r")
        assert await line.receive() == b"SAC>"
        await line.close()


@pytest.mark.parametrize("before", [[], ["\r\n\r\n"]])
async def test_1011_is_not_trusted(pem: Pem, before: list[str]) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        for text in before:
            await socket.send_str(text)
        await socket.close(code=1011, message=b"Connection not trusted")

    async with gateway(pem, behave) as url:
        with pytest.raises(NotTrusted, match=r"1011, Connection not trusted") as caught:
            await connect(url, pem)
    assert caught.value.code == "1011"
    assert TOKEN not in everything_shown(caught.value)


@pytest.mark.parametrize("code", [1000, 1001, 4403])
async def test_another_close_instead_of_output_names_its_code(pem: Pem, code: int) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.close(code=code, message=b"StorageAccountForbidden")

    async with gateway(pem, behave) as url:
        with pytest.raises(TryAgain, match=rf"code {code}, StorageAccountForbidden") as caught:
            await connect(url, pem)
    assert not isinstance(caught.value, NotTrusted)


async def test_a_silent_gateway_never_gets_the_token(pem: Pem) -> None:
    heard: list[WSMsgType] = []

    async def behave(socket: web.WebSocketResponse) -> None:
        heard.append((await socket.receive()).type)

    async with gateway(pem, behave) as url:
        with pytest.raises(TryAgain, match=r"said nothing for 0\.2 s") as caught:
            await connect(url, pem, first_message=0.2)
    assert WSMsgType.TEXT not in heard
    assert WSMsgType.BINARY not in heard
    assert caught.value.advice
    assert TOKEN not in everything_shown(caught.value)


async def test_a_gateway_that_closes_at_once(pem: Pem) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await socket.close(code=1001)

    async with gateway(pem, behave) as url:
        with pytest.raises(TryAgain, match="before it asked for the token"):
            await connect(url, pem)


async def test_losing_the_line_tells_code_and_reason(pem: Pem) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_str("banner")
        await socket.close(code=4001, message=b"another user")

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        assert await line.receive() == b"banner"
        with pytest.raises(ConnectionLost) as caught:
            await line.receive()
        assert (caught.value.code, caught.value.reason) == (4001, "another user")
        with pytest.raises(ConnectionLost):
            await line.send(b"x")
        assert TOKEN not in everything_shown(caught.value)
        await line.close()
        await line.close()


async def test_a_cut_cable_is_1006(pem: Pem) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_str("banner")
        transport = socket._req.transport if socket._req else None
        assert transport is not None
        transport.abort()

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        await line.receive()
        with pytest.raises(ConnectionLost) as caught:
            await line.receive()
        assert caught.value.code == 1006
        await line.close()


async def test_a_huge_message_ends_the_line_instead_of_filling_memory(pem: Pem) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_str("banner")
        await socket.send_bytes(bytes(LARGEST_MESSAGE + 1))
        await socket.receive()

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        await line.receive()
        with pytest.raises(ConnectionLost):
            await line.receive()
        await line.close()


async def test_receive_may_be_cancelled_without_losing_a_message(pem: Pem) -> None:
    go = asyncio.Event()

    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_str("banner")
        await go.wait()
        await socket.send_str("late")
        await socket.receive()

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        assert await line.receive() == b"banner"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(line.receive(), 0.05)
        go.set()
        assert await line.receive() == b"late"
        await line.close()


async def test_close_does_not_wait_for_a_gateway_that_hangs(pem: Pem) -> None:
    hang = asyncio.Event()

    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_str("banner")
        await hang.wait()

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        began = time.monotonic()
        await line.close()
        assert time.monotonic() - began < 3
        hang.set()


async def test_no_redirect_is_followed(pem: Pem) -> None:
    asked: list[str] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    async with https_server(pem, handler) as port:
        with pytest.raises(AzureError, match="HTTP 307"):
            await connect(f"wss://127.0.0.1:{port}/here", pem)
    assert asked == ["/here"]


@pytest.mark.parametrize(("status", "again"), [(403, False), (404, True), (502, True)])
async def test_a_refused_upgrade(pem: Pem, status: int, again: bool) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    async with https_server(pem, handler) as port:
        with pytest.raises(AzureError, match=f"HTTP {status}") as caught:
            await connect(f"wss://127.0.0.1:{port}/x", pem)
    assert caught.value.status == status
    assert isinstance(caught.value, TryAgain) is again


async def test_a_certificate_of_another_authority_is_refused(pem: Pem) -> None:
    async def handler(_: web.Request) -> web.StreamResponse:
        raise AssertionError("nothing may be asked of a stranger")

    async with https_server(pem, handler) as port:
        with pytest.raises(AzureError) as caught:
            await open_gateway(f"wss://127.0.0.1:{port}/x", TOKEN, suffix="127.0.0.1", ssl_context=None)
    assert TOKEN not in everything_shown(caught.value)


async def test_not_a_websocket_at_all(pem: Pem) -> None:
    async def noise(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-x\r\n")
        await writer.drain()

    async with tcp_server(noise) as port:
        with pytest.raises(AzureError) as caught:
            await connect(f"wss://127.0.0.1:{port}/x", pem)
    assert TOKEN not in everything_shown(caught.value)


async def test_a_host_that_no_resolver_takes() -> None:
    url = f"wss://{'x' * 70}.serialconsole.azure.com/n"
    with pytest.raises(AzureError, match="could not be reached"):
        await open_gateway(url, TOKEN, suffix="serialconsole.azure.com", ssl_context=None)


@pytest.mark.usefixtures("dead_proxy")
async def test_loopback_goes_past_the_proxy(pem: Pem) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_str("banner")
        await socket.receive()

    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        assert await line.receive() == b"banner"
        await line.close()


async def test_no_log_at_any_level_holds_the_token(pem: Pem, caplog: pytest.LogCaptureFixture) -> None:
    async def behave(socket: web.WebSocketResponse) -> None:
        await greet(socket)
        await socket.send_str("banner")
        await socket.receive()

    caplog.set_level(logging.DEBUG)
    for name in ("websockets", "websockets.client", "serialfix", "serialfix.gateway", "asyncio"):
        caplog.set_level(logging.DEBUG, logger=name)
    asyncio.get_running_loop().set_debug(True)
    async with gateway(pem, behave) as url:
        line = await connect(url, pem)
        assert TOKEN not in repr(line)
        await line.close()
    assert TOKEN not in caplog.text
    assert not [record for record in caplog.records if TOKEN in repr(record.__dict__)]


@pytest.mark.parametrize(
    "url",
    [
        "ws://eastus.gateway.serialconsole.azure.com/n",
        "https://eastus.gateway.serialconsole.azure.com/n",
        "wss://serialconsole.azure.com.evil.example/n",
        "wss://evilserialconsole.azure.com/n",
        "wss://evil.example/serialconsole.azure.com",
        "wss://evil.example#.serialconsole.azure.com",
        "wss://evil.example\\@x.serialconsole.azure.com/n",
        "wss://x.serialconsole.azure.com@evil.example/n",
        "wss://user:x@x.serialconsole.azure.com/n",
        "wss://x.serialconsole.azure.com:notaport/n",
        "wss://[::1]/n",
        "wss://127.0.0.1:8443/n",
        "wss:///n",
        "",
    ],
)
async def test_the_token_goes_to_azures_gateways_only(url: str) -> None:
    with pytest.raises(AzureError, match="named a serial gateway that is none") as caught:
        await open_gateway(url, TOKEN, suffix="serialconsole.azure.com", ssl_context=None)
    assert caught.value.code == "WrongGateway"
    assert TOKEN not in everything_shown(caught.value)


@pytest.mark.parametrize(
    ("url", "suffix", "host"),
    [
        ("wss://eastus.gateway.serialconsole.azure.com/n/x/client", "serialconsole.azure.com", None),
        ("wss://EastUS.gateway.SerialConsole.azure.com:443/n", "serialconsole.azure.com", None),
        ("wss://127.0.0.1:40001/n/x/client", "127.0.0.1", "127.0.0.1"),
    ],
)
def test_a_right_url_gives_its_host(url: str, suffix: str, host: str | None) -> None:
    assert check_url(url, suffix) == (host or "eastus.gateway.serialconsole.azure.com")


def test_an_address_has_no_names_under_it() -> None:
    with pytest.raises(AzureError):
        check_url("wss://x.127.0.0.1/n", "127.0.0.1")


@given(st.text(max_size=80))
def test_whatever_a_url_is_only_the_suffix_passes(text: str) -> None:
    for url in (text, f"wss://{text}", f"wss://{text}.serialconsole.azure.com/"):
        try:
            host = check_url(url, "serialconsole.azure.com")
        except AzureError:
            continue
        assert host == "serialconsole.azure.com" or host.endswith(".serialconsole.azure.com")
        # What the checker read is what an independent parser would connect to.
        assert URL(url.replace("wss", "https", 1)).host == host
