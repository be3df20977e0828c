import subprocess
import sys


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-W", "error", "-m", "serialfix.simulator", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    for option in (
        "--fault",
        "--seed",
        "--hostility",
        "--any-token",
        "--until-stdin-closes",
        "--list-faults",
        "--knob",
    ):
        assert option in done.stdout
