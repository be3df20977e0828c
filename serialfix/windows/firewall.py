r"""Windows Defender Firewall as it stands in the registry: profiles, and one value for each rule.

A rule's value is a version and fields between bars (the policy protocol [MS-GPFAS] 2.2.2.19 and its example in 4.2; the
same form is used for local rules). ``Profile``, ``RA4``, ``RA6``, ``LPort`` may be repeated; a field that is missing
restricts nothing. Whatever restricts a rule and can't be carried over to a copy of it is kept in ``other``
(rdp-repair.md 0a.7). From a Server 2025:

>>> rule = parse_rule("RemoteDesktop-UserMode-In-TCP", "v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|"
...     r"App=%SystemRoot%\system32\svchost.exe|Svc=termservice|Name=@FirewallAPI.dll,-28775|"
...     "Desc=@FirewallAPI.dll,-28756|EmbedCtxt=@FirewallAPI.dll,-28752|")
>>> rule.action, rule.active, rule.protocol, rule.ports, rule.service, rule.other
('allow', True, 6, ((3389, 3389),), 'termservice', ())
>>> str(rule.scope)
'from any address, in the profiles domain, private, public'

The layout of the keys is common knowledge; that a local rule does nothing where a policy has AllowLocalPolicyMerge 0:
rdp-repair.md 0a.7.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

from serialfix.steps import Output, Unreadable
from serialfix.windows import registry

LOCAL = r"HKLM\SYSTEM\CurrentControlSet\Services\SharedAccess\Parameters\FirewallPolicy"
POLICY = r"HKLM\SOFTWARE\Policies\Microsoft\WindowsFirewall"
PROFILES = ("domain", "private", "public")
TCP, UDP = 6, 17

Action = Literal["allow", "block", "bypass"]
Edge = Literal["no", "yes", "deferapp", "deferuser"]
Ports = tuple[tuple[int, int], ...]

_FOLDERS = {
    "domainprofile": "domain",
    "standardprofile": "private",
    "privateprofile": "private",
    "publicprofile": "public",
}
_VALUE = re.compile(r"[vV]2\.\d{1,3}\|(?P<fields>(?:[A-Za-z0-9_]+=[^|]*\|)+)")
_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
# What stands for addresses that Windows knows itself; netsh has the same words.
_WORDS = frozenset({"localsubnet", "dns", "dhcp", "wins", "defaultgateway"})
_SAYS_NOTHING = frozenset({"name", "desc", "embedctxt"})
_SVCHOST = re.compile(r"(?:%systemroot%|%windir%|[a-z]:\\win(?:dows|nt))\\system32\\svchost\.exe")


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom a rule is: what a copy of it may never widen.

    ``profiles``: of ``PROFILES``. ``remote`` and ``local``: addresses ("first-last", one address, or a word such as
    "localsubnet"), sorted; empty for any. ``edge``: what comes through a NAT of the edge kind.
    """

    profiles: tuple[str, ...]
    remote: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    edge: Edge = "no"

    def __str__(self) -> str:
        came = ", ".join(self.remote) if self.remote else "any address"
        to = f" to {', '.join(self.local)}" if self.local else ""
        edge = "" if self.edge == "no" else f", edge traversal {self.edge}"
        return f"from {came}{to}, in the profiles {', '.join(self.profiles)}{edge}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. ``id``: the name of its value; ``name``: what people see, or where its text is.

    ``protocol``: its number, None for any; ``ports``: local ones, from and to, None for any. ``program`` and
    ``service``: "" for any. ``other``: the names of fields that restrict it in a way that is not read here.
    """

    id: str
    name: str
    action: Action
    active: bool
    inbound: bool
    protocol: int | None
    ports: Ports | None
    program: str
    service: str
    scope: Scope
    other: tuple[str, ...] = ()

    def about(self, protocol: int, port: int) -> bool:
        """Whether it is about what comes in to Remote Desktop's service on a port."""
        return (
            self.inbound
            and self.protocol in (None, protocol)
            and (self.ports is None or any(first <= port <= last for first, last in self.ports))
            and self.service.lower() in ("", "*", "termservice")
            and (not self.program or _SVCHOST.fullmatch(self.program.lower()) is not None)
        )


@dataclass(frozen=True, slots=True)
class Firewall:
    """One store of settings, the local one or that of a policy. The sets hold names of profiles.

    ``on`` and ``off``: where the store says that the firewall is on or off; ``shut``: where no rule lets anything in;
    ``alone``: where rules of the local store do not count.
    """

    rules: tuple[Rule, ...] = ()
    on: frozenset[str] = frozenset()
    off: frozenset[str] = frozenset()
    shut: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()


def parse_local(output: Output) -> Firewall:
    """Read ``reg query`` of ``LOCAL`` with /s, of which lines may have been left out. Raises Unreadable."""
    return _firewall(registry.parse(output), LOCAL)


def parse_policy(output: Output) -> Firewall:
    """Read ``reg query`` of the key above ``POLICY`` with /s, of which lines may have been left out.

    A policy that is not there is an empty ``Firewall``. Raises Unreadable.
    """
    return _firewall(registry.parse(output), POLICY)


