r"""``sc.exe``: query, queryex, qc, start, stop, config, enumdepend, sdshow, failure, create, delete.

The layout, with the blank after a state's name and the lines a state has, is that of the real outputs (sc-query/12 to
18 and failures/05 to 07, described in output-formats.md); ``start=`` and its blank: rdp-repair.md 1 C8.
"""

import re

from serialfix.simulator import failure_actions
from serialfix.simulator.programs import Process
from serialfix.simulator.registry import REG_BINARY, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ
from serialfix.simulator.services import (
    ERRORS,
    ROOT,
    RUNNING,
    START_PENDING,
    STATES,
    STOP_PENDING,
    STOPPED,
    Service,
)

_STARTS = {"boot": 0, "system": 1, "auto": 2, "demand": 3, "disabled": 4, "delayed-auto": 2}
_START_NAMES = {0: "BOOT_START", 1: "SYSTEM_START", 2: "AUTO_START", 3: "DEMAND_START", 4: "DISABLED"}


def failure(process: Process, function: str, code: int) -> int:
    """Print ``[SC] function FAILED n:`` and the sentence; return n."""
    process.line(f"[SC] {function} FAILED {code}:\r\n\r\n{ERRORS[code]}\r\n")
    return code


def _type(process: Process, name: str, *, configured: bool) -> str:
    kind = process.vm.services.config(name, "Type")
    number = kind if isinstance(kind, int) else 0x10
    if number & 0x20 and not configured and "svchost" in str(process.vm.services.config(name, "ImagePath")).lower():
        return "30  WIN32 "  # a service that runs in a svchost of its own shows both type bits
    return f"{number:x}  " + ("WIN32_SHARE_PROCESS " if number & 0x20 else "WIN32_OWN_PROCESS ")


def status(process: Process, service: Service, *, extended: bool, display: bool = False) -> None:
    """Print one service as ``sc query`` does, or ``sc queryex``."""
    line = process.line
    line()
    line(f"SERVICE_NAME: {service.name} ")
    if display:
        line(f"DISPLAY_NAME: {process.vm.services.display_name(service.name)}")
    line(f"        TYPE               : {_type(process, service.name, configured=False)} ")
    line(f"        STATE              : {service.state}  {STATES[service.state]} ")
    if service.state != STOPPED:
        stoppable = (
            "STOPPABLE" if process.vm.services.can_stop(service) and service.state != START_PENDING else "NOT_STOPPABLE"
        )
        ends = "ACCEPTS_SHUTDOWN" if service.state == RUNNING and stoppable == "STOPPABLE" else "IGNORES_SHUTDOWN"
        line(f"                                ({stoppable}, NOT_PAUSABLE, {ends})")
    code = service.exit_code if service.state == STOPPED else 0
    line(f"        WIN32_EXIT_CODE    : {code}  (0x{code:x})")
    line("        SERVICE_EXIT_CODE  : 0  (0x0)")
    pending = service.state in {STOP_PENDING, START_PENDING}
    line(f"        CHECKPOINT         : 0x{int(service.state == STOP_PENDING):x}")
    line(f"        WAIT_HINT          : 0x{(0x7D0 if service.state == START_PENDING else 0xBB8) if pending else 0:x}")
    if extended:
        line(f"        PID                : {process.vm.service_pid(service)}")
        line("        FLAGS              : ")


def _query(process: Process, args: list[str], *, extended: bool) -> int:
    services = process.vm.services
    wanted, names, key = "active", list[str](), ""
    for arg in args:
        if key:
            wanted = arg.lower() if key == "state=" else wanted
            key = ""
        elif arg.lower() in {"state=", "type=", "bufsize=", "ri=", "group="}:
            key = arg.lower()
        elif "=" in arg:
            wanted = arg.partition("=")[2].lower() if arg.lower().startswith("state=") else wanted
        else:
            names.append(arg)
    if names:
        service = services.find(names[0])
        if service is None:
            return failure(process, "EnumQueryServicesStatus:OpenService", 1060)
        status(process, service, extended=extended)
        return 0
    for name in services.names():
        service = services.find(name)
        if service is not None and (wanted in {"all"} or (service.state == STOPPED) == (wanted == "inactive")):
            status(process, service, extended=extended, display=True)
    return 0


