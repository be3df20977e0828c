"""Whole sessions in virtual time: the client against the simulator, judged by the simulator's own truth."""

import re
import sys
from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from serialfix import events
from serialfix.approval import Policy
from serialfix.console import keyboard
from serialfix.console.dialogue import Conversation
from serialfix.console.markers import Markers
from serialfix.simulator.baseline import SCHANNEL
from serialfix.simulator.faults import FAULTS, build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.simulator.sac_texts import CMD_AVAILABLE
from tests.simulator.world import ask
from tests.virtual import Ran, run

TLS_OFF, HEALTHY = ("tls-disabled",), ("healthy",)
KEY = rf"{SCHANNEL}\Protocols\TLS 1.2\Server"
WRITES = re.compile(
    r"\b(reg (add|delete|import)|sc (start|stop|config|delete|create)|net (start|stop|user)|shutdown"
    r"|schtasks /(create|run|end|change|delete))\b",
    re.I,
)
FAST = (Phase.explicit, Phase.reuse, Phase.generate)  # an example is a whole session: no shrinking
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


def lines(ran: Ran, *purposes: str) -> list[str]:
    """The lines that the simulator's readers got, in order, but empty ones."""
    return [
        str(entry["text"])
        for entry in ran.vm.journal
        if entry["kind"] == "line" and entry["purpose"] in purposes and entry["text"]
    ]


def writes(ran: Ran) -> list[str]:
    """The lines with which a shell was told to change something."""
    return [line for line in lines(ran, "command", "sac") if WRITES.search(line)]


def registry_changes(ran: Ran) -> list[tuple[object, object]]:
    return [
        (str(entry["path"]).replace("HKEY_LOCAL_MACHINE", "HKLM"), entry["value"])
        for entry in ran.vm.journal
        if entry["kind"] == "registry"
    ]


def leavings(ran: Ran) -> set[object]:
    """Channels that the session opened and that are still there."""
    made = {entry["name"] for entry in ran.vm.journal if entry["kind"] == "channel created"}
    return made - {entry["name"] for entry in ran.vm.journal if entry["kind"] == "channel closed"}


def left_as_found(ran: Ran, *, but_tls: bool = False) -> bool:
    """Whether all that outlives a run is as it was, but for the repair, and for what was said to be left."""
    before, after = ran.state_before, ran.vm.state()
    if ran.left:
        kept = {"registry", "services", "certificates", "accounts", "tasks"}
        before, after = ({key: state[key] for key in kept} for state in (before, after))
    if but_tls:
        twin = build(ran.vm.faults, ran.vm.windows, ran.vm.seed)
        for name, number in (("Enabled", 1), ("DisabledByDefault", 0)):
            twin.registry.set(KEY, name, "REG_DWORD", number)
        before = before | {"registry": twin.state()["registry"]}
    return before == after


def truthful(ran: Ran) -> None:
    """Whatever the outcome: it is what the VM is now, and nothing was done that was not said."""
    if ran.outcome == "fixed":
        assert all(FAULTS[name].repaired(ran.vm) for name in ran.vm.faults)
        assert left_as_found(ran, but_tls=True)
    elif ran.outcome == "healthy":
        assert ran.vm.rdp_port().tls
        assert left_as_found(ran)
    elif ran.outcome in ("faults_left", "unreachable"):
        assert any(finding.status in ("unknown", "fault") for finding in ran.played.verdict.findings)
    else:
        raise AssertionError(f"the outcome is {ran.outcome}")
    writes_are_as_said(ran)


def writes_are_as_said(ran: Ran) -> None:
    """Every line that changes something was announced, and none was entered more often than that.

    A service may be started twice, each time announced: as a change, and to put it back when that change failed.
    """
    said = [event.command for event in ran.recorder.of(events.ChangeStarted)]
    for line in writes(ran):
        assert any(command in line for command in said), line
    for command in set(said):
        entered = sum(command in line for line in writes(ran))
        assert entered <= said.count(command), f"made again: {command}"


