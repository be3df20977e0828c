"""PowerShell's values: objects with properties, hashtables, dates, and how each becomes text, a number or a truth.

Python's str, int, float, bool, None, list, bytes and datetime stand for themselves. Common knowledge (about_Type_
Conversion, .NET's standard formats).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from serialfix.simulator.powershell.errors import Record, Thrown

Value = Any


@dataclass(slots=True, eq=False)
class Obj:
    """An object: its .NET type, its properties in order, and what else it can do.

    ``text``: what it becomes as a string. ``hidden``: properties no output shows. ``source``: the thing behind it.
    """

    kind: str
    properties: dict[str, Value]
    text: str = ""
    hidden: dict[str, Value] = field(default_factory=dict)
    methods: dict[str, Callable[..., Value]] = field(default_factory=dict)
    source: Value = None

    def get(self, name: str) -> Value:
        """Return a property by its name in any case, None where there is none."""
        for table in (self.properties, self.hidden):
            for key, value in table.items():
                if key.lower() == name.lower():
                    return value() if callable(value) else value
        return None

    def has(self, name: str) -> bool:
        """Say whether there is such a property."""
        return any(key.lower() == name.lower() for key in (*self.properties, *self.hidden))

    def set(self, name: str, value: Value) -> None:
        """Write an existing property."""
        for table in (self.properties, self.hidden):
            for key in table:
                if key.lower() == name.lower():
                    table[key] = value
                    return
        raise Thrown(
            Record(
                f"The property '{name}' cannot be found on this object. Verify that the property exists and can be "
                f"set.",
                "InvalidOperation",
                ":",
                "",
                "RuntimeException",
                "PropertyNotFound",
            )
        )


@dataclass(slots=True, eq=False)
class Block:
    """A script block: its node and the tree it is in."""

    node: Value
    tree: Value
    text: str


@dataclass(slots=True, eq=False)
class TypeName:
    """A type literal, ``[int]``."""

    name: str


class Enum(int):
    """A value of an enumeration: a number that is shown by its name."""

    name: str
    kind: str

    def __new__(cls, number: int, name: str, kind: str) -> "Enum":
        """Make one of its number, its name and its .NET type."""
        made = super().__new__(cls, number)
        made.name, made.kind = name, kind
        return made

    def __str__(self) -> str:
        return self.name


class ByteArray(list[int]):
    """A byte[] that can be written to."""


class Table:
    """A hashtable: keys in any case, in the order they were written."""

    def __init__(self, items: dict[Value, Value] | None = None) -> None:
        self._items: dict[Value, tuple[Value, Value]] = {}
        for key, value in (items or {}).items():
            self.set(key, value)

    @staticmethod
    def _key(key: Value) -> Value:
        return key.lower() if isinstance(key, str) else key

    def get(self, key: Value) -> Value:
        """Return a value, None where there is none."""
        found = self._items.get(self._key(key))
        return found[1] if found else None

    def set(self, key: Value, value: Value) -> None:
        """Write a value."""
        self._items[self._key(key)] = (key, value)

    def remove(self, key: Value) -> None:
        """Take a key out."""
        self._items.pop(self._key(key), None)

    def has(self, key: Value) -> bool:
        """Say whether a key is there."""
        return self._key(key) in self._items

    def items(self) -> list[tuple[Value, Value]]:
        """Return all pairs."""
        return list(self._items.values())


def each(value: Value) -> list[Value]:
    """Return what a pipeline gets of a value: the elements of an array, nothing of None, else the value itself."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def one(values: list[Value]) -> Value:
    """Return what an expression gets of a pipeline's output: nothing, the one thing, or an array."""
    return None if not values else values[0] if len(values) == 1 else values


def truth(value: Value) -> bool:
    """Return a value as a condition sees it."""
    if isinstance(value, list):
        return len(value) > 1 or (len(value) == 1 and truth(value[0]))
    if isinstance(value, (Obj, Table, Block, TypeName, datetime)):
        return True
    return bool(value)


def text(value: Value) -> str:
    """Return a value as a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
    if isinstance(value, (list, bytes)):
        return " ".join(text(item) for item in value)
    if isinstance(value, datetime):
        return f"{value:%m/%d/%Y %H:%M:%S}"
    if isinstance(value, Obj):
        if value.kind == "System.Management.Automation.PSCustomObject" and not value.text:
            return "@{" + "; ".join(f"{name}={text(value.get(name))}" for name in value.properties) + "}"
        return value.text or value.kind
    if isinstance(value, Table):
        return "System.Collections.Hashtable"
    if isinstance(value, Block):
        return value.text
    return value.name if isinstance(value, TypeName) else str(value)


def shown(value: Value) -> str:
    """Return a value as output shows it: dates in the culture's way."""
    return long_date(value) if isinstance(value, datetime) else text(value)


