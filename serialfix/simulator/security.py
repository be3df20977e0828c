"""Security descriptors: owner and access list, as SDDL and as ``icacls`` shows them, and who gets in.

The access check goes through the entries in their order, as Windows does: an entry that denies a right not yet
granted ends it (rdp-repair.md 0a.5). SDDL, masks and icacls' letters are common knowledge; the way icacls prints them
is in the real outputs icacls/01 to 14 (output-formats.md).
"""

import re
from dataclasses import dataclass, field, replace

from serialfix.simulator import sids
from serialfix.simulator.sids import Token

FULL, MODIFY, READ_EXECUTE, READ, WRITE = 0x1F01FF, 0x1301BF, 0x1200A9, 0x120089, 0x100116
READ_DATA, WRITE_DATA, READ_CONTROL, WRITE_DAC, WRITE_OWNER, DELETE = 1, 2, 0x20000, 0x40000, 0x80000, 0x10000
_SIMPLE = (("F", FULL), ("M", MODIFY), ("RX", READ_EXECUTE), ("R", READ), ("W", WRITE), ("D", 0x110000))
_SPECIFIC = (
    ("DE", 0x10000), ("Rc", 0x20000), ("WDAC", 0x40000), ("WO", 0x80000), ("S", 0x100000), ("AS", 0x1000000),
    ("MA", 0x2000000), ("GR", 0x80000000), ("GW", 0x40000000), ("GE", 0x20000000), ("GA", 0x10000000),
    ("RD", 1), ("WD", 2), ("AD", 4), ("REA", 8), ("WEA", 0x10), ("X", 0x20), ("DC", 0x40), ("RA", 0x80), ("WA", 0x100),
)  # fmt: skip
_LETTERS = {
    "FA": FULL, "FR": READ, "FW": 0x120116, "FX": 0x1200A0, "GA": 0x10000000, "GR": 0x80000000, "GW": 0x40000000,
    "GX": 0x20000000, "RC": 0x20000, "SD": 0x10000, "WD": 0x40000, "WO": 0x80000,
    "CC": 1, "DC": 2, "LC": 4, "SW": 8, "RP": 0x10, "WP": 0x20, "DT": 0x40, "LO": 0x80, "CR": 0x100,
}  # fmt: skip


class BadSddl(ValueError):
    """The text is no security descriptor."""


class BadRights(ValueError):
    """The text names no rights icacls knows."""


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry. ``flags``: of OI, CI, NP, IO, ID."""

    allow: bool
    sid: str
    mask: int
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Descriptor:
    """Owner, group, entries in their order; ``protected``: nothing is inherited."""

    owner: str
    group: str
    aces: tuple[Ace, ...] = field(default=())
    protected: bool = False

    def sddl(self, *, owner: bool = True) -> str:
        """Return the SDDL; without ``owner`` the access list only, as icacls /save writes it."""
        head = f"O:{_short(self.owner)}G:{_short(self.group)}" if owner else ""
        flags = "PAI" if self.protected else "AI"
        return head + f"D:{flags}" + "".join(_ace(ace) for ace in self.aces)


def _short(sid: str) -> str:
    return sids.SHORT.get(sid, sid)


def _ace(ace: Ace) -> str:
    order = ("OI", "CI", "NP", "IO", "ID")
    mask = {FULL: "FA", READ: "FR"}.get(ace.mask, f"0x{ace.mask:x}")
    flags = "".join(flag for flag in order if flag in ace.flags)
    return f"({'A' if ace.allow else 'D'};{flags};{mask};;;{_short(ace.sid)})"


def parse(text: str) -> Descriptor:
    """Read SDDL: owner, group and access list.

    >>> parse("O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)").sddl()
    'O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)'

    Raises BadSddl.
    """
    match = re.fullmatch(r"(?:O:(S-[\d-]+|[A-Z]{2}))?(?:G:(S-[\d-]+|[A-Z]{2}))?D:([A-Z]*?)((?:\([^()]*\))*)", text)
    if match is None:
        raise BadSddl(text)
    aces = []
    for item in re.findall(r"\(([^()]*)\)", match[4]):
        kind, flags, rights, _, _, who = [*item.split(";"), "", "", "", "", ""][:6]
        if kind not in {"A", "D"}:
            raise BadSddl(item)
        pairs = frozenset(flags[i : i + 2] for i in range(0, len(flags), 2))
        aces.append(Ace(kind == "A", sids.SDDL.get(who, who), _mask(rights), pairs))
    owner, group = (sids.SDDL.get(part or "SY", part or "SY") for part in (match[1], match[2]))
    return Descriptor(owner, group, tuple(aces), "P" in match[3])


def _mask(text: str) -> int:
    if text.lower().startswith("0x"):
        return int(text, 16)
    if not text or len(text) % 2:
        raise BadSddl(text)
    mask = 0
    for i in range(0, len(text), 2):
        if text[i : i + 2] not in _LETTERS:
            raise BadSddl(text)
        mask |= _LETTERS[text[i : i + 2]]
    return mask


def _generic(mask: int) -> int:
    """Replace generic rights by those of a file."""
    for bit, file in ((0x10000000, FULL), (0x80000000, READ), (0x40000000, 0x120116), (0x20000000, 0x1200A0)):
        mask = (mask & ~bit) | file if mask & bit else mask
    return mask


def granted(descriptor: Descriptor, token: Token, wanted: int) -> bool:
    """Say whether ``token`` gets all the rights of ``wanted``: the entries in their order, the owner's two rights."""
    left = wanted
    if descriptor.owner in token.sids:
        left &= ~(READ_CONTROL | WRITE_DAC)
    for ace in descriptor.aces:
        if left == 0:
            break
        if "IO" in ace.flags or ace.sid not in token.sids:
            continue
        mask = _generic(ace.mask)
        if ace.allow:
            left &= ~mask
        elif mask & left:
            return False
    return left == 0


