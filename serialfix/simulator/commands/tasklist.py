"""``tasklist`` and ``taskkill``: processes, which services they hold, filters, table, list and csv.

Columns as in the real tasklist-svc/01 (a service list is broken within its 44 columns and goes on at column 35);
csv as in rdp-repair.md 2.2.
"""

import re
from collections.abc import Callable

from serialfix.simulator.programs import Process

Row = tuple[str, int, str, int, int, list[str]]
NONE_MATCH = "INFO: No tasks are running which match the specified criteria."


def _wrap(text: str, width: int) -> list[str]:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def _filter(text: str) -> Callable[[Row], bool] | None:
    match = re.fullmatch(r"\s*(\w+)\s+(eq|ne|gt|lt|ge|le)\s+(.+?)\s*", text, re.IGNORECASE)
    if match is None:
        return None
    name, how, wanted = match[1].lower(), match[2].lower(), match[3]
    picks: dict[str, Callable[[Row], list[str]]] = {
        "imagename": lambda row: [row[0]],
        "pid": lambda row: [str(row[1])],
        "session": lambda row: [str(row[3])],
        "sessionname": lambda row: [row[2]],
        "services": lambda row: row[5],
        "memusage": lambda row: [str(row[4])],
        "status": lambda row: ["RUNNING" if row[1] else "UNKNOWN"],
    }
    if name not in picks:
        return None
    pattern = re.compile(re.escape(wanted).replace(r"\*", ".*"), re.IGNORECASE)

    def keep(row: Row) -> bool:
        values = picks[name](row)
        if how in {"eq", "ne"}:
            return any(pattern.fullmatch(value) for value in values) == (how == "eq")
        if not wanted.isdigit() or not values or not values[0].isdigit():
            return False
        a, b = int(values[0]), int(wanted)
        return {"gt": a > b, "lt": a < b, "ge": a >= b, "le": a <= b}[how]

    return keep


def tasklist(process: Process) -> int:
    """Run ``tasklist``."""
    services = heading = False
    form, rows = "table", process.vm.running_programs()
    queue = list(process.args)
    while queue:
        arg = queue.pop(0).lower()
        if arg == "/svc":
            services = True
        elif arg == "/nh":
            heading = True
        elif arg == "/v":
            continue
        elif arg == "/fo" and queue:
            form = queue.pop(0).lower()
        elif arg == "/fi" and queue:
            keep = _filter(queue.pop(0))
            if keep is None:
                return process.fail("ERROR: The search filter cannot be recognized.")
            rows = [row for row in rows if keep(row)]
        else:
            return process.fail(f"ERROR: Invalid argument/option - '{arg}'.\r\nType \"TASKLIST /?\" for usage.")
    if form not in {"table", "csv", "list"}:
        return process.fail(
            "ERROR: Invalid syntax. Invalid value specified for '/FO'.\r\nType \"TASKLIST /?\" for usage."
        )
    if not rows:
        process.line(NONE_MATCH)
        return 0
    names = (
        ["Image Name", "PID", "Services"]
        if services
        else ["Image Name", "PID", "Session Name", "Session#", "Mem Usage"]
    )
    cells = [
        [image, str(pid), ",".join(held) or "N/A"]
        if services
        else [image, str(pid), session, str(number), f"{size:,} K"]
        for image, pid, session, number, size, held in rows
    ]
    if form == "csv":
        for cell in ([] if heading else [names]) + cells:
            process.line(",".join(f'"{each}"' for each in cell))
        return 0
    if form == "list":
        for cell in cells:
            process.line()
            for name, value in zip(names, cell, strict=True):
                process.line(f"{name + ':':13} {value}")
        return 0
    process.line()
    if services:
        if not heading:
            process.line(f"{'Image Name':25} {'PID':>8} {'Services':44}\r\n{'=' * 25} {'=' * 8} {'=' * 44}")
        for image, pid, held in cells:
            first, *more = _wrap(held.replace(",", ", "), 44)
            process.line(f"{image[:25]:25} {pid:>8} {first:44}")
            for each in more:
                process.line(" " * 35 + f"{each:44}")
        return 0
    if not heading:
        process.line(f"{'Image Name':25} {'PID':>8} {'Session Name':16} {'Session#':>11} {'Mem Usage':>12}")
        process.line(" ".join("=" * width for width in (25, 8, 16, 11, 12)))
    for image, pid, session, number, size_text in cells:
        process.line(f"{image[:25]:25} {pid:>8} {session:16} {number:>11} {size_text:>12}")
    return 0


def taskkill(process: Process) -> int:
    """Run ``taskkill`` with /pid, /im, /f and /t."""
    wanted: list[tuple[str, str]] = []
    force = False
    queue = list(process.args)
    while queue:
        arg = queue.pop(0).lower()
        if arg in {"/pid", "/im"} and queue:
            wanted.append((arg, queue.pop(0)))
        elif arg == "/f":
            force = True
        elif arg != "/t":
            return process.fail(f"ERROR: Invalid argument/option - '{arg}'.\r\nType \"TASKKILL /?\" for usage.")
    if not wanted:
        return process.fail(
            'ERROR: Invalid syntax. Neither /FI nor /PID nor /IM were specified.\r\nType "TASKKILL /?" for usage.'
        )
    code = 0
    for how, value in wanted:
        rows = [
            row
            for row in process.vm.running_programs()
            if (how == "/pid" and str(row[1]) == value) or (how == "/im" and row[0].lower() == value.lower())
        ]
        if not rows:
            code = process.fail(f'ERROR: The process "{value}" not found.', 128)
        for image, pid, *_ in rows:
            shown = f'"{image}" with PID {pid}' if how == "/im" else f"with PID {pid}"
            if not force and image == "svchost.exe":
                text = "This process can only be terminated forcefully (with /F option)."
                code = process.fail(f"ERROR: The process {shown} could not be terminated.\r\nReason: {text}")
            elif process.vm.kill(pid):
                process.line(
                    f"SUCCESS: {'The process' if force else 'Sent termination signal to the process'} {shown} "
                    + ("has been terminated." if force else "")
                )
            else:
                code = process.fail(f"ERROR: The process {shown} could not be terminated.\r\nReason: Access is denied.")
    return code
