"""Transport: any program that shows a console, on a pseudo terminal. POSIX only.

What it stands for is decided by the program: Wine's cmd.exe in the tests, later a serial console reached by ssh.
"""

import asyncio
import contextlib
from collections.abc import Sequence

import pexpect

from serialfix.errors import ConnectionLost, UsageError

MOST_AT_ONCE = 64 * 1024


class ProcessTransport:
    """A running program: a ``Transport``. Its end is a lost connection with its exit code as the reason."""

    def __init__(self, command: Sequence[str]) -> None:
        """Start ``command`` on a pty of 24 rows and 80 columns. Raises UsageError where that can't be done."""
        try:
            self._child: pexpect.spawn[bytes] = pexpect.spawn(
                command[0], list(command[1:]), dimensions=(24, 80), echo=False, timeout=None
            )
        except AttributeError as error:  # pexpect has no spawn where there are no pseudo terminals
            raise UsageError(
                "A program can't be run on a terminal of its own here.",
                why="That needs a POSIX system (Linux, macOS).",
            ) from error
        except pexpect.ExceptionPexpect as error:
            raise UsageError(
                f"{command[0]!r} can't be started.", why=str(error).splitlines()[0], advice="Check its name."
            ) from None
        self._child.delaybeforesend = None
        self._came: asyncio.Queue[bytes | None] = asyncio.Queue()
        asyncio.get_running_loop().add_reader(self._child.child_fd, self._readable)

    async def receive(self) -> bytes:
        """What the program wrote. Raises ConnectionLost when it has ended."""
        data = await self._came.get()
        if data is None:
            self._came.put_nowait(None)
            raise ConnectionLost(1006, "the program ended")
        return data

    async def send(self, data: bytes) -> None:
        """Type ``data``. Raises ConnectionLost when the program has ended."""
        try:
            self._child.send(data)
        except OSError:
            raise ConnectionLost(1006, "the program ended") from None

    async def close(self) -> None:
        """End the program."""
        self._ignore()
        await asyncio.to_thread(self._child.close, True)

    def _readable(self) -> None:
        try:
            self._came.put_nowait(self._child.read_nonblocking(MOST_AT_ONCE, timeout=0))
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            self._ignore()
            self._came.put_nowait(None)

    def _ignore(self) -> None:
        with contextlib.suppress(ValueError, OSError):
            asyncio.get_running_loop().remove_reader(self._child.child_fd)
