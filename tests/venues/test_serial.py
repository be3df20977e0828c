"""The console as a venue, on a line that comes and goes."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from serialfix.console.channels import Login
from serialfix.console.dialogue import Send
from serialfix.engine import Request
from serialfix.errors import Bug, ConnectionLost, VmError
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs
from serialfix.simulator.line import Line
from serialfix.steps import Command, Output, OutsideLook, Unknown
from serialfix.venues.serial import CONNECTS, DEAD, SerialVenue
from tests.virtual import VirtualLine

READ = Command("cmd", "sc query TermService")
WRITE = Command("cmd", r"reg add HKLM\SOFTWARE\Toy /v a /t REG_DWORD /d 1 /f", "write")


class Breaking(VirtualLine):
    """Loses the connection when ``breaks`` says so of what is sent, or at every opening from ``dead`` on."""

    def __init__(self, line: Line, breaks: Callable[[bytes, "Breaking"], bool], dead: int = 99) -> None:
        super().__init__(line)
        self.breaks = breaks
        self.dead = dead
        self.opened = 0
        self.typed = b""

    async def open(self) -> None:
        self.opened += 1
        if self.opened >= self.dead:
            raise ConnectionLost(1006, "not there")
        await super().open()

    async def send(self, send: Send) -> None:
        self.typed += send.data
        await super().send(send)
        if self.breaks(send.data, self):
            raise ConnectionLost(1011, "boom")


@dataclass
class Console:
    """A venue on a breaking line, in virtual time."""

    breaks: Callable[[bytes, Breaking], bool] = lambda data, line: False
    dead: int = 99
    password: str = ""
    said: list[str] = field(default_factory=list)
    knobs: Knobs = PRESETS["calm"]

    def __post_init__(self) -> None:
        self.vm = build(["healthy"], "2022", 7)
        self.line = Breaking(Line(self.vm, self.knobs, 7, 0.0), self.breaks, self.dead)
        login = Login(self.vm.user, "", self.password or self.vm.password)
        self.venue = SerialVenue(self.line, login, "nonce", self.said.append)

    async def ask(self, *commands: Command) -> Sequence[Output | Unknown]:
        return await self.venue.ask([Request(command, 4096, 30.0) for command in commands])

    def lines(self, part: str) -> list[str]:
        """What a shell was given, as the VM saw it."""
        return [str(e["text"]) for e in self.vm.journal if e["kind"] == "line" and part in str(e["text"]).lower()]

    def channels(self) -> tuple[int, int]:
        kinds = [entry["kind"] for entry in self.vm.journal]
        return kinds.count("channel created"), kinds.count("channel closed")


def once(fits: Callable[[bytes, Breaking], bool]) -> Callable[[bytes, Breaking], bool]:
    """Break the first time it fits."""
    broken: list[bytes] = []

    def breaks(data: bytes, line: Breaking) -> bool:
        if broken or not fits(data, line):
            return False
        broken.append(data)
        return True

    return breaks


def entering(command: str) -> Callable[[bytes, Breaking], bool]:
    return once(lambda data, line: data == b"\r" and command in line.typed.decode().lower())


def typing(command: str) -> Callable[[bytes, Breaking], bool]:
    return once(lambda data, line: command in line.typed.decode().lower())


async def test_questions_are_asked_in_one_channel_which_is_closed() -> None:
    it = Console()
    answers = await it.ask(READ, READ)
    assert all(isinstance(answer, Output) and "RUNNING" in answer.text for answer in answers)
    await it.venue.leave()
    assert it.channels() == (1, 1)
    assert it.line.opened == 1


@pytest.mark.parametrize("when", [typing("sc query"), entering("sc query")])
async def test_a_read_that_was_lost_is_asked_again(when: Callable[[bytes, Breaking], bool]) -> None:
    it = Console(when)
    (answer,) = await it.ask(READ)
    assert isinstance(answer, Output)
    assert "RUNNING" in answer.text
    assert it.line.opened == 2
    assert any("Finding the way back" in text for text in it.said)
    await it.venue.leave()
    assert it.channels() == (1, 1)  # the channel outlived the connection, and was used again


async def test_a_write_lost_before_enter_is_typed_again() -> None:
    it = Console(typing("reg add"))
    (answer,) = await it.ask(WRITE)
    assert isinstance(answer, Output)
    assert len(it.lines("reg add")) == 1


async def test_a_write_lost_after_enter_is_unknown_and_never_sent_again() -> None:
    it = Console(entering("reg add"))
    (answer,) = await it.ask(WRITE)
    assert isinstance(answer, Unknown)
    assert "lost after the command was entered" in answer.reason
    (again,) = await it.ask(READ)
    assert isinstance(again, Output)
    assert len(it.lines("reg add")) == 1
    assert it.line.opened == 2


async def test_a_line_that_goes_on_breaking_is_given_up() -> None:
    it = Console(lambda data, line: data == b"\r" and b"sc " in line.typed.lower().rpartition(b"\r")[2] + b"sc ")
    with pytest.raises(ConnectionLost):
        await it.ask(READ)
    assert it.line.opened == CONNECTS


async def test_a_line_that_cannot_be_opened_again_is_lost() -> None:
    it = Console(entering("sc query"), dead=2)
    with pytest.raises(ConnectionLost, match="not there"):
        await it.ask(READ)
    with contextlib.suppress(VmError):  # what was left on the VM can't be removed
        await it.venue.leave()
    assert it.line.opened == DEAD


async def test_a_refused_login_is_tried_once() -> None:
    it = Console(password="not the password")
    with pytest.raises(VmError, match="refused the user name or the password") as caught:
        await it.ask(READ)
    assert "once only" in caught.value.advice
    logins = [entry for entry in it.vm.journal if entry["kind"] == "login"]
    assert [entry["allowed"] for entry in logins] == [False]
    await it.venue.leave()
    assert it.channels() == (1, 1)


async def test_leaving_a_dead_line_says_what_stays_open() -> None:
    it = Console(lambda data, line: b"exit" in line.typed)
    await it.ask(READ)
    with pytest.raises(VmError, match="Left on the VM") as caught:
        await it.venue.leave()
    assert "ch -cn Cmd0001" in caught.value.advice


async def test_a_line_lost_while_leaving_is_opened_again_to_leave_it_as_it_was() -> None:
    it = Console(once(lambda data, line: b"exit" in line.typed))
    await it.ask(READ)
    await it.venue.leave()
    assert it.channels() == (1, 1)
    assert it.line.opened == 2


async def test_abandoned_in_the_middle_it_leaves_by_way_of_sac() -> None:
    it = Console()
    await it.ask(READ)
    it.line.line.send(b"half a line", it.line.now)
    it.venue.abandon()
    await it.venue.leave()
    assert it.channels() == (1, 1)


async def test_leaving_what_was_never_reached() -> None:
    it = Console()
    await it.venue.leave()
    assert it.line.opened == 0


async def test_what_is_no_command_is_a_bug() -> None:
    with pytest.raises(Bug):
        await Console().venue.ask([Request(OutsideLook(), 1, 1.0)])


# --- many commands in one exchange -------------------------------------------------------------------------------

VER = Command("cmd", "ver")
WHO = Command("cmd", "whoami")


def asked(it: Console, part: str) -> list[str]:
    """The typed lines that our shell was given, which hold ``part``."""
    return [line for line in it.lines(part) if "%_f%" in line]


async def test_a_batch_whose_line_is_lost_before_enter_is_typed_again_whole() -> None:
    it = Console(typing("whoami"))
    answers = await it.ask(VER, WRITE, WHO)
    assert all(isinstance(answer, Output) and answer.exit_code == 0 for answer in answers)
    (line,) = asked(it, "reg add")
    assert "whoami" in line.lower()


async def test_a_write_of_a_batch_lost_after_enter_is_unknown_and_the_reads_are_asked_again_alone() -> None:
    it = Console(entering("whoami"))
    before, write, after = await it.ask(VER, WRITE, WHO)
    assert isinstance(write, Unknown)
    assert "lost after the command was entered" in write.reason
    assert isinstance(before, Output)
    assert isinstance(after, Output)
    assert "Windows" in before.text
    assert "\\" in after.text
    assert it.line.opened == 2
    together, first, second = (line.lower() for line in it.lines("%_f%"))
    assert [part in together for part in ("ver", "reg add", "whoami")] == [True, True, True]
    assert [part in first for part in ("ver", "reg add", "whoami")] == [True, False, False]
    assert [part in second for part in ("ver", "reg add", "whoami")] == [False, False, True]
    assert len(it.lines("reg add")) == 1
    await it.venue.leave()
    assert it.channels() == (1, 1)


async def test_reads_of_a_batch_lost_after_enter_are_asked_again_together() -> None:
    it = Console(entering("whoami"))
    answers = await it.ask(VER, WHO)
    assert all(isinstance(answer, Output) for answer in answers)
    assert len(asked(it, "whoami")) == 2
    assert all("ver" in line.lower() for line in asked(it, "whoami"))


async def test_where_one_command_of_a_batch_hangs_the_others_have_their_answers() -> None:
    it = Console()
    hangs = Command("cmd", "timeout /t 900")
    before, hung, after = await it.venue.ask([Request(command, 4096, 5.0) for command in (VER, hangs, WHO)])
    assert isinstance(hung, Unknown)
    assert "no answer within 5 s" in hung.reason
    assert isinstance(before, Output)
    assert isinstance(after, Output)
    assert len(it.lines("timeout")) == 2  # with the others, and alone
    assert it.line.opened == 1
    await it.venue.leave()
    assert it.channels() == (1, 1)


async def test_a_write_in_a_batch_with_one_that_hangs_is_unknown_and_made_once_at_most() -> None:
    it = Console()
    hangs = Command("cmd", "timeout /t 900")
    hung, write, after = await it.venue.ask([Request(command, 4096, 5.0) for command in (hangs, WRITE, WHO)])
    assert isinstance(hung, Unknown)
    assert isinstance(write, Unknown)
    assert isinstance(after, Output)
    assert len(it.lines("reg add")) == 1


async def test_a_console_that_will_not_be_otherwise_ends_it_at_once() -> None:
    it = Console(knobs=replace(PRESETS["calm"], port="linux"))
    with pytest.raises(VmError, match="Linux") as caught:
        await it.ask(VER, WHO)
    assert caught.value.advice
    assert it.line.opened == 1
    await it.venue.leave()
    taken = Console(knobs=replace(PRESETS["calm"], orphans=9))
    with pytest.raises(VmError, match="nine"):
        await taken.ask(VER)
    assert taken.line.opened == 1
    assert taken.channels()[1] == 0
