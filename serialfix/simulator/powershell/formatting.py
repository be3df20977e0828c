"""How PowerShell 5.1 shows objects: tables, lists, JSON, at the console's width.

Tables as in the real outputs get-service/01, get-childitem-cert/02, get-process/02, get-nettcpconnection/01; columns
that do not fit are dropped without a word, long values end in ``...``, a list's values go on under themselves and break
inside words (output-formats.md).
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from serialfix.simulator.powershell.values import Block, Obj, Table, Value, shown, text

_CUSTOM = "System.Management.Automation.PSCustomObject"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: its heading, its width (0: as wide as it must be), where its cells stand."""

    name: str
    width: int = 0
    right: bool = False


_TABLES: dict[str, tuple[Column, ...]] = {
    "System.ServiceProcess.ServiceController": (Column("Status", 8), Column("Name", 18), Column("DisplayName", 38)),
    "System.Security.Cryptography.X509Certificates.X509Certificate2": (Column("Thumbprint", 41), Column("Subject", 37)),
    "System.Diagnostics.Process": (
        Column("Handles", 7, right=True),
        Column("NPM(K)", 7, right=True),
        Column("PM(K)", 8, right=True),
        Column("WS(K)", 10, right=True),
        Column("CPU(s)", 10, right=True),
        Column("Id", 6, right=True),
        Column("SI", 3, right=True),
        Column("ProcessName", 20),
    ),
    "NetTCPConnection": (
        Column("LocalAddress", 35),
        Column("LocalPort", 9),
        Column("RemoteAddress", 35),
        Column("RemotePort", 10),
        Column("State", 11),
        Column("AppliedSetting", 14),
        Column("OwningProcess", 13),
    ),
    "System.IO.FileInfo": (
        Column("Mode", 13),
        Column("LastWriteTime", 22, right=True),
        Column("Length", 14, right=True),
        Column("Name", 26),
    ),
    "System.Management.Automation.PathInfo": (Column("Path"),),
}
_TABLES["System.IO.DirectoryInfo"] = _TABLES["System.IO.FileInfo"]


def rendered(made: list[str]) -> Obj:
    """Return lines that are already laid out, as Format-List and Format-Table give them."""
    return Obj("Format", {}, source=made)


def lines(values: list[Value], width: int) -> list[str]:
    """Return the lines a console shows for a pipeline's output."""
    found: list[str] = []
    at = 0
    while at < len(values):
        value = values[at]
        if isinstance(value, Obj) and value.kind == "Format":
            found += value.source
        elif isinstance(value, Obj) and "shown" in value.hidden:
            found += value.hidden["shown"]
        elif isinstance(value, Table):
            found += table([_pair(key, item) for key, item in value.items()], _PAIRS, width)
        elif isinstance(value, Obj) and _simple(value):
            found.append(text(value))
        elif isinstance(value, Obj):
            end = at
            while end < len(values) and isinstance(values[end], Obj) and _alike(values[end], value):
                end += 1
            found += _objects([item for item in values[at:end] if isinstance(item, Obj)], width)
            at = end
            continue
        elif isinstance(value, (list, bytes)):
            found += lines(list(value), width)
        elif isinstance(value, datetime):
            found += ["", f"{value:%A, %B} {value.day}, {value.year} {shown(value).partition(' ')[2]}", "", ""]
        else:
            found += text(value).replace("\r\n", "\n").split("\n")
        at += 1
    return found


_PAIRS = (Column("Name", 30), Column("Value", 48))


def _pair(key: Value, value: Value) -> Obj:
    return Obj("Entry", {"Name": key, "Value": value})


def _simple(value: Obj) -> bool:
    return bool(value.text) and value.kind not in _TABLES and not value.kind.endswith("Rule")


def _alike(one: Obj, other: Obj) -> bool:
    return one.kind == other.kind and (one.kind != _CUSTOM or list(one.properties) == list(other.properties))


