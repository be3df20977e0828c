"""Firewall rules: read whole and exactly, or not at all; never wider than they are."""

import contextlib
import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import firewall as theirs
from serialfix.simulator.faults import build
from serialfix.steps import Unreadable
from serialfix.windows.firewall import (
    LOCAL,
    PROFILES,
    TCP,
    UDP,
    Firewall,
    Rule,
    Scope,
    parse_local,
    parse_policy,
    parse_rule,
)
from tests.simulator.world import ask
from tests.windows.samples import failed, good, junk, partial

TCP_IN = (
    r"v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=3389|App=%SystemRoot%\system32\svchost.exe|"
    "Svc=termservice|Name=@FirewallAPI.dll,-28775|Desc=@FirewallAPI.dll,-28756|EmbedCtxt=@FirewallAPI.dll,-28752|"
)
SHADOW = (
    r"v2.33|Action=Allow|Active=TRUE|Dir=In|Protocol=6|App=%SystemRoot%\system32\RdpSa.exe|"
    "Name=@FirewallAPI.dll,-28778|Desc=@FirewallAPI.dll,-28779|EmbedCtxt=@FirewallAPI.dll,-28752|Edge=TRUE|Defer=App|"
)
# The example of [MS-GPFAS] 4.2.
EXAMPLE = (
    "v2.10|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Public|LPort=RPC|RPort=49000|"
    "LA4=192.168.1.0/255.255.255.0|LA4=192.168.0.0/255.255.255.0|RA4=LocalSubnet|RA6=LocalSubnet|"
    r"App=c:\path\foo.exe|Name=Firewall Rule Test|Security=Authenticate|Security2_9=An-NoEncap|"
)
STORE = rf"""
{LOCAL.replace("HKLM", "HKEY_LOCAL_MACHINE")}

{LOCAL.replace("HKLM", "HKEY_LOCAL_MACHINE")}\DomainProfile
    EnableFirewall    REG_DWORD    0x0

{LOCAL.replace("HKLM", "HKEY_LOCAL_MACHINE")}\FirewallRules
    RemoteDesktop-UserMode-In-TCP    REG_SZ    {TCP_IN}
    RemoteDesktop-Shadow-In-TCP    REG_SZ    {SHADOW}

{LOCAL.replace("HKLM", "HKEY_LOCAL_MACHINE")}\PublicProfile
    EnableFirewall    REG_DWORD    0x1
    DoNotAllowExceptions    REG_DWORD    0x1

{LOCAL.replace("HKLM", "HKEY_LOCAL_MACHINE")}\StandardProfile
    EnableFirewall    REG_DWORD    0x1
"""


def test_the_example_of_the_specification() -> None:
    rule = parse_rule("{F7EE5C6D-6C90-456B-9166-E301B1305A56}", EXAMPLE)
    assert rule.scope == Scope(
        ("public",), ("localsubnet",), ("192.168.0.0-192.168.0.255", "192.168.1.0-192.168.1.255"), "no"
    )
    assert rule.ports == ()
    assert rule.other == ("lport", "rport", "security", "security2_9")
    assert not rule.about(TCP, 49000)


def test_a_store() -> None:
    store = parse_local(good(STORE))
    assert [rule.id for rule in store.rules] == ["RemoteDesktop-UserMode-In-TCP", "RemoteDesktop-Shadow-In-TCP"]
    assert (sorted(store.on), sorted(store.off)) == (["private", "public"], ["domain"])
    assert (sorted(store.shut), sorted(store.alone)) == (["public"], [])
    assert store.rules[1].scope.edge == "deferapp"
    assert not store.rules[1].about(TCP, 3389), "it is another program's"


