"""How long the article's diagnosis and repair take over a serial line, beside the least they could take.

``python -m benchmarks.link [--round-trip 80] [--hostility calm] [--windows 2022] [--jobs 2] [--profile]``

The product's client plays a whole diagnosis of a healthy VM, and a whole repair of one on which TLS is off and the
certificate has expired, against the simulator's line, in virtual time. Beside its time stand **L**, the least that the
same lines and answers could have taken (limit.py says how it is counted), and the time of the usual ways (usual.py).
Compared is, on the same VM over the same line, the client from its login to its verdict with a way from its login to
the end of its last command's answer. The usual ways prove nothing: that an answer is whole, a change holds, or Remote
Desktop answers again.

The server has 150 connections, and 500 other keys beside Remote Desktop's. The article lists and changes each of
them, so it is also measured on a server as it is installed, with four (``new``). ``--profile`` says for one line where
the time beyond L went: which part of which conversation waited, and whether silence, a pause, a timeout or the awaited
thing itself ended the wait.

Exits with 1 when a session did not end with the right outcome; a missed target is only told.
"""

import argparse
import itertools
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from unittest.mock import patch

from benchmarks import usual
from benchmarks.limit import SHELLS, Exchange, Limit, Span, Watch, limit, typing_rate, watching
from serialfix.console.dialogue import LULL, TIMEOUT, Conversation, Dialogue, Expect, Pause
from serialfix.console.screen import Screen
from serialfix.simulator import key_files, security
from serialfix.simulator.commands import netstat
from serialfix.simulator.commands.netstat import Socket
from serialfix.simulator.faults import FAULTS, build
from serialfix.simulator.knobs import PRESETS, Knobs, steady
from serialfix.simulator.vm import Vm
from serialfix.steps import Command
from tests.virtual import run

ENGINES = {"2019": "scrape", "2022": "stream"}
HOSTILITIES = ("calm", "real")
ROUND_TRIPS = (20, 80, 200)
FAULTY = ("tls-disabled", "cert-expired")
CONNECTIONS = 150
KEYS = 500
"""Other programs' keys in MachineKeys. Each program that makes keys for itself leaves some; servers have been seen with
many thousands."""
WAYS: tuple[usual.Way, ...] = ("quiet", "pexpect", "article")
NEW = "article, new"
PHASES = ("reach", "diagnosis", "repair", "leave")
AT = 80
"""Milliseconds of round trip at which the targets are set."""
LIMITS = {"calm": 1.2, "real": 1.5}
FASTER = {"calm": 4.0, "real": 2.0}
EXCHANGES = 4


LEGEND = f"""
wall, L, exch., typed: the client's whole session, from connect to leaving. char/s: what is safe to type. gaps: seconds
by which the line held output up, no part of L. verdict: from login to verdict. x: the time of a usual way, from login
to the end of its last answer, over that. article: by hands that never mistype or pause, with {KEYS} other keys in the
folder MachineKeys; new: with those of a new server. right: commands that arrived as meant and each line of whose answer
stood on a screen."""


@contextmanager
def busy() -> Iterator[None]:
    """Let every simulated server have 150 connections from outside, as one in use has."""
    sockets = netstat.sockets

    def many(vm: Vm) -> list[Socket]:
        random = Random(f"{vm.seed}/connections")
        running = [row for row in vm.running_programs() if row[1] > 4]
        rows = []
        for _ in range(CONNECTIONS):
            image, pid, *_rest = random.choice(running)
            near = f"{vm.addresses[0]}:{random.choice((443, 1433, random.randrange(49152, 65536)))}"
            far = f"10.0.{random.randrange(8)}.{random.randrange(4, 250)}:{random.randrange(1024, 65536)}"
            rows.append(Socket("TCP", near, far, "ESTABLISHED", pid, ("", image)))
        found = sockets(vm)
        at = next((n for n, each in enumerate(found) if each.local.startswith("[")), len(found))
        return found[:at] + rows + found[at:]

    with patch.object(netstat, "sockets", many):
        yield


def with_keys(vm: Vm) -> None:
    """Give a VM as many other keys as a server that is in use for long may have."""
    random = Random(f"{vm.seed}/keys")
    rights = security.parse("O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)")
    guid = key_files.machine_guid(vm.registry)
    for _ in range(KEYS):
        at = f"{key_files.FOLDER}\\{random.getrandbits(128):032x}_{guid}"
        vm.files.write(at, key_files.contents(random.randbytes(20)), vm.now)
        vm.files.protect(at, rights)


