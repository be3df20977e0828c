"""The least change to the key's access list, made by the simulator's icacls and judged by its access check."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator import key_files, security, sids
from serialfix.simulator.cmd import Shell, environment
from serialfix.simulator.faults import build
from serialfix.simulator.security import Ace, Descriptor
from serialfix.simulator.vm import Vm
from serialfix.steps import Command, Output, Unreadable
from serialfix.windows import key_rights, sddl
from tests.simulator.world import ask, shell

WHO = (sids.SYSTEM, sids.NETWORK_SERVICE, sids.ADMINISTRATORS, sids.USERS, sids.EVERYONE, sids.AUTHENTICATED,
       sids.SERVICE, sids.GUESTS, sids.service_sid("TermService"), sids.service_sid("SessionEnv"),
       "S-1-5-21-1-2-3-1001")  # fmt: skip
MASKS = st.sampled_from([security.FULL, security.READ, 0x20089, 0x1, 0x120116, 0x100116, 0x1301BF, 0x10000, 0x2, 0x82])
LISTS = st.lists(st.builds(Ace, st.booleans(), st.sampled_from(WHO), MASKS), max_size=5).map(
    lambda aces: Descriptor(sids.SYSTEM, sids.SYSTEM, tuple(aces), protected=True)
)
STRANGERS = (
    sids.Token("S-1-5-21-1-2-3-1001", "user", frozenset({sids.USERS, sids.EVERYONE, sids.AUTHENTICATED}), False),
    sids.Token("S-1-5-21-1-2-3-1002", "guest", frozenset({sids.GUESTS, sids.EVERYONE}), False),
)
RIGHTS = (0x1, 0x2, 0x4, 0x8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x10000, 0x20000, 0x40000, 0x80000)


@cache
def machine() -> Vm:
    return build([], "2022", 1)


def as_system(vm: Vm, line: str) -> None:
    """Type a line as SYSTEM would."""
    system = Shell(vm, environment(vm), r"C:\Windows\system32", lambda text: None, identity=sids.LOCAL_SYSTEM)
    for _ in system.run_line(line):
        pass


def held(descriptor: Descriptor, token: sids.Token) -> set[int]:
    return {right for right in RIGHTS if security.granted(descriptor, token, right)}


@settings(max_examples=300)
@given(LISTS, st.sampled_from([14393, 16299, 17763, 26100]))
def test_whatever_the_list_termservice_gets_in_and_strangers_gain_no_more_than_reading(
    before: Descriptor, build_number: int
) -> None:
    vm = machine()
    at = key_files.path(vm.registry)
    dacl = sddl.parse(before.sddl()).dacl
    if sddl.may_read(dacl, sddl.TERMSERVICE_TOKEN):
        return
    vm.files.protect(at, before)
    wanted = key_rights.plan(dacl, build_number)
    assert wanted is not None
    for edit in wanted:
        as_system(vm, f"icacls {at} {edit} /q")
    after = vm.files.descriptor(at)
    assert security.granted(after, sids.TERM_SERVICE, security.READ)
    assert key_rights.plan(sddl.parse(after.sddl()).dacl, build_number) == ()
    for token in STRANGERS:
        assert held(after, token) - held(before, token) <= {0x1, 0x8, 0x80, 0x20000}
    denied = {ace for ace in before.aces if not ace.allow and ace.sid not in sddl.TERMSERVICE_TOKEN}
    assert {(ace.sid, ace.mask) for ace in denied} <= {(ace.sid, ace.mask) for ace in after.aces if not ace.allow}


@pytest.mark.parametrize(
    ("text", "number", "edits"),
    [
        ("D:PAI(A;;FA;;;SY)(A;;FR;;;BA)", 14393, ("/grant *S-1-5-20:R",)),
        ("D:PAI(A;;FA;;;SY)", 16299, ("/grant *S-1-5-20:R",)),
        ("D:PAI(A;;FR;;;SY)(A;;FR;;;BA)", 14393, ("/grant *S-1-5-20:R *S-1-5-18:F",)),
        ("D:PAI(A;;FA;;;SY)", 17763, (f"/grant *S-1-5-20:R *{sddl.SESSION_ENV}:F",)),
        ("D:PAI(D;;0x1;;;WD)(D;;0x1;;;BU)(A;;FA;;;SY)(A;;FR;;;NS)", 16299, ("/remove:d *S-1-1-0 *S-1-5-32-545",)),
        (
            "D:PAI(D;;0x3;;;WD)(D;;SD;;;WD)(A;;FA;;;SY)(A;;FR;;;NS)",
            16299,
            ("/remove:d *S-1-1-0", '/deny "*S-1-1-0:(WD,DE)"'),
        ),
        ("D:PAI(D;;FR;;;BG)(A;;FA;;;SY)", 16299, ("/grant *S-1-5-20:R",)),
        ("D:AI(D;ID;FR;;;BU)(A;;FA;;;SY)(A;;FR;;;NS)", 16299, None),
    ],
)
def test_what_has_to_be_done(text: str, number: int, edits: tuple[str, ...] | None) -> None:
    assert key_rights.plan(sddl.parse(text).dacl, number) == edits


def test_where_there_is_no_list_at_all_nothing_is_missing() -> None:
    assert key_rights.plan(sddl.parse("D:NO_ACCESS_CONTROL").dacl, 26100) == ()


def test_an_administrator_reads_it_directly_on_2016_only() -> None:
    for windows in ("2016", "2022"):
        vm = build([], windows, 1)
        probe = key_rights.direct(key_files.machine_guid(vm.registry))
        assert isinstance(probe.query, Command)
        output = Output(ask(vm, probe.query.text), 0, "screen")
        if windows == "2016":
            assert probe.parse(output).text == key_files.healthy(vm.edition.build).sddl(owner=False)
        else:
            with pytest.raises(Unreadable):
                probe.parse(output)


@settings(max_examples=40)
@given(LISTS, st.integers(0, 5))
def test_what_brings_it_back_brings_back_exactly_that(before: Descriptor, seed: int) -> None:
    """Whether or not what icacls saves begins with a mark, and whatever stands there now."""
    vm = build([], "2022", seed)
    at = key_files.path(vm.registry)
    state = vm.state()
    commands = key_rights.bring_back(
        "qybxyzny9kb4", key_files.machine_guid(vm.registry), sddl.parse(before.sddl()).dacl
    )
    shell(vm, *(command.text for command in commands))
    assert vm.files.descriptor(at).sddl() == before.sddl()
    vm.files.protect(at, key_files.healthy(vm.edition.build))
    assert vm.state() == state
