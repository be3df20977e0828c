"""For whom a new port is opened: never for more than the rules about the old one let in."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from serialfix.playbooks.port_move import MOST_RULES, Opening, blocked, plan
from serialfix.windows.firewall import PROFILES, TCP, UDP, Firewall, Rule, Scope
from serialfix.windows.port_changes import rule_name

SVCHOST = r"%SystemRoot%\system32\svchost.exe"


def rule(**values: Any) -> Rule:
    usual = {
        "id": "r", "name": "r", "action": "allow", "active": True, "inbound": True, "protocol": TCP,
        "ports": ((3389, 3389),), "program": SVCHOST, "service": "termservice", "scope": Scope(PROFILES),
    }  # fmt: skip
    return Rule(**{**usual, **values})


RULES = st.builds(
    rule,
    id=st.sampled_from(["a", "b", "c"]),
    action=st.sampled_from(["allow", "allow", "block", "bypass"]),
    active=st.booleans(),
    inbound=st.sampled_from([True, True, False]),
    protocol=st.sampled_from([TCP, UDP, None]),
    ports=st.sampled_from([((3389, 3389),), ((3000, 4000),), ((80, 80),), None]),
    program=st.sampled_from([SVCHOST, "", r"C:\x\y.exe"]),
    service=st.sampled_from(["termservice", "TermService", "", "W3SVC"]),
    scope=st.builds(
        Scope,
        st.sampled_from([PROFILES, ("public",), ("domain", "private")]),
        st.sampled_from([(), ("10.0.0.1",), ("10.0.0.0-10.255.255.255", "localsubnet")]),
        st.sampled_from([(), ("10.0.0.4",)]),
        st.sampled_from(["no", "yes"]),
    ),
    other=st.sampled_from([(), (), (), ("rport",)]),
)
SETS = st.frozensets(st.sampled_from(PROFILES))
WALLS = st.builds(Firewall, st.lists(RULES, max_size=6).map(tuple), SETS, SETS, SETS, SETS)


@given(WALLS, WALLS)
def test_only_what_a_rule_about_the_old_port_lets_in_is_opened(local: Firewall, policy: Firewall) -> None:
    opening = plan(local, policy, 3389)
    if isinstance(opening, str):
        assert opening
        return
    rules = (*local.rules, *policy.rules)
    for protocol, scope in opening.scopes:
        number = {"TCP": TCP, "UDP": UDP}[protocol]
        froms = [each for each in rules if each.scope == scope and each.action == "allow" and each.about(number, 3389)]
        assert froms, "nobody was let in like this"
        assert any(not each.other for each in froms)
        assert not policy.alone & set(scope.profiles), "a rule made here would do nothing"
        if opening.risk == "medium":
            assert any(each.active for each in froms)
        if protocol == "UDP":
            assert any(each.active for each in froms)
    if not any(protocol == "TCP" for protocol, _ in opening.scopes):
        assert set(PROFILES) <= (local.off - policy.on) | policy.off
    assert len(opening.scopes) <= 2 * MOST_RULES
    assert len(set(opening.scopes)) == len(opening.scopes)


def test_the_rules_of_a_usual_vm() -> None:
    local = Firewall((rule(id="tcp"), rule(id="udp", protocol=UDP)))
    opening = plan(local, Firewall(), 3389)
    assert isinstance(opening, Opening)
    assert opening.scopes == (("TCP", Scope(PROFILES)), ("UDP", Scope(PROFILES)))
    assert opening.risk == "medium"
    assert len(opening.said) == 2


def test_a_rule_that_names_the_service_goes_before_one_that_does_not() -> None:
    narrow = Scope(("domain",), ("10.0.0.1",))
    local = Firewall((rule(id="any", service="", scope=Scope(PROFILES)), rule(scope=narrow)))
    opening = plan(local, Firewall(), 3389)
    assert isinstance(opening, Opening)
    assert opening.scopes == (("TCP", narrow),)


def test_that_nothing_is_let_in_at_all_is_said() -> None:
    local = Firewall((rule(scope=Scope(("public",))),), shut=frozenset({"public"}))
    opening = plan(local, Firewall(), 3389)
    assert isinstance(opening, Opening)
    assert "lets nothing in at all in the profiles public" in " ".join(opening.said)


def test_too_many_rules_are_left_to_a_person() -> None:
    many = tuple(rule(id=f"r{number}", scope=Scope(PROFILES, (f"10.0.0.{number}",))) for number in range(1, 7))
    assert "6 firewall rules" in str(plan(Firewall(many), Firewall(), 3389))


def test_a_forbidden_port_and_one_with_a_rule_of_ours_are_passed_over() -> None:
    wall = Firewall((rule(action="block", ports=((3400, 3410),)), rule(action="block", active=False, ports=None)))
    assert blocked(wall, Firewall(), 3405)
    assert blocked(Firewall(), wall, 3405)
    assert not blocked(wall, Firewall(), 3390)
    assert not blocked(Firewall((rule(action="bypass", ports=None),)), Firewall(), 3390)
    ours = Firewall((rule(name=rule_name("UDP", 3390), ports=((3390, 3390),)),))
    assert blocked(ours, Firewall(), 3390)
    assert not blocked(ours, Firewall(), 3391)
