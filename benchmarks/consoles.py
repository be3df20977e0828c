"""How many busy consoles does one core carry, from the bytes to the record? ``python -m benchmarks.consoles``

Every console gets what a serial line of 115,200 baud brings at most: rows that scroll, and now and then a whole redraw
as SAC makes it (windows-sac.md 2.2). Each message goes the way it goes live: into the transcript, onto the screen, and
to a conversation that waits for the end of an answer (the real ``submit`` of shells.py), which never comes. The
messages of all consoles come in turn. Counted is CPU time; the websocket and the event loop are not part of it.
"""

import argparse
import gc
import os
import platform
import random
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from serialfix.console.dialogue import Dialogue
from serialfix.console.screen import COLUMNS, ROWS, Screen
from serialfix.console.shells import submit
from serialfix.redact import Secrets
from serialfix.transcript import Writer

LINE_RATE = 11_520  # bytes/s: 115,200 baud, ten bits a byte
MESSAGES = (128, 1024)  # bytes
CONSOLES_A_CORE = 100  # at least
KILOBYTES_A_CONSOLE = 500.0  # at most
RUNS = 3  # the median counts
ROWS_GONE = (300, 5000)  # rows that scroll by before memory is looked at: an answer, and more than a screen remembers
STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True)
class Result:
    """One line of the table. ``at_least``: whether more is better."""

    name: str
    value: float
    unit: str
    target: float
    at_least: bool

    @property
    def met(self) -> bool:
        """Whether the value is as good as its target."""
        return self.value >= self.target if self.at_least else self.value <= self.target

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        ratio = self.value / self.target
        said = "met" if self.met else "missed"
        return f"{self.name:<36}{self.value:>7.3g} {self.unit:<4} {bound:>8} {self.target:>6.4g}  x{ratio:<5.2f} {said}"


class Console:
    """One console as it is live, with an answer under way."""

    def __init__(self, path: Path) -> None:
        secrets = Secrets(["a password of sixteen"])
        self._writer = Writer(path, title="benchmark", started=datetime.now(UTC), secrets=secrets)
        self.screen = Screen()
        read: Callable[[object], None] = lambda rows: None  # noqa: E731
        waiting = submit("kqxwvd>", "mtbshrzw", 0, read, most=10**12, timeout=1e9)
        self._dialogue = Dialogue(self.screen, waiting)
        self._dialogue.start(0.0)

    def receive(self, data: bytes, now: float) -> None:
        """One message."""
        self._writer.output(data, now)
        self._dialogue.receive(data, now)

    def close(self) -> None:
        """Give the conversation up and close the record. Raises AssertionError when it had ended by itself."""
        assert not self._dialogue.done, "the answer must not end"
        self._dialogue.stop()
        self._writer.close(0, 0.0)


def traffic(size: int, seed: int) -> bytes:
    """About ``size`` bytes: rows of 20 to 78 characters, after every 200th a full redraw."""
    rng = random.Random(seed)
    came = bytearray()
    row = 0
    while len(came) < size:
        row += 1
        words = f"  TCP    10.0.{rng.randrange(256)}.{rng.randrange(256)}:{rng.randrange(65536)}    "
        came += words.ljust(rng.randrange(20, 79), ".").encode() + b"\r\n"
        if row % 200 == 0:
            came += redraw(rng)
    return bytes(came[:size])


def redraw(rng: random.Random) -> bytes:
    """A whole screen, cell by cell, cursor in the last row."""
    rows = (f"\x1b[{row};1H" + f"row {rng.randrange(10**6)}".ljust(COLUMNS) for row in range(1, ROWS + 1))
    pen = "\x1b[0m\x1b[22m\x1b[25m\x1b[27m\x1b[40m\x1b[37m"
    return f"\x1b[2J\x1b[1;1H{pen}{''.join(rows)}\x1b[{ROWS};1H{pen}".encode()


