"""PowerShell's operators on values. Common knowledge (about_Operators)."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from fnmatch import translate

from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.values import (
    Enum,
    Table,
    TypeName,
    Value,
    date_text,
    each,
    number,
    text,
    truth,
    type_name,
)

COMPARISON = (
    "eq", "ne", "gt", "ge", "lt", "le", "like", "notlike", "match", "notmatch", "contains", "notcontains", "in",
    "notin", "replace", "split", "join", "is", "isnot", "as",
)  # fmt: skip
BITWISE: dict[str, Callable[[int, int], int]] = {
    "band": lambda a, b: a & b,
    "bor": lambda a, b: a | b,
    "bxor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "shr": lambda a, b: a >> b,
}
SHORT_TYPES = {
    "int": "System.Int32", "int32": "System.Int32", "long": "System.Int64", "string": "System.String",
    "bool": "System.Boolean", "array": "System.Object[]", "datetime": "System.DateTime", "byte[]": "System.Byte[]",
    "hashtable": "System.Collections.Hashtable", "double": "System.Double", "char": "System.Char",
}  # fmt: skip


def wildcard(pattern: str, value: str) -> bool:
    """Say whether a PowerShell wildcard matches, in any case."""
    return re.fullmatch(translate(pattern), value, re.IGNORECASE) is not None


def add(left: Value, right: Value) -> Value:
    """Return ``left + right``."""
    if isinstance(left, list):
        return [*left, *(right if isinstance(right, list) else [right])]
    if isinstance(left, str):
        return left + text(right)
    if isinstance(left, Table) and isinstance(right, Table):
        return Table(dict([*left.items(), *right.items()]))
    if isinstance(left, datetime) and isinstance(right, timedelta):
        return left + right
    if left is None:
        return right
    return number(left) + number(right)


def arithmetic(sign: str, left: Value, right: Value) -> Value:
    """Return ``left sign right`` for + - * / %. Raises Thrown."""
    if sign == "+":
        return add(left, right)
    if sign == "*" and isinstance(left, str):
        return left * int(number(right))
    if sign == "*" and isinstance(left, list):
        return left * int(number(right))
    if sign == "-" and isinstance(left, datetime):
        return left - right if isinstance(right, (datetime, timedelta)) else left
    a, b = number(left), number(right)
    if sign == "-":
        return a - b
    if sign == "*":
        return a * b
    if b == 0:
        raise Thrown(Record("Attempted to divide by zero.", "NotSpecified", ":", "", "RuntimeException"))
    if sign == "%":
        return int(a - b * int(a / b)) if isinstance(a, int) and isinstance(b, int) else a % b
    result = a / b
    return int(result) if result == int(result) and isinstance(a, int) and isinstance(b, int) else result


def _order(left: Value, right: Value, *, fold: bool) -> int:
    if isinstance(left, datetime):
        from serialfix.simulator.powershell.values import parse_date

        other = parse_date(right)
        return (left > other) - (left < other)
    if isinstance(left, (int, float)) and not isinstance(left, bool) and not _named(left, right):
        a, b = number(left), number(right)
        return (a > b) - (a < b)
    c, d = text(left), text(right)
    if fold:
        c, d = c.lower(), d.lower()
    return (c > d) - (c < d)


def _named(left: Value, right: Value) -> bool:
    """Say whether a value of an enumeration is compared with a name."""
    return isinstance(left, Enum) and isinstance(right, str) and not right.strip().lstrip("-").isdigit()


def _equal(left: Value, right: Value, *, fold: bool) -> bool:
    if isinstance(left, bool):
        return left == truth(right)
    if left is None or right is None:
        return left is None and right is None
    try:
        return _order(left, right, fold=fold) == 0
    except Thrown:
        return False


def compare(name: str, left: Value, right: Value, matched: Callable[[re.Match[str]], None]) -> Value:
    """Return ``left -name right``. ``matched`` is told what -match found."""
    fold = not name.startswith("c") or name.startswith("contains")
    base = name[1:] if name[:1] in "ci" and name[1:] in COMPARISON else name
    flags = re.IGNORECASE if fold else 0
    if base in {"is", "isnot"}:
        wanted = right.name if isinstance(right, TypeName) else text(right)
        full = SHORT_TYPES.get(wanted.lower(), wanted)
        same = type_name(left).lower() in {full.lower(), "system." + full.lower()}
        return same == (base == "is")
    if base == "as":
        return left
    if base == "join":
        return text(right).join(text(item) for item in each(left))
    if base == "split":
        parts = right if isinstance(right, list) else [right]
        most = int(number(parts[1])) - 1 if len(parts) > 1 else 0
        return [
            piece
            for item in each(left)
            for piece in re.split(text(parts[0]), text(item), maxsplit=max(0, most), flags=flags)
        ]
    if base == "replace":
        parts = right if isinstance(right, list) else [right, ""]
        target = re.sub(r"\$(\d+)", r"\\g<\1>", text(parts[1]).replace("\\", "\\\\")) if len(parts) > 1 else ""
        done = [re.sub(text(parts[0]), target, text(item), flags=flags) for item in each(left)]
        return done if isinstance(left, list) else (done[0] if done else "")
    if base in {"contains", "notcontains"}:
        return any(_equal(item, right, fold=fold) for item in each(left)) == (base == "contains")
    if base in {"in", "notin"}:
        return any(_equal(item, left, fold=fold) for item in each(right)) == (base == "in")

    def test(item: Value) -> bool:
        if base in {"eq", "ne"}:
            return _equal(item, right, fold=fold) == (base == "eq")
        if base in {"like", "notlike"}:
            return wildcard(text(right), text(item)) == (base == "like")
        if base in {"match", "notmatch"}:
            found = re.search(text(right), text(item), flags)
            if found and base == "match" and not isinstance(left, list):
                matched(found)
            return (found is not None) == (base == "match")
        order = _order(item, right, fold=fold)
        return {"gt": order > 0, "ge": order >= 0, "lt": order < 0, "le": order <= 0}[base]

    if isinstance(left, list):
        return [item for item in left if test(item)]
    return test(left)


def formatted(template: str, values: list[Value]) -> str:
    """Return ``template -f values``. Raises Thrown."""

    def part(match: re.Match[str]) -> str:
        index, width, form = int(match[1]), match[2], match[3] or ""
        if index >= len(values):
            raise Thrown(
                Record(
                    "Error formatting a string: Index (zero based) must be greater than or equal to zero and less than "
                    "the size of the argument list..",
                    "InvalidOperation",
                    f"({template}:String)",
                    "",
                    "RuntimeException",
                    "FormatError",
                )
            )
        found = format_one(values[index], form)
        return found if not width else found.ljust(-int(width)) if width.startswith("-") else found.rjust(int(width))

    done = re.sub(r"\{(\d+)(?:,(-?\d+))?(?::([^}]*))?\}", part, template.replace("{{", "\0").replace("}}", "\1"))
    return done.replace("\0", "{").replace("\1", "}")


def format_one(value: Value, form: str) -> str:
    """Return a value in one of .NET's formats."""
    if isinstance(value, datetime):
        return date_text(value, form)
    match = re.fullmatch(r"([XxDdNnFfPp])(\d*)", form)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and match:
        kind, digits = match[1], int(match[2] or -1)
        if kind in "Xx":
            wide = int(value) & 0xFFFFFFFF if value < 0 else int(value)
            return f"{wide:0{max(digits, 0)}{kind}}"
        if kind in "Dd":
            return f"{int(value):0{max(digits, 0)}d}"
        places = 2 if digits < 0 else digits
        if kind in "Pp":
            return f"{value * 100:,.{places}f} %"
        return f"{value:,.{places}f}" if kind in "Nn" else f"{value:.{places}f}"
    return text(value)
