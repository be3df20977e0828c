"""Transport: any program that shows a console, on a pseudo terminal of its own. POSIX only; the one file with termios.

What it stands for is decided by the program: ``virsh console``, ssh to another cloud's serial port, socat on a pipe;
in the tests a simulated VM, and Wine's cmd.exe. Ptys, sessions and hanging up are common knowledge (POSIX.1, "General
Terminal Interface"):

>>> read_command("ssh -e none 'serial port@203.0.113.7'")
('ssh', '-e', 'none', 'serial port@203.0.113.7')
"""

import asyncio
import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import PurePath

from serialfix.errors import ConnectionLost, UsageError, VmError

MOST_AT_ONCE = 64 * 1024
ROWS, COLUMNS = 24, 80

AT_ONCE = 0.4
"""Seconds. A program that ends within them never showed a console; starting it again would not help."""

LAST_OUTPUT = 1.0
"""Seconds from the end of the program to the end of what it wrote, or the other way round."""

NOT_TAKEN = 30.0
"""Seconds until a program that takes no keys counts as lost."""

PATIENCE = 2.0
"""Seconds that a program has to end after each signal, before the next and stronger one."""

RESTARTS, PAUSE = 10, 3.0
"""How often, and after how many seconds, it is started again after a loss: a VM that restarts is away for a while."""

LOOK_AGAIN, STEP = 0.1, 0.02
WORDS = 2000
"""Bytes. What ended after so few, and without one escape sequence, never was a console: its last line says why."""

SHORT = 4
"""Characters. Shorter arguments are options, and no secrets worth hiding."""

# Runs in a process of its own, so that nothing of Python happens between a fork and an exec beside other threads. The
# terminal becomes the controlling one (ssh asks there); Python's own ignoring of SIGPIPE is not handed on.
LAUNCHER = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
try:
    os.execvp(sys.argv[1], sys.argv[1:])
except OSError as error:
    os.write(2, f"{sys.argv[1]}: {error.strerror}\\n".encode())
    os._exit(127)
"""


def read_command(text: str) -> tuple[str, ...]:
    """The words of a command line, split as a POSIX shell does and never run by one.

    Raises UsageError, which never quotes more than the first word: arguments may hold secrets.
    """
    if sys.platform == "win32":
        raise UsageError(
            "--via needs a POSIX system (Linux, macOS).",
            why="It runs the program on a pseudo terminal, which Windows does not have in this form.",
            advice="Run serialfix in the Windows Subsystem for Linux, or on a Linux machine that reaches the console.",
        )
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(
            "The command of --via can't be split into words.",
            why=f"It is split as a shell does: {error}.",
            advice="Close its quotes.",
        ) from None
    if not words:
        raise UsageError("--via names no program.", advice='For example: --via "virsh console vm1".')
    if re.match(r"\w+=", words[0]):
        raise UsageError(
            "The command of --via begins with a variable instead of a program.",
            why="It is run as it is, never through a shell.",
            advice='Let env set it: --via "env NAME=value program ...".',
        )
    if "\0" in text or shutil.which(words[0]) is None:
        raise UsageError(
            f"{words[0]!r} can't be started.",
            why="There is no program of that name on the PATH, or it may not be run.",
            advice="Check its name, or give its whole path.",
        )
    return words


def name_of(command: Sequence[str]) -> str:
    """How a command may be called where others read it: its program without folders and arguments."""
    return PurePath(command[0]).name


class Program:
    """A command that shows a console, started once for each connection; ``connect`` is what a ``LiveLine`` wants."""

    def __init__(self, command: Sequence[str], progress: Callable[[str], None]) -> None:
        self._command = tuple(command)
        self._progress = progress
        self._transport: ProcessTransport | None = None

    async def connect(self) -> "ProcessTransport":
        """Start it, again after a loss. Raises VmError when it ends at once, UsageError when it can't be started."""
        tries = 1 if self._transport is None else RESTARTS
        await self.close()
        self._progress(f"Starting {name_of(self._command)}{'' if tries == 1 else ' again'}.")
        while True:
            self._transport = transport = ProcessTransport(self._command)
            reason = await transport.ended_within(AT_ONCE)
            if not reason:
                return transport
            await transport.close()
            tries -= 1
            if not tries:
                raise VmError(
                    f"There is no console: {reason}.",
                    why="It ended as soon as it was started: a wrong argument, nothing at its other end, or a sign-in "
                    "that it would have to ask for.",
                    advice="Run it by hand in a terminal until it shows SAC> or answers Enter, then give it to --via.",
                )
            await asyncio.sleep(PAUSE)

    async def close(self) -> None:
        """End it, if it runs."""
        if self._transport is not None:
            await self._transport.close()


