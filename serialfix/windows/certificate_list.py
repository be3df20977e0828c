r"""PowerShell's listings of certificates: tables and lists of ``Get-ChildItem Cert:``, and certificates as text.

Source: output-formats.md "Cert:": 40 hexadecimal digits are a thumbprint, a masked one is none; property names are
English, values and dates are not; a subject may be empty, hold commas, or be cut with ``...``; version 7 adds usages.

>>> table = '''
...    PSParentPath: Microsoft.PowerShell.Security\\Certificate::LocalMachine\\Remote Desktop
...
... Thumbprint                                Subject
... ----------                                -------
... FEE449EE0E3965A5246F000E87FDE2A065FD89D4  CN=vm1.contoso.example
... 109F1CAED645BB78B3EA2B94C0697C740733031C  CN=Microsoft Windows Hardware C...
... '''
>>> found, unread = read(Paste.of(table))
>>> [(one.thumbprint[:8], one.subject, one.subject_cut) for one in found]
[('FEE449EE', 'CN=vm1.contoso.example', False), ('109F1CAE', 'CN=Microsoft Windows Hardware C...', True)]
>>> store(Paste.of(table))
'LocalMachine\\Remote Desktop'
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from serialfix.steps import Unreadable
from serialfix.windows import paste
from serialfix.windows.paste import Line, Paste, Unread

_THUMBPRINT = re.compile(r"[0-9A-Fa-f]{40}")
_ROW = re.compile(r"[\s>|]*(?P<thumbprint>[0-9A-Fa-f]{40})(?:\s+(?P<rest>\S.*))?")
_RULER = re.compile(r"[\s>|]*-{2,}(?:\s+-{2,})*\s*")
_STORE = re.compile(r"\s*[^:]{3,40}: (?:Microsoft\.PowerShell\.Security\\)?Certificate::(?P<store>.+)")
_PROPERTY = re.compile(r"[\s>|]*(?P<name>[A-Za-z]\w{1,40}) *: ?(?P<value>.*)")
_TEXT_FIELD = re.compile(r"(?:.*: |\s*)\[(?P<name>Subject|Issuer|Serial Number|Not Before|Not After|Thumbprint)\]\s*")
_USAGES = re.compile(r"(?P<subject>.*?)\s+(?P<usages>\{.*)")
_CUT = re.compile(r".*(?:\.{3}|…)")
_NAMES = frozenset({
    "thumbprint", "subject", "issuer", "serialnumber", "notbefore", "notafter", "friendlyname", "hasprivatekey",
    "dnsnamelist", "enhancedkeyusagelist",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate as shown; None is "the output does not say".

    ``thumbprint``: 40 digits in the case shown, without blanks. ``subject_cut``: it ends in ``...``. Dates are text in
    the user's way of writing: whether one is past is asked of the VM, never guessed from day and month.
    ``private_key``: True where the container's file is named, False where certutil says in English that it is missing.
    """

    thumbprint: str
    subject: str | None = None
    subject_cut: bool = False
    issuer: str | None = None
    serial: str | None = None
    not_before: str | None = None
    not_after: str | None = None
    friendly_name: str | None = None
    dns: tuple[str, ...] | None = None
    usages: tuple[str, ...] | None = None
    private_key: bool | None = None
    container: str | None = None
    unique_container: str | None = None
    provider: str | None = None
    remarks: tuple[str, ...] = ()


def store(lines: Paste) -> str | None:
    """The store above a listing (``LocalMachine\\My``), where exactly one is named."""
    found = {match["store"].strip() for line in lines.lines if (match := _STORE.fullmatch(line.text))}
    return found.pop() if len(found) == 1 else None


