"""Remote Desktop says "An internal error has occurred".

From the article "An internal error occurs when you make an RDP connection to Azure Virtual Machines", with what is
wrong in it put right (rdp-repair.md 0a, 2.5, 2.8). So far two of its checks: the look from outside, and TLS.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from serialfix.playbooks import certificate, key, port
from serialfix.playbooks.listener import inside_now, listener_now, outside_now, unseen
from serialfix.steps import Check, Finding, Playbook, Step, Unknown, Verified, ahead, do, growing, look, wait
from serialfix.windows import changes, probes, tls
from serialfix.windows.rdp_look import RdpLook
from serialfix.windows.services import Service

SYMPTOM, INSIDE = "outside", "inside"
ARTICLE = "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-internal-error"
TLS_DOCS = "https://learn.microsoft.com/windows-server/security/tls/tls-registry-settings"

NETWORK = (
    "Inside the VM it answers, so what keeps clients out stands in front of it: the network security group, a "
    "firewall, a route, or a packet size that a VPN does not carry."
)
NOT_STEADY = "Remote Desktop answers now and then, not steadily"

LISTENS_AGAIN = 60.0
"""Seconds that a restarted service has to answer three times in a row."""
STEADY = 3.0
"""Seconds between those three."""


def check_outside() -> Generator[Step, Any, Finding]:
    """Look at the port as a client does: it tells the kind of fault before the console is opened."""
    seen = yield from look(probes.OUTSIDE)
    return judge_outside(seen)


def judge_outside(seen: RdpLook | Unknown, steady: bool | None = None) -> Finding:
    """The finding that a look from outside comes to. ``steady``: of several looks, whether it answered each time."""
    if isinstance(seen, Unknown):
        return Finding(SYMPTOM, "unknown", "The RDP port could not be looked at", (seen.reason,))
    evidence = (f"from outside ({seen.verdict}): {seen.sentence}",)
    if unseen(seen):
        return Finding(
            SYMPTOM,
            "unknown",
            "The RDP port can't be seen from here",
            evidence,
            "Run serialfix from a machine that has a route to the VM, or say with --rdp-host where its port is.",
            ARTICLE,
        )
    if not seen.healthy:
        return Finding(SYMPTOM, "fault", "Remote Desktop can't be used from outside", evidence, docs=ARTICLE)
    if steady is False:
        return Finding(SYMPTOM, "fault", NOT_STEADY, evidence, docs=ARTICLE)
    title = "Remote Desktop answers and agrees on encryption"
    if seen.certificate_valid is False:
        # Clients come in after a warning, so this is no fault of the handshake (rdp-repair.md 0a.6).
        title = "Remote Desktop answers, but its certificate is out of date by this machine's clock"
    return Finding(SYMPTOM, "ok", title, (*evidence, *_steady(steady)), docs=ARTICLE)


def check_inside() -> Generator[Step, Any, Finding]:
    """Make the same handshake inside the VM: it tells a fault of the listener from one of the network in front of it.

    rdp-repair.md 0a.1. Where it answers from outside there is nothing to tell apart.
    """
    seen = yield from outside_now()
    if isinstance(seen, RdpLook) and seen.healthy:
        return _not_needed(seen)
    return judge_inside((yield from inside_now()))


def judge_inside(seen: RdpLook | Unknown, steady: bool | None = None) -> Finding:
    """The finding that a look from inside comes to. ``steady``: of several looks, whether it answered each time."""
    if isinstance(seen, Unknown):
        return Finding(INSIDE, "unknown", "Remote Desktop could not be looked at inside the VM", (seen.reason,))
    evidence = (f"from inside ({seen.verdict}): {seen.sentence}",)
    if not seen.healthy:
        return Finding(INSIDE, "fault", "Remote Desktop can't be used inside the VM either", evidence, docs=ARTICLE)
    if steady is False:
        return Finding(INSIDE, "fault", NOT_STEADY, evidence, docs=ARTICLE)
    return Finding(
        INSIDE,
        "ok",
        "Inside the VM Remote Desktop answers and agrees on encryption",
        (*evidence, *_steady(steady)),
        docs=ARTICLE,
    )


def _steady(steady: bool | None) -> tuple[str, ...]:
    return ("three healthy answers in a row",) if steady else ()


def _not_needed(outside: RdpLook) -> Finding:
    title = "It works as seen from outside, so nothing was to be found out from inside"
    return Finding(INSIDE, "ok", title, (f"from outside ({outside.verdict}): {outside.sentence}",), docs=ARTICLE)


def check_tls() -> Generator[Step, Any, Finding]:
    """Is TLS 1.2 switched off for servers? Then no client of today can agree with Remote Desktop on encryption."""
    protocols = yield from look(probes.TLS_PROTOCOLS)
    if isinstance(protocols, Unknown):
        return _tls("unknown", "The TLS settings could not be read", protocols.reason)
    evidence = [f"registry: {protocol}" for protocol in protocols]
    before = _by_version(protocols)["TLS 1.2"]
    if not before.off:
        return _tls("ok", "TLS 1.2 is not switched off", *evidence)

    seen = yield from listener_now()
    if isinstance(seen, RdpLook):
        evidence.append(f"Remote Desktop as it is seen now ({seen.verdict}): {seen.sentence}")
        if seen.healthy:
            # No proof that Remote Desktop is prevented: a machine that works gets no writes.
            return _tls("ok", "TLS 1.2 is switched off, but Remote Desktop agrees on another version", *evidence)
    finding = _tls(
        "fault",
        "TLS 1.2 is switched off for servers",
        *evidence,
        advice="Switch TLS 1.2 on for servers and restart the Remote Desktop service. TLS 1.0 and 1.1 stay as they "
        "are: clients of today do not need them.",
    )
    yield from ahead(probes.ELEVATED, probes.TERMSERVICE, probes.TERMSERVICE_DEPENDENTS)
    elevated = yield from look(probes.ELEVATED)
    if elevated is False:
        return _tls(
            "fault",
            finding.title,
            *evidence,
            "this login is not elevated (whoami /groups shows no high integrity level)",
            advice="Log in with the built-in administrator, or repair with Run Command; nothing was changed.",
        )
    service = yield from look(probes.TERMSERVICE)
    dependents = yield from look(probes.TERMSERVICE_DEPENDENTS)
    if isinstance(service, Unknown) or isinstance(dependents, Unknown):
        reason = service if isinstance(service, Unknown) else dependents
        unread = f"not repaired, since the Remote Desktop service could not be read: {reason}"
        return _tls("fault", finding.title, *evidence, unread, advice=finding.advice)
    done = yield from do("Switch TLS 1.2 on for servers", finding, *repair_tls(service, dependents))
    if done.outcome == "declined":
        return _tls("declined", finding.title, *evidence, advice=finding.advice)
    if done.outcome == "failed":
        return _tls("fault", finding.title, *evidence, done.why, advice=finding.advice)

    protocols = yield from look(probes.TLS_PROTOCOLS, fresh=True)
    if isinstance(protocols, Unknown):
        return _tls("unknown", "The TLS settings could not be read after the repair", protocols.reason)
    if _by_version(protocols)["TLS 1.2"].off:
        return _tls(
            "fault",
            "TLS 1.2 was switched on and is off again",
            *(f"registry: {protocol}" for protocol in protocols),
            advice="Something writes the setting back: a group policy, DSC, machine configuration or Intune.",
        )
    return _tls("ok", "TLS 1.2 is on for servers", f"before: {before}", f"now: {_by_version(protocols)['TLS 1.2']}")


def repair_tls(service: Service, dependents: tuple[Service, ...]) -> tuple[changes.AnyChange, ...]:
    """TLS 1.2 on for servers, both values, and a restart of the service so that it reads them (rdp-repair.md 2.5)."""
    key = tls.server_key("TLS 1.2")
    values = tuple(
        changes.set_dword(
            f"tls_1_2_{name}",
            parent=tls.SCHANNEL,
            key=key,
            name=name,
            number=number,
            title=f"Set {name} of TLS 1.2 (server side) to {number}",
            why=why,
            risk="low",
            proven="documented",
            docs=TLS_DOCS,
        )
        for name, number, why in (
            ("Enabled", 1, "With 0 no server on this VM may use TLS 1.2."),
            ("DisabledByDefault", 0, "Unless it is 0, Remote Desktop does not offer TLS 1.2, whatever Enabled says."),
        )
    )
    if service.state != "running":
        return values  # it reads the settings when it is started
    restart = changes.restart_service(
        "TermService",
        dependents,
        why="It read the old settings when it started. Sessions are cut, programs in them go on.",
        risk="medium",
    )
    return (*values, *restart)


def verify(changed: bool) -> Generator[Step, Any, tuple[tuple[Finding, ...], Verified]]:
    """Is the symptom gone? After a repair: three healthy looks in a row (rdp-repair.md 3), given time to listen.

    From outside; where it can't be seen from here, inside the VM.
    """
    if not changed:
        seen = yield from look(probes.OUTSIDE)
        finding = judge_outside(seen)
        if finding.status == "ok":
            return (finding,), "outside"
        inner = yield from inside_now()
        if unseen(seen):
            return (finding,), "no" if unseen(inner) else "inside only"
        if isinstance(inner, RdpLook) and inner.healthy:
            finding = replace(finding, advice=NETWORK)
        return (finding,), "outside"
    seen = yield from outside_now()
    if unseen(seen):
        inner, steady = yield from _steadily(inside_now)
        return (judge_outside(seen), judge_inside(inner, steady)), "no" if unseen(inner) else "inside only"
    seen, steady = yield from _steadily(outside_now)
    if steady and isinstance(seen, RdpLook):
        return (judge_outside(seen, steady), _not_needed(seen)), "outside"
    return (judge_outside(seen, steady), judge_inside((yield from inside_now(fresh=True)))), "outside"


def _steadily(look_there: Any) -> Generator[Step, Any, tuple[RdpLook | Unknown, bool]]:
    """Look until it was healthy three times in a row: the last look, and whether it came to that."""
    seen: RdpLook | Unknown = yield from look_there()
    healthy, waited = 0, 0.0
    pauses = growing(LISTENS_AGAIN, STEADY)
    while waited < LISTENS_AGAIN:
        if isinstance(seen, Unknown) or unseen(seen):
            break
        healthy = healthy + 1 if seen.healthy else 0
        if healthy == 3:
            return seen, True
        why = "three healthy answers in a row are wanted" if healthy else "the service may need a while to listen"
        pause = STEADY if healthy else next(pauses)
        yield from wait(pause, why)
        waited += pause
        seen = yield from look_there(fresh=True)
    return seen, False


def _tls(status: Any, title: str, *evidence: str, advice: str = "") -> Finding:
    return Finding("tls", status, title, evidence, advice, TLS_DOCS)


def _by_version(protocols: tuple[tls.Protocol, ...]) -> dict[str, tls.Protocol]:
    return {protocol.version: protocol for protocol in protocols}


PLAYBOOK = Playbook(
    name="rdp_internal_error",
    title='Remote Desktop: "An internal error has occurred"',
    symptoms=(SYMPTOM, INSIDE),
    checks=(
        Check(SYMPTOM, "Look at Remote Desktop from outside", ARTICLE, (probes.OUTSIDE,), check_outside),
        Check(INSIDE, "Look at it from inside the VM", ARTICLE, (probes.LISTENER,), check_inside),
        Check(port.CHECK, "The port that Remote Desktop listens on", port.DOCS, port.FIRST, port.check_port),
        Check("tls", "TLS versions that Remote Desktop may use", TLS_DOCS, (probes.TLS_PROTOCOLS,), check_tls),
        Check(
            key.CHECK,
            "The key of its certificate: may Remote Desktop read it?",
            key.DOCS,
            (probes.LISTENER,),
            key.check_key,
        ),
        Check(certificate.CHECK, "Its certificate", certificate.DOCS, certificate.FIRST, certificate.check_certificate),
    ),
    verify=verify,
)

CHANGES = (
    *repair_tls(Service("TermService", "running", None), (Service("UmRdpService", "running", None),)),
    *port.changes_for("SERVICE"),
    *key.changes_for(),
    *certificate.changes_for(40 * "0", "00000000-0000-0000-0000-000000000000"),
)
"""Every change this playbook can propose, as it would for a usual VM; for lists and for change boards.

SERVICE stands for whatever holds the port, with the services that need it; the zeros for a certificate's thumbprint
and the machine's GUID.
"""
