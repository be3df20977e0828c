"""A transcript as a line: it gives what came, takes what was sent, and nothing else."""

import base64

import pytest

from serialfix import events
from serialfix.console.dialogue import Send
from serialfix.errors import ConnectionLost, UsageError, VmError
from serialfix.steps import Output, Unknown
from serialfix.transcript import Record, Transcript
from serialfix.venues.replay import Mismatch, ReplayLine, ReplayVenue

OPENED = ("e", '{"type":"connected"}')
CLOSED = ("e", '{"type":"disconnected","code":1000,"reason":"","ours":true}')
LOST = ("e", '{"type":"disconnected","code":1011,"reason":"boom","ours":false}')
STOPPED = ("e", '{"type":"stopped","reason":"by the engineer"}')


def transcript(*lines: tuple[str, str]) -> Transcript:
    records = tuple(Record(number * 1_000_000, code, data) for number, (code, data) in enumerate(lines, start=1))
    return Transcript("a.cast", {"version": 3, "serialfix": {"format": 1}}, records, "")


def line(*lines: tuple[str, str]) -> ReplayLine:
    return ReplayLine(transcript(*lines))


async def test_it_plays_in_the_order_of_the_record() -> None:
    it = line(OPENED, ("t", "start"), ("m", "a check"), ("o", "SAC>"), ("i", "cmd"), ("i", "••"), ("t", "wake"), CLOSED)
    await it.open()
    assert it.begin() == 2.0
    assert await it.wait(9.0) == (4.0, b"SAC>")
    await it.send(Send(b"cmd"))
    await it.send(Send(b"ab", secret="password"))
    assert await it.wait(6.5) == (7.0, None)
    await it.close()
    assert it.rest() == ""


async def test_bytes_that_are_no_text_come_as_they_were() -> None:
    it = line(("b", base64.b64encode(b"\xffC:").decode()), ("o", "�C:"), ("o", "ä\ud800"))
    assert (await it.wait(None))[1] == b"\xffC:"
    assert (await it.wait(None))[1] == "ä?".encode()


async def test_a_timer_is_not_missed_by_less_than_a_microsecond() -> None:
    now, data = await line(("t", "wake")).wait(1.0000004)
    assert (now, data) == (1.0000004, None)
    assert (await line(("t", "wake")).wait(1.5))[0] == 1.0


@pytest.mark.parametrize("sending", [True, False])
async def test_a_loss_comes_where_it_came(sending: bool) -> None:
    it = line(LOST)
    with pytest.raises(ConnectionLost) as caught:
        await (it.send(Send(b"x")) if sending else it.wait(None))
    assert (caught.value.code, caught.value.reason) == (1011, "boom")


@pytest.mark.parametrize(
    ("then", "sent", "said"),
    [
        (("i", "cmd"), Send(b"dir"), "we sent 'cmd'"),
        (("i", "•••"), Send(b"ab", secret="password"), "we sent '•••'"),
        (("i", "ab"), Send(b"ab", secret="password"), "we sent 'ab'"),
        (("o", "SAC>"), Send(b"dir"), "output came: b'SAC>'"),
        (("t", "wake"), Send(b"dir"), "a timer fired"),
        (("t", "start"), Send(b"dir"), "a conversation began"),
        (OPENED, Send(b"dir"), "the line was opened"),
        (CLOSED, Send(b"dir"), "we closed the line"),
        (STOPPED, Send(b"dir"), "the session was stopped"),
    ],
)
async def test_other_keys_are_a_mismatch(then: tuple[str, str], sent: Send, said: str) -> None:
    with pytest.raises(Mismatch) as caught:
        await line(then).send(sent)
    assert said in str(caught.value)


async def test_waiting_where_something_was_sent_is_a_mismatch() -> None:
    with pytest.raises(Mismatch, match=r"a timer at 5\.000 s; then, we sent 'x'"):
        await line(("i", "x")).wait(5.0)


