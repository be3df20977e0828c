"""What the parts of the port check share: its finding, and whether Remote Desktop listens on a port now.

rdp-repair.md 2.2 "Verify" and 0a.7: owners are compared by process, all listeners count, and it is looked at once and
again a minute later, since watchdogs bring services back.
"""

from collections.abc import Generator
from typing import Any

from serialfix.steps import Finding, Status, Step, Unknown, ahead, growing, look, wait
from serialfix.windows import changes, probes
from serialfix.windows.netstat import Socket
from serialfix.windows.services import Service

CHECK = "port"
DOCS = "https://learn.microsoft.com/windows-server/remote/remote-desktop-services/remotepc/change-listening-port"

LATER = 60.0
"""Seconds after which it is looked at once more."""
PATIENCE = 30.0
"""Seconds that a restarted service has to listen."""
NOT_ASKED_FOR = "nothing was changed"
"""What the engine says of a proposal in a diagnosis: there is nothing to try next then."""


def finding(status: Status, title: str, *evidence: str, advice: str = "") -> Finding:
    """A finding of this check."""
    return Finding(CHECK, status, title, evidence, advice, DOCS)


def loopback(row: Socket) -> bool:
    """Whether nobody outside the VM reaches that listener."""
    return row.address.startswith("127.") or row.address == "[::1]"


def strangers(rows: tuple[Socket, ...], service: Service) -> tuple[int, ...]:
    """The processes other than Remote Desktop's that listen there, sorted.

    One that listens on the loopback address only does no harm where Remote Desktop listens itself (rdp-repair.md 2.2).
    """
    others = [row for row in rows if row.pid is not None and row.pid != service.pid]
    if any(row.pid == service.pid and not loopback(row) for row in rows):
        others = [row for row in others if not loopback(row)]
    return tuple(sorted({row.pid for row in others if row.pid is not None}))


def listens(port: int) -> Generator[Step, Any, bool]:
    """Does Remote Desktop listen now, and nobody else? It may need a few seconds."""
    for pause in growing(PATIENCE, 3.0):
        yield from ahead(probes.TERMSERVICE, probes.listening(port), fresh=True)
        service = yield from look(probes.TERMSERVICE)
        rows = yield from look(probes.listening(port))
        if isinstance(service, Service) and not isinstance(rows, Unknown) and rows:
            return service.state == "running" and not strangers(rows, service)
        yield from wait(pause, "the service may need a while to listen")
    return False


def listens_later(port: int) -> Generator[Step, Any, bool]:
    """Does it still listen a minute later?"""
    yield from wait(LATER, "something may take the port again; it is looked at once more")
    return (yield from listens(port))


def restart() -> Generator[Step, Any, tuple[changes.AnyChange, ...] | Unknown]:
    """The changes that make Remote Desktop listen anew, with the services that need it; or what could not be read."""
    yield from ahead(probes.TERMSERVICE, probes.TERMSERVICE_DEPENDENTS, fresh=True)
    service = yield from look(probes.TERMSERVICE)
    if isinstance(service, Unknown):
        return service
    dependents = yield from look(probes.TERMSERVICE_DEPENDENTS)
    if isinstance(dependents, Unknown):
        return dependents
    why = "It takes its port only when it starts. Sessions are cut."
    if service.state == "stopped":
        return (changes.start_service("TermService", why=why, risk="medium", ran=False),)
    return changes.restart_service("TermService", dependents, why=why, risk="medium")


def outside(port: int) -> Generator[Step, Any, str]:
    """How the port is seen from outside just now, in a sentence."""
    seen = yield from look(probes.outside(port), fresh=True)
    said = f"could not be looked at ({seen.reason})" if isinstance(seen, Unknown) else seen.sentence
    return f"port {port} from outside: {said}"


def in_order(names: tuple[str, ...], hint: tuple[str, ...] | Unknown) -> tuple[str, ...]:
    """The services of a process, the one that netstat names first; a hint that is none of them changes nothing.

    >>> in_order(("InvSync", "InvWeb"), ("invweb",))
    ('InvWeb', 'InvSync')
    """
    named = () if isinstance(hint, Unknown) else tuple(name.lower() for name in hint)
    return tuple(sorted(names, key=lambda name: name.lower() not in named))
