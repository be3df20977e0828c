"""The check of the certificate: every row of its table by hand, and whole sessions with the simulated Windows."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from serialfix import events
from serialfix.approval import Policy
from serialfix.playbooks import certificate, rdp_internal_error
from serialfix.playbooks.certificate import CONTAINER, Facts, changes_for, check_certificate
from serialfix.playbooks.certificate_renewal import Seen
from serialfix.simulator import stores
from serialfix.simulator.faults import FAULTS
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.vm import Vm
from serialfix.steps import Ahead, Check, Do, Done, Finding, Look, Playbook, Step, Unknown, Wait
from serialfix.windows import probes
from serialfix.windows.certificate_store import REMOTE_DESKTOP, Broken, Contents, Entry
from serialfix.windows.clock import Clock, Clocks
from serialfix.windows.listener import Listener
from serialfix.windows.rdp_look import Certificate, RdpLook, RdpVerdict
from serialfix.windows.registry import Value
from serialfix.windows.services import Service
from tests.simulator.world import YEARS, shell
from tests.virtual import Ran, run
from tests.windows.blobs import BEGIN, END

LOST = Unknown("the line was lost")
NOW = BEGIN + timedelta(days=60)
LATER = END + timedelta(days=60)
GUID = "6f3c1f0e-2b1d-4c58-9a53-1d2f3c4b5a69"


def entry(letter: str = "A", **other: Any) -> Entry:
    return replace(Entry(letter * 40, BEGIN, END, True, "legacy", CONTAINER, b"blob"), **other)


def seen(verdict: RdpVerdict = "tls_ok", shown: str | None = "A" * 40, at: Any = NOW, **other: Any) -> RdpLook:
    tls = (("TLSv1.2", verdict),)
    held = None if shown is None or verdict != "tls_ok" else Certificate(shown, "CN=vm01", "CN=vm01", BEGIN, END, True)
    look = RdpLook(
        verdict, "203.0.113.7", 3389, at, 0.2, None, "", "HYBRID", 0, tls, (), "required", held, "", "", ""
    )  # fmt: skip
    return replace(look, **other)


def answers(
    *entries: Entry,
    broken: Sequence[Broken] = (),
    look: Any = None,
    size: Any = 2228,
    now: Any = NOW,
    pin: str | None = None,
    my: Sequence[Entry] = (),
    **other: Any,
) -> dict[str, Any]:
    """What the probes answer, by name; what is not told here is healthy."""
    return {
        "rdp_listener": Listener(3389, pin),
        "certificate_stores": frozenset({"remote desktop", "my"}),
        "certificates:Remote Desktop": Contents(entries, tuple(broken)),
        "certificates:MY": Contents(tuple(my)),
        "rdp_from_outside:3389": seen() if look is None else look,
        "rdp_from_inside:3389": LOST,
        "schannel_client_off": False,
        "machine_guid": GUID,
        "key_size": size,
        "clock": now,
        "newest_event": LOST,
        "elevated": True,
        "start type:CryptSvc": Value("Start", "REG_DWORD", "0x2", 2),
        "start type:KeyIso": Value("Start", "REG_DWORD", "0x3", 3),
        "start type:SessionEnv": Value("Start", "REG_DWORD", "0x3", 3),
        "service:SessionEnv": Service("SessionEnv", "running", 900),
        "termservice": Service("TermService", "running", 1184),
        "termservice_dependents": (Service("UmRdpService", "running", 1184),),
        "certificate_events": (),
        "schannel_protocols": (),
        "new_name:the empty key file": "kqxwvd3hmtbs",
    } | other


def play(
    generator: Generator[Step, Any, Finding],
    told: dict[str, Any],
    done: Done | None = None,
    after: Callable[[dict[str, Any]], None] = lambda told: None,
) -> tuple[Finding, list[Do]]:
    """Drive a check by hand; ``after`` may change what is answered once the changes are made."""
    proposed: list[Do] = []
    answer: Any = None
    try:
        while True:
            step = generator.send(answer)
            answer = None
            if isinstance(step, Look):
                answer = told[step.probe.name]
            elif isinstance(step, Do):
                proposed.append(step)
                answer = done or Done("declined")
                if answer.outcome == "made":
                    after(told)
            else:
                assert isinstance(step, Ahead | Wait)
    except StopIteration as end:
        return end.value, proposed


def names(proposed: list[Do]) -> list[str]:
    return [change.name for step in proposed for change in step.changes]


def deleted(proposed: list[Do]) -> list[str]:
    return [name.rpartition(":")[2] for name in names(proposed) if name.startswith("delete")]


FAILS = seen("tls_reset")
NONE = seen("neg_failure", failure_code=3)
OLD = seen(at=LATER)
UNSEEN = seen("not_reachable_from_here")
FAR = seen("not_reachable_from_here", at=LATER)
RESTART = ["stop:SessionEnv", "start:SessionEnv", "stop:UmRdpService", "stop:TermService", "start:TermService"]


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (answers(entry()), "ok"),  # valid, with its key
        (answers(entry(not_after=BEGIN), entry("B")), "ok"),  # answers in date: what lies about harms nobody
        (answers(entry(), size=None), "ok"),
        (answers(), "ok"),  # none, and Remote Desktop answers
        (answers(look=seen(shown=None)), "ok"),
        (answers(look=UNSEEN), "ok"),
        (answers(look=seen("tcp_refused")), "ok"),
        (answers(entry(), look=seen("tcp_timeout")), "ok"),
        (answers(entry(), look=UNSEEN), "ok"),
        (answers(entry(), look=FAILS), "ok"),  # another reason
        (answers(entry(), entry("B", not_after=BEGIN), look=FAILS), "ok"),
        (answers(entry(), look=FAILS, size=LOST), "unknown"),
        (answers(entry(provider="CNG", container="x"), look=FAILS, size=None), "unknown"),  # not called orphaned
        (answers(entry(container="MyOwn"), look=FAILS, size=None), "unknown"),
        (answers(entry(self_signed=False), look=FAILS, size=None), "unknown"),
        (answers(entry(self_signed=False), look=OLD, now=LATER), "fault"),  # issued by another, expired
        (answers(broken=[Broken("x", "cut")], look=FAILS), "fault"),
        (answers(broken=[Broken("x", "cut")]), "ok"),
        (answers(entry(), look=OLD, now=LOST), "unknown"),  # whether it has expired
        (answers(entry(), look=OLD, now=LOST, newest_event=NOW), "unknown"),  # the clock may be any later
        (answers(entry(), look=LOST), "unknown"),
        (answers(entry(), look=UNSEEN) | {"rdp_from_inside:3389": seen(shown="C" * 40, at=BEGIN)}, "ok"),
        (answers(entry(), look=OLD, now=LATER, size=LOST), "fault"),
        (answers(entry(), look=OLD, now=LATER, machine_guid=LOST), "fault"),
        (answers(entry(), look=OLD, now=LATER, elevated=False), "fault"),
        (answers(entry(), look=OLD, now=LATER) | {"start type:KeyIso": LOST}, "fault"),
        (answers(entry(), look=OLD, now=LATER) | {"service:SessionEnv": LOST}, "fault"),
        (answers(rdp_listener=LOST), "unknown"),
        (answers(certificate_stores=LOST), "unknown"),
        (answers() | {"certificates:Remote Desktop": LOST}, "unknown"),
        (answers(certificate_stores=frozenset({"my"})) | {"certificates:Remote Desktop": LOST}, "ok"),
    ],
)
def test_nothing_is_proposed(told: dict[str, Any], status: str) -> None:
    found, proposed = play(check_certificate(), told)
    assert (found.status, proposed) == (status, [])
    assert found.evidence
    assert found.advice or status == "ok" or (status == "unknown" and "could not be" in found.title)


@pytest.mark.parametrize(
    ("told", "gone"),
    [
        (answers(look=NONE), []),
        (answers(look=FAILS, size=None), []),
        (answers(entry(), look=OLD, now=LATER), ["A"]),
        (answers(entry(), look=OLD, now=LOST, newest_event=LATER), ["A"]),
        (answers(entry(), look=FAR, now=LATER), ["A"]),
        # Our clock counts, as the look from outside noted it, not that of the look from inside.
        (answers(entry(), look=FAR, now=LATER) | {"rdp_from_inside:3389": seen(at=LATER)}, ["A"]),
        (answers(entry(), look=UNSEEN, size=None) | {"rdp_from_inside:3389": FAILS}, ["A"]),
        (answers(entry(), entry("B"), look=OLD, now=LATER), ["A", "B"]),
        (answers(entry(), entry("B", not_after=LATER + timedelta(9)), look=OLD, now=LATER), ["A"]),
        (answers(entry(), entry("C", self_signed=False), look=OLD, now=LATER), ["A"]),
        (answers(entry(), look=FAILS, size=None), ["A"]),
        (answers(entry(), entry("B", provider="CNG"), look=FAILS, size=None), ["A"]),
        (answers(entry(provider="none", container=""), look=FAILS), ["A"]),
        (answers(entry("B"), entry(provider="none"), look=FAILS), ["A"]),
        (answers(entry(), look=seen("tls_reset", at=LATER), now=LATER), ["A"]),
        (answers(entry("B", not_after=LATER + timedelta(9)), look=OLD, now=LATER), []),  # it still shows an old one
    ],
)
def test_what_is_in_the_way_goes_and_the_services_restart(told: dict[str, Any], gone: list[str]) -> None:
    found, proposed = play(check_certificate(), told)
    assert found.status == "declined"
    assert deleted(proposed) == [letter * 40 for letter in gone]
    assert names(proposed)[len(gone) :] == [*RESTART, "start:UmRdpService"]
    assert proposed[0].finding.status == "fault"


def test_an_expired_certificate_is_not_the_cause_of_a_failed_handshake() -> None:
    found, _ = play(check_certificate(), answers(entry(), look=seen("tls_reset", at=LATER), now=LATER))
    assert certificate.NOT_THE_CAUSE in found.evidence
    assert "handshake" not in found.title


@pytest.mark.parametrize("look", [OLD, FAILS, seen("tls_reset", at=LATER)])
@pytest.mark.parametrize("wrong", [timedelta(hours=2), timedelta(days=-400), timedelta(days=4000)])
@pytest.mark.parametrize("size", [2228, None])
def test_nothing_is_deleted_while_a_clock_is_wrong(look: RdpLook, wrong: timedelta, size: int | None) -> None:
    found, proposed = play(check_certificate(), answers(entry(), look=look, now=look.at + wrong, size=size))
    assert not proposed
    if found.status == "fault":
        assert "clock" in found.advice
    assert any("clock is about" in line for line in found.evidence)


def test_an_empty_key_file_is_moved_before_its_certificate_goes() -> None:
    _, proposed = play(check_certificate(), answers(entry(), look=FAILS, size=0))
    assert names(proposed)[:2] == ["move_empty_key", f"delete_certificate:{'A' * 40}"]
    moved = proposed[0].changes[0]
    assert moved.put_back
    assert moved.do.text.endswith(f"f686aace6942fb7f7ceb231212eef4a4_{GUID}.kqxwvd3hmtbs")


def test_disabled_services_are_enabled_first() -> None:
    off = Value("Start", "REG_DWORD", "0x4", 4)
    told = answers(look=NONE)
    told.update((f"start type:{name}", off) for name in ("CryptSvc", "KeyIso", "SessionEnv"))
    told["service:SessionEnv"] = Service("SessionEnv", "stopped", 0)
    _, proposed = play(check_certificate(), told)
    first = ["enable:CryptSvc", "start:CryptSvc", "enable:KeyIso", "enable:SessionEnv", "start:SessionEnv"]
    assert names(proposed)[:5] == first


PIN = "B" * 40


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        (answers(entry(), look=FAILS), "fault", "in no store"),
        (answers(entry()), "ok", "in no store"),
        (answers(entry(not_after=BEGIN), look=FAILS, size=None), "fault", "in no store"),
        (answers(my=[entry("B", provider="none")], look=FAILS), "fault", "no private key"),
        (answers(my=[entry("B", container="x")], look=FAILS), "unknown", "was not looked at"),
        (answers(my=[entry("B", container="x", self_signed=False)]), "ok", "is there"),
        (answers(entry("B"), look=FAILS, size=None), "fault", "lost its private key"),
        (answers(my=[entry("B", container="x")], look=OLD, now=LATER), "fault", "has expired"),
        (answers(entry(), look=FAILS) | {"certificates:MY": LOST}, "unknown", "could not be read"),
        (answers(broken=[Broken(PIN, "cut")], look=FAILS), "unknown", "could not be read"),
    ],
)
def test_what_a_pin_names_is_reported_and_nothing_is_changed(told: dict[str, Any], status: str, said: str) -> None:
    found, proposed = play(check_certificate(), told | {"rdp_listener": Listener(3389, PIN)})
    assert (found.status, proposed) == (status, [])
    assert said in found.title
    assert found.advice or status == "ok" or "could not be read" in found.title


def test_every_change_that_can_be_proposed_is_listed() -> None:
    listed = {change.name.partition(":")[0] for change in changes_for("A" * 40, GUID)}
    off = Value("Start", "REG_DWORD", "0x4", 4)
    told = answers(entry(), look=FAILS, size=0) | {"start type:SessionEnv": off, "start type:CryptSvc": off}
    _, proposed = play(check_certificate(), told)
    assert {name.partition(":")[0] for name in names(proposed)} - {"stop", "start"} <= listed


def test_facts_without_anything_to_go_by_condemn_nothing() -> None:
    facts = Facts(Contents((entry(),)), Seen(LOST, LOST), LOST, LOST, Clocks(Clock(NOW, True), None))
    assert not facts.fails
    assert not facts.keyless(entry())
    assert facts.clocks.past(BEGIN) is None


# --- whole sessions -------------------------------------------------------------------------------------------------

PLAYBOOK = Playbook(
    "certificate",
    "only the certificate",
    (rdp_internal_error.SYMPTOM,),
    (
        Check(rdp_internal_error.SYMPTOM, "outside", "", (probes.OUTSIDE,), rdp_internal_error.check_outside),
        Check(certificate.CHECK, "certificate", certificate.DOCS, (probes.LISTENER,), check_certificate),
    ),
    rdp_internal_error.verify,
)
SEEDS = (range(5), range(5, 10))


def session(faults: Sequence[str], seed: int, windows: str = "2022", **other: Any) -> Ran:
    return run(faults, seed=seed, windows=windows, playbook=PLAYBOOK, **other)


def found(ran: Ran) -> Finding:
    return next(each for each in ran.played.verdict.findings if each.check == certificate.CHECK)


def left_as_found(ran: Ran) -> bool:
    """Whether all that outlives the session is as it was, but the folder for reading where that was said to be left."""
    before, after = ran.state_before, ran.vm.state()
    apart = {"files", "security"} if ran.left else set()
    return all(before[part] == after[part] for part in before if part not in apart)


def certificates(state: dict[str, Any]) -> set[tuple[str, str]]:
    return {(store, thumbprint) for store, thumbprint in state["certificates"]}


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["cert-expired", "cert-missing-key"])
@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("seeds", SEEDS)
def test_every_variant_is_repaired(fault: str, windows: str, seeds: Sequence[int]) -> None:
    for seed in seeds:
        ran = session([fault], seed, windows)
        assert FAULTS[fault].repaired(ran.vm), (seed, found(ran))
        assert FAULTS["healthy"].repaired(ran.vm), seed
        assert (ran.outcome, found(ran).status) == ("fixed", "fixed"), (seed, found(ran))
        assert "Remote Desktop shows it" in found(ran).evidence
        assert any("1056" in line for line in found(ran).evidence)


@pytest.mark.parametrize("windows", YEARS)
def test_a_healthy_vm_gets_no_write(windows: str) -> None:
    for seed in range(5):
        ran = session(["healthy"], seed, windows)
        assert ran.vm.state() == ran.state_before
        assert (ran.outcome, found(ran).status) == ("healthy", "ok")
        assert not ran.recorder.of(events.ChangeStarted)


@pytest.mark.parametrize("fault", ["cert-expired", "cert-missing-key"])
def test_a_diagnosis_writes_nothing(fault: str) -> None:
    for seed in (0, 1, 2, 3, 4):  # one of each variant
        ran = session([fault], seed, mode="diagnose", policy=Policy(never="diagnose"))
        assert left_as_found(ran)
        assert found(ran).status == "fault"
        assert ran.recorder.of(events.Proposed)


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [timedelta(days=-300), timedelta(hours=3), timedelta(days=900)])
@pytest.mark.parametrize("fault", ["healthy", "cert-expired", "cert-missing-key"])
def test_a_wrong_clock_leads_to_no_deletion(fault: str, wrong: timedelta) -> None:
    def set_clock(vm: Vm) -> None:
        vm.set_clock(vm.clock() + wrong)

    for seed in range(0, 20, 3):
        ran = session([fault], seed, prepare=set_clock)
        kept = certificates(ran.state_before), certificates(ran.vm.state())
        assert kept[0] <= kept[1], (seed, found(ran))


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["real", "worst"])
@pytest.mark.parametrize("fault", ["cert-expired", "cert-missing-key"])
def test_it_is_repaired_over_a_bad_line(fault: str, preset: str) -> None:
    for seed in (0, 3, 4):
        ran = session([fault], seed, YEARS[seed % 4], knobs=PRESETS[preset])
        assert FAULTS[fault].repaired(ran.vm) == (found(ran).status == "fixed"), found(ran)
        assert preset == "worst" or ran.outcome == "fixed", found(ran)


def test_the_recorded_undo_typed_by_hand_brings_the_entries_back() -> None:
    ran = session(["cert-expired"], 3)  # several, whose key is there
    started = [each for each in ran.recorder.of(events.ChangeStarted) if each.name.startswith("delete")]
    assert len(started) == 3
    for change in started:
        shell(ran.vm, *change.undo)
    kept = ran.state_before["registry"]
    after = ran.vm.state()["registry"]
    assert isinstance(kept, dict)
    assert isinstance(after, dict)
    place = stores.path(REMOTE_DESKTOP)
    assert {key: value for key, value in kept.items() if key.startswith(place)}.items() <= after.items()


def test_where_the_key_is_gone_no_undo_is_promised() -> None:
    ran = session(["cert-missing-key"], 2)
    (proposed,) = ran.recorder.of(events.Proposed)
    (change,) = [change for change in proposed.changes if change.name.startswith("delete")]
    assert not change.undo
    assert "private key is gone" in change.no_undo


def test_a_pinned_vm_keeps_its_certificates() -> None:
    def pin(vm: Vm) -> None:
        key = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp"
        vm.registry.set(key, "SSLCertificateSHA1Hash", "REG_BINARY", bytes(range(20)))
        vm.read_listener()

    ran = session(["cert-expired"], 3, prepare=pin)
    assert ran.vm.state()["certificates"] == ran.state_before["certificates"]
    assert "in no store" in found(ran).title
    assert found(ran).status == "fault"


def test_no_is_respected() -> None:
    ran = session(["cert-expired"], 0, policy=Policy(yes_to="low"))
    assert ran.vm.state() == ran.state_before
    assert (ran.outcome, found(ran).status) == ("declined", "declined")