def parse_rule(id_: str, text: str) -> Rule:
    """Read one rule's value. Raises Unreadable for anything that is not of that form."""
    whole = _VALUE.fullmatch(text)
    if whole is None:
        raise Unreadable(f"the firewall rule {id_[:60]!r} is not of the form that Windows writes")
    fields: dict[str, list[str]] = {}
    for part in whole["fields"].split("|")[:-1]:
        key, _, value = part.partition("=")
        fields.setdefault(key.lower(), []).append(value)
    rule = _Fields(id_, fields)
    active, inbound = rule.one("active", "true", "false"), rule.one("dir", "in", "out")
    protocol = rule.text("protocol")
    if protocol and not (protocol.isascii() and protocol.isdigit() and int(protocol) <= 256):
        raise rule.unreadable("protocol")
    ports = rule.ports()
    scope = Scope(rule.profiles(), rule.addresses("ra"), rule.addresses("la"), rule.edge())
    return Rule(
        id=id_,
        name=rule.text("name") or id_,
        action=rule.action(),
        active=active == "true",
        inbound=inbound == "in",
        # 256 stands for any protocol.
        protocol=int(protocol) if protocol and int(protocol) < 256 else None,
        ports=ports,
        program=rule.text("app"),
        service=rule.text("svc"),
        scope=scope,
        other=tuple(sorted(set(fields) - rule.read - _SAYS_NOTHING)),
    )


class _Fields:
    """The fields of one rule, and which of them were read."""

    def __init__(self, id_: str, fields: dict[str, list[str]]) -> None:
        self._id = id_
        self._fields = fields
        self.read: set[str] = set()

    def unreadable(self, key: str) -> Unreadable:
        values = ", ".join(self._fields.get(key, ["none"]))
        return Unreadable(f"the firewall rule {self._id[:60]!r} has a {key} that can't be: {values[:60]!r}")

    def many(self, key: str) -> list[str]:
        self.read.add(key)
        return self._fields.get(key, [])

    def text(self, key: str) -> str:
        values = self.many(key)
        if len(values) > 1:
            raise self.unreadable(key)
        return values[0] if values else ""

    def one(self, key: str, *words: str) -> str:
        value = self.text(key).lower()
        if value not in words:
            raise self.unreadable(key)
        return value

    def action(self) -> Action:
        action = self.one("action", "allow", "block", "bypass")
        return "allow" if action == "allow" else "block" if action == "block" else "bypass"

    def profiles(self) -> tuple[str, ...]:
        named = {value.lower() for value in self.many("profile")}
        if not named <= set(PROFILES):
            raise self.unreadable("profile")
        return tuple(profile for profile in PROFILES if not named or profile in named)

    def edge(self) -> Edge:
        edge, defer = self.text("edge").lower(), self.text("defer").lower()
        if edge not in ("", "true", "false") or defer not in ("", "app", "user"):
            raise self.unreadable("edge")
        if defer:
            return "deferapp" if defer == "app" else "deferuser"
        return "yes" if edge == "true" else "no"

    def ports(self) -> Ports | None:
        """Local ports; None for any. A word for a port ("RPC") stays unread and so restricts the rule."""
        found: list[tuple[int, int]] = []
        keys = [key for key in self._fields if key == "lport" or key.startswith("lport2_")]
        for key in keys:
            whole = [_PORTS.fullmatch(value) for value in self._fields[key]]
            if all(match is not None for match in whole):
                self.read.add(key)
            for match in whole:
                if match is None:
                    continue
                first, last = int(match[1]), int(match[2] or match[1])
                if not first <= last <= 65535:
                    raise self.unreadable(key)
                found.append((first, last))
        return tuple(found) if keys else None

    def addresses(self, which: str) -> tuple[str, ...]:
        """Addresses of both families in one form; a word counts only where it stands for both."""
        words: list[set[str]] = []
        found: set[str] = set()
        for family in ("4", "6"):
            named = {value.lower() for value in self.many(which + family)}
            words.append(named & _WORDS)
            found |= {self._range(which + family, value) for value in named - _WORDS}
        if words[0] != words[1]:
            self.read -= {which + "4", which + "6"}
        return tuple(sorted(found | words[0] | words[1]))

    def _range(self, key: str, text: str) -> str:
        first, dash, last = text.partition("-")
        try:
            if dash:
                ends = ipaddress.ip_address(first), ipaddress.ip_address(last)
            else:
                network = ipaddress.ip_network(text, strict=False)
                ends = network[0], network[-1]
        except ValueError:
            raise self.unreadable(key) from None
        if any(end.version != int(key[-1]) for end in ends) or int(ends[0]) > int(ends[1]):
            raise self.unreadable(key)
        return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]}-{ends[1]}"


def _firewall(keys: registry.Keys, root: str) -> Firewall:
    rules = [
        parse_rule(value.name, value.data)
        for value in keys.keys.get(registry.normal(root + r"\FirewallRules"), {}).values()
        if value.type == "REG_SZ"
    ]

    def where(name: str, *, zero: bool) -> frozenset[str]:
        found = set[str]()
        for folder, profile in _FOLDERS.items():
            value = keys.value(f"{root}\\{folder}", name)
            if value is not None and value.number is not None and (value.number == 0) is zero:
                found.add(profile)
        return frozenset(found)

    return Firewall(
        tuple(rules),
        on=where("EnableFirewall", zero=False),
        off=where("EnableFirewall", zero=True),
        shut=where("DoNotAllowExceptions", zero=False),
        alone=where("AllowLocalPolicyMerge", zero=True),
    )
