"""Get-, Stop-, Start-, Restart- and Set-Service.

Without -Force a service with running dependents is not stopped, and with it they stay stopped (rdp-repair.md 2.8 T05);
Restart-Service starts again the dependents it stopped. Texts: failures/18 and common knowledge.
"""

from collections.abc import Generator

from serialfix.simulator.commands.sc import GUARDED
from serialfix.simulator.powershell.binding import Bound, Cmdlet
from serialfix.simulator.powershell.errors import Record
from serialfix.simulator.powershell.operators import wildcard
from serialfix.simulator.powershell.values import Obj, Value, each, text
from serialfix.simulator.programs import Request, Sleep
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.services import ERRORS, ROOT, RUNNING, START_PENDING, STOP_PENDING, STOPPED, Service
from serialfix.simulator.vm import Vm

Out = Generator[Request, str, list[Value]]
KIND = "System.ServiceProcess.ServiceController"
_STATES = {1: "Stopped", 2: "StartPending", 3: "StopPending", 4: "Running"}
_STARTS = {0: "Boot", 1: "System", 2: "Automatic", 3: "Manual", 4: "Disabled"}


def service_object(vm: Vm, service: Service) -> Obj:
    """Return a service as Get-Service gives it."""
    services = vm.services

    def related(names: list[str]) -> list[Value]:
        return [service_object(vm, found) for name in names if (found := services.find(name)) is not None]

    config = services.config(service.name, "Type")
    return Obj(
        KIND,
        {
            "Name": service.name,
            "RequiredServices": lambda: related(list(services.depends_on(service.name))),
            "CanPauseAndContinue": False,
            "CanShutdown": lambda: service.state == RUNNING and services.can_stop(service),
            "CanStop": lambda: service.state == RUNNING and services.can_stop(service),
            "DisplayName": services.display_name(service.name),
            "DependentServices": lambda: related([each_one.name for each_one in services.dependents(service.name)]),
            "MachineName": ".",
            "ServiceName": service.name,
            "ServicesDependedOn": lambda: related(list(services.depends_on(service.name))),
            "Status": lambda: _STATES[service.state],
            "ServiceType": "Win32ShareProcess" if config == 0x20 else "Win32OwnProcess",
            "StartType": lambda: _STARTS.get(services.start_type(service.name), ""),
        },
        service.name,
        source=service,
    )


def _chosen(bound: Bound) -> list[Service]:
    """Return the services a call names; errors for those there are not."""
    services, found = bound.evaluator.vm.services, list[Service]()
    given = [item for item in bound.given if not bound.first] or each(bound.get("InputObject"))
    names = bound.many("Name") + [item for item in given if isinstance(item, str)]
    found += [item.source for item in given if isinstance(item, Obj) and item.kind == KIND]
    for name in names:
        hits = [s for n in services.names() if wildcard(name, n) and (s := services.find(n)) is not None]
        if not hits and not set("*?[") & set(name):
            _unknown(bound, name)
        found += hits
    for name in bound.many("DisplayName"):
        hits = [s for n in services.names() if wildcard(name, services.display_name(n)) and (s := services.find(n))]
        if not hits and "*" not in name:
            _unknown(bound, name)
        found += hits
    return found


def _unknown(bound: Bound, name: str) -> None:
    command = bound.cmdlet.name.replace("-", "")
    bound.fail(
        Record(
            f"Cannot find any service with service name '{name}'.",
            "ObjectNotFound",
            f"{name}:String",
            bound.cmdlet.name,
            "ServiceCommandException",
            f"NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.{command}Command",
        )
    )


