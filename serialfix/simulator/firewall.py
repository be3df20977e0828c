r"""Windows Defender Firewall: its profiles and rules, as they stand in the registry.

A rule is one value under ``SharedAccess\Parameters\FirewallPolicy\FirewallRules``:
``v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|App=...|Svc=termservice|Name=@FirewallAPI.dll,-28775|``.
The RDP rules' names are rdp-repair.md 2.2 and 2.8 T16; the value's form is [MS-GPFAS] 2.2.2.19 (addresses of the two
families apart, subnets with a dotted mask, words such as LocalSubnet in both), the resource numbers common knowledge.
Rules of a policy count as well, and alone where it has AllowLocalPolicyMerge 0 (rdp-repair.md 0a.7).
"""

import ipaddress
from dataclasses import dataclass, replace

from serialfix.simulator.registry import REG_DWORD, REG_SZ, Registry

ROOT = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
RULES = ROOT + r"\FirewallRules"
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
PROFILES = (("Domain", "DomainProfile"), ("Private", "StandardProfile"), ("Public", "PublicProfile"))
PROTOCOLS = {"6": "TCP", "17": "UDP", "1": "ICMPv4", "58": "ICMPv6", "": "Any"}
_TEXTS = {
    "@FirewallAPI.dll,-28752": "Remote Desktop",
    "@FirewallAPI.dll,-28775": "Remote Desktop - User Mode (TCP-In)",
    "@FirewallAPI.dll,-28776": "Remote Desktop - User Mode (UDP-In)",
    "@FirewallAPI.dll,-28778": "Remote Desktop - Shadow (TCP-In)",
    "@FirewallAPI.dll,-30253": "Windows Remote Management (HTTP-In)",
    "@FirewallAPI.dll,-30267": "Windows Remote Management",
    "@FirewallAPI.dll,-25326": "Core Networking - Dynamic Host Configuration Protocol (DHCP-In)",
    "@FirewallAPI.dll,-25000": "Core Networking",
}
_SVCHOST = r"%SystemRoot%\system32\svchost.exe"
_FIRST = {
    "RemoteDesktop-UserMode-In-TCP": ("6", "3389", _SVCHOST, "termservice", 28775, 28752),
    "RemoteDesktop-UserMode-In-UDP": ("17", "3389", _SVCHOST, "termservice", 28776, 28752),
    "RemoteDesktop-Shadow-In-TCP": ("6", "", r"%SystemRoot%\system32\RdpSa.exe", "", 28778, 28752),
    "WINRM-HTTP-In-TCP": ("6", "5985", "System", "", 30253, 30267),
    "CoreNet-DHCP-In": ("17", "68", _SVCHOST, "dhcp", 25326, 25000),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``protocol``: its number as text, '' for any; ``ports``, ``remote`` and ``local``: '' for any.

    ``edge``: what NAT of the edge kind may bring: '' nothing, or "yes", "deferapp", "deferuser".
    """

    name: str
    display: str
    allow: bool = True
    active: bool = True
    inbound: bool = True
    protocol: str = ""
    ports: str = ""
    program: str = ""
    service: str = ""
    group: str = ""
    remote: str = ""
    profiles: tuple[str, ...] = ()
    local: str = ""
    edge: str = ""

    @property
    def display_name(self) -> str:
        """The name people see."""
        return _TEXTS.get(self.display, self.display)

    @property
    def group_name(self) -> str:
        """The group people see."""
        return _TEXTS.get(self.group, self.group)

    def covers(self, protocol: str, port: int, program: str, service: str) -> bool:
        """Say whether the rule is about this traffic, coming in to a program."""
        return (
            self.inbound
            and self.active
            and self.protocol in {"", protocol}
            and (not self.ports or any(_within(port, part) for part in self.ports.split(",")))
            and (not self.service or self.service == "*" or self.service.lower() == service.lower())
            and (not self.program or _expanded(self.program) == _expanded(program))
        )


def _within(port: int, part: str) -> bool:
    low, _, high = part.strip().partition("-")
    return low.isdigit() and int(low) <= port <= int(high or low)


def _expanded(path: str) -> str:
    return path.lower().replace("%systemroot%", r"c:\windows").strip('"')


def pack(rule: Rule) -> str:
    """Return a rule as its registry value holds it."""
    parts = [f"Action={'Allow' if rule.allow else 'Block'}", f"Active={'TRUE' if rule.active else 'FALSE'}"]
    parts.append(f"Dir={'In' if rule.inbound else 'Out'}")
    parts += [f"Protocol={rule.protocol}"] if rule.protocol else []
    parts += [f"Profile={profile}" for profile in rule.profiles]
    for port in (each.strip() for each in rule.ports.split(",") if each):
        parts.append(f"LPort2_10={port}" if "-" in port else f"LPort={port}")
    parts += _packed("LA", rule.local) + _packed("RA", rule.remote)
    parts += [f"App={rule.program}"] if rule.program else []
    parts += [f"Svc={rule.service}"] if rule.service else []
    parts.append(f"Name={rule.display}")
    parts += [f"EmbedCtxt={rule.group}"] if rule.group else []
    parts += ["Edge=TRUE"] if rule.edge else []
    parts += [f"Defer={rule.edge.removeprefix('defer').title()}"] if rule.edge.startswith("defer") else []
    return "v2.31|" + "|".join(parts) + "|"


_WORDS = {
    "localsubnet": "LocalSubnet",
    "dns": "DNS",
    "dhcp": "DHCP",
    "wins": "WINS",
    "defaultgateway": "DefaultGateway",
}


def valid_addresses(text: str) -> bool:
    """Say whether netsh takes a list of addresses, subnets, ranges and words."""
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        try:
            if first.lower() in _WORDS and not dash:
                continue
            if dash:
                if int(ipaddress.ip_address(first)) > int(ipaddress.ip_address(last)):
                    return False
            else:
                ipaddress.ip_network(first, strict=False)
        except ValueError:
            return False
    return True


def _packed(which: str, text: str) -> list[str]:
    """Return the fields of a list of addresses: those of each family, then of the other; words in both."""
    found = []
    for family in ("4", "6"):
        for part in (each.strip() for each in text.split(",") if each.strip()):
            if part.lower() in _WORDS:
                found.append(f"{which}{family}={_WORDS[part.lower()]}")
            elif (":" in part) == (family == "6"):
                masked = part
                if family == "4" and "/" in part:
                    network = ipaddress.ip_network(part, strict=False)
                    masked = f"{network.network_address}/{network.netmask}"
                found.append(f"{which}{family}={masked}")
    return found


def _unpacked(which: str, several: dict[str, list[str]]) -> str:
    """Return the addresses of both families as netsh shows them, subnets with the length of their prefix."""
    return ",".join(dict.fromkeys(_shown(each) for each in several.get(which + "4", []) + several.get(which + "6", [])))


def _shown(text: str) -> str:
    try:
        return str(ipaddress.ip_network(text, strict=False)) if "/" in text else text
    except ValueError:
        return text


def unpack(name: str, text: str) -> Rule:
    """Read a rule from its registry value; what it does not understand it leaves out."""
    several: dict[str, list[str]] = {}
    for part in text.split("|")[1:]:
        key, equals, value = part.partition("=")
        if equals:
            several.setdefault(key.lower(), []).append(value)
    one = {key: values[0] for key, values in several.items()}
    ports = ",".join(several.get("lport", []) + several.get("lport2_10", []))
    return Rule(
        name, one.get("name", name), one.get("action", "").lower() == "allow", one.get("active", "").lower() == "true",
        one.get("dir", "").lower() == "in", one.get("protocol", ""), ports, one.get("app", ""), one.get("svc", ""),
        one.get("embedctxt", ""), _unpacked("ra", several), tuple(several.get("profile", [])),
        _unpacked("la", several),
        "defer" + one["defer"].lower() if "defer" in one else "yes" if one.get("edge", "").lower() == "true" else "",
    )  # fmt: skip


def rules(registry: Registry, path: str = RULES) -> list[Rule]:
    """Return all rules of the local store, or of another one, in the order they were made."""
    key = registry.key(path)
    return [unpack(v.name, str(v.data)) for v in key.values.values()] if key else []


def put(registry: Registry, rule: Rule) -> None:
    """Write a rule, new or changed."""
    registry.set(RULES, rule.name, REG_SZ, pack(rule))


def delete(registry: Registry, name: str) -> bool:
    """Delete a rule by its name (not the one people see)."""
    return registry.delete_value(RULES, name)


def enabled(registry: Registry, profile: str) -> bool:
    """Say whether a profile's firewall is on; a policy has the last word."""
    policy = registry.number(f"{POLICY}\\{profile}Profile", "EnableFirewall")
    if policy is not None:
        return policy != 0
    return registry.number(f"{ROOT}\\{dict(PROFILES)[profile]}", "EnableFirewall") != 0


def lets_in(registry: Registry, port: int, program: str, service: str, *, protocol: str = "6") -> bool:
    """Say whether a connection from the Internet reaches a program on a port. The VM's network is a public one."""
    if not enabled(registry, "Public"):
        return True
    folder = f"{ROOT}\\PublicProfile"
    policy = f"{POLICY}\\PublicProfile"
    if registry.number(folder, "DoNotAllowExceptions") or registry.number(policy, "DoNotAllowExceptions"):
        return False
    in_force = rules(registry, POLICY + r"\FirewallRules")
    if registry.number(policy, "AllowLocalPolicyMerge") != 0:
        in_force += rules(registry)
    matching = [
        rule
        for rule in in_force
        if rule.covers(protocol, port, program, service)
        and (not rule.profiles or "Public" in rule.profiles)
        and (not rule.remote or not rule.allow)
    ]
    if any(not rule.allow for rule in matching):
        return False
    return bool(matching) or registry.number(folder, "DefaultInboundAction") == 0


def fill(registry: Registry) -> None:
    """Write the profiles and rules of an Azure VM."""
    for _, folder in PROFILES:
        registry.set(f"{ROOT}\\{folder}", "EnableFirewall", REG_DWORD, 1)
        registry.set(f"{ROOT}\\{folder}", "DisableNotifications", REG_DWORD, 1)
    for name, (protocol, ports, program, service, text, group) in _FIRST.items():
        display, of = f"@FirewallAPI.dll,-{text}", f"@FirewallAPI.dll,-{group}"
        put(registry, Rule(name, display, protocol=protocol, ports=ports, program=program, service=service, group=of))


def changed(rule: Rule, **values: object) -> Rule:
    """Return a rule with some fields replaced."""
    return replace(rule, **values)  # type: ignore[arg-type]
