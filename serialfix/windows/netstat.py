r"""``netstat -ano`` and ``-anob``: who listens where.

Sources: output-formats.md "netstat" (TCP or UDP first, ``address:port``, a foreign side that ends in ``:0`` is a
listener, the process is the last number, owner lines after the row; only German translates the states) and
rdp-repair.md 2.2. From a Server 2019:

>>> sample = '''
... Active Connections
...
...   Proto  Local Address          Foreign Address        State           PID
...   TCP    0.0.0.0:22             0.0.0.0:0              LISTENING       2016
...  [sshd.exe]
...   TCP    0.0.0.0:445            0.0.0.0:0              LISTENING       4
...  Can not obtain ownership information
...   TCP    0.0.0.0:3389           0.0.0.0:0              LISTENING       416
...   TermService
...  [svchost.exe]
... '''
>>> for one in parse(Output(sample, 0, "screen")):
...     print(one.protocol, one.address, one.port, one.pid, one.process, one.services, one.listens)
tcp 0.0.0.0 22 2016 sshd.exe () True
tcp 0.0.0.0 445 4 None () True
tcp 0.0.0.0 3389 416 svchost.exe ('TermService',) True

A service that shares its svchost with others may not be the one that listens: before one service per process, Windows
named just any of them (output-formats.md, "Shared svchost"). Compare the process instead.
"""

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Literal

from serialfix.steps import Output, Unreadable
from serialfix.windows import paste
from serialfix.windows.paste import Line, Paste, Unread

_LEAD = r"[\s>|*+\-]*"
_ENDPOINT = r"(?:\[[0-9A-Fa-f:.]*(?:%\w+)?\]|[^\s:\[\]]+):[^\s:]+"
_STARTS = re.compile(rf"(?P<lead>{_LEAD})(?P<proto>TCP|UDP)(?=\s|$)")
_ROW = re.compile(
    rf"{_LEAD}(?P<proto>TCP|UDP)\s+(?P<local>{_ENDPOINT})\s+(?P<foreign>{_ENDPOINT})"
    r"(?:\s+(?P<state>[^\s\d\[\]:]\S*))?(?:\s+(?P<pid>\d{1,10}))?(?:\s+(?P<offload>[A-Za-z]+))?\s*"
)
_OWNER = re.compile(r"\[(?P<image>[^\[\]]+)\]")
_SERVICE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.$#&-]{0,79}")
# XP and 2003 list the libraries between the socket and its program.
_COMPONENT = re.compile(r"[A-Za-z]:\\.*|-- .* --|\\\S.*")
# What each language says where the owner is not known; seen in captures, and only needed where indents were lost.
_NO_OWNER = (
    "Can not obtain ownership information",
    "Impossible d'obtenir les informations de propriétaire",
    "No se puede obtener información de propiedad",
    "无法获取所有权信息",
    "無法取得擁有權資訊",
)
_PROGRAMS = ("netstat", "findstr", "find", "select-string")


@dataclass(frozen=True, slots=True)
class Socket:
    """One row. ``address`` and ``foreign`` as shown (IPv6 in brackets).

    ``port`` is None where a name was shown instead of a number (netstat without -n); ``state`` is a word in the
    language of the VM, or None; ``pid`` and ``process`` are None where the output does not say; ``services``: the
    service which netstat names above the image. ``line``: where the row begins in the text, from 1.
    """

    protocol: Literal["tcp", "udp"]
    address: str
    port: int | None
    foreign: str
    state: str | None
    pid: int | None
    process: str | None = None
    services: tuple[str, ...] = ()
    line: int = 0

    @property
    def listens(self) -> bool:
        """Whether it waits for TCP connections: told by the foreign port 0, never by the translated state.

        ``netstat -q`` shows bound sockets that do not listen in the same way, but for their state.
        """
        return self.protocol == "tcp" and self.foreign.endswith(":0") and self.state != "BOUND"


@dataclass(frozen=True, slots=True)
class Connections:
    """Every row of a paste, in order, and the lines that could not be read."""

    rows: tuple[Socket, ...]
    unread: tuple[Unread, ...]

    @property
    def listeners(self) -> tuple[Socket, ...]:
        """The rows that wait for TCP connections."""
        return tuple(row for row in self.rows if row.listens)


