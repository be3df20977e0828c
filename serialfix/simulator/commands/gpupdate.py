"""``gpupdate``: applies group policy anew, when the service for it runs. Common knowledge; the article ends with it.

No policy is modelled, so nothing changes; rdp-repair.md 0a.10 says why a real one might.
"""

from serialfix.simulator.programs import Process, Sleep, Steps
from serialfix.simulator.services import RUNNING


def gpupdate(process: Process) -> Steps:
    """Run ``gpupdate`` with /force, /target:computer or /target:user."""
    targets = {"computer": True, "user": True}
    for arg in process.args:
        low = arg.lower()
        if low in {"/target:computer", "/target:user"}:
            targets = {name: low.endswith(name) for name in targets}
        elif low not in {"/force", "/wait:0", "/sync"}:
            return process.fail(f'ERROR: Invalid argument/option - "{arg}".\r\nType "GPUPDATE /?" for usage.')
    process.line("Updating policy...\r\n")
    service = process.vm.services.find("gpsvc")
    works = service is not None and service.state == RUNNING
    yield Sleep(3.0 if works else 1.0)
    for name in ("computer", "user"):
        if not targets[name]:
            continue
        title = name.title()
        if works:
            process.line(f"{title} Policy update has completed successfully.")
        else:
            process.line(
                f"{title} policy could not be updated successfully. The following errors were encountered:\r\n\r\n"
                "The processing of Group Policy failed because the service is not running."
            )
    process.line()
    return 0 if works else 1
