"""The changes that move Remote Desktop to another port: a firewall rule for each protocol, and the port itself.

rdp-repair.md 2.2 "Fix B" and 2.8 T15, T16: rules of our own for TCP and UDP, the port as a decimal REG_DWORD. A rule
gets the scope of the one in force and never a wider one (0a.7); its program and service are Remote Desktop's own,
whatever the one in force says, which can only be narrower.
"""

from dataclasses import replace
from typing import Literal

from serialfix import quoting
from serialfix.steps import Change, Command, Probe, Risk
from serialfix.windows import changes, listener, port_probes
from serialfix.windows.firewall import TCP, UDP, Firewall, Rule, Scope
from serialfix.windows.registry import Value

DOCS = "https://learn.microsoft.com/windows-server/remote/remote-desktop-services/remotepc/change-listening-port"
NETSH_DOCS = (
    "https://learn.microsoft.com/troubleshoot/windows-server/networking/netsh-advfirewall-firewall-control-firewall"
)
MOST_TYPED = 1200
"""Characters of a command that a line on the console takes without trouble; it ends at 1,500."""

Protocol = Literal["TCP", "UDP"]
NUMBERS: dict[Protocol, int] = {"TCP": TCP, "UDP": UDP}


def rule_name(protocol: Protocol, port: int, number: int = 1) -> str:
    """What a rule of ours is called; ``number`` tells several for one protocol apart.

    >>> rule_name("TCP", 3390), rule_name("UDP", 3390, 2)
    ('serialfix RDP TCP 3390', 'serialfix RDP UDP 3390 (2)')
    """
    return f"serialfix RDP {protocol} {port}" + (f" ({number})" if number > 1 else "")


def add_command(name: str, protocol: Protocol, port: int, scope: Scope) -> str:
    """The command that makes the rule. Raises ValueError for a scope that can't be typed.

    >>> add_command("r", "TCP", 3390, Scope(("public",), ("10.0.0.0-10.255.255.255", "localsubnet")))[-89:]
    'service=termservice profile=public remoteip="10.0.0.0-10.255.255.255,localsubnet" edge=no'
    """
    local = f" localip={quoting.cmd(','.join(scope.local))}" if scope.local else ""
    text = (
        f"netsh advfirewall firewall add rule name={quoting.cmd(name)} dir=in action=allow protocol={protocol} "
        rf"localport={port} program=%SystemRoot%\system32\svchost.exe service=termservice "
        f"profile={quoting.cmd(','.join(scope.profiles))} "
        f"remoteip={quoting.cmd(','.join(scope.remote) or 'any')}{local} edge={scope.edge}"
    )
    if len(text) > MOST_TYPED:
        raise ValueError(f"a rule for {len(scope.remote)} ranges of addresses is too long to be typed")
    return text


def add_rule(protocol: Protocol, port: int, scope: Scope, *, risk: Risk, number: int = 1) -> Change[tuple[Rule, ...]]:
    """Let Remote Desktop be reached on ``port`` by those in ``scope``. Raises ValueError where it can't be typed."""
    name = rule_name(protocol, port, number)
    whole = port_probes.local_firewall(port)

    def named(found: Firewall) -> tuple[Rule, ...]:
        return tuple(rule for rule in found.rules if rule.name == name)

    before: Probe[tuple[Rule, ...]] = Probe(
        name=f"rule:{name}",
        title=f"The firewall rule {name}",
        why="A rule of that name would be in the way.",
        query=whole.query,
        parse=lambda output: named(whole.parse(output)),
        say=shown,
    )
    return Change(
        name=f"firewall_rule:{protocol}:{port}" + (f":{number}" if number > 1 else ""),
        title=f"Let {protocol} port {port} in to Remote Desktop, {scope}",
        why=f"The rule in force is for the old port only. This one lets in the same addresses on {port}.",
        risk=risk,
        proven="documented",
        before=before,
        do=Command("cmd", add_command(name, protocol, port, scope), "write"),
        after=f"{name}: {scope}",
        show=shown,
        check=lambda rules: len(rules) == 1 and is_ours(rules[0], protocol, port, scope),
        undo=lambda rules: () if rules else (delete(name),),
        settle=6.0,
        put_back=True,
        docs=NETSH_DOCS,
    )


def delete(name: str) -> Command:
    """The command that takes a rule of ours away."""
    return Command("cmd", f"netsh advfirewall firewall delete rule name={quoting.cmd(name)}", "write")


def is_ours(rule: Rule, protocol: Protocol, port: int, scope: Scope) -> bool:
    """Whether a rule lets Remote Desktop's service in on just this port, by just this scope."""
    return (
        rule.about(NUMBERS[protocol], port)
        and rule.action == "allow"
        and rule.active
        and rule.protocol == NUMBERS[protocol]
        and rule.ports == ((port, port),)
        and rule.service.lower() == "termservice"
        and bool(rule.program)
        and not rule.other
        and rule.scope == scope
    )


def shown(rules: tuple[Rule, ...]) -> str:
    """The rules of one name in words."""
    return "; ".join(f"{'on' if rule.active else 'off'}, {rule.scope}" for rule in rules) or "there is none"


def set_port(port: int) -> Change[Value | None]:
    """Tell Remote Desktop to listen on ``port`` when it starts again."""
    change = changes.set_dword(
        "port_number",
        parent=listener.KEY,
        key=listener.KEY,
        name="PortNumber",
        number=port,
        title=f"Let Remote Desktop listen on port {port}",
        why="The old port stays with its holder. Every client has to be told the new one, and so have network security "
        "group, load balancer, Bastion and gateway.",
        risk="high",
        proven="documented",
        docs=DOCS,
    )
    return replace(change, put_back=True)
