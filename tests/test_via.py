"""End to end over ``--via``: serialfix as a program, on another program that shows a simulated VM's console.

In real time. There is no Azure, no gateway and no address here: only what stands on that program's terminal.
"""

import asyncio
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from serialfix import events
from serialfix.rerun import rerun
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.transcript import Transcript, read
from serialfix.venues.serial import DEAD
from tests.console_program import SEED, WINDOWS, carry
from tests.programs import PROGRAM, Ended, environment, holds, serialfix

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="--via is POSIX"),
]

VM = build(["tls-disabled"], WINDOWS, SEED)
ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class After:
    """What the program says of its VM when its terminal has hung up: the state before and after, what happened."""

    before: dict[str, Any]
    after: dict[str, Any]
    journal: list[dict[str, Any]]

    def kinds(self, *kinds: str) -> list[dict[str, Any]]:
        return [entry for entry in self.journal if entry["kind"] in kinds]


def command(folder: Path, *arguments: str) -> str:
    """What --via is given. Its argument ``canary`` stands for a secret in it."""
    words = [sys.executable, "-m", "tests.console_program", "--state", str(folder / "canary.json"), *arguments]
    return shlex.join(words)


def after(folder: Path) -> After:
    return After(**json.loads((folder / "canary.json").read_text()))


def replayed(transcript: Transcript) -> str:
    """What would be done otherwise today."""
    return asyncio.run(rerun(transcript))


def arguments(folder: Path, mode: str, *more: str) -> tuple[str, ...]:
    return (mode, "--via", command(folder, "--fault", "tls-disabled"), "--user", VM.user, "--output", "json", *more)


def run(folder: Path, mode: str, *more: str) -> Ended:
    return serialfix(
        folder, *arguments(folder, mode, *more), SERIALFIX_PASSWORD=VM.password, PYTHONPATH=os.fspath(ROOT)
    )


def test_a_vm_is_repaired_over_another_program_s_terminal(tmp_path: Path) -> None:
    ran = run(tmp_path, "repair", "--yes-to", "high")
    document, vm = ran.document, after(tmp_path)
    assert (ran.code, document["outcome"], document["verified"]) == (0, "fixed", "inside only"), ran.err
    status = {finding["check"]: finding["status"] for finding in document["findings"]}
    assert (status["outside"], status["inside"], status["tls"]) == ("unknown", "fixed", "fixed")
    assert all(change["checked"] for change in document["changes"])
    assert vm.kinds("registry")
    opened, closed = ([entry["name"] for entry in vm.kinds(f"channel {what}")] for what in ("created", "closed"))
    assert opened
    assert sorted(opened) == sorted(closed)
    # What is written down: that there was a program, and nothing of its arguments or of the login.
    transcript = ran.transcript
    (session,) = (event for _, event in transcript.events() if isinstance(event, events.SessionStarted))
    program = Path(sys.executable).name
    assert (session.target, session.vm) == (f"via {program}", f"the VM behind {program}")
    text = Path(transcript.path).read_text(encoding="utf-8")
    for secret in ("canary", VM.password):
        assert not holds(secret, (text, ran.out, ran.err))
    assert "Connected to domain" in text  # the program's own words are output of the console like any other
    assert replayed(transcript) == ""


def test_a_diagnosis_changes_nothing(tmp_path: Path) -> None:
    ran = run(tmp_path, "diagnose")
    vm = after(tmp_path)
    assert (ran.code, ran.document["outcome"]) == (1, "faults_left")
    assert not any(change["done"] for change in ran.document["changes"])
    status = {finding["check"]: finding["status"] for finding in ran.document["findings"]}
    assert status["tls"] == "fault"
    assert vm.kinds("registry", "service") == []
    assert vm.before == vm.after
    assert replayed(ran.transcript) == ""


