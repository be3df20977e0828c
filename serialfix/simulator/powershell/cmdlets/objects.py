"""Cmdlets on objects: select, filter, sort, measure, format, convert, write. Common knowledge."""

import re
from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from serialfix.simulator.powershell import constructors, formatting, operators
from serialfix.simulator.powershell.binding import Bound, Cmdlet
from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.formatting import Column
from serialfix.simulator.powershell.members import get
from serialfix.simulator.powershell.values import Block, Obj, Table, Value, custom, each, number, one, parse_date, text
from serialfix.simulator.powershell.values import truth as true
from serialfix.simulator.programs import Request, Sleep

Out = Generator[Request, str, list[Value]]


def _given(bound: Bound) -> list[Value]:
    return bound.given if not bound.first else each(bound.get("InputObject"))


def _property(bound: Bound, item: Value, wanted: Value) -> Generator[Request, str, tuple[str, Value]]:
    """Return a property's name and value: by name, by a block, by a table with n and e."""
    if isinstance(wanted, Table):
        keys = {text(key).lower()[:1]: value for key, value in wanted.items()}
        name, how = keys.get("n", keys.get("l", "")), keys.get("e")
        if isinstance(how, Block):
            return text(name) or how.text, one((yield from bound.evaluator.with_item(how, item)))
        return text(name) or text(how), get(bound.evaluator, item, text(how))
    if isinstance(wanted, Block):
        return wanted.text, one((yield from bound.evaluator.with_item(wanted, item)))
    name = text(wanted)
    if isinstance(item, Obj):
        name = next((key for key in [*item.properties, *item.hidden] if key.lower() == name.lower()), name)
    return name, get(bound.evaluator, item, name)


def _names(item: Value, wanted: list[Value]) -> list[Value]:
    """Replace wildcards by the properties they match."""
    found: list[Value] = []
    for each_one in wanted:
        if isinstance(each_one, str) and "*" in each_one and isinstance(item, Obj):
            found += [name for name in item.properties if operators.wildcard(each_one, name)]
        else:
            found.append(each_one)
    return found


def _select(bound: Bound) -> Out:
    values = list(_given(bound))
    if bound.get("Unique"):
        kept: list[Value] = []
        for value in values:
            if not any(text(value) == text(other) for other in kept):
                kept.append(value)
        values = kept
    skip = int(number(bound.get("Skip", 0)))
    values = values[skip:]
    if bound.get("First") is not None:
        values = values[: int(number(bound.get("First")))]
    if bound.get("Last") is not None:
        count = int(number(bound.get("Last")))
        values = values[-count:] if count else []
    if bound.get("Index") is not None:
        values = [values[int(number(i))] for i in each(bound.get("Index")) if int(number(i)) < len(values)]
    if bound.get("ExpandProperty") is not None:
        found: list[Value] = []
        for value in values:
            found += each(get(bound.evaluator, value, bound.text("ExpandProperty")))
        return found
    wanted = each(bound.get("Property"))
    if not wanted:
        return values
    made: list[Value] = []
    excluded = [name.lower() for name in bound.many("ExcludeProperty")]
    for value in values:
        properties: dict[str, Any] = {}
        for name in _names(value, wanted):
            key, found_value = yield from _property(bound, value, name)
            if key.lower() not in excluded:
                properties[key] = found_value
        made.append(custom(properties))
    return made


def _where(bound: Bound) -> Out:
    block = bound.get("FilterScript")
    found = []
    comparison = next((name for name in operators.COMPARISON if name in bound.values), None)
    for value in _given(bound):
        if isinstance(block, Block):
            keep = true(one((yield from bound.evaluator.with_item(block, value))))
        else:
            left = get(bound.evaluator, value, text(block) or bound.text("Property"))
            right = bound.get(comparison) if comparison else bound.get("Value")
            keep = true(operators.compare(comparison, left, right, lambda m: None)) if comparison else true(left)
        if keep:
            found.append(value)
    return found


def _foreach(bound: Bound) -> Out:
    block, found = bound.get("Process"), list[Value]()
    if isinstance(bound.get("Begin"), Block):
        found += yield from bound.evaluator.with_item(bound.get("Begin"), None)
    for value in _given(bound):
        if isinstance(block, Block):
            found += yield from bound.evaluator.with_item(block, value)
        else:
            found += each(get(bound.evaluator, value, text(block)))
    if isinstance(bound.get("End"), Block):
        found += yield from bound.evaluator.with_item(bound.get("End"), None)
    return found


