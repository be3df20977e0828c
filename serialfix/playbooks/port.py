"""The check of the RDP port: does Remote Desktop itself listen where it is told to, and if not, who does?

rdp-repair.md 2.2 with 0a.7: owners are compared by process, never by a name that netstat prints; what is done about a
stranger on the port is the engineer's choice; a service is stopped with its dependents and looked at again a minute
later, since watchdogs bring services back. Whatever is no service, or is Windows itself, is left alone.
"""

from collections.abc import Generator
from typing import Any

from serialfix.steps import Finding, Step, Unknown, choose, do, look, note, wait
from serialfix.windows import changes, probes
from serialfix.windows.netstat import Socket
from serialfix.windows.services import Service
from serialfix.windows.tasklist import Process

CHECK = "port"
DOCS = "https://learn.microsoft.com/windows-server/remote/remote-desktop-services/remotepc/change-listening-port"

SYSTEM = 4
"""The process of http.sys: whatever it serves is many sites' (rdp-repair.md 0a.7)."""

UNTOUCHABLE = frozenset(
    ["lsass.exe", "services.exe", "csrss.exe", "wininit.exe", "smss.exe", "winlogon.exe", "system", "registry"]
) | frozenset({"rpcss", "dcomlaunch", "rpceptmapper", "http", "w3svc", "lsm", "samss", "eventlog", "bfe", "mpssvc"})
"""Programs and services that are never stopped, whatever they hold."""

FREE, LEAVE = "stop the service that holds the port", "leave it as it is"
LATER = 60.0


def check_port() -> Generator[Step, Any, Finding]:
    """Compare who listens on the configured port with the Remote Desktop service."""
    listener = yield from look(probes.LISTENER)
    if isinstance(listener, Unknown):
        return _finding("unknown", "The RDP port could not be read", listener.reason)
    service = yield from look(probes.TERMSERVICE)
    if isinstance(service, Unknown):
        return _finding("unknown", "The Remote Desktop service could not be read", service.reason)
    sockets = yield from look(probes.listening(listener.port))
    if isinstance(sockets, Unknown):
        return _finding("unknown", f"Who listens on port {listener.port} could not be read", sockets.reason)
    evidence = [f"TermService is {service}", _who(listener.port, sockets)]
    if service.state != "running":
        return _finding(
            "fault",
            "The Remote Desktop service does not run",
            *evidence,
            advice="Find out who stopped it, then start it: sc start TermService",
        )
    strangers = sorted({row.pid for row in sockets if row.pid is not None and row.pid != service.pid})
    if sockets and not strangers:
        return _finding("ok", f"Remote Desktop itself listens on port {listener.port}", *evidence)
    if not strangers:
        return _finding(
            "fault",
            f"Remote Desktop runs, but does not listen on port {listener.port}",
            *evidence,
            advice="Look at fDenyTSConnections (0 is needed), at fEnableWinStation, and at the events of "
            "TerminalServices-RemoteConnectionManager.",
        )
    return (yield from _strangers(listener.port, service, strangers, evidence))


def _strangers(port: int, service: Service, strangers: list[int], evidence: list[str]) -> Generator[Step, Any, Finding]:
    holders: list[Process] = []
    for pid in strangers:
        holder = yield from look(probes.process(pid))
        if isinstance(holder, Unknown):
            return _finding("unknown", f"Who holds port {port} could not be read", *evidence, holder.reason)
        holders.append(holder)
        names = ", ".join(holder.services or ()) or "no service"
        evidence.append(f"process {pid} is {holder.image} ({names})")
    finding = _finding(
        "fault",
        f"Port {port} is held by {' and '.join(holder.image for holder in holders)}, not by Remote Desktop",
        *evidence,
        advice="Stop that service, or move Remote Desktop or it to another port.",
    )
    if reason := next((why for holder in holders if (why := _why_not(holder))), ""):
        yield from note(f"It is left alone: {reason}.")
        return _finding("fault", finding.title, *evidence, reason, advice=finding.advice)
    way = yield from choose(f"What shall be done about port {port}?", (FREE, LEAVE), unattended=FREE)
    if way == LEAVE:
        return _finding("declined", finding.title, *evidence, advice=finding.advice)
    return (yield from _free(port, service, holders, finding))


