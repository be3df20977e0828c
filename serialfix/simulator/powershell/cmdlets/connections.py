"""Test-NetConnection: whether a TCP port answers.

What it prints, and that a refused port is a warning with a look by ping besides: common knowledge. Its progress bar is
the console's matter.
"""

from collections.abc import Generator

from serialfix.simulator.powershell import sockets
from serialfix.simulator.powershell.binding import Bound, Cmdlet
from serialfix.simulator.powershell.errors import Thrown
from serialfix.simulator.powershell.values import Obj, Value, number
from serialfix.simulator.programs import Request, Sleep

Out = Generator[Request, str, list[Value]]
_PORTS = {"rdp": 3389, "http": 80, "smb": 445, "winrm": 5985}


def _test(bound: Bound) -> Out:
    vm = bound.evaluator.vm
    host = bound.text("ComputerName", "internetbeacon.msedge.net")
    own = {*sockets.LOOPBACK, vm.name.lower(), vm.addresses[0]}
    here = host.lower() in own
    word = bound.text("CommonTCPPort").lower()
    port = _PORTS.get(word) if word else bound.get("Port")
    address = {"localhost": "127.0.0.1"}.get(host.lower(), vm.addresses[0] if host.lower() == vm.name.lower() else host)
    found: dict[str, Value] = {"ComputerName": host, "RemoteAddress": address}
    pinged = here
    opened: bool | None = None
    if port is not None:
        found["RemotePort"] = int(number(port))
        opened = yield from _opens(bound, host, port)
        if not opened:
            bound.evaluator.shared.streams.out(f"WARNING: TCP connect to ({address} : {int(number(port))}) failed\r\n")
    loopback = address in {"127.0.0.1", "::1"}
    found["InterfaceAlias"] = "Loopback Pseudo-Interface 1" if loopback else "Ethernet"
    found["SourceAddress"] = address if loopback else vm.addresses[0]
    if port is None or not opened:
        yield Sleep(0.1 if pinged else 4.0)
        found["PingSucceeded"] = pinged
        found["PingReplyDetails (RTT)"] = "0 ms"
    if port is not None:
        found["TcpTestSucceeded"] = opened
    if bound.text("InformationLevel").lower() == "quiet":
        return [opened if port is not None else pinged]
    return [Obj("TestNetConnectionResult", found)]


def _opens(bound: Bound, host: str, port: Value) -> Generator[Request, str, bool]:
    try:
        client = yield from sockets.tcp_client(bound.evaluator.vm, [host, port])
    except Thrown:
        return False
    client.methods["Close"]()
    return True


CMDLETS = (
    Cmdlet(
        "Test-NetConnection",
        {"ComputerName": True, "Port": True, "CommonTCPPort": True, "InformationLevel": True},
        ("ComputerName", "CommonTCPPort"),
        _test,
    ),
)
