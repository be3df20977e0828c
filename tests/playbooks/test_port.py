"""The port check in whole virtual sessions, held against the simulator's own truth."""

import ipaddress
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from serialfix import events
from serialfix.approval import Policy
from serialfix.engine import Decision
from serialfix.playbooks import port
from serialfix.playbooks.listener import seen_now
from serialfix.playbooks.port import FREE, LEAVE, MOVE
from serialfix.playbooks.rdp_internal_error import judge_outside
from serialfix.simulator import firewall
from serialfix.simulator.baseline import RDP_TCP
from serialfix.simulator.faults import FAULTS
from serialfix.simulator.firewall import Rule
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.port_use import is_excluded
from serialfix.simulator.registry import REG_DWORD, REG_SZ
from serialfix.simulator.services import RUNNING, STOPPED
from serialfix.simulator.vm import Vm
from serialfix.steps import Ahead, Check, Choose, Finding, Look, Note, Playbook, Step, Unknown, Verified
from serialfix.windows import probes
from serialfix.windows.listener import Listener
from serialfix.windows.netstat import Socket
from serialfix.windows.services import Service
from serialfix.windows.tasklist import Process
from tests.simulator.world import YEARS, ask, shell
from tests.virtual import Ran, run

HIJACK, STUBBORN = ["port-hijack"], ["port-hijack-stubborn"]


def verify(changed: bool) -> Generator[Step, Any, tuple[tuple[Finding, ...], Verified]]:
    seen = yield from seen_now()
    return (judge_outside(seen),), "outside"


CHECK = Check(port.CHECK, "the port", port.DOCS, (probes.LISTENER,), port.check_port)
ALONE = Playbook("port", "the port", ("outside",), (CHECK,), verify)
"""The port check without the others, which have their own tests."""


def play(faults: Sequence[str], seed: int = 0, windows: str = "2022", **more: Any) -> Ran:
    return run(faults, seed=seed, windows=windows, playbook=ALONE, **more)


def found(ran: Ran) -> Finding:
    return next(finding for finding in ran.played.verdict.findings if finding.check == port.CHECK)


@dataclass
class Chooser:
    """Takes the given ways one after the other, and says yes to every change but those of a name in ``refused``."""

    ways: list[str]
    asked: list[tuple[str, ...]] = field(default_factory=list)
    refused: str = "nothing"

    async def decide(self, proposal: events.Proposed) -> Decision:
        return Decision(not any(self.refused in change.name for change in proposal.changes), "engineer")

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        self.asked.append(choices)
        way = next(way for way in self.ways if way in choices)
        self.ways.remove(way)
        return way, "engineer"


def state(ran: Ran, name: str) -> int:
    service = ran.vm.services.find(name)
    assert service is not None
    return service.state


def squatter(vm: Vm) -> str:
    return next(iter(vm.port_uses.values())).service


def stops(ran: Ran) -> list[str]:
    started: list[events.ChangeStarted] = ran.recorder.of(events.ChangeStarted)
    return [change.name.removeprefix("stop:") for change in started if change.name.startswith("stop:")]


RULES = r"HKLM\SYSTEM\ControlSet001\Services\SharedAccess\Parameters\FirewallPolicy\FirewallRules"


def rules(state: Any) -> dict[str, Rule]:
    """The firewall's rules in what ``Vm.state`` gives."""
    return {name: firewall.unpack(name, text) for name, (_, text) in state["registry"][RULES].items()}


def new_rules(ran: Ran) -> list[Rule]:
    before, after = rules(ran.state_before), rules(ran.vm.state())
    assert {name: after.get(name) for name in before} == before, "a rule that was there is another now"
    return [rule for name, rule in after.items() if name not in before]


def scope(rule: Rule) -> tuple[Any, ...]:
    """Whom a rule is for; all profiles are the same as none named."""
    return set(rule.profiles or ("Domain", "Private", "Public")), rule.remote, rule.local, rule.edge