def carry(consoles: Sequence[Console], streams: Sequence[bytes], size: int) -> tuple[float, int]:
    """Bring each console its stream in messages of ``size`` bytes, in turn: CPU seconds, number of messages."""
    messages = [[stream[at : at + size] for at in range(0, len(stream), size)] for stream in streams]
    began = time.process_time()
    for number, turn in enumerate(zip(*messages, strict=True)):
        now = number * size / LINE_RATE
        for console, data in zip(consoles, turn, strict=True):
            console.receive(data, now)
    return time.process_time() - began, sum(map(len, messages))


def speed(count: int, seconds: float, size: int) -> list[Result]:
    """Carry ``count`` consoles for ``seconds`` of line time each."""
    spent = []
    messages = 1
    streams = [traffic(max(size, round(seconds * LINE_RATE)), seed) for seed in range(count)]
    total = sum(map(len, streams))
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as folder:
            consoles = [Console(Path(folder) / f"{number}.cast") for number in range(count)]
            gc.collect()
            cpu, messages = carry(consoles, streams, size)
            for console in consoles:
                console.close()
            spent.append(max(cpu, 1e-9))
    cpu = statistics.median(spent)
    rate = CONSOLES_A_CORE * LINE_RATE
    return [
        Result(f"{size} B messages: consoles a core", total / cpu / LINE_RATE, "", CONSOLES_A_CORE, True),
        Result(f"{size} B messages: CPU a message", cpu / messages * 1e6, "us", total / messages / rate * 1e6, False),
        Result(f"{size} B messages: carried", total / cpu / 1e6, "MB/s", rate / 1e6, True),
    ]


def memory(count: int) -> list[Result]:
    """What one console holds after ``ROWS_GONE`` rows, and when its screen remembers as many as it ever will."""
    used, how = (_resident, "") if STATM.exists() else (_traced, " (Python's objects only)")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        Console(Path(folder) / "first.cast").close()  # what is loaded once is no console's
        gc.collect()
        before = used()
        consoles = [Console(Path(folder) / f"{number}.cast") for number in range(count)]
        for rows in ROWS_GONE:
            data = traffic(rows * 60, 0)
            for console in consoles:
                for at in range(0, len(data), 1024):
                    console.receive(data[at : at + 1024], at / LINE_RATE)
            gc.collect()
            gone = consoles[0].screen.cursor[0]
            kilobytes = (used() - before) / count / 1000
            name = f"memory of a console, {gone} rows on{how}"
            results.append(Result(name, kilobytes, "kB", KILOBYTES_A_CONSOLE, False))
        for console in consoles:
            console.close()
    tracemalloc.stop()  # it would slow down whatever is measured next
    return results


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _traced() -> int:
    if not tracemalloc.is_tracing():
        tracemalloc.start()
    return tracemalloc.get_traced_memory()[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print the table; a missed target is said, and is no error."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.consoles", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--consoles", type=_count, default=100, metavar="N", help="busy consoles (default 100)")
    parser.add_argument("--seconds", type=_seconds, default=6.0, metavar="S", help="of line time for each (default 6)")
    chosen = parser.parse_args(arguments)
    print(f"{chosen.consoles} consoles, {chosen.seconds:g} s of a full 115,200 baud line each, median of {RUNS} runs")
    print(f"Python {platform.python_version()} on {sys.platform}, {os.cpu_count()} cores")
    # Memory first: later on, what was freed would be used again and not be seen.
    held = memory(min(chosen.consoles, 100))
    for size in MESSAGES:
        print(*speed(chosen.consoles, chosen.seconds, size), sep="\n")
    print(*held, sep="\n")


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 500:
        raise argparse.ArgumentTypeError(f"{number} is not between 1 and 500 (each keeps a file open)")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number <= 600:
        raise argparse.ArgumentTypeError(f"{number:g} is not between 0 and 600")
    return number


if __name__ == "__main__":
    main()
