"""Raw keys and our own screen, on a terminal that is a pipe: what is read, what is written, what is left behind."""

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from serialfix.tui import terminal
from serialfix.tui.keys import PASTE, Key
from serialfix.tui.terminal import ALONE, RawTerminal


class Kept(DummyOutput):
    """Keeps what is written."""

    def __init__(self) -> None:
        self.text = ""

    def write_raw(self, data: str) -> None:
        self.text += data


@pytest.fixture
def output(monkeypatch: pytest.MonkeyPatch) -> Kept:
    kept = Kept()
    monkeypatch.setattr(terminal, "create_output", lambda **_: kept)
    return kept


async def read(typed: Callable[[Callable[[str], None]], None], seconds: float = 0.05) -> tuple[list[Key], bool]:
    keys: list[Key] = []
    closed: list[bool] = []
    with (
        create_pipe_input() as pipe,
        create_app_session(input=pipe),
        RawTerminal(keys.extend, lambda: closed.append(True)),
    ):
        typed(pipe.send_text)
        await asyncio.sleep(seconds)
    return keys, bool(closed)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("aé", [Key("a"), Key("é")]),
        ("\x7f\r\x03\x1d", [Key("c-h"), Key("c-m"), Key("c-c"), Key("c-]")]),
        ("\x1b[A\x1b[3~", [Key("up"), Key("delete")]),
        ("\x1b\t", [Key("escape"), Key("c-i")]),
        ("\x1b[Z", [Key("s-tab")]),
        ("\x1b[200~a\x1b[A\nb\x03\x1b[201~c", [Key(PASTE, "a\x1b[A\nb\x03"), Key("c")]),
    ],
)
async def test_keys_have_names(output: Kept, text: str, keys: list[Key]) -> None:
    assert await read(lambda send: send(text)) == (keys, False)


async def test_an_escape_stands_for_itself_after_a_moment(output: Kept) -> None:
    assert await read(lambda send: send("\x1b"), ALONE + 0.1) == ([Key("escape")], False)
    assert await read(lambda send: send("\x1b[")) == ([], False)


async def test_a_closed_terminal_is_told(output: Kept) -> None:
    closed: list[bool] = []
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        with RawTerminal(lambda _: None, lambda: closed.append(True)):
            pipe.close()
            await asyncio.sleep(0.05)
        assert closed


@pytest.mark.parametrize("whole", [True, False])
async def test_whatever_ends_it_the_terminal_is_put_back(output: Kept, whole: bool) -> None:
    with (
        create_pipe_input() as pipe,
        create_app_session(input=pipe),
        contextlib.suppress(ZeroDivisionError),
        RawTerminal(lambda _: None, lambda: None, whole=whole) as raw,
    ):
        assert output.text.count("\x1b[?1049h") == whole
        raw.write("\x1b[?25l\x1b[31m")
        raise ZeroDivisionError
    left = output.text.partition("\x1b[31m")[2]
    assert "\x1b[?25h" in left
    assert "\x1b[0m" in left
    assert "\x1b[?2004l" in left
    assert ("\x1b[?1049l" in left) is whole


async def test_a_terminal_without_a_size_has_the_usual_one(output: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        it = RawTerminal(lambda _: None, lambda: None)

        def failing() -> None:
            raise OSError

        monkeypatch.setattr(output, "get_size", failing)
        assert it.size() == (25, 80)
