"""The client and the simulator joined in virtual time: a whole session takes no longer than its computing.

``VirtualLine`` is a ``Line`` (venues/line.py) whose other end is the simulator's own line; its clock jumps to
whatever comes next. Nothing here decides or types anything: it only carries bytes and lets time pass. Its connections
are refused and end by the same schedule as the simulator's gateway's (simulator/connections.py).
"""

import asyncio
import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from serialfix import events
from serialfix.approval import Policy
from serialfix.console.channels import Login
from serialfix.console.dialogue import Send
from serialfix.engine import Engine, Played, Request
from serialfix.errors import AzureError, ConnectionLost, VmError
from serialfix.playbooks import PLAYBOOKS
from serialfix.simulator.connections import Connections, Ending
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs
from serialfix.simulator.line import Line
from serialfix.simulator.manners import PRESETS as MANNERS
from serialfix.simulator.manners import Manners
from serialfix.simulator.rdp_port import RdpPort
from serialfix.simulator.vm import Vm
from serialfix.steps import Output, OutsideLook, Playbook, Unknown
from serialfix.venues.serial import SerialVenue

YES = Policy(yes_to="high")
CALM = Manners()
ATTEMPTS, LONGEST_PAUSE = 120, 3.0
"""How often, and at most how far apart, a line is opened before it is given up."""
PING_GIVES_UP = 20.0
"""Seconds of silence after which a client's unanswered pings end the connection."""


def manners_of(knobs: Knobs) -> Manners:
    """The gateway's manners that belong to a preset of knobs; calm ones for any other."""
    return next((MANNERS[name] for name, preset in PRESETS.items() if preset == knobs), CALM)


@dataclass(frozen=True, slots=True)
class Sent:
    """Keys that the client sent, when, and what the simulator was reading at that moment.

    ``met``: what the shown channel's program reads ("username", "domain", "password", "command", "key" or ""), or
    SAC's own mode ("SAC", "preview", "bugcheck"), or "off".
    """

    at: float
    send: Send
    met: str


