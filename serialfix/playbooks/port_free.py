"""Freeing the port: stop the service that holds it, restart Remote Desktop, and see whether it stays that way.

rdp-repair.md 2.2 "Fix A" with 0a.7 and 0a.8: dependents stop first; which service of a shared process listens is not
known for certain, so they are tried one by one, the one that netstat names first; what was stopped in vain is started
again; that a service starts by itself at boot is a change, and an approval, of its own.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from serialfix.playbooks import port_listen
from serialfix.playbooks.port_holder import Held, Holder
from serialfix.playbooks.port_listen import listens, listens_later, strangers
from serialfix.steps import Finding, Step, Unknown, do, look
from serialfix.windows import changes, port_probes, probes
from serialfix.windows.services import Service


def free(port: int, holders: tuple[Holder, ...], fault: Finding) -> Generator[Step, Any, Finding | str]:
    """Make room for Remote Desktop. The finding where that settles it; else why it was in vain, and all runs again."""
    stopped: list[str] = []
    for holder in holders:
        if stopped and (yield from listens(port)):
            break  # the first one's end was enough
        why = yield from _stop_one_of(port, holder, fault, stopped)
        if why:
            yield from _start_again(stopped, fault)
            return why
    if (yield from listens_later(port)):
        yield from _keep_free(port, stopped, fault)
        back = yield from _back(stopped)
        return port_listen.finding(
            "ok",
            f"Remote Desktop listens on port {port} again, also a minute later",
            *fault.evidence,
            f"stopped for it: {', '.join(stopped)}",
            *back,
            advice=f"What {stopped[-1]} served is gone; give it another port before it is started again.",
        )
    yield from _start_again(stopped, fault)
    return f"{', '.join(stopped)}: stopped, but the port was taken again within a minute; something starts it again"


def _stop_one_of(port: int, holder: Holder, fault: Finding, stopped: list[str]) -> Generator[Step, Any, Finding | str]:
    """Stop the services of one process until it holds the port no more: "". Adds to ``stopped``."""
    names = tuple(held.name for held in holder.services)
    hint: tuple[str, ...] | Unknown = ()
    if len(names) > 1:
        hint = yield from look(port_probes.hint(port))
    by_name = {held.name: held for held in holder.services}
    why = ""
    for name in port_listen.in_order(names, hint):
        held = by_name[name]
        if held.takes_stop is False:
            why = f"{name} takes no stop"
            continue
        if changed := (yield from _changed(port, holder, name)):
            return changed
        plan = yield from _plan(port, held)
        if isinstance(plan, Unknown):
            why = plan.reason
            continue
        done = yield from do(f"Free port {port} of {name} and restart Remote Desktop", fault, *plan)
        if done.outcome == "declined":
            return replace(fault, status="declined")
        if done.why == port_listen.NOT_ASKED_FOR:
            return fault
        mine = (*held.running_dependents, name)
        if done.outcome == "failed":
            why = done.why
            yield from _start_again([*mine], fault)
            continue
        stopped += mine
        if (yield from listens(port)) or (yield from _gone(port, holder)):
            return ""
        if (yield from _taken_again(port, name)):
            return f"{name}: stopped, but something started it again at once"
        # A process may hold several services; this was not the one that listens.
        why = f"{name} was stopped, and the process still held the port"
        yield from _start_again([*mine], fault)
        del stopped[-len(mine) :]
    return why or "no service of the process could be stopped"


def _plan(port: int, held: Held) -> Generator[Step, Any, tuple[changes.AnyChange, ...] | Unknown]:
    if isinstance(held.dependents, Unknown):
        return held.dependents
    restart = yield from port_listen.restart()
    if isinstance(restart, Unknown):
        return restart
    needs = f"It needs {held.name} and has to stop before it."
    why = f"Its process holds port {port}. What it serves is gone then."
    return (
        *(changes.stop_service(other, why=needs, risk="medium") for other in held.running_dependents),
        changes.stop_service(held.name, why=why, risk="medium"),
        *restart,
    )


def _changed(port: int, holder: Holder, name: str) -> Generator[Step, Any, str]:
    """Whether the process is still the one that was shown, just before something of it is stopped."""
    rows = yield from look(probes.listening(port), fresh=True)
    if isinstance(rows, Unknown):
        return f"who listens on port {port} could not be read again: {rows.reason}"
    pid = holder.process.pid
    process = yield from look(probes.process(pid), fresh=True)
    if isinstance(process, Unknown) or pid not in {row.pid for row in rows}:
        return f"process {pid} is not what held port {port} any more"
    now, before = set(process.services or ()), set(holder.process.services or ())
    # Others may have left it meanwhile: a service that is started again may get another process.
    if process.image != holder.process.image or not now <= before:
        return f"process {pid} is {process.image} now, with other services than before"
    return "" if name in now else f"{name} is not in process {pid} any more"


def _gone(port: int, holder: Holder) -> Generator[Step, Any, bool]:
    """Whether only other holders, known from the beginning, are left on the port."""
    rows = yield from look(probes.listening(port))
    service = yield from look(probes.TERMSERVICE)
    if isinstance(rows, Unknown) or isinstance(service, Unknown) or not rows:
        return False
    left = strangers(rows, service)
    if holder.process.pid in left:
        return False
    for pid in left:
        process = yield from look(probes.process(pid))
        if isinstance(process, Unknown) or set(process.services or ()) & set(holder.process.services or ()):
            return False
    return True


def _taken_again(port: int, name: str) -> Generator[Step, Any, bool]:
    """Whether the stopped service itself is on the port again, in whatever process."""
    service = yield from look(probes.service(name), fresh=True)
    rows = yield from look(probes.listening(port))
    if isinstance(service, Unknown) or isinstance(rows, Unknown):
        return False
    return service.state != "stopped" and service.pid in {row.pid for row in rows}


def _start_again(names: list[str], fault: Finding) -> Generator[Step, Any, None]:
    """Start what was stopped in vain and does not run, what others need first."""
    again = []
    for name in reversed(names):
        service = yield from look(probes.service(name), fresh=True)
        if isinstance(service, Service) and service.state == "stopped":
            why = "It was stopped for the port, in vain."
            again.append(changes.start_service(name, why=why, risk="medium"))
    if again:
        yield from do(f"Start {' and '.join(names)} again", fault, *again)


def _back(names: list[str]) -> Generator[Step, Any, tuple[str, ...]]:
    """Which of the stopped services run again without the port: they may be first at the next boot."""
    found = []
    for name in names:
        service = yield from look(probes.service(name), fresh=True)
        if isinstance(service, Service) and service.state != "stopped":
            found.append(f"{name} runs again, without the port: something started it, and may be first at a boot")
    return tuple(found)


def _keep_free(port: int, names: list[str], fault: Finding) -> Generator[Step, Any, None]:
    """Offer that nothing takes the port again at the next boot; a change, and a choice, of its own."""
    keep = []
    for name in reversed(names):
        how = yield from look(probes.start_type(name))
        if isinstance(how, Unknown) or how is None or how.number != 2:
            continue
        why = f"It starts by itself at boot, and would take port {port} again"
        if name != names[-1]:
            why = f"It starts by itself at boot, and would start {names[-1]} with it, which takes port {port}"
        keep.append(changes.start_on_demand(name, why=f"{why}."))
    if keep:
        yield from do(f"Keep port {port} free at the next boot", fault, *keep)
