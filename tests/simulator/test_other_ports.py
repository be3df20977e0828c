from typing import get_args

import pytest

from serialfix.simulator.knobs import Knobs, Port
from tests.simulator.world import Client

MUTE = ("blank", "health", "debugger", "boot")


def looks_like(port: Port, seed: int) -> Client:
    client = Client("2022", Knobs(port=port), seed)
    client.wait(2.0)
    return client


@pytest.mark.parametrize("port", MUTE)
@pytest.mark.parametrize("seed", range(3))
def test_what_is_no_console_answers_no_key(port: Port, seed: int) -> None:
    typed, silent = looks_like(port, seed), looks_like(port, seed)
    assert typed.type(b"\r\x1b\t0\rcmd\r\x03", 30.0, gap=0.0) == silent.wait(30.0)
    assert typed.vm.journal == silent.vm.journal


def test_texts_tell_them_apart() -> None:
    assert looks_like("blank", 1).text().strip() == ""
    assert "======== Microsoft Azure VM Health Report - Start" in Client("2022", Knobs(port="health"), 1).line.replay(
        0.0
    ).decode("latin-1")
    debugged = looks_like("debugger", 1)
    assert "SAC>" in debugged.text()
    assert debugged.wait(60.0), "the debugger talks on"
    assert 'loading Boot0001 "Windows Boot Manager"' in looks_like("boot", 1).text()
    assert "!SAC>" in looks_like("bugcheck", 1).text()


def test_a_stuck_boot_stays_stuck_when_it_is_reset() -> None:
    client = looks_like("boot", 1)
    assert client.wait(600.0) == b""
    client.line.reset(client.now)
    assert b"Windows Boot Manager" in client.wait(600.0)
    assert client.line.phase == "booting"


def test_linux_echoes_a_name_asks_for_a_password_and_lets_nobody_in() -> None:
    banners = set()
    for seed in range(12):
        client = looks_like("linux", seed)
        banners.add(client.text().split()[0])
        client.type(b"\r", 1.0)
        client.type(b"adminx\x08\r", 1.0)
        assert "login: admin\nPassword:" in client.text()
        before = client.text().count("s3cret")
        client.type(b"s3cret\r", 5.0)
        assert client.text().count("s3cret") == before == 0
        assert "Login incorrect" in client.text()
        assert client.text().rstrip().endswith("login:")
    assert {"Ubuntu", "Debian"} <= banners


def test_a_bugcheck_waits_at_its_prompt_until_somebody_restarts() -> None:
    client = looks_like("bugcheck", 1)
    assert client.wait(300.0) == b""
    client.type(b"restart\r", 100.0)
    assert client.line.sac is not None
    assert client.line.sac.mode == "SAC"
    assert client.text().rstrip().endswith("SAC>")


@pytest.mark.parametrize("port", [each for each in get_args(Port) if each not in ("SAC", "bugcheck", "boot")])
def test_a_restart_brings_back_the_same(port: Port) -> None:
    client = looks_like(port, 4)
    client.line.restart(client.now)
    came = client.wait(120.0)
    assert b"BdsDxe" in came
    assert client.line.phase == "up"
    assert client.line.sac is None