@dataclass(slots=True)
class Phase:
    """A part of a session: what it took, its L, and what it did."""

    wall: float = 0.0
    limit: Limit = field(default_factory=Limit)
    exchanges: int = 0
    entered: int = 0

    @property
    def beyond(self) -> float:
        """Seconds beyond L."""
        return self.wall - self.limit.total


@dataclass(slots=True)
class Measured:
    """One session of the client. ``typed``: characters sent; ``to_verdict``: seconds from its login on.

    ``after_login``: Enters of the diagnosis after it; ``asking``: those of them that make the folder, ask, or show an
    answer again, so all but the two that make the prompt ours.
    """

    outcome: str
    right: bool
    phases: dict[str, Phase]
    echo: float
    typed: int
    after_login: int
    asking: int
    to_verdict: float
    commands: list[Command | float]
    ends: dict[str, float]
    gaps: float

    @property
    def whole(self) -> Phase:
        """All of it."""
        parts = self.phases.values()
        return Phase(
            sum(part.wall for part in parts),
            sum((part.limit for part in parts), Limit()),
            sum(part.exchanges for part in parts),
            sum(part.entered for part in parts),
        )

    def phase_at(self, at: float) -> str:
        """The phase at a time of the client."""
        return next((name for name in PHASES if at <= self.ends[name]), PHASES[-1])


def measure(faults: Sequence[str], windows: str, knobs: Knobs, seed: int, watch: Watch | None = None) -> Measured:
    """Play one session and measure it."""
    watch = watch or Watch()
    with busy(), watching(watch):
        ran = run(
            faults or ("healthy",), seed=seed, windows=windows, knobs=knobs, meanwhile=watch.watch, prepare=with_keys
        )
    vm, end = ran.vm, ran.line.now
    exchanges = watch.exchanges(vm.journal)
    ends = _ends(watch.spans, exchanges, knobs.round_trip, end)
    wanted = "fixed" if faults else "healthy"
    measured = Measured(
        ran.outcome,
        ran.outcome == wanted and all(FAULTS[name].repaired(vm) for name in faults) and not ran.left,
        {name: Phase() for name in PHASES},
        watch.echo(),
        sum(sum(byte >= 0x20 for byte in sent.send.data) for sent in ran.line.sent),
        0,
        0,
        ends["repair"] - _logged_in(exchanges, knobs.round_trip),
        _commands(watch.spans),
        ends,
        watch.gaps,
    )
    began = 0.0
    for name in PHASES:
        measured.phases[name].wall = ends[name] - began
        began = ends[name]
    needed = watch.needed(exchanges, knobs.round_trip)
    for each in exchanges:
        name = measured.phase_at(each.at - knobs.round_trip / 2)
        phase = measured.phases[name]
        phase.exchanges += 1
        entered = each.purpose in SHELLS and name in ("reach", "diagnosis")
        measured.after_login += entered
        measured.asking += entered and bool(each.text) and not each.text.startswith("prompt ")
        phase.entered += each.characters
        if each in needed:
            phase.limit += limit((each,), knobs.round_trip, measured.echo)
    for span in watch.spans:
        if span.what == "sleep":
            measured.phases[measured.phase_at(span.ended)].limit += Limit(computing=span.computing)
    return measured


def _ends(spans: Sequence[Span], exchanges: Sequence[Exchange], round_trip: float, end: float) -> dict[str, float]:
    """When each phase ended, by the client's clock."""
    first = next((each for each in exchanges if each.purpose in SHELLS and each.text), None)
    reach = end if first is None else first.done + round_trip / 2
    leave = next((span.began for span in spans if span.what == "leave"), end)
    diagnosis = max(reach, next((span.began for span in spans if span.what == "write"), leave))
    return {"reach": reach, "diagnosis": diagnosis, "repair": max(diagnosis, leave), "leave": end}


def _logged_in(exchanges: Sequence[Exchange], round_trip: float) -> float:
    """When the client saw what Windows says to its password."""
    return max((each.done for each in exchanges if each.purpose == "password"), default=0.0) + round_trip / 2


def _commands(spans: Sequence[Span]) -> list[Command | float]:
    found: list[Command | float] = []
    for span in spans:
        found += [span.ended - span.began] if span.what == "sleep" else span.commands
    return found


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    windows: str
    hostility: str
    round_trip: int
    what: str
    client: Measured
    ways: dict[str, usual.Driven]

    def faster(self, way: str) -> float:
        """How many times the client's time one of the usual ways took."""
        return self.ways[way].wall / self.client.to_verdict


