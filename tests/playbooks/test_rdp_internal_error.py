"""The decisions for "An internal error has occurred", driven by hand: values in, steps out, every branch."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.playbooks import PLAYBOOKS
from serialfix.playbooks.listener import UNSEEN
from serialfix.playbooks.rdp_internal_error import (
    CHANGES,
    LISTENS_AGAIN,
    NETWORK,
    PLAYBOOK,
    check_inside,
    check_outside,
    check_tls,
    judge_outside,
    repair_tls,
    verify,
)
from serialfix.steps import Ahead, Change, Command, Do, Done, Finding, Look, NoUndo, Step, Unknown, Verified, Wait
from serialfix.windows.listener import Listener
from serialfix.windows.rdp_look import Certificate, RdpLook, RdpVerdict
from serialfix.windows.services import Service, State
from serialfix.windows.tls import VERSIONS, Protocol, server_state

MADE = Done("made")
LOST = Unknown("the line was lost")
RUNNING = Service("TermService", "running", 1184)
DEPENDENT = Service("UmRdpService", "running", 1184)
IDLE = Service("SessionEnv", "stopped", 0)


def seen(verdict: RdpVerdict = "tls_ok") -> RdpLook:
    tls = tuple((version, verdict if verdict.startswith("tls") else "tls_reset") for version in ("TLSv1.2", "TLSv1.3"))
    return RdpLook(
        verdict, "203.0.113.7", 3389, datetime(2026, 11, 22, 10, tzinfo=UTC), 0.2, None, "", "HYBRID", 0,
        tls, (), "required", None, "", "", "",
    )  # fmt: skip


def protocols(**enabled: tuple[int | None, int | None]) -> tuple[Protocol, ...]:
    """The four versions, all as Windows has them but those named (``tls_1_2=(0, 1)``)."""
    pairs = {
        version: enabled.get(version.lower().replace(" ", "_").replace(".", "_"), (None, None)) for version in VERSIONS
    }
    return tuple(Protocol(version, *pair, server_state(*pair)) for version, pair in pairs.items())


OFF, ON = protocols(tls_1_2=(0, None)), protocols(tls_1_2=(1, 0))


@dataclass
class Ran:
    """What a generator did, and what came of it."""

    asked: list[str] = field(default_factory=list)
    proposed: list[Do] = field(default_factory=list)
    waited: list[Wait] = field(default_factory=list)
    result: Any = None


def play(generator: Generator[Step, Any, Any], answers: Mapping[str, Any], done: Done = MADE) -> Ran:
    """Drive a generator. An answer is a value, or a list of them, one for each time (the last one for all further)."""
    ran, left = Ran(), {name: list(value) if isinstance(value, list) else [value] for name, value in answers.items()}
    answer: Any = None
    for _ in range(200):
        try:
            step = generator.send(answer)
        except StopIteration as end:
            ran.result = end.value
            return ran
        match step:
            case Look(probe, fresh):
                ran.asked.append(probe.name + "!" * fresh)
                values = left[probe.name.split(":")[0]]
                answer = values.pop(0) if len(values) > 1 else values[0]
            case Ahead():
                answer = None
            case Do():
                ran.proposed.append(step)
                answer = done
            case Wait():
                ran.waited.append(step)
                answer = None
            case _:
                raise AssertionError(f"unexpected {step}")
    raise AssertionError("it goes on for ever")


def tls(done: Done = MADE, **answers: Any) -> Ran:
    usual = {
        "schannel_protocols": [OFF, ON],
        "rdp_listener": Listener(3389),
        "schannel_client_off": False,
        "rdp_from_outside": seen("tls_reset"),
        "rdp_from_inside": seen("tls_reset"),
        "elevated": True,
        "termservice": RUNNING,
        "termservice_dependents": (DEPENDENT,),
    }
    return play(check_tls(), usual | answers, done)


def names(ran: Ran) -> list[str]:
    (proposal,) = ran.proposed
    return [change.name for change in proposal.changes]


# --- the look from outside ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", get_args(RdpVerdict))
def test_every_verdict_from_outside_is_judged(verdict: RdpVerdict) -> None:
    ran = play(check_outside(), {"rdp_from_outside": seen(verdict)})
    assert ran.asked == ["rdp_from_outside"]
    expected = "ok" if verdict == "tls_ok" else "unknown" if verdict in UNSEEN else "fault"
    assert (ran.result.check, ran.result.status) == ("outside", expected)
    assert verdict in ran.result.evidence[0]
    assert not ran.proposed
    assert bool(ran.result.advice) == (verdict in UNSEEN)


def test_a_look_that_failed_is_unknown() -> None:
    finding = judge_outside(LOST)
    assert (finding.status, finding.evidence) == ("unknown", ("the line was lost",))


def test_more_evidence_stands_behind_the_look() -> None:
    assert judge_outside(seen(), steady=True).evidence[1:] == ("three healthy answers in a row",)


# --- TLS ---------------------------------------------------------------------------------------------------------


def test_settings_that_could_not_be_read_are_unknown_and_nothing_more_is_asked() -> None:
    ran = tls(schannel_protocols=LOST)
    assert ran.asked == ["schannel_protocols"]
    assert (ran.result.status, ran.result.evidence) == ("unknown", ("the line was lost",))


@pytest.mark.parametrize(
    "found",
    [
        protocols(),
        ON,
        protocols(tls_1_0=(0, 1), tls_1_1=(0, 1)),
        protocols(tls_1_3=(0, None)),
        protocols(tls_1_2=(1, None)),
    ],
)
def test_healthy_and_hardened_machines_are_left_alone(found: tuple[Protocol, ...]) -> None:
    ran = tls(schannel_protocols=found)
    assert ran.result.status == "ok"
    assert ran.asked == ["schannel_protocols"]
    assert not ran.proposed
    assert ran.result.evidence == tuple(f"registry: {protocol}" for protocol in found)


def test_off_but_working_is_left_alone() -> None:
    ran = tls(rdp_from_outside=seen("tls_ok"))
    assert ran.result.status == "ok"
    assert "agrees on another version" in ran.result.title
    assert not ran.proposed


@pytest.mark.parametrize("values", [(0, None), (0, 0), (0, 1), (1, 1), (None, 1)])
def test_off_is_proposed_for_repair(values: tuple[int | None, int | None]) -> None:
    ran = tls(schannel_protocols=[protocols(tls_1_2=values), ON])
    assert names(ran) == [
        "tls_1_2_Enabled", "tls_1_2_DisabledByDefault",
        "stop:UmRdpService", "stop:TermService", "start:TermService", "start:UmRdpService",
    ]  # fmt: skip
    (proposal,) = ran.proposed
    assert proposal.finding.status == "fault"
    assert any("seen now (tls_reset)" in line for line in proposal.finding.evidence)
    assert ran.asked[-1] == "schannel_protocols!"
    assert ran.result.status == "ok"
    assert ran.result.evidence[-1] == f"now: {ON[2]}"


@pytest.mark.parametrize("look", [LOST, seen("not_reachable_from_here"), seen("neg_failure")])
def test_no_look_from_outside_is_no_reason_to_do_nothing(look: Any) -> None:
    """Behind a private address the registry alone must do."""
    assert names(tls(rdp_from_outside=look))[0] == "tls_1_2_Enabled"


def test_without_elevation_nothing_is_proposed() -> None:
    ran = tls(elevated=False)
    assert ran.result.status == "fault"
    assert not ran.proposed
    assert "not elevated" in ran.result.evidence[-1]
    assert "nothing was changed" in ran.result.advice


def test_unknown_elevation_is_not_a_no() -> None:
    assert tls(elevated=LOST).result.status == "ok"


@pytest.mark.parametrize("probe", ["termservice", "termservice_dependents"])
def test_a_service_that_could_not_be_read_is_not_restarted(probe: str) -> None:
    unread: dict[str, Any] = {probe: LOST}
    ran = tls(**unread)
    assert ran.result.status == "fault"
    assert not ran.proposed
    assert "the line was lost" in ran.result.evidence[-1]


@pytest.mark.parametrize("state", [state for state in get_args(State) if state != "running"])
def test_a_service_that_does_not_run_is_not_started(state: State) -> None:
    assert names(tls(termservice=replace(RUNNING, state=state))) == ["tls_1_2_Enabled", "tls_1_2_DisabledByDefault"]


def test_dependents_that_do_not_run_are_left_alone() -> None:
    assert names(tls(termservice_dependents=(IDLE,))) == [
        "tls_1_2_Enabled", "tls_1_2_DisabledByDefault", "stop:TermService", "start:TermService",
    ]  # fmt: skip


def test_a_refusal_is_declined() -> None:
    ran = tls(Done("declined"))
    assert ran.result.status == "declined"
    assert "schannel_protocols!" not in ran.asked


def test_a_repair_that_failed_stays_a_fault_and_says_why() -> None:
    ran = tls(Done("failed", "Stop the service: afterwards it was stopping"))
    assert ran.result.status == "fault"
    assert ran.result.evidence[-1] == "Stop the service: afterwards it was stopping"


def test_unreadable_after_the_repair_is_unknown() -> None:
    ran = tls(schannel_protocols=[OFF, LOST])
    assert (ran.result.status, ran.result.evidence) == ("unknown", ("the line was lost",))


def test_written_back_is_a_fault_that_names_the_suspects() -> None:
    ran = tls(schannel_protocols=[OFF, OFF])
    assert ran.result.status == "fault"
    assert "group policy" in ran.result.advice


NUMBERS = st.none() | st.sampled_from([0, 1, 0xFFFFFFFF])


@given(
    st.lists(st.tuples(NUMBERS, NUMBERS), min_size=4, max_size=4),
    st.sampled_from(get_args(RdpVerdict)),
    st.sampled_from([True, False, LOST]),
    st.sampled_from([RUNNING, IDLE, LOST]),
    st.sampled_from([Done("made"), Done("declined"), Done("failed", "x")]),
)
def test_changes_only_where_tls_1_2_is_off_and_rdp_is_prevented(
    pairs: list[tuple[int | None, int | None]],
    verdict: RdpVerdict,
    elevated: Any,
    service: Any,
    done: Done,
) -> None:
    found = tuple(Protocol(name, *pair, server_state(*pair)) for name, pair in zip(VERSIONS, pairs, strict=True))
    ran = tls(
        done, schannel_protocols=[found, ON], rdp_from_outside=seen(verdict), elevated=elevated, termservice=service
    )  # fmt: skip
    may = found[2].off and verdict != "tls_ok" and elevated is not False and service is not LOST
    assert bool(ran.proposed) == may
    for proposal in ran.proposed:
        for change in proposal.changes:
            assert "TLS 1.2" in change.do.text or change.do.text.startswith(("sc stop ", "sc start "))
            assert "Client" not in change.do.text
    assert ran.result.check == "tls"
    assert ran.result.status != "fixed", "only the engine may say so"


# --- the changes -------------------------------------------------------------------------------------------------


def test_the_writes_are_exactly_two_values_and_a_restart() -> None:
    key = r'"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Protocols\TLS 1.2\Server"'
    assert [change.do.text for change in repair_tls(RUNNING, (DEPENDENT, IDLE))] == [
        f"reg add {key} /v Enabled /t REG_DWORD /d 1 /f",
        f"reg add {key} /v DisabledByDefault /t REG_DWORD /d 0 /f",
        "sc stop UmRdpService",
        "sc stop TermService",
        "sc start TermService",
        "sc start UmRdpService",
    ]


def test_a_hostile_dependent_is_refused() -> None:
    with pytest.raises(ValueError, match="typed safely"):
        repair_tls(RUNNING, (Service("x & net user evil P /add", "running", 1),))


def _change(change: Change[Any]) -> str:
    return change.name


@pytest.mark.parametrize("change", CHANGES, ids=_change)
def test_every_change_explains_itself(change: Change[Any]) -> None:
    assert change.do.effect == "write"
    assert change.title
    assert change.why.endswith(".")
    assert change.docs
    # Whoever moves the port cuts off every client that is not told; what serves or runs for others is no small thing.
    cuts = change.name.startswith(("stop:", "start:", "on-demand:", "helper", "firewall", "move_empty"))
    cuts = cuts or (change.name.startswith("delete") and isinstance(change.undo, NoUndo))
    assert change.risk == ("high" if change.name == "port_number" else "medium" if cuts else "low")
    assert change.flag is None
    assert isinstance(change.before.query, Command)
    assert change.before.query.effect == "read"


def test_an_expired_certificate_is_said_but_is_no_fault_of_the_handshake() -> None:
    now = seen().at
    for begins, ends, said in ((-90, 90, False), (-180, -1, True), (1, 180, True)):
        days = [now + timedelta(days=day) for day in (begins, ends)]
        shown = replace(seen(), certificate=Certificate("AB" * 20, "CN=vm", "CN=vm", days[0], days[1], True))
        finding = judge_outside(shown)
        assert finding.status == "ok"
        assert ("out of date" in finding.title) is said


# --- verification ------------------------------------------------------------------------------------------------


def verified(changed: bool, looks: list[Any], inside: Any = LOST) -> tuple[Ran, dict[str, Finding], Verified]:
    answers = {
        "rdp_listener": Listener(3389),
        "schannel_client_off": LOST,
        "rdp_from_outside": looks,
        "rdp_from_inside": inside,
    }
    ran = play(verify(changed), answers)
    findings, where = ran.result
    return ran, {finding.check: finding for finding in findings}, where


def looks_of(ran: Ran, place: str) -> list[str]:
    return [name.partition(":")[0] + "!" * name.endswith("!") for name in ran.asked if f"_{place}" in name]


@pytest.mark.parametrize(
    ("look", "inside", "status", "where"),
    [
        (seen(), LOST, "ok", "outside"),
        (seen("tls_alert"), seen("tls_alert"), "fault", "outside"),
        (seen("tcp_timeout"), seen(), "fault", "outside"),
        (seen("not_reachable_from_here"), LOST, "unknown", "no"),
        (seen("not_reachable_from_here"), seen(), "unknown", "inside only"),
        (seen("not_reachable_from_here"), seen("tls_reset"), "unknown", "inside only"),
        (LOST, LOST, "unknown", "no"),
    ],
)
def test_without_a_change_one_look_is_enough(look: Any, inside: Any, status: str, where: Verified) -> None:
    ran, findings, found = verified(False, [look], inside)
    assert (findings["outside"].status, found) == (status, where)
    assert looks_of(ran, "outside") == ["rdp_from_outside"]
    assert len(looks_of(ran, "inside")) == (status != "ok")
    assert not ran.waited
    assert (findings["outside"].advice == NETWORK) == (status == "fault" and inside == seen())


def test_after_a_change_three_healthy_looks_in_a_row() -> None:
    ran, findings, where = verified(True, [seen()])
    assert (findings["outside"].status, findings["inside"].status, where) == ("ok", "ok", "outside")
    assert "three healthy answers in a row" in findings["outside"].evidence
    assert looks_of(ran, "outside") == [*2 * ["rdp_from_outside"], *2 * ["rdp_from_outside!"]]
    assert looks_of(ran, "inside") == []
    assert [wait.seconds for wait in ran.waited] == [3.0, 3.0]


def test_one_bad_look_starts_the_count_over() -> None:
    bad = seen("tcp_refused")
    ran, findings, _ = verified(True, [bad, bad, bad, seen(), seen(), bad, seen(), seen(), seen()])
    assert findings["outside"].status == "ok"
    assert len(looks_of(ran, "outside")) == 9


def test_what_never_listens_again_stays_a_fault() -> None:
    ran, findings, where = verified(True, [seen("tcp_refused")], seen("tcp_refused"))
    assert (findings["outside"].status, findings["inside"].status, where) == ("fault", "fault", "outside")
    assert sum(wait.seconds for wait in ran.waited) == LISTENS_AGAIN


@pytest.mark.parametrize("offset", range(3))
def test_what_is_up_and_down_is_not_called_healthy(offset: int) -> None:
    looks = ([seen(), seen(), seen("tcp_refused")] * 10)[offset:]
    _, findings, where = verified(True, looks)
    assert (findings["outside"].status, where) == ("fault", "outside")
    assert "three healthy answers in a row" not in findings["outside"].evidence


@pytest.mark.parametrize("look", [LOST, seen("not_reachable_from_here")])
def test_a_port_that_is_not_seen_is_not_waited_for(look: Any) -> None:
    ran, findings, where = verified(True, [look])
    assert (findings["outside"].status, findings["inside"].status, where) == ("unknown", "unknown", "no")
    assert not ran.waited


@pytest.mark.parametrize("look", [LOST, seen("not_reachable_from_here")])
def test_where_it_is_not_seen_from_outside_it_is_looked_at_inside(look: Any) -> None:
    ran, findings, where = verified(True, [look], [seen("tcp_refused"), seen()])
    assert (findings["outside"].status, findings["inside"].status, where) == ("unknown", "ok", "inside only")
    assert "three healthy answers in a row" in findings["inside"].evidence
    assert len(ran.waited) == 3


# --- the look from inside ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outside", "inside", "status"),
    [
        (seen(), LOST, "ok"),
        (seen("tls_reset"), seen("tls_reset"), "fault"),
        (seen("tcp_timeout"), seen(), "ok"),
        (LOST, seen(), "ok"),
        (LOST, LOST, "unknown"),
    ],
)
def test_it_is_looked_at_inside_only_where_it_does_not_answer_from_outside(
    outside: Any, inside: Any, status: str
) -> None:
    answers = {
        "rdp_listener": Listener(3389),
        "schannel_client_off": LOST,
        "rdp_from_outside": outside,
        "rdp_from_inside": inside,
    }
    ran = play(check_inside(), answers)
    assert (ran.result.check, ran.result.status) == ("inside", status)
    assert bool(looks_of(ran, "inside")) == (outside != seen())


# --- the playbook ------------------------------------------------------------------------------------------------


def test_it_is_listed_and_its_checks_can_be_explained() -> None:
    assert PLAYBOOKS["rdp_internal_error"] is PLAYBOOK
    assert [check.name for check in PLAYBOOK.checks] == ["outside", "inside", "port", "tls", "key", "certificate"]
    assert PLAYBOOK.symptoms == ("outside", "inside")
    assert PLAYBOOK.verify is verify
    for check in PLAYBOOK.checks:
        assert check.title
        assert check.docs.startswith("https://learn.microsoft.com/")
        first = next(check.run())
        assert isinstance(first, Look)
        assert first.probe in check.first
