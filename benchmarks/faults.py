"""Many whole sessions on a bad line, judged by the simulator's own log: is it ever wrong, and how often is it right?

``python -m benchmarks.faults [--runs 100] [--hostility real] [--seed 0] [--jobs 2] [--controls/--no-controls]``

Each run is a VM with a fault, two, or none, on one of four Windows, repaired in virtual time while the line is cut,
channels are closed and consoles locked. What is counted comes from the simulator: the lines its shells received, the
mode in which each byte met them, what its programs wrote. The table ends with control runs, in which a protection is
switched off; where such a run counts nothing, the count proves nothing. Exits with 1 when a forbidden count is not 0,
or when a control counts 0.
"""

import argparse
import asyncio
import itertools
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

from serialfix import events
from serialfix.console import folder, keyboard
from serialfix.console.channels import Login
from serialfix.console.dialogue import Conversation, Pause, Send
from serialfix.engine import Engine
from serialfix.errors import ConnectionLost, SerialfixError
from serialfix.playbooks import PLAYBOOKS
from serialfix.simulator.faults import FAULTS, build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.simulator.powershell import host
from serialfix.simulator.powershell.evaluator import Evaluator
from serialfix.simulator.sac import Sac
from serialfix.simulator.vm import Vm
from serialfix.steps import Command, Output, Unknown
from serialfix.venues.serial import SerialVenue
from tests.virtual import YES, Kept, PortVenue, VirtualLine

YEARS = ("2016", "2019", "2022", "2025")
SINGLE = tuple((name,) for name in FAULTS)
PAIRS = tuple(
    pair
    for pair in itertools.combinations([name for name in FAULTS if name != "healthy"], 2)
    if set(pair) != {"port-hijack", "port-hijack-stubborn"}
)
WINDOW = 32
"""Characters that may stray where the mode changed a moment ago."""
UNDER_WAY = 0.15
"""Seconds. A key that arrives while output is still on its way to us, or so soon after it came, was sent before anybody
could see what changed (a round trip, a sample of the screen, a step of the line). It is counted apart, since nothing
could have kept it back."""
LONGEST = 2 * 3600.0
"""Virtual seconds after which a session has overrun every deadline."""

EVERY = {"calm": 0.0, "real": 600.0, "worst": 20.0}
"""Mean seconds between two of: the line is lost, our channel is closed, the console is locked. Our choice."""

FORBIDDEN = (
    "wrong answers accepted",
    "lines entered that nobody meant",
    "acting keys in another mode",
    "stray text beyond the window",
    "changes made twice",
    "deadlines overrun",
)
CONTROLS = ("safe typing off", "slices off")


class CutLine(VirtualLine):
    """A virtual line that is lost now and then."""

    def __init__(self, line: Line, random: Random, every: float) -> None:
        super().__init__(line)
        self._random, self._every = random, every
        self._next = random.expovariate(1 / every) if every else float("inf")
        self._came_at = 0.0

    def blind(self) -> bool:
        """Whether there is output that the client has not seen, or has seen just now."""
        return bool(self.line._output) or self.line._now - self._came_at < UNDER_WAY

    def _lost(self) -> bool:
        if self.now < self._next:
            return False
        self._next = self.now + self._random.expovariate(1 / self._every)
        return True

    async def send(self, send: Send) -> None:
        if self._lost():
            raise ConnectionLost(1006, "cut by the benchmark")
        await super().send(send)

    async def wait(self, deadline: float | None) -> tuple[float, bytes | None]:
        if self._lost():
            raise ConnectionLost(1006, "cut by the benchmark")
        now, data = await super().wait(deadline)
        if data:
            self._came_at = now
        return now, data


@dataclass
class Seen:
    """What one run counted. ``right``: outcome and VM are as they should be."""

    forbidden: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    changes: int = 0
    right: bool = False
    outcome: str = ""
    seconds: float = 0.0
    what: str = ""
    why: str = ""


