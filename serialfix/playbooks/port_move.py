"""Moving Remote Desktop to another port, where the one it has can't be freed.

rdp-repair.md 2.2 "Fix B" with 0a.7: a free port, a firewall rule for each protocol with the scope of the one in force
and never a wider one, the port, a restart; then it is seen from inside, a minute later, and from outside. Where a rule
of ours would do nothing, or its scope can't be copied, nothing is moved.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from serialfix.playbooks import port_listen
from serialfix.playbooks.listener import UNSEEN
from serialfix.playbooks.port_listen import listens, listens_later
from serialfix.steps import Change, Finding, Risk, Step, Unknown, do, look, wait
from serialfix.windows import free_port, port_changes, port_probes, probes
from serialfix.windows.firewall import PROFILES, Firewall, Rule, Scope
from serialfix.windows.port_changes import NUMBERS, Protocol
from serialfix.windows.rdp_look import RdpLook

MOST_RULES = 4
"""How many rules of one protocol are copied; more are looked at by a person."""
LOOKS = 5
"""How many looks from outside, three seconds apart, the new port has to answer."""


@dataclass(frozen=True, slots=True)
class Opening:
    """For whom the new port is opened. ``said``: where that comes from; ``risk`` of the rules."""

    scopes: tuple[tuple[Protocol, Scope], ...]
    said: tuple[str, ...]
    risk: Risk = "medium"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a move needs to know. ``busy``: ports nearby that are used; ``excluded``: ranges that nobody can use."""

    local: Firewall
    policy: Firewall
    excluded: tuple[tuple[int, int], ...]
    busy: frozenset[int]


def move(port: int, fault: Finding) -> Generator[Step, Any, Finding]:
    """Move Remote Desktop away from ``port``."""
    seen = yield from port_listen.outside(port)
    facts = yield from _read(port)
    if isinstance(facts, Unknown):
        return _not_moved(fault, f"what a move needs could not be read: {facts.reason}")
    local, policy = facts.local, facts.policy
    opening = plan(local, policy, port)
    if isinstance(opening, str):
        return _not_moved(fault, opening)
    restart = yield from port_listen.restart()
    if isinstance(restart, Unknown):
        return _not_moved(fault, restart.reason)
    new = free_port.choose(
        busy=facts.busy | {port}, excluded=facts.excluded, blocked=lambda other: blocked(local, policy, other)
    )
    if new is None:
        return _not_moved(
            fault, f"none of the ports {free_port.FIRST} to {free_port.LAST} is free and not blocked by a firewall rule"
        )
    try:
        rules = _rules(opening, new)
    except ValueError as problem:
        return _not_moved(fault, f"the scope of the firewall rule in force can't be copied: {problem}")
    evidence = (*fault.evidence, seen, *opening.said)
    shown = Finding(fault.check, fault.status, fault.title, evidence, _clients(port, new), fault.docs)
    done = yield from do(
        f"Move Remote Desktop from port {port} to {new}", shown, *rules, port_changes.set_port(new), *restart
    )
    if done.outcome == "declined":
        return port_listen.finding("declined", fault.title, *evidence, advice=fault.advice)
    if done.outcome == "failed":
        return _not_moved(fault, *opening.said, done.why)
    if not ((yield from listens(new)) and (yield from listens_later(new))):
        return port_listen.finding(
            "fault",
            f"Remote Desktop was told to use port {new}, but does not listen there",
            *evidence,
            advice="Look at the events 258 and 260 of TerminalServices-RemoteConnectionManager, and at "
            "fDenyTSConnections; the recording holds the commands that undo the move.",
        )
    reached, now = yield from _reached(new)
    return port_listen.finding(
        "ok",
        f"Remote Desktop listens on port {new} now, also a minute later; {port} stays with its holder",
        *evidence,
        now,
        advice=_clients(port, new) if reached else f"{_open(new)} {_clients(port, new)}",
    )


def _read(port: int) -> Generator[Step, Any, Facts | Unknown]:
    local = yield from look(port_probes.local_firewall(port), fresh=True)
    if isinstance(local, Unknown):
        return local
    policy = yield from look(port_probes.policy_firewall(port), fresh=True)
    if isinstance(policy, Unknown):
        return policy
    excluded = yield from look(port_probes.EXCLUDED)
    if isinstance(excluded, Unknown):
        return excluded
    busy = yield from look(port_probes.NEARBY, fresh=True)
    return busy if isinstance(busy, Unknown) else Facts(local, policy, excluded, busy)


