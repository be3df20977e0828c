"""Starts a simulator as a program of its own and ends it; the program shares no code with us.

It ends when its standard input does, so it never outlives us, however we end.
"""

import asyncio
import contextlib
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from serialfix.errors import UsageError, VmError

START_TIMEOUT = 60.0


class _Reached(msgspec.Struct):
    arm: str


@asynccontextmanager
async def simulator(arguments: Sequence[str]) -> AsyncIterator[str]:
    """A running simulator; the URL of its ARM. Raises UsageError for what it does not accept, VmError if it fails."""
    # A process group of its own: Ctrl-C is ours to handle, and we still need the VM to leave it as it was.
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "serialfix.simulator",
        "--output",
        "json",
        "--until-stdin-closes",
        *arguments,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )
    said: deque[str] = deque(maxlen=20)
    listening = asyncio.create_task(_listen(process, said))
    try:
        yield await _announced(process, listening, said)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5.0)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await listening


async def _announced(process: asyncio.subprocess.Process, listening: "asyncio.Task[None]", said: deque[str]) -> str:
    if process.stdout is None:
        raise VmError("The simulator has no output to read.")
    try:
        line = await asyncio.wait_for(process.stdout.readline(), START_TIMEOUT)
        return msgspec.json.decode(line, type=_Reached).arm
    except (TimeoutError, msgspec.MsgspecError):
        with contextlib.suppress(TimeoutError):
            code = await asyncio.wait_for(process.wait(), 2.0)
            await asyncio.wait_for(listening, 2.0)
            if code == 2:
                raise UsageError(
                    "\n".join(said).removeprefix("Error: ") or "The simulator did not accept that.",
                    advice="serialfix list faults shows what can be simulated.",
                ) from None
        raise VmError(
            "The simulator did not start.",
            why="\n".join(said) or "It said nothing.",
            advice="Run it alone to see more: serialfix simulate",
        ) from None


async def _listen(process: asyncio.subprocess.Process, said: deque[str]) -> None:
    if process.stderr is not None:
        async for line in process.stderr:
            said.append(line.decode("utf-8", "replace").rstrip())