def parse(output: Output) -> tuple[Socket, ...]:
    """Read the exact output of ``netstat -ano`` or ``-anob``. Raises Unreadable for anything else in it."""
    if output.exit_code not in (0, None):
        raise Unreadable(f"netstat ended with {output.exit_code}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    found = read_paste(output.text)
    paste.strictly(found.unread, "netstat")
    return found.rows


def read_paste(text: str) -> Connections:
    """Read what a person pasted; lines that are not netstat's are in ``unread``. Raises Unreadable without any row."""
    lines = Paste.of(text)
    headings = _headings(lines)
    rows: list[Socket] = []
    unread: list[Unread] = []
    owners: list[Line] = []
    column: int | None = None  # where the last row begins; None: no row that an owner line could belong to
    index = 0

    def settle() -> None:
        if owners:
            if column is None:
                unread.extend(line.unread(_orphan(line)) for line in owners)
            else:
                rows[-1] = _owned(rows[-1], owners, column, unread)
            owners.clear()

    while index < len(lines.lines):
        line = lines.lines[index]
        index += 1
        if line.number in headings:
            settle()
            column = None
        elif line.role in ("blank", "noise"):
            continue
        elif line.role == "elided":
            settle()
            column = None
            unread.append(line.unread("something was left out here"))
        elif line.role == "command" or paste.starts_with_program(line.text, _PROGRAMS):
            settle()
            column = None
        elif starts := _STARTS.match(line.text):
            settle()
            row, more, why = _row(lines, index - 1)
            column = None
            if row is None:
                unread.extend(each.unread(why) for each in lines.lines[index - 1 : index + more])
            else:
                rows.append(row)
                column = len(starts["lead"])
            index += more
        else:
            owners.append(line)
    settle()
    if not rows and not headings and not any(_STARTS.match(line.text) for line in lines.lines):
        raise Unreadable("there is no row that netstat prints (TCP or UDP, two addresses)")
    unread.extend(_cut(rows, lines))
    return Connections(tuple(rows), paste.in_order(unread))


def _row(lines: Paste, index: int) -> tuple[Socket | None, int, str]:
    """The row that begins at ``index``, the number of further lines it takes, and why there is none."""
    line = lines.lines[index]
    whole = _socket(line.text, line.number)
    full = len(line.text) == lines.width
    for more, text in (*_pieces(lines, index), *_padded(lines, index)):
        joined = _socket(text, line.number)
        # The columns of netstat are the proof that these pieces were one line.
        if isinstance(joined, str) or not _columns_fit(text, any_state=full):
            continue
        if isinstance(whole, str) or full or (whole.pid is None and joined.pid is not None):
            return joined, more, ""
    if isinstance(whole, str):
        return None, 0, whole
    if full and _goes_on(lines, index):
        return None, 0, "fills the window, and what follows does not say whether it goes on there"
    return whole, 0, ""


def _goes_on(lines: Paste, index: int) -> bool:
    """Whether the next line begins at the edge of the window and is nothing that netstat prints there."""
    following = next(iter(lines.lines[index + 1 : index + 2]), None)
    return following is not None and following.role == "text" and following.indent == 0 and not (
        _STARTS.match(following.text) or _OWNER.fullmatch(following.text.strip())
    )  # fmt: skip


def _pieces(lines: Paste, index: int) -> list[tuple[int, str]]:
    """The line with the next ones, as pasted, where every break stands between two columns."""
    whole = lines.lines[index].raw
    joined = []
    for more, following in enumerate(lines.lines[index + 1 : index + 6], start=1):
        boundary = whole.endswith(" ") or following.raw.startswith(" ")
        if not following.raw or following.role not in ("text", "blank") or not boundary:
            break
        if _STARTS.match(following.text) or _OWNER.fullmatch(following.text.strip()):
            break
        whole += following.raw
        joined.append((more, whole))
    return joined[::-1]


def _padded(lines: Paste, index: int) -> list[tuple[int, str]]:
    """The line with the next one, where the blanks at the edge of the window were lost."""
    whole, following = lines.lines[index].text, next(iter(lines.lines[index + 1 : index + 2]), None)
    if following is None or following.role != "text":
        return []
    widths = sorted(paste.WIDTHS) if lines.width is None else [lines.width]
    return [(1, whole.ljust(width) + following.text) for width in widths if len(whole) <= width]


def _columns_fit(text: str, *, any_state: bool) -> bool:
    """Whether netstat would have printed exactly this row; German states bring their own blanks (``any_state``)."""
    found = _ROW.fullmatch(text)
    if found is None:
        return False
    if any_state and found["state"]:
        text = text[: found.end("state")]
        found = _ROW.fullmatch(text)
        if found is None:
            return False
    # Two blanks end a cell that fills its column. The Japanese and Korean column of the protocol is wider.
    return any(
        text.strip()
        == f"{found['proto']:<{wide}}  {found['local']:<21}  {found['foreign']:<21}  "
        f"{found['state'] or '':<14}  {found['pid'] or ''}".strip()
        for wide in (5, 11)
    )


def _socket(text: str, number: int) -> Socket | str:
    """The row, or why it is none."""
    found = _ROW.fullmatch(text)
    if found is None:
        return "a row that is damaged or cut"
    local, foreign = _endpoint(found["local"]), _endpoint(found["foreign"])
    if local is None or foreign is None:
        return "an address or a port that cannot be"
    if found["foreign"].startswith("*") and (found["proto"] == "TCP" or found["foreign"] != "*:*"):
        return "an address or a port that cannot be"
    pid = int(found["pid"]) if found["pid"] else None
    if pid is not None and pid > 0xFFFFFFFF:
        return "a process number that cannot be"
    return Socket(
        "tcp" if found["proto"] == "TCP" else "udp",
        local[0],
        int(local[1]) if local[1].isdigit() else None,
        found["foreign"],
        found["state"],
        pid,
        line=number,
    )


def _endpoint(text: str) -> tuple[str, str] | None:
    address, _, port = text.rpartition(":")
    if not re.fullmatch(r"\*|[A-Za-z][\w+.-]*|[0-9]{1,5}", port, re.ASCII) or (port.isdigit() and int(port) > 65535):
        return None
    if address == "*":
        return address, port
    try:
        if address.startswith("["):
            ipaddress.IPv6Address(address[1:-1].partition("%")[0])
        elif re.fullmatch(r"[0-9.]+", address):
            ipaddress.IPv4Address(address)
    except ValueError:
        return None
    return address, port


def _owned(row: Socket, owners: list[Line], column: int, unread: list[Unread]) -> Socket:
    """The row with what the lines after it say of its owner: 0, 1 or 2 lines, on XP a chain of libraries before."""
    images = [index for index, line in enumerate(owners) if _OWNER.fullmatch(line.text.strip())]
    if len(images) > 1:
        # A filter left out rows or owner lines; which of these belongs to this row is not to be known.
        unread.extend(line.unread("more owners than one row has: rows between them are missing") for line in owners)
        return row
    if images:
        unread.extend(line.unread("not a line of netstat") for line in owners[images[0] + 1 :])
        named = []
        for line in owners[: images[0]]:
            text = line.text.strip()
            if _SERVICE.fullmatch(text):
                named.append(text)
            elif not _COMPONENT.fullmatch(text):
                unread.append(line.unread("neither a service nor a component"))
        image = _OWNER.fullmatch(owners[images[0]].text.strip())
        return replace(row, process=image["image"] if image else None, services=tuple(named))
    first, rest = owners[0], owners[1:]
    unread.extend(line.unread("not a line of netstat") for line in rest)
    text = first.text.strip()
    if _SERVICE.fullmatch(text) and column > 0 and first.indent == column:
        return replace(row, services=(text,))
    known = text.replace("’", "'") in _NO_OWNER
    beside = column > 0 and first.indent == column - 1 and first.number == row.line + 1 and not _SERVICE.fullmatch(text)
    if not known and not beside:
        unread.append(first.unread("neither an owner nor the sentence that there is none"))
    return row


def _orphan(line: Line) -> str:
    if _OWNER.fullmatch(line.text.strip()):
        return "the row that it belongs to is not there"
    return "not a line of netstat, or its row is not there"


def _headings(lines: Paste) -> frozenset[int]:
    """The numbers of the lines that are a title or the columns' names, in any language: what stands before a row."""
    found: set[int] = set()
    texts = [line for line in lines.lines if line.role == "text"]
    for above, line, below in zip([None, *texts], texts, [*texts[1:], None], strict=False):
        cells = re.split(r"\s{2,}", line.text.strip())
        named = re.match(rf"{_LEAD}Proto\s", line.text) is not None
        before_row = below is not None and _STARTS.match(below.text) is not None
        if (named or before_row) and len(cells) >= 3 and not re.search(r"[\d\[\]]", line.text):
            found.add(line.number)
            if above and not re.search(r"[\d\[\]]|\s{2,}\S+\s{2,}", above.text.strip()) and _is_title(above):
                found.add(above.number)
    return frozenset(found)


def _is_title(line: Line) -> bool:
    return not _STARTS.match(line.text) and len(line.text.strip()) <= 40


def _cut(rows: list[Socket], lines: Paste) -> list[Unread]:
    """The last row, where all others have a process and it has none: the paste ends in the middle of it."""
    tcp = [row for row in rows if row.protocol == "tcp"]
    if len(tcp) < 2 or rows[-1] is not tcp[-1] or tcp[-1].pid is not None or any(row.pid is None for row in tcp[:-1]):
        return []
    return [line.unread("cut before the process number") for line in lines.lines if line.number == tcp[-1].line]