def _qc(process: Process, name: str) -> int:
    services = process.vm.services
    service = services.find(name)
    if service is None:
        return failure(process, "OpenService", 1060)
    start = services.start_type(service.name)
    delayed = start == 2 and services.config(service.name, "DelayedAutostart")
    image = str(services.config(service.name, "ImagePath") or "").replace("%SystemRoot%", r"C:\Windows")
    process.line("[SC] QueryServiceConfig SUCCESS")
    process.line()
    process.line(f"SERVICE_NAME: {service.name}")
    process.line(f"        TYPE               : {_type(process, service.name, configured=True)}")
    process.line(
        f"        START_TYPE         : {start}   {_START_NAMES.get(start, '')}" + ("  (DELAYED)" if delayed else "")
    )
    process.line("        ERROR_CONTROL      : 1   NORMAL")
    process.line(f"        BINARY_PATH_NAME   : {image}")
    process.line("        LOAD_ORDER_GROUP   : ")
    process.line("        TAG                : 0")
    process.line(f"        DISPLAY_NAME       : {services.display_name(service.name)}")
    needs = services.depends_on(service.name)
    process.line(f"        DEPENDENCIES       : {needs[0] if needs else ''}")
    for need in needs[1:]:
        process.line(f"                           : {need}")
    process.line(f"        SERVICE_START_NAME : {services.config(service.name, 'ObjectName') or 'LocalSystem'}")
    return 0


def _start(process: Process, name: str) -> int:
    services = process.vm.services
    if services.find(name) is None:
        return failure(process, "StartService: OpenService", 1060)
    code = services.start(name, process.vm.now)
    if code:
        return failure(process, "StartService", code)
    service = services.find(name)
    if service is not None:
        status(process, service, extended=True)
    return 0


def _stop(process: Process, name: str) -> int:
    services = process.vm.services
    if services.find(name) is None:
        return failure(process, "OpenService", 1060)
    code = services.stop(name, process.vm.now)
    if code:
        return failure(process, "ControlService", code)
    service = services.find(name)
    if service is not None:
        status(process, service, extended=False)
    return 0


def _config(process: Process, name: str, args: list[str]) -> int:
    services = process.vm.services
    service = services.find(name)
    if service is None:
        return failure(process, "OpenService", 1060)
    pairs: list[tuple[str, str]] = []
    queue = list(args)
    while queue:
        key, equals, value = queue.pop(0).partition("=")
        if not equals:
            return _usage(process)
        pairs.append((key.lower(), value or (queue.pop(0) if queue else "")))
    path, registry = f"{ROOT}\\{service.name}", process.vm.registry
    for key, value in pairs:
        if key == "start":
            if value.lower() not in _STARTS:
                return _usage(process)
            registry.set(path, "Start", REG_DWORD, _STARTS[value.lower()])
            if value.lower() == "delayed-auto":
                registry.set(path, "DelayedAutostart", REG_DWORD, 1)
            else:
                registry.delete_value(path, "DelayedAutostart")
        elif key == "binpath":
            registry.set(path, "ImagePath", REG_EXPAND_SZ, value)
        elif key == "displayname":
            registry.set(path, "DisplayName", REG_SZ, value)
        elif key == "obj":
            registry.set(path, "ObjectName", REG_SZ, value)
        elif key == "depend":
            registry.set(path, "DependOnService", REG_MULTI_SZ, tuple(part for part in value.split("/") if part))
        elif key == "type":
            registry.set(path, "Type", REG_DWORD, {"own": 0x10, "share": 0x20}.get(value.lower(), 0x10))
        elif key not in {"error", "group", "tag", "password"}:
            return _usage(process)
    process.line("[SC] ChangeServiceConfig SUCCESS")
    return 0


def _enumdepend(process: Process, name: str) -> int:
    services = process.vm.services
    if services.find(name) is None:
        return failure(process, "OpenService", 1060)
    found = services.dependents(name)
    process.line(f"Enum: entriesRead  = {len(found)}")
    for service in found:
        status(process, service, extended=False, display=True)
    return 0


def _failure(process: Process, name: str, args: list[str]) -> int:
    service = process.vm.services.find(name)
    if service is None:
        return failure(process, "OpenService", 1060)
    words = [part for arg in args for part in re.split(r"(?<==)", arg) if part]
    values = {key.lower().rstrip("="): value for key, value in zip(words[::2], words[1::2], strict=False)}
    parts = [part for part in values.get("actions", "").split("/") if part]
    kinds = {"restart": failure_actions.RESTART, "reboot": failure_actions.REBOOT, "run": failure_actions.RUN}
    if values.keys() - {"reset", "actions", "reboot", "command"} or any(p.lower() not in kinds for p in parts[::2]):
        return _usage(process)
    if not all(part.isdigit() for part in [*parts[1::2], values.get("reset", "0")]):
        return _usage(process)
    actions = [(kinds[kind.lower()], int(wait)) for kind, wait in zip(parts[::2], parts[1::2], strict=False)]
    data = failure_actions.pack(int(values.get("reset", "0")), actions)
    process.vm.registry.set(f"{ROOT}\\{service.name}", "FailureActions", REG_BINARY, data)
    process.line("[SC] ChangeServiceConfig2 SUCCESS")
    return 0


