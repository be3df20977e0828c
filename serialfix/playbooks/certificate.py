"""The check of Remote Desktop's certificate: is there one, is it in date, is its private key there?

The decisions of rdp-repair.md 2.3 with 0a.6: no certificate in the store is no fault, since Windows makes one; a
self-signed one that is out of date, or whose key is gone while no handshake succeeds, is in the way of a new one and is
deleted; one that was issued by another, never, and none at all while a pin names one. An expired certificate lets
clients in after a warning, so it is never called the cause of a failed handshake. The check of the key's permissions
comes before this one (0.3).
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from serialfix.playbooks.certificate_renewal import (
    CHECK,
    DOCS,
    NEEDED,
    Renewal,
    Seen,
    finding,
    held,
    holding,
    looked,
    proposed,
    renew,
)
from serialfix.steps import Change, Finding, Step, Unknown, Unreadable, look
from serialfix.windows import certificate_changes, key_file, probes
from serialfix.windows.certificate_store import MY, REMOTE_DESKTOP, Contents, Entry
from serialfix.windows.clock import NEWEST_EVENT, NOW, Clock, Clocks
from serialfix.windows.rdp_look import RdpLook

__all__ = ["CHECK", "DOCS", "changes_for", "check_certificate"]

FIRST = (probes.LISTENER, *holding(REMOTE_DESKTOP))
"""What it begins with. Where there is no such store, the question about its contents is answered by that."""

CONTAINER = "TSSecKeySet1"
"""The container of the key that Windows makes for Remote Desktop; only its file can be told by name."""

NOT_THE_CAUSE = "an expired certificate lets clients in after a warning; it does not make handshakes fail"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known before anything is decided. ``size``: of the key file, None where there is none."""

    store: Contents
    seen: Seen
    guid: str | Unknown
    size: int | Unknown | None
    clocks: Clocks

    @property
    def fails(self) -> bool:
        """Whether the port answers as RDP and handshakes fail as they do without certificate or key (8.2)."""
        seen = self.seen.best
        if seen is None:
            return False
        no_certificate = seen.verdict == "neg_failure" and seen.failure_code == 3
        return no_certificate or seen.verdict in ("tls_reset", "tls_alert", "tls_stall")

    @property
    def own(self) -> tuple[Entry, ...]:
        """The self-signed certificates, which Windows can make anew."""
        return tuple(entry for entry in self.store.entries if entry.self_signed)

    def keyless(self, entry: Entry) -> bool:
        """Whether an entry's key is known to be gone. Of a CNG key, or another container's, that is not known."""
        if entry.provider == "none":
            return True
        ours = entry.provider == "legacy" and entry.container == CONTAINER
        return ours and not isinstance(self.size, Unknown) and not self.size

    @property
    def evidence(self) -> tuple[str, ...]:
        """All of it in words."""
        return (*_shown(self.store), str(self.seen), _key(self.size), str(self.clocks))


def check_certificate() -> Generator[Step, Any, Finding]:
    """Look at the certificate that Remote Desktop takes, and have Windows make a new one where that helps."""
    listener = yield from look(probes.LISTENER)
    if isinstance(listener, Unknown):
        return finding("unknown", "Remote Desktop's settings could not be read", listener.reason)
    store = yield from held(REMOTE_DESKTOP)
    if isinstance(store, Unknown):
        return finding("unknown", "Remote Desktop's certificates could not be read", store.reason)
    seen = yield from looked()
    if listener.pin is None and _shows_one_in_date(seen):
        return finding("ok", "Remote Desktop shows a certificate that is in date", *_shown(store), str(seen))
    guid = yield from look(key_file.MACHINE_GUID)
    size: int | Unknown | None = guid if isinstance(guid, Unknown) else (yield from look(key_file.size(guid)))
    clocks = yield from _clocks(seen)
    facts = Facts(store, seen, guid, size, clocks)
    if listener.pin is not None:
        return (yield from _pinned(listener.pin, facts))
    if not store.entries and not store.broken:
        return (yield from _none(facts))
    return (yield from _entries(facts))