# --- outcomes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("windows", "seed"), [("2022", 1), ("2022", 2), ("2025", 3)])
@pytest.mark.parametrize("preset", ["calm", "real"])
def test_fixed(preset: str, windows: str, seed: int) -> None:
    ran = run(TLS_OFF, seed=seed, windows=windows, knobs=PRESETS[preset])
    assert ran.outcome == "fixed"
    assert ran.played.verdict.verified == "outside"
    truthful(ran)
    assert not leavings(ran)
    assert all(change.approved and change.checked for change in ran.played.changes)
    assert "TLSv1.2" in ran.vm.rdp_port().tls


@pytest.mark.parametrize(("windows", "seed"), [("2022", 1), ("2025", 2), ("2022", 6)])
@pytest.mark.parametrize("preset", PRESETS)
def test_healthy_gets_no_write(preset: str, windows: str, seed: int) -> None:
    ran = run(HEALTHY, seed=seed, windows=windows, knobs=PRESETS[preset])
    assert ran.outcome == "healthy"
    assert ran.vm.state() == ran.state_before
    assert writes(ran) == []
    assert registry_changes(ran) == []
    assert not leavings(ran) - {f"Cmd{number:04d}" for number in range(1, 4) if PRESETS[preset].orphans}
    assert not ran.recorder.of(events.Proposed)


REPAIRABLE = [name for name in FAULTS if name != "healthy"]


@pytest.mark.parametrize("fault", FAULTS)
def test_where_there_is_no_route_to_the_vm_it_is_seen_from_inside(fault: str) -> None:
    """rdp-repair.md 0a.1: without a look from outside the verdict says so."""
    ran = run((fault,), seed=4, windows="2022", reach="no_route")
    assert ran.outcome == ("healthy" if fault == "healthy" else "fixed")
    assert FAULTS[fault].repaired(ran.vm)
    assert ran.played.verdict.verified == "inside only"


@pytest.mark.parametrize("windows", ["2016", "2025"])
def test_a_network_that_lets_nobody_through_is_not_repaired_in_the_vm(windows: str) -> None:
    ran = run(HEALTHY, seed=4, windows=windows, reach="timeout")
    assert ran.outcome == "unexplained"
    outside, inside = (ran.played.verdict.findings[number] for number in (0, 1))
    assert (outside.check, outside.status, inside.check, inside.status) == ("outside", "fault", "inside", "ok")
    assert "network security group" in outside.advice
    assert left_as_found(ran)
    assert not ran.recorder.of(events.Proposed)


@pytest.mark.parametrize("windows", ["2016", "2019", "2022", "2025"])
@pytest.mark.parametrize("fault", REPAIRABLE)
def test_every_fault_is_repaired(fault: str, windows: str) -> None:
    ran = run((fault,), seed=int(windows), windows=windows)
    assert ran.outcome == "fixed"
    assert FAULTS[fault].repaired(ran.vm)
    assert not ran.left
    assert not leavings(ran)
    assert ran.vm.state()["tasks"] == ran.state_before["tasks"]
    assert {event.proof for event in ran.recorder.of(events.Answered)} <= {"checksum", "direct", "ours"}


@pytest.mark.parametrize("fault", REPAIRABLE)
def test_diagnose_writes_nothing_whatever_is_wrong(fault: str) -> None:
    for windows in ("2016", "2022"):
        ran = run((fault,), seed=5, windows=windows, mode="diagnose", policy=Policy(never="diagnose"))
        assert ran.outcome in ("faults_left", "unexplained")
        assert writes(ran) == []
        assert left_as_found(ran)
        assert not ran.recorder.of(events.ChangeStarted)


