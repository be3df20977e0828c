"""Cmdlets on processes, events, modules and the machine. Common knowledge; Get-Process as get-process/02."""

import re
from collections.abc import Generator
from random import Random

from serialfix.simulator.powershell.binding import Bound, Cmdlet
from serialfix.simulator.powershell.errors import Record
from serialfix.simulator.powershell.operators import wildcard
from serialfix.simulator.powershell.values import Obj, Table, Value, each, number, parse_date, text
from serialfix.simulator.programs import Clear, Request
from serialfix.simulator.vm import Event

Out = Generator[Request, str, list[Value]]
MODULES = {"pki": "PKI", "netsecurity": "NetSecurity", "nettcpip": "NetTCPIP", "cimcmdlets": "CimCmdlets",
           "microsoft.powershell.management": "Microsoft.PowerShell.Management",
           "microsoft.powershell.utility": "Microsoft.PowerShell.Utility",
           "microsoft.powershell.security": "Microsoft.PowerShell.Security", "psreadline": "PSReadLine"}  # fmt: skip


def _processes(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    names, ids = bound.many("Name"), {int(number(item)) for item in each(bound.get("Id"))}
    ids |= {int(number(item.get("OwningProcess"))) for item in bound.given if isinstance(item, Obj)}
    found: list[Value] = []
    for image, pid, _, session, kilobytes, held in vm.running_programs():
        name = {"System Idle Process": "Idle"}.get(image, image.removesuffix(".exe"))
        if (names and not any(wildcard(each_name, name) for each_name in names)) or (ids and pid not in ids):
            continue
        random = Random(f"{vm.seed}/process/{pid}")
        path = _path_of(bound, image, held)
        cpu = round(random.uniform(0.03, 90.0), 2)
        found.append(
            Obj(
                "System.Diagnostics.Process",
                {
                    "Handles": random.randrange(60, 1200), "NPM(K)": random.randrange(5, 60),
                    "PM(K)": kilobytes * 2 // 3, "WS(K)": kilobytes, "CPU(s)": f"{cpu:.2f}", "Id": pid, "SI": session,
                    "ProcessName": name,
                },
                f"System.Diagnostics.Process ({name})",
                {
                    "Name": name, "Path": path, "StartTime": vm.clock(vm.booted), "SessionId": session, "CPU": cpu,
                    "WorkingSet": kilobytes * 1024, "MainModule": None, "Company": None,
                },
            )
        )  # fmt: skip
    wanted = names[0] if names and "*" not in names[0] else str(next(iter(ids))) if ids else ""
    if not found and wanted:
        what = "name" if names else "process identifier"
        bound.fail(
            Record(
                f'Cannot find a process with the {what} "{wanted}". '
                f"Verify the process {what} and call the cmdlet again."
                if names
                else f"Cannot find a process with the process identifier {wanted}.",
                "ObjectNotFound",
                f"{wanted}:{'String' if names else 'Int32'}",
                bound.cmdlet.name,
                "ProcessCommandException",
                f"NoProcessFoundForGiven{'Name' if names else 'Id'},Microsoft.PowerShell.Commands.GetProcessCommand",
            )
        )
    return sorted(found, key=lambda item: text(item.get("ProcessName")).lower())


def _path_of(bound: Bound, image: str, held: list[str]) -> str | None:
    if held:
        path = text(bound.evaluator.vm.services.config(held[0], "ImagePath")).replace('"', "")
        cut = path.lower().find(".exe")
        return re.sub("(?i)%systemroot%", r"C:\\Windows", path[: cut + 4] if cut >= 0 else path)
    if image in {"System", "System Idle Process", "Registry"}:
        return None
    return rf"C:\Windows\System32\{image}"


def _stop_process(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    ids = {int(number(item)) for item in each(bound.get("Id"))}
    ids |= {int(number(item.get("Id"))) for item in bound.given if isinstance(item, Obj)}
    names = bound.many("Name")
    ids |= {
        pid for image, pid, *_ in vm.running_programs() if any(wildcard(n, image.removesuffix(".exe")) for n in names)
    }
    for pid in ids:
        if not vm.kill(pid):
            bound.fail(Record(f"Cannot stop process ({pid}) because of the following error: Access is denied",
                              "CloseError", "System.Diagnostics.Process:Process", bound.cmdlet.name,
                              "ProcessCommandException",
                              "CouldNotStopProcess,Microsoft.PowerShell.Commands.StopProcessCommand"))  # fmt: skip
    return []


def _event_object(bound: Bound, event: Event) -> Obj:
    levels = {1: "Critical", 2: "Error", 3: "Warning", 4: "Information"}
    data = "".join(f"<Data Name='{name}'>{value}</Data>" for name, value in event.data)
    xml = (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System><Provider "
        f"Name='{event.provider}'/><EventID>{event.number}</EventID><Level>{event.level}</Level>"
        f"<Channel>{event.log}</Channel></System><EventData>{data}</EventData></Event>"
    )
    return Obj(
        "System.Diagnostics.Eventing.Reader.EventLogRecord",
        {
            "TimeCreated": event.when, "Id": event.number, "LevelDisplayName": levels.get(event.level, ""),
            "Message": event.text, "ProviderName": event.provider, "LogName": event.log, "Level": event.level,
            "MachineName": bound.evaluator.vm.name,
            "Properties": [Obj("EventProperty", {"Value": value}, value) for _, value in event.data],
        },
        methods={"ToXml": lambda: xml},
    )  # fmt: skip


def _events(bound: Bound) -> Out:
    yield from ()
    vm, table = bound.evaluator.vm, bound.get("FilterHashtable")
    wanted = table if isinstance(table, Table) else Table()
    logs = [text(item).lower() for item in each(wanted.get("LogName"))] or [n.lower() for n in bound.many("LogName")]
    providers = [text(item) for item in each(wanted.get("ProviderName"))] or bound.many("ProviderName")
    ids = {int(number(item)) for item in each(wanted.get("Id"))}
    levels = {int(number(item)) for item in each(wanted.get("Level"))}
    begin, end = wanted.get("StartTime"), wanted.get("EndTime")
    found = [
        event
        for event in vm.log
        if (not logs or event.log.lower() in logs)
        and (not providers or any(wildcard(name, event.provider) for name in providers))
        and (not ids or event.number in ids)
        and (not levels or event.level in levels)
        and (begin is None or event.when >= parse_date(begin))
        and (end is None or event.when <= parse_date(end))
    ]
    found.reverse()
    most = bound.get("MaxEvents")
    found = found[: int(number(most))] if most is not None else found
    if not found:
        bound.fail(
            Record(
                "No events were found that match the specified selection criteria.",
                "ObjectNotFound",
                ":",
                "Get-WinEvent",
                "Exception",
                "NoMatchingEventsFound,Microsoft.PowerShell.Commands.GetWinEventCommand",
            )
        )
    return [_event_object(bound, event) for event in (reversed(found) if bound.flag("Oldest") else found)]


def _import(bound: Bound) -> Out:
    yield from ()
    for name in bound.many("Name"):
        if name.lower() not in MODULES:
            bound.fail(
                Record(
                    f"The specified module '{name}' was not loaded because no valid module file was found in any "
                    f"module "
                    "directory.",
                    "ResourceUnavailable",
                    f"{name}:String",
                    bound.cmdlet.name,
                    "FileNotFoundException",
                    "Modules_ModuleNotFound,Microsoft.PowerShell.Commands.ImportModuleCommand",
                )
            )
            continue
        bound.evaluator.shared.modules.add(MODULES[name.lower()])
    return []


def _remove_module(bound: Bound) -> Out:
    yield from ()
    loaded = bound.evaluator.shared.modules
    for name in bound.many("Name"):
        hit = next((each_name for each_name in loaded if each_name.lower() == name.lower()), None)
        if hit is None:
            bound.fail(
                Record(
                    "No modules were removed. Verify that the specification of modules to remove is correct and those "
                    "modules exist in the runspace.",
                    "ResourceUnavailable",
                    ":",
                    bound.cmdlet.name,
                    "InvalidOperationException",
                    "Modules_NoModulesRemoved,Microsoft.PowerShell.Commands.RemoveModuleCommand",
                )
            )
            continue
        loaded.discard(hit)
    return []


def _modules(bound: Bound) -> Out:
    yield from ()
    names = bound.many("Name")
    known = MODULES.values() if bound.flag("ListAvailable") else bound.evaluator.shared.modules
    return [
        Obj("System.Management.Automation.PSModuleInfo", {"ModuleType": "Script", "Version": "1.0", "Name": name}, name)
        for name in sorted(known)
        if not names or any(wildcard(each_name, name) for each_name in names)
    ]


def _cim(bound: Bound) -> Out:
    yield from ()
    vm, name = bound.evaluator.vm, bound.text("ClassName").lower()
    condition = re.fullmatch(r"\s*(\w+)\s*=\s*['\"]?([^'\"]*)['\"]?\s*", bound.text("Filter"))
    if name == "win32_operatingsystem":
        found = [
            Obj(
                "Win32_OperatingSystem",
                {
                    "Caption": f"Microsoft {vm.edition.product}",
                    "Version": f"10.0.{vm.edition.build}",
                    "BuildNumber": str(vm.edition.build),
                    "LastBootUpTime": vm.clock(vm.booted),
                    "LocalDateTime": vm.clock(),
                    "ProductType": 3,
                    "CSName": vm.name.upper()[:15],
                    "OSLanguage": 1033,
                },
            )
        ]
    elif name == "win32_service":
        found = []
        for each_name in vm.services.names():
            service = vm.services.find(each_name)
            if service is not None:
                found.append(
                    Obj(
                        "Win32_Service",
                        {
                            "ProcessId": vm.service_pid(service),
                            "Name": service.name,
                            "StartMode": {2: "Auto", 3: "Manual", 4: "Disabled"}.get(
                                vm.services.start_type(service.name), ""
                            ),
                            "State": {4: "Running", 1: "Stopped"}.get(service.state, "Pending"),
                            "Status": "OK",
                            "ExitCode": service.exit_code,
                            "PathName": text(vm.services.config(service.name, "ImagePath")),
                            "DisplayName": vm.services.display_name(service.name),
                            "StartName": text(vm.services.config(service.name, "ObjectName")),
                        },
                    )
                )
    elif name == "win32_process":
        found = [Obj("Win32_Process", {"ProcessId": pid, "Name": image}) for image, pid, *_ in vm.running_programs()]
    elif name == "win32_computersystem":
        found = [
            Obj(
                "Win32_ComputerSystem",
                {
                    "Name": vm.name.upper()[:15],
                    "Domain": "WORKGROUP",
                    "PartOfDomain": False,
                    "DomainRole": 2,
                    "TotalPhysicalMemory": 4294430720,
                },
            )
        ]
    else:
        bound.fail(Record("Invalid class ", "MetadataError", f"root/cimv2:{bound.text('ClassName')}:String",
                          bound.cmdlet.name, "CimException", "HRESULT 0x80041010,Microsoft.Management.Infrastructure."
                          "CimCmdlets.GetCimInstanceCommand"))  # fmt: skip
        return []
    if condition is not None:
        found = [item for item in found if text(item.get(condition[1])).lower() == condition[2].lower()]
    return [*found]


def _restart(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    vm.request_power("restart" if bound.cmdlet.name == "Restart-Computer" else "shutdown", vm.now + 2)
    return []


def _clear(bound: Bound) -> Out:
    del bound
    yield Clear()
    return []


def _policy(bound: Bound) -> Out:
    yield from ()
    return ["RemoteSigned"] if bound.cmdlet.name.startswith("Get") else []


def _command(bound: Bound) -> Out:
    yield from ()
    from serialfix.simulator.powershell.cmdlets import ALIASES
    from serialfix.simulator.powershell.cmdlets import CMDLETS as EVERY

    found: list[Value] = []
    for name in bound.many("Name"):
        hits = [c for c in EVERY.values() if wildcard(ALIASES.get(name.lower(), name), c.name)]
        if not hits and "*" not in name:
            bound.fail(
                Record(
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or "
                    "operable program. Check the spelling of the name, or if a path was included, verify that "
                    "the path is correct and try again.",
                    "ObjectNotFound",
                    f"{name}:String",
                    "Get-Command",
                    "CommandNotFoundException",
                    "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand",
                )
            )
        found += [
            Obj("System.Management.Automation.CmdletInfo", {"CommandType": "Cmdlet", "Name": c.name}) for c in hits
        ]
    return found


CMDLETS = (
    Cmdlet(
        "Get-Process", {"Name": True, "Id": True, "InputObject": True, "IncludeUserName": False}, ("Name",), _processes
    ),
    Cmdlet(
        "Stop-Process",
        {"Name": True, "Id": True, "InputObject": True, "Force": False, "PassThru": False},
        ("Id",),
        _stop_process,
    ),
    Cmdlet(
        "Get-WinEvent",
        {
            "LogName": True,
            "ProviderName": True,
            "FilterHashtable": True,
            "MaxEvents": True,
            "Oldest": False,
            "FilterXPath": True,
        },
        ("LogName",),
        _events,
    ),
    Cmdlet("Import-Module", {"Name": True, "Force": False, "PassThru": False}, ("Name",), _import),
    Cmdlet("Remove-Module", {"Name": True, "Force": False}, ("Name",), _remove_module),
    Cmdlet("Get-Module", {"Name": True, "ListAvailable": False}, ("Name",), _modules),
    Cmdlet(
        "Get-CimInstance",
        {"ClassName": True, "Filter": True, "Namespace": True, "Property": True},
        ("ClassName",),
        _cim,
    ),
    Cmdlet("Restart-Computer", {"Force": False}, (), _restart),
    Cmdlet("Stop-Computer", {"Force": False}, (), _restart),
    Cmdlet("Clear-Host", {}, (), _clear),
    Cmdlet("Get-ExecutionPolicy", {"Scope": True, "List": False}, ("Scope",), _policy),
    Cmdlet(
        "Set-ExecutionPolicy",
        {"ExecutionPolicy": True, "Scope": True, "Force": False},
        ("ExecutionPolicy", "Scope"),
        _policy,
    ),
    Cmdlet("Get-Command", {"Name": True}, ("Name",), _command),
)