def test_ctrl_c_is_for_serialfix_and_the_console_is_left_as_it_was(tmp_path: Path) -> None:
    """Pressed as a terminal does it: for the whole foreground group."""
    process = subprocess.Popen(
        [*PROGRAM, *arguments(tmp_path, "diagnose")],
        cwd=tmp_path,
        env=environment(tmp_path, SERIALFIX_PASSWORD=VM.password, PYTHONPATH=os.fspath(ROOT)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if "Answers are kept in" in line:
            os.killpg(process.pid, signal.SIGINT)
            break
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 130, said + rest
    assert "Traceback" not in rest
    document = json.loads(out)
    assert document["outcome"] == "interrupted"
    vm = after(tmp_path)  # it was not the program that Ctrl-C ended: it wrote this when its terminal hung up
    assert len(vm.kinds("channel created")) == len(vm.kinds("channel closed")) == 1
    assert vm.before == vm.after
    assert replayed(read(Path(document["transcript"]))) == ""


JOIN = """
import os, pathlib, select, socket, sys
line, once = socket.socket(socket.AF_UNIX), pathlib.Path(sys.argv[2])
line.connect(sys.argv[1])
left = 10**9 if once.exists() else 1500
once.touch()
while left > 0:
    for end in select.select([0, line], [], [])[0]:
        data = os.read(end if end == 0 else line.fileno(), 4096)
        if not data:
            sys.exit(0)
        os.write(line.fileno() if end == 0 else 1, data)
        left -= len(data) * (end != 0)
sys.exit(3)
"""
"""A program that joins its terminal with a socket, as socat does, and is lost once in the middle."""


def test_the_same_vm_is_found_again_by_a_new_start_of_the_program(tmp_path: Path) -> None:
    vm = build(["tls-disabled"], WINDOWS, SEED)
    line, began = Line(vm, PRESETS["calm"], SEED, 0.0), time.monotonic()
    path = Path(tempfile.mkdtemp()) / "s"  # a socket's path is short

    def serve(listening: socket.socket) -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            with connection:
                carry(line, lambda: time.monotonic() - began, keys=connection.fileno(), output=connection.fileno())

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        serving = threading.Thread(target=serve, args=(listening,), daemon=True)
        serving.start()
        via = shlex.join([sys.executable, "-c", JOIN, str(path), str(tmp_path / "once")])
        ran = serialfix(
            tmp_path,
            *("diagnose", "--via", via, "--user", vm.user, "--check", "tls", "--output", "json"),
            SERIALFIX_PASSWORD=vm.password,
        )
        assert (ran.code, ran.document["outcome"]) == (1, "faults_left"), ran.err
        serving.join(timeout=10)
        assert not serving.is_alive()
    assert "ended with exit status 3" in ran.err
    assert ran.err.count(f"Starting {Path(sys.executable).name} again.") == 1
    created, closed = (
        [each for each in vm.journal if each["kind"] == f"channel {how}"] for how in ("created", "closed")
    )
    assert len(created) == len(closed) >= 1
    assert replayed(ran.transcript) == ""


def test_a_program_that_ends_before_its_prompt_is_reached_is_started_again_and_then_given_up(tmp_path: Path) -> None:
    ran = serialfix(
        tmp_path,
        *("diagnose", "--via", command(tmp_path, "--lives", "90"), "--user", "me", "--output", "json"),
        SERIALFIX_PASSWORD="canary-password",
        PYTHONPATH=os.fspath(ROOT),
    )
    assert (ran.code, ran.document["outcome"]) == (3, "unreachable"), ran.err
    program = Path(sys.executable).name
    evidence = {text for finding in ran.document["findings"] for text in finding["evidence"]}
    assert f"The serial connection was closed (code 1006, {program} ended with exit status 3)." in evidence
    assert ran.err.count(f"Starting {program}") == DEAD
    assert "canary" not in ran.err
    assert replayed(ran.transcript) == ""


def test_a_program_that_ends_at_once_is_no_console(tmp_path: Path) -> None:
    via = "sh -c 'echo no route to canary >/dev/null; echo no route to host >&2; exit 255'"
    ran = serialfix(
        tmp_path, "repair", "--via", via, "--user", "me", "--output", "json", SERIALFIX_PASSWORD="canary-password"
    )
    assert (ran.code, ran.document["outcome"]) == (3, "unreachable"), ran.err
    assert "There is no console: sh ended with exit status 255 and said: no route to host." in ran.err
    assert ran.err.count("Starting sh") == 1
    assert "canary" not in ran.err + ran.out
