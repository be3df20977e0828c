import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import security, sids
from serialfix.simulator.security import Ace, BadRights, BadSddl, Descriptor

FLAGS = st.frozensets(st.sampled_from(["OI", "CI", "NP", "IO", "ID"]))
WHO = st.sampled_from([*sids.NAMES, sids.service_sid("SessionEnv"), "S-1-5-21-1-2-3-1000"])
ACES = st.builds(Ace, st.booleans(), WHO, st.integers(0, 0x1F01FF), FLAGS)
DESCRIPTORS = st.builds(Descriptor, WHO, WHO, st.lists(ACES, max_size=6).map(tuple), st.booleans())


@given(DESCRIPTORS)
def test_sddl_goes_both_ways(descriptor: Descriptor) -> None:
    assert security.parse(descriptor.sddl()) == descriptor


@pytest.mark.parametrize("text", ["", "D", "O:XX", "D:(Z;;FA;;;SY)", "D:(A;;Q;;;SY)", "D:(A;;FA;;;SY"])
def test_bad_sddl(text: str) -> None:
    with pytest.raises(BadSddl):
        security.parse(text)


@given(DESCRIPTORS, st.sampled_from([sids.TERM_SERVICE, sids.LOCAL_SYSTEM]), st.integers(1, 0x1FF))
def test_the_check_goes_bit_by_bit_in_the_order_of_the_entries(
    descriptor: Descriptor, token: sids.Token, wanted: int
) -> None:
    def one(bit: int) -> bool:
        for ace in descriptor.aces:
            if "IO" not in ace.flags and ace.sid in token.sids and ace.mask & bit:
                return ace.allow
        return False

    bits = [1 << n for n in range(21) if wanted & 1 << n]
    assert security.granted(descriptor, token, wanted) == all(one(bit) for bit in bits)


def test_who_reads_the_rdp_key() -> None:
    key = security.parse("O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FR;;;NS)")
    assert security.granted(key, sids.TERM_SERVICE, security.READ)
    assert not security.granted(key, sids.administrator("S-1-5-21-1-2-3-500", ""), security.READ_CONTROL)
    denied = security.with_grant(key, Ace(False, sids.USERS, security.READ_DATA))
    assert denied.sddl() == "O:SYG:SYD:PAI(D;;0x1;;;BU)(A;;FA;;;SY)(A;;FR;;;NS)"
    assert not security.granted(denied, sids.TERM_SERVICE, security.READ)
    # in the wrong order the entry that denies comes too late
    late = security.parse("O:SYG:SYD:PAI(A;;FR;;;NS)(D;;0x1;;;BU)")
    assert security.granted(late, sids.TERM_SERVICE, security.READ)


def test_the_owner_may_read_and_write_the_list_only() -> None:
    empty = Descriptor(sids.ADMINISTRATORS, sids.SYSTEM, (), protected=True)
    admin = sids.administrator("S-1-5-21-1-2-3-500", "")
    assert security.granted(empty, admin, security.READ_CONTROL | security.WRITE_DAC)
    assert not security.granted(empty, admin, security.READ_DATA)


@pytest.mark.parametrize(
    ("mask", "text"),
    [
        (security.FULL, "(F)"), (security.READ, "(R)"), (security.READ_EXECUTE, "(RX)"), (security.MODIFY, "(M)"),
        (0x12019F, "(R,W)"), (0, "(N)"), (4, "(AD)"), (0x20089, "(R)"), (0x1201BF, "(RX,W)"), (0x10000, "(DE)"),
        (0xA0000000, "(GR,GE)"),
    ],
)  # fmt: skip
def test_rights_as_icacls_prints_them(mask: int, text: str) -> None:
    assert security.rights_text(Ace(True, sids.USERS, mask)) == text


@given(st.sampled_from(["F", "M", "RX", "R", "W", "R,W", "RD", "AD,WD"]))
def test_icacls_reads_what_it_prints(text: str) -> None:
    mask, flags = security.rights(f"(OI)(CI)({text})")
    assert flags == {"OI", "CI"}
    assert security.rights(text)[0] == mask
    shown = security.rights_text(Ace(True, sids.USERS, mask, flags))
    assert security.rights(shown)[0] | 0x100000 == mask | 0x100000
    with pytest.raises(BadRights):
        security.rights("(Q)")


def test_grant_joins_and_replace_replaces() -> None:
    key = security.parse("O:SYG:SYD:PAI(A;;FA;;;SY)")
    once = security.with_grant(key, Ace(True, sids.NETWORK_SERVICE, 1))
    twice = security.with_grant(once, Ace(True, sids.NETWORK_SERVICE, 8))
    assert [ace.mask for ace in twice.aces if ace.sid == sids.NETWORK_SERVICE] == [9]
    instead = security.with_grant(twice, Ace(True, sids.NETWORK_SERVICE, 2), instead=True)
    assert [ace.mask for ace in instead.aces if ace.sid == sids.NETWORK_SERVICE] == [2]
    assert security.without(instead, sids.NETWORK_SERVICE) == key
    assert security.without(instead, sids.NETWORK_SERVICE, granted=False) == instead
