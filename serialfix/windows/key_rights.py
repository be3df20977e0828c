"""Who may read the file of Remote Desktop's private key: asking for it, what is missing, adding that, taking it back.

rdp-repair.md 0.2 (the measured target for each build), 0a.5 (how an access list is judged) and 2.4 (the repair), with
T10 to T13: this one file only, SIDs only, nothing is taken into anybody's ownership.
"""

from dataclasses import replace

from serialfix import quoting
from serialfix.steps import Change, Command, Output, Probe, Unreadable
from serialfix.windows import key_file, sddl, system_helper
from serialfix.windows.sddl import Ace, Dacl
from serialfix.windows.system_helper import Helper

READABLE_UNTIL = 14393
"""The last build on which administrators may read the healthy key's access list (rdp-repair.md 0.2)."""
SESSION_ENV_FROM = 17763
"""The first build whose healthy key lets SessionEnv in by its own SID (rdp-repair.md 0.2)."""
_LETTERS = (
    ("WD", 0x2), ("AD", 0x4), ("WEA", 0x10), ("X", 0x20), ("DC", 0x40), ("WA", 0x100), ("DE", 0x10000),
    ("WDAC", 0x40000), ("WO", 0x80000),
)  # fmt: skip
_NAMES = {
    sddl.NETWORK_SERVICE: "NETWORK SERVICE",
    "S-1-1-0": "Everyone",
    "S-1-5-32-545": "Users",
    "S-1-5-11": "Authenticated Users",
    "S-1-5-6": "SERVICE",
    "S-1-2-0": "LOCAL",
    sddl.service_sid("TermService"): "the service TermService",
}


def direct(guid: str) -> Probe[Dacl]:
    """The key's access list as an administrator sees it, where he may."""

    def parse(output: Output) -> Dacl:
        lines = [line.strip() for line in output.text.splitlines() if line.strip()]
        if output.exit_code != 0 or len(lines) != 1:
            raise Unreadable(f"the access list could not be read: {' '.join(lines)[:100] or 'no text'}")
        return sddl.parse(lines[0]).dacl

    # Get-Acl fails where only the folder is out of reach (rdp-repair.md 0a.5).
    path = quoting.cmd(key_file.path(guid))
    return Probe(
        name="key_rights",
        title="Who may read Remote Desktop's private key",
        why="If TermService may not, no handshake can succeed.",
        query=Command("cmd", f"powershell -nop -c \"[IO.File]::GetAccessControl('{path}').Sddl\""),
        parse=parse,
    )


def as_system(helper: Helper, guid: str) -> Probe[Dacl]:
    """The key's access list as SYSTEM sees it, through the helper."""
    name = key_file.path(guid).rpartition("\\")[2]
    return system_helper.result(
        helper,
        "key_rights_as_system",
        "Who may read Remote Desktop's private key, looked at as SYSTEM",
        "If TermService may not, no handshake can succeed. Administrators may not even look.",
        lambda output: system_helper.read_saved(output, name),
    )


def plan(dacl: Dacl, build: int) -> tuple[str, ...] | None:
    """What icacls has to do with the file, one option with its values each; None where that would not do.

    It is the least that lets TermService read, and what the healthy file has besides.

    Of entries that deny, those that hit TermService's token go, and what they deny besides reading is denied again;
    allowed is what is missing of the measured target (rdp-repair.md 0.2).

    >>> plan(sddl.parse("D:PAI(D;;FR;;;BU)(A;;FA;;;SY)(A;;FR;;;NS)(A;;FR;;;BA)").dacl, 14393)
    ('/remove:d *S-1-5-32-545',)
    >>> plan(sddl.parse("D:PAI(A;;FA;;;SY)(A;;FR;;;BA)").dacl, 14393)
    ('/grant *S-1-5-20:R',)
    """
    left = list(dacl.aces or ())
    removed = tuple(dict.fromkeys(ace.sid for ace in left if _hits(ace)))
    denied, granted = [], []
    for sid in removed:
        rest = 0
        for ace in [ace for ace in left if ace.sid == sid and not ace.allow and not ace.inherited]:
            rest |= ace.mask & ~sddl.READ
            left.remove(ace)
        if letters := ",".join(letter for letter, bit in _LETTERS if rest & bit):
            denied.append(f'"*{sid}:({letters})"')
    if not _lets_in(dacl, left):
        if not _lets_in(dacl, [*left, Ace(True, frozenset(), sddl.READ, sddl.NETWORK_SERVICE)]):
            return None
        granted.append(f"*{sddl.NETWORK_SERVICE}:R")
    wanted = [(sddl.SYSTEM, sddl.FULL, "F")]
    if build <= READABLE_UNTIL:
        wanted.append((sddl.ADMINISTRATORS, sddl.READ, "R"))
    elif build >= SESSION_ENV_FROM:
        wanted.append((sddl.SESSION_ENV, sddl.FULL, "F"))
    granted += [f"*{sid}:{letter}" for sid, mask, letter in wanted if sddl.allowed(dacl, sid) & mask != mask]
    options = (("/remove:d", [f"*{sid}" for sid in removed]), ("/deny", denied), ("/grant", granted))
    return tuple(f"{option} {' '.join(values)}" for option, values in options if values)


