"""End to end in a real terminal: the questions, the answers, and Ctrl-C at every kind of moment.

All sessions are begun together, since they mostly wait; each is driven by a thread of its own.
"""

import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from serialfix import events
from serialfix.rerun import rerun
from serialfix.transcript import Transcript, read
from tests.programs import CALM, PROGRAM, Simulator, environment, simulator

if sys.platform == "win32":
    pytest.skip("pexpect needs a POSIX terminal", allow_module_level=True)

import termios

import pexpect

pytestmark = pytest.mark.slow

QUESTION = r"Make these changes on \S+\?"
TIMEOUT = 60


@dataclass
class Session:
    """serialfix in a terminal, and, where it runs against one of ours, the simulator."""

    terminal: "pexpect.spawn[str]"
    folder: Path
    vm: Simulator | None
    modes: list[Any]
    screen: str = ""
    code: int | None = None
    modes_after: list[Any] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    journal: list[dict[str, Any]] = field(default_factory=list)
    before: dict[str, Any] = field(default_factory=dict)
    after: dict[str, Any] = field(default_factory=dict)

    def sees(self, pattern: str) -> str:
        """Wait for ``pattern``; all that came up to it."""
        self.terminal.expect(pattern, timeout=TIMEOUT)
        came = str(self.terminal.before) + str(self.terminal.after)
        self.screen += came
        return came

    def asked(self) -> str:
        came = self.sees(QUESTION)
        self.sees(r"\(no\)")
        return came

    def ends(self) -> None:
        self.terminal.expect(pexpect.EOF, timeout=TIMEOUT)
        self.screen += str(self.terminal.before)
        self.modes_after = termios.tcgetattr(self.terminal.child_fd)
        self.terminal.close()
        self.code = self.terminal.exitstatus
        if self.vm is not None:
            self.channels = self.vm.open_channels()
            self.journal = self.vm.journal("service")
            self.after = self.vm.state()

    @property
    def transcript(self) -> Transcript:
        (path,) = (self.folder / "state" / "transcripts").glob("*.cast")
        return read(path)

    def happened(self, kind: type[Any]) -> list[Any]:
        return [event for _, event in self.transcript.events() if isinstance(event, kind)]


def why_then_yes(it: Session) -> None:
    it.asked()
    it.terminal.send("w\r")
    it.asked()
    it.terminal.send("what\r")
    it.sees("Please answer")
    it.asked()
    it.terminal.send("y\r")
    it.ends()


def no(it: Session) -> None:
    it.asked()
    it.terminal.send("n\r")
    it.ends()


def quits(it: Session) -> None:
    it.asked()
    it.terminal.send("q\r")
    it.ends()


def interrupt_at_the_question(it: Session) -> None:
    it.asked()
    it.terminal.sendintr()
    it.ends()


def interrupt_in_the_middle(it: Session) -> None:
    it.sees("At a command prompt of our own")
    it.terminal.sendintr()
    it.ends()


def interrupt_while_changing(it: Session) -> None:
    it.asked()
    it.terminal.send("y\r")
    it.sees("sc stop TermService")
    it.terminal.sendintr()
    it.ends()


def json_to_a_file(it: Session) -> None:
    it.asked()
    it.terminal.send("n\r")
    it.ends()


SCENARIOS: dict[str, tuple[Callable[[Session], None], bool]] = {
    "why, yes": (why_then_yes, False),
    "no": (no, True),
    "quit": (quits, False),
    "Ctrl-C at the question": (interrupt_at_the_question, True),
    "Ctrl-C in the middle": (interrupt_in_the_middle, True),
    "Ctrl-C while changing": (interrupt_while_changing, True),
    "json": (json_to_a_file, False),
}

Sessions = Callable[[str], Session]


