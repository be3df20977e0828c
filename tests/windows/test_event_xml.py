"""Events as wevtutil prints them: number and time, or unreadable."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.steps import Command, Output, Unreadable
from serialfix.windows.event_xml import CERTIFICATE_EVENTS, Event, parse
from tests.simulator.world import ask

HEAD = "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>"


def event(number: object = 1056, at: str = "2026-06-08T08:21:37.571637000Z", data: str = "") -> str:
    system = f"<EventID Qualifiers='0'>{number}</EventID><TimeCreated SystemTime='{at}'/>"
    return f"{HEAD}<System><Provider Name='x'/>{system}</System><EventData>{data}</EventData></Event>\n"


def out(text: str) -> Output:
    return Output(text, 0, "screen")


def test_several_events_in_order_and_none() -> None:
    at = datetime(2026, 6, 8, 8, 21, 37, tzinfo=UTC)
    assert parse(out(event(1057) + event(1056, "2026-06-08T08:21:37Z"))) == (Event(1057, at), Event(1056, at))
    assert parse(out("\n")) == ()


def test_what_a_program_writes_into_its_event_does_not_count() -> None:
    fake = "<System><EventID>1</EventID><TimeCreated SystemTime='1999-01-01T00:00:00Z'/></System>"
    (found,) = parse(out(event(data=f"<Data>{fake}</Data>")))
    assert (found.number, found.at.year) == (1056, 2026)


@pytest.mark.parametrize(
    "text",
    [
        event(at="08.06.2026 08:21"),
        event(at="2026-13-08T08:21:37Z"),
        event("x"),
        event().replace("<EventID Qualifiers='0'>1056</EventID>", ""),
        "Failed to read events.",
    ],
)
def test_what_wevtutil_does_not_print_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(out(text))


def test_a_failed_or_cut_answer_is_unreadable() -> None:
    for output in (Output(event(), 1, "screen"), Output(event(), 0, "screen", partial=True)):
        with pytest.raises(Unreadable):
            parse(output)


@given(st.text(min_size=1).filter(str.strip))
def test_any_text_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(out(text))


def test_the_simulated_windows_answers_the_question() -> None:
    vm = build(["healthy"], "2019", 3)
    assert isinstance(CERTIFICATE_EVENTS.query, Command)
    assert parse(out(ask(vm, CERTIFICATE_EVENTS.query.text))) == ()
    rcm = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
    for number in (1056, 1057, 1234):
        vm.event("System", rcm, number, 4, "text")
    assert [found.number for found in parse(out(ask(vm, CERTIFICATE_EVENTS.query.text)))] == [1057, 1056]