class _Key:
    """Orders values as Sort-Object does: numbers and dates as such, texts in any case, nothing first."""

    def __init__(self, value: Value) -> None:
        self.value = value

    def __lt__(self, other: "_Key") -> bool:
        a, b = self.value, other.value
        if a is None or b is None:
            return a is None and b is not None
        if isinstance(a, (int, float)) and isinstance(b, (int, float)):
            return a < b
        if isinstance(a, datetime) and isinstance(b, datetime):
            return a < b
        return text(a).lower() < text(b).lower()


def _sort(bound: Bound) -> Out:
    wanted = each(bound.get("Property"))
    pairs: list[tuple[list[_Key], Value]] = []
    for value in _given(bound):
        keys = []
        for name in wanted:
            keys.append(_Key((yield from _property(bound, value, name))[1]))
        pairs.append((keys or [_Key(value)], value))
    pairs.sort(key=lambda pair: pair[0], reverse=bound.flag("Descending"))
    values = [value for _, value in pairs]
    if bound.flag("Unique"):
        kept: list[Value] = []
        for keys, value in pairs:
            shown = [text(key.value).lower() for key in keys]
            if not any(shown == seen for seen in (k for k, _ in kept)):
                kept.append((shown, value))
        values = [value for _, value in kept]
    return values


def _measure(bound: Bound) -> Out:
    yield from ()
    values = _given(bound)
    name = bound.text("Property")
    numbers = [number(get(bound.evaluator, v, name) if name else v) for v in values] if _sums(bound) else []
    return [
        Obj(
            "Microsoft.PowerShell.Commands.GenericMeasureInfo",
            {
                "Count": len(values),
                "Average": sum(numbers) / len(numbers) if bound.flag("Average") and numbers else None,
                "Sum": sum(numbers) if bound.flag("Sum") else None,
                "Maximum": max(numbers, default=None) if bound.flag("Maximum") else None,
                "Minimum": min(numbers, default=None) if bound.flag("Minimum") else None,
                "Property": name or None,
            },
        )
    ]


def _sums(bound: Bound) -> bool:
    return any(bound.flag(name) for name in ("Sum", "Average", "Maximum", "Minimum"))


def _format(bound: Bound, *, as_list: bool) -> Out:
    width = int(number(bound.get("Width", bound.evaluator.shared.width)))
    wanted = each(bound.get("Property"))
    values = _given(bound)
    rows: list[Obj] = []
    names: list[str] = []
    for value in values:
        if not isinstance(value, Obj):
            if isinstance(value, Table):
                rows += [Obj("Entry", {"Name": key, "Value": item}) for key, item in value.items()]
                names = ["Name", "Value"]
                continue
            rows.append(Obj("Text", {}, text(value)))
            continue
        chosen = _names(value, wanted) if wanted else _shown_names(value, as_list=as_list)
        made: dict[str, Any] = {}
        for each_name in chosen:
            key, found = yield from _property(bound, value, each_name)
            made[key] = found
        rows.append(Obj(value.kind, made, hidden={"PSParentPath": value.get("PSParentPath")}))
        names = list(made)
    if not rows:
        return []
    if not names:
        return [row.text for row in rows]
    if as_list:
        return [formatting.rendered(formatting.listing(rows, names, width))]
    known = {column.name: column for column in formatting._TABLES.get(rows[0].kind, ())}
    auto = bound.flag("AutoSize") or bound.flag("Wrap")
    columns = tuple(known[name] if name in known and not auto and not wanted else Column(name) for name in names)
    laid = formatting.table(rows, columns, width)
    if bound.flag("HideTableHeaders"):
        laid = [laid[0], *laid[3:]]
    return [formatting.rendered(laid)]


def _shown_names(value: Obj, *, as_list: bool) -> list[Value]:
    short = {
        "System.Security.Cryptography.X509Certificates.X509Certificate2": [
            "Subject", "Issuer", "Thumbprint", "FriendlyName", "NotBefore", "NotAfter", "Extensions",
        ],
        "System.ServiceProcess.ServiceController": [
            "Name", "DisplayName", "Status", "DependentServices", "ServicesDependedOn", "CanPauseAndContinue",
            "CanShutdown", "CanStop", "ServiceType",
        ],
    }  # fmt: skip
    if as_list:
        return list(short.get(value.kind, value.properties))
    columns = formatting._TABLES.get(value.kind)
    return [column.name for column in columns] if columns else list(value.properties)


def _format_list(bound: Bound) -> Out:
    return (yield from _format(bound, as_list=True))


def _format_table(bound: Bound) -> Out:
    return (yield from _format(bound, as_list=False))


