"""The serial line and everything behind it, as the gateway's host sees it.

Keys in with ``send``, output with ``receive``, both with the time; ``due`` says when to ask again. Between
them the bad wire:

- A key takes ten bits at ``baud`` and half the round trip. Of two equal keys less than 30 ms apart the second may
  be lost or doubled. The bytes of one ``send`` call come back to back, so each one after the 16th (the UART's FIFO)
  may be lost: that is our model of windows-sac.md 2.4 "bursts can be lost".
- Output takes ten bits a byte and arrives in pieces cut anywhere, with gaps.

The state survives disconnects; ``replay`` is what a gateway sends again to a new connection.
"""

import heapq
from collections import deque
from collections.abc import Callable

from serialfix.simulator import sac_reports
from serialfix.simulator import sac_texts as texts
from serialfix.simulator.knobs import Knobs
from serialfix.simulator.sac import Sac
from serialfix.simulator.vm import Vm, stream

FIFO, NEAR, REPLAYED, KEPT = 16, 0.030, 4096, 16384


class Line:
    """One VM's serial port. ``phase``: "up", "booting", "down" or "off"."""

    def __init__(self, vm: Vm, knobs: Knobs, seed: int, now: float) -> None:
        self.vm, self.knobs, self.seed = vm, knobs, seed
        self.phase = "up"
        self.sac: Sac | None = None
        self._now = now
        self._input: deque[tuple[float, int]] = deque()
        self._last_key: tuple[float, int] = (float("-inf"), -1)
        self._input_free = self._output_free = now
        self._output: deque[tuple[float, bytes]] = deque()
        self._kept = bytearray()
        self._plan: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = 0
        self._wire_in, self._wire_out = stream(seed, "wire in"), stream(seed, "wire out")
        self._events, self._boots = stream(seed, "events"), stream(seed, "boots")
        self._policies()
        vm.killed = lambda pid: self.sac is not None and self.sac.kill(pid)
        if knobs.boot:
            self._boot(now, again=knobs.boot == 2)
        else:
            self._long_up(now)

    def _policies(self) -> None:
        """Let endpoint protection and policies be as the knobs say.

        A refused program ends cmd's try with 1 or 5 (ERROR_ACCESS_DENIED), which one is not known.
        """
        random = stream(self.seed, "endpoint protection")
        if random.random() < self.knobs.certutil_blocked:
            self.vm.blocked["certutil"] = random.choice((1, 5))
        if stream(self.seed, "language mode").random() < self.knobs.constrained_language:
            self.vm.language_mode = "ConstrainedLanguage"

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
            self._input.extend([(at, byte)] * copies)
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
        if self.sac is not None:
            times.append(self.sac.due())
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
            _, byte = self._input.popleft()
            if self.sac is not None:
                self.sac.key(byte, now)
        elif self.sac is not None:
            self.sac.advance(now)
        if self.phase == "up":
            for what, at in self.vm.power_requests:
                if at <= now:
                    self._go_down(now, what)
                    break
        self._drain(now)

    def _drain(self, now: float) -> None:
        if self.sac is not None:
            self._push(self.sac.take(), now)

    def _push(self, data: bytes, now: float) -> None:
        """Cut output into pieces and put them on the wire."""
        random, knobs = self._wire_out, self.knobs
        at = max(self._output_free, now)
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
        self.sac = Sac(self.vm, self.knobs, self.seed, now)
        self.sac.cmd_ready = True
        self.sac.redraw()
        self.sac.event(texts.CMD_AVAILABLE)
        self._leavings(self.sac, now)
        self._kept += self.sac.take()
        self._next_event(now)

    def _leavings(self, sac: Sac, now: float) -> None:
        """Leave what somebody before us left: channels, a half-typed line."""
        random = stream(self.seed, "leavings")
        for _ in range(self.knobs.orphans):
            channel = sac.create(now)
            if channel is None:
                break
            sac.event(texts.CREATED.format(channel.name))
            if random.random() < 0.4:
                sac._logged_in(channel, now)
        if self.knobs.half_typed:
            for byte in random.choice((b"ch -s", b"hel", b"restar", b"shutdow", b"cm")):
                sac.key(byte, now)

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
        self.sac, self.phase, self.vm.power = None, "off", "off"
        self.vm.listener = None

    def _dark(self, now: float) -> None:
        self._boot(now)

    def _boot(self, now: float, *, again: bool = False) -> None:
        """Start: firmware, then the prelude, the banner, and later the EVENT (windows-sac.md 1.1)."""
        self.phase, self.sac, self.vm.power = "booting", None, "restarting"
        self.vm.listener = None
        random = self._boots
        self._push(
            b'\x1b[2J\x1b[01;01HBdsDxe: loading Boot0001 "Windows Boot Manager"\r\nBdsDxe: starting Boot0001\r\n',
            now + 1.0,
        )
        ready = now + random.uniform(12.0, 35.0)
        self._later(ready, lambda at: self._sac_starts(at, again=again))

    def _sac_starts(self, now: float, *, again: bool) -> None:
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
