"""The simulator as a child: it says where it is, and goes when we do."""

import json
import sys
from pathlib import Path

import pytest

from serialfix.errors import UsageError, VmError
from serialfix.venues import child
from serialfix.venues.child import simulator
from serialfix.venues.simulated import read_announcement


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SERIALFIX_CACHE_DIR", str(tmp_path))
    return tmp_path / "simulators"


def announced(cache: Path) -> list[int]:
    """The seeds of the simulators that announced themselves; one that ends in order takes its announcement away."""
    return [json.loads(path.read_text())["seed"] for path in cache.glob("*.json")]


async def test_it_runs_as_long_as_it_is_needed(cache: Path) -> None:
    async with simulator(["--seed", "7", "--hostility", "calm"]) as url:
        assert read_announcement(url).cloud.arm == url
        assert announced(cache) == [7]
    assert announced(cache) == []


async def test_what_it_does_not_accept_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no fault 'tls-disable'") as caught:
        async with simulator(["--fault", "tls-disable"]):
            raise AssertionError("it started")
    assert "tls-disabled" in caught.value.what
    assert not caught.value.what.startswith("Error")


async def test_it_ends_with_whoever_started_it(cache: Path) -> None:
    with pytest.raises(RuntimeError, match="ours"):
        async with simulator(["--seed", "7"]):
            raise RuntimeError("ours")
    assert announced(cache) == []


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; sys.stderr.write('it broke\\n'); sys.exit(1)", "it broke"),
        ("print('hello')", "It said nothing."),
        ("import time; time.sleep(60)", "It said nothing."),
    ],
)
async def test_one_that_does_not_start_is_a_vm_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: str, said: str
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text(f"#!{sys.executable}\n{program}\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(stand_in))
    monkeypatch.setattr(child, "START_TIMEOUT", 1.0)
    with pytest.raises(VmError, match="did not start") as caught:
        async with simulator([]):
            raise AssertionError("it started")
    assert said in caught.value.why
    assert "serialfix simulate" in caught.value.advice
