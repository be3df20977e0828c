r"""``tasklist`` and ``tasklist /svc``: which process holds which services.

Source: output-formats.md "tasklist /svc": the ruler of ``=`` gives the columns in every language, ``N/A`` is
translated, names of services are not, a list of services goes on below itself at column 35. From a Server 2012 R2:

>>> sample = '''
... Image Name                     PID Services
... ========================= ======== ============================================
... System Idle Process              0 N/A
... svchost.exe                    740 BrokerInfrastructure, DcomLaunch, LSM,
...                                    PlugPlay, Power, SystemEventsBroker
... svchost.exe                   1296 TermService
... '''
>>> for one in parse(Output(sample, 0, "screen")):
...     print(one.image, one.pid, one.services)
System Idle Process 0 ()
svchost.exe 740 ('BrokerInfrastructure', 'DcomLaunch', 'LSM', 'PlugPlay', 'Power', 'SystemEventsBroker')
svchost.exe 1296 ('TermService',)
"""

import itertools
import re
import unicodedata
from dataclasses import dataclass, replace

from serialfix.steps import Output, Unreadable
from serialfix.windows import paste
from serialfix.windows.paste import Line, Paste, Unread

_RULER = re.compile(r"[\s>|]*=+( =+)+\s*")
_CSV = re.compile(r'\s*"(?:[^"]|"")*"(?:,"(?:[^"]|"")*")+\s*')
_CELL = re.compile(r'"((?:[^"]|"")*)"')
_ROW = re.compile(r"(?P<image>\S(?:.{0,60}?\S)??)\s+(?P<pid>\d{1,10})(?:\s(?P<services>.*))?")
_SERVICE = re.compile(r"[^\s,\\/][^,\\/]{0,255}")
_NONE = frozenset(
    {
        "N/A",
        "N/D",
        "Nicht zutreffend",
        "Nie dotyczy",
        "暂缺",
        "不適用",
        "没有",
        "Н/Д",
        "Нет данных",
        "해당 없음",
        "該当なし",
    }
)
_IMAGE = re.compile(
    r".+\.(?:exe|com|scr|tmp|bin)|System|System Idle Process|Secure System|Registry|Memory Compression", re.IGNORECASE
)
_MODULE = re.compile(r".*\.(?:dll|exe|drv|ocx|cpl)", re.IGNORECASE)
_PROGRAMS = ("tasklist", "findstr", "find", "more")


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``services``: key names; empty where it has none, None where the output has no column for them."""

    image: str
    pid: int
    services: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Processes:
    """Every process of a paste, in order, and the lines that could not be read."""

    processes: tuple[Process, ...]
    unread: tuple[Unread, ...]


def parse(output: Output) -> tuple[Process, ...]:
    """Read the exact output of ``tasklist`` with or without /svc and /fo csv. Raises Unreadable for anything else."""
    if output.exit_code not in (0, None):
        raise Unreadable(f"tasklist ended with {output.exit_code}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    found = read_paste(output.text)
    paste.strictly(found.unread, "tasklist")
    return found.processes


def read_paste(text: str) -> Processes:
    """Read what a person pasted; other lines are in ``unread``. Raises Unreadable where there is no process at all."""
    lines = Paste.of(text)
    none = _NONE | _words_for_none(lines)
    found: list[Process] = []
    unread: list[Unread] = []
    columns: tuple[int, ...] = ()
    headings = _headings(lines)
    open_list: Line | None = None  # the line whose list of services ends with a comma
    attached = False  # whether an indented line could go on with the last process

    def close() -> None:
        if open_list is not None:
            unread.append(open_list.unread("its list of services ends in the middle"))

    for line in lines.lines:
        if line.role in ("blank", "noise"):
            continue
        if line.role in ("command", "elided"):
            close()
            open_list, attached = None, False
            if line.role == "elided":
                unread.append(line.unread("something was left out here"))
        elif _RULER.fullmatch(line.text):
            close()
            open_list, attached = None, False
            columns = tuple(part.start() for part in re.finditer("=+", line.text))
        elif line.number in headings:
            continue
        elif attached and (more := _continued(line, columns, none, promised=open_list is not None)) is not None:
            last = found[-1]
            if open_list is None or last.services is None:
                unread.append(line.unread("goes on with a list that has ended"))
                continue
            found[-1] = replace(last, services=(*last.services, *more))
            open_list = line if line.text.endswith(",") else None
        else:
            close()
            open_list, attached = None, False
            row = _row(line.text, columns, none)
            if isinstance(row, Process):
                found.append(row)
                attached = row.services is not None
                open_list = line if attached and line.text.endswith(",") else None
            elif row and not paste.starts_with_program(line.text, _PROGRAMS):
                unread.append(line.unread(row))
    close()
    if not found and not columns:
        raise Unreadable("there is no process that tasklist prints (image, process number, services)")
    return Processes(tuple(found), paste.in_order(unread))


def _row(text: str, columns: tuple[int, ...], none: frozenset[str]) -> Process | str:
    """The process in a line; or why there is none, empty for the heading of a CSV."""
    if _CSV.fullmatch(text):
        cells = [cell.replace('""', '"') for cell in _CELL.findall(text)]
        if not cells[1].isdecimal():
            return "" if not any(cell.isdecimal() for cell in cells) else "a row without a process number"
        return _process(cells[0], cells[1], cells[2] if len(cells) == 3 else None, none)
    if len(columns) >= 2:
        image, pid, services = (_cells(text, *span) for span in _spans(columns))
        if image.strip() and pid.strip().isdecimal() and services[:1] not in "0123456789":
            return _process(image.strip(), pid.strip(), services if len(columns) == 3 else None, none)
    found = _ROW.fullmatch(text.lstrip(" >|"))
    if found is None:
        return "not a row of tasklist"
    if not _looks_right(text, found):
        return "not a row of tasklist"
    services = (found["services"] or "").strip()
    rest = re.sub(r"\S+\s+\d+\s+[\d.,\s]+\s?\w+", "", services)
    if len(columns) > 3 or (services and not rest):
        return _process(found["image"], found["pid"], None, none)
    if not services or re.search(r"\d\s{2,}|\s{3,}", services):
        return "a row that is damaged or cut"
    return _process(found["image"], found["pid"], services, none)


def _looks_right(text: str, found: re.Match[str]) -> bool:
    """Without a ruler: the process number ends where tasklist puts it, or what stands before it is an image."""
    start = len(text) - len(text.lstrip(" >|"))
    return (text[start + 25 : start + 26] == " " and found.end("pid") == 34) or _IMAGE.fullmatch(
        found["image"]
    ) is not None


def _spans(columns: tuple[int, ...]) -> tuple[tuple[int, int | None], ...]:
    end = columns[2] if len(columns) > 2 else None
    return (columns[0], columns[1] - 1), (columns[1] - 1, end), (end or 0, None)


def _cells(text: str, start: int, end: int | None) -> str:
    """The characters in these columns of a window, where ideographs take two."""
    taken, column = [], 0
    for letter in text:
        if column >= start and (end is None or column < end):
            taken.append(letter)
        column += 2 if unicodedata.east_asian_width(letter) in "WF" else 1
    return "".join(taken)


def _process(image: str, pid: str, services: str | None, none: frozenset[str]) -> Process | str:
    if int(pid) > 0xFFFFFFFF:
        return "a process number that cannot be"
    if services is None:
        return Process(image, int(pid), None)
    names = _names(services, none)
    return names if isinstance(names, str) else Process(image, int(pid), names)


def _names(text: str, none: frozenset[str]) -> tuple[str, ...] | str:
    if text.strip() in none:
        return ()
    names = tuple(name.strip() for name in text.strip().removesuffix(",").split(","))
    if not all(_SERVICE.fullmatch(name) and not re.search(r"\s{2,}", name) for name in names):
        return "a list of services that is damaged"
    if any(_MODULE.fullmatch(name) for name in names):
        return "modules, not services: this is tasklist /m"
    if not all(name.isascii() for name in names):
        return "neither names of services nor a known word for none"
    return names


def _continued(line: Line, columns: tuple[int, ...], none: frozenset[str], *, promised: bool) -> tuple[str, ...] | None:
    """The services in a line below a list, or None. ``promised``: the line above ends with a comma."""
    names = _names(line.text, none)
    if isinstance(names, str):
        return None
    if line.indent >= (columns[2] - 1 if len(columns) > 2 else 20):
        return names
    # A wiki may have lost the indent.
    return names if promised and line.indent == 0 and not any(re.search(r"\s", name) for name in names) else None


def _headings(lines: Paste) -> frozenset[int]:
    """The line above each ruler, in whatever language it is."""
    texts = [line for line in lines.lines if line.role == "text"]
    return frozenset(
        above.number
        for above, line in itertools.pairwise(texts)
        if _RULER.fullmatch(line.text) and not re.search(r"\d", above.text)
    )


def _words_for_none(lines: Paste) -> frozenset[str]:
    """What stands for "no services" in this language: what the idle process and the kernel have."""
    words = set()
    for line in lines.lines:
        found = re.fullmatch(r"[\s>|]*(?:System Idle Process\s+0|System\s+4)\s(\S.*)", line.text)
        csv = re.fullmatch(r'\s*"(?:System Idle Process","0|System","4)","([^"]+)"\s*', line.text)
        if found or csv:
            words.add((found or csv)[1].strip())  # type: ignore[index]
    return frozenset(word for word in words if len(word) <= 20 and "," not in word)
