r"""``icacls``: list, /save, /restore, /grant, /deny, /remove, /setowner, /inheritance, /reset, with /t /c /q.

The list's layout and the closing line are those of the real outputs icacls/01 to 12; the traps (a list is no backup,
/restore wants the parent folder, names of accounts are translated elsewhere) rdp-repair.md 2.8 T10 to T13. What an
administrator may not read on the RDP key from 2019 on: 2.4. /save's format is common knowledge: UTF-16, but whether
with a mark in front (and whether /restore wants one) no source says, so the seed chooses.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from serialfix.simulator import security, sids
from serialfix.simulator.file_sets import matching
from serialfix.simulator.filesystem import Entry, absolute, parent
from serialfix.simulator.programs import Process
from serialfix.simulator.security import Ace, BadRights, BadSddl, Descriptor
from serialfix.simulator.sids import UnknownAccount
from serialfix.simulator.vm import Vm, stream

DENIED, NO_FILE = "Access is denied.", "The system cannot find the file specified."
NO_PATH = "The system cannot find the path specified."
NO_MAPPING = "No mapping between account names and security IDs was done."
Edit = Callable[[Descriptor], Descriptor]


@dataclass(slots=True)
class _Asked:
    name: str
    flags: set[str] = field(default_factory=set)
    edits: list[Edit] = field(default_factory=list)
    owner: str | None = None
    save: str | None = None
    restore: str | None = None
    reset: bool = False


class _Bad(Exception):
    """str() is the line icacls prints; ``code`` its exit code."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def mark(vm: Vm) -> bytes:
    """Return what a file of /save begins with on this machine."""
    return stream(vm.seed, "icacls mark").choice((b"\xff\xfe", b""))


def local_accounts(vm: Vm) -> dict[str, str]:
    """Return the names of the local accounts by SID."""
    return {str(account["sid"]): name for name, account in vm.accounts.items()}


def _sid(process: Process, name: str) -> str:
    try:
        return sids.sid_of(name, local_accounts(process.vm), process.vm.name.upper()[:15])
    except UnknownAccount:
        raise _Bad(f"{name}: {NO_MAPPING}", 1332) from None


def _entry(process: Process, text: str, *, allow: bool) -> Ace:
    who, colon, what = text.rpartition(":")
    if not colon:
        raise _Bad(f'Invalid parameter "{text}"', 87)
    try:
        mask, flags = security.rights(what)
    except BadRights:
        raise _Bad(f'Invalid parameter "{text}"', 87) from None
    if not allow and mask & 0x100000 and mask != security.FULL:
        mask &= ~0x100000  # denying SYNCHRONIZE would lock out everything
    return Ace(allow, _sid(process, who), mask, flags)


def _asked(process: Process) -> _Asked:
    args = list(process.args)
    if not args or args[0] in {"/?", "-?"}:
        raise _Bad("", 0)
    asked = _Asked(args.pop(0))
    while args:
        option = args.pop(0)
        low = option.lower()
        values: list[str] = []
        while args and not args[0].startswith("/"):
            values.append(args.pop(0))
        if low in {"/t", "/c", "/l", "/q"} and not values:
            asked.flags.add(low[1:])
        elif low == "/save" and len(values) == 1:
            asked.save = values[0]
        elif low == "/restore" and len(values) == 1:
            asked.restore = values[0]
        elif low == "/setowner" and len(values) == 1:
            asked.owner = _sid(process, values[0])
        elif low == "/reset" and not values:
            asked.reset = True
        elif low in {"/grant", "/grant:r", "/deny"} and values:
            for value in values:
                ace = _entry(process, value, allow=low != "/deny")
                asked.edits.append(_adding(ace, instead=low == "/grant:r"))
        elif low in {"/remove", "/remove:g", "/remove:d"} and values:
            for value in values:
                asked.edits.append(_removing(_sid(process, value), low))
        elif low.startswith("/inheritance:") and low[-1] in "edr" and not values:
            asked.edits.append(_inheriting(low[-1]))
        else:
            raise _Bad(f'Invalid parameter "{option}"', 87)
    return asked


def _adding(ace: Ace, *, instead: bool) -> Edit:
    return lambda old: security.with_grant(old, ace, instead=instead)


def _removing(sid: str, option: str) -> Edit:
    return lambda old: security.without(old, sid, granted=option != "/remove:d", denied=option != "/remove:g")


def _inheriting(how: str) -> Edit:
    def edit(old: Descriptor) -> Descriptor:
        if how == "e":
            return replace(old, protected=False)
        kept = tuple(replace(ace, flags=ace.flags - {"ID"}) for ace in old.aces if how == "d" or "ID" not in ace.flags)
        return replace(old, aces=kept, protected=True)

    return edit


def _below(process: Process, entry: Entry, shown: str) -> list[tuple[Entry, str]]:
    """Return the entry and, for a folder, all below it, each with the path to print."""
    found = [(entry, shown)]
    if entry.data is None:
        for each in process.vm.files.inside(entry.path):
            found += _below(process, each, shown.rstrip("\\") + "\\" + each.name)
    return found


