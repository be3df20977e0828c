"""Serves one simulated VM on 127.0.0.1: ARM, tokens, serial gateway and control API on one https port, RDP on another.

Here are the only clock and the only sockets of the simulator. The program and the tests use ``serving``.
"""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import socket
import ssl
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from serialfix.simulator import announce, control, keys, pki
from serialfix.simulator.announce import Announcement
from serialfix.simulator.arm import Arm
from serialfix.simulator.arm_request import Refused, Reply, Request
from serialfix.simulator.gateway import Gateway
from serialfix.simulator.machine import Calendar, Machine, Wire
from serialfix.simulator.manners import Manners
from serialfix.simulator.rdp import RdpServer
from serialfix.simulator.rdp_port import RdpPort
from serialfix.simulator.rdp_ports import RdpPorts
from serialfix.simulator.subscription import Act, DiskAct, Subscription
from serialfix.simulator.tokens import Tokens, basic_login, grant

log = logging.getLogger(__name__)


class PortInUse(OSError):
    """Somebody else has the port that was asked for."""


@dataclass(frozen=True, slots=True)
class Options:
    """``port`` 0 picks a free one. ``lasts``: seconds an ARM operation takes. ``folder`` None: no announcement file."""

    port: int = 0
    any_token: bool = False
    manners: Manners = field(default_factory=Manners)
    lasts: float = 2.0
    rdp_idle: float = 10.0
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator that serves: what it announces, and its parts for tests in the same process."""

    announcement: Announcement
    subscription: Subscription
    tokens: Tokens
    gateway: Gateway
    rdp: RdpServer
    ports: RdpPorts


@asynccontextmanager
async def serving(
    vm: Machine, wire: Wire, options: Options, repaired: Callable[[], Mapping[str, bool]] = dict
) -> AsyncIterator[Running]:
    """Serve ``vm`` and its ``wire`` until the block ends. The wire's clock starts at 0.

    Raises ``PortInUse`` before anything is served, other ``OSError`` for what the system refuses.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()

    def now() -> float:
        return loop.time() - started

    async with contextlib.AsyncExitStack() as stack:
        listening = _listen(options.port)
        stack.callback(listening.close)
        port = listening.getsockname()[1]
        host = f"127.0.0.1:{port}"
        base = f"https://{host}"

        authority = pki.make_authority(pki.today())
        if isinstance(vm, Calendar):
            vm.set_today(pki.today())  # or its certificates would be expired for every client out here
        else:
            key = keys.key_pem(vm.seed)
            vm.install_certificate(pki.rdp_certificate(vm.name, key, pki.today()), key)

        subscription = Subscription(vm.seed, vm.name, vm.windows, vm.user, lasts=options.lasts)
        tokens = Tokens(subscription.tenant, any_token=options.any_token)
        power = _Power(vm, wire, subscription, now)
        gateway = Gateway(wire, tokens, options.manners, vm.seed, now=now, wall=time.time, admin=power.admin)
        power.gateway = gateway
        subscription.on_power, subscription.settled = power.act, power.settled
        subscription.shut_down = power.shut_down

        rdp = RdpServer(power.rdp_port, attempt=power.rdp_attempt, idle=options.rdp_idle)
        stack.push_async_callback(rdp.close)
        await rdp.start()
        ports = RdpPorts(rdp, power.open_ports, power.rdp_port, power.rdp_attempt, options.rdp_idle)
        stack.push_async_callback(ports.close)
        await ports.start()

        arm = Arm(subscription, tokens, base, lambda: gateway.open_session(host), lambda: gateway.connected)
        app = _app(arm, gateway, vm, repaired, ports.addresses)
        runner = web.AppRunner(app, access_log=None, logger=_http_log(), handle_signals=False, shutdown_timeout=1.0)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.push_async_callback(gateway.close)
        await web.SockSite(runner, listening, ssl_context=pki.server_context(authority, pki.today())).start()
        gateway.start()

        announcement = Announcement(
            arm=base,
            ca=str(_ca_file(authority, stack)),
            subscription=subscription.id,
            resource_group=subscription.group,
            vm=vm.name,
            rdp=f"127.0.0.1:{rdp.port}",
            user=vm.user,
            password=vm.password,
            seed=vm.seed,
            windows=vm.windows,
            tenant=subscription.tenant,
        )
        if options.folder is not None:
            path = announce.write(announcement, port, options.folder)
            stack.callback(path.unlink, missing_ok=True)
        yield Running(announcement, subscription, tokens, gateway, rdp, ports)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform == "win32":
        # There, SO_REUSEADDR would let two programs share a port; this keeps others off.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen(64)
    except OSError as error:
        listening.close()
        # Windows refuses a port held exclusively with EACCES.
        if error.errno == errno.EADDRINUSE or (sys.platform == "win32" and error.errno == errno.EACCES):
            raise PortInUse(error.errno, f"port {port} on 127.0.0.1 is in use by another program") from None
        raise
    listening.setblocking(False)
    return listening


