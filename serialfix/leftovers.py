"""What earlier sessions of this machine left on a VM, by their own recordings: a reading of them, like undo and report.

A session that was killed, or whose line was lost, leaves a command prompt channel, maybe logged in, a folder, and
temporary changes. Each is recorded before or as it comes to be (``events.ChannelOpened``, ``FolderMade``,
``ChangeStarted``) and when it is gone, by the session itself or by a later one. So what stands in no later record as
gone may still be there.

>>> crashed = [events.SessionStarted("0", "repair", "p", "via virsh", "vm1", "admin", "n"),
...            events.ChannelOpened("Cmd0001", "e203fb79-d80d-11ea-87e3-c2679e14957d"),
...            events.FolderMade("C:\\\\Windows\\\\kqxwvdahmtbs")]
>>> later = [events.SessionStarted("0", "repair", "p", "via virsh", "vm1", "admin", "n"),
...          events.FolderRemoved("C:\\\\Windows\\\\kqxwvdahmtbs")]
>>> left_on("via virsh", [crashed, later]).channels
(LeftChannel(name='Cmd0001', guid='e203fb79-d80d-11ea-87e3-c2679e14957d', user=''),)
>>> left_on("via virsh", [crashed, later]).folders
()
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serialfix import events
from serialfix.errors import UsageError
from serialfix.transcript import read_event
from serialfix.underway import forget, is_underway, marked
from serialfix.windows.left_behind import LEFT, is_our_folder

MOST_FILES = 200
MOST_AGE = 14 * 86_400.0
MOST_BYTES = 256 * 1024 * 1024
"""Recordings, seconds and bytes that are looked through at most, the newest first."""

# The lines that tell something here; the rest of a recording is not even decoded.
_TELLING = re.compile(
    rb'^\[[0-9.e+-]+, "e", "\{\\"type\\":\\"'
    rb"(?:session|vm|channel opened|channel closed|logged in|folder|folder removed|proposed|change|change not needed"
    rb'|checked|put back|check|ended|left earlier)\\"'
)


def identity(facts: dict[str, Any] | None, target: str) -> str:
    """Which VM a session was on: Azure's number of it, else its resource ID, else the ``target`` of ``--via``."""
    known = (facts or {}).get("vm_id") or (facts or {}).get("id") or target
    return str(known).lower()


@dataclass(slots=True)
class _Session:
    """What one session did, as far as it may be left."""

    vm: str = ""
    channels: dict[str, events.LeftChannel] = field(default_factory=dict)
    folders: dict[str, None] = field(default_factory=dict)
    temporary: set[str] = field(default_factory=set)
    making: dict[str, events.LeftChange] = field(default_factory=dict)
    left: dict[str, events.LeftChange] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)


def left_on(vm: str, sessions: Iterable[Sequence[events.Event]]) -> events.LeftEarlier:
    """What ``sessions`` left on the VM with the identity ``vm``, the oldest last undone first. Pure."""
    read = [session for session in map(_read, sessions) if session.vm == vm]
    gone = set().union(*(session.gone for session in read))
    channels: dict[str, events.LeftChannel] = {}
    folders: dict[str, None] = {}
    changes: dict[str, events.LeftChange] = {}
    for session in read:
        for channel in session.channels.values():
            if _key(channel.name, channel.guid) not in gone:
                channels[_key(channel.name, channel.guid)] = channel
        folders |= {path: None for path in session.folders if path not in gone and is_our_folder(path)}
        for change in reversed((session.left | session.making).values()):
            undo = tuple(command for command in change.undo if LEFT + command not in gone)
            if undo:
                changes["; ".join(undo)] = events.LeftChange(change.name, change.command, undo)
    return events.LeftEarlier(tuple(channels.values()), tuple(folders), tuple(changes.values()))


def _key(name: str, guid: str) -> str:
    return guid or f"unseen {name}"


def _read(happened: Iterable[events.Event]) -> _Session:
    it = _Session()
    facts: dict[str, Any] | None = None
    for event in happened:
        match event:
            case events.VmSeen():
                facts = event.facts
            case events.SessionStarted():
                it.vm = identity(facts, event.target)
            case events.ChannelOpened(name, guid):
                it.channels[name] = events.LeftChannel(name, guid)
            case events.LoggedIn(name, user) if name in it.channels:
                it.channels[name] = events.LeftChannel(name, it.channels[name].guid, user)
            case events.ChannelClosed(name, guid):
                it.gone.add(_key(name, guid))
            case events.FolderMade(path):
                it.folders[path] = None
            case events.FolderRemoved(path):
                it.gone.add(path)
            case _:
                _read_change(it, event)
    return it


def _read_change(it: _Session, event: events.Event) -> None:
    """Temporary changes: a check's end takes them back, so one that another check follows is gone, unless it says not.

    The engine looks at each when its check ends, whatever happened, and tells (``PutBack``) what it had to undo.
    """
    match event:
        case events.Proposed(changes=changes):
            it.temporary |= {change.name for change in changes if change.temporary and not change.name.startswith(LEFT)}
        case events.ChangeStarted(name=name, command=command, undo=undo) if name in it.temporary and undo:
            it.making[name] = events.LeftChange(name, command, undo)
        case events.PutBack(name=name, back=back):
            change = it.making.pop(name, None) or it.left.pop(name, None)
            if change is not None and back is not True:
                it.left[name] = change
        case events.ChangeSkipped(name=name) | events.ChangeChecked(name=name, holds=True) if name.startswith(LEFT):
            it.gone.add(name)
        case events.CheckStarted() | events.Ended():
            it.making.clear()


# --- the recordings of this machine -----------------------------------------------------------------------------


def recorded_here(folder: Path, own: Path, now: float) -> tuple[list[tuple[events.AnyEvent, ...]], list[str]]:
    """The telling events of the sessions recorded in ``folder`` or marked there, and notes on what was left out.

    Left out: ``own``, the recording of this session; sessions that still run; what is too old or too much.
    """
    files: dict[Path, float] = {}
    for path in [*folder.glob("*.cast"), *marked(folder)]:
        try:
            changed = path.stat().st_mtime
        except OSError:
            forget(folder, path)
            continue
        if now - changed <= MOST_AGE:
            files[path.absolute()] = changed
    files.pop(own.absolute(), None)
    sessions: list[tuple[events.AnyEvent, ...]] = []
    notes: list[str] = []
    budget = MOST_BYTES
    for path in sorted(files, key=lambda path: files[path], reverse=True)[:MOST_FILES]:
        if is_underway(folder, path):
            continue
        try:
            budget -= path.stat().st_size
            if budget < 0:
                notes.append("There are more recordings on this machine than are looked through.")
                break
            sessions.append(tuple(_telling(path)))
            if path.parent == folder.absolute():
                forget(folder, path)  # it is found without its mark
        except (OSError, UsageError) as problem:
            notes.append(
                f"The recording {path.name} can't be read, so it is not known what that session left: {problem}"
            )
    return sessions, notes


def _telling(path: Path) -> Iterator[events.AnyEvent]:
    """The events in a recording that say what was made and what is gone; a cut last line is left out."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n") or _TELLING.match(line) is None:
                continue
            try:
                yield read_event(json.loads(line)[2], f"{path}, line {number}")
            except (ValueError, RecursionError, TypeError):
                raise UsageError(f"line {number} is damaged") from None
