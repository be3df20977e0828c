"""The key-permissions check: whole virtual sessions against the simulator, and the decisions driven by hand."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from serialfix import events
from serialfix.approval import Policy
from serialfix.playbooks import key
from serialfix.playbooks.listener import UNSEEN
from serialfix.simulator import key_files, security, sids
from serialfix.simulator.faults import FAULTS
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.security import Ace, Descriptor
from serialfix.simulator.vm import Vm
from serialfix.steps import Ahead, Change, Check, Do, Done, Finding, Look, Playbook, Step, Unknown, Verified, Wait
from serialfix.windows import probes, sddl
from serialfix.windows.key_file import FOLDER
from serialfix.windows.listener import Listener
from serialfix.windows.rdp_look import RdpLook, RdpVerdict
from serialfix.windows.schannel_events import KeyRefused
from serialfix.windows.services import Service
from serialfix.windows.tls import VERSIONS, Protocol
from tests.simulator.world import YEARS, shell
from tests.virtual import Ran, run

NEVER = Policy(never="it only looks")
GUID = "6f3c1f0e-2b1d-4c58-9a53-1d2f3c4b5a69"
LOST = Unknown("the line was lost")
MADE = Done("made")


def verify(changed: bool) -> Generator[Step, Any, tuple[tuple[Finding, ...], Verified]]:
    del changed
    yield from ()
    return (), "no"


KEY = Playbook(
    "key", "The key", ("outside",), (Check(key.CHECK, "The key", key.DOCS, (probes.LISTENER,), key.check_key),), verify
)


def play(*faults: str, **how: Any) -> Ran:
    return run(faults or ("key-permissions",), playbook=KEY, **how)


def finding(ran: Ran) -> Finding:
    (found,) = ran.played.verdict.findings
    return found


def acl(vm: Vm) -> Descriptor:
    return vm.files.descriptor(key_files.path(vm.registry))


def said(ran: Ran) -> str:
    found = finding(ran)
    return " ".join((found.title, *found.evidence, found.advice))


def untouched(ran: Ran, *, but_key: bool = False) -> None:
    """All that outlives a run is as before: no task, folder or script, and no other file's access list."""
    before: dict[str, Any] = dict(ran.state_before)
    after: dict[str, Any] = dict(ran.vm.state())
    if but_key:
        at = key_files.path(ran.vm.registry)
        for state in (before, after):
            state["security"] = {path: text for path, text in state["security"].items() if path != at}
    assert after == before
    assert not ran.left


def repaired(ran: Ran) -> None:
    assert (finding(ran).status, ran.outcome) == ("fixed", "fixed"), said(ran)
    assert FAULTS["key-permissions"].repaired(ran.vm)
    # The fault took one entry away, or added one; nothing else may differ from the healthy file.
    healthy = key_files.healthy(ran.vm.edition.build)
    assert set(acl(ran.vm).aces) == set(healthy.aces)
    assert (acl(ran.vm).owner, acl(ran.vm).protected) == (healthy.owner, healthy.protected)
    untouched(ran, but_key=True)


@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=[pytest.mark.slow] if seed > 1 else []) for seed in range(10)]
)
def test_the_key_can_be_read_again_and_nothing_else_is_changed(windows: str, seed: int) -> None:
    repaired(play(seed=seed, windows=windows))


@pytest.mark.slow
@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("seed", range(3))
def test_also_on_a_line_as_bad_as_real_ones(windows: str, seed: int) -> None:
    repaired(play(seed=seed, windows=windows, knobs=PRESETS["real"]))


@pytest.mark.parametrize("windows", YEARS)
def test_a_healthy_machine_gets_no_write_and_no_helper(windows: str) -> None:
    ran = play("healthy", seed=2, windows=windows)
    assert (finding(ran).status, ran.outcome) == ("ok", "healthy")
    assert ran.played.changes == ()
    assert {event.probe for event in ran.recorder.of(events.Asked)} == {"rdp_listener", "rdp_from_outside:3389"}
    untouched(ran)


