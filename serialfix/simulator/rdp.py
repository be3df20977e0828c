"""The VM's RDP port on 127.0.0.1: refuses, stays silent, or answers X.224 and makes a real TLS handshake.

What a client meets follows the VM's state at the moment of each connection (rdp-repair.md 3 and 8.2). After the
handshake a real server waits for CredSSP; this one waits too, and gives up after ten idle seconds.
"""

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
import struct
import sys
import warnings
from collections.abc import Callable

from serialfix.simulator import pki, x224
from serialfix.simulator.rdp_port import RdpPort

IDLE = 10.0  # seconds
HANDSHAKE = 30.0  # seconds for the negotiation and the handshake together
POLL = 0.1  # seconds between looks at the state
_CHUNK = 16_384

_NO = {
    "TLSv1": ssl.OP_NO_TLSv1,
    "TLSv1.1": ssl.OP_NO_TLSv1_1,
    "TLSv1.2": ssl.OP_NO_TLSv1_2,
    "TLSv1.3": ssl.OP_NO_TLSv1_3,
}

_BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html; charset=us-ascii\r\nServer: Microsoft-HTTPAPI/2.0\r\n"
    b"Connection: close\r\nContent-Length: 31\r\n\r\n<h2>Bad Request - Invalid Verb<"
)
GREETING = b"RFB 003.008\n"
_PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 9\r\n\r\nstatus ok"

log = logging.getLogger(__name__)


@functools.lru_cache(maxsize=32)
def tls_context(versions: frozenset[str], certificate_pem: bytes, key_pem: bytes) -> ssl.SSLContext:
    """A server context that offers exactly ``versions``, holes allowed.

    Raises ``ssl.SSLError`` or ``ValueError`` for a certificate and key that do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The library calls the old versions deprecated, and they are: that is the fault being played.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        for version, option in _NO.items():
            if version not in versions:
                context.options |= option
    context.set_ciphers("ALL:@SECLEVEL=0")
    pki.load(context, certificate_pem, pki.private_key(key_pem))
    return context


def http_answer(data: bytes) -> bytes:
    """What a web server says to the first bytes of a connection."""
    good = data.split(b"\r\n")[0].endswith((b"HTTP/1.1", b"HTTP/1.0"))
    return _PAGE if good else _BAD_REQUEST


class RdpServer:
    """The port. It holds one port number all its life, and listens on it only while the VM does."""

    def __init__(
        self,
        state: Callable[[], RdpPort],
        *,
        attempt: Callable[[bool], None] = lambda failed: None,
        idle: float = IDLE,
        port: int = 0,
    ) -> None:
        """``attempt`` is told of each client that asked for RDP, and whether its TLS handshake failed.

        ``port`` 0 picks a free one. Raises ``OSError`` when it cannot be had.
        """
        self._state = state
        self._attempt = attempt
        self._idle = idle
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._poll: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the state of this moment, then follow it."""
        await self.follow()
        self._poll = asyncio.get_running_loop().create_task(self._follow_always())

    async def follow(self) -> None:
        """Listen, or stop listening, as the state says now."""
        listening = self._state().behaviour != "closed"
        if listening and self._server is None:
            self._server = await asyncio.start_server(self._accept, sock=self._socket)
        elif not listening and self._server is not None:
            self._server.close()
            self._server = None
            # Bound and not listening: connections are refused, and nobody else takes the number.
            self._socket = _bound(self.port)

    async def close(self) -> None:
        """Stop listening and cut every connection."""
        if self._poll is not None:
            self._poll.cancel()
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, *([self._poll] if self._poll else []), return_exceptions=True)

    async def _follow_always(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            try:
                await self.follow()
            except OSError as error:
                # Somebody may hold the number for a moment after a close (Windows); the next look tries again.
                log.warning("RDP port %d: %s", self.port, error)
            except Exception:
                # A bug in the VM's state must be seen, and not ten times a second.
                log.exception("RDP port %d: it stays as it is", self.port)
                return

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - streams run their callback as a task
        self._connections.add(task)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, ssl.SSLError, x224.Malformed, TimeoutError) as error:
            log.debug("RDP connection ended: %r", error)
        except Exception:
            log.exception("RDP connection")
        finally:
            self._connections.discard(task)
            with contextlib.suppress(OSError):
                writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = self._state()
        if port.behaviour == "closed":
            return  # it closed between the poll and this connection
        if port.behaviour == "silent":
            await self._swallow(reader)
            return
        if port.behaviour in {"http", "foreign"}:
            await self._somebody_else(port.behaviour, reader, writer)
            return
        async with asyncio.timeout(HANDSHAKE):
            header = await reader.readexactly(x224.HEADER)
            rest = await reader.readexactly(x224.length(header) - x224.HEADER)
            answer = x224.answer(x224.parse(header + rest), port)
            writer.write(answer.data)
            await writer.drain()
            if answer.then == "close":
                self._attempt(False)
                return
            failed = True
            try:
                if answer.then == "tls":
                    context = _context_of(port)
                    if context is not None:
                        await _handshake(context, reader, writer)
                        failed = False
                if failed:
                    await reader.read(_CHUNK)  # the ClientHello, which Schannel meets without a credential
                    _reset(writer)
                    return
            finally:
                self._attempt(failed)
        await self._swallow(reader)

    async def _somebody_else(self, what: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer as a web server would, or as a program that greets first."""
        if what == "foreign":
            writer.write(GREETING)
            await writer.drain()
        with contextlib.suppress(TimeoutError):
            data = await asyncio.wait_for(reader.read(_CHUNK), self._idle)
            if what == "http" and data:
                writer.write(http_answer(data))
                await writer.drain()

    async def _swallow(self, reader: asyncio.StreamReader) -> None:
        """Read and forget until the other side ends or ``idle`` seconds pass without a byte."""
        with contextlib.suppress(TimeoutError):
            while await asyncio.wait_for(reader.read(_CHUNK), self._idle):
                pass


def _context_of(port: RdpPort) -> ssl.SSLContext | None:
    """None where the certificate and its key cannot be used."""
    try:
        return tls_context(port.tls, port.certificate_pem, port.key_pem)
    except (ssl.SSLError, ValueError):
        return None


async def _handshake(context: ssl.SSLContext, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """The server's side of TLS over the streams. Raises ``ssl.SSLError``, after its alert was sent.

    Not ``start_tls``: asyncio drops the alert of a failed handshake, and the alert is what an outside probe reads.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            done = False
        except ssl.SSLError:
            writer.write(outgoing.read())
            await writer.drain()
            raise
        else:
            done = True
        if outgoing.pending:
            writer.write(outgoing.read())
            await writer.drain()
        if done:
            return
        data = await reader.read(_CHUNK)
        if not data:
            raise EOFError("the client left in the handshake")
        incoming.write(data)


def _bound(port: int) -> socket.socket:
    """A socket bound to 127.0.0.1, not listening; ``port`` 0 picks a free one."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if sys.platform == "win32":
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    else:
        # Connections of the listener before may still linger.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with RST instead of FIN."""
    connection = writer.get_extra_info("socket")
    # Two shorts on Windows, two ints elsewhere.
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
