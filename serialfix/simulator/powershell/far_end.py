"""The other end of a TCP connection that a program in the VM makes to the VM itself, without any socket.

What answers is what ``rdp.py`` plays for clients outside, from the same state: RDP's negotiation and a real TLS
handshake, a web server, a program that speaks first (rdp-repair.md 2.2 and 8.2). Windows' other listeners take what
comes and say nothing; http.sys answers on its ports (common knowledge). The firewall does not filter loopback.
"""

import ssl
from typing import Literal, Protocol

from serialfix.simulator import rdp, x224
from serialfix.simulator.commands import netstat
from serialfix.simulator.rdp_port import RdpPort
from serialfix.simulator.vm import Vm

State = Literal["open", "closed", "reset"]
HTTP_SYS = frozenset({5985, 47001})


class FarEnd(Protocol):
    """Takes bytes, gives bytes. ``idle``: seconds of silence after which it closes; ``state``: whether it has."""

    idle: float
    state: State

    def take(self, data: bytes) -> None:
        """Be sent bytes."""

    def give(self) -> bytes:
        """Return what it has sent since the last time."""

    def leave(self) -> None:
        """Be told that the client is gone."""


def connect(vm: Vm, port: int) -> FarEnd | None:
    """Return what answers on a port of the VM, None where nobody listens."""
    found = vm.rdp_port(port, inside=True)
    if found.behaviour == "rdp":
        return Rdp(vm, found)
    if found.behaviour in {"http", "foreign"}:
        return Program(found.behaviour == "http")
    listening = {
        socket.local.rpartition(":")[2]
        for socket in netstat.sockets(vm)
        if socket.state == "LISTENING" and socket.local.startswith(("0.0.0.0:", "[::]:"))
    }
    if str(port) not in listening:
        return None
    return Program(True) if port in HTTP_SYS else Quiet()


class Quiet:
    """Takes everything and says nothing."""

    def __init__(self) -> None:
        self.idle = rdp.IDLE
        self.state: State = "open"

    def take(self, data: bytes) -> None:
        """Forget it."""

    def give(self) -> bytes:
        """Say nothing."""
        return b""

    def leave(self) -> None:
        """Do not mind."""


class Program:
    """A web server, or a program that greets first and ends when it does not understand."""

    def __init__(self, http: bool) -> None:
        self.idle = rdp.IDLE
        self.state: State = "open"
        self._http = http
        self._out = b"" if http else rdp.GREETING

    def take(self, data: bytes) -> None:
        """Answer, and end."""
        if self._http and self.state == "open":
            self._out += rdp.http_answer(data)
        self.state = "closed"

    def give(self) -> bytes:
        """Return what it said."""
        data, self._out = self._out, b""
        return data

    def leave(self) -> None:
        """Do not mind."""


class Rdp:
    """TermService's listener: the negotiation, then TLS. Each attempt shows in the VM's event log, once."""

    def __init__(self, vm: Vm, port: RdpPort) -> None:
        self.idle = rdp.HANDSHAKE
        self.state: State = "open"
        self._vm, self._port = vm, port
        self._came, self._out = b"", b""
        self._then = ""
        self._told = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = None

    def take(self, data: bytes) -> None:
        """Go on with the negotiation or the handshake."""
        if self.state != "open":
            return
        if not self._then:
            self._came += data
            self._negotiate()
        elif self._then == "tls":
            self._incoming.write(data)
            self._shake()
        elif self._then == "reset":  # the ClientHello, which Schannel meets without a credential
            self._tell(failed=True)
            self.state = "reset"

    def give(self) -> bytes:
        """Return what it said."""
        data, self._out = self._out, b""
        return data

    def leave(self) -> None:
        """Show the attempt of a client that asked and left."""
        if self._then:
            self._tell(failed=False)
        self.state = "closed"

    def _negotiate(self) -> None:
        try:
            if len(self._came) < x224.HEADER or len(self._came) < x224.length(self._came[: x224.HEADER]):
                return
            size = x224.length(self._came[: x224.HEADER])
            answer = x224.answer(x224.parse(self._came[:size]), self._port)
        except x224.Malformed:
            self.state = "closed"
            return
        self._out += answer.data
        self._then = answer.then
        if answer.then == "close":
            self._tell(failed=False)
            self.state = "closed"
        elif answer.then == "tls":
            try:
                port = self._port
                context = rdp.tls_context(port.tls, port.certificate_pem, port.key_pem)
            except (ssl.SSLError, ValueError):
                self._then = "reset"
            else:
                self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        if rest := self._came[size:]:
            self._came = b""
            self.take(rest)

    def _shake(self) -> None:
        if self._tls is None or self._told:
            return
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._tell(failed=True)
            self.state = "closed"
        else:
            self._tell(failed=False)
            self.idle = rdp.IDLE
        self._out += self._outgoing.read()

    def _tell(self, *, failed: bool) -> None:
        if not self._told:
            self._told = True
            self._vm.rdp_attempt(self._vm.now, tls_failed=failed)
