"""The serial gateway: a websocket whose first message asks for the token and which carries the serial line after it.

Protocol: azure-serial-console.md 0, 2 and 3. One task pumps the line whether or not somebody is connected, since the
VM talks either way; a client sees what comes while it is the one connected. What no source settles (close codes, the
first message, what a used URL answers) is chosen by the seed. When a connection ends, and how, is ``connections.py``'s.
"""

import asyncio
import codecs
import contextlib
import json
import logging
import random
import socket as sockets
import string
import struct
import sys
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import WSCloseCode, WSMsgType, web

from serialfix.simulator.connections import Connections, Ending
from serialfix.simulator.machine import Wire
from serialfix.simulator.manners import Manners
from serialfix.simulator.tokens import Tokens

GREETINGS = ("Connecting...\r\n\r\n", "Connecting...\r\n", "Connecting...")

BANNER = (
    "+-----------------------------------------------+\r\n"
    "Connected to the serial port of the VM.\r\n"
    "If no login prompt is displayed, press ENTER.\r\n"
    "+-----------------------------------------------+\r\n\r\n\r\n"
)
# The form of 2019, with bars.
BARRED = (
    "+-----------------------------------------------+\r\n"
    "| Connected to the serial port of the VM.       |\r\n"
    "| If no login prompt is displayed, press ENTER. |\r\n"
    "+-----------------------------------------------+\r\n\r\n\r\n"
)

LEFT = ((1000, ""), (1001, ""), (1011, "VM is not running"), (4404, ""))

URL_LIFE = 300.0  # seconds; "short-lived" is all that is known
TOKEN_WAIT = 30.0  # seconds for the client's first message
MOST = 16 * 1024 * 1024  # bytes in one frame from the client
BACKLOG = 1024 * 1024  # characters a client may leave unread before it is dropped
_LINGER = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)  # on, 0 seconds: close sends a reset
_PIECE = 512  # keys given to the line at once, so that a long paste does not stop everything else

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Session:
    """One URL handed out by POST connect, and the client that came to it."""

    id: str
    connector: str
    made: float
    used: bool = False
    socket: web.WebSocketResponse | None = None
    transport: asyncio.WriteTransport | None = None
    live: bool = False
    silent: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: int = 0
    outgoing: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    decoder: codecs.IncrementalDecoder = field(
        default_factory=lambda: codecs.getincrementaldecoder("utf-8")(errors="replace")
    )