def row(windows: str, hostility: str, round_trip: int, faults: Sequence[str], seed: int) -> Row:
    """Measure the client, and the usual ways at the same."""
    knobs = steady(replace(PRESETS[hostility], round_trip=round_trip / 1000))
    client = measure(faults, windows, knobs, seed)
    ways = {}
    for name in (*WAYS, NEW):
        way: usual.Way = "article" if name == NEW else name  # type: ignore[assignment]
        own = list(usual.typed(client.commands))
        lines = own if way != "article" else [*usual.LOOKS, *(usual.REPAIR if faults else ())]
        with busy():
            vm = build(faults or ("healthy",), windows, seed)
            if name != NEW:
                with_keys(vm)
            ways[name] = usual.drive(vm, knobs, seed, way, lines)
    return Row(windows, hostility, round_trip, "repair" if faults else "diagnosis", client, ways)


def table(rows: Sequence[Row]) -> None:
    """Print the figures."""
    print(
        f"{'Windows':12} {'line':5} {'RTT':>4} {'session':9} | {'wall s':>7} {'L s':>7} {'wall/L':>6} "
        f"{'exch.':>5} {'typed':>6} {'char/s':>6} {'gaps s':>6} {'verdict s':>9} | "
        + " | ".join(f"{way + ' s':>{len(way) + 2}} {'x':>5} {'right':>7}" for way in (*WAYS, NEW))
    )
    for each in rows:
        whole, client = each.client.whole, each.client
        rate = typing_rate(each.round_trip / 1000, client.echo)
        ways = " | ".join(
            f"{way.wall:{len(name) + 2}.1f} {each.faster(name):5.1f} {f'{way.right}/{way.commands}':>7}"
            for name, way in each.ways.items()
        )
        print(
            f"{each.windows} {ENGINES[each.windows]:7} {each.hostility:5} {each.round_trip:4} {each.what:9} | "
            f"{whole.wall:7.2f} {whole.limit.total:7.2f} {whole.wall / whole.limit.total:6.2f} "
            f"{whole.exchanges:5} {client.typed:6} {rate:6.0f} {client.gaps:6.1f} {client.to_verdict:9.2f} | {ways}"
            + ("" if client.right else f"  {client.outcome}!")
        )
    print(LEGEND)


def targets(rows: Sequence[Row]) -> None:
    """Print each target beside what was measured, the worst of its lines."""
    print(f"\ntargets at {AT} ms")
    for hostility in HOSTILITIES:
        here = [each for each in rows if each.hostility == hostility and each.round_trip == AT]
        for what in ("diagnosis", "repair"):
            if these := [each.client for each in here if each.what == what]:
                worst = max(each.whole.wall / each.whole.limit.total for each in these)
                _target(f"{hostility}: {what}, wall / L", worst, LIMITS[hostility], most=True)
                if what == "diagnosis" and hostility == "calm":
                    asking = max(each.asking for each in these)
                    _target("calm: exchanges of the diagnosis, folder too", asking, EXCHANGES, most=True)
                    most = max(each.after_login for each in these)
                    _target("calm: the same with the prompt's two Enters", most, EXCHANGES, most=True)
                for way in ("article", NEW):
                    faster = min(each.faster(way) for each in here if each.what == what)
                    _target(f"{hostility}: {what}, times faster, {way}", faster, FASTER[hostility], most=False)


def _target(name: str, value: float, target: float, *, most: bool) -> None:
    met = value <= target if most else value >= target
    print(f"  {name:46} {value:6.2f}  at {'most ' if most else 'least'} {target:4.1f}  {'met' if met else 'missed'}")


# -- where the time went --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Waited:
    """One wait of a conversation. ``how`` it ended; ``where``: its functions, outermost first, with lines."""

    began: float
    ended: float
    how: str
    idle: float
    where: tuple[str, ...]


def traced(conversation: Conversation[Any], now: Callable[[], float], log: list[Waited]) -> Conversation[Any]:
    """The same conversation, each of whose waits is logged."""
    value: Any = None
    try:
        while True:
            try:
                talk = conversation.send(value)
            except StopIteration as end:
                return end.value
            began, where = now(), _where(conversation)
            value = yield talk
            if isinstance(talk, Pause | Expect):
                log.append(Waited(began, now(), *_ended(talk, value, now() - began), where))
    finally:
        conversation.close()