@pytest.mark.parametrize("windows", YEARS)
def test_diagnose_writes_nothing_and_says_what_it_would_need(windows: str) -> None:
    for seed in range(3):
        ran = play(seed=seed, windows=windows, policy=NEVER, mode="diagnose")
        direct = windows == "2016" and acl(ran.vm).aces[0].allow  # a deny for Users keeps administrators out as well
        assert finding(ran).status == ("fault" if direct else "unknown"), said(ran)
        assert ("needs SYSTEM" in finding(ran).title) == (not direct)
        assert not any(entry["kind"] == "task created" for entry in ran.vm.journal)
        untouched(ran)


def test_a_refusal_is_a_refusal() -> None:
    ran = play(seed=1, policy=Policy(never="no"))
    assert (finding(ran).status, ran.outcome) == ("declined", "declined")
    untouched(ran)


@pytest.mark.parametrize("windows", YEARS)
def test_the_undo_typed_by_hand_brings_the_old_list_back(windows: str) -> None:
    for seed in range(3):  # with and without a mark in what icacls saves
        ran = play(seed=seed, windows=windows)
        (made,) = [each for each in ran.recorder.of(events.ChangeStarted) if each.name == "key_rights"]
        shell(ran.vm, *made.undo)
        assert acl(ran.vm).sddl() == ran.state_before["security"][key_files.path(ran.vm.registry)]
        assert acl(ran.vm).sddl() != key_files.healthy(ran.vm.edition.build).sddl()
        untouched(ran)


def test_a_stopped_scheduler_is_said_and_nothing_is_left() -> None:
    ran = play(seed=1, prepare=lambda vm: vm.services.set_stopped("Schedule"))
    assert finding(ran).status == "unknown"
    assert "Schedule) is stopped" in said(ran)
    assert not ran.played.changes
    untouched(ran)


@pytest.mark.parametrize("how", ["refused", "removed", "blocked"])
def test_where_system_is_refused_it_stops_and_takes_no_ownership(how: Any) -> None:
    ran = play(seed=1, prepare=lambda vm: setattr(vm, "system_tasks", how))
    if how == "removed" and finding(ran).status == "fault":
        # Whoever takes the task away was slower than the first look; what SYSTEM was to repair is not repaired.
        assert "did not end within 45 s: security software may keep it from running" in said(ran)
    else:
        assert finding(ran).status == "unknown", said(ran)
        assert "needs SYSTEM" in said(ran)
        assert "Don't take ownership" in said(ran)
    assert not any(entry.get("name") == "takeown" for entry in ran.vm.journal)
    untouched(ran)


@pytest.mark.parametrize("empty", [True, False])
def test_a_key_that_is_missing_or_empty_is_left_to_the_certificate(empty: bool) -> None:
    def lose(vm: Vm) -> None:
        at = key_files.path(vm.registry)
        if empty:
            vm.files.write(at, b"", vm.now)
        else:
            vm.files.delete(at)
        vm.read_listener()

    ran = play("healthy", seed=1, prepare=lose)
    assert finding(ran).status == "ok"
    assert ("it is empty" if empty else "there is none") in said(ran)
    assert not ran.recorder.of(events.Proposed)
    untouched(ran)


@pytest.mark.parametrize("faults", [("tls-disabled",), ("tls-disabled", "key-permissions")], ids="+".join)
def test_with_tls_switched_off_nobody_looks_as_system_without_an_event(faults: tuple[str, ...]) -> None:
    """No handshake gets as far as the key. When TLS is on again, and only then, it shows."""
    ran = play(*faults, seed=3)
    assert finding(ran).status == "ok", said(ran)
    assert "Nothing says" in finding(ran).title
    assert any("TLS 1.2 is switched off" in line for line in finding(ran).evidence)
    untouched(ran)


def test_an_inherited_entry_is_not_touched() -> None:
    def spoil(vm: Vm) -> None:
        at = key_files.path(vm.registry)
        deny = Ace(False, sids.USERS, security.READ, frozenset({"ID"}))
        vm.files.protect(at, replace(acl(vm), aces=(*acl(vm).aces[:1], deny, *acl(vm).aces[1:]), protected=False))
        vm.read_listener()

    ran = play("healthy", seed=1, prepare=spoil)
    assert finding(ran).status == "fault"
    assert "inherited" in said(ran)
    untouched(ran)


