"""The bytes of an RDP connection before TLS: TPKT, the X.224 connection request and its answer. No I/O.

A request with a cookie: ``03 00 00 27 | 22 e0 0000 0000 00 | "Cookie: mstshash=a\\r\\n" | 01 00 08 00 03000000``;
its answer: ``03 00 00 13 | 0e d0 0000 0000 00 | 02 03 08 00 01000000`` (test-beds.md, "RDP from outside";
rdp-repair.md 8.1; [MS-RDPBCGR] 2.2.1.1 and 2.2.1.2). Numbers are big-endian in TPKT and X.224,
little-endian in the negotiation.
"""

import struct
from dataclasses import dataclass
from typing import Literal

from serialfix.simulator.rdp_port import RdpPort

RDP, SSL, HYBRID, HYBRID_EX = 0, 1, 2, 8
SSL_REQUIRED, SSL_NOT_ALLOWED, NO_CERTIFICATE, HYBRID_REQUIRED = 1, 2, 3, 5

HEADER = 4  # bytes of TPKT before the X.224 part
MOST = 512  # a request is some fifty bytes; a longer one is not RDP


class Malformed(ValueError):
    """What came is not an X.224 connection request."""


@dataclass(frozen=True, slots=True)
class Request:
    """A connection request: ``protocols`` is the bit set asked for, None from a client that knows no negotiation."""

    protocols: int | None
    cookie: bytes = b""


def length(header: bytes) -> int:
    """The whole length of the message that begins with these four bytes. Raises ``Malformed``."""
    version, _, size = struct.unpack(">BBH", header)
    if version != 3 or not 11 <= size <= MOST:
        raise Malformed(f"no TPKT header: {header.hex(' ')}")
    return int(size)


def parse(message: bytes) -> Request:
    """A whole TPKT message as a connection request. Raises ``Malformed``."""
    if len(message) < 11 or length(message[:HEADER]) != len(message):
        raise Malformed("length does not match")
    indicator, code = message[4], message[5]
    if code & 0xF0 != 0xE0 or indicator != len(message) - 5:
        raise Malformed("no X.224 connection request")
    rest = message[11:]
    cookie = b""
    if rest and rest[:1] != b"\x01":
        # A cookie or a load balancer's routing token: text that ends with CR LF.
        cookie, mark, rest = rest.partition(b"\r\n")
        if not mark:
            raise Malformed("a cookie without its end")
    if not rest:
        return Request(None, cookie)
    if len(rest) < 8:
        raise Malformed("a short negotiation request")
    kind, _, size, protocols = struct.unpack("<BBHI", rest[:8])
    if kind != 1 or size != 8:
        raise Malformed("no negotiation request")
    return Request(protocols, cookie)


def _confirm(kind: int, flags: int, value: int) -> bytes:
    body = struct.pack(">BBHHB", 14, 0xD0, 0, 0x1234, 0) + struct.pack("<BBHI", kind, flags, 8, value)
    return struct.pack(">BBH", 3, 0, HEADER + len(body)) + body


def selected(protocol: int) -> bytes:
    """The answer that accepts ``protocol``. Flags: extended client data, graphics, restricted admin, as 2012 R2 on."""
    return _confirm(2, 0x1F if protocol else 0x0F, protocol)


def refused(code: int) -> bytes:
    """The answer that refuses with failure ``code``."""
    return _confirm(3, 0, code)


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent, and what comes after it: a TLS handshake, one that is reset, or the end."""

    data: bytes
    then: Literal["tls", "reset", "close"]


def answer(request: Request, port: RdpPort) -> Answer:
    """How TermService answers ``request`` in the state ``port`` (its behaviour is "rdp")."""
    asked = request.protocols or RDP
    usable = bool(port.tls and port.certificate_pem and port.key_pem)
    if not asked & (SSL | HYBRID | HYBRID_EX):
        # Windows refuses standard RDP security by default, with the stronger demand when it has one.
        return Answer(refused(HYBRID_REQUIRED if port.nla else SSL_REQUIRED), "close")
    if not usable and port.no_tls != "reset":
        return Answer(refused(SSL_NOT_ALLOWED if port.no_tls == "failure 2" else NO_CERTIFICATE), "close")
    if port.nla and not asked & (HYBRID | HYBRID_EX):
        return Answer(refused(HYBRID_REQUIRED), "close")
    # Strongest first: CredSSP is chosen when it is offered, even where it is not demanded.
    choice = next(protocol for protocol in (HYBRID_EX, HYBRID, SSL) if asked & protocol)
    return Answer(selected(choice), "tls" if usable else "reset")
