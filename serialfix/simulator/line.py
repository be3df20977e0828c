"""The serial line and everything behind it, as the gateway's host sees it.

Keys in with ``send``, output with ``receive``, both with the time; ``due`` says when to ask again. Between
them the bad wire:

- A key takes ten bits at ``baud`` and half the round trip. Of two equal keys less than 30 ms apart the second may
  be lost or doubled. The bytes of one ``send`` call come back to back, so each one after the 16th (the UART's FIFO)
  may be lost: that is our model of windows-sac.md 2.4 "bursts can be lost".
- Output takes ten bits a byte and arrives in pieces cut anywhere, with gaps.

The state survives disconnects; ``replay`` is what a gateway sends again to a new connection. Who is connected is told
with ``connect`` and ``disconnect``; when a connection ends, and how, is decided by ``connections.py``, and ``cut`` is
what that means for the bytes under way. What happens by itself behind the line (a cmd.exe is ended, a login comes
again, the VM restarts) is planned here from the seed.
"""

import heapq
from collections import deque
from collections.abc import Callable
from functools import partial

from serialfix.simulator import leavings, sac_reports
from serialfix.simulator import sac_texts as texts
from serialfix.simulator.knobs import Knobs
from serialfix.simulator.other_ports import OtherPort, other_port
from serialfix.simulator.sac import Channel, Sac
from serialfix.simulator.vm import Vm, stream
from serialfix.simulator.watch import MOST, SAMPLE, Met, mode_of

FIFO, NEAR, REPLAYED, KEPT = 16, 0.030, 4096, 16384
HARMLESS = (b"id", b"ch", b"i", b"?", b"s")
"""What a second user types at SAC's prompt."""