# --- the decisions, by hand ------------------------------------------------------------------------------------


def seen(verdict: RdpVerdict = "tls_reset") -> RdpLook:
    return RdpLook(
        verdict, "203.0.113.7", 3389, datetime(2026, 11, 22, 10, tzinfo=UTC), 0.2, None, "", "HYBRID", 0,
        (), (), "required", None, "", "", "",
    )  # fmt: skip


HEALTHY = sddl.parse(key_files.healthy(20348).sddl()).dacl
BROKEN = sddl.parse(f"D:PAI(A;;FA;;;SY)(A;;FA;;;{sddl.SESSION_ENV})").dacl
REFUSED = (KeyRefused(datetime(2026, 11, 22, 9, tzinfo=UTC), "0x8009030d"),)


def drive(answers: Mapping[str, Any] | None = None, done: Done = MADE) -> tuple[Finding, list[str], list[Do]]:
    """Drive the check. An answer is a value, or a list of them, one for each time (the last one for all further)."""
    usual: dict[str, Any] = {
        "rdp_listener": Listener(3389),
        "rdp_from_outside:3389": [seen(), seen("tls_ok")],
        "rdp_from_inside:3389": LOST,
        "schannel_client_off": False,
        "machine_guid": GUID,
        "key_size": 2249,
        "key_refused": (),
        "schannel_protocols": tuple(Protocol(name, None, None, "Windows default") for name in VERSIONS),
        "build": 20348,
        "elevated": True,
        "service:Schedule": Service("Schedule", "running", 4),
        "service:SessionEnv": Service("SessionEnv", "running", 5),
        "termservice": Service("TermService", "running", 6),
        "termservice_dependents": (),
        "new_name:the helper that runs as SYSTEM": "kqxwvd3hmtbs",
        "new_name:bringing the key's access list back": "qybxyzny9kbf",
        "folder:kqxwvd3hmtbs": False,
        "key_rights_as_system": [BROKEN, HEALTHY],
    }
    left = {
        name: list(value) if isinstance(value, list) else [value]
        for name, value in (usual | dict(answers or {})).items()
    }
    asked: list[str] = []
    proposed: list[Do] = []
    generator, answer = key.check_key(), None
    for _ in range(100):
        try:
            step = generator.send(answer)
        except StopIteration as end:
            return end.value, asked, proposed
        match step:
            case Look(probe):
                asked.append(probe.name)
                answer = left[probe.name].pop(0) if len(left[probe.name]) > 1 else left[probe.name][0]
            case Do():
                proposed.append(step)
                answer = done
            case Ahead() | Wait():
                answer = None
            case _:
                raise AssertionError(f"unexpected {step}")
    raise AssertionError("it goes on for ever")


def test_two_proposals_first_to_look_then_to_mend() -> None:
    found, _, (first, second) = drive()
    assert found.status == "ok"
    assert [change.name for change in first.changes] == [
        "helper_folder", "helper_rights", "helper_script:s.cmd", "helper_task",
    ]  # fmt: skip
    assert [change.name for change in second.changes] == [
        "helper_script:w.cmd", "key_rights",
        "stop:SessionEnv", "start:SessionEnv", "stop:TermService", "start:TermService",
    ]  # fmt: skip
    assert second.finding.status == "fault"


@pytest.mark.parametrize("verdict", ["tcp_refused", "tcp_timeout", "not_rdp", "not_reachable_from_here"])
def test_without_a_handshake_only_the_event_is_a_reason_to_look(verdict: RdpVerdict) -> None:
    found, asked, proposed = drive({"rdp_from_outside:3389": seen(verdict)})
    assert (found.status, proposed) == ("unknown" if verdict in UNSEEN else "ok", [])
    assert "key_rights_as_system" not in asked
    found, _, proposed = drive({"rdp_from_outside:3389": seen(verdict), "key_refused": REFUSED})
    assert proposed
    assert found.status == "ok"  # the list is right now; how it looks from outside is said
    assert any(verdict in line for line in found.evidence) or verdict in UNSEEN