def _ca_file(authority: pki.Authority, stack: contextlib.AsyncExitStack) -> Path:
    """The CA certificate in a private folder that goes with the stack."""
    folder = Path(tempfile.mkdtemp(prefix="serialfix-simulator-"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    path = folder / "ca.pem"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(authority.pem())
    return path


@dataclass(slots=True)
class _Power:
    """What ARM and the gateway do to the VM's power, and what that does to the console and the RDP port."""

    vm: Machine
    wire: Wire
    subscription: Subscription
    now: Callable[[], float]
    gateway: Gateway | None = None

    def admin(self, command: str) -> bool:
        """The gateway's nmi or reset; False where the wire cannot play it."""
        if command == "reset" and not hasattr(self.wire, "reset"):
            self.wire.restart(self.now())
            return True
        act: Callable[[float], None] | None = getattr(self.wire, command, None)
        if act is not None:
            act(self.now())
        return act is not None

    def act(self, act: Act) -> None:
        """ARM's start, powerOff, deallocate, restart, redeploy."""
        wire = {"start": self.wire.power_on, "restart": self.wire.restart, "redeploy": self.wire.restart}
        wire.get(act, self.wire.power_off)(self.now())
        if self.gateway is not None:
            self.gateway.wake()
            # "Console dies as soon as the VM is stopping"; a restart interrupts it briefly (2.5).
            if act != "start":
                self.gateway.leave()

    def rdp_port(self, number: int = 3389) -> RdpPort:
        """The VM's, as long as it has power."""
        if self.subscription.power(time.time()) != "running":
            return RdpPort("closed")
        return self.vm.rdp_port() if number == 3389 else self.vm.rdp_port(number)

    def open_ports(self) -> tuple[int, ...]:
        """The VM's TCP ports on which something may answer; a machine that has only one has 3389."""
        told: Callable[[], tuple[int, ...]] | None = getattr(self.vm, "open_ports", None)
        return told() if told is not None else (3389,)

    def rdp_attempt(self, failed: bool) -> None:
        """Tell the VM of a client at its RDP port, for its event log."""
        told: Callable[..., None] | None = getattr(self.vm, "rdp_attempt", None)
        if told is not None:
            told(self.now(), tls_failed=failed)

    def settled(self, act: Act | DiskAct) -> bool:
        """Whether the VM is where ``act`` leads: ARM's operation lasts until Windows has shut down."""
        if act not in {"powerOff", "deallocate"}:
            return True
        if self.wire.phase == "up":
            self.wire.power_off(self.now())  # it was booting when it was asked first, and took no notice
        return self.wire.phase == "off"

    def shut_down(self) -> bool:
        """Whether the VM is off, whoever did it."""
        return self.wire.phase == "off"


def _app(
    arm: Arm,
    gateway: Gateway,
    vm: Machine,
    repaired: Callable[[], Mapping[str, bool]],
    ports: Callable[[], Mapping[str, str]],
) -> web.Application:
    """All of https: the token endpoint, the gateway, the control API, and ARM for every other path."""

    def check(request: web.Request) -> None:
        arm.check_token(request.headers.get("Authorization", ""), time.time())

    async def token(request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        if tenant.casefold() not in {arm.it.tenant, "common", "organizations"}:
            return _response(Reply(400, {"error": "invalid_request", "error_description": _no_tenant(tenant)}))
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        basic = basic_login(request.headers.get("Authorization", ""))
        if basic is not None:
            form.setdefault("client_id", basic[0])
            form.setdefault("client_secret", basic[1])
        return _response(Reply(*grant(arm.tokens, form, vm.user, vm.password, time.time())))

    async def discovery(request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        root = f"{arm.base}/{tenant}"
        body = {
            "issuer": f"{root}/v2.0",
            "authorization_endpoint": f"{root}/oauth2/v2.0/authorize",
            "token_endpoint": f"{root}/oauth2/v2.0/token",
            "response_types_supported": ["code", "token"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["HS256"],
        }
        return _response(Reply(200, body))

    async def anything_else(request: web.Request) -> web.Response:
        asked = Request(
            request.method,
            request.rel_url.raw_path,
            {name.casefold(): value for name, value in request.query.items()},
            {name.casefold(): value for name, value in request.headers.items()},
            await request.read(),
        )
        return _response(arm.answer(asked, time.time()))

    app = web.Application(middlewares=[_errors])
    app.add_routes(
        [
            web.post("/{tenant}/oauth2/v2.0/token", token),
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", discovery),
            *gateway.routes(),
            *control.routes(vm, repaired, check, ports),
            web.route("*", "/{path:.*}", anything_else),
        ]
    )
    return app


def _http_log() -> logging.Logger:
    """The web server's log, without what clients do wrong: bytes that are not HTTP, connections that break off."""
    http = logging.getLogger(f"{__name__}.http")
    if not http.filters:
        http.addFilter(_is_ours)
    return http


def _is_ours(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, HttpProcessingError | ConnectionError | ssl.SSLError)


def _no_tenant(tenant: str) -> str:
    return f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."


@web.middleware
async def _errors(request: web.Request, handler: Callable[[web.Request], Any]) -> web.StreamResponse:
    """A refusal in ARM's shape; a bug of ours as ARM's 500, logged, and the end of this request only."""
    try:
        response: web.StreamResponse = await handler(request)
    except Refused as refused:
        return _response(refused.reply)
    except (web.HTTPException, ConnectionError, ssl.SSLError):
        raise
    except Exception:
        log.exception("%s %s", request.method, request.path)
        return _response(
            Reply(500, {"error": {"code": "InternalServerError", "message": "An error occurred in the simulator."}})
        )
    return response


def _response(reply: Reply) -> web.Response:
    headers = {
        "Cache-Control": "no-cache",
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-correlation-request-id": str(uuid.uuid4()),
        **reply.headers,
    }
    if reply.body is None:
        return web.Response(status=reply.status, headers=headers)
    return web.json_response(reply.body, status=reply.status, headers=headers)
