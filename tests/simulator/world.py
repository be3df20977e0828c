"""Helpers for the simulator's tests: a client in virtual time that reads with an independent terminal emulator."""

import re

import avt

from serialfix.simulator.cmd import cmd
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs
from serialfix.simulator.line import Line
from serialfix.simulator.programs import ReadLine, Sleep
from serialfix.simulator.vm import Vm

CALM = PRESETS["calm"]
YEARS = ("2016", "2019", "2022", "2025")


def shell(vm: Vm, *lines: str) -> str:
    """Type lines into a cmd.exe of the VM, without any console; return all it wrote: no colours, ends as newlines."""
    out: list[str] = []
    steps, left = cmd(vm, out.append, 1), list(lines)
    request = next(steps)
    while True:
        answer = ""
        if isinstance(request, ReadLine):
            if not left:
                break
            answer = left.pop(0)
            out.append(answer + "\r\n")
        elif isinstance(request, Sleep):
            vm.advance(vm.now + request.seconds)
        try:
            request = steps.send(answer)
        except StopIteration as end:
            out.append(f"<exit {end.value}>")
            break
    assert not left, f"not typed: {left}"
    return re.sub(r"\x1b\[[0-9;]*m", "", "".join(out)).replace("\r\n", "\n")


def ask(vm: Vm, line: str) -> str:
    """Type one line; return what came between the echo of it and the next prompt."""
    text = shell(vm, line).partition("system32>" + line + "\n")[2]
    return text.removesuffix("C:\\Windows\\system32>").removesuffix("\n")


class Client:
    """A person at the line. ``seen`` is all bytes that came."""

    def __init__(
        self, windows: str = "2022", knobs: Knobs = CALM, seed: int = 3, faults: tuple[str, ...] = ("healthy",)
    ) -> None:
        self.vm = build(faults, windows, seed)
        self.now, self.seen = 0.0, b""
        self.line = Line(self.vm, knobs, seed, 0.0)
        self.terminal = avt.Vt(80, 24)
        self._show(self.line.replay(0.0))

    def _show(self, data: bytes) -> None:
        self.terminal.feed_str(data.decode("utf-8", "replace").replace("\0", ""))

    def wait(self, seconds: float = 4.0) -> bytes:
        end, out = self.now + seconds, b""
        while True:
            out += self.line.receive(self.now)
            due = self.line.due()
            if due is None or due > end:
                break
            assert due > self.now - 1e-9
            self.now = max(self.now, due)
        self.now = end
        out += self.line.receive(end)
        self.seen += out
        self._show(out)
        return out

    def type(self, keys: bytes, seconds: float = 4.0, gap: float = 0.031) -> bytes:
        for byte in keys:
            self.line.send(bytes([byte]), self.now)
            self.now += gap
        return self.wait(seconds)

    def rows(self) -> list[str]:
        return screen(self.terminal)

    def text(self) -> str:
        return "\n".join(self.rows())

    def open(self) -> None:
        """Open a cmd channel and log in."""
        self.type(b"cmd\r")
        self.type(b"ch -si 1\r")
        self.type(b" ")
        self.type(self.vm.user.encode() + b"\r")
        self.type(b"\r")
        self.type(self.vm.password.encode() + b"\r")

    def typed(self, purpose: str) -> list[object]:
        """Return the lines a kind of shell received, from the simulator's own log."""
        return [entry["text"] for entry in self.vm.journal if entry["kind"] == "line" and entry["purpose"] == purpose]


def screen(terminal: "avt.Vt") -> list[str]:
    """Return the emulator's 24 rows without trailing blanks."""
    return [line.text.rstrip() for line in terminal.view()]
