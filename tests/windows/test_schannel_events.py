import pytest

from serialfix.simulator.vm import Vm
from serialfix.steps import Command, Output, Unreadable
from serialfix.windows.schannel_events import KEY_REFUSED, parse
from tests.simulator.world import ask

EVENT = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider Name='Schannel'/>"
    "<EventID>{number}</EventID><TimeCreated SystemTime='{when}'/></System><EventData>{data}</EventData></Event>\n"
)
CODE = "<Data Name='ErrorCode'>0x8009030D</Data>"


def event(number: int = 36870, when: str = "2026-11-22T09:58:41.1230000Z", data: str = CODE) -> str:
    return EVENT.format(number=number, when=when, data=data)


def test_the_newest_comes_first_with_its_code() -> None:
    found = parse(Output(event() + event(when="2026-11-22T09:00:00Z"), 0, "screen"))
    assert [str(each) for each in found] == [
        "36870 at 2026-11-22 09:58:41 UTC, code 0x8009030d",
        "36870 at 2026-11-22 09:00:00 UTC, code 0x8009030d",
    ]


def test_a_code_is_only_told_where_it_is_sure_whose_it_is() -> None:
    assert [each.code for each in parse(Output(event() + event(data=""), 0, "screen"))] == ["", ""]


def test_no_event_is_an_answer() -> None:
    assert parse(Output("", 0, "screen")) == ()


@pytest.mark.parametrize(
    "output",
    [
        Output("", 1, "screen"),
        Output(event()[:90], 0, "screen"),
        Output(event(), 0, "screen", partial=True),
        Output(event(number=36871), 0, "screen"),
        Output("Der Kanal wurde nicht gefunden.\n", 0, "screen"),
    ],
)
def test_what_can_not_be_read(output: Output) -> None:
    with pytest.raises(Unreadable):
        parse(output)


def test_what_the_simulator_logs_is_found_and_what_is_older_than_a_day_is_not() -> None:
    vm = Vm("2022", 3)
    assert isinstance(KEY_REFUSED.query, Command)
    vm.event("System", "Schannel", 36870, 2, "Ein schwerer Fehler", Type="server", ErrorCode="0x8009030d")
    (found,) = parse(Output(ask(vm, KEY_REFUSED.query.text), 0, "screen"))
    assert (found.at, found.code) == (vm.clock().replace(microsecond=0), "0x8009030d")
    vm.advance(vm.now + 86_401)
    assert parse(Output(ask(vm, KEY_REFUSED.query.text), 0, "screen")) == ()