def _qfailure(process: Process, name: str) -> int:
    service = process.vm.services.find(name)
    if service is None:
        return failure(process, "OpenService", 1060)
    reset, actions = failure_actions.unpack(process.vm.services.config(name, "FailureActions"))
    process.line("[SC] QueryServiceConfig2 SUCCESS\r\n")
    process.line(f"SERVICE_NAME: {service.name}")
    process.line(f"        RESET_PERIOD (in seconds)    : {reset}")
    process.line("        REBOOT_MESSAGE               : ")
    process.line("        COMMAND_LINE                 : ")
    title = "        FAILURE_ACTIONS              : "
    for kind, delay in actions:
        process.line(f"{title}{failure_actions.NAMES.get(kind, '')} -- Delay = {delay} milliseconds.")
        title = " " * len(title)
    return 0


def _create(process: Process, name: str, args: list[str]) -> int:
    if process.vm.services.find(name) is not None:
        return failure(process, "CreateService", 1073)
    words = [part for arg in args for part in re.split(r"(?<==)", arg, maxsplit=1) if part]
    values = {key.lower(): value for key, value in zip(words[::2], words[1::2], strict=False)}
    if "binpath=" not in values or values.get("start=", "demand").lower() not in _STARTS:
        return _usage(process)
    path, registry = f"{ROOT}\\{name}", process.vm.registry
    for value, number in (("Type", 0x10), ("Start", _STARTS[values.get("start=", "demand").lower()])):
        registry.set(path, value, REG_DWORD, number)
    registry.set(path, "ErrorControl", REG_DWORD, 1)
    registry.set(path, "ImagePath", REG_EXPAND_SZ, values["binpath="])
    registry.set(path, "ObjectName", REG_SZ, values.get("obj=", "LocalSystem"))
    registry.set(path, "DisplayName", REG_SZ, values.get("displayname=", name))
    process.line("[SC] CreateService SUCCESS")
    return 0


def _delete(process: Process, name: str) -> int:
    service = process.vm.services.find(name)
    if service is None:
        return failure(process, "OpenService", 1060)
    process.vm.registry.delete_key(f"{ROOT}\\{service.name}")
    process.line("[SC] DeleteService SUCCESS")
    return 0


# Only the system may change or stop the group policy client (rdp-repair.md 2.6).
GUARDED = frozenset({"gpsvc"})
SDDL = "D:(A;;CCLCSWRPWPDTLOCRRC;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;IU)(A;;CCLCSWLOCRRC;;;SU)"


def _usage(process: Process) -> int:
    process.line(
        "DESCRIPTION:\r\n        SC is a command line program used for communicating with the\r\n"
        "        Service Control Manager and services.\r\nUSAGE:\r\n"
        "        sc <server> [command] [service name] <option1> <option2>...\r\n"
    )
    return 1639


_VERBS = frozenset(("qc", "start", "stop", "config", "enumdepend", "sdshow", "failure", "qfailure", "create", "delete"))
_WRITES = frozenset({"start", "stop", "config", "failure", "delete"})


def sc(process: Process) -> int:
    """Run ``sc``."""
    args = list(process.args)
    if args and args[0].startswith("\\\\"):
        args.pop(0)
    verb, rest = (args[0].lower(), args[1:]) if args else ("", [])
    if verb in {"query", "queryex"}:
        return _query(process, rest, extended=verb == "queryex")
    if not rest or verb not in _VERBS:
        return _usage(process)
    if rest[0].lower() in GUARDED and verb in _WRITES and not process.token.is_system:
        return failure(process, "StartService: OpenService" if verb == "start" else "OpenService", 5)
    if verb in {"failure", "create"}:
        return {"failure": _failure, "create": _create}[verb](process, rest[0], rest[1:])
    if verb in {"qfailure", "delete"}:
        return {"qfailure": _qfailure, "delete": _delete}[verb](process, rest[0])
    if verb == "sdshow":
        if process.vm.services.find(rest[0]) is None:
            return failure(process, "OpenService", 1060)
        process.line("\r\n" + SDDL)
        return 0
    if verb == "config":
        return _config(process, rest[0], rest[1:])
    return {"qc": _qc, "start": _start, "stop": _stop, "enumdepend": _enumdepend}[verb](process, rest[0])
