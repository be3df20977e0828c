r"""``certutil -store`` and PowerShell's listings of ``Cert:``: certificates as shown.

Sources: output-formats.md "Cert:" and "certutil" (a ruler with a number begins a certificate; serial, issuer, two dates
and subject by their order; the line with ``(sha1)``; dates in the user's way of writing, so they are kept as text and
never compared) and rdp-repair.md 2.3. From a Server 2019:

>>> sample = '''
... my "Personal"
... ================ Certificate 2 ================
... Serial Number: 75b2f4bbf31f108945147b466131bdca
... Issuer: CN=Certificate-LTD-CA, DC=certificate, DC=htb
...  NotBefore: 11/3/2024 3:55 PM
...  NotAfter: 11/3/2034 4:05 PM
... Subject: CN=Certificate-LTD-CA, DC=certificate, DC=htb
... Cert Hash(sha1): 2f02901dcff083ed3dbb6cb0a15bbfee6002b1a8
...   Key Container = Certificate-LTD-CA
...   Unique container name: 26b68cbdfcd6f5e467996e3f3810f3ca_7989b711-2e3f-4107-9aae-fb8df2e3b958
... CertUtil: -store command completed successfully.
... '''
>>> one = parse(Output(sample, 0, "screen"))[0]
>>> one.thumbprint, one.subject, one.not_after, one.private_key
('2f02901dcff083ed3dbb6cb0a15bbfee6002b1a8', 'CN=Certificate-LTD-CA, DC=certificate, DC=htb', '11/3/2034 4:05 PM', True)
"""

import re
from dataclasses import dataclass, field

from serialfix.steps import Output, Unreadable
from serialfix.windows import certificate_list, paste
from serialfix.windows.certificate_list import Certificate
from serialfix.windows.paste import Line, Paste, Unread

