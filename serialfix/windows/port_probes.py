"""The questions of the port check beyond ``probes``: who holds a port and what depends on it, and where to move to.

rdp-repair.md 0a.7 says what has to be seen before somebody chooses, 2.2 what a new port has to be, 2.8 T02 that
``netstat -b`` is slow and names just any service of a shared process (so it is a hint and no more).
"""

from dataclasses import dataclass

from serialfix import quoting
from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import excluded_ports, firewall, netstat, probes, registry, takes_stop
from serialfix.windows.free_port import FIRST, LAST

SERVICES = r"HKLM\SYSTEM\CurrentControlSet\Services"


@dataclass(frozen=True, slots=True)
class Setup:
    """How a service is set up. ``start``: 2 by itself at boot, 3 on demand, 4 disabled; None where it is not set."""

    image: str
    start: int | None
    account: str


def _rows(output: Output) -> tuple[netstat.Socket, ...]:
    if output.exit_code == 1 and not output.text.strip():
        return ()  # findstr found no line
    return netstat.parse(output)


def sockets_of(pid: int) -> Probe[tuple[netstat.Socket, ...]]:
    """Every TCP socket and UDP port of a process."""
    return Probe(
        name=f"sockets:{pid}",
        title=f"All ports and connections of process {pid}",
        why="Whoever uses them is cut off when it stops.",
        query=Command("cmd", f'netstat -ano|findstr /c:" {pid}"'),
        parse=lambda output: tuple(row for row in _rows(output) if row.pid == pid),
        say=lambda rows: f"{len(rows)} sockets",
    )


def hint(port: int) -> Probe[tuple[str, ...]]:
    """The services that netstat names on a port: a hint, since it may name another one of the same process."""

    def parse(output: Output) -> tuple[str, ...]:
        rows = [row for row in netstat.parse(output) if row.listens and row.port == port]
        return tuple(dict.fromkeys(name for row in rows for name in row.services))

    return Probe(
        name=f"named:{port}",
        title=f"Which service netstat names on port {port}",
        why="Several services share that process; this is the one to try first.",
        query=Command("cmd", "netstat -abno -p tcp"),
        parse=parse,
        say=lambda names: ", ".join(names) or "none",
        timeout=120.0,
    )


def stoppable(name: str) -> Probe[bool]:
    """Whether a service takes a stop."""
    return Probe(
        name=f"stoppable:{name}",
        title=f"Whether {name} takes a stop",
        why="A service that takes none keeps the port, so Remote Desktop has to move.",
        query=probes.service(name).query,
        parse=takes_stop.parse,
        say=lambda takes: "takes a stop" if takes else "takes no stop",
    )


def setup(name: str) -> Probe[Setup]:
    """The program of a service, how it is started, and its account."""
    key = rf"{SERVICES}\{name}"

    def parse(output: Output) -> Setup:
        keys = registry.parse(output)
        image, start, account = (keys.value(key, value) for value in ("ImagePath", "Start", "ObjectName"))
        if image is None:
            raise Unreadable(f"the key of {name} names no program")
        return Setup(image.data, None if start is None else start.number, "" if account is None else account.data)

    return Probe(
        name=f"setup:{name}",
        title=f"The program of {name} and how it is started",
        why="It shows whose program it is.",
        query=Command("cmd", f"reg query {quoting.cmd(key)}"),
        parse=parse,
        say=lambda found: found.image,
    )


EXCLUDED: Probe[tuple[tuple[int, int], ...]] = Probe(
    name="excluded_ports",
    title="Ports that Windows keeps for itself",
    why="Nobody can listen on one of them.",
    query=Command("cmd", "netsh int ipv4 show excludedportrange protocol=tcp"),
    parse=excluded_ports.parse,
    say=lambda ranges: ", ".join(f"{first}-{last}" for first, last in ranges) or "none",
)

NEARBY: Probe[frozenset[int]] = Probe(
    name="ports_nearby",
    title=f"Who uses the ports {FIRST} to {LAST}",
    why="Remote Desktop moves to the first of them that nobody has.",
    query=Command("cmd", 'netstat -ano|findstr /r ":33[0-9][0-9] :34[0-9][0-9]"'),
    parse=lambda output: frozenset(row.port for row in _rows(output) if row.port is not None),
    say=lambda ports: ", ".join(str(port) for port in sorted(ports)) or "nobody",
)

# The lines of keys come along, so that a store without such a rule is told from one that could not be read.
_SETTINGS = '/c:"HKEY_" /c:"EnableFirewall" /c:"DoNotAllowExceptions" /c:"AllowLocalPolicyMerge"'


def _filter(port: int) -> str:
    rules = f'/c:"Svc=termservice|" /c:"LPort={port}|" /c:"LPort2_" /c:"Action=Block|Active=TRUE|Dir=In|"'
    return f"findstr /i {_SETTINGS} {rules}"


def local_firewall(port: int) -> Probe[firewall.Firewall]:
    """The firewall's own settings, and those of its rules that may be about Remote Desktop on a port."""
    return Probe(
        name=f"firewall:{port}",
        title=f"The firewall's rules about Remote Desktop and port {port}",
        why="A new rule lets in nobody whom the one in force now does not.",
        query=Command("cmd", f"reg query {quoting.cmd(firewall.LOCAL)} /s|{_filter(port)}"),
        parse=firewall.parse_local,
        exact=True,  # a new rule copies its scope
        say=lambda found: ", ".join(rule.id for rule in found.rules) or "none",
    )


def policy_firewall(port: int) -> Probe[firewall.Firewall]:
    """What a policy says of the firewall, read from a key that is there with or without one."""
    parent = firewall.POLICY.rpartition("\\")[0]
    return Probe(
        name=f"firewall policy:{port}",
        title="What group policy says of the firewall",
        why="Where a policy wants its own rules only, a rule made here would do nothing.",
        query=Command("cmd", f"reg query {quoting.cmd(parent)} /s|{_filter(port)}"),
        parse=firewall.parse_policy,
        exact=True,
        say=lambda found: ", ".join(rule.id for rule in found.rules) or "no rule of a policy",
        most=256 * 1024,
    )
