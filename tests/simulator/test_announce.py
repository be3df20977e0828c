import json
import sys
from pathlib import Path

import pytest

from serialfix.simulator import announce

from .standins import simulated

IT = announce.Announcement("https://127.0.0.1:5", "/ca.pem", "s", "rg", "vm", "127.0.0.1:6", "u", "p", 7, "2022", "t")


def test_it_has_exactly_the_promised_names() -> None:
    names = [
        "arm",
        "ca",
        "subscription",
        "resource_group",
        "vm",
        "rdp",
        "user",
        "password",
        "seed",
        "windows",
        "tenant",
    ]
    assert list(json.loads(IT.json())) == names
    assert "\n" not in IT.json()


def test_the_folder_can_be_chosen() -> None:
    assert announce.folder({"SERIALFIX_CACHE_DIR": "/x"}) == Path("/x/simulators")
    assert announce.folder({}).parts[-2:] == ("serialfix", "simulators")


def test_it_is_written_privately_over_whatever_lies_there(tmp_path: Path) -> None:
    where = tmp_path / "cache" / "simulators"
    where.mkdir(parents=True, mode=0o755)
    victim = tmp_path / "victim"
    victim.write_text("mine", encoding="utf-8")
    stale = where / "5.json"
    if sys.platform == "win32":
        stale.write_text("{}", encoding="utf-8")
    else:
        stale.symlink_to(victim)
    path = announce.write(IT, 5, where)
    assert path == where / "5.json"
    assert path.read_text(encoding="utf-8") == IT.json() + "\n"
    assert victim.read_text(encoding="utf-8") == "mine"
    assert [each.name for each in where.iterdir()] == ["5.json"]
    if sys.platform != "win32":
        assert (path.stat().st_mode & 0o777, where.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_folder_that_cannot_be_made_is_an_oserror(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OSError, match="file"):
        announce.write(IT, 5, tmp_path / "file" / "simulators")


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


async def test_a_running_simulator_has_one_and_takes_it_away(tmp_path: Path) -> None:
    async with simulated(folder=tmp_path) as it:
        announced = it.running.announcement
        assert files(tmp_path) == {announced.arm.rpartition(":")[2] + ".json": announced.json() + "\n"}
    assert files(tmp_path) == {}