def _out_string(bound: Bound) -> Out:
    yield from ()
    width = int(number(bound.get("Width", bound.evaluator.shared.width)))
    found = formatting.lines(_given(bound), width)
    return list(found) if bound.flag("Stream") else ["".join(line + "\r\n" for line in found)]


def _out_null(bound: Bound) -> Out:
    yield from ()
    del bound
    return []


def _out_host(bound: Bound) -> Out:
    yield from ()
    for line in formatting.lines(_given(bound), bound.evaluator.shared.width):
        bound.evaluator.shared.streams.out(line + "\r\n")
    return []


def _out_file(bound: Bound) -> Out:
    yield from ()
    path = bound.text("FilePath") or bound.text("LiteralPath")
    encoding = bound.text("Encoding", "unicode").lower()
    from serialfix.simulator.powershell import members

    width = int(number(bound.get("Width", bound.evaluator.shared.width)))
    data = "".join(line + "\r\n" for line in formatting.lines(_given(bound), width))
    data = data.removesuffix("\r\n") if bound.flag("NoNewline") else data
    members.write_text(bound.evaluator, path, data, encoding, append=bound.flag("Append"))
    return []


def _json(bound: Bound) -> Out:
    yield from ()
    values = _given(bound)
    depth = int(number(bound.get("Depth", 2)))
    if not values:
        return []
    return [formatting.to_json(values[0] if len(values) == 1 else values, depth, compress=bound.flag("Compress"))]


def _csv(bound: Bound) -> Out:
    yield from ()
    values = [value for value in _given(bound) if isinstance(value, Obj)]
    if not values:
        return []
    names = list(values[0].properties)
    mark = bound.text("Delimiter", ",")
    head = [] if bound.flag("NoTypeInformation") else [f"#TYPE {values[0].kind}"]
    rows = [names] + [[text(value.get(name)) for name in names] for value in values]
    return head + [mark.join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]


def _write_output(bound: Bound) -> Out:
    yield from ()
    return each(bound.get("InputObject")) if bound.first else bound.given


def _write_host(bound: Bound) -> Out:
    yield from ()
    values = each(bound.get("Object")) if bound.first else bound.given
    end = "" if bound.flag("NoNewline") else "\r\n"
    bound.evaluator.shared.streams.out((text(bound.get("Separator", " "))).join(text(v) for v in values) + end)
    return []


def _write_error(bound: Bound) -> Out:
    yield from ()
    said = bound.text("Message")
    bound.fail(Record(said, "NotSpecified", ":", "Write-Error", "WriteErrorException",
                      "Microsoft.PowerShell.Commands.WriteErrorException"))  # fmt: skip
    return []


def _write_warning(bound: Bound) -> Out:
    yield from ()
    bound.evaluator.shared.streams.out(f"WARNING: {bound.text('Message')}\r\n")
    return []


def _select_string(bound: Bound) -> Out:
    yield from ()
    patterns, found = bound.many("Pattern"), []
    for line in formatting.lines(_given(bound), bound.evaluator.shared.width):
        simple, flags = bound.flag("SimpleMatch"), 0 if bound.flag("CaseSensitive") else re.IGNORECASE
        hit = any(re.search(re.escape(p) if simple else p, line, flags) for p in patterns)
        if hit != bound.flag("NotMatch"):
            found.append(Obj("Microsoft.PowerShell.Commands.MatchInfo", {"Line": line}, line))
    return [*found]


def _new_object(bound: Bound) -> Out:
    kind = bound.text("TypeName").lower()
    if constructors.known(kind):
        made = constructors.construct(bound.evaluator, bound.text("TypeName"), each(bound.get("ArgumentList")))
        return [(yield from made) if isinstance(made, Generator) else made]
    if kind not in {"psobject", "pscustomobject", "system.management.automation.psobject", "object"}:
        name = bound.text("TypeName")
        raise Thrown(Record(f"Cannot find type [{name}]: verify that the assembly containing this type is loaded.",
                            "InvalidType", ":", "New-Object", "PSArgumentException",
                            "TypeNotFound,Microsoft.PowerShell.Commands.NewObjectCommand"))  # fmt: skip
    given = bound.get("Property")
    return [custom({text(key): value for key, value in given.items()} if isinstance(given, Table) else {})]


def _get_date(bound: Bound) -> Out:
    yield from ()
    when = parse_date(bound.get("Date")) if bound.get("Date") is not None else bound.evaluator.vm.clock()
    if bound.get("Format") is not None:
        return [operators.format_one(when, bound.text("Format"))]
    if bound.get("UFormat") is not None:
        return [when.strftime(bound.text("UFormat"))]
    return [when]


