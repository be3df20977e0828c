r"""What a person pasted of ``reg query``.

Source: output-formats.md "reg query" and "Distortions seen". Every value is read by ``registry``, which probes use on
exact output: a line is put into the exact form first, and what does not fit is said. Trimmed by a wiki:

>>> found = read_paste('''
... C:\\>reg query HKLM\\SYSTEM\\CurrentControlSet\\Services\\TermService
... HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\TermService
...   Start    REG_DWORD    0x3
...   DependOnService  REG_MULTI_SZ  RPCSS\\0TermDD
... the second one is old
... ''')
>>> for key, values in found.keys.items():
...     print(key, {value.name: content(value) for value in values})
HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\TermService {'Start': 3, 'DependOnService': ['RPCSS', 'TermDD']}
>>> found.unread
(Unread(line=6, text='the second one is old', why='not a line of reg query'),)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from serialfix.steps import Output, Unreadable
from serialfix.windows import paste, registry
from serialfix.windows.paste import Line, Paste, Unread
from serialfix.windows.registry import Value

_KEY = re.compile(r"[\s>|]*(?P<key>HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG)(?:\\.*)?)")
_VALUE = re.compile(
    r"(?P<indent>[\s>|]*)(?P<name>\S.*?)(?:\t| {2,})(?P<type>REG_[A-Z_0-9]+)(?:(?:\t| {2,}| (?=\S))(?P<data>.*))?"
)
_BARE = re.compile(r"(?P<indent>\s{4,})(?P<type>REG_[A-Z_0-9]+)(?:\s{2,}(?P<data>.*))?")
_TYPES = frozenset({
    "REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_LITTLE_ENDIAN", "REG_DWORD_BIG_ENDIAN",
    "REG_LINK", "REG_MULTI_SZ", "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR", "REG_RESOURCE_REQUIREMENTS_LIST",
    "REG_QWORD",
})  # fmt: skip
# "ERROR: text", with the word in the language of the VM; French has a blank before its colon.
_ERROR = re.compile(r"[^\W\d_]{2,12}\s?[:：] ?\S.*")
_COUNTED = re.compile(r"[^\d:]{5,40}[:：] ?\d+ [^\d]+")
_ROOT = "HKEY_LOCAL_MACHINE"
_PROGRAMS = ("reg", "findstr", "find")


@dataclass(frozen=True, slots=True)
class Pasted:
    """Keys as shown, each with its values in order; ``loose``: values whose key is not in the paste; error texts."""

    keys: Mapping[str, tuple[Value, ...]]
    loose: tuple[Value, ...]
    errors: tuple[str, ...]
    unread: tuple[Unread, ...]


def content(value: Value) -> int | str | list[str]:
    r"""What the value holds: a number, the strings of a REG_MULTI_SZ (``\0`` between them), or the text as shown."""
    if value.number is not None:
        return value.number
    if value.type == "REG_MULTI_SZ":
        return [part for part in value.data.split(r"\0") if part]
    return value.data


def read_paste(text: str) -> Pasted:
    """Read what a person pasted; other lines are in ``unread``. Raises Unreadable where nothing is reg's."""
    lines = Paste.of(text)
    keys: dict[str, dict[str, Value]] = {}
    loose: dict[str, Value] = {}
    errors: list[str] = []
    unread: list[Unread] = []
    values = loose
    begins = True  # after a command, a blank line or at the start: where an error may stand
    after_value: Line | None = None
    index = 0
    while index < len(lines.lines):
        line = lines.lines[index]
        index += 1
        text_ = line.text
        if line.role == "blank":
            begins, after_value = True, None
            continue
        if line.role == "noise":
            continue
        if line.role == "command" or paste.starts_with_program(text_, _PROGRAMS):
            values, begins, after_value = loose, True, None
            continue
        if line.role == "elided":
            # What follows may belong to another key whose line was left out.
            unread.append(line.unread("something was left out here"))
            values, begins, after_value = loose, False, None
            continue
        more = _broken(lines, index - 1)
        if more:
            text_ = next(text for count, text in lines.joined(index - 1) if count == more)
            index += more
        if found := _KEY.fullmatch(text_):
            name = found["key"].rstrip()
            shown = next((key for key in keys if registry.normal(key) == registry.normal(name)), name)
            values, after_value = keys.setdefault(shown, {}), None
        elif _VALUE.fullmatch(text_) or _BARE.fullmatch(text_):
            _read(line, text_, values, unread)
            after_value = line
        elif after_value is not None and _may_continue(lines, after_value, line):
            # A blank at the break was lost, or more; the data above is not known to be whole.
            unread.append(line.unread("seems to go on with the line above, but how is not to be known"))
            unread.append(after_value.unread("seems to go on below, but how is not to be known"))
            _forget(after_value, values)
            after_value = None
        elif begins and _ERROR.fullmatch(text_.strip()) and line.indent == 0 and not _COUNTED.fullmatch(text_):
            errors.append(text_.strip())
        elif not (begins and _COUNTED.fullmatch(text_.strip())):
            unread.append(line.unread("not a line of reg query"))
            after_value = None
        begins = False
    if not keys and not loose and not (errors and any(line.role == "command" for line in lines.lines)):
        raise Unreadable("there is no key and no value that reg query prints")
    return Pasted({key: tuple(found.values()) for key, found in keys.items()}, tuple(loose.values()), tuple(errors),
                  paste.in_order(unread))  # fmt: skip


def _read(line: Line, text: str, values: dict[str, Value], unread: list[Unread]) -> None:
    """One value, put into the exact form and read by the strict reader."""
    found = _VALUE.fullmatch(text)
    bare = _BARE.fullmatch(text) if found is None else None
    match = found or bare
    if match is None or match["type"] not in _TYPES:
        unread.append(line.unread("a type of value that does not exist: the line is damaged"))
        return
    name, data = (found["name"].strip() if found else ""), (match["data"] or "").strip(" ")
    try:
        exact = registry.parse(Output(f"{_ROOT}\n    {name}    {match['type']}    {data}\n", 0, "direct"))
    except Unreadable as error:
        unread.append(line.unread(str(error)))
        return
    value = next(iter(exact.keys[registry.normal(_ROOT)].values()))
    if paste.damaged(text):
        unread.append(line.unread("characters were lost when it was decoded"))
    before = values.pop(name.lower(), None)
    if before is not None and (before.type, before.data) != (value.type, value.data):
        unread.append(line.unread(f"shown before with other data ({before.data[:40]!r}); the later one is kept"))
    values[name.lower()] = value


def _broken(lines: Paste, index: int) -> int:
    """How many further lines a window made of this one: those that begin at its edge and are nothing of their own."""
    more = 0
    if not (_VALUE.fullmatch(lines.lines[index].text) or _KEY.fullmatch(lines.lines[index].text)):
        return 0
    for count, _ in lines.joined(index, 200):
        following, above = lines.lines[index + count], lines.lines[index + count - 1]
        filled = len(above.text) == lines.width
        if not filled or _KEY.fullmatch(following.text) or _VALUE.fullmatch(following.text):
            break
        more = count
    return more


def _may_continue(lines: Paste, above: Line, line: Line) -> bool:
    return lines.width is not None and line.indent == 0 and lines.width - 6 <= len(above.text) <= lines.width


def _forget(line: Line, values: dict[str, Value]) -> None:
    found = _VALUE.fullmatch(line.text)
    if found:
        values.pop(found["name"].strip().lower(), None)