# --- the two faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("seed", range(10))
def test_a_stranger_is_stopped_and_nothing_else_is_changed(windows: str, seed: int) -> None:
    ran = play(HIJACK, seed, windows)
    assert (ran.outcome, found(ran).status) == ("fixed", "fixed")
    assert FAULTS["port-hijack"].repaired(ran.vm)
    assert ran.vm.listens() == 3389
    assert not ran.left
    name = squatter(ran.vm)
    assert state(ran, name) == STOPPED
    assert state(ran, "UmRdpService") == RUNNING
    for companion in ("StatusCache", "InvSync"):  # beside the stranger in its process, and not what listens
        if ran.vm.services.find(companion) is not None:
            assert state(ran, companion) == RUNNING
    assert new_rules(ran) == []
    others = {other for other in ran.state_before["services"] if other not in stops(ran)}
    after: Any = ran.vm.state()["services"]
    assert {other: ran.state_before["services"][other] for other in others} == {other: after[other] for other in others}
    assert ran.vm.services.start_type(name) == 3, "it would take the port again at the next boot"
    assert "stopped for it" in " ".join(found(ran).evidence)


@pytest.mark.parametrize("windows", YEARS)
@pytest.mark.parametrize("seed", range(10))
def test_a_stubborn_stranger_keeps_the_port_and_remote_desktop_moves(windows: str, seed: int) -> None:
    ran = play(STUBBORN, seed, windows)
    assert (ran.outcome, found(ran).status) == ("fixed", "fixed")
    assert FAULTS["port-hijack-stubborn"].repaired(ran.vm)
    assert not ran.left
    assert state(ran, "UmRdpService") == RUNNING
    assert state(ran, squatter(ran.vm)) == RUNNING, "it was stopped in vain"
    new = ran.vm.listens()
    assert new is not None
    if new == 3389:  # Remote Desktop was faster than the watchdog, and keeps the port
        assert "runs again, without the port" in " ".join(found(ran).evidence)
        return
    assert new == next(p for p in range(3390, 3500) if p != 3391 and not is_excluded(seed, p))
    assert ran.vm.registry.number(RDP_TCP, "PortNumber") == new
    made = new_rules(ran)
    assert [(rule.display, rule.protocol, rule.ports) for rule in made] == [
        (f"serialfix RDP TCP {new}", "6", str(new)),
        (f"serialfix RDP UDP {new}", "17", str(new)),
    ]
    before = rules(ran.state_before)
    for rule, name in zip(made, ("RemoteDesktop-UserMode-In-TCP", "RemoteDesktop-UserMode-In-UDP"), strict=True):
        assert scope(rule) == scope(before[name])
        assert (rule.service, rule.program.lower()) == ("termservice", r"c:\windows\system32\svchost.exe")
        assert (rule.allow, rule.active, rule.inbound) == (True, True, True)
    services = ran.vm.state()["services"]
    assert services == ran.state_before["services"], "what was stopped in vain runs again"
    said = found(ran)
    assert f"HOST:{new}" in said.advice
    assert "load balancer" in said.advice
    assert "az network nsg" not in said.advice, "it is reached, so nothing has to be opened"


@pytest.mark.parametrize("seed", [0, 2, 3, 7])
def test_the_recorded_undo_brings_everything_back(seed: int) -> None:
    ran = play(STUBBORN, seed)
    typed = [line for change in reversed(ran.recorder.of(events.ChangeStarted)) for line in change.undo]
    assert any("delete rule" in line for line in typed)
    shell(ran.vm, *(line for line in typed if not line.startswith("sc ")))
    assert ran.vm.state() == ran.state_before
    assert ran.vm.registry.number(RDP_TCP, "PortNumber") == 3389


@pytest.mark.parametrize("preset", ["real", "worst"])
@pytest.mark.parametrize("windows", ["2019", "2022"])
@pytest.mark.parametrize("faults", [HIJACK, STUBBORN])
def test_on_a_bad_line_it_is_never_wrong(faults: list[str], windows: str, preset: str) -> None:
    ran = play(faults, 3, windows, knobs=PRESETS[preset])
    repaired = FAULTS[faults[0]].repaired(ran.vm)
    assert (ran.outcome == "fixed") is repaired or found(ran).status == "unknown"
    assert state(ran, "UmRdpService") == RUNNING


# --- the choice --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("faults", [HIJACK, STUBBORN])
@pytest.mark.parametrize("seed", range(4))
def test_left_as_it_is_nothing_is_written(faults: list[str], seed: int) -> None:
    chooser = Chooser([LEAVE])
    ran = play(faults, seed, policy=Policy(person=chooser))
    assert ran.outcome == "declined"
    assert ran.vm.state() == ran.state_before
    assert not ran.recorder.of(events.Proposed)


