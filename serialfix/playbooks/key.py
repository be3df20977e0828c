"""May the Remote Desktop service read the private key of its certificate?

The article's step 2.3, with what is wrong in it put right (rdp-repair.md 2.4, 0a.3 to 0a.5, T10 to T13): it takes every
key on the machine into its ownership and lets NETWORK SERVICE read all of them. Here one file is judged, by what
TermService's token may do with it, and only what keeps it out is changed. From build 17763 on, an administrator may not
even look at a healthy key's access list, so SYSTEM looks; where it may not, nothing takes ownership instead.
"""

from collections.abc import Generator
from dataclasses import replace
from typing import Any

from serialfix.playbooks.listener import listener_now, restart, seen_now, unseen
from serialfix.steps import Finding, Probe, Status, Step, Unknown, ahead, do, growing, look, wait
from serialfix.windows import key_file, key_rights, probes, sddl, system_helper
from serialfix.windows.rdp_look import RdpLook
from serialfix.windows.schannel_events import KEY_REFUSED
from serialfix.windows.sddl import Dacl
from serialfix.windows.services import Service
from serialfix.windows.system_helper import Helper

CHECK = "key"
DOCS = "https://learn.microsoft.com/troubleshoot/azure/virtual-machines/windows/troubleshoot-rdp-internal-error"
HANDSHAKE = ("neg_failure", "tls_reset", "tls_alert", "tls_stall")
"""How a look ends when Remote Desktop answers and the encryption fails, for a key or for other reasons (8.2)."""
PATIENCE = 30.0
"""Seconds that a restarted service has to answer."""

NEEDS_SYSTEM = "Who may read Remote Desktop's private key: needs SYSTEM"
NO_OWNERSHIP = (
    "Look with Run Command, which runs as SYSTEM, or offline. Don't take ownership: it changes every key it is applied "
    "to, and is no way back."
)


def check_key() -> Generator[Step, Any, Finding]:
    """Judge who may read the key, if a handshake has not shown that it can be read, and mend what keeps it out."""
    seen = yield from listener_now()
    if isinstance(seen, RdpLook) and seen.healthy:
        title = "Remote Desktop can read its private key"
        return _finding("ok", title, "the handshake succeeds, which takes the key; who may read it was not looked at")
    evidence = [str(seen) if isinstance(seen, Unknown) else _shown(seen)]

    yield from ahead(key_file.MACHINE_GUID, KEY_REFUSED)
    guid = yield from look(key_file.MACHINE_GUID)
    if isinstance(guid, Unknown):
        return _finding("unknown", "The key file's name could not be found out", *evidence, guid.reason)
    size = yield from look(key_file.size(guid))
    if isinstance(size, Unknown):
        return _finding("unknown", "The key file could not be looked for", *evidence, size.reason)
    if not size:
        state = "there is none" if size is None else "it is empty"
        title = "Who may read Remote Desktop's private key is not what is wrong: " + state
        return _finding("ok", title, *evidence, f"{key_file.path(guid)}: {state}")
    evidence.append(f"{key_file.path(guid)}: {size} bytes")

    refused = yield from look(KEY_REFUSED)
    if isinstance(refused, Unknown):
        evidence.append(refused.reason)
    else:
        evidence.append(f"Schannel, last 24 hours: {refused[0]}" if refused else "Schannel: no event 36870 in 24 hours")
    protocols = yield from look(probes.TLS_PROTOCOLS)
    off = not isinstance(protocols, Unknown) and any(each.version == "TLS 1.2" and each.off for each in protocols)
    if off:
        evidence.append("TLS 1.2 is switched off, so no handshake gets as far as the key")
    failed = isinstance(seen, RdpLook) and seen.verdict in HANDSHAKE and not off
    if not failed and (isinstance(refused, Unknown) or (not refused and unseen(seen))):
        title = "Whether Remote Desktop can read its private key shows only when it answers"
        return _finding("unknown", title, *evidence, advice="First make Remote Desktop answer, then check again.")
    if not failed and not refused:
        return _finding("ok", "Nothing says that Remote Desktop can't read its private key", *evidence)
    return (yield from _judge(guid, evidence))