def test_where_it_can_not_be_seen_from_outside_the_look_from_inside_counts() -> None:
    hidden = {"rdp_from_outside:3389": seen("not_reachable_from_here")}
    found, _, proposed = drive({**hidden, "rdp_from_inside:3389": seen("tls_ok")})
    assert (found.status, proposed) == ("ok", [])
    found, _, proposed = drive({**hidden, "rdp_from_inside:3389": [seen(), seen("tls_ok")]})
    assert (found.status, len(proposed)) == ("ok", 2)


@pytest.mark.parametrize(
    "name", ["machine_guid", "key_size", "build", "new_name:the helper that runs as SYSTEM", "folder:kqxwvd3hmtbs"]
)
def test_what_could_not_be_read_is_unknown_and_changes_nothing(name: str) -> None:
    found, _, proposed = drive({name: LOST})
    assert (found.status, proposed) == ("unknown", [])
    assert LOST.reason in found.evidence


def test_events_that_could_not_be_read_are_no_reason_to_stop() -> None:
    assert drive({"key_refused": LOST})[0].status == "ok"


def test_a_folder_of_that_name_is_never_used() -> None:
    found, _, proposed = drive({"folder:kqxwvd3hmtbs": True})
    assert (found.status, proposed) == ("unknown", [])
    assert "is there already" in found.evidence[-1]


def test_without_elevation_nothing_is_proposed() -> None:
    found, _, proposed = drive({"elevated": False})
    assert (found.status, proposed) == ("unknown", [])
    assert "not elevated" in found.evidence[-1]


@pytest.mark.parametrize("name", ["service:SessionEnv", "termservice", "termservice_dependents"])
def test_services_that_could_not_be_read_are_not_restarted(name: str) -> None:
    found, _, proposed = drive({name: LOST})
    assert found.status == "fault"
    assert [do.finding.status for do in proposed] == ["unknown"]


def test_a_list_that_can_not_be_read_as_system_is_unknown() -> None:
    found, _, proposed = drive({"key_rights_as_system": LOST})
    assert (found.status, len(proposed)) == ("unknown", 1)


def test_a_list_that_could_not_be_typed_back_is_not_changed() -> None:
    long = sddl.parse(BROKEN.text + "(A;;0x2;;;S-1-5-21-1111111111-2222222222-3333333333-1001)" * 20).dacl
    found, _, proposed = drive({"key_rights_as_system": long})
    assert (found.status, len(proposed)) == ("fault", 1)
    assert "could not be taken back" in found.evidence[-1]


def test_what_is_shut_again_is_a_fault() -> None:
    found, _, _ = drive({"key_rights_as_system": BROKEN})
    assert found.status == "fault"
    assert "shut out again" in found.title


def test_what_can_not_be_seen_after_the_repair_is_unknown() -> None:
    found, _, _ = drive({"key_rights_as_system": [BROKEN, LOST], "rdp_from_outside:3389": seen()})
    assert found.status == "ok"  # the change itself was checked; the handshake fails, which is said
    found, _, _ = drive(
        {"key_rights_as_system": [BROKEN, LOST], "rdp_from_outside:3389": [seen(), seen("not_reachable_from_here")]}
    )
    assert found.status == "unknown"


@pytest.mark.parametrize(("done", "status"), [(Done("declined"), "declined"), (Done("failed", "no"), "unknown")])
def test_a_helper_that_was_not_made(done: Done, status: str) -> None:
    found, asked, _ = drive(done=done)
    assert found.status == status
    assert "key_rights_as_system" not in asked


def test_every_change_it_can_propose_says_how_it_is_taken_back() -> None:
    changes = key.changes_for()
    assert len({change.name for change in changes}) == len(changes)
    for change in changes:
        assert isinstance(change, Change)
        assert callable(change.undo)
        assert FOLDER in change.do.text or change.name != "helper_script:w.cmd"
    assert [change.name for change in changes if not change.temporary] == ["key_rights"]