def test_a_person_may_move_at_once() -> None:
    chooser = Chooser([MOVE])
    ran = play(HIJACK, 2, policy=Policy(person=chooser))
    assert chooser.asked == [(FREE, MOVE, LEAVE)]
    assert (ran.outcome, ran.vm.listens()) == ("fixed", 3401), "this VM keeps 3390 to 3400 for something else"
    assert stops(ran) == ["UmRdpService", "TermService"]


@pytest.mark.parametrize("seed", range(8))
def test_whoever_freed_in_vain_is_asked_again(seed: int) -> None:
    chooser = Chooser([FREE, LEAVE])
    ran = play(STUBBORN, seed, policy=Policy(person=chooser))
    if chooser.asked == [(FREE, MOVE, LEAVE)]:
        assert ran.outcome == "fixed"  # Remote Desktop was faster than the watchdog
        return
    if chooser.asked == [(MOVE, LEAVE)]:
        assert "takes no stop" in " ".join(found(ran).evidence)
        assert ran.vm.state() == ran.state_before
        return
    assert chooser.asked == [(FREE, MOVE, LEAVE), (MOVE, LEAVE)]
    assert ran.outcome == "declined"
    assert ran.vm.state() == ran.state_before, "everything that was stopped in vain runs again"


def test_what_freeing_costs_is_seen_before_the_choice() -> None:
    ran = play(HIJACK, 2, policy=Policy(person=Chooser([LEAVE])))
    name = squatter(ran.vm)
    noted = " ".join(event.text for event in ran.recorder.of(events.Noted))
    for seen in (name, ran.vm.service_image(name), "listens on", "connections", "by itself at boot", "takes a stop"):
        assert seen in noted
    assert "signed in" in noted


@pytest.mark.parametrize("faults", [HIJACK, STUBBORN])
def test_a_diagnosis_proposes_once_and_writes_nothing(faults: list[str]) -> None:
    ran = play(faults, 0, mode="diagnose", policy=Policy(never="diagnose"))
    assert (ran.outcome, found(ran).status) == ("faults_left", "fault")
    assert len(ran.recorder.of(events.Proposed)) == 1
    assert ran.vm.state() == ran.state_before


@pytest.mark.parametrize("refused", ["stop:", "port_number"])
def test_a_refused_change_is_declined(refused: str) -> None:
    chooser = Chooser([FREE if refused == "stop:" else MOVE], refused=refused)
    ran = play(HIJACK, 2, policy=Policy(person=chooser))
    assert ran.outcome == "declined"
    assert ran.vm.state() == ran.state_before


def test_a_move_is_of_high_risk() -> None:
    ran = play(STUBBORN, 4, policy=Policy(yes_to="medium"))
    assert ran.outcome == "declined"
    assert ran.vm.state()["registry"] == ran.state_before["registry"]


# --- moving, where the firewall is another one -------------------------------------------------------------------


def rule_of(protocol: str = "6", **values: Any) -> Rule:
    name = "RemoteDesktop-UserMode-In-" + {"6": "TCP", "17": "UDP"}[protocol]
    program = r"%SystemRoot%\system32\svchost.exe"
    first = {"protocol": protocol, "ports": "3389", "program": program, "service": "termservice"}
    return Rule(name, f"@FirewallAPI.dll,-{28775 + (protocol == '17')}", **{**first, **values})


def moved(prepare: Any, seed: int = 4) -> Ran:
    """A session in which the stranger takes no stop, on a VM that was changed before."""
    return play(STUBBORN, seed, prepare=prepare)