def _ended(talk: Pause | Expect, found: Any, took: float) -> tuple[str, float]:
    """How a wait ended, and how much of it nothing was waited for but the clock."""
    if isinstance(talk, Pause):
        return "pause", took
    if found is LULL:
        return "silence", min(took, talk.quiet or talk.lull or 0.0)
    if found is TIMEOUT:
        return "timeout", took
    return "came", 0.0


def _where(conversation: Generator[Any, Any, Any] | None) -> tuple[str, ...]:
    names = []
    while isinstance(conversation, Generator):
        if (frame := getattr(conversation, "gi_frame", None)) is not None:
            names.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
        conversation = getattr(conversation, "gi_yieldfrom", None)
    return tuple(names)


@contextmanager
def tracing(now: Callable[[], float], log: list[Waited]) -> Iterator[None]:
    """Trace every conversation that begins meanwhile."""
    begin = Dialogue.__init__

    def watched(self: Dialogue[Any], screen: Screen, conversation: Conversation[Any], *rest: Any) -> None:
        begin(self, screen, traced(conversation, now, log), *rest)

    with patch.object(Dialogue, "__init__", watched):
        yield


def profile(windows: str, knobs: Knobs, faults: Sequence[str], seed: int, *, top: int) -> Measured:
    """Print where one session's time went."""
    watch, log = Watch(), list[Waited]()
    with tracing(lambda: watch.now, log):
        measured = measure(faults, windows, knobs, seed, watch)
    _parts(measured, log, watch, knobs.round_trip)
    _places(log, top)
    _questions(watch.spans, top)
    return measured


def _parts(measured: Measured, log: Sequence[Waited], watch: Watch, round_trip: float) -> None:
    """Each phase: its time by how its waits ended, and L by its parts."""
    how: dict[str, Counter[str]] = defaultdict(Counter)
    for each in log:
        name = measured.phase_at(each.ended)
        how[name][each.how] += each.ended - each.began  # type: ignore[assignment]
        how[name]["idle"] += each.idle  # type: ignore[assignment]
    for span in watch.spans:
        if span.what == "sleep":
            how[measured.phase_at(span.ended)]["sleep"] += span.ended - span.began  # type: ignore[assignment]
    rate = typing_rate(round_trip, measured.echo)
    print(
        f"outcome {measured.outcome}; {measured.typed} characters typed, {measured.whole.entered} of them entered; a "
        f"shell echoes after {1000 * measured.echo:.0f} ms, so {rate:.0f} characters/s are safe; "
        f"{measured.after_login} exchanges from login to the end of the diagnosis, {measured.asking} of them the "
        f"folder's and questions; {measured.to_verdict:.2f} s from login to verdict"
    )
    print(
        f"\n{'seconds':10} {'wall':>7} {'L':>7} {'x':>5} {'strict':>6} | {'came':>7} {'silence':>7} {'(clock)':>7} "
        f"{'pause':>7} "
        f"{'timeout':>7} {'sleep':>7} | {'L: RTT':>7} {'wire':>7} {'typing':>7} {'VM':>7} | {'exch.':>5} {'entered':>7}"
    )
    for name, phase in (*measured.phases.items(), ("whole", measured.whole)):
        least = phase.limit
        seen = how[name] if name != "whole" else sum(how.values(), Counter())
        silent = seen["idle"] - seen["pause"] - seen["timeout"]
        print(
            f"{name:10} {phase.wall:7.2f} {least.total:7.2f} {_ratio(phase.wall, least.total)} "
            f"{_ratio(phase.wall, least.strict):>6} | {seen['came']:7.2f} {seen['silence']:7.2f} {silent:7.2f} "
            f"{seen['pause']:7.2f} {seen['timeout']:7.2f} {seen['sleep']:7.2f} | {least.round_trips:7.2f} "
            f"{least.wire:7.2f} {least.typing:7.2f} {least.computing:7.2f} | {phase.exchanges:5} {phase.entered:7}"
        )
    print(
        "came: waits that what was waited for ended. silence: waits that ended because nothing came any more, (clock) "
        "the silence\nitself. sleep: the playbook's own waits. strict: over what can't be beaten with these lines."
    )
    _beyond(measured, log, watch)


