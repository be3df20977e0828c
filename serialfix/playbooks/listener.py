"""What several checks share: how Remote Desktop is seen now, and the restart that makes it take changed settings.

rdp-repair.md 2.8 T09: SessionEnv makes certificates, TermService takes one when it starts, so both are restarted, in
this order; 0a.1: the look from outside is trusted most.
"""

from collections.abc import Generator
from typing import Any

from serialfix.steps import Probe, Step, Unknown, ahead, look
from serialfix.windows import changes, probes
from serialfix.windows.inside_look import CLIENT_OFF, inside
from serialfix.windows.rdp_look import RdpLook

UNSEEN = ("not_reachable_from_here",)
"""Verdicts of a look that say nothing about the VM (rdp-repair.md 0a.1)."""


def outside_now(*, fresh: bool = False) -> Generator[Step, Any, RdpLook | Unknown]:
    """How Remote Desktop answers from outside now, on the port that it is told to use."""
    listener = yield from look(probes.LISTENER)
    if isinstance(listener, Unknown):
        return listener
    return (yield from look(probes.outside(listener.port), fresh=fresh))


def inside_now(*, fresh: bool = False) -> Generator[Step, Any, RdpLook | Unknown]:
    """How it answers inside the VM now, on that port."""
    listener = yield from look(probes.LISTENER)
    if isinstance(listener, Unknown):
        return listener
    off = yield from look(CLIENT_OFF)
    return (yield from look(inside(listener.port, None if isinstance(off, Unknown) else off), fresh=fresh))


def seen_now(*, fresh: bool = False) -> Generator[Step, Any, RdpLook | Unknown]:
    """How it answers now: from outside or, where it can't be seen from here, inside the VM."""
    seen = yield from outside_now(fresh=fresh)
    return (yield from inside_now(fresh=fresh)) if unseen(seen) else seen


def listener_now() -> Generator[Step, Any, RdpLook | Unknown]:
    """What the listener itself does now: where it does not answer from outside, the look from inside tells it apart.

    A network that lets nobody through says nothing about certificate, key or TLS (rdp-repair.md 0a.1).
    """
    seen = yield from outside_now()
    if isinstance(seen, RdpLook) and seen.healthy:
        return seen
    inner = yield from inside_now()
    return seen if unseen(inner) else inner


def unseen(seen: RdpLook | Unknown) -> bool:
    """Whether a look says nothing about the VM."""
    return isinstance(seen, Unknown) or seen.verdict in UNSEEN


def restarting() -> tuple[Probe[Any], ...]:
    """What ``restart`` looks at."""
    return (probes.service("SessionEnv"), probes.TERMSERVICE, probes.TERMSERVICE_DEPENDENTS)


def restart(*, why: str, start: bool) -> Generator[Step, Any, tuple[changes.AnyChange, ...] | Unknown]:
    """The changes that restart SessionEnv and TermService, with the services that need it; or what could not be read.

    ``start``: a SessionEnv that does not run is started; otherwise it is left alone.
    """
    made: list[changes.AnyChange] = []
    yield from ahead(*restarting())
    session_env = yield from look(probes.service("SessionEnv"))
    if isinstance(session_env, Unknown):
        return session_env
    if session_env.state == "running":
        made += changes.restart_service("SessionEnv", (), why=why, risk="low")
    elif start:
        made.append(changes.start_service("SessionEnv", why=why, risk="low", ran=False))
    service = yield from look(probes.TERMSERVICE)
    dependents = yield from look(probes.TERMSERVICE_DEPENDENTS)
    if isinstance(service, Unknown):
        return service
    if isinstance(dependents, Unknown):
        return dependents
    cut = f"{why} Sessions are cut, programs in them go on."
    if service.state == "running":
        made += changes.restart_service("TermService", dependents, why=cut, risk="medium")
    else:
        made.append(changes.start_service("TermService", why=why, risk="medium", ran=False))
    return tuple(made)
