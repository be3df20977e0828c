"""The runner of conversations: given time and bytes by hand, it says what to send and when to be woken."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.dialogue import LULL, TIMEOUT, Conversation, Dialogue, Expect, Pause, Send, Shown
from serialfix.console.expect import Found, Pattern
from serialfix.console.screen import Screen
from tests.console.pump import Pump

DONE = Pattern("done", r"Channel: (\w{1,8})[\r\n]", width=20)


def at(line: str) -> Shown:
    return Shown("at", lambda screen: screen.line_to_cursor() == line)


def asks(expect: Expect | Pause) -> Conversation[Any]:
    answer = yield expect
    return answer


def begin(expect: Expect | Pause, now: float = 100.0) -> Dialogue[Any]:
    dialogue = Dialogue(Screen(), asks(expect))
    assert dialogue.start(now) == []
    return dialogue


def test_what_is_sent_before_the_first_wait_comes_at_once_and_in_order() -> None:
    def talk() -> Conversation[str]:
        yield Send(b"a")
        yield Send(b"b", secret="password")
        yield Pause(1.0)
        yield Send(b"c")
        return "end"

    dialogue = Dialogue(Screen(), talk())
    assert dialogue.start(10.0) == [Send(b"a"), Send(b"b", "password")]
    assert dialogue.deadline == 11.0
    assert dialogue.wake(11.0) == [Send(b"c")]
    assert dialogue.done
    assert dialogue.result == "end"
    assert dialogue.deadline is None


def test_a_pause_lasts_whatever_comes_and_nothing_is_lost() -> None:
    dialogue = begin(Pause(2.0))
    assert dialogue.receive(b"SAC>", 101.0) == []
    assert dialogue.deadline == 102.0
    assert dialogue.wake(101.9) == []
    assert not dialogue.done
    dialogue.wake(102.0)
    assert dialogue.done


def test_output_during_a_pause_is_shown() -> None:
    def talk() -> Conversation[Found]:
        yield Pause(1.0)
        found: Found = yield Expect((at("SAC>"),))
        return found

    dialogue = Dialogue(Screen(), talk())
    dialogue.start(0.0)
    dialogue.receive(b"SAC>", 0.5)
    dialogue.wake(1.0)
    assert dialogue.result == Found("at", ())


def test_what_is_on_the_screen_already_is_answered_at_once() -> None:
    screen = Screen()
    screen.feed(b"SAC>")
    dialogue = Dialogue(screen, asks(Expect((at("x"), at("SAC>")), timeout=0.0)))
    dialogue.start(0.0)
    assert dialogue.result == Found("at", ())


def test_a_stream_sees_only_what_comes_from_now_on() -> None:
    screen = Screen()
    screen.feed(b"Channel: Cmd0001\r\n")
    dialogue = Dialogue(screen, asks(Expect(stream=(DONE,), timeout=5.0)))
    dialogue.start(0.0)
    assert not dialogue.done
    dialogue.receive(b"Channel: Cmd", 1.0)
    dialogue.receive(b"0002\r", 2.0)
    assert dialogue.result == Found("done", ("Cmd0002",))


def test_a_timeout_counts_from_the_question_whatever_comes() -> None:
    dialogue = begin(Expect((at("SAC>"),), timeout=3.0))
    dialogue.receive(b"x", 102.9)
    assert dialogue.deadline == 103.0
    dialogue.wake(103.0)
    assert dialogue.result is TIMEOUT


def test_a_lull_counts_only_after_something_came() -> None:
    dialogue = begin(Expect((at("SAC>"),), timeout=10.0, lull=0.5))
    assert dialogue.deadline == 110.0
    dialogue.receive(b"x", 104.0)
    assert dialogue.deadline == 104.5
    dialogue.receive(b"y", 104.4)
    assert dialogue.deadline == 104.9
    assert dialogue.wake(104.5) == []
    dialogue.wake(104.9)
    assert dialogue.result is LULL


def test_quiet_counts_from_the_question() -> None:
    dialogue = begin(Expect((), timeout=10.0, quiet=0.5))
    assert dialogue.deadline == 100.5
    dialogue.receive(b"x", 100.4)
    assert dialogue.deadline == 100.9
    dialogue.wake(100.9)
    assert dialogue.result is LULL


def test_without_quiet_the_timeout_ends_it() -> None:
    dialogue = begin(Expect((), timeout=1.0, quiet=0.5))
    for tenth in range(1, 10):
        dialogue.receive(b".", 100 + tenth / 10)
    assert dialogue.deadline == 101.0
    dialogue.wake(101.0)
    assert dialogue.result is TIMEOUT


def test_a_late_wake_is_a_timeout_even_where_silence_came_first() -> None:
    dialogue = begin(Expect((), timeout=1.0, quiet=0.5))
    dialogue.wake(107.0)
    assert dialogue.result is TIMEOUT


def test_an_exception_leaves_the_call_that_caused_it() -> None:
    def talk() -> Conversation[None]:
        yield Expect((at("SAC>"),))
        raise KeyError("mine")

    dialogue = Dialogue(Screen(), talk())
    dialogue.start(0.0)
    with pytest.raises(KeyError, match="mine"):
        dialogue.receive(b"SAC>", 1.0)


def test_stop_gives_up_and_lets_the_conversation_clean_up() -> None:
    closed: list[bool] = []

    def talk() -> Conversation[None]:
        try:
            yield Pause(5.0)
        finally:
            closed.append(True)

    dialogue = Dialogue(Screen(), talk())
    dialogue.start(0.0)
    dialogue.stop()
    assert closed == [True]
    assert dialogue.done
    assert dialogue.deadline is None
    assert dialogue.wake(9.0) == []


def test_a_secret_never_shows_in_a_repr() -> None:
    assert "hunter2" not in repr(Send(b"hunter2", secret="password"))
    assert repr(Send(b"dir")) == "Send(b'dir')"


class Script:
    """A device that answers each key with the next of its texts."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = list(texts)
        self._out: list[tuple[float, bytes]] = []

    def keys(self, data: bytes, now: float) -> None:
        if self._texts:
            self._out.append((now + 0.3, self._texts.pop(0).encode()))

    def due(self) -> float | None:
        return self._out[0][0] if self._out else None

    def output(self, now: float) -> bytes:
        return self._out.pop(0)[1]


