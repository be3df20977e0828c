r"""Another program on RDP's port: a service of its own in a user's path, or one inside a shared svchost.

What such a squatter looks like and what stops it: rdp-repair.md 2.2 and 0a.7 (user path, dependents, watchdogs,
NOT_STOPPABLE). The names are invented.
"""

from dataclasses import dataclass
from random import Random

from serialfix.simulator import failure_actions, firewall
from serialfix.simulator.firewall import Rule
from serialfix.simulator.port_use import Answers, PortUse
from serialfix.simulator.registry import REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ
from serialfix.simulator.services import ROOT
from serialfix.simulator.vm import Vm

SHARED = r"%SystemRoot%\System32\svchost.exe -k WebSvcs"


@dataclass(frozen=True, slots=True)
class Squatter:
    """A program that takes the port. ``companion``: a service beside it in its svchost, or one that needs it."""

    service: str
    display: str
    image: str
    answers: Answers
    companion: tuple[str, str] | None = None


OWN = (
    Squatter("NodeStatus", "Node Status Page", r"C:\Users\{user}\AppData\Roaming\nodestatus\nodestatus.exe", "http"),
    Squatter(
        "DeskBridge", "Desk Bridge Server", r"C:\Users\Public\deskbridge\bridge.exe", "foreign",
        ("DeskBridgeUpdate", "Desk Bridge Updater"),
    ),
    Squatter(
        "RelayHost", "Relay Host", r"C:\Users\{user}\Desktop\relay\relayhost.exe", "foreign",
        ("RelayLog", "Relay Host Logging"),
    ),
)  # fmt: skip
INSIDE = (
    Squatter("StatusPortal", "Status Portal Web Service", SHARED, "http", ("StatusCache", "Status Portal Cache")),
    Squatter("InvWeb", "Inventory Web Listener", SHARED, "http", ("InvSync", "Inventory Synchronization")),
)


def _register(vm: Vm, name: str, display: str, image: str, needs: tuple[str, ...]) -> None:
    path, registry = f"{ROOT}\\{name}", vm.registry
    shared = "svchost" in image
    for value, number in (("Type", 0x20 if shared else 0x10), ("Start", 2), ("ErrorControl", 1)):
        registry.set(path, value, REG_DWORD, number)
    registry.set(path, "ImagePath", REG_EXPAND_SZ, image)
    registry.set(path, "DisplayName", REG_SZ, display)
    registry.set(path, "ObjectName", REG_SZ, "LocalSystem")
    if needs:
        registry.set(path, "DependOnService", REG_MULTI_SZ, needs)
    if shared:
        registry.set(path + r"\Parameters", "ServiceDll", REG_EXPAND_SZ, rf"%SystemRoot%\System32\{name.lower()}.dll")
    else:
        vm.files.make_folder(image.rpartition("\\")[0], vm.booted)
        vm.files.write(image, b"MZ" + name.encode(), vm.booted)


def squat(vm: Vm, random: Random, port: int = 3389) -> Squatter:
    """Install a squatter, let it run and take the port before TermService; return it."""
    inside = random.random() < 0.5
    found = random.choice(INSIDE if inside else OWN)
    image = found.image.format(user=vm.user)
    _register(vm, found.service, found.display, image, ())
    vm.registry.set(f"{ROOT}\\{found.service}\\Parameters", "Port", REG_DWORD, port)
    vm.port_uses[found.service.lower()] = PortUse(found.service, found.answers)
    if found.companion is not None:
        name, display = found.companion
        path = image if inside else image.rpartition("\\")[0] + f"\\{name.lower()}.exe"
        _register(vm, name, display, path, () if inside else (found.service,))
    rule = Rule(
        f"{found.service}-In", found.display, protocol="6", ports=str(port), program=image.partition(" -k ")[0],
        service=found.service if inside else "",
    )  # fmt: skip
    firewall.put(vm.registry, rule)
    vm.services.set_running(found.service)
    if found.companion is not None:
        vm.services.set_running(found.companion[0])
    vm.bound[port] = found.service.lower()
    vm.read_listener()
    return found


def make_stubborn(vm: Vm, found: Squatter, random: Random) -> None:
    """Let the squatter take no stop, or come back: by a watchdog service, and by the recovery actions when killed."""
    actions = failure_actions.pack(86400, [(failure_actions.RESTART, 5000)] * 3)
    if random.random() < 0.5:
        vm.services.unstoppable.add(found.service.lower())
        vm.registry.set(f"{ROOT}\\{found.service}", "FailureActions", REG_BINARY, actions)
        return
    guard = found.service + "Guard"
    folder = "C:\\ProgramData\\" + found.service.lower()
    _register(vm, guard, found.display + " Guard", rf"{folder}\guard.exe", ())
    vm.services.set_running(guard)
    vm.guards[found.service.lower()] = guard
