"""RDP as a client sees it from here: TCP, X.224, TLS, certificate. One JSON document, read by windows/rdp_look.py.

The bytes are those of rdp-repair.md 8.1; what counts as which result is 0a.1 and 8.2 there, with test-beds.md "RDP from
outside". The only place where certificates are looked at, not checked: nothing secret is sent, no logon is tried, and
nothing that comes back is believed beyond being reported. Every read is bounded, in bytes and in time.

The document::

    {"host", "port", "at": ISO time in UTC, "elapsed": seconds,
     "reach": "open" | "no_address" | "no_name" | "no_route" | "refused" | "timeout", "detail": the system's words,
     "x224": {"result": "selected" | "failure" | "plain" | "no_reply" | "closed" | "not_rdp",
              "selected": protocol, "flags": bits, "code": failure code, "first_bytes": hex},
     "tls": {"TLSv1.2": {"result": "tls_ok", "version", "cipher"} | {"result": "tls_alert", "alert"} |
             {"result": "tls_reset" | "tls_stall" | "not_offered_here" | "not_tried"} |
             {"result": "no_negotiation", "was": an "x224" result or a "reach"}, ...},
     "certificate": base64 of the DER or null,
     "nla": an "x224" for a client that offers no NLA, or null}
"""

import asyncio
import base64
import contextlib
import errno
import json
import socket
import ssl
import warnings
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

SSL, HYBRID, HYBRID_EX = 1, 2, 8
TLS_PROTOCOLS = (SSL, HYBRID, HYBRID_EX)

WHOLE_LOOK = 20.0
"""Seconds after which the look ends with what it has."""
MOST_TLS_BYTES = 256 * 1024
MOST_X224_BYTES = 512

VERSIONS = {
    # The order of trying: what Windows clients use first, so that a slow server's deadline costs the old ones.
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1": ssl.TLSVersion.TLSv1,
}

# Windows numbers: WSAENETUNREACH, WSAEHOSTUNREACH, ERROR_NETWORK_UNREACHABLE, ERROR_HOST_UNREACHABLE; 121 is a timeout.
_WINDOWS_NO_ROUTE = frozenset({10051, 10065, 1231, 1232})
_WINDOWS_TIMEOUT = 121
_REFUSED = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})

Reply = dict[str, Any]


