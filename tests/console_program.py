"""A program that shows the serial console of a simulated VM on its terminal, in real time: what ``--via`` is for.

It stands where ``virsh console`` would: it says a line of its own on standard error, then joins its terminal with the
simulator's line, until the terminal hangs up. With ``--lives`` it ends by itself in the middle.
"""

import argparse
import json
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from serialfix.simulator import pki
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line

SEED = 7
WINDOWS = "2022"


def carry(
    line: Line, clock: Callable[[], float], *, keys: int, output: int, most: int = 10**9, over: Sequence[int] = ()
) -> bool:
    """Join a line with two file descriptors until they end or ``over`` holds something; False: after ``most`` bytes."""
    said = 0
    while not over:
        try:
            if data := line.receive(clock()):
                os.write(output, data)
                said += len(data)
                if said > most:
                    return False
            due = line.due()
            wait = 0.5 if due is None else min(max(due - clock(), 0.0), 0.5)
            if select.select([keys], [], [], wait)[0]:
                typed = os.read(keys, 4096)
                if not typed:
                    return True
                line.send(typed, clock())
        except OSError:  # the terminal is gone
            return True
    return True


def main() -> None:
    """Show the console until the terminal hangs up; then write what became of the VM to ``--state``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--fault", action="append", default=[])
    parser.add_argument("--lives", type=int, default=10**9, help="ends with status 3 after as many bytes of output")
    options = parser.parse_args()
    vm = build(options.fault, WINDOWS, SEED)
    vm.set_today(pki.today())
    before = vm.state()
    began = time.monotonic()
    line = Line(vm, PRESETS["calm"], SEED, 0.0)
    hung_up: list[int] = []
    signal.signal(signal.SIGHUP, lambda number, _: hung_up.append(number))
    sys.stderr.write(f"Connected to domain '{vm.name}'\r\nEscape character is ^]\r\n")
    sys.stderr.flush()
    if not carry(line, lambda: time.monotonic() - began, keys=0, output=1, most=options.lives, over=hung_up):
        sys.exit(3)
    kinds = ("registry", "service", "channel created", "channel closed")
    journal = [entry for entry in vm.journal if entry["kind"] in kinds]
    options.state.write_text(json.dumps({"before": before, "after": vm.state(), "journal": journal}, default=str))


if __name__ == "__main__":
    main()
