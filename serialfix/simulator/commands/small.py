"""``timeout``, ``where``, ``choice`` and ``chcp``. Common knowledge."""

from serialfix.simulator.file_sets import matching
from serialfix.simulator.programs import Process, ReadKey, Sleep, Steps


def timeout(process: Process) -> Steps:
    """Run ``timeout [/t] seconds [/nobreak]``; with redirected input the real one refuses."""
    number = next((arg for arg in process.args if arg.lstrip("-").isdigit()), None)
    still = any(arg.lower() == "/nobreak" for arg in process.args)
    if number is None or not -1 <= int(number) <= 99999:
        return process.fail(
            "ERROR: Invalid syntax. Default option is not allowed more than '1' time(s).\r\n"
            'Type "TIMEOUT /?" for usage.'
        )
    if process.stdin is not None:
        return process.fail("ERROR: Input redirection is not supported, exiting the process immediately.")
    left = int(number)
    hint = "press CTRL+C to quit ..." if still else "press a key to continue ..."
    process.out("\r\n")
    while left > 0:
        process.out(f"\rWaiting for {left:2d} seconds, {hint}")
        if still:
            yield Sleep(1.0)
        elif (yield ReadKey(1.0)):
            break
        left -= 1
    process.out(f"\rWaiting for {left:2d} seconds, {hint}\r\n")
    return 0


def where(process: Process) -> int:
    """Run ``where name``: the working folder, then the Path; a file without extension gets PATHEXT's."""
    code = 1
    for name in (arg for arg in process.args if not arg.startswith("/")):
        found = []
        for folder in [process.cwd, *process.environment.get("Path", "").split(";")]:
            for extension in ["", *process.environment.get("PATHEXT", "").lower().split(";")]:
                for entry in matching(process.vm, name + extension, folder or process.cwd):
                    if entry.data is not None and entry.path not in found:
                        found.append(entry.path)
        for path in found:
            process.line(path)
            code = 0
    if code:
        process.fail("INFO: Could not find files for the given pattern(s).")
    return code


def choice(process: Process) -> Steps:
    """Run ``choice`` with /c, /m, /t, /d; the exit code is the choice's place."""
    options = {a.lower(): b for a, b in zip(process.args, [*process.args[1:], ""], strict=True) if a.startswith("/")}
    keys = options.get("/c", "YN").upper()
    process.out((options["/m"] + " " if "/m" in options else "") + f"[{','.join(keys)}]?")
    wait = float(options["/t"]) if options.get("/t", "").isdigit() else None
    while True:
        key = (process.stdin.line()[:1] if process.stdin is not None else (yield ReadKey(wait))).upper()
        key = key or options.get("/d", keys[:1]).upper()
        if key in keys:
            process.line(key)
            return keys.index(key) + 1
        process.out("\a")


def chcp(process: Process) -> int:
    """Run ``chcp``: tell the console's code page. Files are written in it; this VM has no other, so none can be set."""
    if process.args and process.args[0] != "437":
        return process.fail("Invalid code page")
    process.line("Active code page: 437")
    return 0
