"""Many whole sessions on a bad line, judged by the simulator's own log: is it ever wrong, and how often is it right?

``python -m benchmarks.faults [--runs 100] [--hostility real] [--seed 0] [--jobs 2] [--controls/--no-controls]``

Each run is a VM with a fault, two, or none, on one of four Windows, repaired in virtual time while the simulator loses
connections, ends shells, asks for logins again and restarts, as its knobs say. What is counted comes from the simulator
(simulator/watch.py): the lines its shells received, the mode that each byte met, what its commands wrote. The client is
asked only what it meant to type. The table ends with control runs, in which a protection is switched off; where such a
run counts nothing, the count proves nothing. Exits with 1 when a forbidden count is not 0, or when a control's is 0.
"""

import argparse
import asyncio
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from serialfix import events
from serialfix.console import keyboard, modes
from serialfix.console.channels import Login
from serialfix.console.dialogue import Conversation, Expect, Pause, Send
from serialfix.console.screen import Screen
from serialfix.engine import Engine
from serialfix.errors import SerialfixError
from serialfix.playbooks import PLAYBOOKS
from serialfix.simulator.faults import FAULTS, build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.simulator.manners import PRESETS as MANNERS
from serialfix.simulator.vm import Vm
from serialfix.simulator.watch import Met, entered, outputs
from serialfix.steps import Command, Finding, Output
from serialfix.venues.serial import SerialVenue
from tests.virtual import YES, Kept, PortVenue, VirtualLine

YEARS = ("2016", "2019", "2022", "2025")
SINGLE = tuple((name,) for name in FAULTS)
PAIRS = tuple(
    pair
    for pair in itertools.combinations([name for name in FAULTS if name != "healthy"], 2)
    if set(pair) != {"port-hijack", "port-hijack-stubborn"}
)
NAMED_BY = {
    "tls-disabled": "tls",
    "cert-expired": "certificate",
    "cert-missing-key": "certificate",
    "key-permissions": "key",
    "port-hijack": "port",
    "port-hijack-stubborn": "port",
}
"""The check that names each fault."""
WINDOW = 32
"""Characters that may stray where the mode changed a moment ago."""
CONTROLLED = 3
"""Sessions of each control run; without its protection a session takes long."""
LONGEST = 2 * 3600.0
"""Virtual seconds after which a session has overrun every deadline."""
LOGIN = ("username", "domain", "password")

FORBIDDEN = (
    "wrong outputs accepted",
    "lines entered that nobody meant",
    "acting keys in a mode not meant",
    "stray text beyond the window",
    "changes made twice",
    "deadlines overrun",
)
CONTROLS = {
    "safe typing off": "lines entered that nobody meant",
    "slices off": "wrong outputs accepted",
    "mode proof off": "acting keys in a mode not meant",
}
"""What is switched off, and the count that must then not be 0."""


AT_CURSOR = modes.read_mode


class Wire(VirtualLine):
    """A virtual line on which an Enter belongs to the line that was typed before it."""

    async def send(self, send: Send) -> None:
        await super().send(send)
        if b"\r" in send.data:
            self.line.meaning = ""


@dataclass
class Seen:
    """What one run counted. ``right``: outcome and faults named are the VM's truth; ``repaired``: none is left."""

    forbidden: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    blind: int = 0
    changes: int = 0
    right: bool = False
    repaired: bool = False
    outcome: str = ""
    seconds: float = 0.0
    connections: int = 0
    what: str = ""
    why: str = ""


