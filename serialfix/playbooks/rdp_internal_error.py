"""Remote Desktop says "An internal error has occurred".

From the article "An internal error occurs when you make an RDP connection to Azure Virtual Machines", with what is
wrong in it put right (rdp-repair.md 0a, 2.5, 2.8). So far two of its checks: the look from outside, and TLS.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from serialfix.playbooks import port
from serialfix.steps import Check, Finding, Playbook, Step, Unknown, Verified, do, look, wait
from serialfix.windows import changes, probes, tls
from serialfix.windows.rdp_look import RdpLook
from serialfix.windows.services import Service

SYMPTOM = "outside"
ARTICLE = "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-internal-error"
TLS_DOCS = "https://learn.microsoft.com/windows-server/security/tls/tls-registry-settings"

UNSEEN = ("not_reachable_from_here",)
"""Verdicts of a look that say nothing about the VM (rdp-repair.md 0a.1)."""

LISTENS_AGAIN = 20
"""How many looks, three seconds apart, a restarted service has to answer."""


def check_outside() -> Generator[Step, Any, Finding]:
    """Look at the port as a client does: it tells the kind of fault before the console is opened."""
    seen = yield from look(probes.OUTSIDE)
    return judge_outside(seen)


def judge_outside(seen: RdpLook | Unknown, *more: str) -> Finding:
    """The finding that a look comes to."""
    if isinstance(seen, Unknown):
        return Finding(SYMPTOM, "unknown", "The RDP port could not be looked at", (seen.reason,))
    evidence = (_evidence(seen), *more)
    if seen.verdict in UNSEEN:
        return Finding(
            SYMPTOM,
            "unknown",
            "The RDP port can't be seen from here",
            evidence,
            "Run serialfix from a machine that has a route to the VM, or say with --rdp-host where its port is.",
            ARTICLE,
        )
    if seen.healthy and seen.certificate_valid is False:
        # Clients come in after a warning, so this is no fault of the handshake (rdp-repair.md 0a.6).
        title = "Remote Desktop answers, but its certificate is out of date by this machine's clock"
        return Finding(SYMPTOM, "ok", title, evidence, docs=ARTICLE)
    if seen.healthy:
        return Finding(SYMPTOM, "ok", "Remote Desktop answers and agrees on encryption", evidence, docs=ARTICLE)
    return Finding(SYMPTOM, "fault", "Remote Desktop can't be used from outside", evidence, docs=ARTICLE)


def _evidence(seen: RdpLook) -> str:
    return f"from outside ({seen.verdict}): {seen.sentence}"


def check_tls() -> Generator[Step, Any, Finding]:
    """Is TLS 1.2 switched off for servers? Then no client of today can agree with Remote Desktop on encryption."""
    protocols = yield from look(probes.TLS_PROTOCOLS)
    if isinstance(protocols, Unknown):
        return _tls("unknown", "The TLS settings could not be read", protocols.reason)
    evidence = [f"registry: {protocol}" for protocol in protocols]
    before = _by_version(protocols)["TLS 1.2"]
    if not before.off:
        return _tls("ok", "TLS 1.2 is not switched off", *evidence)

    seen = yield from look(probes.OUTSIDE)
    if isinstance(seen, RdpLook):
        evidence.append(_evidence(seen))
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


def verify(changed: bool) -> Generator[Step, Any, tuple[Finding, Verified]]:
    """Is the symptom gone? After a repair: three healthy looks in a row (rdp-repair.md 3), given time to listen."""
    seen = yield from look(probes.OUTSIDE)
    if not changed:
        return judge_outside(seen), _verified(seen)
    healthy = 0
    for _ in range(LISTENS_AGAIN):
        if isinstance(seen, Unknown) or seen.verdict in UNSEEN:
            break
        healthy = healthy + 1 if seen.healthy else 0
        if healthy == 3:
            return judge_outside(seen, "three healthy answers in a row"), _verified(seen)
        why = "three healthy answers in a row are wanted" if healthy else "the service may need a while to listen"
        yield from wait(3.0, why)
        seen = yield from look(probes.OUTSIDE, fresh=True)
    finding = judge_outside(seen)
    if finding.status == "ok":
        finding = replace(finding, status="fault", title="Remote Desktop answers now and then, not steadily")
    return finding, _verified(seen)


def _verified(seen: RdpLook | Unknown) -> Verified:
    return "outside" if isinstance(seen, RdpLook) and seen.verdict not in UNSEEN else "no"


def _tls(status: Any, title: str, *evidence: str, advice: str = "") -> Finding:
    return Finding("tls", status, title, evidence, advice, TLS_DOCS)


def _by_version(protocols: tuple[tls.Protocol, ...]) -> dict[str, tls.Protocol]:
    return {protocol.version: protocol for protocol in protocols}


PLAYBOOK = Playbook(
    name="rdp_internal_error",
    title='Remote Desktop: "An internal error has occurred"',
    symptom=SYMPTOM,
    checks=(
        Check(SYMPTOM, "Look at Remote Desktop from outside", ARTICLE, (probes.OUTSIDE,), check_outside),
        Check(port.CHECK, "The port that Remote Desktop listens on", port.DOCS, (probes.LISTENER,), port.check_port),
        Check("tls", "TLS versions that Remote Desktop may use", TLS_DOCS, (probes.TLS_PROTOCOLS,), check_tls),
    ),
    verify=verify,
)

CHANGES = (
    *repair_tls(Service("TermService", "running", None), (Service("UmRdpService", "running", None),)),
    *port.changes_for("SERVICE"),
)
"""Every change this playbook can propose, as it would for a usual VM; for lists and for change boards.

SERVICE stands for whatever holds the port, with the services that need it.
"""
