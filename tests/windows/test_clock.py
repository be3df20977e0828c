"""The VM's clock and ours: when a date is past, when it is not known, when a clock is wrong."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.steps import Command, Output, Unreadable
from serialfix.windows.clock import FAR, NEWEST_EVENT, NOW, Clock, Clocks, parse, parse_newest
from tests.simulator.world import ask

NOON = datetime(2026, 6, 18, 12, tzinfo=UTC)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC))


@given(TIMES)
def test_a_date_is_read_as_it_was_written(at: datetime) -> None:
    assert parse(Output(f"{at:%Y-%m-%dT%H:%M:%S}\n", 0, "screen")) == at


@pytest.mark.parametrize(
    "text", ["", "18.06.2026 06:10:54", "2026-06-18T06:10:54Z", "2026-02-30T06:10:54", "2026-06-18T06:10:54\nx"]
)
def test_any_other_form_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(Output(text, 0, "screen"))


def test_a_failed_or_cut_answer_is_unreadable() -> None:
    for output in (Output("2026-06-18T06:10:54", 1, "screen"), Output("2026-06-18T06:10:54", 0, "screen", True)):
        with pytest.raises(Unreadable):
            parse(output)


@given(TIMES, TIMES, TIMES, st.booleans())
def test_past_means_by_our_clock_and_never_against_the_vms(
    vm: datetime, ours: datetime, when: datetime, exact: bool
) -> None:
    clocks = Clocks(Clock(vm, exact), ours)
    past = clocks.past(when)
    if ours <= when:
        assert past is False
    elif clocks.off is not None or exact or vm > when:
        assert past is True
    else:
        assert past is None


@given(TIMES, TIMES)
def test_which_clock_is_off(vm: datetime, ours: datetime) -> None:
    exact, least = Clocks(Clock(vm, True), ours).off, Clocks(Clock(vm, False), ours).off
    assert (exact is not None) == (abs(vm - ours) > FAR)
    assert (least is not None) == (vm - ours > FAR)  # it may be any later, so it can't be too early


def test_without_a_clock_nothing_past_is_known() -> None:
    early, late = NOON - timedelta(days=1), NOON + timedelta(days=1)
    assert Clocks(None, NOON).past(early) is None
    assert Clocks(None, NOON).past(late) is False
    assert Clocks(Clock(NOON, True), None).past(early) is None
    assert Clocks(None, None).off is None


@pytest.mark.parametrize(
    ("clocks", "said"),
    [
        (Clocks(None, NOON), "could not be read"),
        (Clocks(Clock(NOON, True), NOON), "shows 2026-06-18 12:00 UTC"),
        (Clocks(Clock(NOON, False), NOON), "at least"),
        (Clocks(Clock(NOON + timedelta(hours=5), True), NOON), "5 hours ahead"),
        (Clocks(Clock(NOON - timedelta(days=400), True), NOON), "400 days behind"),
    ],
)
def test_it_is_said_in_words(clocks: Clocks, said: str) -> None:
    assert said in str(clocks)


def test_the_simulated_windows_answers() -> None:
    vm = build(["healthy"], "2025", 5)
    assert isinstance(NEWEST_EVENT.query, Command)
    assert isinstance(NOW.query, Command)
    assert NOW.query.shell == "powershell"
    vm.event("System", "EventLog", 6013, 4, "up")
    newest = parse_newest(Output(ask(vm, NEWEST_EVENT.query.text), 0, "screen"))
    assert newest == vm.clock().replace(microsecond=0)
    with pytest.raises(Unreadable, match="0 events"):
        parse_newest(Output("", 0, "screen"))
