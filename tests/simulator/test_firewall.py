from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import firewall
from serialfix.simulator.faults import build
from serialfix.simulator.firewall import Rule
from tests.simulator.world import ask, shell

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
PORTS = st.lists(st.integers(1, 65535).map(str), max_size=3).map(",".join)


@given(
    st.builds(
        Rule, WORDS, WORDS, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", "6", "17"]), PORTS,
        st.sampled_from(["", r"C:\x y\z.exe"]), st.sampled_from(["", "termservice"]), WORDS, st.just("10.0.0.0/8"),
        st.sampled_from([(), ("Public",), ("Domain", "Private")]),
    )
)  # fmt: skip
def test_a_rule_goes_through_its_registry_value(rule: Rule) -> None:
    assert firewall.unpack(rule.name, firewall.pack(rule)) == rule


def test_who_is_let_in() -> None:
    registry = build([], "2022", 1).registry
    svchost = r"C:\Windows\System32\svchost.exe"
    assert firewall.lets_in(registry, 3389, svchost, "TermService")
    assert not firewall.lets_in(registry, 3390, svchost, "TermService")
    assert not firewall.lets_in(registry, 3389, svchost, "Other")
    assert not firewall.lets_in(registry, 3389, r"C:\x.exe", "TermService")
    firewall.put(registry, Rule("block", "block", allow=False, protocol="6", ports="3000-4000"))
    assert not firewall.lets_in(registry, 3389, svchost, "TermService")
    firewall.put(registry, Rule("block", "block", allow=False, active=False, protocol="6", ports="3000-4000"))
    assert firewall.lets_in(registry, 3389, svchost, "TermService")


def test_a_blocked_port_is_silent_and_an_off_firewall_is_not() -> None:
    vm = build([], "2022", 1)
    shell(vm, 'netsh advfirewall firewall set rule group="Remote Desktop" new enable=no')
    assert vm.rdp_port().behaviour == "silent"
    shell(vm, "netsh advfirewall set allprofiles state off")
    assert vm.rdp_port().behaviour == "rdp"
    assert ask(vm, "netsh advfirewall show publicprofile state").count("OFF") == 1


def test_netsh_adds_shows_and_deletes() -> None:
    vm = build([], "2022", 1)
    before = firewall.rules(vm.registry)
    text = shell(
        vm,
        'netsh advfirewall firewall add rule name="my rdp" dir=in action=allow protocol=TCP localport=3390',
        'netsh advfirewall firewall show rule name="my rdp"',
        'netsh advfirewall firewall delete rule name="my rdp"',
        'netsh advfirewall firewall show rule name="my rdp"',
    )
    assert "LocalPort:                            3390\n" in text
    assert "Rule Name:                            my rdp\n" + "-" * 70 in text
    assert "Deleted 1 rule(s)." in text
    assert text.rstrip().endswith("No rules match the specified criteria.\n\n\nC:\\Windows\\system32>".rstrip())
    assert firewall.rules(vm.registry) == before
