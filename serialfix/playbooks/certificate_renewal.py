"""A certificate's renewal: what is in the way goes, the services restart, and Windows makes a new certificate.

rdp-repair.md 2.3 "Fix (renew)" and "Verify", 2.8 T06 to T09: SessionEnv makes the certificate, TermService takes it
when it starts. It has succeeded when another self-signed certificate is in the store, its key is there, and the port
shows that one; otherwise the finding says which of the three failed.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from serialfix.playbooks.listener import inside_now, outside_now, restart, restarting, unseen
from serialfix.steps import Change, Finding, Probe, Step, Unknown, ahead, do, growing, look, wait
from serialfix.windows import (
    certificate_changes,
    certificate_store,
    changes,
    event_xml,
    key_file,
    probes,
    system_helper,
)
from serialfix.windows.certificate_store import REMOTE_DESKTOP, Contents, Entry
from serialfix.windows.rdp_look import RdpLook

CHECK = "certificate"
DOCS = certificate_changes.DOCS
MADE, FAILED = 1056, (1057, 1058)
"""Events of RemoteConnectionManager: a certificate was made, or could not be (rdp-repair.md 8.3)."""

NEEDED = (("CryptSvc", 2), ("KeyIso", 3), ("SessionEnv", 3))
"""Services without which Windows makes no certificate, and how each starts on a healthy machine (2.3)."""

PATIENCE, STEP = 60.0, 5.0
"""Seconds for which a new certificate is waited for, and at most between two looks."""
ANSWERS = 15.0
"""Seconds for which it is waited for that Remote Desktop shows it."""

WHY_RESTART = "SessionEnv makes the new certificate, and Remote Desktop takes it when it starts."


@dataclass(frozen=True, slots=True)
class Renewal:
    """What is wrong, and what stands in the way. ``guid`` and ``size``: of the key file; size None: there is none.

    ``delete``: the entries that go, each with whether its private key is still there.
    """

    fault: Finding
    guid: str
    size: int | None
    delete: tuple[tuple[Entry, bool], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """Remote Desktop as a client sees it; ``inside`` is None where the look from outside says enough."""

    outside: RdpLook | Unknown
    inside: RdpLook | Unknown | None

    @property
    def best(self) -> RdpLook | None:
        """The look that says most about the listener, if there is one."""
        looks = [each for each in (self.inside, self.outside) if isinstance(each, RdpLook) and not unseen(each)]
        return looks[0] if looks else None

    @property
    def healthy(self) -> bool:
        """Whether a handshake of today succeeds."""
        return self.best is not None and self.best.healthy

    def __str__(self) -> str:
        looks = (("outside", self.outside), ("inside", self.inside))
        return "; ".join(f"from {where}: {_said(look)}" for where, look in looks if look is not None)


def _said(look: RdpLook | Unknown) -> str:
    return f"it could not be seen ({look})" if isinstance(look, Unknown) else f"{look.sentence} ({look.verdict})"


def looked(*, fresh: bool = False) -> Generator[Step, Any, Seen]:
    """How Remote Desktop answers now, from outside and, where it does not answer there, from inside.

    ``fresh``: while a repair is waited for; then inside only where it can't be seen from outside.
    """
    outside = yield from outside_now(fresh=fresh)
    healthy = isinstance(outside, RdpLook) and outside.healthy
    needed = unseen(outside) if fresh else not healthy
    return Seen(outside, (yield from inside_now(fresh=fresh)) if needed else None)


def finding(status: Any, title: str, *evidence: str, advice: str = "") -> Finding:
    """A finding of the check of the certificate."""
    return Finding(CHECK, status, title, evidence, advice, DOCS)


def holding(store: str) -> tuple[Probe[Any], ...]:
    """What ``held`` looks at."""
    return (certificate_store.STORES, certificate_store.contents(store))


def held(store: str, *, fresh: bool = False) -> Generator[Step, Any, Contents | Unknown]:
    """What is in a certificate store; nothing where there is no such store."""
    yield from ahead(*holding(store), fresh=fresh)
    stores = yield from look(certificate_store.STORES)
    if isinstance(stores, Unknown):
        return stores
    if store.lower() not in stores:
        return Contents()
    return (yield from look(certificate_store.contents(store)))


def renew(wanted: Renewal) -> Generator[Step, Any, Finding]:
    """Propose the changes; when they are made, see whether there is a new certificate that Remote Desktop shows."""
    fault = wanted.fault
    yield from ahead(probes.ELEVATED, *(probes.start_type(name) for name, _ in NEEDED), *restarting())
    elevated = yield from look(probes.ELEVATED)
    if elevated is False:
        return finding(
            "fault",
            fault.title,
            *fault.evidence,
            "this login is not elevated (whoami /groups shows no high integrity level)",
            advice="Log in with the built-in administrator, or repair with Run Command; nothing was changed.",
        )
    enabled = yield from _enable()
    if isinstance(enabled, Unknown):
        return finding("fault", fault.title, *fault.evidence, enabled.reason, advice=fault.advice)
    name = ""
    if wanted.size == 0:
        drawn = yield from look(system_helper.new_name("the empty key file"))
        if isinstance(drawn, Unknown):
            return finding("fault", fault.title, *fault.evidence, drawn.reason, advice=fault.advice)
        name = drawn
    services = yield from restart(why=WHY_RESTART, start=True)
    if isinstance(services, Unknown):
        return finding("fault", fault.title, *fault.evidence, services.reason, advice=fault.advice)
    away = proposed(wanted.delete, wanted.size, wanted.guid, name)
    done = yield from do("Have Windows make a new certificate for Remote Desktop", fault, *enabled, *away, *services)
    if done.outcome == "declined":
        return finding("declined", fault.title, *fault.evidence, advice=fault.advice)
    if done.outcome == "failed":
        return finding("fault", fault.title, *fault.evidence, done.why, advice=fault.advice)
    return (yield from _renewed(wanted))


def proposed(delete: tuple[tuple[Entry, bool], ...], size: int | None, guid: str, name: str) -> tuple[Change[Any], ...]:
    """The changes that clear the way: an empty key file (``size`` 0) gets the name ``name``, then the entries go."""
    moved = (certificate_changes.move_empty_key(guid, name),) if size == 0 else ()
    entries = (
        certificate_changes.delete_entry(
            entry,
            why="While it is in the store Windows makes no new one."
            if there
            else "Its private key is gone, and while it is in the store Windows makes no new one.",
            key_is_there=there,
        )
        for entry, there in delete
    )
    return (*moved, *entries)


def _enable() -> Generator[Step, Any, tuple[Change[Any], ...] | Unknown]:
    """The changes for services that are needed and disabled; any other way of starting is left as it is."""
    made: list[Change[Any]] = []
    for name, start in NEEDED:
        how = yield from look(probes.start_type(name))
        if isinstance(how, Unknown):
            return Unknown(f"how the service {name} starts could not be read: {how.reason}")
        if how is not None and how.number == 4:
            why = "It is disabled, and without it Windows makes no certificate."
            made.append(certificate_changes.enable_service(name, start, why=why))
            if start == 2:
                made.append(changes.start_service(name, why=why, risk="low", ran=False))
    return tuple(made)


def _renewed(wanted: Renewal) -> Generator[Step, Any, Finding]:
    evidence = list(wanted.fault.evidence)
    new = yield from _new(wanted)
    events = yield from look(event_xml.CERTIFICATE_EVENTS, fresh=True)
    if not isinstance(events, Unknown) and events:
        evidence.append(f"newest event of the certificate: {events[0].number} at {events[0].at:%Y-%m-%d %H:%M:%S} UTC")
    if new is None:
        failed = not isinstance(events, Unknown) and bool(events) and events[0].number in FAILED
        return finding(
            "fault",
            f"Windows made no new certificate within {PATIENCE:.0f} seconds",
            *evidence,
            advice="Windows says that it could not make one: look at the permissions of the folder MachineKeys and of "
            "the store's registry key."
            if failed
            else "Look at the events of TerminalServices-RemoteConnectionManager in the System log.",
        )
    evidence.append(f"now in the store: {new}")
    size = yield from look(key_file.size(wanted.guid), fresh=True)
    if isinstance(size, Unknown):
        return finding("unknown", "Whether the new certificate has its key could not be seen", *evidence, size.reason)
    if new.provider == "legacy" and not size:
        return finding("fault", "There is a new certificate, but the file of its private key is not there", *evidence)
    seen = yield from _answers(new)
    return (yield from _shown(new, seen, evidence))


def _new(wanted: Renewal) -> Generator[Step, Any, Entry | None]:
    """The self-signed certificate that stands for those that went, when it is in the store."""
    gone = {entry.thumbprint for entry, _ in wanted.delete}
    for pause in growing(PATIENCE, STEP):
        store = yield from held(REMOTE_DESKTOP, fresh=True)
        if isinstance(store, Contents):
            found = [entry for entry in store.entries if entry.self_signed and entry.thumbprint not in gone]
            if found:
                return max(found, key=lambda entry: entry.not_after)
        yield from wait(pause, "Windows may need a while to make a certificate")
    return None


def _answers(new: Entry) -> Generator[Step, Any, Seen]:
    """How Remote Desktop answers, as soon as it shows the new certificate; at the end, as it does then."""
    seen = yield from looked(fresh=True)
    for pause in growing(ANSWERS, 3.0):
        best = seen.best
        if best is None or (best.certificate is not None and best.certificate.sha1 == new.thumbprint):
            break
        yield from wait(pause, "the service may need a while to listen")
        seen = yield from looked(fresh=True)
    return seen


def _shown(new: Entry, seen: Seen, evidence: list[str]) -> Generator[Step, Any, Finding]:
    made = f"Windows has made a new certificate, valid until {new.not_after:%Y-%m-%d}"
    evidence.append(str(seen))
    if seen.best is None:
        return finding("ok", made, *evidence, "whether Remote Desktop shows it could not be seen")
    if not seen.healthy:
        protocols = yield from look(probes.TLS_PROTOCOLS)
        off = not isinstance(protocols, Unknown) and any(each.version == "TLS 1.2" and each.off for each in protocols)
        if off:
            return finding("ok", made, *evidence, "no handshake can succeed while TLS 1.2 is switched off")
        title = "There is a new certificate with its key, but handshakes still fail"
        advice = "TermService may not be allowed to read the key, or the fault is another: look at Schannel's events."
        return finding("fault", title, *evidence, advice=advice)
    shown = seen.best.certificate
    if shown is None:
        why = seen.best.certificate_note or "the look brought no certificate"
        return finding("ok", made, *evidence, f"whether Remote Desktop shows it could not be seen: {why}")
    if shown.sha1 != new.thumbprint:
        title = "There is a new certificate, but Remote Desktop shows another one"
        advice = "Restart TermService once more: it takes the certificate when it starts."
        return finding("fault", title, *evidence, f"it shows {shown.sha1}", advice=advice)
    return finding("ok", made, *evidence, "Remote Desktop shows it")