class Watch:
    """Looks over the simulator's shoulder: every byte that reaches SAC, and the mode that it meets."""

    def __init__(self) -> None:
        self.meant: list[str] = []
        self.prompt = ""
        self.acting = 0
        self.under_way = 0
        self.stray = 0
        self.longest_stray = 0
        self.scope: Evaluator | None = None
        self.line: CutLine | None = None

    def met(self, sac: Sac, byte: int) -> None:
        """A byte arrives."""
        mode, channel = sac.mode, sac.channels[sac.shown]
        ours = any(entry["kind"] == "channel created" and entry["name"] == channel.name for entry in self._made(sac))
        if byte in (0x0D, 0x03):
            wrong = mode in ("preview", "bugcheck") or (mode == "channel" and sac.shown != 0 and not ours)
            wrong = wrong or (byte == 0x03 and (mode != "channel" or sac.shown == 0))
            if wrong and (self.line is None or self.line.blind()):
                self.under_way += 1
            else:
                self.acting += wrong
        if 0x20 <= byte < 0x7F and self.prompt:
            at_sac = mode == "SAC" or (mode == "channel" and sac.shown == 0)
            home = at_sac if self.prompt == "SAC>" else mode == "channel" and sac.shown != 0 and ours
            self.stray = 0 if home else self.stray + 1
            self.longest_stray = max(self.longest_stray, self.stray)

    def _made(self, sac: Sac) -> Iterator[dict[str, Any]]:
        """Channels that were made in this session; others' were there when it began."""
        return (entry for entry in sac.vm.journal if entry["kind"] == "channel created" and entry["time"] != 0.0)


@contextmanager
def watching(watch: Watch, control: str) -> Iterator[None]:
    """Watch the simulator and what the client means to type; with a ``control``, take a protection away."""
    key, type_line, interact, prepare = Sac.key, keyboard.type_line, host._interact, folder.prepare
    replaced: list[tuple[Any, str, Any]] = []

    def replace(name: str, old: Any, new: Any) -> None:
        for module_name, module in list(sys.modules.items()):
            if module_name.startswith("serialfix.") and getattr(module, name, None) is old:
                replaced.append((module, name, old))
                setattr(module, name, new)

    def watched_key(self: Sac, byte: int, now: float) -> None:
        watch.met(self, byte)
        key(self, byte, now)

    def watched_type(keys: keyboard.Keyboard, prompt: str, text: str, *, stale: str = "") -> Conversation[None]:
        watch.meant.append(text)
        watch.prompt = prompt
        try:
            if control == "safe typing off":
                yield Send(text.encode())
                yield Pause(0.2)
            else:
                yield from type_line(keys, prompt, text, stale=stale)
        finally:
            watch.prompt = ""

    def watched_shell(scope: Evaluator) -> Any:
        watch.scope = scope
        return (yield from interact(scope))

    def no_folder(*_: Any) -> Conversation[None]:
        yield from ()

    Sac.key = watched_key  # type: ignore[method-assign]
    replace("type_line", type_line, watched_type)
    replace("_interact", interact, watched_shell)
    if control == "slices off":
        replace("prepare", prepare, no_folder)
    try:
        yield
    finally:
        Sac.key = key  # type: ignore[method-assign]
        for module, name, old in replaced:
            setattr(module, name, old)


class Console(SerialVenue):
    """The client's console; every answer is held against what Windows wrote, at the moment at which it is taken."""

    def __init__(self, vm: Vm, watch: Watch, seen: Seen, line: CutLine, tell: Callable[[str], None]) -> None:
        super().__init__(line, Login(vm.user, "", vm.password), f"benchmark {vm.seed}", tell)
        self._vm, self._watch, self._seen = vm, watch, seen

    async def _ask(self, request: Any) -> Output | Unknown:
        answer = await super()._ask(request)
        reads = isinstance(request.query, Command) and request.query.effect == "read"
        if reads and isinstance(answer, Output):
            self._seen.answers[answer.proof] += 1
            if answer.proof == "checksum" and answer.text not in self._written(answer.partial):
                self._seen.forbidden["wrong answers accepted"] += 1
        return answer

    def _written(self, partial: bool) -> "_Texts":
        texts = []
        files = [entry["path"] for entry in reversed(self._vm.journal) if entry["kind"] == "file"]
        for path in itertools.islice((path for path in files if str(path).endswith("\\o")), 1):
            entry = self._vm.files.find(str(path))
            if entry is not None and entry.data is not None:
                texts += [entry.data.decode(page, "replace") for page in ("cp437", "utf-8", "cp850", "utf-16")]
        lines = self._watch.scope.read("o") if self._watch.scope is not None else None
        if isinstance(lines, list):
            texts.append("\n".join(str(line) for line in lines) + "\n")
        return _Texts(tuple(_body(text) for text in texts), partial)