def plan(local: Firewall, policy: Firewall, port: int) -> Opening | str:
    """For whom a new port is to be opened, by the rules about the old one; or why that can't be done."""
    scopes: list[tuple[Protocol, Scope]] = []
    said: list[str] = []
    risk: Risk = "medium"
    for protocol, number in NUMBERS.items():
        found, are_on = _let_in(local, policy, number, port)
        for rule in found:
            if rule.other:
                return (
                    f"the firewall rule {rule.id[:60]} restricts by {', '.join(rule.other)}, which is not copied here"
                )
            if alone := sorted(policy.alone & set(rule.scope.profiles)):
                return (
                    f"a policy lets its own firewall rules count only (AllowLocalPolicyMerge 0, {', '.join(alone)}): "
                    "a rule made here would do nothing. The policy has to let the new port in"
                )
        if protocol == "TCP" and not found:
            if set(PROFILES) <= _off(local, policy):
                said.append("the firewall is off in all profiles, so no rule is needed, and none is made")
                break
            return (
                f"no firewall rule lets Remote Desktop in on port {port}, on or off, whose scope a new one could have"
            )
        if not are_on and (protocol == "UDP" or not found):
            continue  # what nobody has let in yet is not opened by a move
        if not are_on:
            risk = "high"
            names = " and ".join(rule.id[:60] for rule in found)
            said.append(
                f"no rule that lets Remote Desktop in is on; the new one gets the scope of {names}, which is off"
            )
        if shut := sorted((local.shut | policy.shut) & {profile for rule in found for profile in rule.scope.profiles}):
            said.append(
                f"the firewall lets nothing in at all in the profiles {', '.join(shut)}, whatever its rules say"
            )
        unique = dict.fromkeys(rule.scope for rule in found)
        if len(unique) > MOST_RULES:
            return f"{len(unique)} firewall rules for {protocol} let Remote Desktop in, which is too many to copy"
        scopes += [(protocol, scope) for scope in unique]
        said += [f"the firewall lets {protocol} {port} in {rule.scope} ({rule.id[:60]})" for rule in found if are_on]
    return Opening(tuple(scopes), tuple(said), risk)


def _let_in(local: Firewall, policy: Firewall, protocol: int, port: int) -> tuple[tuple[Rule, ...], bool]:
    """The rules that let Remote Desktop in on a port, and whether they are on. Those of its own come first."""
    about = [rule for rule in (*local.rules, *policy.rules) if rule.action == "allow" and rule.about(protocol, port)]
    named = [rule for rule in about if rule.service.lower() == "termservice"]
    for rules in (named, about):
        if on := tuple(rule for rule in rules if rule.active):
            return on, True
    return tuple(named or about), False


def blocked(local: Firewall, policy: Firewall, port: int) -> bool:
    """Whether a rule forbids Remote Desktop a TCP port."""
    rules = (*local.rules, *policy.rules)
    return any(rule.active and rule.action == "block" and rule.about(NUMBERS["TCP"], port) for rule in rules) or any(
        rule.name == port_changes.rule_name(protocol, port) for rule in rules for protocol in NUMBERS
    )


def _off(local: Firewall, policy: Firewall) -> frozenset[str]:
    return (local.off - policy.on) | policy.off


def _rules(opening: Opening, new: int) -> tuple[Change[tuple[Rule, ...]], ...]:
    numbers: dict[Protocol, int] = {}
    made = []
    for protocol, scope in opening.scopes:
        number = numbers[protocol] = numbers.get(protocol, 0) + 1
        made.append(port_changes.add_rule(protocol, new, scope, risk=opening.risk, number=number))
    return tuple(made)


def _reached(new: int) -> Generator[Step, Any, tuple[bool, str]]:
    seen: RdpLook | Unknown = Unknown("not looked")
    for number in range(LOOKS):
        if number:
            yield from wait(3.0, "the new port may need a while to be reached")
        seen = yield from look(probes.outside(new), fresh=True)
        if isinstance(seen, RdpLook) and (_answers(seen) or seen.verdict in UNSEEN):
            break
    if isinstance(seen, Unknown):
        return False, f"port {new} from outside: could not be looked at ({seen.reason})"
    return _answers(seen), f"port {new} from outside: {seen.sentence}"


def _answers(seen: RdpLook) -> bool:
    """Whether RDP answers, whatever is wrong with its TLS: that is the other checks' part."""
    return seen.verdict.startswith("tls_") or seen.verdict == "neg_failure"


def _clients(port: int, new: int) -> str:
    return (
        f"Tell every client to use HOST:{new} instead of {port}. Change what else names the port: network security "
        f"group, load balancer rule, Azure Firewall, Bastion (a custom port), gateway, connection files, monitoring."
    )


def _open(new: int) -> str:
    return (
        f"It can't be reached from here on port {new} yet: allow TCP and UDP {new} in the network security group "
        "of the network interface and of the subnet: az network nsg rule create --resource-group GROUP --nsg-name NSG "
        f"--name Allow-RDP-{new} --priority PRIORITY --direction Inbound --access Allow --protocol '*' "
        f"--source-address-prefixes YOUR-ADDRESSES --destination-port-ranges {new}"
    )


def _not_moved(fault: Finding, *why: str) -> Finding:
    return port_listen.finding("fault", fault.title, *fault.evidence, *why, advice=fault.advice)