def _renew(
    facts: Facts, title: str, *why: str, advice: str, delete: tuple[Entry, ...] = ()
) -> Generator[Step, Any, Finding]:
    """Have the certificate renewed, unless what would be needed for it is not known."""
    fault = finding("fault", title, *facts.evidence, *why, advice=advice)
    if facts.clocks.off is not None:
        first = "Set the VM's clock first (w32tm /resync, or s at SAC>), and run this again. Nothing was changed."
        return replace(fault, advice=first)
    if isinstance(facts.guid, Unknown) or isinstance(facts.size, Unknown):
        return fault  # what is not known to be there can't be given back
    keys = tuple((entry, not facts.keyless(entry)) for entry in delete)
    return (yield from renew(Renewal(fault, facts.guid, facts.size, keys)))


def _none(facts: Facts) -> Generator[Step, Any, Finding]:
    """No certificate and no pin: Windows makes one when it can, so it is only a fault where handshakes fail."""
    if not facts.fails:
        return finding("ok", "There is no certificate yet; Windows makes one by itself", *facts.evidence)
    return (
        yield from _renew(
            facts,
            "Remote Desktop has no certificate, and Windows has made none",
            advice="Restart SessionEnv, which makes one, and then TermService; neither it, CryptSvc nor KeyIso may be "
            "disabled.",
        )
    )


def _entries(facts: Facts) -> Generator[Step, Any, Finding]:
    own = facts.own
    keyless = [entry for entry in own if facts.fails and facts.keyless(entry)]
    bad = tuple(entry for entry in own if entry in keyless or facts.clocks.past(entry.not_after))
    if facts.fails and not keyless and len(bad) < len(own):
        bad = ()  # one in date has its key; what is out of date beside it harms nobody
    if not bad:
        return (yield from _nothing_to_delete(facts))
    advice = (
        f"Delete {' and '.join(entry.thumbprint for entry in bad)} from the store {REMOTE_DESKTOP}, and restart "
        "SessionEnv and then TermService, so that Windows makes a new one."
    )
    if keyless:
        title = "Remote Desktop's certificate has lost its private key, so no handshake can succeed"
        return (yield from _renew(facts, title, advice=advice, delete=bad))
    title = "Remote Desktop's certificate has expired, and Windows has made no new one"
    return (yield from _renew(facts, title, NOT_THE_CAUSE, advice=advice, delete=bad))


def _nothing_to_delete(facts: Facts) -> Generator[Step, Any, Finding]:
    if facts.fails:
        return _other_reason(facts)
    if any(facts.clocks.past(entry.not_after) is None for entry in facts.own):
        title = "Whether the certificate has expired could not be found out"
        return finding("unknown", title, *facts.evidence, advice="Look at the VM's clock: s at SAC> shows it.")
    best = facts.seen.best
    if best is None or not best.healthy or best.certificate is None:
        return finding("ok", "The store of Remote Desktop's certificates is in order", *facts.evidence)
    standing = next((entry for entry in facts.store.entries if entry.thumbprint == best.certificate.sha1), None)
    if standing is not None and not standing.self_signed:
        return finding(
            "fault",
            "The certificate that Remote Desktop shows was issued by another, and is out of date",
            *facts.evidence,
            NOT_THE_CAUSE,
            advice="Renew it where it was issued. It is not deleted, since Windows can't make that one anew.",
        )
    if standing is not None or all(facts.keyless(entry) for entry in facts.own):
        return finding("ok", "No certificate in the store has expired", *facts.evidence)
    return (
        yield from _renew(
            facts,
            "Remote Desktop still shows an old certificate, though there is a newer one",
            NOT_THE_CAUSE,
            advice="Restart TermService: it takes the certificate when it starts.",
        )
    )


def _other_reason(facts: Facts) -> Finding:
    """Handshakes fail, and nothing in the store may be deleted for it: what can be said."""
    if facts.store.broken:
        return finding(
            "fault",
            "An entry among Remote Desktop's certificates can't be read, and no handshake succeeds",
            *facts.evidence,
            advice="It may be in the way of a new certificate. Export its key with reg export, delete it, and restart "
            "SessionEnv and then TermService.",
        )
    known = [entry for entry in facts.store.entries if entry.provider == "legacy" and entry.container == CONTAINER]
    if known and not isinstance(facts.size, Unknown) and facts.size:
        title = "There is a certificate in date, and the file of its key; handshakes fail for another reason"
        return finding("ok", title, *facts.evidence)
    return finding(
        "unknown",
        "Whether the certificate's private key is there could not be found out",
        *facts.evidence,
        advice="certutil -store names the key of each certificate; TermService (NETWORK SERVICE) has to read it.",
    )