@dataclass(frozen=True, slots=True)
class _Texts:
    """What the shells' last commands wrote. ``partial``: an answer may be a beginning of it."""

    texts: tuple[str, ...]
    partial: bool

    def __contains__(self, text: str) -> bool:
        return any(text == each or (self.partial and each.startswith(text)) for each in self.texts)


def _body(text: str) -> str:
    """A text without its last line, which says whether the command succeeded."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    last = lines.pop()
    if last not in ("ok", "no"):
        lines.append(last.removesuffix("ok").removesuffix("no"))
    return "".join(f"{line}\n" for line in lines)


def play(number: int, *, hostility: str, control: str = "") -> Seen:
    """One session."""
    random = Random(f"benchmarks.faults/{number}")
    faults = random.choice(SINGLE) if random.random() < 0.7 else random.choice(PAIRS)
    windows = random.choice(YEARS)
    seen, watch = Seen(what=f"{number}: {'+'.join(faults)} on {windows}"), Watch()
    vm = build(faults, windows, number)
    before = vm.state()
    # One in three of what happens is a lost connection; the rest is done to our channel.
    line = CutLine(Line(vm, PRESETS[hostility], number, 0.0), random, 0.0 if control else 3.0 * EVERY[hostility])
    watch.line = line
    if not control:
        _disturb(line.line, random, 1.5 * EVERY[hostility], reboot=hostility == "worst" and random.random() < 0.2)
    record = Kept()
    console = Console(vm, watch, seen, line, lambda text: record.emit(events.Progress(text)))
    with watching(watch, control):
        outcome = asyncio.run(_session(vm, line, record, console))
    seen.outcome, seen.seconds = outcome, line.now
    repaired = all(FAULTS[name].repaired(vm) for name in faults)
    untouched = faults != ("healthy",) or _lasting(vm.state()) == _lasting(before)
    wanted = "healthy" if faults == ("healthy",) else "fixed"
    seen.right = outcome == wanted and repaired and untouched
    if not seen.right:
        seen.why = "; ".join(
            f"{event.finding.check} {event.finding.status}: {' / '.join(event.finding.evidence[-1:])[:160]}"
            for event in record.of(events.FindingMade)
            if event.finding.status in ("unknown", "fault")
        )
    _count(seen, vm, watch, record, line)
    return seen


def _lasting(state: dict[str, Any]) -> dict[str, Any]:
    return {key: state[key] for key in ("registry", "services", "certificates", "accounts", "tasks") if key in state}


async def _session(vm: Vm, line: CutLine, record: Kept, console: Console) -> str:
    engine = Engine(
        venues={"console": console, "outside": PortVenue(vm)},
        approver=YES,
        recorder=record,
        mode="repair",
        sleep=line.sleep,
    )
    try:
        played = await engine.play(PLAYBOOKS["rdp_internal_error"])
    except SerialfixError as error:
        return type(error).__name__
    try:
        await console.leave()
    except SerialfixError as error:
        record.emit(events.Progress(error.what))
    return played.verdict.outcome


def _disturb(line: Line, random: Random, every: float, *, reboot: bool) -> None:
    """Plan what others do to the console."""
    at = random.expovariate(1 / every) if every else LONGEST
    while at < LONGEST / 4:
        line._later(at, partial(_befall, line, random.choice(("close", "lock"))))
        at += random.expovariate(1 / every)
    if reboot:
        line._later(random.uniform(5.0, 200.0), line.restart)


def _befall(line: Line, what: str, now: float) -> None:
    del now
    if line.sac is None or line.sac.mode == "bugcheck":
        return
    if what == "close":
        line.sac.close_all()
    else:
        line.sac._lock("")


def _count(seen: Seen, vm: Vm, watch: Watch, record: Kept, line: CutLine) -> None:
    purposes = ("sac", "command", "username", "domain")
    entered = Counter(
        str(entry["text"])
        for entry in vm.journal
        if entry["kind"] == "line" and entry["purpose"] in purposes and entry["text"]
    )
    seen.forbidden["lines entered that nobody meant"] += sum((entered - Counter(watch.meant)).values())
    seen.forbidden["acting keys in another mode"] += watch.acting
    seen.under_way = watch.under_way
    seen.forbidden["stray text beyond the window"] += watch.longest_stray > WINDOW
    said = Counter(event.command for event in record.of(events.ChangeStarted))
    for command, times in said.items():
        made = sum(count for text, count in entered.items() if f"&{command} 2>&1" in text)
        seen.changes += made
        seen.forbidden["changes made twice"] += max(0, made - times)
    seen.forbidden["deadlines overrun"] += line.now > LONGEST


def table(runs: Sequence[Seen], hostility: str, *, verbose: bool) -> bool:
    """Print what was counted; whether nothing forbidden happened."""
    total: Counter[str] = sum((run.forbidden for run in runs), Counter())
    answers: Counter[str] = sum((run.answers for run in runs), Counter())
    right = sum(run.right for run in runs)
    median = sorted(run.seconds for run in runs)[len(runs) // 2]
    print(f"{len(runs)} sessions at {hostility}, four Windows, {len(SINGLE) + len(PAIRS)} faults and pairs of faults")
    print(f"  right verdicts                    {right} of {len(runs)} ({right / len(runs):.1%})")
    print(f"  median session                    {median:.0f} s of virtual time")
    print(f"  answers read                      {sum(answers.values())}, {answers['checksum']} with a checksum")
    changes = sum(run.changes for run in runs)
    print(f"  changes made                      {changes}")
    for name in FORBIDDEN:
        print(f"  {name:<33} {total[name]}")
    print(f"  acting keys that were under way   {sum(run.under_way for run in runs)}  (not forbidden)")
    for run in runs:
        if not run.right or any(run.forbidden.values()):
            counts = ", ".join(f"{name} {count}" for name, count in run.forbidden.items() if count)
            print(f"    {run.what}: {run.outcome}" + (f" ({counts})" if counts else ""))
            if verbose:
                print(f"      {run.why}")
    # Repairs without a change, or verdicts without an answer, would mean that the counting itself is broken.
    counted = (changes or not any(run.outcome == "fixed" for run in runs)) and (answers or not right)
    return bool(counted) and not any(total[name] for name in FORBIDDEN)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the sessions and the controls, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--hostility", choices=sorted(EVERY), default="real")
    parser.add_argument("--seed", type=int, default=0, help="the number of the first session")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--controls", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--verbose", action="store_true", help="say why a session was not right")
    chosen = parser.parse_args(arguments)
    numbers = range(chosen.seed, chosen.seed + chosen.runs)
    with ProcessPoolExecutor(chosen.jobs) as pool:
        fine = table(
            list(pool.map(partial(play, hostility=chosen.hostility), numbers)), chosen.hostility, verbose=chosen.verbose
        )
        for control in CONTROLS if chosen.controls else ():
            few = numbers[: max(5, chosen.runs // 10)]
            runs = list(pool.map(partial(play, hostility=chosen.hostility, control=control), few))
            total: Counter[str] = sum((run.forbidden for run in runs), Counter())
            wrong = sum(not run.right for run in runs)
            counted = ", ".join(f"{name} {total[name]}" for name in FORBIDDEN if total[name]) or "nothing forbidden"
            print(f"control, {control}: {wrong} of {len(runs)} sessions not right; {counted}")
            fine = fine and (wrong > 0 or bool(+total))
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
