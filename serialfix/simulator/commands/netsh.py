"""``netsh``: advfirewall (profiles and rules), portproxy, excluded ports, http; over the state ``firewall.py`` reads.

A rule's fields and their columns are those of the real outputs netsh-advfirewall/02 to 07 (rulers of 70, values from
column 39); the rest is common knowledge. Names are the ones people see, here in English.
"""

from serialfix.simulator import firewall, port_use
from serialfix.simulator.firewall import PROTOCOLS, Rule
from serialfix.simulator.programs import Process
from serialfix.simulator.registry import REG_DWORD

RULER = "-" * 70
NO_RULES = "\r\nNo rules match the specified criteria.\r\n"
_SCOPES = {
    "allprofiles": ("Domain", "Private", "Public"), "domainprofile": ("Domain",), "privateprofile": ("Private",),
    "publicprofile": ("Public",), "currentprofile": ("Public",),
}  # fmt: skip
_EDGE = {"": "No", "yes": "Yes", "deferapp": "Defer to application", "deferuser": "Defer to user"}
_NUMBERS = {"tcp": "6", "udp": "17", "icmpv4": "1", "icmpv6": "58", "any": ""}


def _values(args: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for arg in args:
        key, equals, value = arg.partition("=")
        if equals:
            found[key.lower()] = value.strip('"')
        else:
            found[key.lower()] = ""
    return found


def _named(process: Process, values: dict[str, str]) -> list[Rule]:
    name, group = values.get("name", "").lower(), values.get("group", "").lower()
    found = []
    for rule in firewall.rules(process.vm.registry):
        right = name in {"all", rule.display_name.lower()} if name else bool(group) and rule.group_name.lower() == group
        way = values.get("dir", "").lower()
        if right and (not way or (way == "in") == rule.inbound):
            found.append(rule)
    return found


def _show(process: Process, values: dict[str, str]) -> int:
    found = _named(process, values)
    if not found:
        process.line(NO_RULES)
        return 1
    for rule in found:
        process.line(f"\r\n{'Rule Name:':38}{rule.display_name}\r\n{RULER}")
        rows = [
            ("Enabled", "Yes" if rule.active else "No"),
            ("Direction", "In" if rule.inbound else "Out"),
            ("Profiles", ",".join(rule.profiles) or "Domain,Private,Public"),
            ("Grouping", rule.group_name),
            ("LocalIP", rule.local or "Any"),
            ("RemoteIP", rule.remote or "Any"),
            ("Protocol", PROTOCOLS.get(rule.protocol, rule.protocol)),
        ]
        if rule.protocol in {"6", "17"}:
            rows += [("LocalPort", rule.ports or "Any"), ("RemotePort", "Any")]
        rows.append(("Edge traversal", _EDGE[rule.edge]))
        if "verbose" in values:
            rows += [("Program", rule.program), ("Service", rule.service)]
            rows += [("InterfaceTypes", "Any"), ("Security", "NotRequired"), ("Rule source", "Local Setting")]
        rows.append(("Action", "Allow" if rule.allow else "Block"))
        for name, value in rows:
            if value or name == "Grouping":
                process.line(f"{name + ':':38}{value}")
    process.line("Ok.\r\n")
    return 0


def _edited(rule: Rule, values: dict[str, str]) -> Rule | None:
    """Return a rule with netsh's words put in, or None where one is none."""
    new = rule
    for key, value in values.items():
        low = value.lower()
        if key == "enable" and low in {"yes", "no"}:
            new = firewall.changed(new, active=low == "yes")
        elif key in {"localport", "lport"}:
            new = firewall.changed(new, ports="" if low == "any" else value)
        elif key == "protocol" and (low in _NUMBERS or low.isdigit()):
            new = firewall.changed(new, protocol=_NUMBERS.get(low, low))
        elif key == "action" and low in {"allow", "block"}:
            new = firewall.changed(new, allow=low == "allow")
        elif key == "dir" and low in {"in", "out"}:
            new = firewall.changed(new, inbound=low == "in")
        elif key == "program":
            new = firewall.changed(new, program=value)
        elif key == "service":
            new = firewall.changed(new, service="" if low == "any" else value)
        elif key in {"remoteip", "localip"} and (low == "any" or firewall.valid_addresses(value)):
            side = {"remoteip": "remote", "localip": "local"}[key]
            new = firewall.changed(new, **{side: "" if low == "any" else value})
        elif key == "edge" and low in {"yes", "no", "deferapp", "deferuser"}:
            new = firewall.changed(new, edge="" if low == "no" else low)
        elif key == "profile":
            named = {part.strip() for part in low.split(",")}
            if not named <= {"any", "domain", "private", "public"}:
                return None
            profiles = tuple(profile for profile, _ in firewall.PROFILES if profile.lower() in named)
            new = firewall.changed(new, profiles=() if "any" in named else profiles)
        elif key not in {"name", "group", "description", "remoteport", "interfacetype", "security"}:
            return None
    if new.ports and new.protocol not in {"6", "17"}:
        return None  # a port means nothing without TCP or UDP
    return new


def _bad(process: Process, verb: str) -> int:
    process.line(f"\r\nA specified value is not valid.\r\n\r\n\r\nUsage: {verb}\r\n")
    return 1


def _firewall(process: Process, verb: str, rest: list[str]) -> int:
    registry = process.vm.registry
    if verb == "show":
        return _show(process, _values(rest))
    if verb == "add":
        values = _values(rest)
        fresh = _edited(Rule(_fresh_name(process), values.get("name", "")), values)
        if fresh is None or not values.get("name") or "dir" not in values or "action" not in values:
            return _bad(process, "add rule name=<string> dir=in|out action=allow|block|bypass")
        firewall.put(registry, fresh)
        process.line("Ok.\r\n")
        return 0
    words = [arg.lower() for arg in rest]
    cut = words.index("new") if "new" in words else len(rest)
    found = _named(process, _values(rest[:cut]))
    if not found:
        process.line(NO_RULES)
        return 1
    if verb == "delete":
        for rule in found:
            firewall.delete(registry, rule.name)
        process.line(f"\r\nDeleted {len(found)} rule(s).\r\nOk.\r\n")
        return 0
    changes = _values(rest[cut + 1 :])
    edited = [_edited(rule, changes) for rule in found]
    if not changes or any(rule is None for rule in edited):
        return _bad(process, "set rule group=<string> | name=<string> new ...")
    for new in edited:
        if new is not None:
            firewall.put(registry, new)
    process.line(f"\r\nUpdated {len(found)} rule(s).\r\nOk.\r\n")
    return 0


def _fresh_name(process: Process) -> str:
    random = process.vm.random("firewall")
    parts = [f"{random.getrandbits(4 * n):0{n}X}" for n in (8, 4, 4, 4, 12)]
    return "{" + "-".join(parts) + "}"


def _profiles(process: Process, verb: str, scope: str, rest: list[str]) -> int:
    registry = process.vm.registry
    folders = dict(firewall.PROFILES)
    words = [arg.lower() for arg in rest]
    if verb == "set":
        if words[:1] != ["state"] or words[1:] not in (["on"], ["off"]):
            return _bad(process, f"set {scope} (parameter) (value)")
        for name in _SCOPES[scope]:
            registry.set(f"{firewall.ROOT}\\{folders[name]}", "EnableFirewall", REG_DWORD, int(words[1] == "on"))
        process.line("Ok.\r\n")
        return 0
    for name in _SCOPES[scope]:
        process.line(f"\r\n{name} Profile Settings: \r\n{RULER}")
        process.line(f"{'State':38}{'ON' if firewall.enabled(registry, name) else 'OFF'}")
        if words[:1] != ["state"]:
            always = registry.number(f"{firewall.ROOT}\\{folders[name]}", "DoNotAllowExceptions")
            policy = "BlockInboundAlways" if always else "BlockInbound"
            process.line(f"{'Firewall Policy':38}{policy},AllowOutbound")
            process.line(f"{'LocalFirewallRules':38}N/A (GPO-store only)\r\n{'InboundUserNotification':38}Disable")
    process.line("Ok.\r\n")
    return 0


def netsh(process: Process) -> int:
    """Run one ``netsh`` command; its own prompt is not modelled."""
    args = list(process.args)
    low = [arg.lower() for arg in args]
    if low[:2] == ["advfirewall", "firewall"] and low[3:4] == ["rule"] and low[2] in {"show", "add", "set", "delete"}:
        if not process.token.privileged and low[2] != "show":
            process.line("The requested operation requires elevation (Run as administrator).\r\n")
            return 1
        return _firewall(process, low[2], args[4:])
    if low[:1] == ["advfirewall"] and low[1:2] in (["show"], ["set"]) and low[2:3] and low[2] in _SCOPES:
        return _profiles(process, low[1], low[2], args[3:])
    if low[:2] == ["interface", "portproxy"] and low[2:3] == ["show"]:
        process.line()
        return 0
    if low[:1] in (["int"], ["interface"]) and low[2:4] == ["show", "excludedportrange"]:
        process.line("\r\nProtocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port      ")
        process.line("----------    --------      ")
        for first, last, administered in port_use.excluded(process.vm.seed):
            process.line(f"{first:10}  {last:10}      " + ("*" if administered else ""))
        process.line("\r\n* - Administered port exclusions.\r\n")
        return 0
    if low[:2] == ["http", "show"]:
        process.line("\r\nSnapshot of HTTP service state (Server Session View): \r\n" + "-" * 53 + "\r\n")
        return 0
    process.line(f"The following command was not found: {' '.join(args)}.")
    return 1
