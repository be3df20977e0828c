"""Which closes look like a second user, and what is done then."""

import pytest

from serialfix import events
from serialfix.errors import ConnectionLost, VmError
from serialfix.venues.neighbour import (
    CONNECT_AGAIN,
    LEAVE_THEM,
    THEIR_TIME,
    Neighbour,
    announced_its_end,
    looks_like_second_user,
)

NOBODY = [
    (1006, ""),
    (1006, "keepalive ping timeout"),
    (1006, "ssh ended with 255 and said: another"),
    (1011, "Connection not trusted"),
    (1011, "VM is not running"),
    (1001, "Idle"),
    (4408, "Idle timeout"),
    (4403, "StorageAccountForbidden"),
    (4404, ""),
    (1012, ""),
    (1009, "message too big"),
]
SOMEBODY = [
    (1000, ""),
    (1001, ""),
    (1005, ""),
    (1008, ""),
    (1011, ""),
    (1000, "Another connection was made"),
    (1011, "Another connection was made"),
    (4409, "Another connection was made"),
    (4409, ""),
    (4000, "replaced"),
]


@pytest.mark.parametrize(("code", "reason"), NOBODY)
def test_what_certainly_is_something_else(code: int, reason: str) -> None:
    assert not looks_like_second_user(ConnectionLost(code, reason))


@pytest.mark.parametrize(("code", "reason"), SOMEBODY)
def test_what_may_be_somebody(code: int, reason: str) -> None:
    assert looks_like_second_user(ConnectionLost(code, reason))


def test_windows_that_goes_down_is_nobody() -> None:
    assert announced_its_end(b"\r\nThe SAC will become unavailable soon.  The computer is shutting down.\r\n")
    assert not announced_its_end(b"\r\nSAC>")


class Asked:
    """A person who answers ``answer``."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.questions: list[tuple[str, tuple[str, ...], str]] = []

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        self.questions.append((question, choices, unattended))
        return self.answer, "engineer"


async def decided(lost: ConnectionLost, person: Asked | None) -> tuple[bool, list[events.Event], list[str], float]:
    """Whether it may be opened again, what was recorded and told, and how long the other one had."""
    happened: list[events.Event] = []
    told: list[str] = []
    slept = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        assert told, "why we wait is said before it"
        slept += seconds

    neighbour = Neighbour("vm1", person, emit=happened.append, progress=told.append, sleep=sleep)
    try:
        await neighbour.may_reconnect(lost)
    except VmError as error:
        return error.exit_code != 3, happened, told, slept
    return True, happened, told, slept


KICKED = ConnectionLost(1000, "")


async def test_a_drop_is_no_question() -> None:
    person = Asked(LEAVE_THEM)
    assert await decided(ConnectionLost(1006, ""), person) == (True, [], [], 0.0)
    assert person.questions == []


async def test_somebody_has_their_time_and_then_a_person_decides() -> None:
    person = Asked(CONNECT_AGAIN)
    again, happened, told, slept = await decided(KICKED, person)
    assert again
    assert slept == THEIR_TIME >= 60
    assert "60 s" in told[0]
    assert happened == [events.Displaced(1000, "", THEIR_TIME, True, "engineer")]
    ((question, choices, unattended),) = person.questions
    assert "vm1" in question
    assert "disconnects them" in question
    assert choices[0] == unattended == LEAVE_THEM


async def test_no_is_no() -> None:
    again, happened, _, _ = await decided(KICKED, Asked(LEAVE_THEM))
    assert not again
    assert happened == [events.Displaced(1000, "", THEIR_TIME, False, "engineer")]


async def test_unattended_is_no_and_nobody_waits() -> None:
    again, happened, _, slept = await decided(KICKED, None)
    assert (again, slept) == (False, 0.0)
    assert happened == [events.Displaced(1000, "", 0.0, False, "unattended")]