def _objects(process: Process, asked: _Asked) -> list[tuple[Entry, str]]:
    entries = matching(process.vm, asked.name, process.cwd)
    if not entries:
        above = process.vm.files.is_folder(parent(absolute(asked.name, process.cwd)))
        raise _Bad(f"{asked.name}: {NO_FILE if above else NO_PATH}", 2 if above else 3)
    wild = set("*?") & set(asked.name)
    prefix = asked.name.rpartition("\\")
    found: list[tuple[Entry, str]] = []
    for entry in entries:
        shown = prefix[0] + prefix[1] + entry.name if wild else asked.name
        found += _below(process, entry, shown) if "t" in asked.flags else [(entry, shown)]
    return found


def shown_list(process: Process, shown: str, descriptor: Descriptor) -> str:
    """Return an access list as icacls prints it."""
    names, computer = local_accounts(process.vm), process.vm.name.upper()[:15]
    rows = [f"{sids.name_of(ace.sid, names, computer)}:{security.rights_text(ace)}" for ace in descriptor.aces]
    return (
        "".join((shown if not number else " " * len(shown)) + f" {row}\r\n" for number, row in enumerate(rows))
        or f"{shown} \r\n"
    )


def _write(process: Process, entry: Entry, asked: _Asked) -> bool:
    files = process.vm.files
    old = new = files.descriptor(entry.path)
    if asked.owner is not None:
        if not (process.token.privileged or files.may(process.token, entry.path, security.WRITE_OWNER)):
            return False
        new = replace(new, owner=asked.owner)
    if asked.edits or asked.reset:
        if not files.may(process.token, entry.path, security.WRITE_DAC):
            return False
        if asked.reset:
            new = security.inherited(files.descriptor(parent(entry.path)), folder=entry.data is None, owner=old.owner)
        for edit in asked.edits:
            new = edit(new)
    files.protect(entry.path, new)
    return True


def _restore(process: Process, asked: _Asked) -> tuple[int, int, int]:
    files = process.vm.files
    saved = files.find(absolute(asked.restore or "", process.cwd))
    if saved is None or saved.data is None:
        raise _Bad(f"{asked.restore}: {NO_FILE}", 2)
    begins, data = mark(process.vm), saved.data
    if not data.startswith(begins) or (not begins and data[:2] == b"\xff\xfe") or data[1:2] not in {b"\0", b"\xfe"}:
        raise _Bad(f"{asked.restore}: The data is invalid.", 13)  # a listing, not what /save wrote
    lines = [line for line in data[len(begins) :].decode("utf-16-le", "replace").splitlines() if line]
    done = failed = code = 0
    for name, text in zip(lines[::2], lines[1::2], strict=False):
        shown = asked.name.rstrip("\\") + "\\" + name
        entry = files.find(absolute(shown, process.cwd))
        problem = NO_FILE if entry is None else ""
        if entry is not None and not files.may(process.token, entry.path, security.WRITE_DAC):
            problem = DENIED
        try:
            read = security.parse(text)
        except BadSddl:
            raise _Bad(f"{asked.restore}: The data is invalid.", 13) from None
        if problem or entry is None:
            process.err(f"{shown}: {problem}\r\n")
            failed, code = failed + 1, 2 if entry is None else 5
            if "c" not in asked.flags:
                break
            continue
        old = files.descriptor(entry.path)
        files.protect(entry.path, replace(read, owner=old.owner, group=old.group))
        if "q" not in asked.flags:
            process.line(f"processed file: {shown}")
        done += 1
    return done, failed, code


def _each(process: Process, asked: _Asked) -> tuple[int, int, int]:
    files = process.vm.files
    done = failed = code = 0
    saved: list[str] = []
    root = parent(absolute(asked.name, process.cwd)).rstrip("\\")
    changes = bool(asked.edits or asked.reset or asked.owner)
    for entry, shown in _objects(process, asked):
        reads = files.may(process.token, entry.path, security.READ_CONTROL)
        if (changes and not _write(process, entry, asked)) or (not changes and not reads):
            process.err(f"{shown}: {DENIED}\r\n")
            failed, code = failed + 1, 5
            if "c" not in asked.flags:
                break
            continue
        done += 1
        if asked.save is not None:
            saved += [entry.path[len(root) + 1 :], files.descriptor(entry.path).sddl(owner=False)]
        if changes or asked.save is not None:
            if "q" not in asked.flags:
                process.line(f"processed file: {shown}")
        else:
            process.out(shown_list(process, shown, files.descriptor(entry.path)) + "\r\n")
    if asked.save is not None:
        text = "".join(line + "\r\n" for line in saved)
        path = absolute(asked.save, process.cwd)
        place = path if files.find(path) is not None else parent(path)
        if files.is_folder(parent(path)) and not files.may(process.token, place, security.WRITE_DATA):
            raise _Bad(f"{asked.save}: {DENIED}", 5)
        if not files.write(path, mark(process.vm) + text.encode("utf-16-le"), process.vm.now):
            raise _Bad(f"{asked.save}: {NO_PATH}", 3)
    return done, failed, code


def icacls(process: Process) -> int:
    """Run ``icacls``; the exit code is that of the last object that failed."""
    try:
        asked = _asked(process)
        done, failed, code = (_restore if asked.restore is not None else _each)(process, asked)
    except _Bad as bad:
        if not str(bad):
            process.line("\r\nICACLS name /save aclfile [/T] [/C] [/L] [/Q]\r\n")
            return 0
        process.err(f"{bad}\r\n")
        if re.match("Invalid parameter", str(bad)):
            return bad.code
        done, failed, code = 0, 1, bad.code
    process.line(f"Successfully processed {done} files; Failed processing {failed} files")
    return code