def begin(name: str, folder: Path, vm: Simulator | None) -> Session:
    where = ["repair", "--simulate", vm.url] if vm is not None else ["demo", "--fault", "tls-disabled", *CALM]
    command = [*PROGRAM, *where]
    if name == "json":
        command = ["/bin/sh", "-c", 'exec "$@" --output json > out.json', "sh", *command]
    terminal: pexpect.spawn[str] = pexpect.spawn(
        command[0],
        command[1:],
        cwd=str(folder),
        env=environment(folder),
        encoding="utf-8",
        dimensions=(40, 200),
        timeout=TIMEOUT,
    )
    return Session(terminal, folder, vm, termios.tcgetattr(terminal.child_fd))


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    with ExitStack() as stack:
        folders = {name: tmp_path_factory.mktemp("session") for name in SCENARIOS}
        beside = [name for name, (_, own) in SCENARIOS.items() if own]
        with ThreadPoolExecutor(len(beside)) as starting:
            running = starting.map(
                lambda name: stack.enter_context(simulator(folders[name], "--fault", "tls-disabled")), beside
            )
        vms: dict[str, Simulator] = dict(zip(beside, running, strict=True))
        states = {name: vm.state() for name, vm in vms.items()}
        # A terminal is forked, which is done before there are other threads.
        begun = {name: begin(name, folders[name], vms.get(name)) for name in SCENARIOS}
        for name, state in states.items():
            begun[name].before = state
        pool = stack.enter_context(ThreadPoolExecutor(len(SCENARIOS)))
        driven = {name: pool.submit(drive, begun[name]) for name, (drive, _) in SCENARIOS.items()}

        def of(name: str) -> Session:
            driven[name].result()
            return begun[name]

        yield of


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_terminal_is_as_it_was(sessions: Sessions, name: str) -> None:
    it = sessions(name)
    assert it.modes_after == it.modes
    assert it.modes_after[3] & termios.ECHO
    assert it.modes_after[3] & termios.ICANON
    assert "Traceback" not in it.screen


@pytest.mark.parametrize("name", [name for name, (_, beside) in SCENARIOS.items() if beside])
def test_no_channel_is_left_open(sessions: Sessions, name: str) -> None:
    it = sessions(name)
    assert it.channels == []
    assert it.happened(events.Disconnected)[-1].ours


@pytest.mark.parametrize("name", SCENARIOS)
async def test_the_transcript_is_whole_and_replays(sessions: Sessions, name: str) -> None:
    it = sessions(name)
    assert it.transcript.cut == ""
    assert (it.transcript.records[-1].code, it.transcript.records[-1].data) == ("x", str(it.code))
    assert await rerun(it.transcript) == ""


def test_why_then_yes_is_fixed(sessions: Sessions) -> None:
    it = sessions("why, yes")
    assert it.code == 0
    assert "With 0 no server on this VM may use TLS 1.2." in it.screen  # the answer to why
    assert "approved by engineer" in it.screen
    assert "Fixed: Remote Desktop works again." in it.screen
    assert it.happened(events.Decided) == [events.Decided(True, "engineer")]


def test_no_is_declined_and_nothing_is_changed(sessions: Sessions) -> None:
    it = sessions("no")
    assert it.code == 4
    assert "Declined:" in it.screen
    assert it.before == it.after
    assert it.happened(events.Ended)[0].outcome == "declined"


@pytest.mark.parametrize("name", ["quit", "Ctrl-C at the question"])
def test_leaving_at_the_question_is_an_interruption(sessions: Sessions, name: str) -> None:
    it = sessions(name)
    assert it.code == 130
    assert "Stopped: by the engineer" in it.screen
    assert it.happened(events.ChangeStarted) == []
    assert it.happened(events.Ended) == []
    assert it.before == it.after


def test_ctrl_c_in_the_middle_closes_what_was_opened(sessions: Sessions) -> None:
    it = sessions("Ctrl-C in the middle")
    assert it.code == 130
    assert "Stopped: by the engineer" in it.screen
    assert "Recorded in" in it.screen
    assert it.before == it.after


def test_ctrl_c_while_changing_finishes_the_group_first(sessions: Sessions) -> None:
    it = sessions("Ctrl-C while changing")
    assert it.code == 130
    assert "Stopping when the change under way is finished" in it.screen
    checked = it.happened(events.ChangeChecked)
    assert [event.name for event in checked][-2:] == ["start:TermService", "start:UmRdpService"]
    assert all(event.holds for event in checked)
    entered = [entry["state"] for entry in it.journal if entry["name"] == "TermService"]
    assert entered[-1].lower() == "running"
    assert it.vm is not None
    assert it.vm.repaired()
    assert it.happened(events.Ended) == []


def test_with_json_in_a_file_the_question_is_still_asked_and_the_file_is_one_line(sessions: Sessions) -> None:
    import json

    it = sessions("json")
    assert it.code == 4
    text = (it.folder / "out.json").read_text(encoding="utf-8")
    assert text.count("\n") == 1
    assert json.loads(text)["outcome"] == "declined"
    assert re.search(QUESTION, it.screen)
