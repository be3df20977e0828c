r"""What stands on the serial port when it is no SAC: windows-sac.md 1.9.

Nothing at all (EMS is off), the Azure agent's health report, a kernel debugger beside a SAC that takes no input, a
Linux login prompt, a boot that hangs in the firmware. Texts that no source gives word for word are varied by the seed.
A bugcheck is SAC's own (sac.py). Like ``Sac``: bytes in with ``key``, bytes out with ``take``, the time is told.
"""

import json
from collections.abc import Callable
from random import Random
from typing import Protocol

from serialfix.simulator import sac_texts as texts
from serialfix.simulator.vm import Vm, stream


class OtherPort(Protocol):
    """What the line needs of it."""

    def key(self, byte: int, now: float) -> None:
        """Take one byte from the line."""

    def take(self) -> bytes:
        """Return what came out since the last call."""

    def due(self) -> float | None:
        """Return when something comes out by itself."""

    def advance(self, now: float) -> None:
        """Let what is due by now happen."""


class Mute:
    """It writes a text once, perhaps more now and then, and takes no input."""

    def __init__(self, first: str, now: float = 0.0, again: Callable[[], tuple[float, str]] | None = None) -> None:
        self._out = bytearray(first.encode("latin-1"))
        self._again = again
        self._next: tuple[float, str] | None = None
        self._plan(now)

    def _plan(self, now: float) -> None:
        if self._again is not None:
            wait, text = self._again()
            self._next = (now + wait, text)

    def key(self, byte: int, now: float) -> None:
        """Swallow a byte."""

    def take(self) -> bytes:
        """Return what came out since the last call."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def due(self) -> float | None:
        """Return when something comes out by itself."""
        return None if self._next is None else self._next[0]

    def advance(self, now: float) -> None:
        """Write what is due."""
        while self._next is not None and self._next[0] <= now:
            at, text = self._next
            self._out += text.encode("latin-1")
            self._plan(at)


class Getty:
    """A Linux login prompt: it echoes the name, asks for a password without echo, and lets nobody in."""

    def __init__(self, host: str, banner: str, random: Random) -> None:
        self._prompt = f"{host} login: "
        self._out = bytearray(f"\r\n{banner}\r\n\r\n{self._prompt}".encode())
        self._banner, self._random = banner, random
        self._line = bytearray()
        self._asks_password = False
        self._refuses: float | None = None

    def key(self, byte: int, now: float) -> None:
        """Take one byte from the line."""
        if self._refuses is not None:
            return
        if byte in b"\r\n":
            name, self._line = bytes(self._line), bytearray()
            self._out += b"\r\n"
            if self._asks_password:
                self._asks_password, self._refuses = False, now + self._random.uniform(1.5, 3.5)
            elif name:
                self._asks_password = True
                self._out += b"Password: "
            else:
                self._out += self._prompt.encode()
        elif byte == 0x03:
            self._line.clear()
            self._asks_password = False
            self._out += f"\r\n\r\n{self._banner}\r\n\r\n{self._prompt}".encode()
        elif byte in (0x08, 0x7F):
            if self._line:
                self._line.pop()
                self._out += b"" if self._asks_password else b"\b \b"
        else:
            self._line.append(byte)
            if not self._asks_password:
                self._out += bytes([byte]) if byte >= 0x20 else b"^" + bytes([byte + 0x40])

    def take(self) -> bytes:
        """Return what came out since the last call."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def due(self) -> float | None:
        """Return when the refusal comes."""
        return self._refuses

    def advance(self, now: float) -> None:
        """Refuse, when it is time."""
        if self._refuses is not None and self._refuses <= now:
            self._refuses = None
            self._out += f"\r\nLogin incorrect\r\n{self._prompt}".encode()


def other_port(port: str, vm: Vm, seed: int, now: float) -> OtherPort:
    """Return what is on the port instead of SAC, from the moment at which SAC would have started."""
    random = stream(seed, f"port {port}")
    if port == "health":
        return Mute(_health(vm, random), now, lambda: (random.uniform(240.0, 360.0), _health(vm, random)))
    if port == "debugger":
        talk = random.choice((_packets, _debug_print))
        return Mute(texts.BANNER + talk(random), now, lambda: (random.uniform(2.0, 20.0), talk(random)))
    if port == "linux":
        host = random.choice(("vm", vm.name.lower()))
        banner = random.choice(
            (
                f"Ubuntu 22.04.4 LTS {host} ttyS0",
                f"Ubuntu 20.04.6 LTS {host} ttyS0",
                f"Debian GNU/Linux 12 {host} ttyS0",
                "Red Hat Enterprise Linux 8.9 (Ootpa)\r\nKernel 4.18.0-513.5.1.el8_9.x86_64 on an x86_64",
            )
        )
        return Getty(host, banner, random)
    return Mute("")


def _health(vm: Vm, random: Random) -> str:
    """Return a health report. Its first line is known (T18), the rest is our guess at an agent's report."""
    report = {
        "reportTime": vm.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "computerName": vm.name,
        "osVersion": vm.edition.version,
        "rdp": {"enabled": True, "port": 3389, "listening": random.random() < 0.5},
        "networkAdapters": [{"name": "Ethernet", "ipAddress": vm.addresses[0], "dhcpEnabled": True}],
        "firewall": {"domain": True, "private": True, "public": True},
    }
    text = json.dumps(report, indent=random.choice((None, 2)))
    mark = "======== Microsoft Azure VM Health Report - {} ========\n"
    return texts.lines(f"\n{mark.format('Start')}{text}\n{mark.format('End')}")


def _packets(random: Random) -> str:
    """Return a packet of the debugger's protocol: a leader, a type, a length, noise."""
    size = random.randrange(8, 60)
    noise = "".join(chr(random.randrange(256)) for _ in range(size))
    return random.choice(("0000", "iiii")) + chr(random.randrange(1, 12)) + "\0" + chr(size) + "\0" + noise + "\xaa"


def _debug_print(random: Random) -> str:
    return random.choice(
        (
            "\r\nKDTARGET: Refreshing KD connection\r\n",
            "\r\nBreak instruction exception - code 80000003 (first chance)\r\nnt!DbgBreakPointWithStatus:\r\nkd> ",
            "\r\nDebugger keyed in, waiting to reconnect...\r\n",
        )
    )