_RULER = re.compile(r"[\s>]*={4,}(?P<title>[^=]*?\d[^=]*)={4,}\s*")
_NESTING = re.compile(r"\s*-{4,}[^-].*-{4,}\s*")
_STORE = re.compile(r'\s*(?P<store>[^"=:]+?) "[^"]+"')
_FIELD = re.compile(r"\s*(?P<label>[^:：=\s][^:：=]{0,60}?)[\s\xa0]*[:：]\s*(?P<value>.*)")
_KEY = re.compile(r"\s+(?P<label>[^=:\s][^=:]{1,40}?) = (?P<value>\S.*)")
_SHA1 = re.compile(r"(?P<label>.*)\(sha1\)[\s\xa0]*[:：]\s*(?P<hash>.*)", re.IGNORECASE)
_THUMBPRINT = re.compile(r"[0-9a-fA-F]{40}|(?:[0-9a-fA-F]{2} ){19}[0-9a-fA-F]{2}")
_DN = re.compile(r"(?:CN|OU|O|DC|C|E|L|S|ST|T|G|SN|STREET|SERIALNUMBER|OID\.[\d.]+|Description)=.*", re.IGNORECASE)
_CONTAINER = re.compile(r"[0-9a-f]{32}_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_EMPTY = re.compile(r"(?:EMPTY|LEER|VACÍO|VIDE|VAZIO)\b.*", re.IGNORECASE)
_RESULT = re.compile(r"\s*CertUtil\s?: .*", re.IGNORECASE)
_CODE = re.compile(r"0x[0-9a-fA-F]{8}")
_NO_KEY = ("Missing stored keyset", "Keyset does not exist", "Cannot find the certificate and private key")
_PROGRAMS = ("certutil", "findstr", "find", "get-childitem", "gci", "dir", "ls", "certlm", "certmgr")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Every certificate in a paste, in order. ``errors``: what certutil says of its own failure."""

    certificates: tuple[Certificate, ...]
    store: str | None
    errors: tuple[str, ...]
    unread: tuple[Unread, ...]


@dataclass(slots=True)
class _Entry:
    """What was read of one certificate of certutil so far: the five fields in their order."""

    ruler: Line
    serial: str | None = None
    names: list[str | None] = field(default_factory=list)
    dates: list[str] = field(default_factory=list)
    thumbprint: str | None = None
    container: str | None = None
    unique: str | None = None
    provider: str | None = None
    remarks: list[str] = field(default_factory=list)
    ended: bool = False  # a blank line came after the hash


def parse(output: Output) -> tuple[Certificate, ...]:
    """Read the exact output of ``certutil -store NAME``. Raises Unreadable for a failure or anything else."""
    if output.exit_code not in (0, None):
        code = _CODE.search(output.text)
        raise Unreadable(f"certutil ended with {code[0] if code else output.exit_code}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    found = read_paste(output.text)
    paste.strictly(found.unread, "certutil")
    if found.errors:
        raise Unreadable(f"certutil failed: {found.errors[0][:100]}")
    return found.certificates


def read_paste(text: str) -> Certificates:
    """Read what a person pasted of certutil or of a listing of ``Cert:``; other lines are in ``unread``.

    Raises Unreadable where neither is in it.
    """
    lines = Paste.of(text)
    if not any(_RULER.fullmatch(line.text) for line in lines.lines):
        results = tuple(line.text.strip() for line in lines.lines if _RESULT.fullmatch(line.text))
        if results:
            return _without_entries(lines, results)
        found, unread = certificate_list.read(lines, _PROGRAMS)
        return Certificates(found, certificate_list.store(lines), (), paste.in_order(unread))
    return _certutil(lines)


def _without_entries(lines: Paste, results: tuple[str, ...]) -> Certificates:
    """An empty store, or a failure."""
    unread, store = [], None
    for line in lines.lines:
        if found := _STORE.fullmatch(line.text):
            store = found["store"].strip()
        elif line.role == "text" and not _RESULT.fullmatch(line.text):
            unread.append(line.unread("not a line of certutil"))
    return Certificates((), store, tuple(each for each in results if _CODE.search(each)), tuple(unread))


def _certutil(lines: Paste) -> Certificates:
    found: list[Certificate] = []
    errors: list[str] = []
    unread: list[Unread] = []
    store: str | None = None
    entry: _Entry | None = None

    def close() -> None:
        nonlocal entry
        if entry is not None:
            found.extend(_certificate(entry, unread))
        entry = None

    index = 0
    while index < len(lines.lines):
        line = lines.lines[index]
        index += 1
        if line.role in ("blank", "noise"):
            if entry is not None and entry.thumbprint is not None:
                entry.ended = True
            continue
        if line.role == "command" or (entry is None and paste.starts_with_program(line.text, _PROGRAMS[:3])):
            close()
        elif line.role == "elided":
            # Fields are known by their order, which says nothing any more behind a gap.
            close()
            unread.append(line.unread("something was left out here"))
        elif _RULER.fullmatch(line.text):
            close()
            entry = _Entry(line)
        elif _RESULT.fullmatch(line.text):
            close()
            if _CODE.search(line.text):
                errors.append(line.text.strip())
        elif entry is not None:
            text = line.text
            if _cut_by_window(lines, index - 1):
                more, text = next(lines.joined(index - 1))
                index += more
            if not _take(entry, text) and not _NESTING.fullmatch(text):
                unread.append(line.unread("not a line of certutil"))
        elif shown := _STORE.fullmatch(line.text):
            store = shown["store"].strip()
        else:
            unread.append(line.unread("not a line of certutil"))
    close()
    return Certificates(tuple(found), store, tuple(errors), paste.in_order(unread))


def _cut_by_window(lines: Paste, index: int) -> bool:
    """Whether a window broke this line: full to the edge, and the next one is neither a field nor indented."""
    line = lines.lines[index]
    following = lines.lines[index + 1] if index + 1 < len(lines.lines) else None
    return (
        following is not None
        and following.role == "text"
        and len(line.text) == lines.width
        and not any(kind.fullmatch(following.text) for kind in (_FIELD, _KEY, _RULER, _NESTING, _RESULT))
    )


def _take(entry: _Entry, text: str) -> bool:
    """Put one line where it belongs; False where it belongs nowhere."""
    if found := _SHA1.fullmatch(text):
        shown = found["hash"].strip()
        # Verbose output has hashes of names and keys as well; the certificate's own is the last.
        if _THUMBPRINT.fullmatch(shown) and not re.search(r"name|key", found["label"], re.IGNORECASE):
            entry.thumbprint = shown.replace(" ", "")
        return bool(re.fullmatch(r"[0-9a-fA-F ]{40,59}", shown))
    if (found := _CONTAINER.search(text)) and text.rstrip().endswith(found[0]):
        entry.unique = found[0]
        return True
    if (found := _KEY.fullmatch(text)) and not _DN.fullmatch(text.strip()):
        if entry.container is None:
            entry.container = found["value"].strip()
        else:
            entry.provider = found["value"].strip()
        return True
    if _DN.fullmatch(text.strip()) and len(entry.names) < 2:
        entry.names.append(text.strip())
        return True
    if entry.ended:
        return False
    found = _FIELD.fullmatch(text)
    if found is None:
        entry.remarks.append(text.strip())
        return bool(re.fullmatch(r"[^=:|{}<>]{3,120}", text.strip())) and not paste.damaged(text)
    value = found["value"].strip()
    if entry.serial is None:
        if re.fullmatch(r"(?:[0-9a-fA-F]{2} ?){1,40}", value):
            entry.serial = value.replace(" ", "")
            return True
        return False
    if _DN.fullmatch(value) or _EMPTY.fullmatch(value):
        if len(entry.names) >= 2:
            return False
        entry.names.append(value if _DN.fullmatch(value) else "")
        return True
    if len(entry.names) < 2 and len(entry.dates) < 2 and len(re.findall(r"\d+", value)) >= 3:
        entry.dates.append(value)
        return True
    entry.remarks.append(text.strip())
    return True


def _certificate(entry: _Entry, unread: list[Unread]) -> list[Certificate]:
    """The certificate, when its hash is there; otherwise it cannot be named, and that is said."""
    if entry.thumbprint is None:
        unread.append(entry.ruler.unread("a certificate without its (sha1) hash: cut or damaged"))
        return []
    whole = len(entry.names) == 2 and len(entry.dates) == 2
    if not whole:
        unread.append(entry.ruler.unread("issuer, dates and subject are not all there, so they cannot be told apart"))
    issuer, subject = entry.names if whole else (None, None)
    before, after = entry.dates if whole else (None, None)
    lost = any(remark.startswith(_NO_KEY) for remark in entry.remarks)
    return [
        Certificate(
            thumbprint=entry.thumbprint,
            subject=subject,
            issuer=issuer,
            serial=entry.serial,
            not_before=before,
            not_after=after,
            private_key=True if entry.unique else False if lost else None,
            container=entry.container,
            unique_container=entry.unique,
            provider=entry.provider,
            remarks=tuple(entry.remarks),
        )
    ]