def test_what_needs_system_is_unknown_in_a_diagnosis() -> None:
    ran = run(("key-permissions",), seed=5, windows="2022", mode="diagnose", policy=Policy(never="diagnose"))
    finding = next(finding for finding in ran.played.verdict.findings if finding.check == "key")
    assert finding.status == "unknown"
    assert "needs SYSTEM" in f"{finding.title} {finding.evidence}"


PAIRS = [
    pair
    for pair in combinations(REPAIRABLE, 2)
    if set(pair) != {"port-hijack", "port-hijack-stubborn"}  # both take the same port
]


@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_two_faults_are_both_found_and_repaired(pair: tuple[str, str]) -> None:
    ran = run(pair, seed=8, windows=["2016", "2019", "2022", "2025"][PAIRS.index(pair) % 4])
    assert ran.outcome == "fixed"
    assert all(FAULTS[fault].repaired(ran.vm) for fault in pair)


@pytest.mark.parametrize("seed", [1, 6])
def test_fixed_on_the_worst_line(seed: int) -> None:
    ran = run(TLS_OFF, seed=seed, knobs=PRESETS["worst"])
    assert ran.outcome == "fixed"
    truthful(ran)


@pytest.mark.parametrize(("windows", "seed"), [("2016", 1), ("2019", 2)])
@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("faults", [TLS_OFF, HEALTHY])
def test_a_console_that_loses_rows_is_never_wrong(
    faults: Sequence[str], preset: str, windows: str, seed: int
) -> None:  # fmt: skip
    """The scrape engine: what scrolls by between two samples is lost. It is asked for again, or it is unknown."""
    ran = run(faults, seed=seed, windows=windows, knobs=PRESETS[preset])
    truthful(ran)
    if ran.outcome == "faults_left":
        assert any(finding.status == "unknown" for finding in ran.played.verdict.findings)
        assert left_as_found(ran)


def test_diagnose_writes_nothing() -> None:
    ran = run(TLS_OFF, seed=4, mode="diagnose", policy=Policy(never="diagnose"))
    assert ran.outcome == "faults_left"
    assert ran.recorder.of(events.Proposed)
    assert left_as_found(ran)
    assert writes(ran) == []
    assert not ran.recorder.of(events.ChangeStarted)


def test_nobody_to_ask_is_a_no() -> None:
    ran = run(TLS_OFF, seed=4, policy=Policy())
    assert ran.outcome == "declined"
    assert left_as_found(ran)
    assert writes(ran) == []


@pytest.mark.parametrize("risk", ["low"])
def test_a_yes_to_a_lower_risk_is_a_no(risk: Any) -> None:
    ran = run(TLS_OFF, seed=4, policy=Policy(yes_to=risk))
    assert ran.outcome == "declined"
    assert left_as_found(ran)


@pytest.mark.parametrize("preset", ["calm", "real"])
def test_a_wrong_password_is_tried_once(preset: str) -> None:
    ran = run(TLS_OFF, seed=5, knobs=PRESETS[preset], password="Wr0ng-password")
    assert ran.outcome == "unreachable"
    assert [entry["allowed"] for entry in ran.vm.journal if entry["kind"] == "login"] == [False]
    assert left_as_found(ran)
    assert not leavings(ran)


# --- what a repair is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_only_the_two_values_are_written(seed: int) -> None:
    ran = run(TLS_OFF, seed=seed, windows="2025", knobs=PRESETS["real"])
    assert registry_changes(ran) == [(KEY, "Enabled"), (KEY, "DisabledByDefault")][-len(registry_changes(ran)) :]
    assert ran.state_before["services"] == ran.vm.state()["services"]
    assert left_as_found(ran, but_tls=True)


def test_every_change_was_recorded_and_flushed_before_it_was_sent() -> None:
    ran = run(TLS_OFF, seed=2)
    happened = ran.recorder.happened
    for index, event in enumerate(happened):
        if isinstance(event, events.ChangeStarted):
            assert index + 1 in ran.recorder.flushed
            assert event.undo or event.no_undo
            assert isinstance(happened[index + 1], events.ChangeDone)
    decided = next(index for index, event in enumerate(happened) if isinstance(event, events.Decided))
    started = next(index for index, event in enumerate(happened) if isinstance(event, events.ChangeStarted))
    assert decided < started