class VirtualLine:
    """A serial line to a simulated VM, in virtual time. ``rechunk`` may cut or join what arrives.

    With ``manners`` the gateway is played, too: refused attempts, and connections that end as its schedule says (the
    knobs ``drop_every`` and ``second_user_every``, the manners ``token_life`` and ``inactive``). Without, a connection
    never ends, whatever the knobs say: for conversations, which have no way to connect again.

    ``sent``: all keys; ``came``: all output; ``endings``: when and how connections ended; ``attempts``: at opening one.
    """

    def __init__(
        self,
        line: Line,
        rechunk: Callable[[bytes], Sequence[bytes]] = lambda data: [data],
        manners: Manners | None = None,
    ) -> None:
        self.line = line
        self.now = 0.0
        self.sent: list[Sent] = []
        self.came = b""
        self.endings: list[tuple[float, Ending]] = []
        self.attempts = 0
        self._rechunk = rechunk
        self._came: list[bytes] = []
        self._connections = None if manners is None else Connections(line.knobs, manners, line.vm.seed)
        self._open = manners is None
        self._lost: ConnectionLost | None = None
        self._silent_since: float | None = None
        line.connect(0.0) if manners is None else None

    async def open(self) -> None:
        """Connect, with as many attempts as venues/open_serial.py makes. Raises AzureError after the last one."""
        self._hang_up()
        for attempt in range(1, ATTEMPTS + 1):
            self.attempts += 1
            if self._connections is None or self._connections.trusted():
                break
            if attempt == ATTEMPTS:
                raise AzureError("The serial gateway closed the connection instead of taking the token.", code="1011")
            await self.sleep(min(2.0 ** (attempt - 1), LONGEST_PAUSE))
        self.line.receive(self.now)  # what came meanwhile is shown again, not now
        self.line.connect(self.now)
        if self._connections is not None:
            self._connections.begin(self.now)
        self._open, self._lost, self._silent_since = True, None, None
        self._came = [data] if (data := self.line.replay(self.now)) else []

    def begin(self) -> float:
        return self.now

    async def send(self, send: Send) -> None:
        self._check()
        if self._lost is not None and not self._came:
            raise self._lost
        self.sent.append(Sent(self.now, send, self._meets()))
        if self._silent_since is not None or self._lost is not None:
            return  # swallowed
        data = send.data
        if self._connections is not None:
            data = self._connections.keys(data, self.now)
        if data:
            self.line.send(data, self.now)

    def _meets(self) -> str:
        sac = self.line.sac
        if sac is None:
            return "off"
        if sac.mode != "channel":
            return sac.mode
        session = sac.channels[sac.shown].session
        return "" if session is None else session.reading

    def _check(self) -> None:
        """Let the connection end if it is time."""
        if not self._open:
            raise ConnectionLost(1006, "not connected")
        if self._silent_since is not None and self.now >= self._silent_since + PING_GIVES_UP:
            self._lost = ConnectionLost(1006, "keepalive ping timeout")
        ending = None if self._connections is None else self._connections.ended(self.now)
        if ending is None:
            return
        self.endings.append((self.now, ending))
        if ending.cut:
            self._arrive(self.line.receive(self.now) + self.line.cut(self.now))
        else:
            self._arrive(self.line.receive(self.now))
            self.line.disconnect(self.now)
        if ending.kind == "second user" and self._connections is not None:
            self.line.visit(self.now, self._connections.stay())
        if ending.kind == "silence":
            self._silent_since = self.now
        else:
            self._lost = ConnectionLost(ending.code, ending.reason)

    def _arrive(self, data: bytes) -> None:
        self.came += data
        self._came += [piece for piece in self._rechunk(data) if piece]

    def _due(self) -> float | None:
        if self._silent_since is not None:
            return self._silent_since + PING_GIVES_UP
        ends = None if self._connections is None else self._connections.due()
        return min((at for at in (self.line.due(), ends) if at is not None), default=None)

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        for _ in range(100_000):
            self._check()
            if not self._came and self._lost is None and self._silent_since is None:
                self._arrive(self.line.receive(self.now))
            if self._came:
                return self.now, self._came.pop(0)
            if self._lost is not None:
                raise self._lost
            due = self._due()
            if deadline is not None and (due is None or due >= deadline):
                self.now = max(self.now, deadline)
                return self.now, None
            assert due is not None, "the client waits for ever and the line has nothing to say"
            self.now = max(self.now, due)
        raise AssertionError("the line is due again and again and brings nothing")

    async def close(self) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        if self._connections is None:
            return
        self._connections.end()
        if self._open and self._lost is None and self._silent_since is None:
            self.line.disconnect(self.now)
        self._open, self._came, self._lost, self._silent_since = False, [], None, None

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Kept:
    """A recorder that keeps events in a list."""

    happened: list[events.Event] = field(default_factory=list)
    flushed: list[int] = field(default_factory=list)

    def emit(self, event: events.Event) -> None:
        self.happened.append(event)

    def flush(self) -> None:
        self.flushed.append(len(self.happened))

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.happened if isinstance(event, kind)]