class Line:
    """One VM's serial port. ``phase``: "up", "booting", "down" or "off"."""

    def __init__(self, vm: Vm, knobs: Knobs, seed: int, now: float) -> None:
        self.vm, self.knobs, self.seed = vm, knobs, seed
        self.phase = "up"
        self.sac: Sac | None = None
        self.connected = False
        """Whether our client is on the console."""
        self.met: deque[Met] = deque(maxlen=MOST)
        """Every byte that reached SAC, and what it met there."""
        self.meaning = ""
        """What its sender says of the keys that are sent from now on; kept with each in ``met``."""
        self._place = ("", "")
        self._changed = self._seen = float("-inf")  # when what a key meets changed, and when that got through the line
        self._other: OtherPort | None = None  # what is on the port instead of SAC
        self._visit = 0  # the number of the visit of somebody else, while that lasts; else 0
        self._visits = 0
        self._now = now
        self._input: deque[tuple[float, int, str]] = deque()
        self._last_key: tuple[float, int] = (float("-inf"), -1)
        self._input_free = self._output_free = now
        self._output: deque[tuple[float, bytes]] = deque()
        self._kept = bytearray()
        self._plan: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = 0
        self._wire_in, self._wire_out = stream(seed, "wire in"), stream(seed, "wire out")
        self._events, self._boots = stream(seed, "events"), stream(seed, "boots")
        self._troubles, self._visitors = stream(seed, "troubles"), stream(seed, "visitors")
        self._policies()
        vm.killed = lambda pid: self.sac is not None and self.sac.kill(pid)
        if knobs.boot:
            self._boot(now, again=knobs.boot == 2)
        else:
            self._long_up(now)
        self._plan_trouble(now, knobs.kill_every, self._kill_one)
        self._plan_trouble(now, knobs.relogin_every, self._lock_one)
        if stream(seed, "reboot").random() < knobs.reboot:
            self._later(now + stream(seed, "reboot at").uniform(0.0, 200.0), partial(self._go_down, what="restart"))

    def _policies(self) -> None:
        """Let endpoint protection and policies be as the knobs say.

        A refused program ends cmd's try with 1 or 5 (ERROR_ACCESS_DENIED), which one is not known.
        """
        random = stream(self.seed, "endpoint protection")
        if random.random() < self.knobs.certutil_blocked:
            self.vm.blocked["certutil"] = random.choice((1, 5))
        if stream(self.seed, "language mode").random() < self.knobs.constrained_language:
            self.vm.language_mode = "ConstrainedLanguage"
        self.vm.powershell_hangs = self.knobs.powershell_hangs

    # -- the host's side --------------------------------------------------------------------------------------

    def send(self, data: bytes, now: float) -> None:
        """Take keys from the client; one call is one burst."""
        self.advance(now)
        arrival = max(self._input_free, now)
        for index, byte in enumerate(data):
            arrival += 10 / self.knobs.baud
            lost = index >= FIFO and self._wire_in.random() < self.knobs.burst
            at = arrival + self.knobs.round_trip / 2
            before, previous = self._last_key
            self._last_key = (arrival, byte)
            if lost:
                continue
            copies = 1
            if byte == previous and arrival - before < NEAR and self._wire_in.random() < self.knobs.neighbour:
                copies = self._wire_in.choice((0, 2))
            self._input.extend([(at, byte, self.meaning)] * copies)
        self._input_free = arrival
        self.advance(now)

    def receive(self, now: float) -> bytes:
        """Return what has come out by now."""
        self.advance(now)
        found = bytearray()
        while self._output and self._output[0][0] <= now:
            found += self._output.popleft()[1]
        self._kept = (self._kept + found)[-KEPT:]
        return bytes(found)

    def due(self) -> float | None:
        """Return when the next output comes, or something happens by itself; None: nothing pending."""
        times = [self._next()]
        if self._output:
            times.append(self._output[0][0])
        return min((t for t in times if t is not None), default=None)

    def replay(self, now: float) -> bytes:
        """Return the last output already received: what a gateway sends a new connection."""
        del now
        return bytes(self._kept[-REPLAYED:])

    # -- who is connected -------------------------------------------------------------------------------------

    def connect(self, now: float) -> None:
        """Our client is on the console from now on; whoever else was there is disconnected."""
        self.advance(now)
        self.connected = True
        if self._visit:
            self._visit = 0
            self.vm.note("visitor", what="disconnected by the client")

    def disconnect(self, now: float) -> None:
        """Our client is gone; what it has sent arrives, what comes is kept for ``replay``."""
        self.advance(now)
        self.connected = False

    def cut(self, now: float) -> bytes:
        """Our client's connection is cut: return the last bytes that still reach it.

        Of the keys under way the last ones are lost, from any byte on; of the output under way the first piece arrives
        up to any byte.
        """
        self.disconnect(now)
        for _ in range(self._wire_in.randint(0, len(self._input))):
            self._input.pop()
        if not self._output:
            return b""
        at, piece = self._output.popleft()
        size = self._wire_out.randint(0, len(piece))
        if piece[size:]:
            self._output.appendleft((at, piece[size:]))
        self._kept = (self._kept + piece[:size])[-KEPT:]
        return piece[:size]

    def visit(self, now: float, stay: float) -> None:
        """Somebody else is on the console, in our client's place, and leaves after ``stay`` seconds.

        They go to SAC's prompt and look around there, at a person's pace.
        """
        self.disconnect(now)
        self._visits += 1
        self._visit, random = self._visits, self._visitors
        self.vm.note("visitor", what="came")
        self._later(now + stay, partial(self._visitor_leaves, visit=self._visit))
        at = now + random.uniform(1.0, 8.0)
        while at < now + stay - 5.0:
            self._later(at, partial(self._visitor_acts, visit=self._visit))
            at += random.uniform(5.0, 40.0)

    def _visitor_leaves(self, now: float, *, visit: int) -> None:
        del now
        if self._visit == visit:
            self._visit = 0
            self.vm.note("visitor", what="left")

    def _visitor_acts(self, now: float, *, visit: int) -> None:
        if self._visit != visit or self.sac is None or self.sac.mode == "bugcheck":
            return
        home = b"" if self.sac.mode == "SAC" else b"\x1b\t0\r"
        for byte in home + self._visitors.choice(HARMLESS) + b"\r":
            self._later(now, partial(self._visitor_types, byte=byte, visit=visit))
            now += self._visitors.uniform(0.08, 0.3)

    def _visitor_types(self, now: float, *, byte: int, visit: int) -> None:
        if self._visit == visit and self.sac is not None:
            self._key(self.sac, byte, now, by="visitor")

    # -- power, as the platform does it -----------------------------------------------------------------------

    def restart(self, now: float) -> None:
        """Restart the VM from outside, in order."""
        self.advance(now)
        self._go_down(now, "restart")

    def power_off(self, now: float) -> None:
        """Switch the VM off from outside."""
        self.advance(now)
        self._go_down(now, "shutdown")

    def power_on(self, now: float) -> None:
        """Start a VM that is off."""
        self.advance(now)
        if self.phase == "off":
            self._boot(now)

    def reset(self, now: float) -> None:
        """Press the reset button: nothing is shut down."""
        self.advance(now)
        if self.phase != "off":
            self._plan.clear()
            self._input.clear()
            self.vm.note("reset")
            self._boot(now)

    def nmi(self, now: float) -> None:
        """Send a non-maskable interrupt: Windows stops with a bugcheck, dumps and restarts."""
        self.advance(now)
        if self.phase == "up" and self.sac is not None:
            self.sac.crash()
            self._drain(now)

    # -- events in their order --------------------------------------------------------------------------------

    def _next(self) -> float | None:
        times = [self.vm.due()]
        if self._input:
            times.append(self._input[0][0])
        if self._plan:
            times.append(self._plan[0][0])
        behind = self.sac or self._other
        if behind is not None:
            times.append(behind.due())
        if self.vm.power_requests and self.phase == "up":
            times.append(min(at for _, at in self.vm.power_requests))
        return min((t for t in times if t is not None), default=None)

    def advance(self, now: float) -> None:
        """Let everything due by now happen, in its order."""
        while (at := self._next()) is not None and at <= now:
            self._now = max(self._now, at)
            self._step(self._now)
        self._now = max(self._now, now)
        self.vm.advance(self._now)
        if self.sac is not None:
            self.sac.now = self._now

    def _step(self, now: float) -> None:
        self.vm.advance(now)
        if self._plan and self._plan[0][0] <= now:
            heapq.heappop(self._plan)[2](now)
        elif self._input and self._input[0][0] <= now:
            _, byte, meaning = self._input.popleft()
            if self.sac is not None:
                self._key(self.sac, byte, now, by="client", meaning=meaning)
            elif self._other is not None:
                self._other.key(byte, now)
        elif (behind := self.sac or self._other) is not None:
            behind.advance(now)
        if self.phase == "up":
            for what, at in self.vm.power_requests:
                if at <= now:
                    self._go_down(now, what)
                    break
        self._drain(now)

    def _key(self, sac: Sac, byte: int, now: float, *, by: str, meaning: str = "") -> None:
        channel, since = sac.channels[sac.shown], now - self._changed
        trip = self.knobs.round_trip
        blind = since < trip + SAMPLE or now < self._seen + trip / 2 + SAMPLE
        self.met.append(Met(now, byte, by, mode_of(sac), channel.name, channel.by == "client", since, blind, meaning))
        sac.key(byte, now, by=by)

    @property
    def mode(self) -> str:
        """What a key meets now: watch.mode_of, or the phase where there is no SAC, or the name of another port."""
        if self.sac is not None:
            return mode_of(self.sac)
        return self.knobs.port if self._other is not None else self.phase

    def _look(self, now: float) -> None:
        """Notice that what a key meets has changed, and when a client can know."""
        place = (self.mode, self.sac.channels[self.sac.shown].name if self.sac is not None else "")
        if place != self._place:
            self._place, self._changed = place, now
        if now - self._changed <= SAMPLE:
            self._seen = max(now, self._output_free) + self.knobs.round_trip / 2

    def _drain(self, now: float) -> None:
        self._drain_only(now)
        self._look(now)

    def _drain_only(self, now: float) -> None:
        if (behind := self.sac or self._other) is not None:
            self._push(behind.take(), now)

    def _push(self, data: bytes, now: float) -> None:
        """Cut output into pieces and put them on the wire."""
        random, knobs = self._wire_out, self.knobs
        at = max(self._output_free, now)
        if knobs.gap and self._output and self._output_free > now:
            # What comes while the line is held up goes along in the piece that is.
            due, held = self._output[-1]
            along = data[: max(0, knobs.chunk - len(held))]
            took = len(along) * 10 / knobs.baud
            self._output[-1] = (due + took, held + along)
            at, data = at + took, data[len(along) :]
        while data:
            size = len(data) if knobs.chunk >= 4096 and len(data) <= 4096 else random.randint(1, knobs.chunk)
            piece, data = data[:size], data[size:]
            at += len(piece) * 10 / knobs.baud
            if knobs.gap:
                at += random.uniform(0, knobs.long_gap if random.random() < knobs.long_gap_rate else knobs.gap)
            self._output.append((at + knobs.round_trip / 2, piece))
        self._output_free = at

    def _later(self, at: float, what: Callable[[float], None]) -> None:
        self._order += 1
        heapq.heappush(self._plan, (at, self._order, what))

    # -- boot and shutdown ------------------------------------------------------------------------------------

    def _long_up(self, now: float) -> None:
        """Stand as hours after a boot: banner and EVENT on the screen, maybe somebody's leavings."""
        if self.knobs.port == "boot":
            self._boot(now)
            return
        if self.knobs.port not in ("SAC", "bugcheck"):
            self._other = other_port(self.knobs.port, self.vm, self.seed, now)
            self._kept += self._other.take()
            return
        self.sac = Sac(self.vm, self.knobs, self.seed, now)
        self.sac.cmd_ready = True
        self.sac.redraw()
        self.sac.event(texts.CMD_AVAILABLE)
        leavings.leave(self.sac, self.knobs, stream(self.seed, "leavings"), now)
        if self.knobs.port == "bugcheck":
            self.sac.crash(restarts=False)
        self._kept += self.sac.take()
        self._next_event(now)

    # -- what happens by itself -------------------------------------------------------------------------------

    def _plan_trouble(self, now: float, every: float, what: Callable[[Channel], None]) -> None:
        if every:
            self._later(now + self._troubles.expovariate(1 / every), partial(self._trouble, every=every, what=what))

    def _trouble(self, now: float, *, every: float, what: Callable[[Channel], None]) -> None:
        self._plan_trouble(now, every, what)
        if self.sac is None or self.sac.mode == "bugcheck":
            return
        self.sac.now = max(self.sac.now, now)
        # The one that is shown is the one that somebody uses; trouble elsewhere would be seen by nobody.
        shells = [channel for channel in self.sac.channels.values() if channel.has_shell]
        if shells:
            shown = [channel for channel in shells if channel.index == self.sac.shown]
            what(*(shown or [self._troubles.choice(shells)]))

    def _kill_one(self, channel: Channel) -> None:
        self.vm.note("trouble", what="cmd.exe killed", channel=channel.name)
        if self.sac is not None:
            self.sac.kill(channel.pid)

    def _lock_one(self, channel: Channel) -> None:
        self.vm.note("trouble", what="login asked again", channel=channel.name)
        if self.sac is not None:
            self.sac.lock(channel)

    def _next_event(self, now: float) -> None:
        if self.knobs.event_every:
            self._later(now + self._events.expovariate(1 / self.knobs.event_every), self._event)

    def _event(self, now: float) -> None:
        if self.sac is not None and self.sac.mode != "bugcheck" and self.phase == "up":
            self.sac.event(texts.CMD_AVAILABLE)
        self._next_event(now)

    def _go_down(self, now: float, what: str) -> None:
        """Shut down: cmd channels close at once, SAC goes on for some seconds."""
        if self.phase != "up":
            return
        self.phase = "down"
        self.vm.power_requests.clear()
        self.vm.power = "restarting" if what == "restart" else "off"
        self.vm.note("going down", what=what)
        if self.sac is not None and self.sac.mode != "bugcheck":
            self.sac.close_all()
            self.sac.event(texts.GOING)
            self._drain(now)
        at = now + self._boots.uniform(4.0, 15.0)
        self._later(at, self._dark if what == "restart" else self._off)

    def _off(self, now: float) -> None:
        del now
        self.sac, self._other, self.phase, self.vm.power = None, None, "off", "off"
        self.vm.listener = None

    def _dark(self, now: float) -> None:
        self._boot(now)

    def _boot(self, now: float, *, again: bool = False) -> None:
        """Start: firmware, then the prelude, the banner, and later the EVENT (windows-sac.md 1.1)."""
        self.phase, self.sac, self._other, self.vm.power = "booting", None, None, "restarting"
        self.vm.listener = None
        random = self._boots
        self._push(
            b'\x1b[2J\x1b[01;01HBdsDxe: loading Boot0001 "Windows Boot Manager"\r\nBdsDxe: starting Boot0001\r\n',
            now + 1.0,
        )
        if self.knobs.port == "boot":
            return
        ready = now + random.uniform(12.0, 35.0)
        self._later(ready, lambda at: self._sac_starts(at, again=again))

    def _sac_starts(self, now: float, *, again: bool) -> None:
        if self.knobs.port not in ("SAC", "bugcheck"):
            self.vm.boot(now)
            self.phase = "up"
            self._other = other_port(self.knobs.port, self.vm, self.seed, now)
            self._drain(now)
            return
        edition = self.vm.edition
        name = "not yet initialized" if again else self.vm.name.upper()
        prelude = texts.PRELUDE.format(
            name=name, guid=sac_reports.machine_guid(self.vm), build=edition.build, product=edition.product
        )
        self._push(("\x1b[2J\x1b[H" + prelude).encode(), now)
        self.vm.boot(now)
        self.phase = "up"
        self.sac = Sac(self.vm, self.knobs, self.seed, now)
        self.sac.redraw()
        self._drain(now)
        delay = self._boots.uniform(0, self.knobs.event_delay)
        this = self.sac
        self._later(now + delay, lambda at: self._ready(at, this, again=again))

    def _ready(self, now: float, sac: Sac, *, again: bool) -> None:
        if self.sac is not sac:
            return
        sac.cmd_ready = True
        sac.event(texts.CMD_AVAILABLE)
        if again:
            self._later(now + self._boots.uniform(3.0, 20.0), lambda at: self._go_down(at, "restart"))
        elif not any(plan[2] == self._event for plan in self._plan):
            self._next_event(now)