@contextmanager
def watching(line: Wire, meant: list[str], control: str) -> Iterator[None]:
    """Learn what the client means to type; with a ``control``, take a protection away."""
    type_line = keyboard.type_line
    replaced: list[tuple[Any, str, Any]] = []

    def swap(name: str, old: Any, new: Any) -> None:
        for module_name, module in list(sys.modules.items()):
            if module_name.startswith("serialfix.") and getattr(module, name, None) is old:
                replaced.append((module, name, old))
                setattr(module, name, new)

    def watched(keys: keyboard.Keyboard, prompt: str, text: str, **more: Any) -> Conversation[None]:
        meant.append(text)
        line.line.meaning = prompt
        try:
            if control == "safe typing off":
                yield Send(text.encode())
                yield Pause(0.2)
            elif control == "mode proof off":
                yield from type_anywhere(text)
            else:
                yield from type_line(keys, prompt, text, **more)
        except BaseException:
            line.line.meaning = ""
            raise

    swap("type_line", type_line, watched)
    if control == "mode proof off":
        swap("read_mode", modes.read_mode, anywhere)
    try:
        yield
    finally:
        for module, name, old in replaced:
            setattr(module, name, old)


def type_anywhere(text: str) -> Conversation[None]:
    """Type slowly enough that nothing is lost, at whatever stands there, as those do who have seen a prompt once."""
    for character in text:
        yield Send(character.encode())
        yield Pause(0.035)
    yield Pause(0.2)


def anywhere(screen: Screen) -> modes.Mode:
    """The mode at the cursor; where there is none, that of the last row of the screen that begins like a prompt."""
    found = AT_CURSOR(screen)
    if found.kind != "unknown":
        return found
    for row in reversed(screen.rows()):
        for kind, pattern in modes.LINES:
            if pattern.match(row):
                return modes.Mode(kind)
    return modes.Mode("unknown")


class Console(SerialVenue):
    """The client's console; every answer is held against what Windows wrote, at the moment at which it is taken."""

    def __init__(self, vm: Vm, seen: Seen, line: Wire, tell: Any, control: str = "") -> None:
        super().__init__(line, Login(vm.user, "", vm.password), f"benchmark {vm.seed}", tell)
        self._vm, self._seen, self._wire, self._control = vm, seen, line, control

    async def _exchange(self, commands: Sequence[Command], requests: Any) -> Sequence[Output]:
        since = self._wire.now
        answers = list(await super()._exchange(commands, requests))
        for number, (command, answer) in enumerate(zip(commands, answers, strict=True)):
            if command.effect != "read":
                continue
            told = answer
            if self._control == "slices off":
                since = self._wire.now
                text = await self._talk(read_naively(self._screen, command.text))
                told = answers[number] = replace(answer, text=text, proof="checksum")
                wrote = _shown(each.text for each in outputs(self._vm, since) if each.to == "console")
                right = _lines(told.text) == wrote
            else:
                wrote_there = (each.text for each in outputs(self._vm, since) if each.to != "console")
                right = told.text in _Texts(
                    tuple(part for text in wrote_there for part in _answers(text)), told.partial
                )
            self._seen.answers[told.proof] += 1
            if told.proof == "checksum" and not right:
                self._seen.forbidden["wrong outputs accepted"] += 1
        return answers


def read_naively(screen: Screen, text: str) -> Conversation[str]:
    """Ask at the prompt that stands, and take what is on the screen half a second after the last byte."""
    for character in text + "\r":
        yield Send(character.encode())
        yield Pause(0.035)
    yield Expect(quiet=0.5, timeout=30.0)
    rows = list(screen.rows())
    typed = max((number for number, row in enumerate(rows) if text[:10] in row), default=-1)
    while rows and not rows[-1]:
        rows.pop()
    return "".join(f"{row}\n" for row in rows[typed + 1 : -1])


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def _shown(pieces: Iterable[str]) -> list[str]:
    """What was written, line by line, without the prompt that ends it."""
    return _lines("".join(pieces))[:-1]


@dataclass(frozen=True, slots=True)
class _Texts:
    """What the shells' last commands wrote. ``partial``: an answer may be a beginning of it."""

    texts: tuple[str, ...]
    partial: bool

    def __contains__(self, text: str) -> bool:
        return any(text == each or (self.partial and each.startswith(text)) for each in self.texts)


