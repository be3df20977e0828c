"""The Windows VM: one object made of state, from which everything it says is derived.

What stands behind its RDP port follows rdp-repair.md 2.5 (the state function of Schannel's protocol keys) and 10;
event texts follow rdp-repair.md 8.3. Time is given as float seconds of any monotonic clock; the VM's calendar is its
own. Every random choice comes from a stream named after its purpose, so adding one shifts no other.
"""

import hashlib
import heapq
import string
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Literal, cast

from serialfix.simulator import (
    baseline,
    failure_actions,
    firewall,
    key_files,
    keys,
    rdp_certificate,
    sids,
    stores,
)
from serialfix.simulator.baseline import RDP_TCP, SCHANNEL, TERMINAL_SERVER, WINDOWS, Windows
from serialfix.simulator.filesystem import FileSystem
from serialfix.simulator.port_use import PortUse, is_excluded
from serialfix.simulator.rdp_certificate import Credential
from serialfix.simulator.rdp_port import RdpPort, Tls
from serialfix.simulator.registry import Registry
from serialfix.simulator.services import RUNNING, STOPPED, Service, Services

PROTOCOLS: dict[Tls, str] = {"TLSv1": "TLS 1.0", "TLSv1.1": "TLS 1.1", "TLSv1.2": "TLS 1.2", "TLSv1.3": "TLS 1.3"}
SystemTasks = Literal["allowed", "refused", "removed", "blocked"]
"""What endpoint protection does about a task as SYSTEM: nothing; refuses it; deletes it; keeps it from running."""
RCM = "Microsoft-Windows-TerminalServices-RemoteConnectionManager"
SCM = "Service Control Manager"


class UnknownWindows(ValueError):
    """There is no such Windows version here."""


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of the event log. ``data``: insertion strings; ``level``: 2 error, 3 warning, 4 information."""

    when: datetime
    log: str
    provider: str
    number: int
    level: int
    text: str
    data: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Listener:
    """What TermService read and got when it started. ``taken``: somebody else had its port."""

    port: int
    denied: bool
    security_layer: int
    nla: bool
    tls: frozenset[Tls]
    credential: Credential
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """One process that is not a service's."""

    image: str
    pid: int
    session: str
    session_id: int
    kilobytes: int


def stream(seed: int, purpose: str) -> Random:
    """Return the random stream for one purpose."""
    return Random(f"{seed}/{purpose}")