def _lets_in(dacl: Dacl, aces: list[Ace]) -> bool:
    """Whether TermService may read with these entries instead; where there is no list at all, everybody may."""
    return sddl.may_read(replace(dacl, aces=None if dacl.aces is None else tuple(aces)), sddl.TERMSERVICE_TOKEN)


def _hits(ace: Ace) -> bool:
    return (
        not ace.allow
        and ace.counts
        and not ace.inherited
        and ace.sid in sddl.TERMSERVICE_TOKEN
        and bool(ace.mask & sddl.READ)
    )


def against(dacl: Dacl) -> list[str]:
    """Why TermService may not read, in words."""
    hitting = [ace for ace in dacl.aces or () if not ace.allow and ace.counts and ace.sid in sddl.TERMSERVICE_TOKEN]
    who = [_NAMES[ace.sid] for ace in hitting if ace.mask & sddl.READ]
    if who:
        return [f"an entry denies reading to {' and to '.join(who)}, which TermService is or belongs to"]
    return ["no entry lets NETWORK SERVICE, as which TermService runs, or a group that it belongs to, read it"]


def setup(helper: Helper, guid: str) -> tuple[system_helper.AnyChange, ...]:
    """The changes that set up the helper for the key."""
    path = quoting.cmd(key_file.path(guid))
    why = "Only SYSTEM may look who may read Remote Desktop's private key."
    return system_helper.changes(helper, (f"icacls {path} /save t /q",), why=why)


def mend(
    helper: Helper, back: str, guid: str, build: int, wanted: tuple[str, ...], *, reader: Probe[Dacl]
) -> tuple[system_helper.AnyChange, ...]:
    """The script that mends the access list, and the change that runs it. ``back``: the name that its undo uses."""
    path = quoting.cmd(key_file.path(guid))
    lines = tuple(f"icacls {path} {edit} /q" for edit in wanted)

    def holds(dacl: Dacl | None) -> bool:
        return dacl is not None and sddl.may_read(dacl, sddl.TERMSERVICE_TOKEN) and plan(dacl, build) == ()

    def undo(dacl: Dacl | None) -> tuple[Command, ...]:
        return () if dacl is None else bring_back(back, guid, dacl)

    change: Change[Dacl | None] = Change(
        name="key_rights",
        title="Let Remote Desktop read its private key (this one file)",
        why="Without its key no handshake succeeds.",
        risk="low",
        proven="measured",
        before=reader,
        do=system_helper.write(helper),
        after=f"TermService may read it (icacls {'; '.join(wanted)})",
        show=str,
        check=holds,
        undo=undo,
        docs="rdp-repair.md 2.4",
    )
    why = "What is missing of the key's access list is added as SYSTEM."
    return (system_helper.script(helper, "w.cmd", lines, why=why), change)


def bring_back(name: str, guid: str, dacl: Dacl) -> tuple[Command, ...]:
    """The commands that give the key file this access list again, helper or no helper.

    ``icacls /restore`` wants the folder that the file is in (rdp-repair.md T10). Whether its file begins with a mark is
    not known for every Windows, so what is to be restored is put behind what ``/save`` writes now. Raises ValueError
    for a list that can't be typed.
    """
    path = quoting.cmd(key_file.path(guid))
    file = rf"{Helper(name).folder}\a"
    return system_helper.once(
        name,
        (f"icacls {path} /save b /q", "copy /b b+a c", f"icacls {quoting.cmd(key_file.FOLDER)} /restore c /q"),
        (system_helper.saved(key_file.path(guid).rpartition("\\")[2], file, dacl),),
    )
