"""Access lists as text, held against the simulator's own reading of them, which shares no code with ours."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import key_files, security, sids
from serialfix.steps import Unreadable
from serialfix.windows import sddl
from serialfix.windows.sddl import Ace, Dacl, may, may_read, parse
from tests.simulator.world import YEARS

TOKEN = sddl.TERMSERVICE_TOKEN
WHO = (*sids.NAMES, sids.service_sid("TermService"), sids.service_sid("SessionEnv"), "S-1-5-21-1-2-3-500")
MASKS = st.one_of(
    st.sampled_from([sddl.FULL, sddl.READ, 0x20089, 1, 0x80000000, 0x10000000, 0x20000000, 0x40000000, 0x120116]),
    st.integers(0, sddl.FULL),
)
ACES = st.builds(
    security.Ace,
    st.booleans(),
    st.sampled_from(WHO),
    MASKS,
    st.frozensets(st.sampled_from(["OI", "CI", "NP", "IO", "ID"])),
)
DESCRIPTORS = st.builds(
    security.Descriptor,
    st.sampled_from(WHO),
    st.sampled_from(WHO),
    st.lists(ACES, max_size=6).map(tuple),
    st.booleans(),
)


@given(DESCRIPTORS)
def test_it_reads_what_windows_prints(descriptor: security.Descriptor) -> None:
    found = parse(descriptor.sddl())
    assert (found.owner, found.group) == (descriptor.owner, descriptor.group)
    assert found.dacl.protected == descriptor.protected
    assert found.dacl.text == descriptor.sddl(owner=False)
    assert found.dacl.aces is not None
    assert [(ace.allow, ace.sid, ace.flags) for ace in found.dacl.aces] == [
        (ace.allow, ace.sid, ace.flags) for ace in descriptor.aces
    ]


@given(DESCRIPTORS, st.sampled_from([sddl.READ, sddl.FULL, 1, 0x20000, 0x1200A9]))
def test_it_judges_as_the_access_check_does(descriptor: security.Descriptor, wanted: int) -> None:
    """But for what an owner may, whom an access list does not name."""
    token = sids.Token("S-1-5-20", "x", frozenset(TOKEN), privileged=False)
    stranger = security.Descriptor("S-1-5-21-9-9-9-500", descriptor.group, descriptor.aces, descriptor.protected)
    assert may(parse(descriptor.sddl()).dacl, TOKEN, wanted) == security.granted(stranger, token, wanted)


@pytest.mark.parametrize("windows", YEARS)
def test_the_healthy_key_is_readable_and_its_sids_are_those_of_the_document(windows: str) -> None:
    number = {"2016": 14393, "2019": 17763, "2022": 20348, "2025": 26100}[windows]
    found = parse(key_files.healthy(number).sddl())
    assert found.owner == sddl.SYSTEM
    assert may_read(found.dacl, TOKEN)
    assert sddl.allowed(found.dacl, sddl.NETWORK_SERVICE) == sddl.READ
    assert sddl.allowed(found.dacl, sddl.SESSION_ENV) == (0 if number <= 14393 else sddl.FULL)


def test_the_token_is_that_of_the_simulators_service() -> None:
    assert sids.TERM_SERVICE.sids == TOKEN


@pytest.mark.parametrize(
    ("text", "readable"),
    [
        ("D:", False),
        ("D:NO_ACCESS_CONTROL", True),
        ("D:PAI(A;;FR;;;NS)", True),
        ("D:PAI(A;;GR;;;WD)", True),
        ("D:PAI(A;;GA;;;S-1-5-6)", True),
        ("D:PAI(A;IO;FA;;;NS)", False),
        ("D:PAI(A;OICI;FA;;;BU)", True),
        ("D:PAI(A;;0x1;;;NS)", False),
        ("D:PAI(A;;0x20089;;;NS)(A;;0x100000;;;WD)", True),
        ("D:PAI(D;;FR;;;LS)(D;;FA;;;BG)(A;;FR;;;NS)", True),
        ("D:PAI(A;;FR;;;NS)(D;;FR;;;NS)", True),
        ("D:PAI(D;;0x1;;;AU)(A;;FR;;;NS)", False),
        ("D:PAI(D;IO;FR;;;NS)(A;;FR;;;NS)", True),
        ("D:PAI(D;;WP;;;NS)(A;;FR;;;NS)", True),
        ("D:PAI(D;;CC;;;NS)(A;;FR;;;NS)", False),
        ("D:AI(D;ID;FR;;;S-1-2-0)(A;ID;FR;;;NS)", False),
        ("D:PAI(A;;FR;;;DA)(A;;FR;;;LA)", False),
    ],
)
def test_who_gets_in(text: str, readable: bool) -> None:
    assert may_read(parse(text).dacl, TOKEN) == readable


@pytest.mark.parametrize(
    "text",
    [
        "",
        "O:SYG:SY",
        "D:PAI(A;;FR;;;NS",
        "D:PAI(A;;FR;;;NS) ",
        "D:PAI(A;;FR;;;NS)\n",
        "D:PAI(A;;FR;;NS)",
        "D:PAI(A;;FR;;;ZZ)",
        "D:PAI(A;;ZZ;;;NS)",
        "D:PAI(A;;F;;;NS)",
        "D:PAI(A;;0x123456789;;;NS)",
        "D:PAI(A;XX;FR;;;NS)",
        "D:PAI(XA;;FR;;;NS;(Exists WIN://x))",
        "D:PAI(OA;;FR;bf967aba-0de6-11d0-a285-00aa003049e2;;NS)",
        "D:PAI(A;;FR;;;S-1-5-)",
        "D:PAI(A;;FR;;;S-1-5-20-99999999999)",
        "D:PAI(A;;FR;;;NS)S:AI(AU;SA;FA;;;WD)",
        "D:NO_ACCESS_CONTROL(A;;FR;;;NS)",
        "d:PAI(A;;FR;;;NS)",
        'D:PAI(A;;FR;;;NS)" & shutdown /r',
    ],
)
def test_what_is_not_understood_is_unreadable(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


@given(st.text(alphabet="DOGSAPI:(;)0x12FRNSYWB-", max_size=60))
def test_nothing_else_is_raised(text: str) -> None:
    try:
        found = parse(text)
    except Unreadable:
        return
    assert text.endswith(found.dacl.text)


def test_a_list_keeps_its_text() -> None:
    assert str(parse("O:SYG:SYD:PAI(A;;FA;;;SY)").dacl) == "D:PAI(A;;FA;;;SY)"
    assert sddl.allowed(Dacl("D:NO_ACCESS_CONTROL", protected=False, aces=None), sddl.SYSTEM) == sddl.FULL


def test_entries_say_where_they_come_from() -> None:
    own, passed, below = parse("D:AI(A;;FR;;;NS)(A;ID;FR;;;NS)(A;OICIIO;FR;;;NS)").dacl.aces or ()
    assert isinstance(own, Ace)
    assert (own.inherited, passed.inherited, below.inherited) == (False, True, False)
    assert (own.counts, passed.counts, below.counts) == (True, True, False)
