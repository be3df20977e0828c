"""The port check's questions: asked of simulated VMs of every Windows, and never with a name that can't be typed."""

from typing import Any

import pytest

from serialfix.simulator import firewall as theirs
from serialfix.simulator.faults import build
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.vm import Vm
from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import port_probes, probes
from serialfix.windows.firewall import TCP
from serialfix.windows.free_port import FIRST, LAST
from tests.simulator.world import YEARS, ask
from tests.windows.samples import failed, good

ALL: tuple[Probe[Any], ...] = (
    port_probes.sockets_of(4),
    port_probes.hint(3389),
    port_probes.stoppable("TermService"),
    port_probes.setup("TermService"),
    port_probes.EXCLUDED,
    port_probes.NEARBY,
    port_probes.local_firewall(3389),
    port_probes.policy_firewall(3389),
)


def answer(vm: Vm, probe: Probe[Any]) -> Any:
    assert isinstance(probe.query, Command)
    text = ask(vm, probe.query.text)
    return probe.parse(Output(text, 0 if text.strip() else 1, "screen"))


@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
@pytest.mark.parametrize("windows", YEARS)
def test_every_question_reads_and_is_answered(probe: Probe[Any], windows: str) -> None:
    assert isinstance(probe.query, Command)
    assert probe.query.effect == "read"
    assert probe.title
    assert probe.why.endswith(".")
    assert len(probe.query.text) < 500
    vm = build(["port-hijack"], windows, 2)
    before = vm.state()
    assert isinstance(probe.say(answer(vm, probe)), str)
    assert vm.state() == before


@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
def test_a_failure_is_no_answer(probe: Probe[Any]) -> None:
    with pytest.raises(Unreadable):
        probe.parse(failed("ERROR: 5"))


def test_all_ports_of_a_process_and_of_no_other() -> None:
    vm = build([], "2022", 1)
    rows = answer(vm, port_probes.sockets_of(4))
    assert {row.pid for row in rows} == {4}
    assert {445, 139, 5985} <= {row.port for row in rows}
    assert answer(vm, port_probes.sockets_of(3)) == ()


def test_used_ports_are_seen_whatever_uses_them() -> None:
    vm = build(["port-hijack"], "2022", 1)
    vm.bound[3390] = next(iter(vm.port_uses))
    used = answer(vm, port_probes.NEARBY)
    assert {3389, 3390} <= used
    udp = "  UDP    0.0.0.0:3391           *:*                                    4056\n"
    busy = "  TCP    10.0.0.4:3392          10.0.0.9:443           ESTABLISHED     4056\n"
    assert port_probes.NEARBY.parse(good(udp + busy)) == {3391, 3392}
    assert port_probes.NEARBY.parse(Output("", 1, "screen")) == frozenset()
    assert all(port // 100 in (33, 34) for port in (FIRST, LAST)), "what NEARBY asks for"


def test_a_hint_is_what_stands_below_the_row_of_the_port_only() -> None:
    text = (
        "  TCP    0.0.0.0:3389           0.0.0.0:0              LISTENING       416\n  InvWeb\n [svchost.exe]\n"
        "  TCP    0.0.0.0:445            0.0.0.0:0              LISTENING       4\n Can not obtain ownership\n"
    )
    assert port_probes.hint(3389).parse(good(text)) == ("InvWeb",)
    assert port_probes.hint(445).parse(good(text)) == ()


def test_the_setup_of_a_service() -> None:
    vm = build([], "2022", 1)
    spooler = answer(vm, port_probes.setup("Spooler"))
    assert (spooler.start, spooler.account) == (2, "LocalSystem")
    assert spooler.image.endswith("spoolsv.exe")


@pytest.mark.parametrize("name", ['x" & calc & "', "%x%", "a|b", "a b\\", "-x"])
def test_a_hostile_name_is_never_typed(name: str) -> None:
    for probe in (port_probes.setup, port_probes.stoppable, probes.service):
        if name == "-x" and probe is port_probes.setup:
            continue  # in the middle of a key it is no switch
        with pytest.raises(ValueError, match="typed safely"):
            probe(name)


def test_stop_flags_and_state_come_from_one_exchange() -> None:
    assert port_probes.stoppable("X").query == probes.service("X").query


def test_what_a_policy_says() -> None:
    vm = build([], "2022", 1)
    assert answer(vm, port_probes.policy_firewall(3389)).rules == ()
    theirs.put(vm.registry, theirs.Rule("far", "far", protocol="17", ports="53"))
    rule = theirs.Rule("gpo", "gpo", protocol="6", ports="3000-4000")
    vm.registry.set(theirs.POLICY + r"\FirewallRules", "gpo", "REG_SZ", theirs.pack(rule))
    vm.registry.set(theirs.POLICY + r"\DomainProfile", "AllowLocalPolicyMerge", REG_DWORD, 0)
    found = answer(vm, port_probes.policy_firewall(3389))
    assert [(each.id, each.about(TCP, 3389)) for each in found.rules] == [("gpo", True)]
    assert found.alone == {"domain"}
    assert "far" not in {each.id for each in answer(vm, port_probes.local_firewall(3389)).rules}
