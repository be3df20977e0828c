"""Small stand-ins for the VM and its line, and a simulator around them in this process."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp

from serialfix.simulator.knobs import Knobs
from serialfix.simulator.manners import Manners
from serialfix.simulator.rdp_port import RdpPort
from serialfix.simulator.server import Options, Running, serving


@dataclass
class StandInVm:
    seed: int = 7
    windows: str = "2022"
    name: str = "WEB01"
    user: str = "azureuser"
    password: str = "s3cret@="
    journal: list[dict[str, Any]] = field(default_factory=list)
    port: RdpPort = field(default_factory=lambda: RdpPort("rdp", frozenset({"TLSv1.2", "TLSv1.3"})))
    attempts: asyncio.Queue[bool] = field(default_factory=asyncio.Queue)

    def rdp_port(self, port: int = 3389) -> RdpPort:
        return self.port if port == 3389 else RdpPort("closed")

    def install_certificate(self, certificate_pem: bytes, key_pem: bytes) -> None:
        self.port = replace(self.port, certificate_pem=certificate_pem, key_pem=key_pem)

    def state(self) -> dict[str, Any]:
        return {"name": self.name, "raw": b"\x00"}

    def rdp_attempt(self, now: float, *, tls_failed: bool) -> None:
        self.attempts.put_nowait(tls_failed)


@dataclass
class EchoLine:
    """Sends every key back, ``delay`` seconds later, and remembers what went over it."""

    delay: float = 0.0
    waiting: list[tuple[float, bytes]] = field(default_factory=list)
    seen: bytes = b""
    sent: bytes = b""
    powers: list[str] = field(default_factory=list)
    broken: bool = False
    phase: str = "up"
    deaf_to_power: bool = False
    knobs: Knobs = field(default_factory=Knobs)
    came_and_went: list[str] = field(default_factory=list)
    under_way: bytes = b""

    def say(self, data: bytes, at: float = 0.0) -> None:
        self.waiting.append((at, data))

    def send(self, data: bytes, now: float) -> None:
        if self.broken:
            raise AssertionError("a bug behind the line")
        self.sent += data
        self.say(data, now + self.delay)

    def receive(self, now: float) -> bytes:
        ready = b"".join(data for at, data in self.waiting if at <= now)
        self.waiting = [(at, data) for at, data in self.waiting if at > now]
        self.seen += ready
        return ready

    def due(self) -> float | None:
        return min((at for at, _ in self.waiting), default=None)

    def replay(self, now: float) -> bytes:
        return self.seen[-4096:]

    def connect(self, now: float) -> None:
        self.came_and_went.append("came")

    def disconnect(self, now: float) -> None:
        self.came_and_went.append("went")

    def cut(self, now: float) -> bytes:
        self.came_and_went.append("cut")
        return self.under_way

    def visit(self, now: float, stay: float) -> None:
        self.came_and_went.append("visited")

    def restart(self, now: float) -> None:
        self.powers.append("restart")

    def power_off(self, now: float) -> None:
        self.powers.append("off")
        if not self.deaf_to_power:
            self.phase = "off"

    def power_on(self, now: float) -> None:
        self.powers.append("on")
        self.phase = "up"

    def nmi(self, now: float) -> None:
        self.powers.append("nmi")


@dataclass
class Simulated:
    running: Running
    vm: StandInVm
    line: EchoLine
    tls: ssl.SSLContext
    http: aiohttp.ClientSession
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}

    @property
    def vm_url(self) -> str:
        it = self.running.announcement
        return (
            f"{it.arm}/subscriptions/{it.subscription}/resourceGroups/{it.resource_group}"
            f"/providers/Microsoft.Compute/virtualMachines/{it.vm}"
        )

    async def connection_string(self) -> str:
        url = f"{self.vm_url}/providers/Microsoft.SerialConsole/serialPorts/0/connect?api-version=2024-07-01"
        async with self.http.post(url, headers=self.headers) as response:
            assert response.status == 200, await response.text()
            string: str = (await response.json())["connectionString"]
            return string

    async def console(self) -> aiohttp.ClientWebSocketResponse:
        """A connected websocket that has given its token."""
        socket = await self.http.ws_connect(await self.connection_string())
        assert "Connecting" in await socket.receive_str(timeout=5)
        await socket.send_str(self.token)
        return socket


async def read_until(socket: aiohttp.ClientWebSocketResponse, mark: str, most: float = 5.0) -> str:
    """Text frames up to the one with which ``mark`` is there; fails after ``most`` seconds or at the end."""
    text = ""
    async with asyncio.timeout(most):
        while mark not in text:
            message = await socket.receive()
            assert message.type == aiohttp.WSMsgType.TEXT, (message, text)
            text += message.data
    return text


@asynccontextmanager
async def simulated(
    *,
    vm: StandInVm | None = None,
    line: EchoLine | None = None,
    manners: Manners = Manners(),  # noqa: B008 - frozen
    lasts: float = 0.2,
    any_token: bool = False,
    folder: Path | None = None,
    repaired: Mapping[str, bool] | None = None,
) -> AsyncIterator[Simulated]:
    vm, line = vm or StandInVm(), line or EchoLine()
    options = Options(manners=manners, lasts=lasts, any_token=any_token, rdp_idle=1.0, folder=folder)
    async with serving(vm, line, options, lambda: repaired or {}) as running:
        tls = ssl.create_default_context(cafile=running.announcement.ca)
        connector = aiohttp.TCPConnector(ssl=tls)
        async with aiohttp.ClientSession(connector=connector) as http:
            it = running.announcement
            form = {"grant_type": "password", "username": it.user, "password": it.password, "scope": "x"}
            async with http.post(f"{it.arm}/{it.tenant}/oauth2/v2.0/token", data=form) as response:
                assert response.status == 200
                answer = await response.json()
            assert answer["token_type"] == "Bearer"
            assert answer["expires_in"] == 3600
            yield Simulated(running, vm, line, tls, http, answer["access_token"])
