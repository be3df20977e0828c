"""``ipconfig`` (layout of the real ipconfig/19, Server 2016) and ``ping``, whose network has no route out."""

from serialfix.simulator.programs import Interrupted, Process, Sleep, Steps


def ipconfig(process: Process) -> int:
    """Run ``ipconfig`` and ``ipconfig /all``."""
    vm = process.vm
    own, mask, gateway = vm.addresses
    option = process.args[0].lower() if process.args else ""
    if option not in {"", "/all", "/flushdns", "/renew", "/release", "/displaydns"}:
        return process.fail(
            f"\r\nError: unrecognized or incomplete command line.\r\n\r\nUSAGE:\r\n    ipconfig {process.tail}"
        )
    process.line("\r\nWindows IP Configuration\r\n")
    if option == "/flushdns":
        process.line("Successfully flushed the DNS Resolver Cache.")
        return 0
    if option == "/displaydns":
        return 0
    if option in {"/renew", "/release"}:
        return process.fail("An error occurred: this simulator's network cannot be changed.")

    def row(name: str, value: str) -> None:
        process.line(
            f"   {name + ' ' + '. ' * 20:.34}: {value}"
            if len(name) % 2
            else f"   {name + ' .' + ' .' * 20:.33} : {value}"
        )

    full = option == "/all"
    if full:
        row("Host Name", vm.name)
        row("Primary Dns Suffix ", "")
        row("Node Type", "Hybrid")
        row("IP Routing Enabled", "No")
        row("WINS Proxy Enabled", "No")
        row("DNS Suffix Search List", "internal.cloudapp.net")
        process.line()
    process.line("Ethernet adapter Ethernet:\r\n")
    row("Connection-specific DNS Suffix ", "internal.cloudapp.net")
    if full:
        row("Description", "Microsoft Hyper-V Network Adapter")
        row("Physical Address", vm.mac)
        row("DHCP Enabled", "Yes")
        row("Autoconfiguration Enabled", "Yes")
    suffix = "(Preferred)" if full else ""
    row("Link-local IPv6 Address", f"fe80::{vm.seed % 65536:x}:1f2a:93c4:7d10%4{suffix}")
    row("IPv4 Address", own + suffix)
    row("Subnet Mask", mask)
    row("Default Gateway", gateway)
    if full:
        row("DHCP Server", "168.63.129.16")
        row("DNS Servers", "168.63.129.16")
        row("NetBIOS over Tcpip", "Enabled")
    return 0


def ping(process: Process) -> Steps:
    """Run ``ping``: the VM answers itself, nothing else does."""
    names = [arg for arg in process.args if not arg.startswith(("-", "/"))]
    count = next(
        (int(b) for a, b in zip(process.args, process.args[1:], strict=False) if a.lower() == "-n" and b.isdigit()), 4
    )
    target = next((name for name in names if not name.isdigit()), "")
    if not target:
        return process.fail("\r\nUsage: ping [-t] [-a] [-n count] [-l size] target_name\r\n")
    own = target.lower() in {"127.0.0.1", "localhost", "::1", process.vm.name.lower(), process.vm.addresses[0]}
    if not own and not target.replace(".", "").isdigit():
        process.line(f"Ping request could not find host {target}. Please check the name and try again.")
        return 1
    process.line(f"\r\nPinging {target} with 32 bytes of data:")
    endless = any(arg.lower() in {"-t", "/t"} for arg in process.args)
    sent = 0
    try:
        while endless or sent < count:
            yield Sleep(1.0 if own and sent else 0.01 if own else 4.0)
            sent += 1
            process.line(f"Reply from {target}: bytes=32 time<1ms TTL=128" if own else "Request timed out.")
    except Interrupted:
        if sent:
            _statistics(process, target, sent, 0 if own else sent)
        process.out("Control-C\r\n")
        raise
    _statistics(process, target, sent, 0 if own else sent)
    return 0 if own else 1


def _statistics(process: Process, target: str, sent: int, lost: int) -> None:
    percent = 100 * lost // max(1, sent)
    process.line(f"\r\nPing statistics for {target}:")
    process.line(f"    Packets: Sent = {sent}, Received = {sent - lost}, Lost = {lost} ({percent}% loss),")