def _judge(guid: str, evidence: list[str]) -> Generator[Step, Any, Finding]:
    """Read the access list, directly where an administrator may, else as SYSTEM; and mend it where that is needed."""
    yield from ahead(key_file.BUILD, probes.ELEVATED, probes.service("Schedule"))
    build = yield from look(key_file.BUILD)
    if isinstance(build, Unknown):
        return _finding("unknown", "The build of Windows could not be read", *evidence, build.reason)
    if build <= key_rights.READABLE_UNTIL:
        dacl = yield from look(key_rights.direct(guid))
        if isinstance(dacl, Dacl):
            return (yield from _mended(guid, build, dacl, evidence, None))
    unread = _finding("unknown", NEEDS_SYSTEM, *evidence, advice=NO_OWNERSHIP)
    helper = yield from _new_helper(unread)
    if isinstance(helper, Finding):
        return helper
    done = yield from do(
        "Look as SYSTEM who may read Remote Desktop's private key", unread, *key_rights.setup(helper, guid)
    )
    if done.outcome == "declined":
        return replace(unread, status="declined")
    if done.outcome == "failed":
        return replace(unread, evidence=(*evidence, done.why))
    dacl = yield from look(key_rights.as_system(helper, guid))
    if isinstance(dacl, Unknown):
        return replace(unread, evidence=(*evidence, dacl.reason))
    return (yield from _mended(guid, build, dacl, evidence, helper))


def _new_helper(otherwise: Finding) -> Generator[Step, Any, Helper | Finding]:
    """A helper that can be set up; or how the check ends without one."""

    def without(why: str, advice: str = "") -> Finding:
        return replace(otherwise, evidence=(*otherwise.evidence, why), advice=advice or otherwise.advice)

    yield from ahead(probes.ELEVATED, probes.service("Schedule"))
    elevated = yield from look(probes.ELEVATED)
    if elevated is False:
        why = "this login is not elevated (whoami /groups shows no high integrity level)"
        return without(why, "Log in with the built-in administrator, or repair with Run Command; nothing was changed.")
    schedule = yield from look(probes.service("Schedule"))
    if isinstance(schedule, Service) and schedule.state != "running":
        return without(f"the Task Scheduler (Schedule) is {schedule.state}, so nothing can be run as SYSTEM from here")
    name = yield from look(system_helper.new_name("the helper that runs as SYSTEM"))
    if isinstance(name, Unknown):
        return without(name.reason)
    helper = Helper(name)
    there = yield from look(system_helper.exists(helper))
    if isinstance(there, Unknown):
        return without(there.reason)
    return without(f"{helper.folder} is there already, and is not ours") if there else helper


def _mended(
    guid: str, build: int, before: Dacl, evidence: list[str], ready: Helper | None
) -> Generator[Step, Any, Finding]:
    """Judge the access list, and mend it. ``ready``: the helper, where one was needed to read it."""
    evidence = [*evidence, f"access list: {before}"]
    if sddl.may_read(before, sddl.TERMSERVICE_TOKEN):
        title = "Remote Desktop may read its private key; the handshake fails for another reason"
        return _finding("ok", title, *evidence, advice="What is next is the certificate.")
    fault = _finding(
        "fault",
        "Remote Desktop may not read its private key",
        *evidence,
        *key_rights.against(before),
        advice="Let NETWORK SERVICE read this one file again and restart the Remote Desktop services.",
    )
    wanted = key_rights.plan(before, build)
    if wanted is None:
        why = "what keeps it out is inherited from the folder, and is not repaired by itself"
        return replace(fault, evidence=(*fault.evidence, why), advice=f"Repair it by hand. {NO_OWNERSHIP}")
    helper = ready or (yield from _new_helper(fault))
    if isinstance(helper, Finding):
        return helper
    reader = key_rights.as_system(helper, guid) if ready else key_rights.direct(guid)
    back = yield from look(system_helper.new_name("bringing the key's access list back"))
    again = yield from restart(why="They could not open the key when they started.", start=False)
    if isinstance(back, Unknown) or isinstance(again, Unknown):
        unread = back if isinstance(back, Unknown) else again
        return replace(fault, evidence=(*fault.evidence, f"not repaired: {unread}"))
    try:
        key_rights.bring_back(back, guid, before)
    except ValueError as error:
        return replace(fault, evidence=(*fault.evidence, f"not repaired, since it could not be taken back: {error}"))
    done = yield from do(
        "Let Remote Desktop read its private key again",
        fault,
        *(() if ready else key_rights.setup(helper, guid)),
        *key_rights.mend(helper, back, guid, build, wanted, reader=reader),
        *again,
    )
    if done.outcome == "declined":
        return replace(fault, status="declined")
    if done.outcome == "failed":
        return replace(fault, evidence=(*fault.evidence, done.why))
    return (yield from _afterwards(reader, before, fault))