def _objects(values: list[Obj], width: int) -> list[str]:
    first = values[0]
    columns = _TABLES.get(first.kind)
    if columns is not None:
        head: list[str] = []
        parent = first.get("PSParentPath")
        if first.kind.endswith("X509Certificate2"):
            head = ["", "", f"   PSParentPath: {text(parent)}"]
        elif first.kind.startswith("System.IO."):
            head = ["", "", f"    Directory: {text(parent).partition('::')[2]}", ""]
        return [*head, *table(values, columns, width)]
    if len(first.properties) <= 4 and first.kind in {_CUSTOM, "Entry"}:
        return table(values, tuple(Column(name) for name in first.properties), width)
    return listing(values, list(first.properties), width)


def cell(value: Value) -> str:
    """Return a value as one cell or one line of a list shows it."""
    if isinstance(value, (list, bytes)):
        few = [shown(item) for item in list(value)[:4]]
        return "{" + ", ".join(few) + ("..." if len(value) > 4 else "") + "}"
    if isinstance(value, Table):
        return "{" + ", ".join(shown(key) for key, _ in value.items()) + "}"
    return shown(value)


def table(values: list[Obj], columns: tuple[Column, ...], width: int) -> list[str]:
    """Return a table: heading, ruler, one row per object; what does not fit is dropped."""
    cells = [[cell(value.get(column.name)) for column in columns] for value in values]
    widths = []
    rights = []
    for number, column in enumerate(columns):
        numbers = all(
            isinstance(v.get(column.name), (int, float)) and not isinstance(v.get(column.name), bool) for v in values
        )
        rights.append(column.right or (column.width == 0 and numbers))
        widths.append(column.width or max(len(column.name), *(len(row[number]) for row in cells)))
    shown_columns, used = 0, 0
    for each_width in widths:
        if shown_columns and used + each_width > width - 1:
            break
        used += each_width + 1
        shown_columns += 1
    if shown_columns < len(widths) and columns[shown_columns].width == 0 and width - 1 - used >= 8:
        widths[shown_columns] = width - 1 - used
        shown_columns += 1
    widths[0] = min(widths[0], width - 1)

    def row(parts: list[str]) -> str:
        laid = []
        for number in range(shown_columns):
            part, size = parts[number], widths[number]
            part = part if len(part) <= size else part[: max(0, size - 3)] + "..."
            laid.append(part.rjust(size) if rights[number] else part.ljust(size))
        return " ".join(laid).rstrip()

    ruler = ["-" * min(len(column.name), size) for column, size in zip(columns, widths, strict=True)]
    return ["", row([column.name for column in columns]), row(ruler), *(row(parts) for parts in cells), "", ""]


def listing(values: list[Obj], names: list[str], width: int) -> list[str]:
    """Return a list: one line per property, long values broken anywhere and going on under themselves."""
    label = max((len(name) for name in names), default=0)
    found: list[str] = ["", ""]
    for value in values:
        for name in names:
            rest = cell(value.get(name)).replace("\r\n", "\n").replace("\n", " ")
            room = max(10, width - 1 - label - 3)
            found.append(f"{name:{label}} : {rest[:room]}".rstrip() if not rest else f"{name:{label}} : {rest[:room]}")
            while rest := rest[room:]:
                found.append(" " * (label + 3) + rest[:room])
        found.append("")
    return [*found, "", ""]


def to_json(value: Value, depth: int, *, compress: bool) -> str:
    """Return JSON as 5.1 writes it: ``\\u0027`` for a quote, four blanks and two after a colon unless compressed."""
    plain = _plain(value, depth)
    made = json.dumps(plain, separators=(",", ":") if compress else (",", ":  "), indent=None if compress else 4)
    return (
        made.replace("'", "\\u0027")
        .replace("<", "\\u003c")
        .replace(">", "\\u003e")
        .replace("&", "\\u0026")
        .replace("\n", "\r\n")
    )


def _plain(value: Value, depth: int) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime):
        return f"/Date({int(value.timestamp() * 1000)})/"
    if depth < 0:
        return text(value)
    if isinstance(value, (list, bytes)):
        return [_plain(item, depth - 1) for item in value]
    if isinstance(value, Table):
        return {text(key): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, Obj):
        numbers = value.hidden.get("json", {})
        return {name: _plain(numbers.get(name, value.get(name)), depth - 1) for name in value.properties}
    return value.text if isinstance(value, Block) else text(value)
