"""The other user of the console: when a close looks like one, and what is done then.

Azure allows one connection to a VM's serial console: whoever connects disconnects who was there, and the login in the
VM stays open (azure-serial-console.md 2.5). Two programs that answer a close with a new connection would throw each
other out for ever, and out of a login. So such a close is never answered by reconnecting: it is said, the other one
gets some time, and a person is asked.

Which close code means "another user connected" is documented nowhere. What is known is that some do not mean it:

>>> looks_like_second_user(ConnectionLost(1011, "Connection not trusted"))
False
>>> looks_like_second_user(ConnectionLost(1006, ""))
False
>>> looks_like_second_user(ConnectionLost(1000, ""))
True
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

from serialfix import events
from serialfix.errors import ConnectionLost, VmError

ALONE = "Azure allows one connection to a serial console: anyone else on it is disconnected now."
ALONE_PERHAPS = "Where that console takes one connection only, anyone else on it is disconnected now."
"""Said before each connect; the second where it is not known what the console takes."""

THEIR_TIME = 60.0
"""Seconds that the other one has on the console before anybody is asked whether to disconnect them."""

CONNECT_AGAIN = "Connect again, which disconnects them"
LEAVE_THEM = "No: leave the console to them"

NOT_THEM = frozenset(
    {
        1002, 1003, 1007, 1009, 1010,  # one side took the other's bytes for wrong
        1006, 1015,  # nobody said anything: the connection or its encryption broke
        1012, 1013, 1014,  # the service restarts, is busy, or can't be reached
        4401, 4403, 4404, 4408,  # by their likeness to HTTP: not signed in, forbidden, gone, timed out
    }
)  # fmt: skip
"""Codes that mean something else unless their reason says so (RFC 6455 7.4; 4403 is known from service logs)."""

_THEM = re.compile(r"\banother\b|\bother (?:user|client|connection)|\bsecond\b|replaced|taken over|already", re.I)
_SOMETHING_ELSE = re.compile(
    r"trusted|running|stopp|shut|restart|reboot|allocat|idle|inactiv|time[d -]*out|expired?|token|forbidden|error", re.I
)

_GOING_DOWN = (b"The SAC will become unavailable soon", b"SAC preparing to restart", b"SAC preparing to shutdown")


class Chooser(Protocol):
    """A person who can be asked."""

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        """One of ``choices``, and who chose."""


def looks_like_second_user(lost: ConnectionLost) -> bool:
    """Whether a close may mean that somebody else connected. Where it is not known, it may.

    Words decide where there are any; the codes that certainly mean something else are known; the rest (1000, 1001,
    1005, 1008, 1011 without a word, and numbers of the gateway's own) has been chosen by nobody but the gateway.
    """
    if lost.code < 1000 or lost.code in (1006, 1015):
        return False  # no close was received: the reason, if there is one, is our own
    if _THEM.search(lost.reason):
        return True
    return lost.code not in NOT_THEM and not _SOMETHING_ELSE.search(lost.reason)


def announced_its_end(output: bytes) -> bool:
    """Whether the last output says that Windows goes down: then a close is the VM's, and nobody has come.

    >>> announced_its_end(b"The SAC will become unavailable soon.  The computer is shutting down.")
    True
    """
    return any(text in output for text in _GOING_DOWN)


def left_to_them(code: int, reason: str) -> VmError:
    """What a run ends with that does not connect again."""
    said = f"code {code}{', ' + reason if reason else ''}"
    return VmError(
        f"Somebody else seems to have connected to this console ({said}); it was left to them.",
        why="Azure allows one connection to a serial console, and closed ours. Connecting again would disconnect them.",
        advice="Talk to whoever repairs this VM as well. When they are done, run the command again: it looks anew, and "
        "makes no change twice. What was changed so far stands in the result and, with its undo, in the recording.",
    )


class Neighbour:
    """Decides whether the line may be opened again after a loss. ``vm``: its name. ``person`` None: nobody to ask.

    ``emit`` records and shows the decision, ``progress`` says what happens. ``sleep``: how the other one's time passes.
    """

    def __init__(
        self,
        vm: str,
        person: Chooser | None,
        *,
        emit: Callable[[events.Event], None],
        progress: Callable[[str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._vm = vm
        self._person = person
        self._emit = emit
        self._progress = progress
        self._sleep = sleep

    async def may_reconnect(self, lost: ConnectionLost) -> None:
        """Return when the line may be opened again. Raises VmError when it is left to somebody else."""
        if not looks_like_second_user(lost):
            return
        choice, by, waited = LEAVE_THEM, "unattended", 0.0
        if self._person is not None:
            self._progress(
                f"The console of {self._vm} was closed as if somebody else had connected to it. It is theirs for "
                f"{THEIR_TIME:.0f} s; then you are asked whether to connect again."
            )
            await self._sleep(THEIR_TIME)
            waited = THEIR_TIME
            question = f"Somebody else seems to be on the console of {self._vm}. Connect again, which disconnects them?"
            choice, by = await self._person.choose(question, (LEAVE_THEM, CONNECT_AGAIN), LEAVE_THEM)
        again = choice == CONNECT_AGAIN
        self._emit(events.Displaced(lost.code, lost.reason, waited, again, by))
        if not again:
            raise left_to_them(lost.code, lost.reason)