def _pinned(pin: str, facts: Facts) -> Generator[Step, Any, Finding]:
    """A pin decides alone: what it names is reported, and nothing is deleted while it is there."""
    evidence = [*facts.evidence, f"the listener is told to take the certificate {pin}"]
    advice = (
        "Where this VM is no RD Connection Broker, delete the value SSLCertificateSHA1Hash of RDP-Tcp and restart "
        "SessionEnv and then TermService; or install the certificate again, with its key."
    )
    my = yield from held(MY)
    entry: Entry | Unknown | None
    try:
        entry = facts.store.find(pin) or (my if isinstance(my, Unknown) else my.find(pin))
    except Unreadable as problem:
        entry = Unknown(str(problem))
    if isinstance(entry, Unknown):
        return finding("unknown", "The certificate that the listener names could not be read", *evidence, entry.reason)
    if entry is None or entry.provider == "none":
        lack = "is in no store" if entry is None else "has no private key"
        title = f"The certificate that the listener is told to take {lack}"
        return finding("ok" if facts.seen.healthy else "fault", title, *evidence, advice=advice)
    evidence.append(f"it is {entry}")
    if facts.fails and facts.keyless(entry):
        title = "The certificate that the listener is told to take has lost its private key"
        return finding("fault", title, *evidence, advice=advice)
    if facts.clocks.past(entry.not_after):
        title = "The certificate that the listener is told to take has expired"
        renewal = "Install a new one and name it in SSLCertificateSHA1Hash."
        return finding("fault", title, *evidence, NOT_THE_CAUSE, advice=renewal)
    if facts.fails:
        return finding(
            "unknown",
            "The certificate that the listener is told to take is there; whether its key can be read was not looked at",
            *evidence,
            advice="TermService (NETWORK SERVICE, S-1-5-20) has to read its key: certutil -store names the container.",
        )
    return finding("ok", "The certificate that the listener is told to take is there", *evidence)


def _shows_one_in_date(seen: Seen) -> bool:
    """Whether a handshake succeeds with a certificate in date: by our clock, or the look's where ours is not known."""
    if seen.best is None or not seen.healthy or seen.best.certificate is None:
        return False
    at = seen.best.at if isinstance(seen.outside, Unknown) else seen.outside.at
    return seen.best.certificate.not_before <= at <= seen.best.certificate.not_after


def _clocks(seen: Seen) -> Generator[Step, Any, Clocks]:
    """The VM's clock, and ours as the look from outside noted it, even where it did not get there."""
    ours = None if isinstance(seen.outside, Unknown) else seen.outside.at
    if isinstance(seen.inside, RdpLook):
        # It was made by the VM's clock, about when ours was read; to start PowerShell once more takes seconds.
        return Clocks(Clock(seen.inside.at, exact=True), ours)
    now = yield from look(NOW)
    if not isinstance(now, Unknown):
        return Clocks(Clock(now, exact=True), ours)
    newest = yield from look(NEWEST_EVENT)
    return Clocks(None if isinstance(newest, Unknown) else Clock(newest, exact=False), ours)


def _shown(store: Contents) -> list[str]:
    shown = [f"in the store {REMOTE_DESKTOP}: {entry}" for entry in store.entries]
    shown += [f"in the store {REMOTE_DESKTOP}: {broken.name} can't be read: {broken.why}" for broken in store.broken]
    return shown or [f"the store {REMOTE_DESKTOP} is empty"]


def _key(size: int | Unknown | None) -> str:
    what = "the file of Remote Desktop's private key"
    if isinstance(size, Unknown):
        return f"{what} could not be seen: {size.reason}"
    return f"{what} is not there" if size is None else f"{what} is empty" if size == 0 else f"{what} has {size} bytes"


def changes_for(thumbprint: str, guid: str) -> tuple[Change[Any], ...]:
    """The changes that can be proposed for one certificate of a machine; the restart of the services is the others'."""
    sample = datetime(2026, 1, 1, tzinfo=UTC)
    entry = Entry(thumbprint, sample, sample, True, "legacy", CONTAINER, b"")
    why = "It is disabled, and without it Windows makes no certificate."
    return (
        *(certificate_changes.enable_service(name, start, why=why) for name, start in NEEDED),
        *proposed(((entry, True),), 1, guid, ""),
        *proposed(((entry, False),), 0, guid, "NAME"),
    )