def _afterwards(reader: Probe[Dacl], before: Dacl, fault: Finding) -> Generator[Step, Any, Finding]:
    seen = yield from _settled()
    now = yield from look(reader, fresh=True)
    evidence = [f"before: {before}", f"now: {now}"]
    if isinstance(seen, RdpLook):
        evidence.append(_shown(seen))
        if seen.healthy and seen.certificate is not None:
            evidence.append(f"the certificate shown has the thumbprint {seen.certificate.sha1}")
    if isinstance(now, Dacl) and not sddl.may_read(now, sddl.TERMSERVICE_TOKEN):
        title = "Remote Desktop was let in to its private key and is shut out again"
        advice = "Something writes the access list back: a group policy, a hardening script or security software."
        return _finding("fault", title, *evidence, advice=advice)
    if isinstance(seen, RdpLook) and seen.verdict in HANDSHAKE:
        return _finding(
            "ok",
            "Remote Desktop may read its private key now; the handshake still fails",
            *evidence,
            advice="What is next is the certificate. If that is right: event 36870 and security software.",
        )
    if isinstance(now, Unknown) and not (isinstance(seen, RdpLook) and seen.healthy):
        return _finding("unknown", "The key's access list could not be read after the repair", *evidence)
    if isinstance(seen, RdpLook) and seen.healthy:
        return _finding("ok", "Remote Desktop can read its private key again", *fault.evidence[-1:], *evidence)
    title = "Remote Desktop may read its private key again, but whether it does could not be seen"
    return _finding("ok", title, *fault.evidence[-1:], *evidence)


def _settled() -> Generator[Step, Any, RdpLook | Unknown]:
    """How Remote Desktop answers when it has had time to start."""
    seen = yield from seen_now(fresh=True)
    for pause in growing(PATIENCE, 3.0):
        if unseen(seen) or (isinstance(seen, RdpLook) and seen.healthy):
            break
        yield from wait(pause, "the service may need a while to listen")
        seen = yield from seen_now(fresh=True)
    return seen


def _shown(seen: RdpLook) -> str:
    return f"as a client sees it ({seen.verdict}): {seen.sentence}"


def changes_for() -> tuple[system_helper.AnyChange, ...]:
    """Every change this check can propose, as it would for a usual VM whose key has lost its entry."""
    helper, guid, build = Helper("a" * 12), "00000000-0000-0000-0000-000000000000", key_rights.SESSION_ENV_FROM
    lost = sddl.parse(f"D:PAI(A;;FA;;;SY)(A;;FA;;;{sddl.SESSION_ENV})").dacl
    wanted = key_rights.plan(lost, build)
    return (
        *key_rights.setup(helper, guid),
        *key_rights.mend(helper, "b" * 12, guid, build, wanted or (), reader=key_rights.as_system(helper, guid)),
    )


def _finding(status: Status, title: str, *evidence: str, advice: str = "") -> Finding:
    return Finding(CHECK, status, title, evidence, advice, DOCS)