@dataclass(slots=True, init=False, eq=False, repr=False)
class Vm:
    """The VM. ``now`` is the time of the last ``advance``; ``power``: "on", "restarting" or "off"."""

    seed: int
    windows: str
    edition: Windows
    name: str
    user: str
    password: str
    registry: Registry
    services: Services
    files: FileSystem
    log: list[Event]
    journal: list[dict[str, object]]
    accounts: dict[str, dict[str, object]]
    tasks: dict[str, dict[str, object]]
    processes: list[Program]
    faults: tuple[str, ...]
    listener: Listener | None
    now: float
    power: str
    power_requests: list[tuple[str, float]]
    booted: float
    machine_sid: str
    addresses: tuple[str, str, str]
    mac: str
    killed: Callable[[int], bool]
    port_uses: dict[str, PortUse]
    bound: dict[int, str]
    guards: dict[str, str]
    system_tasks: SystemTasks
    blocked: dict[str, int]  # programs that endpoint protection refuses, and the exit code of a try
    language_mode: str  # PowerShell's
    powershell_hangs: float  # probability that one that is started never shows a prompt
    new_keys: int
    _installed: tuple[bytes, bytes] | None
    _timers: list[tuple[float, int, Callable[[], None]]]
    _order: int
    _streams: dict[str, Random]
    _epoch: datetime
    _origin: float
    _pids: Random
    _no_tls: str
    _no_certificate: str
    _dynamic: dict[str, int] = field(default_factory=dict)

    def __init__(self, windows: str, seed: int, now: float = 0.0) -> None:
        if windows not in WINDOWS:
            raise UnknownWindows(f"unknown Windows {windows!r}; there are {', '.join(WINDOWS)}")
        self.seed, self.windows, self.edition = seed, windows, WINDOWS[windows]
        identity = stream(seed, "identity")
        self.name = identity.choice(("web", "sql", "app", "vm", "dc", "jump")) + identity.choice(("", "-prod", "-test"))
        self.name = (
            (self.name + f"-{identity.randrange(1, 100):02d}").upper() if identity.random() < 0.3 else self.name + "01"
        )
        self.user = identity.choice(("azureuser", "azureadmin", "vmadmin", "localadmin", "opsadmin"))
        self.password = _password(stream(seed, "password"))
        self.machine_sid = "S-1-5-21-" + "-".join(str(identity.randrange(10**8, 2**32)) for _ in range(3))
        last = identity.randrange(4, 250)
        self.addresses = (f"10.0.0.{last}", "255.255.255.0", "10.0.0.1")
        self.mac = "00-0D-3A-" + "-".join(f"{identity.randrange(256):02X}" for _ in range(3))
        self._epoch = datetime(2026, 1, 5, 6, 0, tzinfo=UTC) + timedelta(seconds=identity.randrange(200 * 86400))
        self._origin = self.now = now
        self.booted = now - identity.uniform(2 * 3600, 40 * 86400)
        self._no_tls = stream(seed, "no_tls").choice(("failure 2", "failure 3", "reset"))
        self._pids = stream(seed, "pids")
        self._dynamic = {}
        self.power, self.power_requests, self.faults = "on", [], ()
        self.log, self.journal, self.tasks = [], [], {}
        self.port_uses, self.bound, self.new_keys, self._installed = {}, {}, 0, None
        self.guards = {}
        self.system_tasks = "allowed"
        self.blocked, self.language_mode, self.powershell_hangs = {}, "FullLanguage", 0.0
        self._timers, self._order, self._streams = [], 0, {}
        self._no_certificate = stream(seed, "no certificate").choice(("failure 3", "reset"))
        self.killed = lambda pid: False
        self.registry = Registry()
        self.files = FileSystem()
        baseline.fill_registry(self.registry, self.edition, self.name, stream(seed, "registry"))
        baseline.fill_files(self.files, self.user, self.booted)
        key_files.fill(self.files, self.registry, self.booted)
        firewall.fill(self.registry)
        stores.fill(self.registry)
        self.accounts = {
            self.user: {"sid": f"{self.machine_sid}-500", "groups": ["Administrators"], "enabled": True},
            "DefaultAccount": {
                "sid": f"{self.machine_sid}-503",
                "groups": ["System Managed Accounts Group"],
                "enabled": False,
            },
            "Guest": {"sid": f"{self.machine_sid}-501", "groups": ["Guests"], "enabled": False},
        }
        self.processes = self._base_processes()
        self.services = Services(self.registry, stream(seed, "services"), self.new_pid)
        self.services.changed = self._service_changed
        self.services.boot(baseline.running_after_boot(), now)
        key_pem = keys.key_pem(seed)
        rdp_certificate.write_key(self, key_pem)
        rdp_certificate.mint(self, key_pem, timedelta(days=self.random("certificates").randrange(3, 150)))
        self.listener = None
        self.read_listener()
        self.registry.listen(self._registry_written)
        self.files.listen(lambda path, what: self.note("file", path=path, what=what))
        self._old_events()

    # -- time -------------------------------------------------------------------------------------------------

    def clock(self, at: float | None = None) -> datetime:
        """Return the VM's calendar time (UTC) now, or at another time."""
        return self._epoch + timedelta(seconds=(self.now if at is None else at) - self._origin)

    def set_clock(self, when: datetime) -> None:
        """Set the calendar, as SAC's ``s`` does."""
        self._epoch += when - self.clock()
        self.note("clock set", to=when.isoformat())

    def advance(self, now: float) -> None:
        """Let what is due by now happen, in its order: services reach their states, timers fire."""
        while (at := self.due()) is not None and at <= now:
            self.now = max(self.now, at)
            if self._timers and self._timers[0][0] <= at:
                heapq.heappop(self._timers)[2]()
            else:
                self.services.advance(at)
        self.now = max(self.now, now)

    def due(self) -> float | None:
        """Return when something happens by itself, or None."""
        times = [self.services.due(), self._timers[0][0] if self._timers else None]
        return min((at for at in times if at is not None), default=None)

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do something in so many seconds."""
        self._order += 1
        heapq.heappush(self._timers, (self.now + seconds, self._order, action))

    def random(self, purpose: str) -> Random:
        """Return the stream for a purpose, the same one whenever asked."""
        if purpose not in self._streams:
            self._streams[purpose] = stream(self.seed, purpose)
        return self._streams[purpose]

    def set_today(self, today: datetime) -> None:
        """Move the whole calendar so that it is ``today`` now: log, certificates, everything keeps its age."""
        by = today - self.clock()
        before = list(self.journal)
        self._epoch += by
        self.log = [replace(each, when=each.when + by) for each in self.log]
        rdp_certificate.move_calendar(self, by)
        if self.listener is not None and self.listener.credential.held is not None:
            self.listener = replace(self.listener, credential=rdp_certificate.choose(self))
        self.journal[:] = before

    def administrator(self) -> sids.Token:
        """Return who logs in over the console: an elevated administrator."""
        return sids.administrator(str(self.accounts[self.user]["sid"]), f"{self.name}\\{self.user}".lower())

    # -- truth log and event log ------------------------------------------------------------------------------

    def note(self, kind: str, **fields: object) -> None:
        """Add to the simulator's own truth log."""
        self.journal.append({"time": self.now, "kind": kind, **fields})

    def event(self, log: str, provider: str, number: int, level: int, text: str, **data: str) -> None:
        """Add to the VM's event log now."""
        self.log.append(Event(self.clock(), log, provider, number, level, text, tuple(data.items())))

    def _old_events(self) -> None:
        boot = self.clock(self.booted)
        text = f"Microsoft (R) Windows (R) 10.00. {self.edition.build} Multiprocessor Free."
        self.log.append(Event(boot, "System", "EventLog", 6009, 4, text))
        self.log.append(Event(boot, "System", "EventLog", 6005, 4, "The Event log service was started."))
        for name in ("SessionEnv", "TermService", "UmRdpService"):
            text = f"The {self.services.display_name(name)} service entered the running state."
            self.log.append(Event(boot + timedelta(seconds=21), "System", SCM, 7036, 4, text, (("param1", name),)))

    # -- processes --------------------------------------------------------------------------------------------

    def new_pid(self) -> int:
        """Return a process number nobody has."""
        used = {p.pid for p in self.processes} | {s.pid for n in self._names() if (s := self.services.find(n))}
        while True:
            pid = self._pids.randrange(180, 2200) * 4
            if pid not in used:
                return pid

    def _names(self) -> list[str]:
        return self.services.names() if hasattr(self, "services") else []

    def _base_processes(self) -> list[Program]:
        fixed = [
            Program("System Idle Process", 0, "Services", 0, 8),
            Program("System", 4, "Services", 0, 140),
        ]
        rows = (
            ("Registry", 0), ("smss.exe", 0), ("csrss.exe", 0), ("wininit.exe", 0), ("csrss.exe", 1),
            ("winlogon.exe", 1),
            ("services.exe", 0), ("lsass.exe", 0), ("dwm.exe", 1), ("LogonUI.exe", 1),
        )  # fmt: skip
        draw, pid = self._pids, 88
        for image, session in rows:
            if image == "Registry" and self.edition.build == 14393:
                continue
            fixed.append(
                Program(image, pid, "Console" if session else "Services", session, draw.randrange(1200, 48000))
            )
            pid += 4 * draw.randrange(10, 40)
        return fixed

    def lsass_pid(self) -> int:
        """Return the number of lsass.exe."""
        return next(p.pid for p in self.processes if p.image == "lsass.exe")

    def service_pid(self, service: Service) -> int:
        """Return the process number of a service, 0 when it has none."""
        image = str(self.services.config(service.name, "ImagePath") or "")
        return self.lsass_pid() if service.pid and "lsass" in image else service.pid

    def service_image(self, name: str) -> str:
        """Return the file name of a service's program."""
        path = str(self.services.config(name, "ImagePath") or "").replace('"', "")
        return (
            path.lower().partition(".exe")[0].rsplit("\\", 1)[-1].join(("", ".exe"))
            if "svchost" in path.lower()
            else (path.partition(" -")[0].rsplit("\\", 1)[-1])
        )

    def running_programs(self) -> list[tuple[str, int, str, int, int, list[str]]]:
        """Return (image, pid, session, session id, kB, services) of every process, in the order of their numbers."""
        held: dict[int, list[str]] = {}
        for name in self.services.names():
            service = self.services.find(name)
            if service is not None and service.pid:
                held.setdefault(self.service_pid(service), []).append(service.name)
        known = {p.pid for p in self.processes}
        rows = [(p.image, p.pid, p.session, p.session_id, p.kilobytes, held.get(p.pid, [])) for p in self.processes]
        for pid, names in held.items():
            if pid not in known:
                size = 3000 + Random(f"{self.seed}/size/{pid}").randrange(30000)
                rows.append((self.service_image(names[0]), pid, "Services", 0, size, names))
        return [*rows[:2], *sorted(rows[2:], key=lambda row: row[1])]

    def dynamic_port(self, owner: str) -> int:
        """Return the RPC port of a program, the same whenever asked."""
        if owner not in self._dynamic:
            self._dynamic[owner] = 49664 + len(self._dynamic)
        return self._dynamic[owner]

    def kill(self, pid: int) -> bool:
        """End a process; False when there is none, or Windows refuses."""
        if pid in {0, 4} or any(
            p.pid == pid and p.image in {"csrss.exe", "lsass.exe", "wininit.exe"} for p in self.processes
        ):
            return False
        before = len(self.processes)
        self.processes = [p for p in self.processes if p.pid != pid]
        done = self.services.kill(pid) or len(self.processes) < before or self.killed(pid)
        if done:
            self.note("killed", pid=pid)
        return done

    # -- services and the RDP listener ------------------------------------------------------------------------

    def _service_changed(self, service: Service) -> None:
        entered = "running" if service.state == RUNNING else "stopped"
        self.note("service", name=service.name, state=entered)
        display = self.services.display_name(service.name)
        self.event(
            "System",
            SCM,
            7036,
            4,
            f"The {display} service entered the {entered} state.",
            param1=display,
            param2=entered,
        )
        if service.state == RUNNING:
            self._bind(service)
        else:
            self._unbind(service)
        if service.name == "TermService":
            if service.state == RUNNING:
                self.read_listener()
                self._listener_event()
            else:
                self.listener = None
        if service.name in {"TermService", "SessionEnv"} and service.state == RUNNING:
            self._look_at_store()

    def _bind(self, service: Service) -> None:
        """Give a service the port it wants, when nobody has it."""
        use = self.port_uses.get(service.name.lower())
        port = use.port(self.registry) if use else None
        if port is not None and port not in self.bound and self.listens() != port:
            self.bound[port] = service.name.lower()

    def _unbind(self, service: Service) -> None:
        self.bound = {port: name for port, name in self.bound.items() if name != service.name.lower()}
        _, actions = failure_actions.unpack(self.services.config(service.name, "FailureActions"))
        if service.exit_code == 1067 and actions and actions[0][0] == failure_actions.RESTART:
            self.later(actions[0][1] / 1000, lambda: self._revive(service.name))
        guard = self.guards.get(service.name.lower())
        if guard is not None:
            self.later(self.random("guards").uniform(3.0, 15.0), lambda: self._guard(guard, service.name))

    def _guard(self, guard: str, name: str) -> None:
        """Let a watchdog service start what it watches, if it still runs itself."""
        service = self.services.find(guard)
        if service is not None and service.state == RUNNING:
            self._revive(name)

    def _revive(self, name: str) -> None:
        """Start a service that is stopped."""
        service = self.services.find(name)
        if service is not None and service.state == STOPPED and self.power == "on":
            self.services.start(name, self.now)

    def _listener_event(self) -> None:
        log = f"{RCM}/Operational"
        if self.listener is not None and self.listener.taken:
            text = "Listener RDP-Tcp failed while listening. The error code returned was 0x80072740."
            self.event(log, RCM, 260, 2, text, listenerName="RDP-Tcp", errorCode="0x80072740")
        else:
            self.event(log, RCM, 258, 4, "Listener RDP-Tcp has started listening", listenerName="RDP-Tcp")

    def _look_at_store(self) -> None:
        """Let SessionEnv look at its store in some seconds (rdp-repair.md 0.3)."""
        self.later(self.random("certificate service").uniform(1.0, 4.0), lambda: rdp_certificate.heal(self))

    def _registry_written(self, path: str, value: str | None, what: str) -> None:
        self.note("registry", path=path, value=value, what=what)
        if path.lower().startswith(stores.path(stores.REMOTE_DESKTOP).lower()) and what.startswith("deleted"):
            self._look_at_store()

    def schannel(self) -> frozenset[Tls]:
        """Return the TLS versions Schannel's server side offers, by the registry as it is now.

        The table of rdp-repair.md 2.5: nothing set means the default of this Windows; Enabled 0 is off;
        DisabledByDefault other than 0 is off by default, which for RDP is off; Enabled other than 0 alone is on.
        """
        offered = set[Tls]()
        for tls, folder in PROTOCOLS.items():
            path = rf"{SCHANNEL}\Protocols\{folder}\Server"
            enabled, by_default = self.registry.number(path, "Enabled"), self.registry.number(path, "DisabledByDefault")
            if enabled == 0 or by_default:
                continue
            if enabled is not None or tls in self.edition.tls:
                offered.add(tls)
        if self.edition.build < 20348:
            offered.discard("TLSv1.3")  # the value may be set there, the protocol is not in the product
        return frozenset(offered)

    def read_listener(self) -> None:
        """Let TermService read its configuration, as it does when it starts.

        A second variant, where Schannel's values count only after a restart of the VM, is wanted: it belongs here, by
        keeping the set read at boot (rdp-repair.md 2.5 leaves open which is true, "reboot if the probe still fails").
        """
        policy = self.registry.number(baseline.POLICY, "fDenyTSConnections")
        own = self.registry.number(TERMINAL_SERVER, "fDenyTSConnections")
        deny = policy if policy is not None else own
        layer, nla = self._policy_or_own("SecurityLayer", 2), self._policy_or_own("UserAuthentication", 1)
        port = self.registry.number(RDP_TCP, "PortNumber")
        denied = deny is None or deny != 0
        number = 3389 if port is None else port
        found = rdp_certificate.choose(self)
        taken = number in self.bound or is_excluded(self.seed, number)
        self.listener = Listener(number, denied, layer, bool(nla), self.schannel(), found, taken)

    def _policy_or_own(self, value: str, default: int) -> int:
        policy, own = self.registry.number(baseline.POLICY, value), self.registry.number(RDP_TCP, value)
        return policy if policy is not None else own if own is not None else default

    def listens(self) -> int | None:
        """Return the port TermService listens on now, or None."""
        service = self.services.find("TermService")
        running = self.power == "on" and service is not None and service.state == RUNNING
        if not running or self.listener is None or self.listener.denied or self.listener.taken:
            return None
        return self.listener.port

    def port_owner(self, port: int) -> str | None:
        """Return the service that listens on a TCP port: TermService, or one of ``port_uses``; None for nobody."""
        if self.power != "on":
            return None
        if self.listens() == port:
            return "TermService"
        name = self.bound.get(port)
        service = self.services.find(name) if name else None
        return service.name if service is not None else None

    def rdp_port(self, port: int = 3389, *, inside: bool = False) -> RdpPort:
        """Return what stands behind a TCP port of the VM now, as a client outside sees it.

        ``inside``: as the VM itself does, since Windows' firewall lets through what goes to 127.0.0.1.
        """
        owner = self.port_owner(port)
        if owner is None or (self.listener is None and owner == "TermService"):
            return RdpPort("closed")
        image = str(self.services.config(owner, "ImagePath") or "").partition(" -k ")[0].replace('"', "")
        if not inside and not firewall.lets_in(self.registry, port, image.partition(".exe ")[0], owner):
            return RdpPort("silent")
        if owner != "TermService" or self.listener is None:
            return RdpPort(self.port_uses[owner.lower()].answers)
        found = self.listener.credential
        no_tls = self._no_tls if not self.listener.tls else self._no_certificate if found.held is None else "reset"
        how = cast(Literal["failure 2", "failure 3", "reset"], no_tls)
        pair = self._installed or (found.pem, found.key_pem)
        return RdpPort("rdp", self.listener.tls, how, self.listener.nla, *pair)

    def open_ports(self) -> tuple[int, ...]:
        """Return the TCP ports a client outside may find something on, RDP's own place 3389 always among them."""
        moved = self.listens()
        return tuple(sorted({3389, *self.bound, *([moved] if moved is not None else [])}))

    def install_certificate(self, certificate_pem: bytes, key_pem: bytes) -> None:
        """Let the listener present this certificate, whatever the stores hold; for tests of the network side."""
        self._installed = (certificate_pem, key_pem)

    def rdp_attempt(self, now: float, *, tls_failed: bool, client: str = "127.0.0.1") -> None:
        """Be told by the RDP port that a client came, and whether its TLS handshake failed: the event log shows it."""
        self.advance(now)
        self.event(f"{RCM}/Operational", RCM, 261, 4, "Listener RDP-Tcp received a connection", listenerName="RDP-Tcp")
        if not tls_failed or self.listener is None:
            return
        if not self.listener.tls:
            text = "A fatal error occurred while creating a TLS server credential. The internal error state is 10013."
            self.event("System", "Schannel", 36871, 2, text, Type="server", ErrorState="10013")
        elif self.listener.credential.held is None:
            text = (
                "No suitable default server credential exists on this system. This will prevent server applications "
                "that expect to make use of the system default credentials from accepting SSL connections."
            )
            self.event("System", "Schannel", 36886, 3, text)
        elif self.listener.credential.key != "usable":
            status = "0x8009030D" if self.listener.credential.key == "denied" else "0x80090016"
            text = (
                "A fatal error occurred when attempting to access the TLS server credential private key. The error "
                f"code returned from the cryptographic module is {status}. The internal error state is 10001."
            )
            self.event(
                "System", "Schannel", 36870, 2, text, Type="server", ErrorCode=status.lower(), ErrorStatus="10001"
            )
        else:
            text = (
                "An TLS 1.2 connection request was received from a remote client application, but none of the "
                "cipher suites supported by the client application are supported by the server. The TLS connection "
                "request has failed."
            )
            self.event("System", "Schannel", 36874, 2, text, Protocol="TLS 1.2")
        self.note("tls failed", client=client)

    # -- power ------------------------------------------------------------------------------------------------

    def request_power(self, what: str, at: float) -> None:
        """Ask for "restart" or "shutdown" at a time; the line behind which the VM stands carries it out."""
        self.power_requests.append((what, at))
        self.note("power requested", what=what, at=at)

    def boot(self, now: float) -> None:
        """Come up anew: services by their start types, event log, listener read again."""
        self.now, self.booted, self.power, self.power_requests = max(self.now, now), now, "on", []
        self._timers.clear()
        running = baseline.running_after_boot()
        started = [
            name for name in self.services.names() if self.services.start_type(name) == 2 and name not in running
        ]
        self.services.boot([*running, *started], now)
        self.bound = {}
        for name in self.port_uses:
            if (holder := self.services.find(name)) is not None and holder.state == RUNNING:
                self._bind(holder)
        self.read_listener()
        self._look_at_store()
        if (service := self.services.find("TermService")) and service.state != RUNNING:
            self.listener = None
        self._old_events()
        self.note("booted")

    # -- what outlives a run ----------------------------------------------------------------------------------

    def state(self) -> dict[str, object]:
        """Return all that outlives a run as JSON-able data; a read-only diagnosis leaves it equal."""
        return {
            "registry": self.registry.dump(),
            "services": self.services.state(),
            "files": {
                entry.path: None if entry.data is None else hashlib.sha256(entry.data).hexdigest()
                for entry in sorted(self.files.entries.values(), key=lambda each: each.path)
            },
            "security": {
                entry.path: entry.security.sddl()
                for entry in sorted(self.files.entries.values(), key=lambda each: each.path)
                if entry.security is not None
            },
            "certificates": [
                [store, held.thumbprint]
                for store in (stores.REMOTE_DESKTOP, stores.MY)
                for held in stores.held(self.registry, store)
            ],
            "accounts": {name: dict(account) for name, account in self.accounts.items()},
            "tasks": {name: dict(task) for name, task in self.tasks.items()},
            "power": self.power,
        }


def _password(random: Random) -> str:
    """Draw 20 to 28 mixed characters without those a shell or a percent sign would change."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+=@#")
    found = [random.choice(kind) for kind in kinds]
    found += [random.choice("".join(kinds)) for _ in range(random.randrange(16, 25))]
    random.shuffle(found)
    return "".join(found)