def _beyond(measured: Measured, log: Sequence[Waited], watch: Watch) -> None:
    """What the time beyond L is made of."""
    silent = sum(each.idle for each in log if each.how == "silence")
    paused = sum(each.idle for each in log if each.how == "pause")
    expired = sum(each.idle for each in log if each.how == "timeout")
    slept = sum(span.ended - span.began - span.computing for span in watch.spans if span.what == "sleep")
    erasing = sum(each.ended - each.began for each in log if any(name.startswith("erase_line") for name in each.where))
    whole = measured.whole
    rest = whole.beyond - silent - paused - expired - slept
    print(
        f"\nbeyond L {whole.beyond:.2f} s = silence {silent:.2f} + pauses {paused:.2f} + timeouts {expired:.2f} "
        f"+ waits of the playbook without need {slept:.2f}\n+ the rest {rest:.2f} (echoes waited for before going on, "
        "gaps of the line, lines typed again; less than nothing\nwhere typing overlaps with what L adds). Erasing, "
        f"whatever its waits: {erasing:.2f} s; typed in vain: {measured.typed - whole.entered} characters.\n"
        f"The line's own gaps between pieces: {watch.gaps:.2f} s."
    )


def _ratio(wall: float, least: float) -> str:
    return f"{wall / least:5.2f}" if least > 0 else "    -"


def _places(log: Sequence[Waited], top: int) -> None:
    """The places in the conversations that waited longest, by what did not come from the line first."""
    places: dict[tuple[str, ...], list[Waited]] = defaultdict(list)
    for each in log:
        places[(each.how, *each.where[-2:], each.where[0].partition(":")[0])].append(each)
    ordered = sorted(places.items(), key=lambda item: -sum(each.ended - each.began for each in item[1]))
    print(f"\n{'seconds':>8} {'clock':>7} {'times':>5} {'longest':>7}  how it ended, where (in which conversation)")
    for (how, *where, outer), waits in ordered[:top]:
        took = [each.ended - each.began for each in waits]
        idle = sum(each.idle for each in waits)
        print(f"{sum(took):8.2f} {idle:7.2f} {len(waits):5} {max(took):7.2f}  {how:8} {' > '.join(where)}  ({outer})")


def _questions(spans: Sequence[Span], top: int) -> None:
    """The questions that took longest."""
    found: dict[str, list[float]] = defaultdict(list)
    for span in spans:
        name = "; ".join(command.text for command in span.commands) or f"({span.what})"
        found[f"{span.what:5} {name}"].append(span.ended - span.began)
    print(f"\n{'seconds':>8} {'times':>5}  question")
    for name, took in sorted(found.items(), key=lambda item: -sum(item[1]))[:top]:
        print(f"{sum(took):8.2f} {len(took):5}  {name[:150]}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--round-trip", type=int, action="append", help="milliseconds; may be given more than once")
    parser.add_argument("--hostility", choices=HOSTILITIES, action="append")
    parser.add_argument("--windows", choices=sorted(ENGINES), action="append")
    parser.add_argument("--session", choices=("diagnosis", "repair"), action="append")
    parser.add_argument("--seed", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2, help="how many lines of the table are measured at once")
    parser.add_argument("--profile", action="store_true", help="say where the time went (2022, calm, 80 ms, repair)")
    parser.add_argument("--top", type=int, default=25, help="how many places --profile names")
    chosen = parser.parse_args(arguments)
    sessions = {"diagnosis": (), "repair": FAULTY}
    if chosen.profile:
        windows = (chosen.windows or ["2022"])[-1]
        hostility = (chosen.hostility or ["calm"])[-1]
        round_trip, what = (chosen.round_trip or [AT])[-1], (chosen.session or ["repair"])[-1]
        print(f"{what} on Windows {windows} ({ENGINES[windows]}), {hostility}, round trip {round_trip} ms\n")
        knobs = steady(replace(PRESETS[hostility], round_trip=round_trip / 1000))
        return 0 if profile(windows, knobs, sessions[what], chosen.seed, top=chosen.top).right else 1
    began = time.monotonic()
    lines = itertools.product(
        chosen.windows or sorted(ENGINES),
        chosen.hostility or HOSTILITIES,
        chosen.round_trip or ROUND_TRIPS,
        chosen.session or sessions,
    )
    jobs = [(*line, sessions[what], chosen.seed) for *line, what in lines]
    if len(jobs) > 1 and chosen.jobs > 1:
        with ProcessPoolExecutor(chosen.jobs) as pool:
            rows = list(pool.map(row, *zip(*jobs, strict=True)))
    else:
        rows = [row(*job) for job in jobs]
    table(rows)
    targets(rows)
    print(f"\n{time.monotonic() - began:.0f} s")
    wrong = [each for each in rows if not each.client.right]
    for each in wrong:
        print(f"wrong: {each.windows} {each.hostility} {each.round_trip} {each.what}: {each.client.outcome}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
