r"""``schtasks``: /create, /run, /query, /end, /delete; what a task runs really runs, as its account.

The way a repair uses it: rdp-repair.md 1 C15. Texts are common knowledge, and so are the limit of /tr, the XML and the
file that each task has in %SystemRoot%\System32\Tasks. A task that runs as SYSTEM has SYSTEM's token, so it reads and
writes what an administrator cannot; endpoint protection may refuse it, delete it or keep it from running
(``vm.system_tasks``; rdp-repair.md 0a.4: security software sees such a task).
"""

from datetime import datetime
from xml.sax.saxutils import escape

from serialfix.simulator import background, sids
from serialfix.simulator.programs import Process, Steps
from serialfix.simulator.services import RUNNING
from serialfix.simulator.vm import Vm

_TAKES = {"/tn", "/tr", "/sc", "/st", "/ru", "/rp", "/rl", "/fo", "/sd", "/ed", "/mo", "/d", "/i", "/s", "/u", "/p"}
NO_TASK = "ERROR: The system cannot find the file specified."
NOT_RUN = 267011  # SCHED_S_TASK_HAS_NOT_RUN
RUNS = 267009
ACCESS_DENIED = -2147024891
LONGEST = 261
FOLDER = r"C:\Windows\System32\Tasks"
_SYSTEM = {"system", r"nt authority\system", "s-1-5-18", "localsystem"}


def _options(process: Process) -> tuple[str, dict[str, str], set[str]] | None:
    args = list(process.args)
    verb = args.pop(0).lower() if args else "/query"
    values: dict[str, str] = {}
    flags: set[str] = set()
    while args:
        arg = args.pop(0).lower()
        if arg == "/xml":
            flags.add(arg)
            if args and args[0].lower() == "one":
                args.pop(0)
        elif arg in _TAKES and args:
            values[arg] = args.pop(0)
        elif arg in {"/f", "/v", "/nh", "/z", "/it", "/np", "/hresult"}:
            flags.add(arg)
        else:
            process.err(
                f"ERROR: Invalid argument/option - '{arg}'.\r\nType \"SCHTASKS {verb.upper()} /?\" for usage.\r\n"
            )
            return None
    return verb, values, flags


def _name(values: dict[str, str]) -> str:
    return values.get("/tn", "").lstrip("\\")


def _find(process: Process, name: str) -> str | None:
    return next((each for each in process.vm.tasks if each.lower() == name.lower()), None)


def _create(process: Process, values: dict[str, str], flags: set[str]) -> Steps:
    name, schedule = _name(values), values.get("/sc", "").lower()
    for option in ("/tn", "/tr", "/sc"):
        if not values.get(option):
            return process.fail(
                f"ERROR: Invalid syntax. Mandatory option '{option[1:]}' is missing.\r\nType \"SCHTASKS /CREATE /?\" "
                "for usage."
            )
    if len(values["/tr"]) > LONGEST:
        return process.fail(
            f"ERROR: Invalid syntax. Value for '/TR' option should not be more than {LONGEST} character(s).\r\nType "
            '"SCHTASKS /CREATE /?" for usage.'
        )
    if schedule not in {"once", "onstart", "onlogon", "daily", "weekly", "minute", "hourly", "monthly", "onidle"}:
        return process.fail("ERROR: Invalid Schedule Type specified.")
    if schedule == "once" and "/st" not in values:
        return process.fail("ERROR: Invalid syntax. /ST option must be specified for the ONCE schedule.")
    user = values.get("/ru", "")
    if not process.token.privileged:
        return process.fail("ERROR: Access is denied.")
    if user and user.lower() not in _SYSTEM and user.lower() != process.vm.user.lower():
        return process.fail("ERROR: No mapping between account names and security IDs was done.")
    protection = process.vm.system_tasks if user.lower() in _SYSTEM else "allowed"
    if protection == "refused":
        return process.fail("ERROR: Access is denied.")
    old = _find(process, name)
    if old is not None:
        if "/f" not in flags:
            process.out(f'WARNING: The task name "{name}" already exists. Do you want to replace it (Y/N)? ')
            answer = (yield from process.read_line()).strip().lower()
            if answer[:1] != "y":
                return 0
        _forget(process.vm, old)
    start = values.get("/st", "00:00")
    now = process.vm.clock()
    if schedule == "once" and start <= f"{now:%H:%M}" and "/sd" not in values:
        process.line("WARNING: Task may not run because /ST is earlier than current time.")
    process.vm.tasks[name] = {
        "run": values["/tr"],
        "user": "SYSTEM" if user.lower() in _SYSTEM else process.vm.user,
        "schedule": schedule,
        "start": start,
        "level": values.get("/rl", "limited").lower(),
        "status": "Ready",
        "last run": "11/30/1999 12:00:00 AM",
        "last result": NOT_RUN,
    }
    stored = b"\xff\xfe" + _xml(process.vm, name).encode("utf-16-le")
    process.vm.files.write(rf"{FOLDER}\{name}", stored, process.vm.now)
    process.vm.note("task created", name=name)
    if protection == "removed":
        process.vm.later(0.5, lambda: _forget(process.vm, name))
    process.line(f'SUCCESS: The scheduled task "{name}" has successfully been created.')
    return 0


