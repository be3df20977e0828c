"""The changes of a move: made, seen, undone, and never anything but what they say."""

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.vm import Vm
from serialfix.steps import Change, NoUndo, Output
from serialfix.windows.firewall import PROFILES, Scope
from serialfix.windows.port_changes import MOST_TYPED, Protocol, add_command, add_rule, rule_name, set_port
from tests.simulator.world import YEARS, ask, shell

WIDE = Scope(PROFILES)


def now(vm: Vm, change: Change[Any]) -> Any:
    text = ask(vm, change.before.query.text)  # type: ignore[union-attr]
    return change.before.parse(Output(text, 0, "screen"))


def undo(vm: Vm, change: Change[Any], before: Any) -> None:
    assert not isinstance(change.undo, NoUndo)
    for command in change.undo(before):
        assert command.effect == "write"
        shell(vm, command.text)


def ranges() -> st.SearchStrategy[tuple[str, ...]]:
    four = st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)).map(sorted)
    six = st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6)).map(sorted)
    written = (four | six).map(lambda pair: str(pair[0]) if pair[0] == pair[1] else f"{pair[0]}-{pair[1]}")
    return st.lists(written | st.just("localsubnet"), max_size=4, unique=True).map(lambda found: tuple(sorted(found)))


SCOPES = st.builds(
    Scope,
    st.sets(st.sampled_from(PROFILES), min_size=1).map(lambda some: tuple(p for p in PROFILES if p in some)),
    ranges(),
    ranges(),
    st.sampled_from(["no", "yes", "deferapp", "deferuser"]),
)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(["TCP", "UDP"]), st.integers(1, 65535), SCOPES, st.sampled_from(YEARS))
def test_a_rule_is_made_seen_and_taken_away_again(protocol: Protocol, port: int, scope: Scope, windows: str) -> None:
    change = add_rule(protocol, port, scope, risk="medium")
    vm = build([], windows, 1)
    first = vm.state()
    before = now(vm, change)
    assert (before, change.check(before), change.show(before)) == ((), False, "there is none")
    assert "Ok." in ask(vm, change.do.text)
    after = now(vm, change)
    assert change.check(after), after
    undo(vm, change, before)
    assert vm.state() == first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("profile=public", "profile=any"),
        ("remoteip=10.0.0.1", "remoteip=any"),
        ("edge=no", "edge=yes"),
        ("protocol=TCP", "protocol=UDP"),
        ("localport=3390", "localport=3390-3391"),
        ("service=termservice", "service=any"),
        ("action=allow", "action=block"),
        ("edge=no", "edge=no enable=no"),
        ("localport=3390", "localport=any"),
    ],
)
def test_another_rule_of_that_name_is_not_taken_for_it(old: str, new: str) -> None:
    change = add_rule("TCP", 3390, Scope(("public",), ("10.0.0.1",)), risk="medium")
    vm = build([], "2022", 1)
    assert old in change.do.text
    shell(vm, change.do.text.replace(old, new))
    found = now(vm, change)
    assert len(found) == 1
    assert not change.check(found)
    undo(vm, change, found)
    assert now(vm, change) == found, "what was there before is never taken away"


def test_two_rules_of_that_name_are_not_taken_for_one() -> None:
    change = add_rule("TCP", 3390, WIDE, risk="medium")
    vm = build([], "2022", 1)
    shell(vm, change.do.text, change.do.text)
    assert not change.check(now(vm, change))


@pytest.mark.parametrize("value", ["a b & c", "%x%", '"', "10.0.0.0/8", "any|x"])
def test_only_what_can_be_typed_safely_is_typed(value: str) -> None:
    with pytest.raises(ValueError, match="typed"):
        add_rule("TCP", 3390, Scope(PROFILES, (value,)), risk="medium")


def test_a_rule_that_is_too_long_is_not_typed() -> None:
    many = tuple(f"10.0.{number}.1-10.0.{number}.9" for number in range(80))
    with pytest.raises(ValueError, match="80 ranges"):
        add_command("r", "TCP", 3390, Scope(PROFILES, many))
    assert len(add_command("r", "TCP", 3390, Scope(PROFILES, many[:30]))) < MOST_TYPED


def test_every_rule_has_a_name_of_its_own() -> None:
    protocols: tuple[Protocol, ...] = ("TCP", "UDP")
    names = [rule_name(protocol, port, number) for protocol in protocols for port in (1, 2) for number in (1, 2)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("port", [3390, 3499])
def test_the_port_is_a_decimal_dword_and_comes_back(port: int) -> None:
    change = set_port(port)
    vm = build([], "2022", 1)
    first = vm.state()
    before = now(vm, change)
    assert before.number == 3389
    assert re.search(rf"/t REG_DWORD /d {port} /f$", change.do.text)
    shell(vm, change.do.text)
    assert change.check(now(vm, change))
    undo(vm, change, before)
    assert vm.state() == first


def test_they_only_make_room_for_each_other_and_say_what_they_cost() -> None:
    for change in (add_rule("UDP", 3390, WIDE, risk="medium"), set_port(3390)):
        assert change.put_back
        assert change.why.endswith(".")
        assert change.docs.startswith("https://learn.microsoft.com/")
    assert set_port(3390).risk == "high"
