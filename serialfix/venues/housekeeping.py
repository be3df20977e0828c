"""What our channels and folders on the VM are, for the record; and what earlier sessions left there, taken away.

The venue tells what it makes and what is gone, as it happens: with that, a later session can take away what this one
leaves when it is killed. A channel is closed only when the header of its name shows the GUID of our own recording
(console/orphans.py). Where all nine are taken and none is ours, a person is asked.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from serialfix import events
from serialfix.console.dialogue import Conversation
from serialfix.console.keyboard import Keyboard
from serialfix.console.orphans import all_headers, close_if_ours

T = TypeVar("T")

QUESTION = (
    "All nine command prompts of this console are taken, and none is proven to be ours. May one be closed? What runs "
    "in it ends, and what somebody typed there is lost."
)
CLOSE_NONE = "No: leave them alone"
NOTHING = events.LeftEarlier((), (), ())


class Talk(Protocol):
    """Runs a conversation over the line."""

    async def __call__(self, conversation: Conversation[T]) -> T:
        """What the conversation ends with."""


async def nobody(question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
    """There is nobody to ask."""
    return unattended, "unattended"


class Housekeeping:
    """Of one console: ``left`` by earlier sessions, ``emit`` to the record, ``choose`` for a person."""

    def __init__(
        self,
        left: events.LeftEarlier = NOTHING,
        emit: Callable[[events.Event], None] = lambda _: None,
        progress: Callable[[str], None] = lambda _: None,
        choose: Callable[[str, tuple[str, ...], str], Awaitable[tuple[str, str]]] = nobody,
    ) -> None:
        self._emit = emit
        self._progress = progress
        self._choose = choose
        self._left = list(left.channels)
        self._folders = list(left.folders)
        self._refused = False
        self._guids: dict[str, str] = {}

    def opened(self, name: str) -> None:
        """We created a channel; its GUID is not seen yet."""
        self._guids[name] = ""
        self._emit(events.ChannelOpened(name, ""))

    def seen(self, name: str, guid: str) -> None:
        """The header of our channel was shown."""
        if guid and not self._guids.get(name):
            self._guids[name] = guid
            self._emit(events.ChannelOpened(name, guid))

    def closed(self, name: str) -> None:
        """Our channel is gone."""
        if name in self._guids:
            self._emit(events.ChannelClosed(name, self._guids.pop(name)))

    def logged_in(self, name: str, user: str) -> None:
        """Somebody is logged in at our channel now."""
        self._emit(events.LoggedIn(name, user))

    def folder_made(self, path: str) -> None:
        """The folder is about to be made."""
        self._emit(events.FolderMade(path))

    def folder_removed(self, path: str) -> None:
        """The folder is gone."""
        self._emit(events.FolderRemoved(path))

    def take_folders(self) -> list[str]:
        """Folders of earlier sessions, once: to be removed from our shell like our own."""
        taken, self._folders = self._folders, []
        return taken

    async def clean(self, talk: Talk, keyboard: Keyboard) -> None:
        """At an empty ``SAC>``, and back there: close what earlier sessions left, each tried once.

        Raises NoWay, Untypable, ConnectionLost.
        """
        while self._left:
            channel = self._left.pop(0)
            self._progress(f"Looking whether the command prompt {channel.name} of an earlier session is still there.")
            ended = await talk(close_if_ours(keyboard, channel.name, channel.guid))
            if ended == "closed":
                self._progress(f"The command prompt {channel.name} of an earlier session is closed.")
            elif ended == "gone":
                self._progress(f"{channel.name} is gone.")
            elif channel.guid:
                self._progress(f"{channel.name} is somebody else's now: left alone.")
            else:
                self._progress(
                    f"Whose {channel.name} is can't be proven, since that session was stopped before it saw its GUID: "
                    f"left alone. It is closed at the SAC prompt by: ch -cn {channel.name}"
                )
                continue
            self._emit(events.ChannelClosed(channel.name, channel.guid))

    async def make_room(self, talk: Talk, keyboard: Keyboard) -> bool:
        """At an empty ``SAC>``, and back there: where all channels are taken, close one if somebody says so.

        Whether there is room now. Raises NoWay, Untypable, ConnectionLost.
        """
        if self._refused:
            return False
        headers = await talk(all_headers(keyboard))
        named = {f"Close {each.name} ({each.description}, GUID {each.guid})": each for each in headers}
        choice, by = await self._choose(
            QUESTION,
            (CLOSE_NONE, *named),
            CLOSE_NONE,
        )
        self._emit(events.Chosen(QUESTION, choice, by))
        if choice not in named:
            self._refused = True  # asked once; the way is tried again
            return False
        chosen = named[choice]
        self._progress(f"Closing {chosen.name}.")
        return await talk(close_if_ours(keyboard, chosen.name, chosen.guid)) != "another"