class PortVenue:
    """The RDP port as the simulated state says, without a socket (the real one is played in tests/test_demo.py).

    ``ours``: the time by the clock of the machine that looks; the VM's own where it is not given. ``reach``: what a
    network in between makes of every connection ("" lets it through).
    """

    def __init__(self, vm: Vm, ours: Callable[[], datetime] | None = None, reach: str = "") -> None:
        self._vm = vm
        self._ours = ours or vm.clock
        self._reach = reach

    async def ask(self, requests: Sequence[Request]) -> Sequence[Output | Unknown]:
        answers = []
        for request in requests:
            assert isinstance(request.query, OutsideLook)
            answers.append(Output(json.dumps(self._seen(request.query.port or 3389)), None, "direct"))
        return answers

    def _seen(self, number: int) -> dict[str, Any]:
        # What no port of the VM has ever had is closed; the rest is the simulator's own judgement, firewall and all.
        port = self._vm.rdp_port(number) if number in self._vm.open_ports() else RdpPort("closed")
        document: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": number,
            "at": self._ours().isoformat(),
            "elapsed": 0.1,
            "reach": "open",
            "detail": "",
            "x224": None,
            "tls": {},
            "certificate": None,
            "nla": None,
        }
        if self._reach:
            return document | {"reach": self._reach}
        if port.behaviour == "closed":
            return document | {"reach": "refused"}
        if port.behaviour in ("http", "foreign"):
            return document | {"x224": {"result": "not_rdp", "first_bytes": b"HTTP/1.1".hex()}}
        if port.behaviour == "silent":
            return document | {"x224": {"result": "no_reply"}}
        if not port.tls and port.no_tls != "reset":
            return document | {"x224": {"result": "failure", "code": int(port.no_tls[-1]), "flags": 0}}
        usable = bool(port.certificate_pem and port.key_pem)
        tls = {
            version: {"result": "tls_ok" if usable and version in port.tls else "tls_reset"}
            for version in ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
        }
        shown = None
        if any(tried["result"] == "tls_ok" for tried in tls.values()):
            der = x509.load_pem_x509_certificate(port.certificate_pem).public_bytes(Encoding.DER)
            shown = base64.b64encode(der).decode()
        x224 = {"result": "selected", "selected": 8, "flags": 31}
        return document | {"x224": x224, "tls": tls, "certificate": shown}


@dataclass
class Ran:
    """A finished virtual session, with everything a test could want to hold against the simulator's own truth."""

    played: Played
    recorder: Kept
    vm: Vm
    line: VirtualLine
    state_before: dict[str, Any]
    left: str = ""
    """What could not be left as it was found, as the venue said it."""

    @property
    def outcome(self) -> str:
        return self.played.verdict.outcome


def run(
    faults: Sequence[str],
    *,
    seed: int,
    windows: str = "2022",
    knobs: Knobs = PRESETS["calm"],
    policy: Policy = YES,
    mode: Any = "repair",
    password: str | None = None,
    rechunk: Callable[[bytes], Sequence[bytes]] = lambda data: [data],
    meanwhile: Callable[[Line], None] = lambda line: None,
    playbook: Playbook = PLAYBOOKS["rdp_internal_error"],
    prepare: Callable[[Vm], None] = lambda vm: None,
    reach: str = "",
    manners: Manners | None = None,
) -> Ran:
    """Play the whole playbook on a VM with ``faults``, and leave the console.

    ``meanwhile`` may plan what else happens on the line, ``prepare`` may change the VM before anything is asked. The
    machine that looks from outside has the clock that the VM had before that; ``reach``: as of PortVenue. ``manners``:
    the gateway's; those of the preset where not given.
    """
    vm = build(faults, windows, seed)
    began = vm.clock()
    prepare(vm)
    line = VirtualLine(Line(vm, knobs, seed, 0.0), rechunk, manners or manners_of(knobs))
    meanwhile(line.line)
    recorder = Kept()
    before = vm.state()

    async def session() -> Played:
        login = Login(vm.user, "", vm.password if password is None else password)
        console = SerialVenue(line, login, f"nonce {seed}", lambda text: recorder.emit(events.Progress(text)))
        engine = Engine(
            venues={"console": console, "outside": PortVenue(vm, lambda: began + timedelta(seconds=line.now), reach)},
            approver=policy,
            recorder=recorder,
            mode=mode,
            sleep=line.sleep,
        )
        played = await engine.play(playbook)
        try:
            await console.leave()
        except VmError as problem:
            left.append(problem.what)
        return played

    left: list[str] = []
    return Ran(asyncio.run(session()), recorder, vm, line, before, " ".join(left))