async def look(host: str | None, port: int, *, timeout: float = 5.0) -> str:  # noqa: ASYNC109 (of each step, not of all)
    """Look at ``host``:``port`` as an RDP client does, and return the document as JSON text.

    ``host`` None: the VM has no address that could be looked at. ``timeout``: seconds for each connection, negotiation
    and handshake; the whole takes at most about 20 s. Raises nothing that a network or a server can cause.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    document: dict[str, Any] = {
        "host": host,
        "port": port,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "elapsed": 0.0,
        "reach": "no_address",
        "detail": "",
        "x224": None,
        "tls": {},
        "certificate": None,
        "nla": None,
    }
    if host is not None:
        await _Look(host, port, timeout, started + WHOLE_LOOK, document).run()
    document["elapsed"] = round(loop.time() - started, 3)
    return json.dumps(document)


class _Unreached(Exception):
    """No TCP connection came about."""

    def __init__(self, reach: str, detail: str) -> None:
        super().__init__(reach)
        self.reach = reach
        self.detail = detail


class _Look:
    """One look; every connection of it shares the deadline."""

    def __init__(self, host: str, port: int, timeout: float, deadline: float, document: dict[str, Any]) -> None:
        self.host = host
        self.port = port
        self.timeout = timeout
        self.deadline = deadline
        self.document = document

    async def run(self) -> None:
        document = self.document
        try:
            document["x224"] = await self.negotiate(SSL | HYBRID | HYBRID_EX)
        except _Unreached as problem:
            document["reach"], document["detail"] = problem.reach, problem.detail
            return
        document["reach"] = "open"
        if not _wants_tls(document["x224"]):
            return
        certificate: bytes | None = None
        for name, version in VERSIONS.items():
            document["tls"][name], seen = await self.handshake(version)
            certificate = certificate or seen
        if certificate:
            document["certificate"] = base64.b64encode(certificate).decode("ascii")
        if self.left() > 0:
            with contextlib.suppress(_Unreached):
                document["nla"] = await self.negotiate(SSL)

    def left(self) -> float:
        """Seconds that the next step may take."""
        return min(self.timeout, self.deadline - asyncio.get_running_loop().time())

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            async with asyncio.timeout(max(self.left(), 0.0)):
                address = await _resolve(self.host, self.port)
                reader, writer = await asyncio.open_connection(*address, limit=MOST_TLS_BYTES)
        except TimeoutError:
            raise _Unreached("timeout", f"no answer in {self.timeout:g} s") from None
        except OSError as problem:
            raise _Unreached(*_why_unreached(problem)) from None
        except ValueError as problem:  # a name that cannot be written as one: a label of over 63 letters, a NUL
            raise _Unreached("no_name", str(problem)) from None
        try:
            yield reader, writer
        finally:
            writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                async with asyncio.timeout(1):
                    await writer.wait_closed()

    async def negotiate(self, protocols: int) -> Reply:
        async with self.connection() as (reader, writer):
            return await self.ask(reader, writer, protocols)

    async def ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocols: int) -> Reply:
        """Send the negotiation request on a fresh connection and read its answer."""
        seen = bytearray()
        try:
            async with asyncio.timeout(max(self.left(), 0.0)):
                writer.write(request(protocols))
                await writer.drain()
                while not _complete(seen):
                    chunk = await reader.read(MOST_X224_BYTES - len(seen))
                    if not chunk:
                        return read_reply(bytes(seen), "closed")
                    seen += chunk
        except TimeoutError:
            return read_reply(bytes(seen), "no_reply")
        except OSError:
            return read_reply(bytes(seen), "closed")
        return read_reply(bytes(seen), "no_reply")

    async def handshake(self, version: ssl.TLSVersion) -> tuple[Reply, bytes | None]:
        """One TLS handshake of exactly ``version`` on a connection of its own: its result and the certificate."""
        if self.left() <= 0:
            return {"result": "not_tried"}, None
        context = _context(version)
        if context is None:
            return {"result": "not_offered_here"}, None
        try:
            async with self.connection() as (reader, writer):
                reply = await self.ask(reader, writer, SSL | HYBRID | HYBRID_EX)
                if not _wants_tls(reply):
                    return {"result": "no_negotiation", "was": reply["result"]}, None
                try:
                    async with asyncio.timeout(max(self.left(), 0.0)):
                        return await _shake(reader, writer, context)
                except TimeoutError:
                    return {"result": "tls_stall"}, None
                except OSError:
                    return {"result": "tls_reset"}, None
        except _Unreached as problem:
            return {"result": "no_negotiation", "was": problem.reach}, None


async def _resolve(host: str, port: int) -> tuple[str, int]:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # IPv4 first: Azure's addresses of VMs mostly are, and a name with both would else be "no route" without IPv6 here.
    best = min(found, key=lambda one: one[0] != socket.AF_INET)
    return str(best[4][0]), int(best[4][1])


def _why_unreached(problem: OSError) -> tuple[str, str]:
    words = problem.strerror or str(problem) or type(problem).__name__
    number = getattr(problem, "winerror", None) or problem.errno
    if isinstance(problem, socket.gaierror):
        return "no_name", words
    if isinstance(problem, ConnectionRefusedError) or problem.errno in _REFUSED:
        return "refused", words
    if isinstance(problem, TimeoutError) or number == _WINDOWS_TIMEOUT or problem.errno == errno.ETIMEDOUT:
        return "timeout", words
    # What is left is this side's: no route, a local firewall, no address family, no free port.
    return "no_route", words


def request(protocols: int) -> bytes:
    """An X.224 connection request with an RDP negotiation request for ``protocols`` (19 bytes, rdp-repair.md 8.1).

    >>> request(0x0B).hex(" ")
    '03 00 00 13 0e e0 00 00 00 00 00 01 00 08 00 0b 00 00 00'
    """
    return bytes.fromhex("030000130ee0000000000001000800") + protocols.to_bytes(4, "little")


def _complete(seen: bytes | bytearray) -> bool:
    if len(seen) >= MOST_X224_BYTES or (seen and seen[0] != 3):
        return True
    return len(seen) >= 4 and len(seen) >= int.from_bytes(seen[2:4], "big")


def read_reply(seen: bytes, otherwise: str) -> Reply:
    """What the bytes ``seen`` say as the answer to ``request``; ``otherwise``: the result where they say nothing yet.

    >>> read_reply(bytes.fromhex("030000130ed000000000000209080002000000"), "closed")
    {'result': 'selected', 'selected': 2, 'flags': 9}
    >>> read_reply(bytes.fromhex("030000130ed000000000000300080005000000"), "closed")
    {'result': 'failure', 'code': 5, 'flags': 0}
    >>> read_reply(b"SSH-2.0-OpenSSH_9.2", "no_reply")
    {'result': 'not_rdp', 'first_bytes': '5353482d322e302d4f70656e5353485f392e32'}
    >>> read_reply(b"", "closed")
    {'result': 'closed'}
    """
    if not seen:
        return {"result": otherwise}
    first = {"first_bytes": seen[:64].hex()}
    if seen[0] != 3 or (len(seen) > 1 and seen[1] != 0):
        return {"result": "not_rdp"} | first
    if not _complete(seen):
        return {"result": otherwise} | first
    length = int.from_bytes(seen[2:4], "big")
    if not 11 <= length <= min(len(seen), MOST_X224_BYTES) or seen[5] & 0xF0 != 0xD0:
        return {"result": "not_rdp"} | first
    negotiation = seen[11:length]
    if not negotiation:
        return {"result": "plain"}
    if len(negotiation) < 8 or negotiation[0] not in (2, 3) or negotiation[2:4] != b"\x08\x00":
        return {"result": "not_rdp"} | first
    value = int.from_bytes(negotiation[4:8], "little")
    if negotiation[0] == 3:
        return {"result": "failure", "code": value, "flags": negotiation[1]}
    return {"result": "selected", "selected": value, "flags": negotiation[1]}


def _wants_tls(reply: Reply) -> bool:
    return reply["result"] == "selected" and reply["selected"] in TLS_PROTOCOLS


def _context(version: ssl.TLSVersion) -> ssl.SSLContext | None:
    """A context that offers exactly ``version`` and checks nothing; None where OpenSSL here has not got it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            # Python says that old versions are deprecated; asking whether a server still has them is the point.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = version
            context.maximum_version = version
    except (ValueError, ssl.SSLError):
        return None
    # A server from before RFC 5746 is no "reset": nothing is sent that somebody could inject into.
    context.options |= getattr(ssl, "OP_LEGACY_SERVER_CONNECT", 0x4)
    return context


async def _shake(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
) -> tuple[Reply, bytes | None]:
    # By hand over memory, since asyncio's own TLS does not tell an alert, a reset and an end of stream apart.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=None)
    taken = 0
    while True:
        try:
            tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return {"result": "tls_reset"}, None
        except ssl.SSLError as problem:
            name = problem.reason or "unknown"
            if not taken:
                return {"result": "not_offered_here"}, None
            return {"result": "tls_alert", "alert": name}, None
        else:
            cipher = tls.cipher()
            reply = {"result": "tls_ok", "version": tls.version() or "", "cipher": cipher[0] if cipher else ""}
            return reply, tls.getpeercert(binary_form=True)
        if flight := outgoing.read():
            writer.write(flight)
            await writer.drain()
        chunk = await reader.read(16 * 1024)
        taken += len(chunk)
        if not chunk or taken > MOST_TLS_BYTES:
            incoming.write_eof()
        else:
            incoming.write(chunk)