def _forget(vm: Vm, name: str) -> None:
    vm.tasks.pop(name, None)
    vm.files.delete(rf"{FOLDER}\{name}")


def _xml(vm: Vm, name: str) -> str:
    """Return a task's definition as the Task Scheduler exports it."""
    task = vm.tasks[name]
    program, _, arguments = str(task["run"]).partition(" ")
    if program.startswith('"'):
        program, _, arguments = str(task["run"])[1:].partition('"')
    system = task["user"] == "SYSTEM"
    user = sids.SYSTEM if system else str(vm.accounts[vm.user]["sid"])
    rows = [
        '<?xml version="1.0" encoding="UTF-16"?>',
        '<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">',
        "  <RegistrationInfo>",
        f"    <Date>{vm.clock():%Y-%m-%dT%H:%M:%S}</Date>",
        f"    <Author>{escape(vm.name.upper()[:15])}\\{escape(vm.user)}</Author>",
        f"    <URI>\\{escape(name)}</URI>",
        "  </RegistrationInfo>",
        "  <Principals>",
        '    <Principal id="Author">',
        f"      <RunLevel>{'HighestAvailable' if task['level'] == 'highest' else 'LeastPrivilege'}</RunLevel>",
        f"      <UserId>{user}</UserId>",
        *([] if system else ["      <LogonType>InteractiveToken</LogonType>"]),
        "    </Principal>",
        "  </Principals>",
        "  <Settings>",
        "    <DisallowStartIfOnBatteries>true</DisallowStartIfOnBatteries>",
        "    <StopIfGoingOnBatteries>true</StopIfGoingOnBatteries>",
        "    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>",
        "  </Settings>",
        "  <Triggers>",
        "    <TimeTrigger>",
        f"      <StartBoundary>{vm.clock():%Y-%m-%d}T{task['start']}:00</StartBoundary>",
        "    </TimeTrigger>",
        "  </Triggers>",
        '  <Actions Context="Author">',
        "    <Exec>",
        f"      <Command>{escape(program)}</Command>",
        *([f"      <Arguments>{escape(arguments.strip())}</Arguments>"] if arguments.strip() else []),
        "    </Exec>",
        "  </Actions>",
        "</Task>",
    ]
    return "".join(row + "\r\n" for row in rows)


def _run(process: Process, values: dict[str, str]) -> int:
    name = _find(process, _name(values))
    if name is None:
        return process.fail(NO_TASK)
    vm, task = process.vm, process.vm.tasks[name]
    process.line(f'SUCCESS: Attempted to run the scheduled task "{name}".')
    if task["status"] == "Running":
        return 0
    task.update({"status": "Running", "last result": RUNS, "last run": _date(vm.clock())})

    def ended(code: int) -> None:
        task.update({"status": "Ready", "last result": code})
        vm.note("task ended", name=name, code=code)

    def begin() -> None:
        from serialfix.simulator.cmd import as_task

        if task["user"] == "SYSTEM" and vm.system_tasks == "blocked":
            ended(ACCESS_DENIED)
            return
        token = sids.LOCAL_SYSTEM if task["user"] == "SYSTEM" else vm.administrator()
        background.run(vm, as_task(vm, str(task["run"]), token), ended)

    vm.later(vm.random("tasks").uniform(0.1, 1.0), begin)
    return 0


