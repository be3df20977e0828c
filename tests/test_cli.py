"""The command line as a program: what it imports, and what it says to whatever can be wrong with its input."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serialfix import __version__
from tests.programs import CALM, PROGRAM, Ended, Simulator, environment, rdp_answers, serialfix, simulator

HEADER = '{"version": 3, "term": {"cols": 80, "rows": 24}, "serialfix": {"format": 1, "version": "0"}}\n'


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Simulator]]:
    folder = tmp_path_factory.mktemp("running")
    with simulator(folder, "--fault", "healthy") as vm:
        yield folder, vm


def said(run: Ended, *words: str, code: int) -> None:
    """A clear message on stderr, nothing of it on stdout, the exit code."""
    assert run.code == code, run.err
    for word in words:
        assert word in run.err, run.err


def both(folder: Path, code: int, words: tuple[str, ...], *arguments: str, **more: str) -> None:
    """The message on stderr, and on stdout one document on one line with the same message."""
    coded = serialfix(folder, *arguments, "--output", "json", **more)
    said(coded, "Error:", *words, code=code)
    error = coded.document["error"]
    assert set(error) == {"what", "why", "advice"}
    assert error["what"].split("\n")[0] in coded.err
    assert coded.document["outcome"] in ("error", "unreachable")


# --- start-up --------------------------------------------------------------------------------------------------

HEAVY = ("azure", "websockets", "prompt_toolkit", "aiohttp", "avt", "asyncio", "rich.console", "serialfix.session")


def imported(folder: Path, *arguments: str) -> set[str]:
    """What a run imports."""
    program = (
        "import sys, runpy\n"
        f"sys.argv = ['serialfix', *{list(arguments)!r}]\n"
        "try:\n    runpy.run_module('serialfix', run_name='__main__')\n"
        "finally:\n    sys.stderr.write('\\n'.join(sys.modules))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    )
    assert run.stdout
    return set(run.stderr.splitlines())


@pytest.mark.parametrize("arguments", [("--help",), ("demo", "--help"), ("--version",), ("list", "checks")])
def test_nothing_heavy_is_imported_for_nothing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    modules = imported(tmp_path, *arguments)
    assert not modules & {*HEAVY}


def test_playing_needs_no_cloud_and_no_loop(tmp_path: Path) -> None:
    (tmp_path / "a.cast").write_text(HEADER + '[0.1, "e", "{\\"type\\":\\"note\\",\\"text\\":\\"hello\\"}"]\n')
    modules = imported(tmp_path, "play", "a.cast")
    assert not modules & {"azure", "websockets", "prompt_toolkit", "aiohttp", "cryptography", "serialfix.venues"}
    assert "serialfix.tui.player" in modules


# --- the commands that need no VM ------------------------------------------------------------------------------


def test_help_and_version(tmp_path: Path) -> None:
    text = serialfix(tmp_path, "--help")
    assert text.code == 0
    for word in ("demo", "diagnose", "repair", "simulate", "play", "list"):
        assert word in text.out
    assert "130  interrupted" in serialfix(tmp_path, "repair", "--help").out
    assert __version__ in serialfix(tmp_path, "--version").out


@pytest.mark.parametrize(
    ("what", "name"),
    [
        ("playbooks", "rdp_internal_error"),
        ("checks", "tls"),
        ("changes", "stop:TermService"),
        ("faults", "tls-disabled"),
    ],
)
def test_lists(tmp_path: Path, what: str, name: str) -> None:
    rows = serialfix(tmp_path, "list", what, "--output", "json").document[what]
    assert name in [row["name"] for row in rows]
    text = serialfix(tmp_path, "list", what)
    assert [line.split()[0] for line in text.out.splitlines()] == [row["name"] for row in rows]


def test_play_tells_a_recording(tmp_path: Path) -> None:
    (tmp_path / "a.cast").write_text(
        HEADER + '[0.1, "o", "SAC>"]\n[99.5, "e", "{\\"type\\":\\"note\\",\\"text\\":\\"hello\\"}"]\n[0.1, "o", "cu'
    )
    run = serialfix(tmp_path, "play", "a.cast")
    assert run.code == 0
    assert "hello" in run.out
    assert "not whole: line 4 is cut off" in run.out
    document = serialfix(tmp_path, "play", "a.cast", "--output", "json").document
    assert (document["ours"], document["seconds"], document["outcome"]) == (True, 99.6, None)
    assert "line 4" in document["cut"]


# --- what is wrong with the input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ("can't be read", "Try:")),
        (b"", ("no transcript", "Why:", "Try:")),
        (b"\x7fELF\x02\x01\xff", ("not UTF-8", "Try:")),
        (b'{"version": 3, "term', ("no transcript",)),
        (HEADER.encode() + b'junk\n[0, "o", "x"]\n', ("line 2", "damaged")),
        (HEADER.replace('"format": 1', '"format": 9').encode(), ("format 9",)),
    ],
)
def test_playing_what_is_no_recording(tmp_path: Path, content: bytes | None, words: tuple[str, ...]) -> None:
    if content is not None:
        (tmp_path / "a.cast").write_bytes(content)
    both(tmp_path, 2, words, "play", "a.cast")


def test_in_text_nothing_of_an_error_goes_to_stdout(tmp_path: Path) -> None:
    run = serialfix(tmp_path, "play", "none.cast")
    said(run, "Error: ", "Try: ", code=2)
    assert run.out == ""


def test_verifying_what_is_no_session(tmp_path: Path) -> None:
    (tmp_path / "a.cast").write_text('{"version": 2, "width": 80, "height": 24}\n[0, "o", "x"]\n')
    both(tmp_path, 2, ("holds no session", "serialfix play"), "play", "a.cast", "--verify")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("demo", "--fault", "tls-disable"), ("tls-disable", "did you mean tls-disabled")),
        (("diagnose",), ("Which VM?", "-g GROUP -n NAME")),
        (("repair", "-g", "only-a-group"), ("Which VM?",)),
        (("diagnose", "rdp_external_error", "-g", "g", "-n", "n"), ("no playbook", "rdp_internal_error")),
        (("diagnose", "-g", "g", "-n", "n", "--check", "tsl"), ("no check 'tsl'", "tls")),
        (("diagnose", "-g", "g", "-n", "n"), ("No login for n", "SERIALFIX_PASSWORD")),
        (("repair", "-g", "g", "-n", "n", "--user", "me"), ("No login for n", "SERIALFIX_PASSWORD")),
        (("diagnose", "--simulate", "https://127.0.0.1:1"), ("No simulator", "serialfix simulate")),
        (("diagnose", "--simulate", "https://example.com:1"), ("not the address of a simulator", "this machine")),
        (("diagnose", "--via", "sh", "-g", "g"), ("--via and -g exclude each other", "Try:")),
        (("repair", "--via", "sh", "-n", "n"), ("--via and -n exclude each other",)),
        (("repair", "--via", "sh", "--simulate", "healthy"), ("--via and --simulate exclude each other",)),
        (("demo", "--windows", "1999"), ("1999", "2022")),
        (("demo", "--fault", "healthy", "--yes-to", "everything"), ("everything", "high")),
    ],
)
def test_bad_input_is_a_clear_message(tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    both(tmp_path, 2, words, *arguments)


@pytest.mark.skipif(sys.platform == "win32", reason="--via is POSIX")
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (" ", ("names no program", "virsh console")),
        ("no-such-program canary", ("'no-such-program' can't be started", "PATH")),
        ("sh 'canary", ("can't be split", "quotes")),
        ("TOKEN=canary sh", ("begins with a variable", "env")),
        ("sh canary", ("No login for the VM behind sh", "SERIALFIX_PASSWORD")),
    ],
)
def test_a_bad_command_of_via_is_a_clear_message(tmp_path: Path, command: str, words: tuple[str, ...]) -> None:
    both(tmp_path, 2, words, "repair", "--via", command)
    assert "canary" not in serialfix(tmp_path, "repair", "--via", command).err


def test_on_windows_via_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from click.testing import CliRunner

    from serialfix.cli import main

    for name in ("asyncio", "platformdirs", "serialfix.session"):
        importlib.import_module(name)  # they look at the system when they are imported, and this one is no Windows
    monkeypatch.setenv("SERIALFIX_STATE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "win32")
    ran = CliRunner().invoke(main, ["diagnose", "--via", "sh", "--output", "json"])
    assert ran.exit_code == 2
    assert "POSIX" in ran.output
    assert not list(tmp_path.iterdir())


def test_an_unknown_vm_is_told_with_near_misses(running: tuple[Path, Simulator]) -> None:
    folder, vm = running
    near = vm.said["vm"][:-1] + "x"
    both(folder, 3, (near, vm.said["vm"], "Try:"), "diagnose", "--simulate", vm.url, "-n", near)


def test_a_simulator_that_is_gone(tmp_path: Path) -> None:
    with simulator(tmp_path) as vm:
        (announced,) = (tmp_path / "cache" / "simulators").glob("*.json")
        text = announced.read_text()
    announced.write_text(text)  # as one leaves it that was killed
    run = serialfix(tmp_path, "diagnose", "--simulate", vm.url, "--output", "json")
    said(run, "Error:", "simulat", "Try:", code=run.code)
    assert run.code in (2, 3)
    assert run.document["error"]["advice"]


def test_a_transcript_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a.cast").write_text("mine")
    both(tmp_path, 2, ("is there already", "--transcript"), "demo", "--fault", "healthy", "--transcript", "a.cast")
    assert (tmp_path / "a.cast").read_text() == "mine"


def test_a_transcript_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    both(tmp_path, 2, ("can't be written", "nothing is changed"), "demo", "--transcript", "file/a.cast")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    both(tmp_path, 2, ("can't be written",), "demo", "--transcript", "closed/a.cast")


def test_a_port_in_use(running: tuple[Path, Simulator]) -> None:
    folder, vm = running
    run = serialfix(folder, "simulate", "--port", vm.url.rpartition(":")[2])
    said(run, "Error:", "in use", "--port", code=2)
    assert run.out == ""


def test_the_simulator_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*PROGRAM, "simulate", "--output", "json", *CALM],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    vm = Simulator(process, json.loads(process.stdout.readline()))
    assert rdp_answers(vm.rdp_port).startswith("TLS")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "", "")


# --- settings --------------------------------------------------------------------------------------------------


def test_flags_beat_the_environment_and_that_beats_the_file(tmp_path: Path) -> None:
    """Seen by which of three wrong names is refused."""
    arguments = ("diagnose", "-g", "g", "-n", "n")
    (tmp_path / "serialfix.toml").write_text('[diagnose]\nchecks = ["file"]\n')
    said(serialfix(tmp_path, *arguments), "no check 'file'", code=2)
    said(serialfix(tmp_path, *arguments, SERIALFIX_DIAGNOSE_CHECKS="env"), "no check 'env'", code=2)
    said(serialfix(tmp_path, *arguments, "--check", "flag", SERIALFIX_DIAGNOSE_CHECKS="env"), "no check 'flag'", code=2)


def test_a_broken_settings_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "serialfix.toml").write_text("[default")
    said(serialfix(tmp_path, "list", "checks"), "Error:", "serialfix.toml", "Try:", code=2)
    (tmp_path / "serialfix.toml").write_text('[repair]\npassword = "canary"\n')
    run = serialfix(tmp_path, "list", "checks")
    said(run, "holds a password", code=2)
    assert "canary" not in run.out + run.err


# --- our own fault ---------------------------------------------------------------------------------------------


def test_a_bug_is_70_and_asks_for_a_report(tmp_path: Path) -> None:
    program = (
        "import serialfix.cli as cli\n"
        "def broken(): raise ZeroDivisionError('ours')\n"
        "cli._checks = broken\n"
        "cli.main(['list', 'checks'])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert run.returncode == 70
    assert "ZeroDivisionError: ours" in run.stderr
    assert "bug of serialfix" in run.stderr
    assert run.stdout == ""
