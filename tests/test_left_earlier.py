"""End to end: a session is killed in the middle, and the next run on this machine takes away what it left.

serialfix and the simulator are programs here; what stands on the VM is judged by the simulator's own journal and state.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serialfix import events
from serialfix.rerun import rerun
from serialfix.transcript import Transcript, read
from serialfix.underway import SUFFIX
from tests.programs import PROGRAM, Ended, environment, serialfix, simulator

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX"),
]

STRANGE = "00000000-0000-11ea-87e3-c2679e14957d"
ENTERED = '"type\\":\\"answered\\"'


@dataclass
class Seen:
    """Two runs against one VM: the first was ended by a signal while it asked, the second ran to its end."""

    code: int
    first: Transcript
    second: Ended
    left_between: list[str]
    left: list[str]
    marks: list[Path]
    before: dict[str, Any]
    between: dict[str, Any]
    after: dict[str, Any]
    repaired: bool


def until(true: Callable[[], Any], seconds: float = 60.0) -> Any:
    for _ in range(int(seconds / 0.05)):
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


def killed(folder: Path, number: int, edit: Callable[[str], str] = lambda text: text) -> Seen:
    """Begin a repair, end it with the signal ``number`` when it has asked something, and repair anew.

    ``edit``: what happens to the recording of the first in between.
    """
    with simulator(folder, "--fault", "tls-disabled") as vm:
        before = vm.state()
        command = [*PROGRAM, "repair", "--simulate", vm.url, "--yes-to", "medium", "--output", "json"]
        recordings = folder / "state" / "transcripts"
        with subprocess.Popen(
            command,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            path = until(lambda: next(recordings.glob("*.cast"), None))
            until(lambda: path.read_text(encoding="utf-8").count(ENTERED) >= 3)
            process.send_signal(number)
            code = process.wait(timeout=30)
        left_between, between = vm.open_channels(), vm.state()
        first = read(path)
        path.write_text(edit(path.read_text(encoding="utf-8")), encoding="utf-8")
        second = serialfix(folder, *command[len(PROGRAM) :])
        return Seen(
            code,
            first,
            second,
            left_between,
            vm.open_channels(),
            list(recordings.glob(f"*{SUFFIX}")),
            before,
            between,
            vm.state(),
            vm.repaired(),
        )


def stranger(text: str) -> str:
    """The recording holds another GUID: then the channel of that name on the VM is somebody else's."""
    guid = next(part for part in text.split('\\"guid\\":\\"')[1:] if not part.startswith("\\")).partition("\\")[0]
    return text.replace(guid, STRANGE)


SCENARIOS: dict[str, Callable[[Path], Seen]] = {
    "killed": lambda folder: killed(folder, signal.SIGKILL),
    "told to end": lambda folder: killed(folder, signal.SIGTERM),
    "terminal gone": lambda folder: killed(folder, signal.SIGHUP),
    "stranger": lambda folder: killed(folder, signal.SIGKILL, stranger),
}

Scenes = Callable[[str], Seen]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenes]:
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        begun: dict[str, Future[Seen]] = {
            name: pool.submit(scenario, tmp_path_factory.mktemp("scene")) for name, scenario in SCENARIOS.items()
        }
        yield lambda name: begun[name].result()


def held(transcript: Transcript, kind: type[Any]) -> list[Any]:
    return [event for _, event in transcript.events() if isinstance(event, kind)]


@pytest.mark.parametrize("name", ["killed", "told to end", "terminal gone"])
def test_the_next_run_takes_away_what_was_left(scenes: Scenes, name: str) -> None:
    seen = scenes(name)
    assert seen.left_between == ["Cmd0001"]
    assert seen.between["files"] != seen.before["files"]
    assert seen.second.code == 0, seen.second.err
    assert seen.second.document["outcome"] == "fixed"
    assert seen.repaired
    assert seen.left == []
    assert seen.after["files"] == seen.before["files"]
    assert seen.marks == []
    (left,) = held(seen.second.transcript, events.LeftEarlier)
    assert [channel.name for channel in left.channels] == ["Cmd0001"]
    assert left.channels[0].user
    assert len(left.folders) == 1
    assert "Earlier sessions on this machine left" in seen.second.err


@pytest.mark.parametrize("name", ["killed", "stranger"])
async def test_cleaning_up_replays(scenes: Scenes, name: str) -> None:
    assert await rerun(scenes(name).second.transcript) == ""


@pytest.mark.parametrize("name", ["told to end", "terminal gone"])
async def test_who_is_told_to_end_says_what_is_left(scenes: Scenes, name: str) -> None:
    seen = scenes(name)
    assert seen.code == 130
    stopped = held(seen.first, events.Stopped)[-1].reason
    assert "nothing was changed" in stopped
    assert "the command prompt Cmd0001" in stopped
    assert "the folder C:\\Windows\\" in stopped
    assert await rerun(seen.first) == ""


def test_a_strangers_channel_of_the_same_name_is_left_alone(scenes: Scenes) -> None:
    seen = scenes("stranger")
    assert seen.second.document["outcome"] == "fixed"
    assert seen.left == ["Cmd0001"]
    assert "Cmd0001 is somebody else's now: left alone" in seen.second.err
