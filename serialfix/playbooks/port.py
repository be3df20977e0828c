"""The check of the RDP port: does Remote Desktop itself listen where it is told to, and if not, who does?

rdp-repair.md 2.2 with 0a.7: owners are compared by process, never by a name that netstat prints; what is done about a
stranger on the port is the engineer's choice, with the impact of each way in view: free the port, move Remote Desktop,
or leave it. Nobody there to ask: the port is freed; where that can't be done or does not last, Remote Desktop moves.
"""

from collections.abc import Generator
from typing import Any

from serialfix.playbooks import port_free, port_holder, port_listen, port_move
from serialfix.playbooks.port_holder import Holder
from serialfix.playbooks.port_listen import finding
from serialfix.steps import Change, Finding, Step, Unknown, choose, look, note
from serialfix.windows import changes, port_changes, probes
from serialfix.windows.firewall import PROFILES, Scope
from serialfix.windows.netstat import Socket

CHECK, DOCS = port_listen.CHECK, port_listen.DOCS

FIRST = (probes.LISTENER, probes.TERMSERVICE, probes.listening(3389))
"""What it begins with. 3389 is a guess, which is right on nearly every VM; elsewhere the right port is asked for."""

FREE = "stop the service that holds the port"
MOVE = "move Remote Desktop to another port"
LEAVE = "leave it as it is"


def check_port() -> Generator[Step, Any, Finding]:
    """Compare who listens on the configured port with the Remote Desktop service."""
    listener = yield from look(probes.LISTENER)
    if isinstance(listener, Unknown):
        return finding("unknown", "The RDP port could not be read", listener.reason)
    service = yield from look(probes.TERMSERVICE)
    if isinstance(service, Unknown):
        return finding("unknown", "The Remote Desktop service could not be read", service.reason)
    sockets = yield from look(probes.listening(listener.port))
    if isinstance(sockets, Unknown):
        return finding("unknown", f"Who listens on port {listener.port} could not be read", sockets.reason)
    evidence = [f"TermService is {service}", _who(listener.port, sockets)]
    if service.state != "running":
        return finding(
            "fault",
            "The Remote Desktop service does not run",
            *evidence,
            advice="Find out who stopped it, then start it: sc start TermService",
        )
    strangers = port_listen.strangers(sockets, service)
    if any(row.pid == service.pid for row in sockets) and not strangers:
        return finding("ok", f"Remote Desktop itself listens on port {listener.port}", *evidence)
    if not strangers:
        return finding(
            "fault",
            f"Remote Desktop runs, but does not listen on port {listener.port}",
            *evidence,
            advice="Look at fDenyTSConnections (0 is needed), at fEnableWinStation, and at the events of "
            "TerminalServices-RemoteConnectionManager.",
        )
    return (yield from _strangers(listener.port, strangers, evidence))


def _strangers(port: int, strangers: tuple[int, ...], evidence: list[str]) -> Generator[Step, Any, Finding]:
    holders: list[Holder] = []
    for pid in strangers:
        holder = yield from port_holder.read(pid, port)
        if isinstance(holder, Unknown):
            return finding("unknown", f"Who holds port {port} could not be read", *evidence, holder.reason)
        holders.append(holder)
        evidence += holder.lines()
    images = " and ".join(holder.process.image for holder in holders)
    fault = finding(
        "fault",
        f"Port {port} is held by {images}, not by Remote Desktop",
        *evidence,
        advice=" ".join(dict.fromkeys(holder.advice for holder in holders)),
    )
    signed_in = yield from look(probes.SIGNED_IN)
    for line in evidence[1:]:
        yield from note(line)
    yield from note(
        f"Either way Remote Desktop is restarted ({signed_in}). Stopping ends what the service serves; moving leaves "
        "it alone, but every client and the network security group have to be told the new port."
    )
    why = "; ".join(holder.why_not for holder in holders if holder.why_not)
    if not why:
        question = f"What shall be done about port {port}?"
        way = yield from choose(question, (FREE, MOVE, LEAVE), unattended=FREE)
        if way == FREE:
            ended = yield from port_free.free(port, tuple(holders), fault)
            if isinstance(ended, Finding):
                return ended
            why = ended
        elif way == LEAVE:
            return _left(fault)
    if why:
        yield from note(f"The port can't be freed: {why}.")
        fault = finding("fault", fault.title, *evidence, why, advice=fault.advice)
        question = f"Port {port} can't be freed. What shall be done?"
        if (yield from choose(question, (MOVE, LEAVE), unattended=MOVE)) == LEAVE:
            return _left(fault)
    return (yield from port_move.move(port, fault))


def _left(fault: Finding) -> Finding:
    return finding("declined", fault.title, *fault.evidence, advice=fault.advice)


def changes_for(name: str) -> tuple[Change[Any], ...]:
    """The changes that can be proposed for a service that holds the port, with 3390 as the port to move to."""
    scope = Scope(PROFILES)
    return (
        changes.stop_service(name, why="Its process holds the port.", risk="medium"),
        changes.start_on_demand(name, why="It starts by itself at boot, and would take the port again."),
        changes.start_service(name, why="It was stopped for the port, in vain.", risk="medium"),
        port_changes.add_rule("TCP", 3390, scope, risk="medium"),
        port_changes.add_rule("UDP", 3390, scope, risk="medium"),
        port_changes.set_port(3390),
    )


def _who(port: int, sockets: tuple[Socket, ...]) -> str:
    if not sockets:
        return f"nobody listens on port {port}"
    return f"on port {port}: " + ", ".join(f"{row.address} by process {row.pid}" for row in sockets)