@pytest.mark.parametrize(
    "values",
    [
        {"profiles": ("Public",)},
        {"profiles": ("Domain", "Private")},
        {"remote": "10.0.0.0/8"},
        {"remote": "10.1.2.3"},
        {"remote": "10.1.0.0-10.1.0.9,LocalSubnet", "profiles": ("Private", "Public")},
        {"remote": "192.168.7.0/24,2001:db8::/32"},
        {"local": "10.0.0.4", "edge": "yes"},
        {"edge": "deferuser"},
    ],
)
def test_the_new_rule_is_for_whom_the_old_one_was(values: dict[str, Any]) -> None:
    def prepare(vm: Vm) -> None:
        firewall.put(vm.registry, rule_of("6", **values))
        firewall.put(vm.registry, rule_of("17", **values))

    ran = moved(prepare)
    assert ran.vm.listens() == 3390
    made = new_rules(ran)
    assert len(made) == 2
    for rule in made:
        assert scope(rule)[0] == scope(rule_of(**values))[0]
        assert rule.edge == values.get("edge", "")
        assert addresses(rule.remote) == addresses(values.get("remote", ""))
        assert addresses(rule.local) == addresses(values.get("local", ""))
    reached = ran.vm.rdp_port(3390).behaviour == "rdp"
    assert reached is ("remote" not in values and "Public" in scope(made[0])[0])
    assert ("az network nsg" in found(ran).advice) is not reached
    assert (ran.outcome == "fixed") is reached


def addresses(text: str) -> set[tuple[str, str]]:
    """A list of addresses as first and last ones."""
    found = set()
    for part in filter(None, text.split(",")):
        first, dash, last = part.partition("-")
        if part.lower() == "localsubnet":
            found.add((part.lower(), ""))
        elif dash:
            found.add((first, last))
        else:
            network = ipaddress.ip_network(part)
            found.add((str(network[0]), str(network[-1])))
    return found


def test_several_rules_are_copied_one_by_one() -> None:
    def prepare(vm: Vm) -> None:
        firewall.put(vm.registry, rule_of("6", remote="10.0.0.0/8"))
        firewall.put(vm.registry, Rule("mine", "mine", protocol="6", ports="3389", service="termservice"))

    made = new_rules(moved(prepare))
    assert [(rule.display, rule.remote) for rule in made] == [
        ("serialfix RDP TCP 3390", "10.0.0.0-10.255.255.255"),
        ("serialfix RDP TCP 3390 (2)", ""),
        ("serialfix RDP UDP 3390", ""),
    ]


def test_udp_that_is_not_let_in_is_not_opened() -> None:
    made = new_rules(moved(lambda vm: firewall.put(vm.registry, rule_of("17", active=False))))
    assert [rule.protocol for rule in made] == ["6"]


def test_a_rule_that_is_off_is_said_and_needs_a_yes_to_high() -> None:
    def prepare(vm: Vm) -> None:
        firewall.put(vm.registry, rule_of("6", active=False, profiles=("Public",)))

    ran = moved(prepare)
    (tcp,) = [rule for rule in new_rules(ran) if rule.protocol == "6"]
    assert tcp.profiles == ("Public",)
    assert "which is off" in " ".join(found(ran).evidence)
    risks = {change.name: change.risk for change in ran.recorder.of(events.Proposed)[-1].changes}
    assert risks["firewall_rule:TCP:3390"] == "high"


def policy(vm: Vm, **profile: int) -> None:
    for name, number in profile.items():
        vm.registry.set(rf"{firewall.POLICY}\PublicProfile", name, REG_DWORD, number)


def remove_rules(vm: Vm) -> None:
    firewall.delete(vm.registry, "RemoteDesktop-UserMode-In-TCP")
    firewall.delete(vm.registry, "RemoteDesktop-UserMode-In-UDP")


def by_policy_alone(vm: Vm) -> None:
    policy(vm, AllowLocalPolicyMerge=0)
    vm.registry.set(firewall.POLICY + r"\FirewallRules", "rdp", REG_SZ, firewall.pack(rule_of()))


def restricted(vm: Vm) -> None:
    text = firewall.pack(rule_of()) + "RUAuth=O:LSD:(A;;CC;;;S-1-5-32-555)|"
    vm.registry.set(firewall.RULES, "RemoteDesktop-UserMode-In-TCP", REG_SZ, text)


def everything_blocked(vm: Vm) -> None:
    firewall.put(vm.registry, Rule("no", "no", allow=False, protocol="6", ports="3380-3600"))


def damaged(vm: Vm) -> None:
    vm.registry.set(firewall.RULES, "odd", REG_SZ, "v2.31|Action=Allow|Svc=termservice|LPort=70000|Name=odd|")


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (by_policy_alone, "AllowLocalPolicyMerge 0"),
        (remove_rules, "no firewall rule lets Remote Desktop in"),
        (restricted, "restricts by ruauth"),
        (everything_blocked, "none of the ports"),
        (damaged, "'odd'"),
    ],
)
def test_where_a_move_would_be_no_good_nothing_is_moved_and_it_is_said(prepare: Any, why: str) -> None:
    ran = moved(prepare)
    assert (ran.outcome, found(ran).status) == ("faults_left", "fault")
    assert why in " ".join(found(ran).evidence)
    assert ran.vm.state() == ran.state_before