TEXTS = [
    "\x1b[2J\x1b[1;1HComputer is booting\r\n\r\nSAC>",
    "cmd\r\nEVENT:   A new channel has been created.\r\nChannel: Cmd0001\r\nSAC>",
    "\x1b[2J\x1b[5;1HUsername: \x1b]0;t\x07",
    "caf\u00e9 " * 40 + "\r\n" + "row\r\n" * 30 + "C:\\Windows\\system32>",
]


def whole_talk() -> Conversation[list[Any]]:
    """Expectations that stay true once they are; their answers must not depend on how the bytes were cut."""
    got: list[Any] = []
    steps: tuple[Expect, ...] = (
        Expect((at("SAC>"),), timeout=5.0),
        Expect(stream=(Pattern("other", "never this", width=20), DONE), timeout=5.0),
        Expect((at("nothing"), at("Username: ")), timeout=5.0),
        Expect((at("C:\\Windows\\system32>"),), timeout=5.0, lull=0.5),
    )
    for step in steps:
        yield Send(b"\r")
        got.append((yield step))
        got.append((yield Expect((), timeout=5.0, quiet=0.2)))
    return got


def recutter(sizes: list[int]) -> Callable[[bytes], list[bytes]]:
    def recut(data: bytes) -> list[bytes]:
        edges = sorted({0, *(size % (len(data) + 1) for size in sizes), len(data)})
        return [data[start:end] for start, end in pairwise(edges)]

    return recut


@settings(max_examples=100)
@given(st.lists(st.integers(0, 500), max_size=30))
def test_any_cut_gives_the_same_conversation(sizes: list[int]) -> None:
    whole, cut = Pump(Script(TEXTS)), Pump(Script(TEXTS), recutter(sizes))
    expected = whole.run(whole_talk())
    assert [found.name for found in expected[::2]] == ["at", "done", "at", "at"]
    assert cut.run(whole_talk()) == expected
    assert cut.sent == whole.sent
    assert cut.screen.rows() == whole.screen.rows()
    assert list(cut.screen.since(0)) == list(whole.screen.since(0))