class Gateway:
    """All sessions of one VM.

    ``now`` is the line's clock, ``wall`` seconds since 1970 for tokens. ``admin`` carries out nmi, reset and sysrq and
    says whether the VM knows such an act.
    """

    def __init__(
        self,
        wire: Wire,
        tokens: Tokens,
        manners: Manners,
        seed: int,
        *,
        now: Callable[[], float],
        wall: Callable[[], float],
        admin: Callable[[str], bool],
    ) -> None:
        self._wire = wire
        self._tokens = tokens
        self._manners = manners
        self._now = now
        self._wall = wall
        self._admin = admin
        self._draw = random.Random(f"gateway {seed}")
        style = random.Random(f"gateway style {seed}")
        self._greeting = style.choice(GREETINGS)
        self._banner = style.choice((BANNER, BARRED))
        self._left = style.choice(LEFT)
        self._connections = Connections(wire.knobs, manners, seed)
        self._visited_until = float("-inf")
        self._used_url = style.choice((403, 404, 1011))
        self._sessions: dict[str, Session] = {}
        self._current: Session | None = None
        self._wake = asyncio.Event()
        self._pump: asyncio.Task[None] | None = None
        self._background: set[asyncio.Task[None]] = set()

    def routes(self) -> list[web.RouteDef]:
        """The gateway's URLs."""
        base = "/n/connector/{connector}/sessions/{session}"
        return [
            web.get(f"{base}/client", self._client),
            web.post(f"{base}/adminCommand/{{command}}", self._admin_command),
        ]

    def open_session(self, host: str) -> str:
        """The connection string of a new session at ``host`` (name:port)."""
        for old in [s for s in self._sessions.values() if not s.live and self._now() - s.made > URL_LIFE]:
            del self._sessions[old.id]
        # No "w": az replaces "ws" anywhere in the URL.
        letters = (string.ascii_lowercase + string.digits).replace("w", "")
        connector = "consoleconn-" + "".join(self._draw.choices(letters, k=5))
        name = uuid.UUID(int=self._draw.getrandbits(128), version=4)
        session = Session(str(name), connector, self._now())
        self._sessions[session.id] = session
        return f"wss://{host}/n/connector/{connector}/sessions/{session.id}/client"

    @property
    def connected(self) -> bool:
        """Whether somebody is on the console."""
        return self._current is not None or self._now() < self._visited_until

    def start(self) -> None:
        """Begin to pump the line."""
        self._pump = asyncio.get_running_loop().create_task(self._pump_always())

    def wake(self) -> None:
        """Look at the line again: something else than a key changed it."""
        self._wake.set()

    def leave(self) -> None:
        """The VM lost its power: the console ends."""
        if self._current is not None:
            self._end(self._current, *self._left)

    async def close(self) -> None:
        """End every session and the pump."""
        if self._pump is not None:
            self._pump.cancel()
            await asyncio.gather(self._pump, return_exceptions=True)
        for session in list(self._sessions.values()):
            if session.socket is not None and not session.socket.closed:
                with contextlib.suppress(OSError, RuntimeError, TimeoutError):
                    await asyncio.wait_for(session.socket.close(code=WSCloseCode.GOING_AWAY), 1)
        await asyncio.gather(*self._background, return_exceptions=True)

    async def _pump_always(self) -> None:
        while True:
            self._wake.clear()
            try:
                data = self._wire.receive(self._now())
                self._deliver(data)
                due = self._wire.due()
                if not data and due is not None:
                    # A wire that is due and gives nothing must not keep the processor busy.
                    due = max(due, self._now() + 0.001)
            except Exception:
                # A bug behind the line must be seen, and must not end every console that comes after.
                log.exception("the serial line")
                due = None
            ending = self._connections.ended(self._now())
            if ending is not None and self._current is not None:
                self._finish(self._current, ending)
            ends = self._connections.due()
            due = min((at for at in (due, ends) if at is not None), default=None)
            timeout = None if due is None else max(0.0, due - self._now())
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), timeout)
            # Even when the line is due all the time, others get their turn.
            await asyncio.sleep(0)

    def _deliver(self, data: bytes) -> None:
        session = self._current
        if data and session is not None:
            self._put(session, session.decoder.decode(data))

    def _put(self, session: Session, text: str) -> None:
        if not text:
            return
        session.waiting += len(text)
        if session.waiting > BACKLOG:
            log.warning("a console client does not read; its connection is dropped")
            self._end(session, 1006, "")
            return
        session.outgoing.put_nowait(text)

    def _finish(self, session: Session, ending: Ending) -> None:
        """Let the connection of ``session`` end as its schedule says."""
        if ending.cut:
            self._deliver(self._wire.cut(self._now()))
        if ending.kind == "silence":
            self._forget(session)
            session.silent.set()
            return
        if ending.kind == "rst" and session.transport is not None:
            _reset_at_close(session.transport)
        self._end(session, ending.code, ending.reason)
        if ending.kind == "second user":
            stay = self._connections.stay()
            self._visited_until = self._now() + stay
            self._wire.visit(self._now(), stay)

    def _forget(self, session: Session) -> None:
        """``session`` is on the console no more."""
        session.live = False
        if self._current is session:
            self._current = None
            self._connections.end()
            self._wire.disconnect(self._now())

    def _end(self, session: Session, code: int, reason: str) -> None:
        """Close ``session``; 1006 stands for a connection that is just cut."""
        self._forget(session)
        task = asyncio.get_running_loop().create_task(_close(session, code, reason))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _client(self, request: web.Request) -> web.StreamResponse:
        session = self._sessions.get(request.match_info["session"])
        good = (
            session is not None
            and session.connector == request.match_info["connector"]
            and not session.used
            and self._now() - session.made <= URL_LIFE
        )
        if not good and self._used_url != 1011:
            return web.Response(status=self._used_url)
        socket = web.WebSocketResponse(max_msg_size=MOST, compress=False, timeout=2.0)
        if not socket.can_prepare(request):
            return web.Response(status=426, headers={"Upgrade": "websocket"})
        if session is not None and good:
            session.used = True
            session.socket = socket
            session.transport = request.transport
        await socket.prepare(request)
        if session is None or not good:
            await socket.close(code=1011, message=b"Connection not trusted")
            return socket
        try:
            await self._converse(session, socket)
        except (OSError, TimeoutError) as error:
            # A client may be gone at any moment.
            log.debug("console client: %r", error)
        except Exception:
            log.exception("console client")
        finally:
            self._forget(session)
            self._sessions.pop(session.id, None)
            if not socket.closed:
                with contextlib.suppress(OSError, RuntimeError):
                    await socket.close(code=1011)
        return socket

    async def _converse(self, session: Session, socket: web.WebSocketResponse) -> None:
        token = await self._first_message(socket)
        if token is None:
            return
        refused = self._tokens.trouble(token, self._wall()) is not None
        if refused or not self._connections.trusted():
            await socket.close(code=1011, message=b"Connection not trusted")
            return
        if self._current is not None:
            self._end(self._current, *self._connections.kicked)
        # From here to the sender no await: what the line gives meanwhile would be lost between replay and live output.
        session.live = True
        self._current, self._visited_until = session, float("-inf")
        self._connections.begin(self._now())
        self._wire.connect(self._now())
        self._put(session, self._banner)
        self._replay(session)
        self.wake()
        loop = asyncio.get_running_loop()
        sender, silent = loop.create_task(_send(session, socket)), loop.create_task(session.silent.wait())
        keys = loop.create_task(self._keys(session, socket))
        try:
            await asyncio.wait((keys, silent), return_when=asyncio.FIRST_COMPLETED)
            if not session.silent.is_set():
                await keys
        finally:
            for task in (sender, silent, keys):
                task.cancel()
            await asyncio.gather(sender, silent, keys, return_exceptions=True)
        if session.silent.is_set():
            await _stay_silent(session)

    async def _first_message(self, socket: web.WebSocketResponse) -> str | None:
        """Greet, and give the client's first message; None when the client is gone."""
        early: str | None = None
        delay = self._draw.uniform(0.0, self._manners.greeting)
        if delay:
            with contextlib.suppress(TimeoutError):
                message = await socket.receive(timeout=delay)
                if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                    return None
                # A message sent before the gateway listens may be lost: the reason why az waits.
                if self._draw.random() >= self._manners.deaf:
                    early = _text(message.data)
        await socket.send_str(self._greeting)
        if early is not None:
            return early
        try:
            message = await socket.receive(timeout=TOKEN_WAIT)
        except TimeoutError:
            return ""
        return _text(message.data) if message.type in {WSMsgType.TEXT, WSMsgType.BINARY} else None

    def _replay(self, session: Session) -> None:
        text = self._wire.replay(self._now()).decode("utf-8", errors="replace")
        while text:
            size = self._draw.randint(1, 400)
            self._put(session, text[:size])
            text = text[size:]

    async def _keys(self, session: Session, socket: web.WebSocketResponse) -> None:
        async for message in socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                return
            data = message.data.encode("utf-8") if isinstance(message.data, str) else bytes(message.data)
            for start in range(0, len(data), _PIECE):
                if not session.live:
                    return
                self._wire.send(self._connections.keys(data[start : start + _PIECE], self._now()), self._now())
                self.wake()
                await asyncio.sleep(0)

    async def _admin_command(self, request: web.Request) -> web.Response:
        _, _, token = request.headers.get("Authorization", "").partition(" ")
        if self._tokens.trouble(token.strip(), self._wall()) is not None:
            return _error(401, "Unauthorized", "Connection not trusted")
        session = self._sessions.get(request.match_info["session"])
        if session is None or session.connector != request.match_info["connector"]:
            return _error(404, "NotFound", "The session was not found.")
        if not session.live:
            return _error(409, "Conflict", "The session has no connected client.")
        command = request.match_info["command"]
        if command not in {"nmi", "reset", "sysrq"}:
            return _error(404, "NotFound", f"Unknown command '{command}'.")
        try:
            document = json.loads(await request.text())
            parameters = document["commandParameters"]
            named = document["command"]
            key = parameters.get("SysRqCommand", "")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return _error(400, "BadRequest", "The request body is not valid.")
        if named != command:
            return _error(400, "BadRequest", "The command of the body is not the one of the URL.")
        # Windows ignores SysRq; only the form of its keys is judged.
        if command == "sysrq" and not (isinstance(key, str) and key.isascii() and key.isalnum()):
            return _error(400, "BadRequest", "SysRqCommand must contain only numbers and letters.")
        if command != "sysrq" and not self._admin(command):
            return _error(501, "NotImplemented", f"This VM does not take '{command}'.")
        self.wake()
        return web.json_response({"requestId": document.get("requestId"), "status": "Succeeded"})


async def _send(session: Session, socket: web.WebSocketResponse) -> None:
    while True:
        text = await session.outgoing.get()
        await socket.send_str(text)
        session.waiting -= len(text)


async def _stay_silent(session: Session) -> None:
    """Neither read nor write, not even a pong, until the client has given up: nobody tells it that it is alone."""
    while session.transport is not None and not session.transport.is_closing():  # noqa: ASYNC110 - it tells nobody
        await asyncio.sleep(0.2)


def _reset_at_close(transport: asyncio.WriteTransport) -> None:
    """Let the connection end with a TCP reset."""
    socket = transport.get_extra_info("socket")
    if socket is not None:
        with contextlib.suppress(OSError):
            socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _LINGER)


async def _close(session: Session, code: int, reason: str) -> None:
    with contextlib.suppress(OSError, RuntimeError, TimeoutError):
        if code == 1006:
            if session.transport is not None:
                session.transport.abort()
            return
        if session.socket is not None:
            await session.socket.close(code=code, message=reason.encode())


def _text(data: str | bytes) -> str:
    return data if isinstance(data, str) else data.decode("utf-8", errors="replace")


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": message}}, status=status)
