"""``shutdown``: restart, shut down, abort; the machine behind the line carries it out. Common knowledge."""

from serialfix.simulator.programs import Process

_USAGE = "Usage: shutdown [/i | /l | /s | /sg | /r | /g | /a | /p | /h | /e | /o] [/hybrid] [/soft] [/fw] [/f]"


def shutdown(process: Process) -> int:
    """Run ``shutdown`` with /r /s /a /p /t /f /c /d."""
    vm = process.vm
    what, wait = "", 30.0
    queue = list(process.args)
    while queue:
        arg = queue.pop(0).lower().replace("-", "/", 1)
        if arg in {"/r", "/g"}:
            what = "restart"
        elif arg in {"/s", "/sg"}:
            what = "shutdown"
        elif arg == "/p":
            what, wait = "shutdown", 0.0
        elif arg == "/a":
            what = "abort"
        elif arg == "/t" and queue and queue[0].isdigit():
            wait = float(queue.pop(0))
        elif arg in {"/c", "/d", "/m"} and queue:
            queue.pop(0)
        elif arg not in {"/f", "/soft", "/hybrid"}:
            return process.fail(_USAGE)
    if not what:
        return process.fail(_USAGE)
    if what == "abort":
        if not vm.power_requests:
            return process.fail("Unable to abort the system shutdown because no shutdown was in progress.(1116)", 1116)
        vm.power_requests.clear()
        vm.note("power request aborted")
        return 0
    if vm.power_requests:
        return process.fail("A system shutdown has already been scheduled.(1190)", 1190)
    kind = "restart" if what == "restart" else "power off"
    text = f"The process C:\\Windows\\system32\\shutdown.exe has initiated the {kind} of computer {vm.name.upper()}"
    vm.event("System", "User32", 1074, 4, text + f" on behalf of user {vm.name.upper()}\\{vm.user}.")
    vm.request_power(what, vm.now + wait)
    return 0
