"""Does anything that a VM may send, or a file may hold, break the client? ``python -m benchmarks.fuzz --seconds 600``

Each target of ``tests/fuzz/targets.py`` is fed inputs made from the corpus beside it: guided by coverage where atheris
is installed (``pip install serialfix[fuzz]``), else by chance, with a seed. An input that makes a target raise or takes
longer than a minute is kept in the corpus, where each run of the tests meets it again; then this ends with exit code 1.
The tests need no more than the corpus.
"""

import argparse
import hashlib
import importlib
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent.parent / "tests" / "fuzz" / "corpus"
NAMES = ("screen", "readback", "slices", "dialogue", "transcript")
LONGEST = 60  # seconds that one input may take
LARGEST = 4096  # bytes of an input
INSTRUMENTED = ["serialfix.console", "serialfix.transcript", "serialfix.rerun", "serialfix.venues", "serialfix.tui"]

WORDS = (
    b"\xff", b"\xff\x08", b"\xff\x05", b"\xfe0", b"\xfe1", b"\xfe2", b"\xfea", b"kqxwvd>", b"\r\n", b"\x1b[2J\x1b[1;1H",
    b"\x1b[", b"\x1b]0;", b"\x1bP", b"SAC>", b"!SAC>", b"Username: ", b"Domain  : ", b"Password: *", b"C:\\>", b"$\r\n",
    b"1:", b"2:ok$\r\n", b"EVENT: ", b"Channel: Cmd0001\r\n", b"A new channel has been created.", b"\xc2\x9b", b"\x18",
    b"Use any other key to view this channel.", b"Name: Cmd0001", b"-- More --", b"99999999999", b"\x1b[9S", b"Z" * 80,
    b'\n[0.1, "o", "', b'"]\n', b"null", b"1e999", b"[", b"{", b'"e"', b'"b"', b"\\ud800", b'"type":', b"NaN",
)  # fmt: skip


def by_chance(name: str, seconds: float, seed: int) -> tuple[int, str]:
    """Inputs changed at random: how many, and what failed ("": nothing)."""
    from tests.fuzz.targets import TARGETS

    pick = random.Random(seed)
    kept = [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]
    end = time.monotonic() + seconds
    tried = 0
    while time.monotonic() < end:
        data = mutated(pick, kept)
        tried += 1
        began = time.monotonic()
        try:
            TARGETS[name](data)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a panic of the emulator is no Exception
            return tried, f"{traceback.format_exc()}\nkept in {keep(name, data)}"
        if time.monotonic() - began > LONGEST:
            return tried, f"an input took longer than {LONGEST} s; kept in {keep(name, data)}"
    return tried, ""


def mutated(pick: random.Random, kept: Sequence[bytes]) -> bytes:
    """One of ``kept`` with some changes."""
    data = bytearray(pick.choice(kept))
    for _ in range(pick.choice((1, 1, 2, 3, 5, 8))):
        at, until = sorted((pick.randint(0, len(data)), min(len(data), pick.randint(0, len(data)))))
        match pick.randrange(7):
            case 0:
                data[at:at] = pick.choice(WORDS)
            case 1:
                data[at : at + pick.randint(1, 16)] = b""
            case 2 if data:
                data[min(at, len(data) - 1)] = pick.randrange(256)
            case 3:
                data[at:at] = data[at : min(until, at + 200)] * pick.randint(1, 4)
            case 4:
                data[at : at + 4] = pick.randbytes(pick.randint(1, 8))
            case 5:
                other = pick.choice(kept)
                cut = pick.randint(0, len(other))
                data[at:] = other[cut:]
            case _:
                data[at:until] = pick.choice(WORDS)
    return bytes(data[:LARGEST])


def keep(name: str, data: bytes) -> Path:
    """Write an input into the corpus of a target."""
    path = CORPUS / name / f"crash-{hashlib.sha256(data).hexdigest()[:12]}"
    path.write_bytes(data)
    return path


def by_coverage(name: str, seconds: float, seed: int, found: Path) -> tuple[int, str]:
    """As ``by_chance``, by libFuzzer in a process of its own; what covers more is left in ``found``."""
    found.mkdir(parents=True, exist_ok=True)
    words = found.parent / "words"
    escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in WORDS)
    words.write_text("".join(f'"{word}"\n' for word in escaped))
    options = (
        f"-max_total_time={max(1, round(seconds))}", f"-timeout={LONGEST}", f"-max_len={LARGEST}", f"-seed={seed}",
        f"-artifact_prefix={CORPUS / name}/", f"-dict={words}", "-print_final_stats=1", "-rss_limit_mb=2048",
        str(found), str(CORPUS / name),
    )  # fmt: skip
    command = [sys.executable, "-m", "benchmarks.fuzz", "--guided", name, *options]
    ran = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    told = ran.stdout + ran.stderr
    tried = re.search(r"number_of_executed_units: (\d+)", told)
    problem = "" if ran.returncode == 0 and tried else told[-4000:]
    return int(tried[1]) if tried else 0, problem


def guided(name: str, options: Sequence[str]) -> None:
    """The process in which libFuzzer runs one target; it does not return."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=INSTRUMENTED):
        from tests.fuzz.targets import TARGETS
    atheris.Setup([sys.argv[0], *options], TARGETS[name])
    atheris.Fuzz()


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz and print how many inputs were tried; 1 when one broke something."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["--guided"]:
        guided(arguments[1], arguments[2:])
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=60.0, metavar="S", help="for all targets together (60)")
    parser.add_argument("--target", choices=NAMES, action="append", help="one of the targets; all by default")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="another seed, other inputs (1)")
    parser.add_argument("--by-chance", action="store_true", help="without atheris even where it is installed")
    parser.add_argument("--found", type=Path, metavar="FOLDER", help="where inputs that covered more are left")
    chosen = parser.parse_args(arguments)
    names = chosen.target or NAMES
    chance = chosen.by_chance or importlib.util.find_spec("atheris") is None
    print("inputs made by chance" if chance else "inputs guided by coverage (atheris)", f"from the corpus in {CORPUS}")
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            began = time.monotonic()
            share = chosen.seconds / len(names)
            tried, problem = (
                by_chance(name, share, chosen.seed)
                if chance
                else by_coverage(name, share, chosen.seed, (chosen.found or Path(folder)) / name)
            )
            verdict = "BROKEN" if problem else "nothing broke"
            print(f"{name:<12}{tried:>9} inputs in {time.monotonic() - began:>6.1f} s   {verdict}", flush=True)
            if problem:
                print(problem, flush=True)
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