class ProcessTransport:
    """A running program: a ``Transport``. Its end is a lost connection with its exit status as the reason.

    Its terminal is raw, 80 by 24 and without echo: what the VM echoes is what counts. It leads a session of its own,
    so Ctrl-C at our terminal is ours alone.
    """

    def __init__(self, command: Sequence[str]) -> None:
        """Start ``command``. Raises UsageError where that can't be done."""
        self._name = name_of(command)
        self._arguments = tuple(argument for argument in command[1:] if len(argument) >= SHORT)
        self._closed = False
        self._came = 0
        self._words = b""
        self._master, slave = _open_terminal()
        try:
            self._process = subprocess.Popen(  # noqa: S603  # the user's own command, never through a shell
                [sys.executable, "-I", "-S", "-c", LAUNCHER, *command],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=_environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            os.close(self._master)
            raise UsageError(f"{self._name!r} can't be started.", why=str(error)) from None
        finally:
            os.close(slave)

    async def receive(self) -> bytes:
        """What the program wrote. Raises ConnectionLost when it has ended and all of it was read."""
        while not self._closed:
            over = self._process.poll() is not None
            data = self._read()
            if data is None and not over:
                await self._ready(writing=False, seconds=LOOK_AGAIN)
            elif data is None:
                # A program that it left behind may hold the terminal open; what it wrote itself is here in no time.
                await self._ready(writing=False, seconds=LAST_OUTPUT)
                data = self._read() or b""
            if data == b"":
                break
            if data:
                self._came += len(data)
                if self._came <= WORDS:
                    self._words += data
                return data
        raise await self._loss()

    async def send(self, data: bytes) -> None:
        """Type ``data``. Raises ConnectionLost when the program has ended, or takes no keys."""
        try:
            async with asyncio.timeout(NOT_TAKEN):
                while data and not self._closed and self._process.poll() is None:
                    try:
                        data = data[os.write(self._master, data) :]
                    except BlockingIOError:
                        await self._ready(writing=True, seconds=LOOK_AGAIN)
        except TimeoutError:
            raise ConnectionLost(1006, f"{self._name} has taken no keys for {NOT_TAKEN:.0f} s") from None
        except OSError:
            raise await self._loss() from None
        if data:
            raise await self._loss()

    async def close(self) -> None:
        """End the program and what it started: hang up, then SIGTERM, then SIGKILL. Never raises."""
        if self._closed:
            return
        self._closed = True
        os.close(self._master)
        try:
            for number in ("SIGHUP", "SIGTERM", "SIGKILL"):
                if not self._signal(number) or await self._gone():
                    break
        except asyncio.CancelledError:
            self._signal("SIGKILL")
            raise
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=1.0)

    async def ended_within(self, seconds: float) -> str:
        """Why the program ended within ``seconds``; "" while it runs. Its output waits for ``receive`` then."""
        await self._exit(seconds)
        if self._process.poll() is None:
            return ""
        while True:
            try:
                await self.receive()
            except ConnectionLost as lost:
                return lost.reason

    def _read(self) -> bytes | None:
        """What is there; None: nothing yet; empty: nobody holds the terminal any more."""
        try:
            return os.read(self._master, MOST_AT_ONCE)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    async def _ready(self, *, writing: bool, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        add, remove = (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
        add(self._master, ready.set)
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ready.wait(), seconds)
        finally:
            remove(self._master)

    async def _exit(self, seconds: float) -> None:
        """Wait for the end of the program, so long at most."""
        for _ in range(round(seconds / STEP)):
            if self._process.poll() is not None:
                return
            await asyncio.sleep(STEP)

    async def _loss(self) -> ConnectionLost:
        await self._exit(LAST_OUTPUT)
        status = self._process.poll()
        if self._closed:
            return ConnectionLost(1006, f"{self._name} was ended by us")
        if status is None:
            return ConnectionLost(1006, f"{self._name} has closed its terminal")
        how = f"with exit status {status}" if status >= 0 else f"by signal {-status}"
        said = _last_line(self._words) if self._came <= WORDS and b"\x1b" not in self._words else ""
        for argument in sorted(self._arguments, key=len, reverse=True):
            said = said.replace(argument, "…")  # it may be a secret, and this goes into the report
        return ConnectionLost(1006, f"{self._name} ended {how}{f' and said: {said}' if said else ''}")

    def _signal(self, name: str) -> bool:
        """Signal the program's process group; whether there still is one to wait for."""
        if sys.platform == "win32":
            return False
        try:
            os.killpg(self._process.pid, getattr(signal, name) if name else 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # it runs as somebody else (sudo), or (macOS) is dead already
            return self._process.poll() is None
        return True

    async def _gone(self) -> bool:
        for _ in range(round(PATIENCE / STEP)):
            self._process.poll()
            if not self._signal(""):
                return True
            await asyncio.sleep(STEP)
        return False


def _open_terminal() -> tuple[int, int]:
    """Our end of a new terminal, which never blocks, and the program's."""
    if sys.platform == "win32":
        raise UsageError(
            "A program can't be run on a terminal of its own here.", why="That needs a POSIX system (Linux, macOS)."
        )
    import termios
    import tty

    master, slave = os.openpty()
    tty.setraw(slave)
    termios.tcsetwinsize(slave, (ROWS, COLUMNS))
    os.set_blocking(master, False)
    return master, slave


def _environment() -> dict[str, str]:
    """Ours without the VM's password, and as a terminal of 80 by 24 without any talents."""
    hidden = {"SERIALFIX_PASSWORD", "LINES", "COLUMNS"}
    return {name: value for name, value in os.environ.items() if name not in hidden} | {"TERM": "vt100"}


def _last_line(data: bytes) -> str:
    text = data.decode("utf-8", "replace").replace("\r", "\n")
    lines = ["".join(mark for mark in line if mark.isprintable()).strip() for line in text.split("\n")]
    return next((line[:200] for line in reversed(lines) if line), "")