async def test_behind_its_end_there_is_nothing() -> None:
    it = line()
    with pytest.raises(Mismatch, match="the record ends"):
        await it.wait(None)
    with pytest.raises(Mismatch, match="the record ends"):
        it.begin()
    with pytest.raises(Mismatch, match="the record ends"):
        await it.open()
    await it.close()


def displaced(again: bool) -> tuple[str, str]:
    told = f'"code":1000,"reason":"","waited":60.0,"again":{str(again).lower()},"by":"engineer"'
    return "e", f'{{"type":"displaced",{told}}}'


async def test_what_was_decided_about_somebody_else_is_decided_again() -> None:
    it = line(OPENED, LOST, displaced(True), OPENED, LOST, displaced(False), ("i", "x"))
    await it.open()
    with pytest.raises(ConnectionLost):
        await it.wait(None)
    await it.open()
    with pytest.raises(ConnectionLost):
        await it.wait(None)
    for _ in range(2):
        with pytest.raises(VmError, match="left to them"):
            await it.open()
    assert it.rest() == "we sent 'x'"


async def test_closing_passes_over_what_nobody_waited_for() -> None:
    it = line(("o", "a"), LOST, ("o", "b"), CLOSED, ("i", "x"))
    await it.close()
    assert it.rest() == "we sent 'x'"


async def test_a_stop_is_seen_and_passed() -> None:
    it = line(("o", "a"), STOPPED, ("i", "x"))
    assert not it.stopped_here()
    await it.wait(None)
    assert it.stopped_here()
    it.go_on()
    assert it.rest() == "we sent 'x'"


def test_what_is_not_base64_and_what_is_no_event() -> None:
    with pytest.raises(Mismatch, match="line 2: not base64"):
        line(("b", "!"), ("o", "x"))
    with pytest.raises(UsageError, match="line 2"):
        line(("e", "{}"))


def test_a_mismatch_is_not_taken_for_a_check_that_crashed() -> None:
    assert not issubclass(Mismatch, Exception)


# --- answers from elsewhere ------------------------------------------------------------------------------------

ASKED = ("e", '{"type":"asked","probe":"out","title":"","why":"","question":""}')
OTHER = ("e", '{"type":"asked","probe":"in","title":"","why":"","question":""}')


def answered(probe: str, text: str, proof: str = "direct") -> tuple[str, str]:
    exit_code = "null" if proof == "direct" else "0"
    told = f'"probe":"{probe}","text":"{text}","exit_code":{exit_code},"proof":"{proof}","partial":false'
    return "e", f'{{"type":"answered",{told}}}'


NOT_ANSWERED = ("e", '{"type":"not answered","probe":"out","reason":"no route"}')


async def test_answers_come_in_their_order_and_the_consoles_do_not() -> None:
    lines = (ASKED, answered("out", "1"), OTHER, answered("in", "x", "screen"), ASKED, answered("out", "2"))
    it = ReplayVenue(transcript(*lines))
    assert await it.ask([object()]) == [Output("1", None, "direct")]
    assert await it.ask([object()]) == [Output("2", None, "direct")]
    with pytest.raises(Mismatch, match="once more"):
        await it.ask([object()])


async def test_no_answer_is_an_answer() -> None:
    it = ReplayVenue(transcript(ASKED, NOT_ANSWERED, ASKED, answered("out", "2")))
    assert await it.ask([object(), object()]) == [Unknown("no route"), Output("2", None, "direct")]


async def test_an_answer_whose_question_is_missing_is_still_given() -> None:
    assert await ReplayVenue(transcript(answered("out", "1"))).ask([object()]) == [Output("1", None, "direct")]


def test_events_of_the_samples_are_ours() -> None:
    happened = [event for _, event in transcript(OPENED, CLOSED, LOST, STOPPED, ASKED, NOT_ANSWERED).events()]
    assert happened[0] == events.Connected()
    assert len(happened) == 6
