r"""``icacls``: who may do what with a file or a folder.

Source: output-formats.md "icacls": ``principal:(..)(..)`` at the end of a line, the first one behind the path, the
others indented by the length of the path and one, so the second line tells where the path ends; the names of
principals are translated, the letters in the brackets are not. From a Server 2019:

>>> sample = '''\
... C:\\PROGRA~2\\WService.exe Everyone:(I)(M)
...                         NT AUTHORITY\\SYSTEM:(I)(F)
...
... Successfully processed 1 files; Failed processing 0 files
... '''
>>> for ace in parse(Output(sample, 0, "screen"))[0].aces:
...     print(ace.principal, ace.flags, ace.inherited, ace.rights)
Everyone (I)(M) True ('M',)
NT AUTHORITY\SYSTEM (I)(F) True ('F',)

Names do not travel between languages: a repair asks for SIDs (``icacls /save``, Get-Acl) instead of reading this.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from serialfix.steps import Output, Unreadable
from serialfix.windows import paste
from serialfix.windows.paste import Line, Paste, Unread

_GROUP = r"\((?:[A-Za-z]{1,6})(?:,[A-Za-z]{1,6})*\)"
# cacls and icacls of 2003 end with the bare letter.
_ACE = re.compile(rf"(?P<who>.*?\S):(?P<flags>(?:{_GROUP})*(?:{_GROUP}|[FCMRWN]|RX))")
_INHERITANCE = frozenset({"I", "ID", "OI", "CI", "IO", "NP", "DENY"})
_SID = re.compile(r"S-1-\d+(?:-\d+)+")
_ACCOUNT = re.compile(r"[^\\/:*?\"<>|]+\\[^\\/:*?\"<>|]+")
_DOMAINS = (
    "NT AUTHORITY", "NT SERVICE", "BUILTIN", "APPLICATION PACKAGE AUTHORITY", "NT VIRTUAL MACHINE", "IIS APPPOOL",
    "Window Manager", "Font Driver Host", "Mandatory Label", "VORDEFINIERT", "NT-AUTORITÄT", "AUTORITE NT",
    "AUTORITÉ NT", "ZERTIFIZIERUNGSSTELLE FÜR ANWENDUNGSPAKETE", "AUTORIDADE NT", "AUTORIDAD NT", "NT-HOITAJA",
    "NT INSTANS", "NT-MYNDIGHET",
)  # fmt: skip
_ALONE = frozenset({
    "Everyone", "CREATOR OWNER", "CREATOR GROUP", "OWNER RIGHTS", "Jeder", "ERSTELLER-BESITZER", "EIGENTÜMERRECHTE",
    "Tout le monde", "CREATEUR PROPRIETAIRE", "Todos", "CREADOR PROPIETARIO", "PROPRIETÁRIO CRIADOR", "Все",
    "СОЗДАТЕЛЬ-ВЛАДЕЛЕЦ", "ПРАВА ВЛАДЕЛЬЦА", "Iedereen", "Wszyscy", "Alla", "所有人",
})  # fmt: skip
_SUMMARY = re.compile(r"[^\d\\]*\d+[^\d\\]+\d+[^\d\\]*")
_PROCESSED = re.compile(r"[^\s\\:][^\\:]{3,40}: ?(?P<path>\S.*)")


@dataclass(frozen=True, slots=True)
class Ace:
    """One entry. ``flags`` as shown; ``rights``: the letters of its last group; ``line``: where it stands, from 1."""

    principal: str
    flags: str
    line: int

    @property
    def groups(self) -> tuple[str, ...]:
        """The letters between each pair of brackets, with a bare right of the old form as the last one."""
        return tuple(re.findall(r"[A-Za-z,]+", self.flags))

    @property
    def inherited(self) -> bool:
        """Whether it comes from the folder above."""
        return bool({"I", "ID"} & set(self.groups[:-1]))

    @property
    def denies(self) -> bool:
        """Whether it forbids; ``(N)``, no access, is a denial of everything."""
        return "DENY" in self.groups or self.groups[-1] == "N"

    @property
    def rights(self) -> tuple[str, ...]:
        """The rights it allows or denies."""
        return tuple(self.groups[-1].split(","))


@dataclass(frozen=True, slots=True)
class Entries:
    """One file or folder. ``path`` is None where the paste begins below the line that names it."""

    path: str | None
    aces: tuple[Ace, ...]


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a paste shows. ``summaries``: (processed, failed) each; ``changed``: files that a change was made to."""

    objects: tuple[Entries, ...]
    summaries: tuple[tuple[int, int], ...]
    changed: tuple[str, ...]
    errors: tuple[str, ...]
    unread: tuple[Unread, ...]


