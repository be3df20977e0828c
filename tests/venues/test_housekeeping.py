"""What is made on a VM is told as it comes and goes; others' channels are closed by nobody's yes but a person's."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from serialfix import events
from serialfix.console.channels import AllTaken, open_channel
from serialfix.engine import Request
from serialfix.errors import VmError
from serialfix.simulator.knobs import Knobs
from serialfix.steps import Command, Output, Unknown
from serialfix.venues.housekeeping import CLOSE_NONE, QUESTION, Housekeeping
from serialfix.venues.serial import SerialVenue
from tests.console.test_channels import World
from tests.console.test_orphans import STRANGE, guids, touched, with_channels

VER = Request(Command("cmd", "ver"), 4096, 60.0)


class Chooser:
    """Picks the choice that begins with ``start``; the first where none does."""

    def __init__(self, start: str) -> None:
        self.start = start
        self.asked: list[tuple[str, tuple[str, ...], str]] = []

    async def __call__(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        self.asked.append((question, choices, unattended))
        return next((choice for choice in choices if choice.startswith(self.start)), choices[0]), "engineer"


def played(
    world: World, left: events.LeftEarlier, choose: Chooser | None = None
) -> tuple[list[events.Event], list[str], Sequence[Output | Unknown] | VmError]:
    """Ask one question on ``world`` and leave it: what was recorded and told, and the answer."""
    happened: list[events.Event] = []
    told: list[str] = []
    more: dict[str, Any] = {} if choose is None else {"choose": choose}
    keep = Housekeeping(left, happened.append, told.append, **more)
    console = SerialVenue(world.line, world.login, "nonce", told.append, keep)

    async def session() -> Sequence[Output | Unknown] | VmError:
        try:
            answers = await console.ask([VER])
        except VmError as error:
            return error
        await console.leave()
        return answers

    return happened, told, asyncio.run(session())


def left(*channels: events.LeftChannel, folders: tuple[str, ...] = ()) -> events.LeftEarlier:
    return events.LeftEarlier(channels, folders, ())


def answered(answer: object) -> bool:
    return isinstance(answer, list) and isinstance(answer[0], Output)


def test_what_is_made_is_told_as_it_comes_and_goes() -> None:
    world = World()
    happened, _, answer = played(world, left())
    assert answered(answer)
    folder = next(event.path for event in happened if isinstance(event, events.FolderMade))
    guid = next(event.guid for event in happened if isinstance(event, events.ChannelOpened) and event.guid)
    assert happened == [
        events.ChannelOpened("Cmd0001", ""),
        events.ChannelOpened("Cmd0001", guid),
        events.LoggedIn("Cmd0001", world.vm.user),
        events.FolderMade(folder),
        events.FolderRemoved(folder),
        events.ChannelClosed("Cmd0001", guid),
    ]
    assert guids(world) == {}


def test_a_channel_that_an_earlier_session_left_is_closed_first() -> None:
    world = with_channels()
    ours = guids(world)["Cmd0002"]
    happened, told, answer = played(world, left(events.LeftChannel("Cmd0002", ours)))
    assert answered(answer)
    assert happened[0] == events.ChannelClosed("Cmd0002", ours)
    assert set(guids(world)) == {"Cmd0001"}
    assert any("Cmd0002 of an earlier session is closed" in text for text in told)


@pytest.mark.parametrize(("guid", "recorded"), [(STRANGE, True), ("", False)])
def test_what_is_not_proven_to_be_ours_is_left_alone(guid: str, recorded: bool) -> None:
    world = with_channels()
    before = guids(world)
    happened, told, answer = played(world, left(events.LeftChannel("Cmd0002", guid)))
    assert answered(answer)
    assert guids(world) == before
    # One whose GUID stands nowhere any more is gone for good; one that can't be proven is told again.
    assert (events.ChannelClosed("Cmd0002", guid) in happened) == recorded
    assert any("left alone" in text for text in told)


def test_a_folder_of_an_earlier_session_goes_with_our_own() -> None:
    world = World()
    path = r"C:\Windows\kqxwvdahmtbs"
    world.vm.files.make_folder(path, world.vm.clock().timestamp())
    happened, _, answer = played(world, left(folders=(path,)))
    assert answered(answer)
    assert events.FolderRemoved(path) in happened
    assert path.lower() not in str(world.vm.state()["files"]).lower().replace("\\\\", "\\")


# --- nine channels ------------------------------------------------------------------------------------------------


def full() -> World:
    return World(knobs=Knobs(orphans=9))


def test_one_of_ours_makes_room_and_nobody_is_asked() -> None:
    world = full()
    ours = guids(world)["Cmd0004"]
    choose = Chooser("Close")
    _, _, answer = played(world, left(events.LeftChannel("Cmd0004", ours)), choose)
    assert answered(answer)
    assert choose.asked == []
    assert len(guids(world)) == 8


def test_all_are_somebodys_and_nobody_is_there_to_ask() -> None:
    world = full()
    before = guids(world)
    happened, _, answer = played(world, left())
    assert isinstance(answer, VmError)
    assert "All nine" in answer.what
    assert guids(world) == before
    assert touched(world) == []
    assert [event for event in happened if isinstance(event, events.Chosen)] == [
        events.Chosen(QUESTION, CLOSE_NONE, "unattended")
    ]


def test_a_person_who_says_no_is_asked_once() -> None:
    world = full()
    before = guids(world)
    choose = Chooser("No")
    _, _, answer = played(world, left(), choose)
    assert isinstance(answer, VmError)
    assert len(choose.asked) == 1
    assert guids(world) == before


def test_a_person_may_say_which_one_goes() -> None:
    world = full()
    before = guids(world)
    choose = Chooser("Close Cmd0007 ")
    happened, _, answer = played(world, left(), choose)
    assert answered(answer)
    ((question, choices, unattended),) = choose.asked
    assert "All nine" in question
    assert choices[0] == unattended == CLOSE_NONE
    assert len(choices) == 10
    assert all(guid in "".join(choices) for guid in before.values())
    assert set(before) - set(guids(world)) == {"Cmd0007"}
    assert next(event.by for event in happened if isinstance(event, events.Chosen)) == "engineer"


def test_no_room_is_an_error_of_its_own() -> None:
    world = full()
    world.home()
    with pytest.raises(AllTaken):
        world.talk(open_channel(world.keyboard))
    assert world.at_home()
