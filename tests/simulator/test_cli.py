import contextlib
import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.client import connect

from serialfix.simulator import faults, knobs, manners
from serialfix.simulator.cli import choose, main


@contextlib.contextmanager
def started(cache: Path, *arguments: str, stdin: int = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """The program as a child; killed if the test leaves it running."""
    environment = {**os.environ, "SERIALFIX_CACHE_DIR": str(cache), "PYTHONWARNINGS": "error", "PYTHONUTF8": "1"}
    command = [sys.executable, "-m", "serialfix.simulator", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=stdin, stdout=pipe, stderr=pipe, env=environment, text=True) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.stdout, result.stderr


def test_it_serves_until_stdin_closes_and_leaves_nothing(tmp_path: Path) -> None:
    with started(tmp_path, "--output", "json", "--until-stdin-closes", "--fault", "random", "--seed", "11") as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stderr is not None
        line = child.stdout.readline()
        announced = json.loads(line)
        port = announced["arm"].rpartition(":")[2]
        assert (tmp_path / "simulators" / f"{port}.json").read_text(encoding="utf-8") == line
        assert announced["seed"] == 11

        trust = ssl.create_default_context(cafile=announced["ca"])
        token = token_of(announced, trust)
        request = urllib.request.Request(
            f"{announced['arm']}/simulator/state", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=5, context=trust) as response:
            state: dict[str, Any] = json.load(response)
        (fault,) = state["faults"]
        assert fault != "healthy"
        assert state["repaired"] == {fault: False}

        child.stdin.close()
        assert child.wait(10) == 0
        rest, errors = child.stdout.read(), child.stderr.read()
        assert (rest, errors) == ("", "")
        assert fault not in line
    assert list((tmp_path / "simulators").iterdir()) == []
    assert not os.path.exists(announced["ca"])


def token_of(announced: dict[str, Any], trust: ssl.SSLContext) -> str:
    form = {"grant_type": "password", "username": announced["user"], "password": announced["password"]}
    url = f"{announced['arm']}/{announced['tenant']}/oauth2/v2.0/token"
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=5, context=trust) as response:
        token: str = json.load(response)["access_token"]
        return token


def test_a_person_reaches_sac_and_clients_that_break_off_leave_no_trace(tmp_path: Path) -> None:
    quiet = ("--hostility", "calm", "--seed", "2", "--fault", "tls-disabled")
    with started(tmp_path, "--output", "json", "--until-stdin-closes", *quiet) as child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stderr is not None
        announced = json.loads(child.stdout.readline())
        trust = ssl.create_default_context(cafile=announced["ca"])
        token = token_of(announced, trust)
        url = (
            f"{announced['arm']}/subscriptions/{announced['subscription']}/resourcegroups/{announced['resource_group']}"
            f"/providers/Microsoft.Compute/virtualMachines/{announced['vm']}/providers/Microsoft.SerialConsole/"
            "serialPorts/0/connect?api-version=2024-07-01"
        )
        for rude in (True, True, False):
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            request = urllib.request.Request(url, b"", headers)
            with urllib.request.urlopen(request, timeout=5, context=trust) as response:
                string = json.load(response)["connectionString"]
            with connect(string, ssl=trust, proxy=None, compression=None) as console:
                console.recv(5)
                console.send(token)
                console.send("\r")
                text = ""
                while not text.endswith("SAC>"):
                    text += str(console.recv(5))
                if rude:
                    console.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    console.socket.close()
                    continue
                console.send("id\r")
                text = ""
                while "Computer Name" not in text:
                    text += str(console.recv(5))
        child.stdin.close()
        assert child.wait(10) == 0
        assert child.stderr.read() == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C to the whole console")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_is_a_clean_end(tmp_path: Path, number: signal.Signals) -> None:
    with started(tmp_path, "--seed", "3", "--until-stdin-closes") as child:
        assert child.stdout is not None
        assert child.stderr is not None
        text = ""
        while "Ctrl-C ends it" not in text:
            line = child.stdout.readline()
            assert line, child.stderr.read()
            text += line
        assert "seed 3" in text
        assert "serialfix diagnose --simulate https://127.0.0.1:" in text
        assert "az serial-console connect" in text
        child.send_signal(number)
        assert child.wait(10) == 0
        assert child.stderr.read() == ""
    assert list((tmp_path / "simulators").iterdir()) == []


def test_a_port_in_use_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERIALFIX_CACHE_DIR", str(tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, out, err = run("--port", port)
    assert (code, out) == (2, "")
    assert err.startswith(f"Error: port {port} on 127.0.0.1 is in use")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--fault", "tls-disable"), "tls-disabled"),
        (("--fault", "randm"), "random"),
        (("--fault", "qqq"), "--list-faults"),
        (("--windows", "2003"), "2016"),
        (("--knob", "untrusted=7"), "untrusted"),
        (("--knob", "no-such=1"), "no-such"),
        (("--knob", "redraw=x"), "redraw"),
        (("--seed", "-1"), "seed"),
        (("--port", "99999"), "port"),
    ],
)
def test_what_does_not_exist_is_refused_and_what_is_near_is_named(arguments: tuple[str, ...], named: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert named in err
    assert "Traceback" not in err


def test_the_faults_are_listed() -> None:
    code, out, _ = run("--list-faults")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == list(faults.FAULTS)


@given(st.integers(0, 10**6))
def test_random_is_a_real_fault_chosen_by_the_seed(seed: int) -> None:
    one = choose("random", "2022", seed, "calm", ())
    assert one == choose("random", "2022", seed, "calm", ())
    assert one.faults[0] in set(faults.FAULTS) - {"healthy"}
    assert one.seed == seed


def test_knobs_of_the_line_and_of_the_gateway_are_set_over_the_preset() -> None:
    chosen = choose("healthy", "2019", 1, "worst", ("redraw=0", "untrusted=0", "baud=9600"))
    assert (chosen.knobs.redraw, chosen.knobs.baud) == (0, 9600)
    assert chosen.knobs.neighbour == knobs.PRESETS["worst"].neighbour
    assert chosen.manners.untrusted == 0
    assert chosen.manners.deaf == manners.PRESETS["worst"].deaf


def test_an_absent_seed_is_drawn() -> None:
    assert len({choose("healthy", "2022", None, "calm", ()).seed for _ in range(20)}) > 1


def test_faults_combine() -> None:
    assert choose("tls-disabled, healthy", "2022", 1, "calm", ()).faults == ("tls-disabled", "healthy")