def _get(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    if not bound.values.keys() & {"name", "displayname", "inputobject"} and bound.first:
        found = [s for name in vm.services.names() if (s := vm.services.find(name)) is not None]
    else:
        found = _chosen(bound)
    if bound.flag("DependentServices"):
        found = [dependent for service in found for dependent in vm.services.dependents(service.name)]
    return [service_object(vm, service) for service in found]


def _refuse(bound: Bound, service: Service, verb: str, kind: str, message: str) -> None:
    command = bound.cmdlet.name.replace("-", "")
    category = "OpenError" if verb == "start" else "CloseError"
    bound.fail(
        Record(
            message,
            category,
            "System.ServiceProcess.ServiceController:ServiceController",
            bound.cmdlet.name,
            "ServiceCommandException",
            f"{kind},Microsoft.PowerShell.Commands.{command}Command",
        )
    )


def _named(bound: Bound, service: Service) -> str:
    return f"{bound.evaluator.vm.services.display_name(service.name)} ({service.name})"


def _wait(bound: Bound, service: Service, wanted: int, verb: str) -> Generator[Request, str, bool]:
    """Wait for a state with a warning every two seconds, as the cmdlets do."""
    waited = 0.0
    shared = bound.evaluator.shared
    while service.state != wanted and service.state in {START_PENDING, STOP_PENDING}:
        yield Sleep(0.25)
        waited += 0.25
        if waited % 2 == 0:
            shared.streams.out(f"WARNING: Waiting for service '{_named(bound, service)}' to {verb}...\r\n")
        if waited > 120:
            break
    return service.state == wanted


def _stop_one(bound: Bound, service: Service) -> Generator[Request, str, list[Service] | None]:
    """Stop a service; return the dependents stopped with it, or None when it did not stop."""
    vm = bound.evaluator.vm
    stopped: list[Service] = []
    if service.state == STOPPED:
        return stopped
    name = _named(bound, service)
    if service.name.lower() in GUARDED and not bound.evaluator.shared.shell.token.is_system:
        _refuse(bound, service, "stop", "CouldNotStopService",
                f"Service '{name}' cannot be stopped due to the following error: Cannot open {service.name} service on "
                "computer '.'.")  # fmt: skip
        return None
    running = vm.services.dependents(service.name, running=True)
    if running and not bound.flag("Force"):
        _refuse(
            bound,
            service,
            "stop",
            "ServiceHasDependentServices",
            f"Cannot stop service '{name}' because it has dependent services. It can only be stopped if the Force flag "
            "is set.",
        )
        return None
    for each_one in [*running, service]:
        code = vm.services.stop(each_one.name, vm.now)
        if code in {0, 1061} and (yield from _wait(bound, each_one, STOPPED, "stop")):
            stopped += [each_one] if each_one is not service else []
            continue
        if code == 1062:
            continue
        _refuse(bound, each_one, "stop", "CouldNotStopService",
                f"Service '{_named(bound, each_one)}' cannot be stopped due to the following error: "
                f"Cannot stop {each_one.name} service on computer '.'.")  # fmt: skip
        return None
    return stopped


def _start_one(bound: Bound, service: Service) -> Generator[Request, str, bool]:
    vm = bound.evaluator.vm
    code = vm.services.start(service.name, vm.now)
    refused = service.name.lower() in GUARDED and not bound.evaluator.shared.shell.token.is_system
    if code == 1056:
        return True
    if (code and code != 1061) or refused or not (yield from _wait(bound, service, RUNNING, "start")):
        _refuse(
            bound,
            service,
            "start",
            "CouldNotStartService",
            f"Service '{_named(bound, service)}' cannot be started due to the following error: Cannot start service "
            f"{service.name} on computer '.'.",
        )
        bound.evaluator.vm.note("start refused", service=service.name, reason=ERRORS.get(code, ""))
        return False
    return True


def _stop(bound: Bound) -> Out:
    for service in _chosen(bound):
        if not bound.what_if:
            yield from _stop_one(bound, service)
    return []


def _start(bound: Bound) -> Out:
    for service in _chosen(bound):
        if not bound.what_if:
            yield from _start_one(bound, service)
    return []


def _restart(bound: Bound) -> Out:
    for service in _chosen(bound):
        stopped = yield from _stop_one(bound, service)
        if stopped is None:
            continue
        yield from _start_one(bound, service)
        for dependent in reversed(stopped):
            yield from _start_one(bound, dependent)
    return []


def _set(bound: Bound) -> Out:
    registry = bound.evaluator.vm.registry
    starts = {name.lower(): value for value, name in _STARTS.items()}
    for service in _chosen(bound):
        if service.name.lower() in GUARDED and not bound.evaluator.shared.shell.token.is_system:
            _refuse(bound, service, "set", "CouldNotSetService",
                    f"Service '{_named(bound, service)}' cannot be configured due to the following error: Access is "
                    "denied")  # fmt: skip
            continue
        kind = bound.text("StartupType").lower()
        if kind in starts:
            registry.set(f"{ROOT}\\{service.name}", "Start", REG_DWORD, starts[kind])
        status = text(bound.get("Status")).lower()
        if status == "running":
            yield from _start_one(bound, service)
        elif status == "stopped":
            yield from _stop_one(bound, service)
    return []


_NAMED = {"Name": True, "DisplayName": True, "InputObject": True, "Force": False, "PassThru": False, "Include": True,
          "Exclude": True}  # fmt: skip
CMDLETS = (
    Cmdlet("Get-Service", _NAMED | {"DependentServices": False, "RequiredServices": False, "ComputerName": True},
           ("Name",), _get),
    Cmdlet("Stop-Service", _NAMED | {"NoWait": False}, ("Name",), _stop, ("Name",)),
    Cmdlet("Start-Service", _NAMED, ("Name",), _start, ("Name",)),
    Cmdlet("Restart-Service", _NAMED, ("Name",), _restart, ("Name",)),
    Cmdlet("Set-Service", _NAMED | {"StartupType": True, "Status": True}, ("Name",), _set, ("Name",)),
)  # fmt: skip