def read(lines: Paste, programs: Iterable[str] = ()) -> tuple[tuple[Certificate, ...], list[Unread]]:
    """Every certificate of a listing, and the lines that are none. Raises Unreadable where there is neither."""
    found: list[Certificate] = []
    unread: list[Unread] = []
    columns: tuple[tuple[str, int], ...] = ()
    seen = False
    index = 0
    while index < len(lines.lines):
        line = lines.lines[index]
        index += 1
        if line.role in ("blank", "noise", "command") or _STORE.fullmatch(line.text):
            continue
        if line.role == "elided":
            unread.append(line.unread("something was left out here"))
        elif headed := _columns(lines, index - 1):
            columns, seen = headed, True
            index += next(more for more, line in enumerate(lines.lines[index:], 1) if line.role != "blank")
        elif row := _row(line, columns):
            if _open(row):
                row, index = _rest_of_usages(lines, index, row, unread)
            found.append(row)
        elif taken := _as_text(lines, index - 1):
            certificate, index = taken
            found.append(certificate)
        elif _PROPERTY.fullmatch(line.text):
            index = _list(lines, index - 1, found, unread)
        elif not paste.starts_with_program(line.text, (*programs, "$")):
            unread.append(line.unread("not a line of a list of certificates"))
    if not found and not seen and not store(lines):
        raise Unreadable("there is no certificate in it (certutil's ruler, or a thumbprint of 40 digits)")
    return tuple(found), unread


def _columns(lines: Paste, index: int) -> tuple[tuple[str, int], ...]:
    """The columns of a table whose heading is this line: (name, where it begins)."""
    # Blank lines between them are a wiki's.
    ruler = next((line for line in lines.lines[index + 1 : index + 4] if line.role != "blank"), None)
    if ruler is None or not _RULER.fullmatch(ruler.text):
        return ()
    names = tuple((match[0].lower(), match.start()) for match in re.finditer(r"\S+", lines.lines[index].text))
    return names if {name for name, _ in names} & _NAMES else ()


def _row(line: Line, columns: tuple[tuple[str, int], ...]) -> Certificate | None:
    """The certificate in one row: by columns where they fit, else by the thumbprint in front."""
    names = [name for name, _ in columns]
    if "thumbprint" in names:
        ends = [start for _, start in columns[1:]] + [None]
        cells = {name: line.text[start:end] for (name, start), end in zip(columns, ends, strict=True)}
        fits = all(start == 0 or line.text[start - 1 : start] in (" ", "") for _, start in columns)
        if fits and _THUMBPRINT.fullmatch(cells["thumbprint"].strip()):
            return _made({name: cell.strip() for name, cell in cells.items() if cell.strip() or name == "subject"})
        if names[:2] != ["thumbprint", "subject"]:
            return None
    found = _ROW.fullmatch(line.text)
    if found is None:
        return None
    rest = found["rest"]
    if rest is None:
        return _made({"thumbprint": found["thumbprint"], **({"subject": ""} if "subject" in names else {})})
    usages = _USAGES.fullmatch(rest) if len(columns) != 2 else None
    if usages:
        shown = {"subject": usages["subject"], "enhancedkeyusagelist": usages["usages"]}
        return _made({"thumbprint": found["thumbprint"], **shown})
    return _made({"thumbprint": found["thumbprint"], "subject": rest})


def _open(row: Certificate) -> bool:
    return row.usages is not None and len(row.usages) > 0 and row.usages[-1] == "{"


def _rest_of_usages(lines: Paste, index: int, row: Certificate, unread: list[Unread]) -> tuple[Certificate, int]:
    """PowerShell 7 breaks a long list of usages below itself: what stands in the next lines, up to the bracket."""
    usages = list((row.usages or ())[:-1])
    for more, line in enumerate(lines.lines[index:], start=1):
        if line.role != "text" or line.indent < 20:
            break
        usages[-1:] = _items((usages[-1] if usages else "") + " " + line.text.strip().removesuffix("}"))
        if line.text.endswith("}"):
            return _with_usages(row, tuple(usages)), index + more
    unread.append(lines.lines[index - 1].unread("its list of usages is cut"))
    return _with_usages(row, None), index


