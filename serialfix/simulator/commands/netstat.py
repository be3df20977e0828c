"""``netstat``: listeners and connections derived from what runs now.

Columns, owner lines and the sentence without owner as in the real netstat-anob/01 and 06. Of a process that holds
several services any one may be named, or none (output-formats.md "Shared svchost"); which, the seed chooses.
"""

from dataclasses import dataclass

from serialfix.simulator.programs import Process
from serialfix.simulator.vm import Vm, stream

NO_OWNER = " Can not obtain ownership information"


@dataclass(frozen=True, slots=True)
class Socket:
    """One socket. ``owner``: (service or '', image); '' twice means nobody says."""

    proto: str
    local: str
    foreign: str
    state: str
    pid: int
    owner: tuple[str, str]


def _named(vm: Vm, service: str, pid: int) -> str:
    """The service that netstat names for a process: one that is alone there, else any of them, or none."""
    held = vm.services.in_process(pid)
    return service if held == [service] else stream(vm.seed, f"netstat/{service}").choice((*held, service, ""))


def sockets(vm: Vm) -> list[Socket]:
    """Return the VM's sockets in netstat's order: TCP, TCPv6, UDP, UDPv6."""
    four: list[tuple[int, int, tuple[str, str]]] = []

    def serve(service: str, port: int) -> None:
        found = vm.services.find(service)
        if found is not None and found.pid:
            image = vm.service_image(service)
            named = service
            if image == "svchost.exe":
                named = _named(vm, service, found.pid)
            four.append((port, vm.service_pid(found), (named if image == "svchost.exe" else "", image)))

    serve("RpcSs", 135)
    four.append((445, 4, ("", "")))
    port = vm.listens()
    if port is not None:
        serve("TermService", port)
    for number, holder in vm.bound.items():
        serve(vm.services.true_name(holder), number)
    if (winrm := vm.services.find("WinRM")) is not None and winrm.pid:
        four += [(5985, 4, ("", "")), (47001, 4, ("", ""))]
    four.append(
        (vm.dynamic_port("wininit"), next(p.pid for p in vm.processes if p.image == "wininit.exe"), ("", "wininit.exe"))
    )
    for service in ("EventLog", "Schedule", "SessionEnv", "Spooler"):
        serve(service, vm.dynamic_port(service))
    four.append((vm.dynamic_port("services"), next(p.pid for p in vm.processes if p.image == "services.exe"), ("", "")))
    four.append((vm.dynamic_port("lsass"), vm.lsass_pid(), ("", "lsass.exe")))
    four.sort()
    own = vm.addresses[0]
    rows = [Socket("TCP", f"0.0.0.0:{port}", "0.0.0.0:0", "LISTENING", pid, owner) for port, pid, owner in four]
    rows.append(Socket("TCP", f"{own}:139", "0.0.0.0:0", "LISTENING", 4, ("", "")))
    for name, ports in (("WindowsAzureGuestAgent", (50012, 50031)), ("RdAgent", (50019,))):
        agent = vm.services.find(name)
        if agent is not None and agent.pid:
            for number, far in zip(ports, (80, 32526), strict=False):
                image = vm.service_image(name)
                rows.append(
                    Socket("TCP", f"{own}:{number}", f"168.63.129.16:{far}", "ESTABLISHED", agent.pid, ("", image))
                )
    rows += [Socket("TCP", f"[::]:{port}", "[::]:0", "LISTENING", pid, owner) for port, pid, owner in four]
    udp: list[tuple[int, str]] = [(123, "W32Time"), (500, "IKEEXT"), (5353, "Dnscache"), (5355, "Dnscache")]
    if port is not None:
        udp.append((port, "TermService"))
    for number, service in sorted(udp):
        found = vm.services.find(service)
        if found is not None and found.pid:
            rows.append(Socket("UDP", f"0.0.0.0:{number}", "*:*", "", vm.service_pid(found), (service, "svchost.exe")))
    rows.append(Socket("UDP", f"{own}:137", "*:*", "", 4, ("", "")))
    rows.append(Socket("UDP", f"{own}:138", "*:*", "", 4, ("", "")))
    if port is not None and (term := vm.services.find("TermService")):
        rows.append(Socket("UDP", f"[::]:{port}", "*:*", "", term.pid, ("TermService", "svchost.exe")))
    return rows


def netstat(process: Process) -> int:
    """Run ``netstat`` with -a -n -o -b -p."""
    switches, wanted = "", ""
    queue = list(process.args)
    while queue:
        arg = queue.pop(0)
        if arg[:1] not in {"-", "/"}:
            return process.fail("\r\nDisplays protocol statistics and current TCP/IP network connections.\r\n")
        switches += arg[1:].lower()
        if switches.endswith("p"):
            wanted = queue.pop(0).lower() if queue else ""
    if set(switches) - set("anobpqt"):
        return process.fail("\r\nDisplays protocol statistics and current TCP/IP network connections.\r\n")
    process.line("\r\nActive Connections\r\n")
    title = f"  {'Proto':5}  {'Local Address':21}  {'Foreign Address':21}  {'State':15}"
    process.line(title + (" PID" if "o" in switches else ""))
    for socket in sockets(process.vm):
        family = socket.proto.lower() + ("v6" if socket.local.startswith("[") else "")
        quiet = socket.state != "ESTABLISHED" and "a" not in switches and "q" not in switches
        if quiet or (wanted and wanted != family):
            continue
        row = f"  {socket.proto:5}  {socket.local:21}  {socket.foreign:21}  {socket.state:15}"
        process.line((row + f" {socket.pid}") if "o" in switches else row.rstrip())
        if "b" in switches:
            service, image = socket.owner
            if not image:
                process.line(NO_OWNER)
                continue
            if service:
                process.line(f"  {service}")
            process.line(f" [{image}]")
    return 0