def test_a_second_run_finds_nothing_to_do() -> None:
    first = run(TLS_OFF, seed=2)
    before = first.vm.state()
    second = run(HEALTHY, seed=2)
    assert first.outcome == "fixed"
    assert second.outcome == "healthy"
    assert first.vm.state() == before


# --- the console -------------------------------------------------------------------------------------------------


def recutter(sizes: Sequence[int]) -> Callable[[bytes], Sequence[bytes]]:
    left = list(sizes)

    def recut(data: bytes) -> Sequence[bytes]:
        cuts = sorted({left.pop() % (len(data) + 1) for _ in range(min(3, len(left)))} | {0, len(data)})
        return [data[start:end] for start, end in pairwise(cuts)]

    return recut


@cache
def uncut(faults: Sequence[str], windows: str) -> Ran:
    return run(faults, seed=3, windows=windows)


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW, phases=FAST)
@given(
    st.lists(st.integers(0, 4096), max_size=300),
    st.sampled_from([TLS_OFF, HEALTHY]),
    st.sampled_from(["2022", "2022", "2019"]),
)
def test_any_cut_of_the_stream_gives_the_same_session(sizes: list[int], faults: Sequence[str], windows: str) -> None:
    whole = uncut(faults, windows)
    cut = run(faults, seed=3, windows=windows, rechunk=recutter(sizes))
    assert cut.outcome == whole.outcome == ("fixed" if faults is TLS_OFF else "healthy")
    truthful(cut)
    assert cut.vm.state() == whole.vm.state()
    assert lines(cut, "sac", "username", "domain", "command") == lines(whole, "sac", "username", "domain", "command")