def _date(when: datetime) -> str:
    return f"{when.month}/{when.day}/{when.year} {when.hour % 12 or 12}:{when:%M:%S %p}"


def _row(process: Process, name: str, *, verbose: bool) -> dict[str, str]:
    task = process.vm.tasks[name]
    row = {
        "HostName": process.vm.name.upper()[:15],
        "TaskName": f"\\{name}",
        "Next Run Time": "N/A",
        "Status": str(task["status"]),
        "Logon Mode": "Interactive/Background",
    }
    if verbose:
        row |= {
            "Last Run Time": str(task["last run"]),
            "Last Result": str(task["last result"]),
            "Author": process.vm.name.upper()[:15] + "\\" + process.vm.user,
            "Task To Run": str(task["run"]),
            "Start In": "N/A",
            "Comment": "N/A",
            "Scheduled Task State": "Enabled",
            "Run As User": str(task["user"]),
            "Schedule Type": {"once": "One Time Only"}.get(str(task["schedule"]), str(task["schedule"]).title()),
            "Start Time": str(task["start"]),
        }
    return row


def _query(process: Process, values: dict[str, str], flags: set[str]) -> int:
    wanted = _name(values)
    names = [each for each in process.vm.tasks if not wanted or each.lower() == wanted.lower()]
    if wanted and not names:
        return process.fail(NO_TASK)
    if "/xml" in flags:
        for name in names:
            process.line(_xml(process.vm, name))
        return 0
    form = values.get("/fo", "table").lower()
    rows = [_row(process, name, verbose="/v" in flags) for name in names]
    if form == "csv":
        shown = [{k: v for k, v in row.items() if "/v" in flags or k in _TABLE} for row in rows]
        for line in ([] if "/nh" in flags or not shown else [list(shown[0])]) + [list(row.values()) for row in shown]:
            process.line(",".join(f'"{cell}"' for cell in line))
        return 0
    process.line("\r\nFolder: \\")
    if not rows:
        process.line("INFO: There are no scheduled tasks presently available at your access level.")
    elif form == "list":
        for row in rows:
            width = max(map(len, row)) + 2
            for key, value in row.items():
                process.line(f"{key + ':':{width}}{value}")
            process.line()
    else:
        if "/nh" not in flags:
            process.line(f"{'TaskName':40} {'Next Run Time':22} {'Status':15}\r\n{'=' * 40} {'=' * 22} {'=' * 15}")
        for row in rows:
            process.line(f"{row['TaskName'][1:]:40} {row['Next Run Time']:22} {row['Status']:15}")
    return 0


_TABLE = ("TaskName", "Next Run Time", "Status")


def schtasks(process: Process) -> Steps:
    """Run ``schtasks``."""
    found = _options(process)
    if found is None:
        return 1
    verb, values, flags = found
    scheduler = process.vm.services.find("Schedule")
    if scheduler is None or scheduler.state != RUNNING:
        return process.fail("ERROR: The Task Scheduler service is not running.")
    if verb == "/create":
        return (yield from _create(process, values, flags))
    if verb == "/query":
        return _query(process, values, flags)
    name = _find(process, _name(values))
    if verb == "/run":
        return _run(process, values)
    if verb not in {"/delete", "/end", "/change"}:
        return process.fail(f"ERROR: Invalid argument/option - '{verb}'.\r\nType \"SCHTASKS /?\" for usage.")
    if name is None:
        return process.fail(
            NO_TASK
            if verb != "/delete"
            else f'ERROR: The specified task name "{_name(values)}" does not exist in the system.'
        )
    if verb == "/delete":
        if "/f" not in flags:
            process.out(f'WARNING: Are you sure you want to remove the task "{name}" (Y/N)? ')
            if (yield from process.read_line()).strip().lower()[:1] != "y":
                return 0
        _forget(process.vm, name)
        process.vm.note("task deleted", name=name)
        process.line(f'SUCCESS: The scheduled task "{name}" was successfully deleted.')
        return 0
    process.line(f'SUCCESS: The scheduled task "{name}" has been terminated successfully.')
    process.vm.tasks[name]["status"] = "Ready"
    return 0