def test_a_policys_rule_is_copied_where_local_ones_count() -> None:
    def prepare(vm: Vm) -> None:
        remove_rules(vm)
        text = firewall.pack(rule_of(profiles=("Public",)))
        vm.registry.set(firewall.POLICY + r"\FirewallRules", "rdp", REG_SZ, text)

    ran = moved(prepare)
    assert ran.outcome == "fixed"
    assert [(rule.protocol, rule.profiles) for rule in new_rules(ran)] == [("6", ("Public",))]


def test_a_firewall_that_is_off_needs_no_rule() -> None:
    def prepare(vm: Vm) -> None:
        shell(vm, "netsh advfirewall set allprofiles state off")
        remove_rules(vm)

    ran = moved(prepare)
    assert (ran.outcome, new_rules(ran)) == ("fixed", [])


def test_ports_that_are_used_kept_or_blocked_are_passed_over() -> None:
    def prepare(vm: Vm) -> None:
        vm.bound[3390] = "spooler"
        firewall.put(vm.registry, Rule("no", "no", allow=False, protocol="6", ports="3392-3393"))

    assert moved(prepare).vm.listens() == 3394


HOSTILE = ('a" & shutdown /r & "', "%COMSPEC%", "x|y", "a^&b", "`$(calc)`", 'x" remoteip=any')


@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_of_rules_are_never_typed(value: str) -> None:
    def prepare(vm: Vm) -> None:
        text = firewall.pack(rule_of())
        for name, data in (
            (value, text),
            ("name", text.replace("Name=", f"Name={value}")),
            ("desc", text + f"Desc={value}|"),
            ("ra4", text + f"RA4={value}|"),
            ("profile", text + f"Profile={value}|"),
        ):
            vm.registry.set(firewall.RULES, name, REG_SZ, data)

    ran = moved(prepare)
    typed = b"".join(sent.send.data for sent in ran.line.sent).decode("utf-8", "replace")
    assert value not in typed
    assert found(ran).status == "fault"
    assert ran.vm.state() == ran.state_before


@pytest.mark.parametrize("value", HOSTILE)
def test_a_hostile_name_alone_keeps_nobody_from_moving(value: str) -> None:
    if "|" in value:
        return  # no name has a bar: it ends the field
    ran = moved(lambda vm: firewall.put(vm.registry, replace(rule_of("6"), display=value)))
    typed = b"".join(sent.send.data for sent in ran.line.sent).decode("utf-8", "replace")
    assert value not in typed
    assert ran.outcome == "fixed"


def test_when_the_restart_fails_rules_and_port_are_put_back() -> None:
    ran = moved(lambda vm: vm.services.unstoppable.add("termservice"))
    assert found(ran).status == "fault"
    assert ran.vm.state() == ran.state_before
    put_back = [event.name for event in ran.recorder.of(events.PutBack)]
    assert {"port_number", "firewall_rule:TCP:3390", "firewall_rule:UDP:3390"} <= set(put_back)


# --- who is on the port ------------------------------------------------------------------------------------------


def test_what_listens_on_the_port_is_as_netstat_of_the_vm_says() -> None:
    ran = play(HIJACK, 1)
    assert "TermService" not in ask(ran.vm, f"sc enumdepend {squatter(ran.vm)} 16384")
    assert found(ran).evidence[1].startswith("on port 3389: 0.0.0.0 by process ")


def test_the_service_that_netstat_names_is_the_first_to_be_stopped() -> None:
    firsts = set()
    for seed in range(12):
        ran = play(HIJACK, seed, policy=Policy(never="diagnose"), mode="diagnose")
        held = [service for service in ("StatusPortal", "StatusCache", "InvWeb", "InvSync") if service in services(ran)]
        if not held:
            continue
        block = ask(ran.vm, "netstat -abno -p tcp").partition("0.0.0.0:3389")[2].splitlines()
        (proposed,) = ran.recorder.of(events.Proposed)
        first = proposed.changes[0].name.removeprefix("stop:")
        named = block[1].strip()
        assert first == (named if named in held else sorted(held)[0])
        firsts.add(named in held)
    assert firsts == {True, False}