def parse(output: Output) -> tuple[Entries, ...]:
    """Read the exact output of ``icacls PATH``. Raises Unreadable for a failure and for anything else in it."""
    if output.exit_code != 0:
        first = next((line.strip() for line in output.text.splitlines() if line.strip()), "no text")
        raise Unreadable(f"icacls ended with {output.exit_code}: {first[:100]}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    found = read_paste(output.text)
    paste.strictly(found.unread, "icacls")
    if found.errors or any(failed for _, failed in found.summaries):
        raise Unreadable(f"icacls failed: {'; '.join(found.errors)[:100] or 'it says so in its summary'}")
    return found.objects


def read_paste(text: str) -> Permissions:
    """Read what a person pasted; other lines are in ``unread``. Raises Unreadable where nothing is icacls'."""
    lines = Paste.of(text)
    blocks: list[
        list[tuple[Line, str]]
    ] = []  # the lines with entries of one object, each with what it may be joined to
    summaries: list[tuple[int, int]] = []
    changed: list[str] = []
    errors: list[str] = []
    unread: list[Unread] = []
    asked: list[str] = []
    others: list[Line] = []
    ends, blank = False, True
    index = 0
    while index < len(lines.lines):
        line = lines.lines[index]
        whole, more = _whole(lines, index)
        index += 1 + more
        if line.role == "command" or re.match(r"\s*i?cacls(?:\.exe)?\s", line.text, re.IGNORECASE):
            asked.extend(_argument(line.command or line.text))
            ends = True
        elif line.role in ("blank", "noise"):
            blank = True
        elif line.role == "elided":
            unread.append(line.unread("something was left out here"))
            ends = True
        elif _ACE.fullmatch(whole.strip()):
            if not blocks or ends or _begins(line, whole, blocks[-1], asked, after_blank=blank):
                blocks.append([])
            blocks[-1].append((line, whole))
            ends = blank = False
        elif _SUMMARY.fullmatch(line.text) and (blocks or asked or changed or errors or others):
            processed, failed = re.findall(r"\d+", line.text)
            summaries.append((int(processed), int(failed)))
            ends = True
        else:
            others.append(line)
            ends = True
    objects = [_object(block, tuple(asked), unread) for block in blocks]
    for line in others:
        text = line.text.strip()
        missing = sum(failed for _, failed in summaries) > len(errors)
        if (path := _processed(text)) and summaries:
            changed.append(path)
        elif missing or _failed(text):
            errors.append(text)
        else:
            unread.append(line.unread("not a line of icacls"))
    if not (objects or summaries or changed or asked):
        raise Unreadable("there is nothing that icacls prints (principal:(rights), or its summary)")
    return Permissions(tuple(one for one in objects if one.aces), tuple(summaries), tuple(changed), tuple(errors),
                       paste.in_order(unread))  # fmt: skip


def _whole(lines: Paste, index: int) -> tuple[str, int]:
    """The line, joined with the next where a window broke it; an entry always ends with its rights."""
    line = lines.lines[index]
    if _complete(line.text.strip()):
        return line.text, 0
    for more, text in lines.joined(index, 2):
        pieces = lines.lines[index + 1 : index + 1 + more]
        if _complete(text.strip()) and all(piece.indent == 0 for piece in pieces):
            return text.rstrip(), more
    return line.text, 0


def _complete(text: str) -> bool:
    found = _ACE.fullmatch(text)
    return found is not None and re.findall(r"[A-Za-z,]+", found["flags"])[-1] not in _INHERITANCE


def _begins(line: Line, whole: str, block: list[tuple[Line, str]], asked: list[str], *, after_blank: bool) -> bool:
    """Whether an entry is the first of another object: it stands where the last object's path began."""
    start = block[0][0].indent
    if line.indent > start:
        return False
    indented = len(block) > 1 and block[1][0].indent > start
    rooted = re.match(r"\s*(?:[A-Za-z]:[\\/]|\\\\)", whole) is not None
    return after_blank or indented or rooted or line.indent < start or _named(whole.strip(), tuple(asked)) is not None


def _argument(command: str) -> Iterator[str]:
    """The path that an icacls command names."""
    found = re.match(r"""\s*i?cacls(?:\.exe)?\s+(?:"([^"]+)"|'([^']+)'|(\S+))""", command, re.IGNORECASE)
    if found:
        yield next(group for group in found.groups() if group)


def _object(block: list[tuple[Line, str]], asked: tuple[str, ...], unread: list[Unread]) -> Entries:
    """One object: the indent of the second entry tells where the path in front of the first one ends."""
    first, whole = block[0]
    rest = block[1:]
    path: str | None = None
    principal: str | None = None
    found = _ACE.fullmatch(whole.strip())
    who = found["who"] if found else ""
    offset = (rest[0][0].indent - first.indent) if rest else 0
    # Where the blanks before the first line were lost, the others are still indented by that much more.
    border = next((at for at in (offset, *(offset - lost for lost in (1, 2, 3, 4, 8))) if _borders(who, at)), None)
    if rest and border is not None:
        path, principal = who[: border - 1].rstrip(), who[border:]
    elif rest and offset == 0 and _is_principal(who) and not _named(whole.strip(), asked):
        principal = who  # its first line is missing, or all indents are
    else:
        path, principal = _split(who, asked)
    aces: list[Ace] = []
    if principal is None:
        unread.append(first.unread("where the path ends and the principal begins is not to be known"))
    else:
        _append(aces, first, whole, principal, unread)
        if path is None:
            unread.append(first.unread("the path that it belongs to is not there"))
    for line, text in rest:
        entry = _ACE.fullmatch(text.strip())
        if entry is None or (not _is_principal(entry["who"]) and line.indent <= first.indent):
            unread.append(line.unread("neither an entry nor the first line of a file"))
        else:
            _append(aces, line, text, entry["who"], unread)
    return Entries(path, tuple(aces))


def _borders(who: str, at: int) -> bool:
    return (
        1 < at < len(who)
        and who[at - 1] == " "
        and who[at] != " "
        and (_is_principal(who[at:]) or "\\" not in who[at:])
    )


def _append(aces: list[Ace], line: Line, text: str, principal: str, unread: list[Unread]) -> None:
    if not _complete(text.strip()):
        unread.append(line.unread("an entry whose rights are cut"))
        return
    found = _ACE.fullmatch(text.strip())
    aces.append(Ace(principal, found["flags"] if found else "", line.number))
    if paste.damaged(principal):
        unread.append(line.unread("characters of the name were lost when it was decoded"))


def _named(text: str, asked: tuple[str, ...]) -> str | None:
    return next((path for path in asked if text.lower().startswith(path.lower() + " ")), None)


def _split(who: str, asked: tuple[str, ...]) -> tuple[str | None, str | None]:
    """Path and principal, where no second line shows the border: by what was asked for, then by well-known names."""
    if path := _named(who, asked):
        return who[: len(path)], who[len(path) + 1 :].lstrip()
    if _certain(who):
        return None, who
    # Blanks may be in both, so every blank may be the border; it is known where only one leaves a possible principal.
    parts = [(who[: at.start()], who[at.end() :]) for at in re.finditer(" ", who)]
    certain = [(path, name) for path, name in parts if _certain(name)]
    if certain:
        return certain[0]
    possible = [(path, name) for path, name in parts if _is_principal(name)]
    return possible[0] if len(possible) == 1 else (None, None)


def _certain(name: str) -> bool:
    domain, _, account = name.partition("\\")
    return (
        bool(_SID.fullmatch(name)) or name in _ALONE or (domain in _DOMAINS and bool(account) and "\\" not in account)
    )


def _is_principal(name: str) -> bool:
    return "  " not in name and bool(_SID.fullmatch(name) or _ACCOUNT.fullmatch(name) or name in _ALONE)


def _processed(text: str) -> str | None:
    """The path in "processed file: PATH", in any language."""
    found = _PROCESSED.fullmatch(text)
    return found["path"] if found and re.search(r"[\\.]", found["path"]) else None


def _failed(text: str) -> bool:
    """Whether it is "PATH: message"."""
    return re.fullmatch(r"(?:[A-Za-z]:[\\/]|\\\\)[^:]*: \S.*", text) is not None
