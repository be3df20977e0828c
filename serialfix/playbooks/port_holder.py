"""Who holds the port, and what stopping it would cost: said before anybody chooses (rdp-repair.md 0a.7).

Some holders are never stopped: Windows' own processes, http.sys (many sites), the port proxy of iphlpsvc (may be a jump
host on purpose), and what is no service at all.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from serialfix import quoting
from serialfix.steps import Step, Unknown, look
from serialfix.windows import port_probes, probes
from serialfix.windows.port_probes import Setup
from serialfix.windows.services import Service
from serialfix.windows.tasklist import Process

SYSTEM = 4
"""The process of http.sys: whatever it serves is many sites' (rdp-repair.md 0a.7)."""

UNTOUCHABLE = frozenset(
    ["lsass.exe", "services.exe", "csrss.exe", "wininit.exe", "smss.exe", "winlogon.exe", "system", "registry"]
) | frozenset(
    {"rpcss", "dcomlaunch", "rpceptmapper", "http", "w3svc", "lsm", "samss", "eventlog", "bfe", "mpssvc", "iphlpsvc"}
)
"""Programs and services that are never stopped, whatever they hold."""

MOST_SHARED = 6
"""How many services of one process are tried one by one; in a crowd that would stop half of Windows."""

_STARTED = {2: "by itself at boot", 3: "on demand", 4: "not at all (disabled)"}


@dataclass(frozen=True, slots=True)
class Held:
    """One service of the holder's process; what could not be read is ``Unknown``."""

    name: str
    setup: Setup | Unknown
    takes_stop: bool | Unknown
    dependents: tuple[Service, ...] | Unknown

    @property
    def running_dependents(self) -> tuple[str, ...]:
        """The services that need it and run, in the order in which they stop."""
        if isinstance(self.dependents, Unknown):
            return ()
        return tuple(other.name for other in self.dependents if other.state != "stopped")

    def __str__(self) -> str:
        setup, stop = self.setup, self.takes_stop
        parts = [f"its program could not be read ({setup.reason})" if isinstance(setup, Unknown) else setup.image]
        if not isinstance(setup, Unknown):
            parts.append(f"started {_STARTED.get(setup.start or 0, 'in an unusual way')}")
            parts.append(f"runs as {setup.account}" if setup.account else "")
        if isinstance(self.dependents, Unknown):
            parts.append(f"what needs it could not be read ({self.dependents.reason})")
        else:
            parts.append(f"needed by {', '.join(self.running_dependents) or 'nothing that runs'}")
        parts.append(
            f"whether it takes a stop could not be read ({stop.reason})"
            if isinstance(stop, Unknown)
            else "takes a stop"
            if stop
            else "takes no stop"
        )
        return f"service {self.name}: {'; '.join(part for part in parts if part)}"


@dataclass(frozen=True, slots=True)
class Holder:
    """A process on the port. ``ports``: all TCP ports it listens on; ``connections``: how many it has to ``port``."""

    process: Process
    port: int
    ports: tuple[int, ...] | Unknown
    connections: int
    services: tuple[Held, ...]

    @property
    def why_not(self) -> str:
        """Why it can't be stopped, or an empty string."""
        process = self.process
        names = [process.image, *(process.services or ())]
        if process.pid == SYSTEM or any(name.lower() in UNTOUCHABLE for name in names):
            return f"{process.image} (process {process.pid}) belongs to Windows and serves others, too"
        if not process.services:
            return f"{process.image} (process {process.pid}) is no service; who started it has to end it"
        if any(not _typable(name) for name in process.services):
            return f"{process.image} (process {process.pid}) holds a service whose name can't be typed safely"
        if len(process.services) > MOST_SHARED:
            count = len(process.services)
            return f"{process.image} (process {process.pid}) holds {count} services, too many to try them one by one"
        if all(held.takes_stop is False for held in self.services):
            names = [held.name for held in self.services]
            return f"{' and '.join(names)} {'take' if len(names) > 1 else 'takes'} no stop"
        return ""

    @property
    def advice(self) -> str:
        """What a person can do about it."""
        names = [name.lower() for name in self.process.services or ()]
        if self.process.pid == SYSTEM:
            return (
                "http.sys listens there for a web site or service. netsh http show servicestate view=requestq names "
                "the request queue and its process; take that one binding away there, never stop HTTP or W3SVC."
            )
        if "iphlpsvc" in names:
            return (
                "netsh interface portproxy show all shows the port proxy, which may be there on purpose; "
                f"netsh interface portproxy delete v4tov4 listenport={self.port} takes it away."
            )
        return "Stop that service, or move Remote Desktop or it to another port."

    def lines(self) -> tuple[str, ...]:
        """What stopping it would touch, in sentences."""
        pid, image = self.process.pid, self.process.image
        if isinstance(self.ports, Unknown):
            use = f"its ports could not be read ({self.ports.reason})"
        else:
            listed = ", ".join(str(port) for port in self.ports) or "no port"
            use = f"listens on {listed}; connections to port {self.port}: {self.connections}"
        names = ", ".join(self.process.services or ()) or "none"
        return (f"process {pid} is {image}, services: {names}; {use}", *(str(held) for held in self.services))


def read(pid: int, port: int) -> Generator[Step, Any, Holder | Unknown]:
    """Ask for all of it. Only who the process is has to be known; the rest may be Unknown."""
    process = yield from look(probes.process(pid))
    if isinstance(process, Unknown):
        return process
    rows = yield from look(port_probes.sockets_of(pid))
    ports: tuple[int, ...] | Unknown = rows if isinstance(rows, Unknown) else ()
    connections = 0
    if not isinstance(rows, Unknown):
        ports = tuple(sorted({row.port for row in rows if row.listens and row.port is not None}))
        connections = sum(row.protocol == "tcp" and not row.listens and row.port == port for row in rows)
    held = []
    names = process.services or ()
    for name in names if len(names) <= MOST_SHARED and all(_typable(name) for name in names) else ():
        setup = yield from look(port_probes.setup(name))
        dependents = yield from look(probes.dependents(name))
        takes_stop = yield from look(port_probes.stoppable(name))
        held.append(Held(name, setup, takes_stop, dependents))
    return Holder(process, port, ports, connections, tuple(held))


def _typable(name: str) -> bool:
    try:
        quoting.cmd(name)
    except ValueError:
        return False
    return True