def canonical(aces: tuple[Ace, ...]) -> tuple[Ace, ...]:
    """Put denying entries first and inherited ones last, as the tools of Windows do when they write."""
    return tuple(sorted(aces, key=lambda ace: ("ID" in ace.flags, ace.allow)))


def rights_text(ace: Ace) -> str:
    """Return what icacls prints behind the colon.

    >>> rights_text(Ace(True, "S-1-1-0", 0x12019F))
    '(R,W)'
    """
    flags = "".join(
        f"({'I' if flag == 'ID' else flag})" for flag in ("ID", "OI", "CI", "NP", "IO") if flag in ace.flags
    )
    return flags + ("" if ace.allow else "(DENY)") + f"({_mask_text(ace.mask)})"


def _mask_text(mask: int) -> str:
    for letters, simple in _SIMPLE[:5]:
        if mask == simple or (letters not in {"F"} and mask | 0x100000 == simple):
            return letters
    names, left = [], mask
    for letters, simple in (("RX", READ_EXECUTE), ("R", READ), ("W", 0x120116)):
        if mask & simple == simple and left & simple and not (letters == "R" and "RX" in names):
            names.append(letters)
            left &= ~simple
    names += [letters for letters, bit in _SPECIFIC if left & bit]
    return ",".join(names) or "N"


def rights(text: str) -> tuple[int, frozenset[str]]:
    """Read icacls' rights: ``(F)``, ``R``, ``(OI)(CI)(RX,W)``. Raises BadRights."""
    flags = frozenset(part for part in re.findall(r"\(([A-Z]{2})\)", text.upper()) if part in {"OI", "CI", "NP", "IO"})
    rest = re.sub(r"\((?:OI|CI|NP|IO)\)", "", text.upper()).strip()
    inside = rest[1:-1] if rest.startswith("(") and rest.endswith(")") else rest
    table = {name.upper(): mask for name, mask in _SPECIFIC} | dict(_SIMPLE) | {"N": 0}
    mask = 0
    for part in re.split(r"[, ]+", inside) if inside else [""]:
        if part not in table:
            raise BadRights(text)
        mask |= table[part]
    return mask, flags


def with_grant(descriptor: Descriptor, ace: Ace, *, instead: bool = False) -> Descriptor:
    """Return the descriptor with one more explicit entry, joined to one of the same kind; ``instead``: as /grant:r."""
    kept: list[Ace] = []
    for each in descriptor.aces:
        same = each.sid == ace.sid and "ID" not in each.flags and each.allow == ace.allow
        if same and instead:
            continue
        if same and each.flags == ace.flags:
            ace = replace(ace, mask=ace.mask | each.mask)
            continue
        kept.append(each)
    return replace(descriptor, aces=canonical((ace, *kept)))


def without(descriptor: Descriptor, sid: str, *, granted: bool = True, denied: bool = True) -> Descriptor:
    """Return the descriptor without a SID's explicit entries, as icacls /remove, /remove:g and /remove:d."""
    kept = tuple(
        ace for ace in descriptor.aces if ace.sid != sid or "ID" in ace.flags or not (granted if ace.allow else denied)
    )
    return replace(descriptor, aces=kept)


def inherited(parent: Descriptor, *, folder: bool, owner: str) -> Descriptor:
    """Return what a new child of a folder gets."""
    found = []
    for ace in parent.aces:
        if ("CI" if folder else "OI") not in ace.flags and not (folder and "OI" in ace.flags):
            continue
        keep = (ace.flags & {"OI", "CI"}) if folder else frozenset[str]()
        only = {"IO"} if folder and "CI" not in ace.flags else set[str]()
        found.append(replace(ace, flags=frozenset(keep | only | {"ID"})))
    return Descriptor(owner, sids.SYSTEM, tuple(found))
