r"""Access lists as text (SDDL): reading them, and whether TermService may read what they guard.

The format is common knowledge (Security Descriptor Definition Language); how an access list is judged is rdp-repair.md
0a.5: in the order of its entries, for everything that TermService's token holds. A healthy RDP key of build 17763 and
later (0.2):

>>> acl = parse("O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FR;;;NS)(A;;FA;;;S-1-5-80-4022436659-1090538466-1613889075-870485073-342"
...             "8993833)").dacl
>>> [ace.sid for ace in acl.aces][2] == service_sid("SessionEnv")
True
>>> may_read(acl, TERMSERVICE_TOKEN)
True
>>> may_read(parse("D:PAI(D;;0x20089;;;BU)(A;;FA;;;SY)(A;;FR;;;NS)").dacl, TERMSERVICE_TOKEN)
False
"""

import hashlib
import re
import struct
from collections.abc import Set
from dataclasses import dataclass

from serialfix.steps import Unreadable

FULL, READ = 0x1F01FF, 0x120089
"""All rights to a file, and what opening it for reading takes (FILE_ALL_ACCESS, FILE_GENERIC_READ)."""

SYNCHRONIZE = 0x100000
SYSTEM, NETWORK_SERVICE, ADMINISTRATORS = "S-1-5-18", "S-1-5-20", "S-1-5-32-544"

