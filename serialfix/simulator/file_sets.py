"""Files as programs read them: wildcards, text out of bytes, the fields ``for /f`` cuts. Common knowledge."""

import re
from fnmatch import translate

from serialfix.simulator.filesystem import Entry, absolute, parent
from serialfix.simulator.vm import Vm


def decode(data: bytes) -> str:
    """Return a file's text: UTF-16 or UTF-8 by its mark, else the OEM code page 437."""
    if data.startswith(b"\xff\xfe"):
        return data[2:].decode("utf-16-le", "replace")
    if data.startswith(b"\xef\xbb\xbf"):
        return data[3:].decode("utf-8", "replace")
    return data.decode("cp437")


def matching(vm: Vm, pattern: str, cwd: str, *, deep: bool = False) -> list[Entry]:
    """Return what a path with or without wildcards names, sorted as NTFS does; ``deep`` looks below too."""
    path = absolute(pattern, cwd)
    folder, name = parent(path), path.rsplit("\\", 1)[-1]
    if not deep and not set("*?") & set(name):
        entry = vm.files.find(path)
        return [entry] if entry else []
    name = "*" if name == "*.*" else name
    match = re.compile(translate(name.replace("[", "[[]")), re.IGNORECASE)
    found = [entry for entry in vm.files.inside(folder) if match.fullmatch(entry.name)]
    if deep:
        for sub in vm.files.inside(folder):
            if sub.data is None:
                found += matching(vm, name, sub.path, deep=True)
    return found


def for_f(text: str, options: str, name: str) -> list[dict[str, str]]:
    """Cut text as ``for /f "options" %name`` does; return the variables of each round.

    >>> for_f("a b c", "tokens=2,3", "i")
    [{'i': 'b', 'j': 'c'}]
    """
    skip = int(m[1]) if (m := re.search(r"(?i)skip=(\d+)", options)) else 0
    eol = m[1] if (m := re.search(r"(?i)eol=(.)", options)) else ";"
    delimiters = m[1] if (m := re.search(r"(?i)delims=(.*?)(?= (?:tokens|skip|eol|usebackq)|$)", options)) else " \t"
    wanted: list[int] = []
    rest = False
    for part in (m[1] if (m := re.search(r"(?i)tokens=([\d,*-]+)", options)) else "1").split(","):
        if part.endswith("*"):
            rest, part = True, part[:-1]  # noqa: PLW2901
        if part:
            low, _, high = part.partition("-")
            wanted += range(int(low), int(high or low) + 1)
    rounds: list[dict[str, str]] = []
    for line in text.splitlines()[skip:]:
        if not line or (line.startswith(eol) and eol not in delimiters):
            continue
        fields = (
            [m.span() for m in re.finditer(f"[^{re.escape(delimiters)}]+", line)] if delimiters else [(0, len(line))]
        )
        if not fields:
            continue
        values: dict[str, str] = {}
        letter = ord(name)
        for index in wanted:
            values[chr(letter)] = line[slice(*fields[index - 1])] if index <= len(fields) else ""
            letter += 1
        if rest:
            last = max(wanted, default=0)
            values[chr(letter)] = line[fields[last][0] :] if last < len(fields) else ""
        if next(iter(values.values()), ""):
            rounds.append(values)
    return rounds
