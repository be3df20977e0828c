"""Get-NetTCPConnection and the NetFirewallRule cmdlets, over the same state netstat and netsh show.

Columns: the real outputs get-nettcpconnection/01 and get-netfirewallrule/01; T16 of rdp-repair.md 2.8: changing the TCP
rule leaves the UDP one where it was.
"""

from collections.abc import Callable, Generator

from serialfix.simulator import firewall
from serialfix.simulator.commands import netstat
from serialfix.simulator.firewall import PROTOCOLS, Rule
from serialfix.simulator.powershell.binding import Bound, Cmdlet
from serialfix.simulator.powershell.errors import Record
from serialfix.simulator.powershell.operators import wildcard
from serialfix.simulator.powershell.values import Obj, Value, each, number
from serialfix.simulator.programs import Request

Out = Generator[Request, str, list[Value]]
_STATES = {"LISTENING": "Listen", "ESTABLISHED": "Established"}
_NUMBERS = {"tcp": "6", "udp": "17", "any": "", "icmpv4": "1", "icmpv6": "58"}


def _connections(bound: Bound) -> Out:
    yield from ()
    found: list[Value] = []
    ports = {int(number(port)) for port in each(bound.get("LocalPort"))}
    states = {state.lower() for state in bound.many("State")}
    owners = {int(number(pid)) for pid in each(bound.get("OwningProcess"))}
    for socket in netstat.sockets(bound.evaluator.vm):
        if socket.proto != "TCP":
            continue
        local, _, port = socket.local.rpartition(":")
        far, _, far_port = socket.foreign.rpartition(":")
        state = _STATES.get(socket.state, socket.state.title())
        if (ports and int(port) not in ports) or (states and state.lower() not in states):
            continue
        if owners and socket.pid not in owners:
            continue
        found.append(
            Obj(
                "NetTCPConnection",
                {
                    "LocalAddress": local.strip("[]"),
                    "LocalPort": int(port),
                    "RemoteAddress": far.strip("[]"),
                    "RemotePort": int(far_port),
                    "State": state,
                    "AppliedSetting": "" if state == "Listen" else "Internet",
                    "OwningProcess": socket.pid,
                },
                hidden={"json": {"State": {"Listen": 2, "Established": 5}.get(state, 0)}},
            )
        )
    if not found and (ports or owners):
        bound.fail(
            Record(
                "No matching MSFT_NetTCPConnection objects found by CIM query for instances of the "
                "ROOT/StandardCimv2/MSFT_NetTCPConnection class on the  CIM server. Verify query parameters and retry.",
                "ObjectNotFound",
                "MSFT_NetTCPConnection:String",
                "Get-NetTCPConnection",
                "CimJobException",
                "CmdletizationQuery_NotFound,Get-NetTCPConnection",
            )
        )
    return found


def rule_object(rule: Rule) -> Obj:
    """Return a rule as Get-NetFirewallRule gives it."""
    return Obj(
        "NetFirewallRule",
        {
            "Name": rule.name, "DisplayName": rule.display_name, "Description": "", "DisplayGroup": rule.group_name,
            "Group": rule.group, "Enabled": str(rule.active), "Profile": ", ".join(rule.profiles) or "Any",
            "Platform": "{}", "Direction": "Inbound" if rule.inbound else "Outbound",
            "Action": "Allow" if rule.allow else "Block", "EdgeTraversalPolicy": "Block", "LooseSourceMapping": False,
            "LocalOnlyMapping": False, "Owner": "", "PrimaryStatus": "OK",
            "Status": "The rule was parsed successfully from the store. (65536)", "EnforcementStatus": "NotApplicable",
            "PolicyStoreSource": "PersistentStore", "PolicyStoreSourceType": "Local",
        },
        hidden={"InstanceID": rule.name, "json": {"Enabled": 1 if rule.active else 2, "Action": 2 if rule.allow else 4,
                                                  "Direction": 1 if rule.inbound else 2}},
        source=rule,
    )  # fmt: skip


def _rules(bound: Bound) -> list[Rule]:
    """Return the rules a call names; an error for a name there is not."""
    given = [item.source for item in bound.given if isinstance(item, Obj) and isinstance(item.source, Rule)]
    if given:
        return given
    every = firewall.rules(bound.evaluator.vm.registry)
    by: dict[str, Callable[[Rule], str]] = {
        "name": lambda r: r.name,
        "displayname": lambda r: r.display_name,
        "displaygroup": lambda r: r.group_name,
        "group": lambda r: r.group,
    }
    for key, pick in by.items():
        names = bound.many(key)
        if not names:
            continue
        found = [rule for rule in every if any(wildcard(name, pick(rule)) for name in names)]
        if not found and not any("*" in name for name in names):
            bound.fail(
                Record(
                    f"No MSFT_NetFirewallRule objects found with property 'InstanceID' equal to '{names[0]}'.  "
                    f"Verify the "
                    "value of the property and retry.",
                    "ObjectNotFound",
                    f"{names[0]}:String",
                    bound.cmdlet.name,
                    "CimJobException",
                    f"CmdletizationQuery_NotFound_InstanceID,{bound.cmdlet.name}",
                )
            )
        return found
    return every if bound.cmdlet.name.startswith("Get") else []


def _get(bound: Bound) -> Out:
    yield from ()
    found = _rules(bound)
    if bound.get("Enabled") is not None:
        found = [rule for rule in found if str(rule.active).lower() == bound.text("Enabled").lower()]
    if bound.get("Direction") is not None:
        found = [rule for rule in found if rule.inbound == bound.text("Direction").lower().startswith("in")]
    return [rule_object(rule) for rule in found]


