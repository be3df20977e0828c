"""A certificate for the stand-ins, and the simulator as a program."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from serialfix.venues.simulated import Simulated, read_announcement
from tests.venues.standins import Pem, make_certificate


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    return make_certificate(tmp_path_factory.mktemp("pki"))


@pytest.fixture
def dead_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies for everything, at an address where nothing listens."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


Start = Callable[..., Simulated]


@pytest.fixture
def simulator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start simulators with command-line arguments; each ends with the test, by the end of its standard input."""
    monkeypatch.setenv("SERIALFIX_CACHE_DIR", str(tmp_path / "cache"))
    running: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> Simulated:
        program = subprocess.Popen(
            [sys.executable, "-m", "serialfix.simulator", "--output", "json", "--until-stdin-closes", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "SERIALFIX_CACHE_DIR": str(tmp_path / "cache")},
            text=True,
        )
        running.append(program)
        assert program.stdout is not None
        line = program.stdout.readline()
        said: dict[str, Any] = json.loads(line)
        return read_announcement(said["arm"])

    yield start
    for program in running:
        assert program.stdin is not None
        assert program.stdout is not None
        program.stdin.close()
        program.stdout.close()
        assert program.wait(timeout=20) == 0
