r"""The VM's services: what the service control manager knows and does.

The configuration is the registry's (``HKLM\SYSTEM\CurrentControlSet\Services``); here is what runs. Starting and
stopping take time, so pending states can be seen. Error numbers and their rules are common knowledge; real outputs
with 1053, 1062 and STOP_PENDING are described in output-formats.md.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from serialfix.simulator.registry import Key, Registry

ROOT = r"HKLM\SYSTEM\CurrentControlSet\Services"
STOPPED, START_PENDING, STOP_PENDING, RUNNING = 1, 2, 3, 4
STATES = {1: "STOPPED", 2: "START_PENDING", 3: "STOP_PENDING", 4: "RUNNING"}
UNSTOPPABLE = frozenset(
    {"rpcss", "rpceptmapper", "dcomlaunch", "samss", "plugplay", "power", "brokerinfrastructure", "lsm", "gpsvc"}
    | {"systemeventsbroker", "coremessagingregistrar"}
)
# Groups whose services share one process on every build; "websvcs" is not Windows' own.
SHARED = frozenset({"rpcss", "localservicenonetworkfirewall", "dcomlaunch", "websvcs"})

ERRORS = {
    5: "Access is denied.",
    87: "The parameter is incorrect.",
    1051: "A stop control has been sent to a service that other running services are dependent on.",
    1052: "The requested control is not valid for this service.",
    1053: "The service did not respond to the start or control request in a timely fashion.",
    1056: "An instance of the service is already running.",
    1073: "The specified service already exists.",
    1058: "The service cannot be started, either because it is disabled or because it has no enabled devices "
    "associated with it.",
    1060: "The specified service does not exist as an installed service.",
    1061: "The service cannot accept control messages at this time.",
    1062: "The service has not been started.",
    1068: "The dependency service or group failed to start.",
    1077: "No attempts to start the service have been made since the last boot.",
}


@dataclass(slots=True)
class Service:
    """One service as it runs now: ``until`` when a pending state ends; ``exit_code``, Win32, of its last end."""

    name: str
    state: int = STOPPED
    pid: int = 0
    until: float | None = None
    exit_code: int = 1077


class Services:
    """All services. ``changed(service)`` is called when one reaches RUNNING or STOPPED."""

    def __init__(self, registry: Registry, random: Random, new_pid: Callable[[], int]) -> None:
        self._registry = registry
        self._random = random
        self._new_pid = new_pid
        self._running: dict[str, Service] = {}
        self.changed: Callable[[Service], None] = lambda service: None
        self.unstoppable: set[str] = set()

    def _key(self, name: str) -> Key | None:
        return self._registry.key(f"{ROOT}\\{name}")

    def config(self, name: str, value: str) -> object:
        """Return a configuration value from the registry, or None."""
        return self._registry.get(f"{ROOT}\\{name}", value)

    def names(self) -> list[str]:
        """Return the key names of all services (not drivers), sorted."""
        key = self._registry.key(ROOT)
        subs = key.keys.values() if key else ()
        return sorted((s.name for s in subs if int(self.config(s.name, "Type") or 0) & 0x30), key=str.lower)  # type: ignore[call-overload]

    def find(self, name: str) -> Service | None:
        """Return a service by its key name (any case), or None."""
        key = self._key(name) if name and "\\" not in name else None
        if key is None or "type" not in key.values or not int(key.values["type"].data) & 0x30:  # type: ignore[arg-type]
            return None
        return self._running.setdefault(key.name.lower(), Service(key.name))

    def true_name(self, name: str) -> str:
        """Return a service's key name as it was made."""
        service = self.find(name)
        return service.name if service else name

    def by_display_name(self, name: str) -> Service | None:
        """Return a service by key name or display name, as ``net`` looks it up."""
        found = self.find(name)
        if found is not None:
            return found
        for each in self.names():
            if str(self.config(each, "DisplayName") or each).lower() == name.lower():
                return self.find(each)
        return None

    def display_name(self, name: str) -> str:
        """Return the display name, or the key name when it has none."""
        return str(self.config(name, "DisplayName") or name)

    def depends_on(self, name: str) -> tuple[str, ...]:
        """Return the names of the services this one needs."""
        data = self.config(name, "DependOnService")
        return data if isinstance(data, tuple) else ()

    def dependents(self, name: str, *, running: bool = False) -> list[Service]:
        """Return the services that need this one, directly or not, those to be stopped first first."""
        found: list[Service] = []
        for each in self.names():
            if name.lower() in (needed.lower() for needed in self.depends_on(each)):
                service = self.find(each)
                for item in [*self.dependents(each), *([service] if service else [])]:
                    if item not in found and (not running or item.state != STOPPED):
                        found.append(item)
        return found

    def in_process(self, pid: int) -> list[str]:
        """Return the names of the services a process holds, sorted."""
        return sorted((s.name for s in self._running.values() if s.pid == pid and pid), key=str.lower)

    def _host(self, name: str) -> str | None:
        """Name the process a service shares; None: one of its own. RpcEptMapper and RpcSs share one on every build."""
        image = str(self.config(name, "ImagePath") or "").lower()
        if "lsass" in image:
            return "lsass"
        group = image.partition(" -k ")[2].split(" ")[0]
        return group if group in SHARED else None

    def _pid_for(self, name: str) -> int:
        host = self._host(name)
        if host:
            for service in self._running.values():
                if service.pid and self._host(service.name) == host:
                    return service.pid
        return self._new_pid()

    def boot(self, names: Iterable[str], now: float) -> None:
        """Set the named services running at once, without events: the state long after a boot."""
        self._running.clear()
        for name in names:
            if self.start_type(name) != 4:
                self.set_running(name)
        del now

    def set_running(self, name: str) -> None:
        """Set one service running at once, without events."""
        service = self.find(name)
        if service is not None:
            service.pid = self._pid_for(name)
            service.state, service.exit_code, service.until = RUNNING, 0, None

    def set_stopped(self, name: str) -> None:
        """Set one service stopped at once, without events."""
        service = self.find(name)
        if service is not None:
            service.state, service.pid, service.until = STOPPED, 0, None

    def start_type(self, name: str) -> int:
        """Return the start type: 2 automatic, 3 demand, 4 disabled."""
        start = self.config(name, "Start")
        return start if isinstance(start, int) else 3

    def start(self, name: str, now: float) -> int:
        """Ask for a start; return 0 or the Win32 error. What it needs is started first."""
        service = self.find(name)
        if service is None:
            return 1060
        if service.state in {RUNNING, START_PENDING}:
            return 1056
        if service.state == STOP_PENDING:
            return 1061
        if self.start_type(name) == 4:
            return 1058
        begin = now  # a needed service comes up first
        for needed in self.depends_on(name):
            other = self.find(needed)
            if other is None:
                continue
            if other.state == STOP_PENDING or (other.state == STOPPED and self.start(needed, now)):
                return 1068
            begin = max(begin, other.until or 0.0)
        service.state, service.pid = START_PENDING, self._pid_for(service.name)
        service.until = begin + self._random.uniform(0.2, 1.2)
        return 0

    def stop(self, name: str, now: float) -> int:
        """Ask for a stop; return 0 or the Win32 error."""
        service = self.find(name)
        if service is None:
            return 1060
        if service.state == STOPPED:
            return 1062
        if service.state != RUNNING:
            return 1061
        if not self.can_stop(service):
            return 1052
        if self.dependents(name, running=True):
            return 1051
        service.state, service.until = STOP_PENDING, now + self._random.uniform(0.5, 2.5)
        return 0

    def can_stop(self, service: Service) -> bool:
        """Say whether a running service takes a stop."""
        return service.name.lower() not in UNSTOPPABLE | self.unstoppable

    def kill(self, pid: int) -> bool:
        """End the process: what it holds is stopped with an unexpected end."""
        held = [s for s in self._running.values() if s.pid == pid and pid]
        for service in held:
            service.state, service.pid, service.until, service.exit_code = STOPPED, 0, None, 1067
            self.changed(service)
        return bool(held)

    def due(self) -> float | None:
        """Return when the next pending state ends, or None."""
        return min((s.until for s in self._running.values() if s.until is not None), default=None)

    def advance(self, now: float) -> None:
        """End the pending states whose time has come, in their order."""
        ready = [s for s in self._running.values() if s.until is not None and s.until <= now]
        for service in sorted(ready, key=lambda each: each.until or 0.0):
            service.until = None
            if service.state == START_PENDING:
                service.state, service.exit_code = RUNNING, 0
            else:
                service.state, service.pid, service.exit_code = STOPPED, 0, 0
            self.changed(service)

    def state(self) -> dict[str, dict[str, object]]:
        """Return state and start type of every service, without processes."""
        return {
            name: {"state": STATES[service.state], "start": self.start_type(name)}
            for name in self.names()
            if (service := self.find(name)) is not None
        }