def _with_usages(row: Certificate, usages: tuple[str, ...] | None) -> Certificate:
    return Certificate(row.thumbprint, row.subject, row.subject_cut, usages=usages, dns=row.dns)


def _as_text(lines: Paste, index: int) -> tuple[Certificate, int] | None:
    """A certificate as .NET writes it: ``[Subject]``, then the value below, and so on, ``[Thumbprint]`` last."""
    shown: dict[str, str] = {}
    while index < len(lines.lines):
        line = lines.lines[index]
        found = _TEXT_FIELD.fullmatch(line.text)
        if line.role == "blank" and shown:
            index += 1
            continue
        if found is None or index + 1 >= len(lines.lines):
            return None
        name = found["name"].lower().replace(" ", "")
        value = lines.lines[index + 1]
        if _TEXT_FIELD.fullmatch(value.text) or name in shown:
            return None
        shown[name] = value.text.strip()
        index += 2
        if name == "thumbprint":
            return (_made(shown), index) if _THUMBPRINT.fullmatch(shown[name]) else None
    return None


def _list(lines: Paste, index: int, found: list[Certificate], unread: list[Unread]) -> int:
    """One certificate in the form of a list, up to a blank line or a property for the second time."""
    shown: dict[str, str] = {}
    read_: list[Line] = []
    last, column, edge = "", 0, 0
    while index < len(lines.lines):
        line = lines.lines[index]
        if line.role != "text" or (read_ and _TEXT_FIELD.fullmatch(line.text)):
            break
        match = _PROPERTY.fullmatch(line.text)
        if match and not (last and line.indent >= column > 0):
            last = match["name"].lower()
            if last in shown:
                break
            shown[last], column = match["value"].strip(), match.start("value")
        elif last and line.indent >= column > 10:
            above = lines.lines[index - 1].text
            rest = line.text[column:]
            edge = edge or _edge(lines)
            lost = not rest.startswith(" ") and (above.endswith(",") or len(above) < edge)
            shown[last] += (" " if lost else "") + rest
        elif last and not match and line.indent == 0 and len(lines.lines[index - 1].text) == lines.width:
            shown[last] += line.text  # the window broke it
        else:
            break
        read_.append(line)
        index += 1
    if _THUMBPRINT.fullmatch(shown.get("thumbprint", "")):
        found.append(_made(shown))
    else:
        why = "a certificate without a whole thumbprint" if set(shown) & _NAMES else "not a property of a certificate"
        unread.extend(line.unread(why) for line in read_)
    return index


def _edge(lines: Paste) -> int:
    """Where PowerShell broke the values, also inside a word; a line that ends before it ended with a blank."""
    return max(
        len(above.text)
        for above, below in itertools.pairwise(lines.lines)
        if below.role == "text" and below.indent > 10
    )


def _made(shown: Mapping[str, str]) -> Certificate:
    subject = shown.get("subject")
    key = {"true": True, "false": False}.get(shown.get("hasprivatekey", "").lower())
    return Certificate(
        thumbprint=shown["thumbprint"].strip(),
        subject=subject,
        subject_cut=bool(subject and _CUT.fullmatch(subject)),
        issuer=shown.get("issuer"),
        serial=shown.get("serialnumber"),
        not_before=shown.get("notbefore"),
        not_after=shown.get("notafter"),
        friendly_name=shown.get("friendlyname") or None,
        dns=_braced(shown.get("dnsnamelist")),
        usages=_braced(shown.get("enhancedkeyusagelist")),
        private_key=key,
    )


def _braced(text: str | None) -> tuple[str, ...] | None:
    """The items of ``{a, b}``; a list that is not closed keeps ``{`` as its last item, for the caller."""
    if text is None or not text.startswith("{"):
        return None
    if text.endswith("}"):
        return _items(text[1:-1])
    return (*_items(text[1:]), "{")


def _items(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())
