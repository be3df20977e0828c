r"""Does hostile output cost more than its bytes? ``python -m benchmarks.flood``

Each kind of flood goes the way it goes live, as in ``benchmarks.consoles``: into the transcript, onto the screen, and
to a conversation that waits for the end of an answer. 1, 10 and 100 MB of each (a tenth of the two that scroll with
every character or sequence, and so are dear to any emulator). Speed must not fall by more than a half from any of them
to a larger one, and memory must not grow with the flood; else it ends with exit code 1. CPU time is counted.
"""

import argparse
import itertools
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.consoles import LINE_RATE, STATM, Console

MEGABYTES = (1, 10, 100)
MESSAGE = 4096  # bytes
WORST_FALL = 2.0
MOST_GROWTH = 16.0  # MB that the process may grow by in the larger floods

FLOODS: dict[str, tuple[bytes, bytes]] = {  # what comes first, and what comes again and again
    "rows": (b"", b"  TCP    10.0.0.4:3389    10.0.0.9:50123    ESTABLISHED\r\n"),
    "one endless line": (b"", b"0123456789abcdef" * 4),
    "a never-ending OSC": (b"\x1b]52;c;", b"QUJD" * 16),
    "a never-ending DCS": (b"\x1bPq", b"QUJD" * 16),
    "a CSI of endless parameters": (b"\x1b[", b"38;5;1;" * 9),
    "short sequences": (b"", b"\x1b[0m\x1b[22m\x1b[40m\x1b[10;5H\x1b]0;t\x07x"),
    "huge repetitions": (b"", b"x\x1b[65535b"),
    "huge scrolls and insertions": (b"", b"\x1b[65535S\x1b[65535L\x1b[65535@\x1b[65535M"),
    "line feeds": (b"", b"\n" * 64),
    "broken UTF-8": (b"", b"\xff\xc3\xe2\x82\xf0\x9f" * 9),
    "redraws that look like prompts": (
        b"",
        b"\x1b[2J\x1b[1;1HSAC>\r\nC:\\Windows>\r\nUsername: \r\nkqxwvd>mtbshrzw\r\n",
    ),
}

DEAR = ("huge scrolls and insertions", "line feeds")


def messages(kind: str, size: int) -> Iterator[bytes]:
    """A flood of ``size`` bytes, cut without regard for what stands where."""
    first, again = FLOODS[kind]
    piece = again * (MESSAGE // len(again) + 2)
    yield first
    for number in range(size // MESSAGE):
        start = number * MESSAGE % len(again)
        yield piece[start : start + MESSAGE]


def carry(kind: str, size: int, folder: Path) -> tuple[float, float]:
    """CPU seconds for ``size`` bytes of a kind, and by how many MB the process grew."""
    path = folder / "flood.cast"
    console = Console(path)
    before = _resident()
    began = time.process_time()
    for number, data in enumerate(messages(kind, size)):
        console.receive(data, number * MESSAGE / LINE_RATE)
    spent = time.process_time() - began
    grown = _resident() - before
    console.close()
    path.unlink()
    return max(spent, 1e-9), grown


def _resident() -> float:
    """MB; 0 where the system does not say."""
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if STATM.exists() else 0.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print the table; 1 when a flood costs more than its bytes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.flood", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--megabytes", type=float, nargs="+", default=MEGABYTES, metavar="N", help="1 10 100 by default"
    )
    parser.add_argument("--kind", choices=FLOODS, action="append", help="one of the floods; all by default")
    chosen = parser.parse_args(arguments)
    sizes = [round(megabytes * 1e6) for megabytes in chosen.megabytes]
    print(f"Python {platform.python_version()} on {sys.platform}; MB/s of CPU time")
    heads = "".join(f"{size / 1e6:>7g} MB" for size in sizes)
    print(f"{'':<40}{heads}   worst fall  grown by")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        carry("rows", 200_000, Path(folder))  # what is loaded once is no flood's
        for kind in chosen.kind or FLOODS:
            part = 10 if kind in DEAR else 1
            measured = [carry(kind, size // part, Path(folder)) for size in sizes]
            speeds = [size / part / spent / 1e6 for size, (spent, _) in zip(sizes, measured, strict=True)]
            fall = max((a / b for a, b in itertools.combinations(speeds, 2)), default=1.0)
            grown = max(grown for _, grown in measured)
            bad = fall > WORST_FALL or grown > MOST_GROWTH
            failed |= bad
            told = (kind + (" (a tenth)" if part > 1 else "")).ljust(40) + "".join(
                f"{speed:>10.2f}" for speed in speeds
            )
            verdict = "TOO MUCH" if bad else "fine"
            print(f"{told}       x{fall:<5.2f}{grown:>6.1f} MB  {verdict}", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