_SIDS = {
    "SY": SYSTEM, "NS": NETWORK_SERVICE, "LS": "S-1-5-19", "WD": "S-1-1-0", "AU": "S-1-5-11", "SU": "S-1-5-6",
    "IU": "S-1-5-4", "NU": "S-1-5-2", "AN": "S-1-5-7", "PS": "S-1-5-10", "RC": "S-1-5-12", "WR": "S-1-5-33",
    "ED": "S-1-5-9", "CO": "S-1-3-0", "CG": "S-1-3-1", "OW": "S-1-3-4", "AC": "S-1-15-2-1", "AS": "S-1-18-1",
    "SS": "S-1-18-2", "UD": "S-1-5-84-0-0-0-0-0",
    "BA": ADMINISTRATORS, "BU": "S-1-5-32-545", "BG": "S-1-5-32-546", "PU": "S-1-5-32-547", "AO": "S-1-5-32-548",
    "SO": "S-1-5-32-549", "PO": "S-1-5-32-550", "BO": "S-1-5-32-551", "RE": "S-1-5-32-552", "RU": "S-1-5-32-554",
    "RD": "S-1-5-32-555", "NO": "S-1-5-32-556", "MU": "S-1-5-32-558", "LU": "S-1-5-32-559", "IS": "S-1-5-32-568",
    "CY": "S-1-5-32-569", "ER": "S-1-5-32-573", "CD": "S-1-5-32-574", "RA": "S-1-5-32-575", "ES": "S-1-5-32-576",
    "MS": "S-1-5-32-577", "HA": "S-1-5-32-578", "AA": "S-1-5-32-579", "RM": "S-1-5-32-580",
}  # fmt: skip
# Accounts and groups of this machine or of a domain: who they are the letters alone don't tell. None is in the token.
_RELATIVE = frozenset(
    {"LA", "LG", "DA", "DG", "DU", "DC", "DD", "CA", "EA", "SA", "PA", "RO", "RS", "CN", "AP", "KA", "EK"}
)
_RIGHTS = {
    "GA": 0x10000000, "GX": 0x20000000, "GW": 0x40000000, "GR": 0x80000000,
    "RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
    "CC": 0x1, "DC": 0x2, "LC": 0x4, "SW": 0x8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
    "FA": FULL, "FR": READ, "FW": 0x120116, "FX": 0x1200A0,
    "KA": 0xF003F, "KR": 0x20019, "KW": 0x20006, "KX": 0x20019,
}  # fmt: skip
_GENERIC = ((0x10000000, FULL), (0x20000000, 0x1200A0), (0x40000000, 0x120116), (0x80000000, READ))
_ACE_FLAGS = ("OI", "CI", "NP", "IO", "ID")
_WHO = r"S-1-[0-9]{1,15}(?:-[0-9]{1,10}){1,15}|[A-Z]{2}"
_ACE = re.compile(rf"([AD]);((?:{'|'.join(_ACE_FLAGS)})*);(0x[0-9a-fA-F]{{1,8}}|(?:[A-Z]{{2}})+);;;({_WHO})")
_DACL = re.compile(r"D:(?:(?P<null>NO_ACCESS_CONTROL)|(?P<flags>(?:P|AR|AI)*)(?P<aces>(?:\([^()]*\))*))")
_DESCRIPTOR = re.compile(rf"(?:O:(?P<owner>{_WHO}))?(?:G:(?P<group>{_WHO}))?(?P<dacl>D:.*)")


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry. ``mask``: the rights, generic ones as those of a file; ``flags``: of OI, CI, NP, IO, ID.

    ``sid``: in full, or the two letters of an account or group of the machine or the domain.
    """

    allow: bool
    flags: frozenset[str]
    mask: int
    sid: str

    @property
    def inherited(self) -> bool:
        """Whether it comes from the folder above."""
        return "ID" in self.flags

    @property
    def counts(self) -> bool:
        """Whether it applies to the object itself, not only to what is below."""
        return "IO" not in self.flags


@dataclass(frozen=True, slots=True)
class Dacl:
    """An access list. ``text``: as it was read, from ``D:`` on; ``aces`` is None where there is no list at all."""

    text: str
    protected: bool
    aces: tuple[Ace, ...] | None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Descriptor:
    """``owner`` and ``group``: SIDs as in ``Ace``, or None where the text has none."""

    owner: str | None
    group: str | None
    dacl: Dacl


def service_sid(name: str) -> str:
    r"""The SID of ``NT SERVICE\name`` (common knowledge; rdp-repair.md 0.2 gives SessionEnv's).

    >>> service_sid("SessionEnv")
    'S-1-5-80-4022436659-1090538466-1613889075-870485073-3428993833'
    """
    digest = hashlib.sha1(name.upper().encode("utf-16-le"), usedforsecurity=False).digest()
    return "S-1-5-80-" + "-".join(str(part) for part in struct.unpack("<5I", digest))


SESSION_ENV = service_sid("SessionEnv")
TERMSERVICE_TOKEN: frozenset[str] = frozenset(
    {NETWORK_SERVICE, "S-1-1-0", "S-1-5-32-545", "S-1-5-11", "S-1-5-6", "S-1-2-0", service_sid("TermService")}
)
"""Who TermService is: NETWORK SERVICE, Everyone, Users, Authenticated Users, SERVICE, LOCAL, and its own SID."""


def parse(text: str) -> Descriptor:
    """Read SDDL with an access list, and no list for auditing. Raises Unreadable."""
    found = _DESCRIPTOR.fullmatch(text)
    if found is None:
        raise Unreadable(f"no access list as text (SDDL): {text[:80]!r}")
    owner, group = (who and _sid(who) for who in (found["owner"], found["group"]))
    return Descriptor(owner, group, _dacl(found["dacl"]))


def _dacl(text: str) -> Dacl:
    found = _DACL.fullmatch(text)
    if found is None:
        raise Unreadable(f"no access list as text (SDDL): {text[:80]!r}")
    if found["null"]:
        return Dacl(text, protected=False, aces=None)
    aces = tuple(_ace(one) for one in re.findall(r"\(([^()]*)\)", found["aces"]))
    return Dacl(text, "P" in found["flags"], aces)


def _ace(text: str) -> Ace:
    found = _ACE.fullmatch(text)
    if found is None:
        # Entries of other kinds (with conditions, for parts of an object) can't be judged by what is known here.
        raise Unreadable(f"an entry of an access list that is not understood: {text[:80]!r}")
    flags = frozenset(found[2][at : at + 2] for at in range(0, len(found[2]), 2))
    return Ace(found[1] == "A", flags, _mask(found[3]), _sid(found[4]))


def _mask(text: str) -> int:
    if text.startswith("0x"):
        mask = int(text, 16)
    else:
        mask = 0
        for at in range(0, len(text), 2):
            letters = text[at : at + 2]
            if letters not in _RIGHTS:
                raise Unreadable(f"rights of an access list that are not understood: {text[:80]!r}")
            mask |= _RIGHTS[letters]
    for generic, file in _GENERIC:
        if mask & generic:
            mask = (mask & ~generic) | file
    return mask


def _sid(who: str) -> str:
    if who.startswith("S-") or who in _RELATIVE:
        return who
    if who not in _SIDS:
        raise Unreadable(f"somebody in an access list who is not known: {who!r}")
    return _SIDS[who]


def may_read(dacl: Dacl, token: Set[str]) -> bool:
    """Whether a program whose token holds these SIDs may open the file for reading."""
    return may(dacl, token, READ)


def may(dacl: Dacl, token: Set[str], wanted: int) -> bool:
    """Whether the token gets all the rights of ``wanted``, asked for together.

    Entries count in their order: the first that denies a right which no entry before it has allowed ends it. Whoever
    owns a file may besides always read and write its access list; that is not counted here.
    """
    if dacl.aces is None:
        return True
    left = wanted
    for ace in dacl.aces:
        if left == 0:
            break
        if not ace.counts or ace.sid not in token:
            continue
        if ace.allow:
            left &= ~ace.mask
        elif ace.mask & left:
            return False
    return left == 0


def allowed(dacl: Dacl, sid: str) -> int:
    """The rights that entries for this very SID allow, whatever others deny."""
    mask = 0
    for ace in dacl.aces or ():
        if ace.allow and ace.counts and ace.sid == sid:
            mask |= ace.mask
    return FULL if dacl.aces is None else mask