def services(ran: Ran) -> list[str]:
    return ran.vm.services.names()


@pytest.mark.parametrize(("windows", "seed"), [("2019", 3), ("2025", 4)])
def test_in_the_whole_playbook_a_stubborn_stranger_ends_with_fixed(windows: str, seed: int) -> None:
    ran = run(["port-hijack-stubborn", "tls-disabled"], seed=seed, windows=windows)
    assert (ran.outcome, ran.played.verdict.verified) == ("fixed", "outside")
    assert all(FAULTS[fault].repaired(ran.vm) for fault in ran.vm.faults)
    assert ran.vm.listens() != 3389


# --- decisions by hand -------------------------------------------------------------------------------------------

LOST = Unknown("the line was lost")
TERM = Service("TermService", "running", 500)


def row(address: str, pid: int) -> Socket:
    return Socket("tcp", address, 3389, "0.0.0.0:0", "", pid)


def decide(**answers: Any) -> tuple[Finding, list[Choose]]:
    """Drive the check; whoever is asked leaves everything as it is, and any proposal is a failure."""
    usual = {"rdp_listener": Listener(3389), "termservice": TERM, "listening:3389": (row("0.0.0.0", 500),)}
    generator, chosen, answer = port.check_port(), list[Choose](), None
    while True:
        try:
            step = generator.send(answer)
        except StopIteration as end:
            found: Finding = end.value
            return found, chosen
        match step:
            case Look(probe):
                answer = (usual | answers).get(probe.name, LOST)
            case Choose():
                chosen.append(step)
                answer = LEAVE
            case Ahead() | Note():
                answer = None
            case _:
                raise AssertionError(f"unexpected {step}")


@pytest.mark.parametrize(
    ("answers", "status", "title"),
    [
        ({}, "ok", "itself listens on port 3389"),
        ({"rdp_listener": LOST}, "unknown", "could not be read"),
        ({"termservice": LOST}, "unknown", "could not be read"),
        ({"listening:3389": LOST}, "unknown", "could not be read"),
        ({"termservice": Service("TermService", "stopped", 0)}, "fault", "does not run"),
        ({"listening:3389": ()}, "fault", "does not listen"),
        ({"listening:3389": (row("0.0.0.0", 500), row("127.0.0.1", 600))}, "ok", "itself listens"),
        ({"listening:3389": (row("0.0.0.0", 500), row("10.0.0.4", 600))}, "unknown", "Who holds port 3389"),
    ],
)
def test_what_is_found(answers: dict[str, Any], status: str, title: str) -> None:
    found, chosen = decide(**answers)
    assert (found.status, chosen) == (status, [])
    assert title in found.title


@pytest.mark.parametrize(
    ("holder", "said"),
    [
        (Process("System", 4, ()), "netsh http show servicestate view=requestq"),
        (Process("svchost.exe", 600, ("iphlpsvc",)), "netsh interface portproxy show all"),
        (Process("tool.exe", 600, ()), "move Remote Desktop"),
        (Process("lsass.exe", 600, ("SamSs",)), "move Remote Desktop"),
    ],
)
def test_what_is_never_stopped_is_not_offered_to_be(holder: Process, said: str) -> None:
    answers = {"listening:3389": (row("0.0.0.0", holder.pid),), f"process:{holder.pid}": holder}
    found, chosen = decide(**answers)
    assert [(step.choices, step.unattended) for step in chosen] == [((MOVE, LEAVE), MOVE)]
    assert found.status == "declined"
    assert said in found.advice


def test_every_change_can_be_listed() -> None:
    listed = {change.name: change for change in port.changes_for("SERVICE")}
    assert {"stop:SERVICE", "start:SERVICE", "on-demand:SERVICE", "port_number"} <= set(listed)
    made = {name for ran in (play(HIJACK, 1), play(STUBBORN, 0)) for name in names_of(ran)}
    known = {name.partition(":")[0] for name in listed}
    assert {name.partition(":")[0] for name in made} <= known


def names_of(ran: Ran) -> list[str]:
    return [change.name for change in ran.recorder.of(events.ChangeStarted)]
