"""``whoami``, ``hostname`` and ``qwinsta``: who is here.

Group SIDs and the High Mandatory Level are common knowledge (rdp-repair.md 1 C12); qwinsta's listener row is in 2.2.
"""

from serialfix.simulator.programs import Process
from serialfix.simulator.vm import Vm


def _groups(vm: Vm, *, system: bool = False) -> list[tuple[str, str, str, str]]:
    usual = "Mandatory group, Enabled by default, Enabled group"
    rows = [
        ("Everyone", "Well-known group", "S-1-1-0", usual),
        (r"NT AUTHORITY\Local account and member of Administrators group", "Well-known group", "S-1-5-114", usual),
        (r"BUILTIN\Administrators", "Alias", "S-1-5-32-544", usual + ", Group owner"),
        (r"BUILTIN\Users", "Alias", "S-1-5-32-545", usual),
        (r"NT AUTHORITY\INTERACTIVE", "Well-known group", "S-1-5-4", usual),
        (r"CONSOLE LOGON", "Well-known group", "S-1-2-1", usual),
        (r"NT AUTHORITY\Authenticated Users", "Well-known group", "S-1-5-11", usual),
        (r"NT AUTHORITY\This Organization", "Well-known group", "S-1-5-15", usual),
        (r"NT AUTHORITY\Local account", "Well-known group", "S-1-5-113", usual),
        (r"LOCAL", "Well-known group", "S-1-2-0", usual),
        (r"NT AUTHORITY\NTLM Authentication", "Well-known group", "S-1-5-64-10", usual),
        (r"Mandatory Label\High Mandatory Level", "Label", "S-1-16-12288", ""),
    ]
    del vm
    if system:
        kept = {"S-1-1-0", "S-1-5-32-544", "S-1-5-11"}
        label = (r"Mandatory Label\System Mandatory Level", "Label", "S-1-16-16384", "")
        return [row for row in rows if row[2] in kept] + [label]
    return rows


_PRIVILEGES = (
    ("SeSecurityPrivilege", "Manage auditing and security log", "Disabled"),
    ("SeTakeOwnershipPrivilege", "Take ownership of files or other objects", "Disabled"),
    ("SeBackupPrivilege", "Back up files and directories", "Disabled"),
    ("SeRestorePrivilege", "Restore files and directories", "Disabled"),
    ("SeShutdownPrivilege", "Shut down the system", "Disabled"),
    ("SeDebugPrivilege", "Debug programs", "Disabled"),
    ("SeChangeNotifyPrivilege", "Bypass traverse checking", "Enabled"),
    ("SeImpersonatePrivilege", "Impersonate a client after authentication", "Enabled"),
)


def _print(
    process: Process, title: str, names: tuple[str, ...], rows: list[tuple[str, ...]], form: str, *, bare: bool
) -> None:
    if form == "csv":
        for row in ([] if bare else [names]) + rows:
            process.line(",".join(f'"{cell}"' for cell in row))
        return
    process.line(f"\r\n{title}\r\n{'-' * len(title)}\r\n")
    if form == "list":
        for row in rows:
            for name, cell in zip(names, row, strict=True):
                process.line(f"{name + ':':{max(map(len, names)) + 1}} {cell}")
            process.line()
        return
    widths = [max(len(names[i]), *(len(row[i]) for row in rows)) for i in range(len(names))]
    if not bare:
        process.line(" ".join(f"{name:{w}}" for name, w in zip(names, widths, strict=True)).rstrip())
        process.line(" ".join("=" * w for w in widths))
    for row in rows:
        process.line(" ".join(f"{cell:{w}}" for cell, w in zip(row, widths, strict=True)))


def whoami(process: Process) -> int:
    """Run ``whoami`` with /user, /groups, /priv, /all, /fo and /nh."""
    vm = process.vm
    name = process.token.name
    form, bare, wanted = "table", False, list[str]()
    queue = [arg.lower() for arg in process.args]
    while queue:
        arg = queue.pop(0)
        if arg == "/fo" and queue:
            form = queue.pop(0)
        elif arg == "/nh":
            bare = True
        elif arg in {"/user", "/groups", "/priv"}:
            wanted.append(arg)
        elif arg == "/all":
            wanted += ["/user", "/groups", "/priv"]
        else:
            return process.fail(f"ERROR: Invalid argument/option - '{arg}'.\r\nType \"WHOAMI /?\" for usage.")
    if not wanted:
        process.line(name)
    if "/user" in wanted:
        row = (name, process.token.user)
        _print(process, "USER INFORMATION", ("User Name", "SID"), [row], form, bare=bare)
    if "/groups" in wanted:
        rows: list[tuple[str, ...]] = [*_groups(vm, system=process.token.is_system)]
        _print(process, "GROUP INFORMATION", ("Group Name", "Type", "SID", "Attributes"), rows, form, bare=bare)
    if "/priv" in wanted:
        rows = [*_PRIVILEGES]
        _print(process, "PRIVILEGES INFORMATION", ("Privilege Name", "Description", "State"), rows, form, bare=bare)
    return 0


def hostname(process: Process) -> int:
    """Run ``hostname``."""
    if process.args:
        return process.fail(
            "sethostname: Use the Network Control Panel Applet to set hostname.\r\nhostname -s is not supported."
        )
    process.line(process.vm.name)
    return 0


def qwinsta(process: Process) -> int:
    """Run ``qwinsta``: services, console and, where TermService listens, its listener."""
    process.line(" SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE ")
    rows = [(">", "services", 0, "Disc"), (" ", "console", 1, "Conn")]
    if process.vm.listens() is not None:
        rows.append((" ", "rdp-tcp", 65536, "Listen"))
    for mark, name, number, state in rows:
        process.line(f"{mark}{name:18}{'':20}{number:>6}  {state:8}{'':12}")
    return 0
