"""The client and the simulator joined in virtual time: a whole session takes no longer than its computing.

``VirtualLine`` is a ``Line`` (venues/line.py) whose other end is the simulator's own line; its clock jumps to
whatever comes next. Nothing here decides or types anything: it only carries bytes and lets time pass.
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
from serialfix.errors import VmError
from serialfix.playbooks import PLAYBOOKS
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs
from serialfix.simulator.line import Line
from serialfix.simulator.rdp_port import RdpPort
from serialfix.simulator.vm import Vm
from serialfix.steps import Output, OutsideLook, Playbook, Unknown
from serialfix.venues.serial import SerialVenue

YES = Policy(yes_to="high")


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

    ``sent``: all keys; ``came``: all output.
    """

    def __init__(self, line: Line, rechunk: Callable[[bytes], Sequence[bytes]] = lambda data: [data]) -> None:
        self.line = line
        self.now = 0.0
        self.sent: list[Sent] = []
        self.came = b""
        self._rechunk = rechunk
        self._came: list[bytes] = []

    async def open(self) -> None:
        self._came = [self.line.replay(self.now)]

    def begin(self) -> float:
        return self.now

    async def send(self, send: Send) -> None:
        self.sent.append(Sent(self.now, send, self._meets()))
        self.line.send(send.data, self.now)

    def _meets(self) -> str:
        sac = self.line.sac
        if sac is None:
            return "off"
        if sac.mode != "channel":
            return sac.mode
        session = sac.channels[sac.shown].session
        return "" if session is None else session.reading

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        for _ in range(100_000):
            if not self._came and (data := self.line.receive(self.now)):
                self.came += data
                self._came += [piece for piece in self._rechunk(data) if piece]
            if self._came:
                return self.now, self._came.pop(0)
            due = self.line.due()
            if deadline is not None and (due is None or due >= deadline):
                self.now = max(self.now, deadline)
                return self.now, None
            assert due is not None, "the client waits for ever and the line has nothing to say"
            self.now = max(self.now, due)
        raise AssertionError("the line is due again and again and brings nothing")

    async def close(self) -> None:
        pass

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
) -> Ran:
    """Play the whole playbook on a VM with ``faults``, and leave the console.

    ``meanwhile`` may plan what else happens on the line, ``prepare`` may change the VM before anything is asked. The
    machine that looks from outside has the clock that the VM had before that; ``reach``: as of PortVenue.
    """
    vm = build(faults, windows, seed)
    began = vm.clock()
    prepare(vm)
    line = VirtualLine(Line(vm, knobs, seed, 0.0), rechunk)
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