def _answers(text: str) -> Iterator[str]:
    """What each command wrote of what an exchange kept; behind each stands whether it succeeded."""
    for part in re.split(r"(?:ok|no) [a-z2-9]{8}\n", text.replace("\r\n", "\n")):
        yield part if part.endswith("\n") or not part else f"{part}\n"


def play(number: int, *, hostility: str, control: str = "") -> Seen:
    """One session."""
    random = Random(f"benchmarks.faults/{number}")
    faults = random.choice(SINGLE) if random.random() < 0.7 else random.choice(PAIRS)
    windows = random.choice(YEARS)
    seen, meant = Seen(what=f"{number}: {'+'.join(faults)} on {windows}"), list[str]()
    vm = build(faults, windows, number)
    before = vm.state()
    knobs = PRESETS[hostility]
    if control == "mode proof off":
        # Modes that change under the client's hands are what the proof is for.
        knobs = replace(knobs, relogin_every=20.0, kill_every=40.0)
    line = Wire(Line(vm, knobs, number, 0.0), manners=MANNERS[hostility])
    record = Kept()
    console = Console(vm, seen, line, lambda text: record.emit(events.Progress(text)), control)
    with watching(line, meant, control):
        seen.outcome = asyncio.run(_session(vm, line, record, console))
    seen.seconds, seen.connections = line.now, len(line.endings) + 1
    left = {name for name in faults if not FAULTS[name].repaired(vm)}
    findings = [event.finding for event in record.of(events.FindingMade)]
    seen.repaired = not left
    if faults == ("healthy",):
        seen.right = seen.outcome == "healthy" and _lasting(vm.state()) == _lasting(before)
    else:
        seen.right = truthful(seen.outcome, findings, left)
    if not seen.right:
        seen.why = "; ".join(
            f"{finding.check} {finding.status}: {' / '.join(finding.evidence[-1:])[:160]}"
            for finding in findings
            if finding.status in ("unknown", "fault")
        )
    _count(seen, vm, meant, record, line)
    return seen


def truthful(outcome: str, findings: Sequence[Finding], left: set[str]) -> bool:
    """Whether a verdict on a broken VM says what is so at the end: nothing is left, or exactly these faults are."""
    if not left:
        return outcome == "fixed"
    named = {finding.check for finding in findings if finding.status in ("fault", "declined")}
    causes = set(NAMED_BY.values())
    return outcome == "faults_left" and named & causes == {NAMED_BY[name] for name in left}


def _lasting(state: dict[str, Any]) -> dict[str, Any]:
    return {key: state[key] for key in ("registry", "services", "certificates", "accounts", "tasks") if key in state}


async def _session(vm: Vm, line: Wire, record: Kept, console: Console) -> str:
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


def meets(met: Met) -> bool:
    """Whether a byte met the mode that it was meant for, as far as that was said."""
    if met.meaning.startswith("SAC>"):
        return met.mode == "SAC"
    for mode in LOGIN:
        if met.meaning.lower().startswith(mode):
            return met.mode == mode
    return met.own and met.mode not in ("SAC", "SAC pager", "preview", "bugcheck", *LOGIN)


def acts_wrongly(met: Met) -> bool:
    """Whether a byte is an Enter or a Ctrl-C that must not arrive there.

    An Enter that belongs to no line is used to see what stands there: at SAC, and in channels of ours.
    """
    if met.byte == 0x03:
        return not met.own or met.mode in ("SAC", "SAC pager", "preview", "bugcheck")
    if met.byte not in (0x0A, 0x0D):
        return False
    if met.meaning:
        return not meets(met)
    return met.mode in ("preview", "bugcheck") or (met.mode not in ("SAC", "SAC pager") and not met.own)


