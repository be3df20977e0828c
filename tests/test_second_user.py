"""Somebody else connects while a repair is under way: a session of ours against a simulator that runs as a program."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from serialfix import events, session
from serialfix.engine import Decision
from serialfix.errors import SerialfixError
from serialfix.rerun import rerun
from serialfix.session import Result, Settings
from serialfix.transcript import read
from serialfix.venues import neighbour
from serialfix.venues.azure import Azure, SimulatedCredential
from serialfix.venues.neighbour import ALONE, CONNECT_AGAIN, LEAVE_THEM
from serialfix.venues.open_serial import open_serial
from serialfix.venues.simulated import read_announcement
from serialfix.venues.websocket import Gateway
from tests.programs import Simulator, simulator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass
class Somebody:
    """A person at our terminal: approves all changes, and answers ``answer`` about the other one."""

    answer: str
    asked: list[str] = field(default_factory=list)

    async def decide(self, proposal: events.Proposed) -> Decision:
        return Decision(True, "engineer")

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        self.asked.append(question)
        return self.answer, "engineer"


@dataclass
class Face:
    """Shows nothing; when ``answers`` questions have been answered, ``then`` happens."""

    person: Somebody | None
    then: Callable[[], None]
    answers: int = 3
    shown: list[events.Event] = field(default_factory=list)

    def show(self, event: events.Event) -> None:
        self.shown.append(event)
        if isinstance(event, events.Answered):
            self.answers -= 1
            if not self.answers:
                self.then()

    async def ask_login(self, vm: str, user: str) -> tuple[str, str] | None:
        raise AssertionError("a simulated VM has its login")


@asynccontextmanager
async def other_client(vm: Simulator) -> AsyncIterator[Callable[[], Any]]:
    """Another client of the same console: a function that connects it."""
    simulated = read_announcement(vm.url)
    async with Azure(simulated.cloud, SimulatedCredential(simulated), simulated.subscription) as azure:
        facts = await azure.vm_facts(simulated.resource_group, simulated.vm)

        async def come() -> Gateway:
            return await open_serial(azure, facts, progress=lambda _: None)

        yield come


async def met(folder: Path, seed: int, person: Somebody | None) -> tuple[Result, Face, bool, list[str]]:
    """Repair while somebody else connects: the result, whether the other one is still there, what is left open."""
    with simulator(folder, "--fault", "tls-disabled", "--seed", str(seed)) as vm:
        async with other_client(vm) as come:
            coming: list[asyncio.Task[Gateway]] = []
            face = Face(person, lambda: coming.append(asyncio.create_task(come())))
            result = await session.run(Settings("repair", simulate=vm.url, transcript=folder / "a.cast"), face)
            other = await coming[0]
            there = True
            try:
                async with asyncio.timeout(3):
                    while True:
                        await other.receive()
            except TimeoutError:
                pass
            except SerialfixError:
                there = False
            await other.close()
            return result, face, there, await asyncio.to_thread(vm.open_channels)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SERIALFIX_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SERIALFIX_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(neighbour, "THEIR_TIME", 0.5)
    return tmp_path


def told(face: Face) -> list[str]:
    return [event.text for event in face.shown if isinstance(event, events.Progress)]


@pytest.mark.parametrize(("seed", "answer"), [(7, None), (8, LEAVE_THEM)])
async def test_the_other_one_keeps_the_console(folder: Path, seed: int, answer: str | None) -> None:
    person = Somebody(answer) if answer else None
    result, face, there, left = await met(folder, seed, person)
    assert there, "the other one was thrown out"
    assert (result.outcome, result.exit_code, result.changes) == ("unreachable", 3, ())
    (displaced,) = [event for event in face.shown if isinstance(event, events.Displaced)]
    assert (displaced.again, displaced.by) == (False, "engineer" if answer else "unattended")
    assert person is None or len(person.asked) == 1
    assert left == ["Cmd0001"]
    assert any("Left on the VM: the command prompt Cmd0001" in text for text in told(face))
    assert any("left to them" in line for finding in result.findings for line in finding.evidence)
    assert await rerun(read(folder / "a.cast")) == ""


async def test_a_person_may_connect_again(folder: Path) -> None:
    person = Somebody(CONNECT_AGAIN)
    result, face, there, left = await met(folder, 7, person)
    assert not there
    assert len(person.asked) == 1
    assert result.outcome == "fixed"
    assert left == []
    assert await rerun(read(folder / "a.cast")) == ""
    connected = [n for n, event in enumerate(face.shown) if isinstance(event, events.Connected)]
    said = [n for n, event in enumerate(face.shown) if isinstance(event, events.Progress) and event.text == ALONE]
    assert len(connected) == len(said) == 2
    assert said[0] < connected[0] < said[1] < connected[1]
