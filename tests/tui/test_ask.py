"""The person at the terminal, typing into a pipe."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from rich.text import Text

from serialfix import events
from serialfix.engine import Decision
from serialfix.steps import Finding, Risk
from serialfix.tui.ask import Terminal, ask_login
from tests.tui.test_plain import CHANGE

CTRL_C, CTRL_D = "\x03", "\x04"


@asynccontextmanager
async def typing(text: str) -> AsyncIterator[None]:
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        pipe.send_text(text)
        yield


def proposal(risk: Risk) -> events.Proposed:
    import msgspec

    change = msgspec.structs.replace(CHANGE, risk=risk)
    return events.Proposed("p", Finding("tls", "fault", "TLS is off", ("0",), "Switch it on."), (change,))


async def decide(text: str, risk: Risk = "medium", vm: str = "vm1") -> tuple[Decision, str]:
    told: list[str] = []
    person = Terminal(lambda: vm, lambda lines: told.extend(_plain(line) for line in lines))
    async with typing(text):
        decision = await person.decide(proposal(risk))
    return decision, "\n".join(told)


def _plain(line: Text) -> str:
    return line.plain


@pytest.mark.parametrize("text", ["y\r", "Yes\r", " y \r"])
async def test_yes(text: str) -> None:
    assert await decide(text) == (Decision(True, "engineer"), "")


@pytest.mark.parametrize("text", ["\r", "n\r", "NO\r"])
async def test_no_and_enter_are_no(text: str) -> None:
    assert await decide(text) == (Decision(False, "engineer"), "")


@pytest.mark.parametrize(("text", "note"), [("q\r", "quit"), (CTRL_C, "Ctrl-C"), (CTRL_D, "Ctrl-C")])
async def test_leaving(text: str, note: str) -> None:
    assert await decide(text) == (Decision(False, "engineer", note, quit=True), "")


async def test_more_is_told_and_asked_again() -> None:
    decision, told = await decide("w\rd\rmaybe\ry\r")
    assert decision.approved
    assert "Switch it on." in told
    assert "reg delete X" in told
    assert "Please answer" in told


async def test_a_high_risk_wants_the_name_of_the_vm() -> None:
    assert (await decide("y\rvm1\r", "high"))[0] == Decision(True, "engineer")


@pytest.mark.parametrize("text", ["y\r\r", "y\rvm2\r", "y\ry\r", f"y\r{CTRL_C}"])
async def test_another_name_is_no(text: str) -> None:
    assert (await decide(text, "high"))[0] == Decision(False, "engineer", "the VM's name was not typed")


async def test_a_hostile_name_is_asked_for_as_it_is_shown() -> None:
    assert (await decide("y\r" + r"vm\u202e" + "\r", "high", "vm\u202e"))[0].approved


@pytest.mark.parametrize(
    ("text", "choice"),
    [("2\r", "b"), ("\r", "a"), (CTRL_C, "a"), ("0\r3\rx\r²\r1\r", "a"), (" 2 \r", "b")],
)
async def test_choosing(text: str, choice: str) -> None:
    told: list[str] = []
    person = Terminal(lambda: "vm", lambda lines: told.extend(_plain(line) for line in lines))
    async with typing(text):
        assert await person.choose("which\x1b?", ("a", "b"), "a") == (choice, "engineer")
    assert r"which\x1b?" in told[0]
    assert told[1].strip() == "*1. a"


async def test_a_login_is_asked_for() -> None:
    async with typing("DOM\\me\rsecret\r"):
        assert await ask_login("vm", "") == ("DOM\\me", "secret")
    async with typing("secret\r"):
        assert await ask_login("vm", "me") == ("me", "secret")


@pytest.mark.parametrize("text", ["\r", CTRL_C, CTRL_D, f"me\r{CTRL_C}", "me\r\r"])
async def test_a_login_that_is_not_given(text: str) -> None:
    async with typing(text):
        assert await ask_login("vm", "") is None


async def test_a_password_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    async with typing("canary-password\r"):
        await ask_login("vm", "me")
    shown = capsys.readouterr()
    assert "canary" not in shown.out + shown.err
    assert "Password of me" in shown.out + shown.err