def _changed(bound: Bound, rule: Rule) -> Rule:
    values = bound.values
    if "enabled" in values:
        rule = firewall.changed(rule, active=bound.text("Enabled").lower() in {"true", "1"})
    if "localport" in values:
        ports = ",".join(bound.many("LocalPort"))
        rule = firewall.changed(rule, ports="" if ports.lower() == "any" else ports)
    if "protocol" in values:
        rule = firewall.changed(rule, protocol=_NUMBERS.get(bound.text("Protocol").lower(), bound.text("Protocol")))
    if "action" in values:
        rule = firewall.changed(rule, allow=bound.text("Action").lower() == "allow")
    if "program" in values:
        rule = firewall.changed(rule, program=bound.text("Program"))
    if "service" in values:
        rule = firewall.changed(rule, service=bound.text("Service"))
    if "remoteaddress" in values:
        remote = ",".join(bound.many("RemoteAddress"))
        rule = firewall.changed(rule, remote="" if remote.lower() == "any" else remote)
    if "profile" in values:
        names = tuple(part.strip().title() for item in bound.many("Profile") for part in item.split(","))
        rule = firewall.changed(rule, profiles=() if names == ("Any",) else names)
    if "direction" in values:
        rule = firewall.changed(rule, inbound=bound.text("Direction").lower().startswith("in"))
    return rule


def _set(bound: Bound) -> Out:
    yield from ()
    for rule in _rules(bound):
        new = _changed(bound, rule)
        if "newdisplayname" in bound.values:
            new = firewall.changed(new, display=bound.text("NewDisplayName"))
        firewall.put(bound.evaluator.vm.registry, new)
    return []


def _switch(bound: Bound) -> Out:
    yield from ()
    for rule in _rules(bound):
        active = bound.cmdlet.name.startswith("Enable")
        firewall.put(bound.evaluator.vm.registry, firewall.changed(rule, active=active))
    return []


def _new(bound: Bound) -> Out:
    yield from ()
    vm = bound.evaluator.vm
    parts = [f"{vm.random('firewall').getrandbits(4 * n):0{n}x}" for n in (8, 4, 4, 4, 12)]
    name = bound.text("Name") or "{" + "-".join(parts) + "}"
    if any(rule.name.lower() == name.lower() for rule in firewall.rules(vm.registry)):
        bound.fail(
            Record(
                "Cannot create a file when that file already exists. ",
                "ResourceExists",
                "MSFT_NetFirewallRule:root/standardcimv2/MSFT_NetFirewallRule",
                "New-NetFirewallRule",
                "CimException",
                "Windows System Error 183,New-NetFirewallRule",
            )
        )
        return []
    rule = _changed(bound, Rule(name, bound.text("DisplayName"), group=bound.text("Group")))
    firewall.put(vm.registry, rule)
    return [rule_object(rule)]


def _remove(bound: Bound) -> Out:
    yield from ()
    for rule in _rules(bound):
        firewall.delete(bound.evaluator.vm.registry, rule.name)
    return []


def _port_filter(bound: Bound) -> Out:
    yield from ()
    found: list[Value] = []
    for rule in _rules(bound):
        found.append(
            Obj("NetProtocolPortFilter", {"Protocol": PROTOCOLS.get(rule.protocol, rule.protocol),
                                          "LocalPort": rule.ports or "Any", "RemotePort": "Any", "IcmpType": "Any",
                                          "DynamicTarget": "Any"}, hidden={"InstanceID": rule.name})
        )  # fmt: skip
    return found


def _profile(bound: Bound) -> Out:
    yield from ()
    registry = bound.evaluator.vm.registry
    wanted = [name.lower() for name in bound.many("Name")]
    return [
        Obj("NetFirewallProfile", {"Name": name, "Enabled": str(firewall.enabled(registry, name)),
                                   "DefaultInboundAction": "NotConfigured", "DefaultOutboundAction": "NotConfigured",
                                   "AllowInboundRules": "NotConfigured", "AllowLocalFirewallRules": "NotConfigured"})
        for name, _ in firewall.PROFILES
        if not wanted or name.lower() in wanted
    ]  # fmt: skip


_FIND = {
    "Name": True,
    "DisplayName": True,
    "DisplayGroup": True,
    "Group": True,
    "PolicyStore": True,
    "InputObject": True,
}
_FIELDS = {"Enabled": True, "LocalPort": True, "Protocol": True, "Action": True, "Program": True, "Service": True,
           "RemoteAddress": True, "Profile": True, "Direction": True, "NewDisplayName": True, "Description": True,
           "PassThru": False, "EdgeTraversalPolicy": True}  # fmt: skip
CMDLETS = (
    Cmdlet("Get-NetTCPConnection", {"LocalAddress": True, "LocalPort": True, "RemoteAddress": True, "RemotePort": True,
                                    "State": True, "OwningProcess": True}, ("LocalAddress", "LocalPort"), _connections),
    Cmdlet("Get-NetFirewallRule", _FIND | {"Enabled": True, "Direction": True, "All": False}, ("Name",), _get),
    Cmdlet("Set-NetFirewallRule", _FIND | _FIELDS, ("Name",), _set),
    Cmdlet("New-NetFirewallRule", _FIND | _FIELDS, (), _new, ("DisplayName",)),
    Cmdlet("Remove-NetFirewallRule", _FIND, ("Name",), _remove),
    Cmdlet("Enable-NetFirewallRule", _FIND, ("Name",), _switch),
    Cmdlet("Disable-NetFirewallRule", _FIND, ("Name",), _switch),
    Cmdlet("Get-NetFirewallPortFilter", {"AssociatedNetFirewallRule": True, "InputObject": True}, (), _port_filter),
    Cmdlet("Get-NetFirewallProfile", {"Name": True, "PolicyStore": True}, ("Name",), _profile),
)  # fmt: skip