def long_date(when: datetime) -> str:
    """Return a date in the way of en-US."""
    return f"{when.month}/{when.day}/{when.year} {when.hour % 12 or 12}:{when:%M:%S %p}"


def number(value: Value) -> int | float:
    """Return a value as a number. Raises Thrown."""
    if value is None:
        return 0
    if isinstance(value, (bool, int, float)):
        return value if not isinstance(value, bool) else int(value)
    if isinstance(value, str):
        plain = value.strip()
        if re.fullmatch(r"[+-]?0x[0-9a-f]+", plain, re.IGNORECASE):
            return int(plain, 16)
        if re.fullmatch(r"[+-]?\d+", plain):
            return int(plain)
        if re.fullmatch(r"[+-]?\d*\.\d+(e[+-]?\d+)?", plain, re.IGNORECASE):
            return float(plain)
        if not plain:
            return 0
    shown_value = text(value)
    raise Thrown(
        Record(
            f'Cannot convert value "{shown_value}" to type "System.Int32". Error: "Input string was not in a correct '
            'format."',
            "InvalidArgument",
            ":",
            "",
            "RuntimeException",
            "InvalidCastFromStringToInteger",
        )
    )


_DATE = {
    "yyyy": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "dddd": "%A", "ddd": "%a", "dd": "%d", "HH": "%H",
    "hh": "%I", "mm": "%M", "ss": "%S", "tt": "%p",
}  # fmt: skip


def date_text(when: datetime, form: str) -> str:
    """Return a date in one of .NET's standard or custom formats."""
    if form in {"", "G"}:
        return long_date(when)
    standard = {
        "s": "yyyy-MM-ddTHH:mm:ss", "u": "yyyy-MM-dd HH:mm:ssZ", "d": "M/d/yyyy", "t": "h:mm tt", "T": "h:mm:ss tt",
        "g": "M/d/yyyy h:mm tt", "o": "yyyy-MM-ddTHH:mm:ss.fffffffZ", "O": "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        "r": "ddd, dd MMM yyyy HH:mm:ss GMT", "R": "ddd, dd MMM yyyy HH:mm:ss GMT",
    }  # fmt: skip
    form = standard.get(form, form)

    def part(match: re.Match[str]) -> str:
        piece = match[0]
        if piece[0] in "'\"":
            return piece[1:-1]
        if piece == "yyyy":
            return f"{when.year:04d}"
        if piece in _DATE:
            return when.strftime(_DATE[piece])
        if piece[0] == "f":
            return f"{when.microsecond:06d}0"[: len(piece)]
        single = {"M": when.month, "d": when.day, "H": when.hour, "h": when.hour % 12 or 12, "m": when.minute}
        return str(single.get(piece, when.second))

    names = r"yyyy|yy|MMMM|MMM|MM|M|dddd|ddd|dd|d|HH|H|hh|h|mm|m|ss|s|tt|f{1,7}|'[^']*'"
    return re.sub(names, part, form) if form not in {"R", "r"} else form


def parse_date(value: Value) -> datetime:
    """Return a value as a date. Raises Thrown."""
    if isinstance(value, datetime):
        return value
    for form in ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%m/%d/%Y %H:%M:%S", "%m/%d/%Y", "%H:%M"):
        try:
            return datetime.strptime(text(value).rstrip("Z"), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise Thrown(
        Record(
            f'Cannot convert value "{text(value)}" to type "System.DateTime". Error: "String was not recognized as a '
            'valid DateTime."',
            "InvalidArgument",
            ":",
            "",
            "RuntimeException",
            "InvalidCastParseTargetInvocation",
        )
    )


def type_name(value: Value) -> str:
    """Return the .NET type of a value."""
    if isinstance(value, (Obj, Enum)):
        return value.kind
    names = (
        (ByteArray, "System.Byte[]"),
        (bool, "System.Boolean"), (int, "System.Int32"), (float, "System.Double"), (str, "System.String"),
        (list, "System.Object[]"), (bytes, "System.Byte[]"), (datetime, "System.DateTime"),
        (Table, "System.Collections.Hashtable"), (Block, "System.Management.Automation.ScriptBlock"),
    )  # fmt: skip
    return next((name for kind, name in names if isinstance(value, kind)), "System.Object")


def custom(properties: dict[str, Value]) -> Obj:
    """Return a custom object."""
    return Obj("System.Management.Automation.PSCustomObject", properties)
