"""Wine's cmd.exe behind a bad serial line: a program that stands where SAC stands, between the line and a console.

It runs ``wine cmd.exe`` on a pty of its own and passes bytes on. What SAC does for a console and Wine's conhost does
not do by itself is done here: 0x08 erases (conhost wants 0x7F), and Ctrl-C ends the program that runs, and nothing else
(Wine's own cmd takes it for the end of its input and exits, which Windows' cmd never does). A console that is
``--deaf`` gives no program a Ctrl-C.

``--hostile SEED`` adds what windows-sac.md 2.4, 2.5 and 3.2 say of the wire: output cut anywhere, with gaps; keys held
up and then let go together; of equal neighbours closer than 30 ms the second is lost or doubled; what a burst has over
16 bytes is lost. ``--sample SECONDS`` shows samples of the screen instead of the stream, as Windows up to 2019 does, so
that rows are lost while it scrolls. ``--harm FILE``: a line for each key that was lost or doubled.

It knows nothing of serialfix, so that it can't agree with its mistakes.
"""

import argparse
import codecs
import contextlib
import os
import random
import select
import signal
import struct
import sys
import time
from collections import deque
from pathlib import Path

import avt

ROWS, COLUMNS = 24, 80
UART = 16  # bytes that it holds
SAME_BURST = 0.002  # seconds between bytes
TOO_CLOSE = 0.03  # seconds between equal neighbours
SHELLS = ("cmd", "conhost", "start")


class Wire:
    """What becomes of keys and output on their way. Without a seed: nothing."""

    def __init__(self, seed: int | None, harm: Path | None) -> None:
        self._random = None if seed is None else random.Random(seed)
        self._harm = harm
        self._keys: deque[tuple[float, int]] = deque()
        self._out: deque[tuple[float, bytes]] = deque()
        self._held = 0.0
        self._burst = 0
        self._last = (0.0, -1)

    def type(self, data: bytes, now: float) -> None:
        """Keys come over the line; all that is held up comes out together."""
        if self._random is not None and self._random.random() < 0.04:
            self._held = now + self._random.uniform(0.02, 0.12)
        self._keys.extend((max(now, self._held), key) for key in data)

    def arrived(self, now: float) -> bytes:
        """The keys that have arrived at the console."""
        keys = bytearray()
        while self._keys and self._keys[0][0] <= now:
            keys += self._one(self._keys.popleft()[1], now)
        return bytes(keys)

    def _one(self, key: int, now: float) -> bytes:
        if self._random is None:
            return bytes([key])
        at, last = self._last
        self._burst = self._burst + 1 if now - at < SAME_BURST else 1
        self._last = now, key
        if self._burst > UART and self._random.random() < 0.5:
            return self._harmed("lost", key, 0)
        if key == last and now - at < TOO_CLOSE and (chance := self._random.random()) < 0.5:
            return self._harmed("lost", key, 0) if chance < 0.25 else self._harmed("doubled", key, 2)
        return bytes([key])

    def _harmed(self, how: str, key: int, count: int) -> bytes:
        if self._harm is not None:
            with self._harm.open("a") as file:
                file.write(f"{how} {key}\n")
        return bytes([key]) * count

    def write(self, data: bytes, now: float) -> None:
        """The console writes; never before what it wrote earlier."""
        at = max(now, self._out[-1][0] if self._out else now)
        while data:
            size = len(data) if self._random is None else self._random.randint(1, 400)
            if self._random is not None and self._random.random() < 0.1:
                at += self._random.choice((0.005, 0.02, 0.02, 0.15))
            self._out.append((at, data[:size]))
            data = data[size:]

    def came(self, now: float) -> bytes:
        """The next piece of output that has come over the line."""
        return self._out.popleft()[1] if self._out and self._out[0][0] <= now else b""

    def due(self) -> float | None:
        """When something comes next."""
        return min((queue[0][0] for queue in (self._keys, self._out) if queue), default=None)