def _sleep(bound: Bound) -> Out:
    seconds = float(number(bound.get("Seconds", 0))) + float(number(bound.get("Milliseconds", 0))) / 1000
    yield Sleep(max(0.0, seconds))
    return []


def _timespan(bound: Bound) -> Out:
    yield from ()
    names = ("Days", "Hours", "Minutes", "Seconds")
    return [timedelta(**{name.lower(): float(number(bound.get(name, 0))) for name in names})]


def _set_variable(bound: Bound) -> Out:
    yield from ()
    bound.evaluator.write(bound.text("Name"), bound.get("Value"))
    return []


def _get_variable(bound: Bound) -> Out:
    yield from ()
    value = bound.evaluator.read(bound.text("Name"))
    return (
        [value]
        if bound.flag("ValueOnly")
        else [Obj("System.Management.Automation.PSVariable", {"Name": bound.text("Name"), "Value": value})]
    )


_IN, _P = {"InputObject": True}, {"Property": True}
_WRITE = {"NoNewline": False, "Separator": True, "ForegroundColor": True, "BackgroundColor": True}
_COMPARE = dict.fromkeys(operators.COMPARISON, True)
CMDLETS = (
    Cmdlet("Select-Object", _IN | _P | {"First": True, "Last": True, "Skip": True, "Unique": False, "Index": True,
                                        "ExpandProperty": True, "ExcludeProperty": True}, ("Property",), _select),
    Cmdlet("Where-Object", _IN | _P | {"FilterScript": True, "Value": True} | _COMPARE, ("FilterScript", "Value"),
           _where),
    Cmdlet("ForEach-Object", _IN | {"Process": True, "Begin": True, "End": True}, ("Process",), _foreach),
    Cmdlet("Sort-Object", _IN | _P | {"Descending": False, "Unique": False}, ("Property",), _sort),
    Cmdlet("Measure-Object", _IN | _P | {"Sum": False, "Average": False, "Maximum": False, "Minimum": False},
           ("Property",), _measure),
    Cmdlet("Format-List", _IN | _P | {"Force": False}, ("Property",), _format_list),
    Cmdlet("Format-Table", _IN | _P | {"AutoSize": False, "Wrap": False, "HideTableHeaders": False}, ("Property",),
           _format_table),
    Cmdlet("Out-String", _IN | {"Width": True, "Stream": False}, (), _out_string),
    Cmdlet("Out-Null", _IN, (), _out_null),
    Cmdlet("Out-Host", _IN | {"Paging": False}, (), _out_host),
    Cmdlet("Out-Default", _IN, (), _out_host),
    Cmdlet("Out-File", _IN | {"FilePath": True, "LiteralPath": True, "Encoding": True, "Append": False, "Force": False,
                              "Width": True, "NoNewline": False}, ("FilePath", "Encoding"), _out_file),
    Cmdlet("ConvertTo-Json", _IN | {"Depth": True, "Compress": False}, ("InputObject",), _json),
    Cmdlet("ConvertTo-Csv", _IN | {"NoTypeInformation": False, "Delimiter": True}, ("InputObject",), _csv),
    Cmdlet("Write-Output", _IN | {"NoEnumerate": False}, ("InputObject",), _write_output),
    Cmdlet("Write-Host", {"Object": True} | _WRITE, ("Object",), _write_host),
    Cmdlet("Write-Error", {"Message": True}, ("Message",), _write_error),
    Cmdlet("Write-Warning", {"Message": True}, ("Message",), _write_warning),
    Cmdlet("Select-String", _IN | {"Pattern": True, "SimpleMatch": False, "CaseSensitive": False, "NotMatch": False},
           ("Pattern",), _select_string),
    Cmdlet("New-Object", {"TypeName": True, "ArgumentList": True, "Property": True, "Strict": False},
           ("TypeName", "ArgumentList"), _new_object),
    Cmdlet("Get-Date", {"Date": True, "Format": True, "UFormat": True}, ("Date",), _get_date),
    Cmdlet("Start-Sleep", {"Seconds": True, "Milliseconds": True}, ("Seconds",), _sleep),
    Cmdlet("New-TimeSpan", {"Days": True, "Hours": True, "Minutes": True, "Seconds": True}, (), _timespan),
    Cmdlet("Set-Variable", {"Name": True, "Value": True}, ("Name", "Value"), _set_variable),
    Cmdlet("Get-Variable", {"Name": True, "ValueOnly": False}, ("Name",), _get_variable),
)  # fmt: skip
