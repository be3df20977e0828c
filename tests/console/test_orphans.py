"""Channels left at SAC>: ours is closed, another's is never touched; judged by the simulator's own log."""

import pytest

from serialfix.console.channels import open_channel
from serialfix.console.orphans import all_headers, close_if_ours, preview
from serialfix.simulator.knobs import PRESETS, Knobs
from tests.console.test_channels import HARD, World

STRANGE = "00000000-0000-11ea-87e3-c2679e14957d"


def with_channels(seed: int = 1, knobs: Knobs = PRESETS["calm"], count: int = 2) -> World:
    """A world with ``count`` channels of ours, at SAC>."""
    world = World(seed, knobs)
    world.home()
    for _ in range(count):
        world.talk(open_channel(world.keyboard))
    return world


def guids(world: World) -> dict[str, str]:
    """Channel GUIDs by name, as SAC itself has them."""
    return {channel.name: channel.guid for channel in world.sac.channels.values() if channel.index}


def touched(world: World) -> list[object]:
    """Keys or lines that reached a channel's program."""
    return [
        entry
        for entry in world.vm.journal
        if (entry["kind"] == "line" and entry["purpose"] != "sac")
        or (entry["kind"], entry.get("mode")) == ("mode", "channel")
    ]


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("knobs", HARD.values(), ids=HARD)
def test_ours_is_closed_by_its_guid_and_nothing_is_shown(knobs: Knobs, seed: int) -> None:
    world = with_channels(seed, knobs)
    before = guids(world)
    name = sorted(before)[-1]
    assert world.talk(close_if_ours(world.keyboard, name, before[name].upper())) == "closed"
    assert guids(world) == {other: guid for other, guid in before.items() if other != name}
    assert touched(world) == []
    assert world.at_home()
    assert world.harmless()


@pytest.mark.parametrize("guid", [STRANGE, ""])
def test_another_under_the_same_name_is_left_alone(guid: str) -> None:
    world = with_channels()
    before = guids(world)
    assert world.talk(close_if_ours(world.keyboard, "Cmd0001", guid)) == "another"
    assert guids(world) == before
    assert touched(world) == []
    assert not any(str(line).startswith("ch -c") for line in world.typed("sac"))
    assert world.at_home()


def test_the_guid_of_another_channel_of_ours_closes_nothing() -> None:
    world = with_channels()
    before = guids(world)
    assert world.talk(close_if_ours(world.keyboard, "Cmd0001", before["Cmd0002"])) == "another"
    assert guids(world) == before


def test_what_is_gone_is_gone() -> None:
    world = with_channels()
    assert world.talk(close_if_ours(world.keyboard, "Cmd0009", STRANGE)) == "gone"
    assert world.at_home()


@pytest.mark.parametrize("name", ["", "Cmd0001 & restart", "a\rrestart", "x" * 65, "Cmd°"])
def test_a_name_that_no_channel_has_is_not_typed(name: str) -> None:
    world = with_channels()
    before = world.typed("sac")
    assert world.talk(close_if_ours(world.keyboard, name, STRANGE)) == "gone"
    assert world.typed("sac") == before


def test_a_preview_reads_what_sac_has() -> None:
    world = with_channels()
    header = world.talk(preview(world.keyboard, "cmd0002"))
    assert header is not None
    assert (header.name, header.guid) == ("Cmd0002", guids(world)["Cmd0002"])
    assert touched(world) == []
    assert world.at_home()


@pytest.mark.parametrize("count", [0, 1, 9])
@pytest.mark.parametrize("preset", ["calm", "real"])
def test_all_channels_are_named(count: int, preset: str) -> None:
    world = with_channels(3, PRESETS[preset], count)
    headers = world.talk(all_headers(world.keyboard))
    assert {header.name: header.guid for header in headers} == guids(world)
    assert len(headers) == count
    assert touched(world) == []
    assert world.at_home()
