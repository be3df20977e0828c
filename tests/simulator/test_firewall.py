import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import firewall
from serialfix.simulator.faults import build
from serialfix.simulator.firewall import Rule
from serialfix.simulator.registry import REG_DWORD, REG_SZ
from tests.simulator.world import ask, shell

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)
PORTS = st.lists(st.integers(1, 65535).map(str), max_size=3).map(",".join)


@given(
    st.builds(
        Rule, WORDS, WORDS, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(["", "6", "17"]), PORTS,
        st.sampled_from(["", r"C:\x y\z.exe"]), st.sampled_from(["", "termservice"]), WORDS, st.just("10.0.0.0/8"),
        st.sampled_from([(), ("Public",), ("Domain", "Private")]), st.sampled_from(["", "10.0.0.4"]),
        st.sampled_from(["", "yes", "deferapp", "deferuser"]),
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


def test_what_netsh_writes_is_what_windows_writes() -> None:
    # The forms of [MS-GPFAS] 4.2 and of rules that Windows brings along.
    vm = build([], "2022", 1)
    line = (
        "netsh advfirewall firewall add rule name=r dir=in action=allow protocol=TCP localport=3390,4000-4001 "
        r"program=%SystemRoot%\system32\svchost.exe service=termservice profile=public,domain "
        "remoteip=10.0.0.0/8,2001:db8::/32,LocalSubnet localip=10.0.0.4 edge=deferapp"
    )
    assert "Ok." in ask(vm, line)
    (name,) = [rule.name for rule in firewall.rules(vm.registry) if rule.display == "r"]
    text = vm.registry.get(firewall.RULES, name)
    assert text == (
        r"v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Public|LPort=3390|LPort2_10=4000-4001|"
        "LA4=10.0.0.4|RA4=10.0.0.0/255.0.0.0|RA4=LocalSubnet|RA6=2001:db8::/32|RA6=LocalSubnet|"
        r"App=C:\Windows\system32\svchost.exe|Svc=termservice|Name=r|Edge=TRUE|Defer=App|"
    )
    shown = ask(vm, "netsh advfirewall firewall show rule name=r")
    assert "RemoteIP:                             10.0.0.0/8,LocalSubnet,2001:db8::/32" in shown
    assert "Edge traversal:                       Defer to application" in shown


@pytest.mark.parametrize(
    "words",
    [
        "profile=everywhere",
        "remoteip=10.0.0.0/40",
        "remoteip=9.9.9.9-1.1.1.1",
        "edge=perhaps",
        "protocol=any",
        "localip=x",
    ],
)
def test_netsh_takes_no_nonsense(words: str) -> None:
    vm = build([], "2022", 1)
    before = firewall.rules(vm.registry)
    base = "netsh advfirewall firewall add rule name=r dir=in action=allow protocol=TCP localport=3390 "
    assert "not valid" in ask(vm, base + words)
    assert firewall.rules(vm.registry) == before


def test_a_policys_word_is_the_last() -> None:
    registry = build([], "2022", 1).registry
    svchost = r"C:\Windows\System32\svchost.exe"
    rules, public = firewall.POLICY + r"\FirewallRules", firewall.POLICY + r"\PublicProfile"

    def in_(port: int) -> bool:
        return firewall.lets_in(registry, port, svchost, "TermService")

    registry.set(rules, "gpo", REG_SZ, firewall.pack(Rule("gpo", "gpo", protocol="6", ports="3390")))
    assert (in_(3389), in_(3390)) == (True, True)
    registry.set(public, "AllowLocalPolicyMerge", REG_DWORD, 0)
    assert (in_(3389), in_(3390)) == (False, True)
    registry.set(public, "DoNotAllowExceptions", REG_DWORD, 1)
    assert (in_(3389), in_(3390)) == (False, False)
    registry.set(public, "EnableFirewall", REG_DWORD, 0)
    assert (in_(3389), in_(3391)) == (True, True)
