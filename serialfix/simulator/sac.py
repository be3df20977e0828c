r"""The Special Administration Console: its prompt, its channels, and the preview between them.

Prefix parser, line editing, events, switching and closing follow windows-sac.md 1.2 to 1.8 and 2.1 to 2.4. Not known
there and so chosen by the seed: the bytes around the channel header. Bytes in with ``key``, bytes out with ``take``.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from uuid import UUID

from serialfix.simulator import sac_reports
from serialfix.simulator import sac_texts as texts
from serialfix.simulator.cmd import cmd
from serialfix.simulator.conhost import Raw, Scrape, Stream
from serialfix.simulator.knobs import Knobs
from serialfix.simulator.login import login
from serialfix.simulator.services import RUNNING
from serialfix.simulator.session import Session
from serialfix.simulator.vm import Vm, stream
from serialfix.simulator.vt_cells import VtCells

_TEXT = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]|[\x20-\x7e]")  # a sequence whole, or one character
LINE_LIMIT = 78
PAGE = 22


@dataclass(slots=True, eq=False)
class Channel:
    """One channel. ``session`` is the login dialogue or the shell; ``shell`` is kept while the login is asked again."""

    index: int
    name: str
    description: str
    guid: str
    application: str
    cells: VtCells
    session: Session | None = None
    shell: Session | None = None
    last_key: float = 0.0
    pid: int = 0
    by: str = ""  # who made it: "client", "visitor", or "" where it was there before

    @property
    def has_shell(self) -> bool:
        """Whether a cmd.exe runs in it and stands at the line, not behind a login."""
        return self.session is not None and not isinstance(self.session.console, Raw)


@dataclass(slots=True)
class Sac:
    """SAC with all its channels, from one boot to the next. ``cmd_ready``: cmd can be launched."""

    vm: Vm
    knobs: Knobs
    seed: int
    now: float
    cmd_ready: bool = False
    mode: str = "SAC"  # "SAC", "preview", "channel" or "bugcheck"
    line: list[str] = field(default_factory=list)
    paging: bool = False
    detailed: bool = False
    channels: dict[int, Channel] = field(default_factory=dict)
    shown: int = 0
    typist: str = "client"  # whose key is being dealt with: "client" or "visitor"
    _out: bytearray = field(default_factory=bytearray)
    _escape: bool = False
    _cr: bool = False
    _pages: list[str] = field(default_factory=list)
    _count: int = 0
    _random: Random = field(default_factory=Random)
    _clear_header: bool = False
    _blank_after_header: bool = False

    def __post_init__(self) -> None:
        """Open the SAC channel with its banner; nothing goes out yet."""
        self._random = stream(self.seed, f"sac/{self.now}")
        self._clear_header = stream(self.seed, "header").random() < 0.5
        self._blank_after_header = stream(self.seed, "after header").random() < 0.5
        cells = VtCells(strict=self.knobs.strict_cells)
        self.channels[0] = Channel(
            0, "SAC", "Special Administration Console", self._guid(), texts.SAC_APPLICATION, cells
        )
        cells.feed(texts.BANNER.encode())
        self.paging = self.knobs.paging

    def _guid(self) -> str:
        """Draw a version-1 GUID whose node is an Azure MAC (windows-sac.md 1.7)."""
        bits = self._random.getrandbits(128)
        node = 0x000D3A << 24 | self._random.getrandbits(24)
        return str(
            UUID(int=(bits & ~0xFFFFFFFFFFFF & ~(0xF000 << 64) & ~(0xC000 << 48)) | 1 << 76 | 0x8000 << 48 | node)
        )

    @property
    def paged(self) -> bool:
        """Whether SAC's own pager waits for Enter."""
        return bool(self._pages)

    # -- output -----------------------------------------------------------------------------------------------

    def take(self) -> bytes:
        """Return what came out since the last call."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def _emit(self, channel: Channel, data: bytes) -> None:
        if not data:
            return
        channel.cells.feed(data)
        if self.shown == channel.index and self.mode != "preview":
            self._out += data

    def say(self, text: str) -> None:
        """Write to the SAC channel: lines end in newlines here."""
        self._emit(self.channels[0], texts.lines(text).encode())

    def event(self, text: str) -> None:
        """Let an EVENT break in: the prompt stands after it, a half-typed line is not shown again."""
        self.vm.note("event", text=text)
        self._emit(self.channels[0], f"\r\n{text}\r\nSAC>".encode())

    def announce(self, channel: Channel) -> None:
        """Say that a channel has been created."""
        self.event(texts.CREATED.format(channel.name))

    def redraw(self) -> None:
        """Draw the shown channel's screen, as often as the knob says."""
        for _ in range(self.knobs.redraw):
            data = self.channels[self.shown].cells.redraw()
            if self.knobs.nul_rate:
                data = _TEXT.sub(self._with_nul, data)
            self._out += data

    def _with_nul(self, match: re.Match[bytes]) -> bytes:
        character = match[0]
        plain = len(character) == 1 and self._random.random() < self.knobs.nul_rate
        return b"\0" + character if plain else character

    def _mode(self, mode: str) -> None:
        if mode != self.mode:
            self.vm.note("mode", mode=mode, channel=self.channels[self.shown].name)
        self.mode = mode

    def _preview(self, index: int) -> None:
        """Show a channel's header; one more key shows the channel and is eaten."""
        self.shown = index
        channel = self.channels[index]
        described = channel.description
        if not self.knobs.full_description:
            described = described[: len(described) // 2]
        text = texts.HEADER.format(
            name=channel.name, description=described, guid=channel.guid, application=channel.application
        )
        before = "\x1b[2J\x1b[H" if self._clear_header else "\r\n"
        self._mode("preview")
        self._out += (before + texts.lines(text) + ("\r\n" if self._blank_after_header else "")).encode()
        self.vm.note("header", channel=channel.name)

    def _next(self) -> None:
        """Preview the next channel."""
        later = sorted(index for index in self.channels if index > self.shown)
        self._preview(later[0] if later else 0)

    # -- time -------------------------------------------------------------------------------------------------

    def due(self) -> float | None:
        """Return when something happens by itself."""
        times = [s.due() for c in self.channels.values() for s in (c.session, c.shell) if s is not None]
        return min((t for t in times if t is not None), default=None)

    def advance(self, now: float) -> None:
        """Let what is due by now happen."""
        self.now = max(self.now, now)
        for channel in list(self.channels.values()):
            for session in (channel.session, channel.shell):
                if session is not None:
                    session.advance(now)
            self._collect(channel, now)

    def _collect(self, channel: Channel, now: float) -> None:
        """Move what a channel's program wrote, and deal with its end."""
        session = channel.session
        while session is not None:
            # What the shell behind a login writes is not drawn until somebody has logged in: else its cells would hide
            # the login, and nobody could know what the next key meets.
            self._emit(channel, session.console.take())
            if not session.ended:
                return
            if not isinstance(session.console, Raw):
                self._close(channel)
                return
            session = self.logged_in(channel, now)

    def logged_in(self, channel: Channel, now: float) -> Session:
        """Let the shell follow the login; an old one is shown again."""
        if channel.shell is not None:
            channel.session, channel.shell = channel.shell, None
            channel.cells.feed(channel.session.console.take())
            if self.shown == channel.index and self.mode == "channel":
                self.redraw()
            return channel.session
        random = stream(self.seed, f"console/{channel.guid}")
        console: Scrape | Stream
        rows = 25 if self.knobs.rows_25 and self.vm.edition.engine == "scrape" else 24
        console = Stream(random) if self.vm.edition.engine == "stream" else Scrape(random, rows)
        channel.session = Session(
            self.vm, console, lambda out: cmd(self.vm, out, self.seed, rows), random, now,
            channel=channel.name, eaten=self.knobs.first_command_eaten,
        )  # fmt: skip
        channel.session.advance(now)
        return channel.session

    def _ask_login(self, channel: Channel, now: float) -> None:
        """Put the login dialogue in front of a channel."""
        if channel.session is not None and not isinstance(channel.session.console, Raw):
            channel.shell = channel.session
        random = stream(self.seed, f"login/{channel.guid}")
        channel.session = Session(
            self.vm, Raw(), lambda out: login(self.vm, out, random, channel.name), random, now,
            channel=channel.name, lf_is_enter=True,
        )  # fmt: skip
        channel.session.advance(now)
        self._collect(channel, now)

    # -- channels ---------------------------------------------------------------------------------------------

    def create(self, now: float, *, by: str = "") -> Channel | None:
        """Open a cmd channel at its login prompt; None when there are ten channels. ``by``: who asked for it."""
        free = [index for index in range(1, 10) if index not in self.channels]
        if not free:
            return None
        self._count += 1
        cells = VtCells(strict=self.knobs.strict_cells)
        channel = Channel(
            free[0], f"Cmd{self._count:04d}", "Command Prompt", self._guid(), texts.CMD_APPLICATION, cells, last_key=now
        )
        channel.pid, channel.by = self.vm.new_pid(), by
        self.channels[channel.index] = channel
        self.vm.note("channel created", name=channel.name, by=by)
        self._ask_login(channel, now)
        return channel

    def _close(self, channel: Channel) -> None:
        """Take a channel away; if it is shown, SAC's own header comes (windows-sac.md 1.8)."""
        self.channels.pop(channel.index, None)
        self.vm.note("channel closed", name=channel.name)
        shown = self.shown == channel.index and self.mode in {"channel", "preview"}
        if shown:
            self.shown = 0
            self._preview(0)
        self.event(texts.CLOSED.format(channel.name))

    def kill(self, pid: int) -> bool:
        """End a channel whose cmd.exe has this number."""
        for channel in list(self.channels.values()):
            if pid and channel.pid == pid:
                self._close(channel)
                return True
        return False

    def lock(self, channel: Channel) -> None:
        """Ask for a channel's login again, whatever runs there; it goes on behind the login."""
        self._emit(channel, b"\r\n")
        self._ask_login(channel, self.now)

    def close_all(self) -> None:
        """Close every cmd channel, as a shutdown does at once."""
        for channel in [c for c in self.channels.values() if c.index]:
            self._close(channel)

    # -- keys -------------------------------------------------------------------------------------------------

    def key(self, byte: int, now: float, *, by: str = "client") -> None:
        """Take one byte from the line; ``by``: "client", or "visitor" for somebody else at the same line."""
        self.now, self.typist = max(self.now, now), by
        if self.mode == "bugcheck":
            self._early_key(byte)
            return
        if self._escape:
            self._escape = False
            if byte == 0x09:
                self._next()
                return
            if self.mode == "channel":
                self._to_channel(0x1B, now)
            if self.mode == "preview":
                self._show(now)
                return
        elif byte == 0x1B:
            self._escape = True
            return
        if self.mode == "preview":
            if byte == 0x30:
                self._preview(0)
                return
            self._show(now)
            if byte == 0x09:
                self._pass(byte, now)
            return
        self._pass(byte, now)

    def _pass(self, byte: int, now: float) -> None:
        if self.mode == "SAC":
            self._edit(byte)
        else:
            self._to_channel(byte, now)

    def _show(self, now: float) -> None:
        """Leave the preview for the channel."""
        self._mode("channel" if self.shown else "SAC")
        self._cr = False
        self.redraw()
        self.channels[self.shown].last_key = now

    def _to_channel(self, byte: int, now: float) -> None:
        channel = self.channels[self.shown]
        idle = self.knobs.idle and now - channel.last_key > self.knobs.idle
        channel.last_key = now
        if idle and channel.has_shell:
            self.lock(channel)
            return
        if channel.session is not None:
            channel.session.typist = self.typist
            channel.session.key(byte, now)
            channel.session.advance(now)
            self._collect(channel, now)

    def _edit(self, byte: int) -> None:
        """Edit the line at SAC>, or answer the pager."""
        sac = self.channels[0]
        if self._pages:
            if byte in b"\r\n":
                self._emit(sac, b"\r\n")
                self._page()
            return
        if byte == 0x0A and self._cr and self.knobs.crlf_counts == 1:
            self._cr = False
            return
        self._cr = byte == 0x0D
        if byte in b"\r\n":
            self._emit(sac, b"\r\n")
            self._run()
        elif byte == 0x03:  # runs what stands there, without a new line
            self._run()
        elif byte in b"\b\x7f":
            if self.line:
                self.line.pop()
                self._emit(sac, b"\b \b")
        elif byte == 0x09:
            self._out += b"\a"
        elif byte >= 0x20:
            character = bytes([byte])
            if len(self.line) >= LINE_LIMIT:
                self.line[-1] = chr(byte)
                self._emit(sac, b"\b" + character)
            else:
                self.line.append(chr(byte))
                self._emit(sac, character)

    def _early_key(self, byte: int) -> None:
        """Answer at !SAC>."""
        if byte not in b"\r\n":
            if byte >= 0x20:
                self.line.append(chr(byte))
                self._out.append(byte)
            return
        word = "".join(self.line).strip().lower()
        self.line.clear()
        self.vm.note("line", channel="!SAC", purpose="sac", text=word, by=self.typist)
        text = texts.EARLY_HELP if word in {"?", "help"} else ""
        if word == "restart":
            self.vm.request_power("restart", self.vm.now)
        elif word == "id":
            text = texts.lines(sac_reports.identity(self.vm))
        self._out += f"\r\n{text}!SAC>".encode()

    # -- commands ---------------------------------------------------------------------------------------------

    def _run(self) -> None:
        text = "".join(self.line)
        self.line.clear()
        self.vm.note("line", channel="SAC", purpose="sac", text=text, by=self.typist)
        line = text.lower().strip()
        if not line:
            self.say("SAC>")
            return
        answer = self._command(line)
        if answer is not None:
            self._answer(answer)

    def _answer(self, text: str) -> None:
        if self.paging and text.count("\n") > PAGE:
            self._pages = text.splitlines(keepends=True)
            self._page()
        else:
            self.say(text + "SAC>")

    def _page(self) -> None:
        page, self._pages = self._pages[:PAGE], self._pages[PAGE:]
        self.say("".join(page) + (texts.MORE if self._pages else "SAC>"))

    def _command(self, line: str) -> str | None:
        """Find the command by prefix, in the order of windows-sac.md 1.5; None when it writes by itself."""
        prefixes: list[tuple[str, Callable[[str], str | None]]] = [
            ("t", lambda rest: sac_reports.processes(self.vm, detailed=self.detailed)),
            ("?", lambda rest: texts.HELP),
            ("help", lambda rest: texts.HELP),
            ("f", self._toggle_detail),
            ("p", self._toggle_paging),
            ("id", lambda rest: sac_reports.identity(self.vm)),
            ("crashdump", self.crash),
            ("lock", self._lock),
            ("shutdown", lambda rest: self._power("shutdown")),
            ("restart", lambda rest: self._power("restart")),
            ("d", self._kernel_log),
            ("cmd", self._launch),
        ]
        for word, run in prefixes:
            if line.startswith(word):
                return run(line[len(word) :])
        exact: list[tuple[str, Callable[[str], str | None]]] = [
            ("ch", self._channel_command),
            ("k", self._kill),
            ("l", lambda rest: self._priority(rest, "lowered", "lower")),
            ("r", lambda rest: self._priority(rest, "raised", "raise")),
            ("m", self._limit),
            ("s", self._clock),
            ("i", self._network),
        ]
        for word, run in exact:
            if line == word or line.startswith(word + " "):
                return run(line[len(word) :].strip())
        return texts.UNKNOWN

    def _toggle_detail(self, rest: str) -> str:
        del rest
        self.detailed = not self.detailed
        return f"Thread information is now {'ON' if self.detailed else 'OFF'}.\n"

    def _toggle_paging(self, rest: str) -> str:
        del rest
        self.paging = not self.paging
        return f"Paging is now {'ON' if self.paging else 'OFF'}.\n"

    def crash(self, rest: str = "", *, restarts: bool = True) -> None:
        """Stop with a bugcheck: ``!SAC>`` answers until the machine restarts (windows-sac.md 1.2 and 1.9)."""
        del rest
        edition = self.vm.edition
        self.vm.note("crashdump")
        self._mode("bugcheck")
        text = texts.BLUE_SCREEN.format(
            name=self.vm.name.upper(),
            guid=sac_reports.machine_guid(self.vm),
            build=edition.build,
            product=edition.product,
        )
        self._out += text.encode()
        if restarts:
            self.vm.request_power("restart", self.vm.now + 25.0)

    def _lock(self, rest: str) -> str:
        del rest
        for channel in self.channels.values():
            if channel.has_shell:
                self._ask_login(channel, self.now)
        return "Locked access to all Command Prompt channels.\n"

    def _power(self, what: str) -> None:
        """Answer first; within a minute of the boot act later."""
        done = "restart" if what == "restart" else "shutdown"
        self.say(f"SAC preparing to {done} the system.\nSAC>")
        self.event(texts.GOING)
        at = max(self.vm.now + 1.0, self.vm.booted + 60.0)
        self.vm.request_power(what, at)

    def _kernel_log(self, rest: str) -> str:
        del rest
        rows = [
            f"Microsoft (R) Windows (R) Version 10.0 (Build {self.vm.edition.build})",
            "2 System Processors [8191 MB Memory] MultiProcessor Kernel",
        ]
        drivers = "acpiex vmbus storvsc disk volmgr ntfs netvsc tcpip sacdrv termdd http srv2".split()  # noqa: SIM905
        for number, driver in enumerate(drivers, 1):
            rows += [
                f"{number:02d}: loading \\SystemRoot\\System32\\drivers\\{driver}.sys",
                f"{number:02d}: {driver} started",
            ]
        return "".join(row + "\n" for row in rows)

    def _launch(self, rest: str) -> str | None:
        del rest
        helper = self.vm.services.find("sacsvr")
        if not self.cmd_ready or helper is None or helper.state != RUNNING:
            return texts.NOT_REGISTERED
        if self.vm.registry.number(r"HKLM\SYSTEM\CurrentControlSet\Services\sacdrv", "DisableCmdSessions"):
            return texts.DISABLED
        channel = self.create(self.now, by=self.typist)
        if channel is None:
            return texts.TOO_MANY
        self.say(texts.LAUNCHED + "SAC>")
        self.announce(channel)
        return None

    def _channel_command(self, rest: str) -> str | None:
        if not rest:
            rows = "".join(f"{c.index} (AV)    {c.name}\n" for _, c in sorted(self.channels.items()))
            return f'Channel List\n\n(Use "ch -?" for information on using channels)\n\n# Status  Channel Name\n{rows}'
        option, _, value = rest.partition(" ")
        value = value.strip()
        if option == "-?":
            return texts.CHANNEL_HELP
        if option in {"-si", "-ci"}:
            found = self.channels.get(int(value)) if value.isdigit() else None
            missing = texts.NO_INDEX if value.isdigit() else texts.PARAMETER
        elif option in {"-sn", "-cn"}:
            found = next((c for c in self.channels.values() if c.name.lower() == value), None)
            missing = texts.NO_NAME if value else texts.PARAMETER
        else:
            return texts.PARAMETER
        if found is None:
            return missing
        if option.startswith("-s"):
            self.channels[0].cells.feed(b"SAC>")  # stands there when somebody comes back, and is not sent now
            self._preview(found.index)
            return None
        if found.index == 0:
            return texts.NOT_CLOSABLE
        self.say("SAC>")
        self._close(found)
        return None

    def _kill(self, rest: str) -> str:
        if not rest.isdigit():
            return texts.PARAMETER
        done = self.vm.kill(int(rest))
        return "SAC successfully terminated the process.\n" if done else "SAC failed to terminate the process.\n"

    def _priority(self, rest: str, done: str, verb: str) -> str:
        if not rest.isdigit():
            return texts.PARAMETER
        if verb == "raise":
            return "SAC cannot raise the priority of a process that was not previously lowered.\n"
        known = any(row[1] == int(rest) for row in self.vm.running_programs())
        return (
            f"SAC successfully {done} the process priority.\n"
            if known
            else f"SAC failed to {verb} the process priority.\n"
        )

    def _limit(self, rest: str) -> str:
        words = rest.split()
        if len(words) != 2 or not all(word.isdigit() for word in words):
            return texts.PARAMETER
        known = any(row[1] == int(words[0]) for row in self.vm.running_programs())
        return (
            "SAC successfully limited the available process memory.\n"
            if known
            else "SAC failed to limit the available process memory.\n"
        )

    def _clock(self, rest: str) -> str:
        if not rest:
            return sac_reports.clock(self.vm)
        try:
            when = datetime.strptime(" ".join(rest.split()), "%m/%d/%Y %H:%M").replace(tzinfo=UTC)
        except ValueError:
            return texts.PARAMETER
        if not 1980 <= when.year <= 2099:
            return "The year is restricted from 1980 to 2099.\n"
        self.vm.set_clock(when)
        return f"Date: {when:%m/%d/%Y}  Time (GMT): {when:%H:%M}\n"

    def _network(self, rest: str) -> str:
        words = rest.split()
        if not words:
            return sac_reports.addresses(self.vm)
        if len(words) != 4 or not words[0].isdigit():
            return "Error, missing network interface number.\n" if len(words) < 4 else texts.PARAMETER
        names = ("IP address", "subnet mask", "gateway IP address")
        for name, word in zip(names, words[1:], strict=True):
            parts = word.split(".")
            if len(parts) != 4 or not all(part.isdigit() and int(part) < 256 for part in parts):
                return f"The specified {name} is invalid.\n"
        if words[0] != "4":
            return "SAC could not set the IP Address.\n"
        self.vm.addresses = (words[1], words[2], words[3])
        self.vm.note("address", addresses=words[1:])
        return "SAC successfully set the IP Address, subnet mask, and gateway.\n"