def test_a_policy_that_is_not_there_is_empty() -> None:
    text = "\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\Microsoft\\Windows\n    x    REG_DWORD    0x1\n"
    assert parse_policy(good(text)) == Firewall()
    for output in (failed(""), partial(text), good("")):
        with pytest.raises(Unreadable):
            parse_policy(output)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        TCP_IN[:-1],
        TCP_IN.replace("v2.31", "v3.1"),
        TCP_IN.replace("Allow", "Perhaps"),
        TCP_IN.replace("TRUE", "yes"),
        TCP_IN.replace("Dir=In|", ""),
        TCP_IN.replace("Protocol=6", "Protocol=six"),
        TCP_IN.replace("Protocol=6", "Protocol=999"),
        TCP_IN.replace("LPort=3389", "LPort=70000"),
        TCP_IN.replace("LPort=3389", "LPort2_10=9-3"),
        TCP_IN + "Profile=Everywhere|",
        TCP_IN + "RA4=10.0.0.0/40|",
        TCP_IN + "RA4=::1|",
        TCP_IN + "RA6=10.0.0.1|",
        TCP_IN + "RA4=10.0.0.9-10.0.0.1|",
        TCP_IN + "Edge=perhaps|",
        TCP_IN + "Svc=another|",
        TCP_IN + "|",
        TCP_IN + 'Name="&calc|',
    ],
)
def test_what_cannot_be_is_not_read(text: str) -> None:
    with pytest.raises(Unreadable):
        parse_rule("r", text)


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        ("", True),
        ("Protocol=6|LPort=3389|", True),
        ("Protocol=256|", True),
        ("Protocol=17|", False),
        ("Protocol=6|LPort=3388|LPort=3390|", False),
        ("Protocol=6|LPort=80|LPort2_10=3000-4000|", True),
        ("Protocol=6|LPort=RPC|", False),
        ("Svc=*|", True),
        ("Svc=TermService|", True),
        ("Svc=W3SVC|", False),
        (r"App=C:\Windows\System32\svchost.exe|", True),
        (r"App=C:\Users\x\system32\svchost.exe|", False),
        ("App=System|", False),
    ],
)
def test_which_rules_are_about_remote_desktop(fields: str, about: bool) -> None:
    rule = parse_rule("r", f"v2.31|Action=Allow|Active=TRUE|Dir=In|{fields}Name=r|")
    assert rule.about(TCP, 3389) is about
    assert not replace(rule, inbound=False).about(TCP, 3389)


def test_a_word_for_one_family_alone_is_no_word_for_both() -> None:
    assert parse_rule("r", TCP_IN + "RA4=LocalSubnet|").other == ("ra4",)
    assert parse_rule("r", TCP_IN + "RA4=LocalSubnet|RA6=LocalSubnet|").other == ()
    assert parse_rule("r", TCP_IN + "RA42=IntErnet|").other == ("ra42",)


ADDRESSES = st.lists(
    st.one_of(
        st.ip_addresses().map(str),
        st.tuples(st.ip_addresses(v=4), st.integers(8, 32)).map(
            lambda pair: str(ipaddress.ip_network(f"{pair[0]}/{pair[1]}", strict=False))
        ),
        st.sampled_from(["LocalSubnet", "DNS"]),
    ),
    max_size=4,
    unique=True,
)


@given(
    ADDRESSES,
    st.lists(st.sampled_from(["Domain", "Private", "Public"]), max_size=3, unique=True),
    st.sampled_from(["", "yes", "deferapp", "deferuser"]),
    st.booleans(),
    st.booleans(),
)
def test_what_the_simulated_windows_writes_is_read_as_it_was_meant(
    remote: list[str], profiles: list[str], edge: str, allow: bool, active: bool
) -> None:
    meant = theirs.Rule(
        "r", "n", allow, active, protocol="17", ports="5-9,3389", service="termservice", remote=",".join(remote),
        profiles=tuple(profiles), edge=edge,
    )  # fmt: skip
    rule = parse_rule("r", theirs.pack(meant))
    assert (rule.action == "allow", rule.active, rule.protocol) == (allow, active, UDP)
    assert rule.ports is not None
    assert set(rule.ports) == {(5, 9), (3389, 3389)}
    assert rule.scope.profiles == tuple(p for p in PROFILES if not profiles or p.title() in profiles)
    assert rule.scope.edge == (edge or "no")
    assert len(rule.scope.remote) <= len(remote)
    assert bool(rule.scope.remote) is bool(remote)
    assert not rule.other


def test_the_rules_of_a_simulated_vm() -> None:
    for windows in ("2016", "2025"):
        vm = build(["port-hijack"], windows, 3)
        store = parse_local(good(ask(vm, f"reg query {LOCAL} /s")))
        assert len([rule for rule in store.rules if rule.about(TCP, 3389)]) == 1
        assert store.off == frozenset()


@given(junk(STORE))
def test_nothing_but_unreadable_is_raised(output: object) -> None:
    for parse in (parse_local, parse_policy):
        try:
            store = parse(output)  # type: ignore[arg-type]
        except Unreadable:
            continue
        assert all(isinstance(rule, Rule) for rule in store.rules)


@given(st.lists(st.sampled_from(TCP_IN.split("|") + EXAMPLE.split("|")) | st.text("=|v2.1aLPort-/:", max_size=9)))
def test_a_value_of_any_kind_is_read_or_unreadable(parts: list[str]) -> None:
    with contextlib.suppress(Unreadable):
        assert parse_rule("r", "|".join(["v2.31", *parts, ""])).id == "r"
