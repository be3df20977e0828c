"""``net``: start and stop services, list accounts, and its numbered help messages. Common knowledge."""

from serialfix.simulator.programs import Process, Sleep, Steps
from serialfix.simulator.services import ERRORS, RUNNING, STOPPED, Service


def _refuse(process: Process, number: int, text: str) -> int:
    process.err(f"{text}\r\n\r\nMore help is available by typing NET HELPMSG {number}.\r\n\r\n")
    return 2


def _system_error(process: Process, number: int) -> int:
    process.err(f"System error {number} has occurred.\r\n\r\n{ERRORS.get(number, '')}\r\n\r\n")
    return 2


def _wait(process: Process, service: Service, wanted: int, verb: str) -> Steps:
    """Print dots until the service is there, at most 30 seconds."""
    display = process.vm.services.display_name(service.name)
    process.out(f"The {display} service is {verb}")
    for _ in range(60):
        if service.state == wanted:
            break
        process.out(".")
        yield Sleep(0.5)
    process.line()
    if service.state != wanted:
        process.err(f"The {display} service could not be {'stopped' if wanted == STOPPED else 'started'}.\r\n\r\n")
        return 2
    process.line(f"The {display} service was {'stopped' if wanted == STOPPED else 'started'} successfully.")
    process.line()
    return 0


def _start(process: Process, name: str) -> Steps:
    services = process.vm.services
    if not name:
        process.line("These Windows services are started:\r\n")
        for each in sorted(
            services.display_name(n) for n in services.names() if (s := services.find(n)) and s.state == RUNNING
        ):
            process.line(f"   {each}")
        process.line("\r\nThe command completed successfully.\r\n")
        return 0
    service = services.by_display_name(name)
    if service is None:
        return _refuse(process, 2185, "The service name is invalid.")
    code = services.start(service.name, process.vm.now)
    if code == 1056:
        return _refuse(process, 2182, "The requested service has already been started.")
    if code == 1061:
        return _refuse(process, 2189, "The service could not be controlled in its present state.")
    if code:
        return _system_error(process, code)
    return (yield from _wait(process, service, RUNNING, "starting"))


def _stop(process: Process, name: str, *, yes: bool) -> Steps:
    services = process.vm.services
    service = services.by_display_name(name)
    if service is None:
        return _refuse(process, 2185, "The service name is invalid.")
    display = services.display_name(service.name)
    dependents = services.dependents(service.name, running=True)
    if dependents and service.state != STOPPED:
        process.line(f"The following services are dependent on the {display} service.")
        process.line(f"Stopping the {display} service will also stop these services.")
        process.line()
        for each in dependents:
            process.line(f"   {services.display_name(each.name)}")
        process.line()
        while not yes:
            process.out("Do you want to continue this operation? (Y/N) [N]: ")
            answer = (yield from process.read_line()).strip().lower()
            if answer[:1] == "y":
                break
            if answer[:1] in {"n", ""}:
                process.line()
                return 2
        for each in dependents:
            if each.state == RUNNING and services.stop(each.name, process.vm.now) == 0:
                yield from _wait(process, each, STOPPED, "stopping")
    code = services.stop(service.name, process.vm.now)
    if code == 1062:
        return _refuse(process, 3521, f"The {display} service is not started.")
    if code == 1052:
        return _refuse(process, 2191, "The requested pause, continue, or stop is not valid for this service.")
    if code == 1061:
        return _refuse(process, 2189, "The service could not be controlled in its present state.")
    if code:
        return _system_error(process, code)
    return (yield from _wait(process, service, STOPPED, "stopping"))


def _accounts(process: Process, args: list[str]) -> int:
    accounts = process.vm.accounts
    if not args:
        process.line(f"\r\nUser accounts for \\\\{process.vm.name.upper()[:15]}\r\n\r\n{'-' * 79}")
        names = sorted(accounts, key=str.lower)
        for start in range(0, len(names), 3):
            process.line("".join(f"{name:25}" for name in names[start : start + 3]))
        process.line("The command completed successfully.\r\n")
        return 0
    if len(args) > 1:
        return _refuse(process, 3506, "The syntax of this command is not modelled by this simulator.")
    name = next((n for n in accounts if n.lower() == args[0].lower()), None)
    if name is None:
        return _refuse(process, 2221, "The user name could not be found.")
    active = "Yes" if accounts[name]["enabled"] else "No"
    process.line(f"{'User name':29}{name}\r\n{'Account active':29}{active}\r\nThe command completed successfully.\r\n")
    return 0


def _group(process: Process, args: list[str]) -> int:
    if len(args) != 1 or args[0].lower() not in {"administrators", "guests", "remote desktop users"}:
        return _system_error(process, 1376)
    process.line(f"Alias name     {args[0]}\r\nComment        \r\n\r\nMembers\r\n\r\n{'-' * 79}")
    for name, account in process.vm.accounts.items():
        groups = account["groups"]
        if isinstance(groups, list) and args[0].lower() in (str(each).lower() for each in groups):
            process.line(name)
    process.line("The command completed successfully.\r\n")
    return 0


def net(process: Process) -> Steps:
    """Run ``net``."""
    yes = any(arg.lower() in {"/y", "/yes"} for arg in process.args)
    args = [arg for arg in process.args if arg.lower() not in {"/y", "/yes", "/n", "/no"}]
    verb, rest = (args[0].lower(), args[1:]) if args else ("", [])
    if verb == "start":
        return (yield from _start(process, " ".join(rest)))
    if verb == "stop" and rest:
        return (yield from _stop(process, " ".join(rest), yes=yes))
    if verb in {"user", "users"}:
        return _accounts(process, rest)
    if verb == "localgroup":
        return _group(process, rest)
    if verb == "helpmsg" and len(rest) == 1 and rest[0].isdigit() and int(rest[0]) in ERRORS:
        process.line(f"\r\n{ERRORS[int(rest[0])]}\r\n")
        return 0
    process.err(
        "The syntax of this command is:\r\n\r\nNET\r\n"
        "    [ ACCOUNTS | COMPUTER | CONFIG | CONTINUE | FILE | GROUP | HELP |\r\n"
        "      HELPMSG | LOCALGROUP | PAUSE | SESSION | SHARE | START |\r\n"
        "      STATISTICS | STOP | TIME | USE | USER | VIEW ]\r\n\r\n"
    )
    return 1