def _why_not(holder: Process) -> str:
    """Why a holder of the port is not stopped, or an empty string."""
    names = [holder.image, *(holder.services or ())]
    if holder.pid == SYSTEM or any(name.lower() in UNTOUCHABLE for name in names):
        return f"{holder.image} belongs to Windows and serves others, too"
    if not holder.services:
        return f"{holder.image} is no service; who started it has to end it"
    return ""


def _free(port: int, service: Service, holders: list[Process], finding: Finding) -> Generator[Step, Any, Finding]:
    own = yield from look(probes.TERMSERVICE_DEPENDENTS)
    if isinstance(own, Unknown):
        return _finding("fault", finding.title, *finding.evidence, own.reason, advice=finding.advice)
    restart = changes.restart_service(
        "TermService", own, why="It takes the port only when it starts. Sessions are cut.", risk="medium"
    )
    for name in [name for holder in holders for name in holder.services or ()]:
        needing = yield from look(probes.dependents(name))
        if isinstance(needing, Unknown):
            return _finding("fault", finding.title, *finding.evidence, needing.reason, advice=finding.advice)
        running = [other.name for other in needing if other.state != "stopped"]
        stop = [
            changes.stop_service(other, why=f"It needs {name} and has to stop before it.", risk="medium")
            for other in running
        ]
        why = f"Its process holds port {port}. What it serves is gone then."
        stop.append(changes.stop_service(name, why=why, risk="medium"))
        done = yield from do(f"Free port {port} of {name} and restart Remote Desktop", finding, *stop, *restart)
        if done.outcome == "declined":
            return _finding("declined", finding.title, *finding.evidence, advice=finding.advice)
        if done.outcome == "failed":
            return _finding("fault", finding.title, *finding.evidence, done.why, advice=finding.advice)
        if (yield from _listens(port)):
            yield from _keep_free(name, port, finding)
            return (yield from _later(port, finding))
        # A process may hold several services; this was not the one that listens.
        again = [
            changes.start_service(other, why="It did not hold the port.", risk="medium") for other in (name, *running)
        ]
        yield from do(f"Start {name} again", finding, *again)
    return _finding("fault", f"Port {port} is still not Remote Desktop's", *finding.evidence, advice=finding.advice)


def _keep_free(name: str, port: int, finding: Finding) -> Generator[Step, Any, None]:
    """Offer that the service does not take the port again at the next boot; a change, and a choice, of its own."""
    how = yield from look(probes.start_type(name))
    if isinstance(how, Unknown) or how is None or how.number != 2:
        return
    why = f"It starts by itself at boot, and would take port {port} again."
    yield from do(
        f"Keep {name} from taking port {port} at the next boot", finding, changes.start_on_demand(name, why=why)
    )


def _listens(port: int) -> Generator[Step, Any, bool]:
    """Does Remote Desktop listen now? It may need a few seconds."""
    for _ in range(10):
        service = yield from look(probes.TERMSERVICE, fresh=True)
        sockets = yield from look(probes.listening(port), fresh=True)
        if isinstance(service, Service) and not isinstance(sockets, Unknown) and sockets:
            return {row.pid for row in sockets} == {service.pid}
        yield from wait(3.0, "the service may need a while to listen")
    return False


def _later(port: int, finding: Finding) -> Generator[Step, Any, Finding]:
    yield from wait(LATER, "something may start the other service again; it is looked at once more")
    if (yield from _listens(port)):
        return _finding("ok", f"Remote Desktop listens on port {port} again, also a minute later", *finding.evidence)
    return _finding(
        "fault",
        f"Port {port} was taken away again within a minute",
        *finding.evidence,
        advice="Something starts that service again. Move it, or Remote Desktop, to another port.",
    )


def changes_for(name: str) -> tuple[changes.AnyChange, ...]:
    """The changes that can be proposed for a service that holds the port."""
    return (
        changes.stop_service(name, why="Its process holds the port.", risk="medium"),
        changes.start_on_demand(name, why="It starts by itself at boot, and would take the port again."),
        changes.start_service(name, why="It did not hold the port.", risk="medium"),
    )


def _who(port: int, sockets: tuple[Socket, ...]) -> str:
    if not sockets:
        return f"nobody listens on port {port}"
    return f"on port {port}: " + ", ".join(f"{row.address} by process {row.pid}" for row in sockets)


def _finding(status: Any, title: str, *evidence: str, advice: str = "") -> Finding:
    return Finding(CHECK, status, title, evidence, advice, DOCS)
