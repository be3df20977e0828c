"""The pretended Azure subscription around the VM: its ids, its power, the console's switches. State and time, no I/O.

Power states and what they allow: azure-serial-console.md 1.5 and 6. Ids are drawn from the seed, and none holds "ws"
or "/client", because ``az`` replaces those in the whole gateway URL (3). Times are seconds since 1970.
"""

import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Power = Literal["running", "stopped", "deallocated", "starting", "stopping", "deallocating"]
Act = Literal["start", "powerOff", "deallocate", "restart", "redeploy"]
DiskAct = Literal["make snapshot", "delete snapshot"]

LOCATIONS = ("westeurope", "northeurope", "eastus2", "germanywestcentral")

# While it lasts, and after it.
_COURSE: dict[Act | DiskAct, tuple[Power, Power]] = {
    "start": ("starting", "running"),
    "powerOff": ("stopping", "stopped"),
    "deallocate": ("deallocating", "deallocated"),
    "restart": ("running", "running"),
    "redeploy": ("starting", "running"),
}

ALLOW_RDP: dict[str, Any] = {
    "protocol": "Tcp",
    "sourcePortRange": "*",
    "destinationPortRange": "3389",
    "sourceAddressPrefix": "*",
    "destinationAddressPrefix": "*",
    "access": "Allow",
    "priority": 300,
    "direction": "Inbound",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """A long-running operation, from ``began`` to ``ends`` at the earliest."""

    id: str
    act: Act | DiskAct
    began: float
    ends: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot of the OS disk, complete when ``made`` has ended. It holds nothing: only Azure's side is played."""

    name: str
    made: Operation
    incremental: bool
    tags: dict[str, str]


@dataclass(slots=True)
class Subscription:
    """One subscription with one resource group with one VM, and what may be changed about them.

    ``on_power`` is told each act on the VM's power as it begins, ``settled`` says whether the VM has got there,
    ``shut_down`` whether it is off by its own doing; ``lasts`` is how long an operation takes at least, in seconds.
    """

    seed: int
    vm: str
    windows: str
    user: str = "azureuser"
    on_power: Callable[[Act], None] = lambda act: None
    settled: Callable[[Act | DiskAct], bool] = lambda act: True
    shut_down: Callable[[], bool] = lambda: False
    lasts: float = 2.0
    boot_diagnostics: bool = True
    console_disabled: bool = False
    port_enabled: bool = True
    operations: dict[str, Operation] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=lambda: {"RDP": dict(ALLOW_RDP)})
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    id: str = field(init=False)
    tenant: str = field(init=False)
    vm_id: str = field(init=False)
    group: str = field(init=False)
    location: str = field(init=False)
    _after: Power = field(init=False, default="running")
    _over: set[str] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        draw = random.Random(f"subscription {self.seed}")
        self.id, self.tenant, self.vm_id = (str(uuid.UUID(int=draw.getrandbits(128), version=4)) for _ in range(3))
        self.group = f"rg-{draw.choice(('payroll', 'intranet', 'erp', 'files', 'build'))}"
        self.location = draw.choice(LOCATIONS)

    def current(self, now: float) -> Operation | None:
        """The operation on the VM that is running at ``now``."""
        running = (each for each in self.operations.values() if each.act in _COURSE and not self.over(each, now))
        return next(running, None)

    def over(self, operation: Operation, now: float) -> bool:
        """Whether ``operation`` has ended at ``now``. It stays so, whatever happens to the VM later."""
        if operation.id not in self._over and now >= operation.ends and self.settled(operation.act):
            self._over.add(operation.id)
        return operation.id in self._over

    def power(self, now: float) -> Power:
        """The power state at ``now``, as in ``PowerState/<this>``."""
        running = self.current(now)
        if running is not None:
            return _COURSE[running.act][0]
        # Shut down from inside: Azure calls it stopped, and still charges for it.
        return "stopped" if self._after == "running" and self.shut_down() else self._after

    def begin(self, act: Act, now: float) -> Operation:
        """Begin ``act``. The VM feels it at once, ARM reports its end ``lasts`` seconds later."""
        operation = self.note(act, now)
        self._after = _COURSE[act][1]
        self.on_power(act)
        return operation

    def note(self, act: Act | DiskAct, now: float) -> Operation:
        """Begin an operation that is nothing but time."""
        operation = Operation(str(uuid.uuid4()), act, now, now + self.lasts)
        self.operations[operation.id] = operation
        return operation

    def choice(self, name: str, *variants: Any) -> Any:
        """One of ``variants``, the same one each time for this seed: where no source says which is true."""
        return random.Random(f"{self.seed} {name}").choice(variants)