class Sampler:
    """Shows what the screen looks like every few moments; rows that scrolled off in between were never there."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._vt = avt.Vt(COLUMNS, ROWS, scrollback_limit=0)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._shown = [""] * ROWS
        self._cursor = (0, 0)
        self.next: float | None = None

    def feed(self, data: bytes, now: float) -> None:
        """The console writes."""
        self._vt.feed_str(self._decoder.decode(data))
        if self.next is None:
            self.next = now + self._every

    def sample(self) -> bytes:
        """What brings the screen that was shown last to what it is now."""
        self.next = None
        rows = [str(line.text).rstrip() for line in self._vt.view()]
        cursor = self._vt.cursor
        changes = [
            f"\x1b[{number};1H{text}" + ("\x1b[K" if len(text) < COLUMNS else "")
            for number, (text, shown) in enumerate(zip(rows, self._shown, strict=True), start=1)
            if text != shown
        ]
        if not changes and (cursor.row, cursor.col) == self._cursor:
            return b""
        self._shown, self._cursor = rows, (cursor.row, cursor.col)
        return "".join([*changes, f"\x1b[{cursor.row + 1};{cursor.col + 1}H"]).encode()


def running(session: int) -> list[int]:
    """The programs that run in a session, without the shells and what holds their console."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                words = (folder / "cmdline").read_bytes().decode("utf-8", "replace").split("\0")[0].split(" ")
                name = words[0].replace("\\", "/").rpartition("/")[2].lower().removesuffix(".exe")
                if name and name not in SHELLS and os.getsid(int(folder.name)) == session:
                    found.append(int(folder.name))
    return found


def interrupt(session: int, console: int) -> None:
    """Ctrl-C: what runs is ended.

    It is held first, while conhost takes the key: otherwise conhost would stay in the line that a dead program reads,
    and draw what is typed next where that one stood.
    """
    stopped = running(session)
    if not stopped:
        return  # cmd alone would exit
    for process in stopped:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGSTOP)
    os.write(console, b"\x03")
    time.sleep(0.1)
    for process in stopped:
        with contextlib.suppress(OSError):
            os.kill(process, signal.SIGKILL)


def main() -> None:
    """Run until one of the two ends is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hostile", type=int)
    parser.add_argument("--sample", type=float)
    parser.add_argument("--harm", type=Path)
    parser.add_argument("--deaf", action="store_true")
    options = parser.parse_args()
    import fcntl  # here, so that this file can be imported on Windows
    import pty
    import termios
    import tty

    child, console = pty.fork()
    if not child:
        tty.setraw(0)
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execvp("wine", ["wine", "cmd.exe"])
    for number in (signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    wire = Wire(options.hostile, options.harm)
    sampler = Sampler(options.sample) if options.sample else None
    try:
        pump(console, child, wire, sampler, deaf=options.deaf)
    finally:
        with contextlib.suppress(OSError):
            os.killpg(child, signal.SIGKILL)


def pump(console: int, session: int, wire: Wire, sampler: Sampler | None, *, deaf: bool) -> None:
    """Pass bytes both ways."""
    while True:
        dues = [due for due in (wire.due(), sampler.next if sampler else None) if due is not None]
        left = max(0.0, min(dues) - time.monotonic()) if dues else None
        ready, _, _ = select.select([0, console], [], [], left)
        now = time.monotonic()
        if 0 in ready:
            if not (data := os.read(0, 4096)):
                return
            wire.type(data, now)
        if console in ready:
            try:
                data = os.read(console, 4096)
            except OSError:
                return
            if sampler is None:
                wire.write(data, now)
            else:
                sampler.feed(data, now)
        if sampler is not None and sampler.next is not None and sampler.next <= now:
            wire.write(sampler.sample(), now)
        keys = wire.arrived(now).replace(b"\x08", b"\x7f")
        if b"\x03" in keys and not deaf:
            interrupt(session, console)
        if keys := keys.replace(b"\x03", b""):
            os.write(console, keys)
        while data := wire.came(now):
            while data:
                data = data[os.write(1, data) :]


if __name__ == "__main__":
    main()