@pytest.fixture
def meant(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every line that the client proved on the screen before it pressed Enter, as the client meant it."""
    kept: list[str] = []

    def type_line(keys: keyboard.Keyboard, prompt: str, text: str, **more: Any) -> Conversation[None]:
        yield from original(keys, prompt, text, **more)
        kept.append(text)

    original = keyboard.type_line
    for name, module in list(sys.modules.items()):
        if name.startswith("serialfix.console.") and getattr(module, "type_line", None) is original:
            monkeypatch.setattr(module, "type_line", type_line)
    return kept


@pytest.mark.parametrize(("windows", "seed"), [("2019", 2), ("2022", 3)])
@pytest.mark.parametrize("preset", PRESETS)
def test_what_every_shell_got_is_what_was_meant(preset: str, windows: str, seed: int, meant: list[str]) -> None:
    ran = run(TLS_OFF, seed=seed, windows=windows, knobs=PRESETS[preset])
    assert lines(ran, "sac", "username", "domain", "command") == meant
    answered = {event.probe for event in ran.recorder.of(events.Answered) if event.proof not in ("direct", "ours")}
    asked = [event.question for event in ran.recorder.of(events.Asked) if event.probe in answered]
    assert asked
    got = lines(ran, "command")
    for question in asked:
        assert any(question.lower() in line.lower() for line in got), question
    for change in ran.recorder.of(events.ChangeStarted):
        assert sum(change.command in line for line in got) == 1, change.command


@pytest.mark.parametrize(("windows", "seed"), [("2016", 1), ("2022", 2)])
@pytest.mark.parametrize("preset", PRESETS)
def test_an_answer_is_what_the_command_says(preset: str, windows: str, seed: int) -> None:
    """Held against a twin of the VM, asked without any console."""
    ran = run(
        TLS_OFF, seed=seed, windows=windows, knobs=PRESETS[preset], mode="diagnose", policy=Policy(never="diagnose")
    )
    twin = build(TLS_OFF, windows, seed)
    questions = {event.probe: event.question for event in ran.recorder.of(events.Asked)}
    answered = [
        event
        for event in ran.recorder.of(events.Answered)
        # What PowerShell is asked here holds the time, and events come while the session lasts.
        if event.proof not in ("direct", "ours") and not re.search(r"\[|wevtutil", questions[event.probe])
    ]
    for event in answered:
        # reg prints a key in the letter case in which it was asked for.
        told = [line.rstrip() for line in ask(twin, questions[event.probe]).lower().splitlines()]
        assert "\n".join(line.rstrip() for line in event.text.lower().splitlines()).strip() == "\n".join(told).strip()
    assert len(answered) >= 3 or ran.outcome == "faults_left"


def test_no_marker_repeats_and_none_was_on_the_line_before_it_was_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    original = Markers.draw

    def draw(self: Markers, length: int = 8) -> str:
        drawn.append(original(self, length))
        return drawn[-1]

    monkeypatch.setattr(Markers, "draw", draw)
    ran = run(TLS_OFF, seed=7, knobs=PRESETS["real"])
    assert ran.outcome == "fixed"
    assert len(drawn) > 20
    assert len(set(drawn)) == len(drawn)
    first_seen = [ran.line.came.find(marker.encode()) for marker in drawn]
    seen = [place for place in first_seen if place >= 0]
    assert seen == sorted(seen), "a marker was printed before one that was drawn earlier"


def test_another_nonce_draws_other_markers() -> None:
    first, second = run(HEALTHY, seed=1), run(HEALTHY, seed=2)
    halves = [set(re.findall(r"echo (\w{4}\^\w{4})", "\n".join(lines(each, "command")))) for each in (first, second)]
    assert all(halves)
    assert not halves[0] & halves[1]


# --- what else may happen ----------------------------------------------------------------------------------------


def closes(line: Line) -> None:
    if line.sac is not None:
        line.sac.close_all()


def breaks_in(line: Line) -> None:
    if line.sac is not None:
        line.sac.event(CMD_AVAILABLE)


def locks(line: Line) -> None:
    if line.sac is not None:
        line.sac._lock("")


def restarts(line: Line) -> None:
    line.restart(line._now)


def bugchecks(line: Line) -> None:
    line.nmi(line._now)


def planned(*plan: tuple[float, Callable[[Line], None]]) -> Callable[[Line], None]:
    def meanwhile(line: Line) -> None:
        for at, what in plan:
            line._later(at, lambda now, what=what: what(line))  # type: ignore[misc]

    return meanwhile


TIMES = st.floats(0.5, 35.0).map(lambda at: round(at, 2))


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW, phases=FAST)
@given(
    st.lists(st.tuples(TIMES, st.sampled_from([closes, breaks_in, locks])), min_size=1, max_size=2),
    st.integers(1, 5),
)
def test_what_breaks_in_at_any_moment_never_makes_it_wrong(
    plan: list[tuple[float, Callable[[Line], None]]], seed: int
) -> None:
    """Our channel is closed or locked, or an EVENT comes: it finds its way back, or says that it does not know."""
    ran = run(TLS_OFF, seed=seed, meanwhile=planned(*plan))
    truthful(ran)


@settings(max_examples=8, deadline=None, suppress_health_check=SLOW, phases=FAST)
@given(TIMES, st.sampled_from([restarts, bugchecks]), st.integers(1, 5))
def test_a_vm_that_restarts_at_any_moment_never_makes_it_wrong(
    at: float, what: Callable[[Line], None], seed: int
) -> None:  # fmt: skip
    ran = run(TLS_OFF, seed=seed, meanwhile=planned((at, what)))
    if ran.vm.power == "on" and ran.line.line.phase == "up":
        truthful(ran)
    else:
        writes_are_as_said(ran)  # it goes down while it is judged