def stray(mets: Iterable[Met]) -> int:
    """Characters that met another mode though that could be seen, and windows that were exceeded."""
    count = run = 0
    for met in mets:
        if not met.meaning or not 0x20 <= met.byte < 0x7F:
            continue
        run = 0 if meets(met) else run + 1
        count += (run > 0 and not met.blind) or run == WINDOW + 1
    return count


def holds(line: str, command: str) -> bool:
    """Whether a line that a shell received runs ``command``, and not one that only begins or ends like it."""
    return re.search(rf"(?<![\w\\]){re.escape(command)}(?=\s*(?:\d?>|%_r%|[&;|)}}\"']|$))", line) is not None


def _count(seen: Seen, vm: Vm, meant: Sequence[str], record: Kept, line: Wire) -> None:
    mets = [met for met in line.line.met if met.by == "client"]
    got = [each for each in entered(vm) if each.by == "client" and each.text and each.shell != "program"]
    lines = Counter(each.text for each in got if not each.text.endswith(" characters>"))
    seen.forbidden["lines entered that nobody meant"] += sum((lines - Counter(meant)).values())
    wrong = [met for met in mets if acts_wrongly(met)]
    seen.blind = sum(met.blind for met in wrong)
    seen.forbidden["acting keys in a mode not meant"] += len(wrong) - seen.blind
    seen.forbidden["stray text beyond the window"] += stray(mets)
    shells = [each.text.casefold() for each in got if each.shell in ("cmd", "powershell")]
    for command, times in Counter(event.command for event in record.of(events.ChangeStarted)).items():
        made = sum(holds(text, command.casefold()) for text in shells)
        seen.changes += made
        seen.forbidden["changes made twice"] += max(0, made - times)
    seen.forbidden["deadlines overrun"] += line.now > LONGEST


def table(runs: Sequence[Seen], hostility: str, *, verbose: bool) -> bool:
    """Print what was counted; whether nothing forbidden happened."""
    total: Counter[str] = sum((run.forbidden for run in runs), Counter())
    answers: Counter[str] = sum((run.answers for run in runs), Counter())
    right = sum(run.right for run in runs)
    seconds = sorted(run.seconds for run in runs)
    half, most = seconds[len(runs) // 2], seconds[min(len(runs) - 1, len(runs) * 99 // 100)]
    print(f"{len(runs)} sessions at {hostility}, four Windows, {len(SINGLE) + len(PAIRS)} faults and pairs of faults")
    print(f"  right verdicts                    {right} of {len(runs)} ({right / len(runs):.1%})")
    repaired = sum(run.repaired for run in runs)
    print(f"  nothing left to repair            {repaired} of {len(runs)} ({repaired / len(runs):.1%})")
    print(f"  virtual time                      p50 {half:.0f} s, p99 {most:.0f} s")
    print(f"  connections                       {sum(run.connections for run in runs)}")
    print(f"  answers read                      {sum(answers.values())}, {answers['checksum']} with a checksum")
    changes = sum(run.changes for run in runs)
    print(f"  changes made                      {changes}")
    for name in FORBIDDEN:
        print(f"  {name:<33} {total[name]}")
    print(f"  acting keys that were under way   {sum(run.blind for run in runs)}  (nothing could have kept them back)")
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
    parser.add_argument("--hostility", choices=sorted(PRESETS), default="real")
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
        for control, must in CONTROLS.items() if chosen.controls else ():
            few = range(chosen.seed, chosen.seed + CONTROLLED)
            runs = list(pool.map(partial(play, hostility=chosen.hostility, control=control), few))
            total: Counter[str] = sum((run.forbidden for run in runs), Counter())
            wrong = sum(not run.right for run in runs)
            counted = ", ".join(f"{name} {total[name]}" for name in FORBIDDEN if total[name]) or "nothing forbidden"
            print(f"control, {control}: {wrong} of {len(runs)} sessions not right; {counted}")
            if not total[must]:
                print(f"  the count of {must} proves nothing: it saw none")
            fine = fine and total[must] > 0
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
