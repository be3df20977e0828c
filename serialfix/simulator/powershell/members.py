"""Members of values: properties, methods, elements, casts and the .NET classes this simulator knows.

What there is stands in INSTANCE, STATIC and CASTS, from which docs/simulated-powershell.md is made. Common knowledge.
"""

import base64
import hashlib
import ipaddress
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from serialfix.simulator import security
from serialfix.simulator.file_sets import decode
from serialfix.simulator.filesystem import absolute
from serialfix.simulator.powershell import ssl_stream
from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.values import (
    Block,
    Obj,
    Table,
    Value,
    date_text,
    each,
    number,
    parse_date,
    text,
    truth,
    type_name,
)

if TYPE_CHECKING:
    from serialfix.simulator.powershell.evaluator import Evaluator


class Char(str):
    """One character: a text that becomes its number."""

    __slots__ = ()


ENCODINGS = {
    "utf8": "utf-8",
    "unicode": "utf-16-le",
    "ascii": "ascii",
    "default": "cp1252",
    "oem": "cp437",
    "utf32": "utf-32-le",
    "bigendianunicode": "utf-16-be",
}


def span(first: int, last: int) -> list[Value]:
    """Return ``first..last``."""
    step = 1 if last >= first else -1
    return list(range(first, last + step, step))


def element(target: Value, index: Value) -> Value:
    """Return ``target[index]``."""
    if isinstance(target, Table):
        return target.get(index)
    if isinstance(index, list):
        return [element(target, item) for item in index]
    if target is None:
        raise Thrown(
            Record("Cannot index into a null array.", "InvalidOperation", ":", "", "RuntimeException", "NullArray")
        )
    if isinstance(target, (list, str, bytes)):
        at = int(number(index))
        return target[at] if -len(target) <= at < len(target) else None
    return target if int(number(index)) in {0, -1} else None


def get(evaluator: "Evaluator", target: Value, name: str) -> Value:
    """Return ``target.name``: a property, a hashtable's key, or that of every element of an array."""
    low = name.lower()
    if isinstance(target, Obj) and target.has(name):
        return target.get(name)
    if isinstance(target, Table):
        if target.has(name):
            return target.get(name)
        return {
            "keys": [key for key, _ in target.items()],
            "values": [value for _, value in target.items()],
            "count": len(target.items()),
        }.get(low)
    if low in {"count", "length"} and not isinstance(target, (str, bytes)):
        return len(target) if isinstance(target, list) else 0 if target is None else 1
    if isinstance(target, list):
        found = [item for each_one in target for item in each(get(evaluator, each_one, name))]
        return None if not found else found[0] if len(found) == 1 else found
    if low == "length" and isinstance(target, (str, bytes)):
        return len(target)
    if isinstance(target, datetime):
        parts: dict[str, Value] = {"year": target.year, "month": target.month, "day": target.day, "hour": target.hour}
        parts |= {"minute": target.minute, "second": target.second, "dayofweek": f"{target:%A}"}
        parts["ticks"] = int((target - datetime(1, 1, 1, tzinfo=UTC)).total_seconds() * 10**7)
        return parts.get(low)
    if isinstance(target, timedelta):
        seconds = target.total_seconds()
        return {"days": target.days, "totaldays": seconds / 86400, "totalhours": seconds / 3600,
                "totalminutes": seconds / 60, "totalseconds": seconds}.get(low)  # fmt: skip
    return None


# -- methods --------------------------------------------------------------------------------------------------------

Method = Callable[["Evaluator", Value, list[Value]], Value]


def _split(evaluator: "Evaluator", target: Value, args: list[Value]) -> Value:
    del evaluator
    marks = (
        text(args[0]) if args and not isinstance(args[0], list) else "".join(text(a) for a in (args[0] if args else []))
    )
    found, piece = [], ""
    for character in text(target):
        if character in (marks or " "):
            found.append(piece)
            piece = ""
        else:
            piece += character
    return [*found, piece]


def _to_string(evaluator: "Evaluator", target: Value, args: list[Value]) -> Value:
    del evaluator
    if isinstance(target, datetime):
        return date_text(target, text(args[0]) if args else "")
    if args and isinstance(target, (int, float)):
        from serialfix.simulator.powershell.operators import format_one

        return format_one(target, text(args[0]))
    return text(target)


def _add_time(unit: str) -> Method:
    def add(evaluator: "Evaluator", target: Value, args: list[Value]) -> Value:
        del evaluator
        return parse_date(target) + timedelta(**{unit: float(number(args[0]))})

    return add


def _text(run: Callable[..., Value]) -> Method:
    """Make a method of a function on texts."""
    return lambda evaluator, target, args: run(text(target), *args)


def _substring(value: str, start: Value, length: Value = None) -> str:
    begin = int(number(start))
    if begin > len(value):
        raise Thrown(
            Record(
                'Exception calling "Substring" with "1" argument(s): "startIndex cannot be larger than length '
                'of string."',
                "NotSpecified",
                ":",
                "",
                "MethodInvocationException",
                "ArgumentOutOfRangeException",
            )
        )
    return value[begin:] if length is None else value[begin : begin + int(number(length))]


INSTANCE: dict[str, dict[str, Method]] = {
    "System.String": {
        "Trim": _text(lambda s, *a: s.strip(text(a[0]) if a else None)),
        "TrimStart": _text(lambda s, *a: s.lstrip(text(a[0]) if a else None)),
        "TrimEnd": _text(lambda s, *a: s.rstrip(text(a[0]) if a else None)),
        "ToUpper": _text(lambda s: s.upper()),
        "ToLower": _text(lambda s: s.lower()),
        "ToUpperInvariant": _text(lambda s: s.upper()),
        "ToLowerInvariant": _text(lambda s: s.lower()),
        "Replace": _text(lambda s, a, b: s.replace(text(a), text(b))),
        "Substring": _text(_substring),
        "StartsWith": _text(lambda s, a, *_: s.startswith(text(a))),
        "EndsWith": _text(lambda s, a, *_: s.endswith(text(a))),
        "Contains": _text(lambda s, a: text(a) in s),
        "IndexOf": _text(lambda s, a, *_: s.find(text(a))),
        "LastIndexOf": _text(lambda s, a: s.rfind(text(a))),
        "PadLeft": _text(lambda s, n, *a: s.rjust(int(number(n)), text(a[0]) if a else " ")),
        "PadRight": _text(lambda s, n, *a: s.ljust(int(number(n)), text(a[0]) if a else " ")),
        "Split": _split,
        "ToCharArray": _text(list),
    },
    "System.DateTime": {
        "ToUniversalTime": lambda evaluator, target, args: target,  # the VM's time zone is UTC
        "ToLocalTime": lambda evaluator, target, args: target,
        "AddSeconds": _add_time("seconds"),
        "AddMinutes": _add_time("minutes"),
        "AddHours": _add_time("hours"),
        "AddDays": _add_time("days"),
    },
    "System.Collections.Hashtable": {
        "ContainsKey": lambda evaluator, target, args: target.has(args[0]),
        "Add": lambda evaluator, target, args: target.set(args[0], args[1]),
        "Remove": lambda evaluator, target, args: target.remove(args[0]),
    },
    "System.Object[]": {
        "Contains": lambda evaluator, target, args: args[0] in target,
        "IndexOf": lambda evaluator, target, args: target.index(args[0]) if args[0] in target else -1,
    },
    "System.Object": {
        "ToString": _to_string,
        "Equals": lambda evaluator, target, args: target == args[0],
        "GetType": lambda evaluator, target, args: Obj(
            "System.RuntimeType", {"Name": type_name(target).rpartition(".")[2], "FullName": type_name(target)},
            type_name(target),
        ),
    },
}  # fmt: skip


def call(evaluator: "Evaluator", target: Value, name: str, args: list[Value]) -> Value:
    """Return ``target.name(args)``. Raises Thrown."""
    if target is None:
        raise Thrown(
            Record("You cannot call a method on a null-valued expression.", "InvalidOperation", ":", "",
                   "RuntimeException", "InvokeMethodOnNull")
        )  # fmt: skip
    if isinstance(target, Obj):
        _guard(evaluator, target.kind)
        for key, method in target.methods.items():
            if key.lower() == name.lower():
                try:
                    return method(*args)
                except TypeError:
                    raise _no_overload(name, args) from None
    for kind in (type_name(target), "System.Object"):
        for key, found in INSTANCE.get(kind, {}).items():
            if key.lower() == name.lower():
                try:
                    return found(evaluator, target, args)
                except (TypeError, IndexError):
                    raise _no_overload(name, args) from None
    if isinstance(target, list):
        return [call(evaluator, item, name, args) for item in target]
    raise Thrown(
        Record(f"Method invocation failed because [{type_name(target)}] does not contain a method named '{name}'.",
               "InvalidOperation", f"({name}:String)", "", "RuntimeException", "MethodNotFound")
    )  # fmt: skip


# -- casts ----------------------------------------------------------------------------------------------------------

CASTS = ("int", "long", "double", "string", "bool", "array", "char", "byte", "byte[]", "string[]", "int[]", "datetime",
         "void", "pscustomobject", "hashtable", "guid", "uint32", "object[]", "Net.IPAddress",
         "Net.Security.RemoteCertificateValidationCallback", "Security.Authentication.SslProtocols")  # fmt: skip
DELEGATES = {"net.security.remotecertificatevalidationcallback", "scriptblock"}


def _protocols(name: str, value: Value) -> int:
    try:
        return ssl_stream.protocols(value)
    except ValueError as problem:
        raise Thrown(
            Record(f'Cannot convert value "{text(value)}" to type "{name}". Error: "{problem}"', "InvalidArgument",
                   ":", "", "RuntimeException", "InvalidCastConstrained")
        ) from None  # fmt: skip


def ip_address(value: str) -> Obj:
    """Return a .NET address. Raises Thrown."""
    try:
        found = ipaddress.ip_address(value)
    except ValueError:
        raise Thrown(
            Record(f'Cannot convert value "{value}" to type "System.Net.IPAddress". Error: "An invalid IP address was '
                   'specified."', "InvalidArgument", ":", "", "RuntimeException", "InvalidCastParseTargetInvocation")
        ) from None  # fmt: skip
    family = "InterNetwork" if found.version == 4 else "InterNetworkV6"
    properties: dict[str, Value] = {"AddressFamily": family, "IPAddressToString": str(found)}
    return Obj("System.Net.IPAddress", properties, str(found))


def cast(name: str, value: Value) -> Value:
    """Return ``[name]value``. Raises Thrown."""
    low = name.lower().removeprefix("system.")
    if low in {"int", "int32", "long", "int64", "uint32", "uint64", "byte", "int16", "uint16"}:
        found = number(ord(value) if isinstance(value, Char) else value)
        return round(found)
    if low in {"double", "single", "float", "decimal"}:
        return float(number(value))
    if low == "string":
        return text(value)
    if low in {"bool", "boolean", "switch"}:
        return truth(value)
    if low == "byte[]":
        return value if isinstance(value, bytes) else bytes(int(number(item)) for item in each(value))
    if low.endswith("[]") or low == "array":
        inner = low.removesuffix("[]")
        return [item if inner in {"array", "object"} else cast(inner, item) for item in each(value)]
    if low == "datetime":
        return parse_date(value)
    if low == "char":
        return Char(chr(int(number(value))) if not isinstance(value, str) else value)
    if low == "void":
        return None
    if low == "guid":
        return str(UUID(text(value)))
    if low in DELEGATES:
        return value
    if low == "security.authentication.sslprotocols":
        return ssl_stream.named(_protocols(name, value))
    if low == "net.ipaddress":
        return ip_address(text(value))
    if low in {"pscustomobject", "psobject", "hashtable", "object", "xml", "ordered"}:
        return value
    raise Thrown(
        Record(f"Unable to find type [{name}].", "InvalidOperation", f"{name}:TypeName", "", "RuntimeException",
               "TypeNotFound")
    )  # fmt: skip


# -- classes ----------------------------------------------------------------------------------------------------------


def _path(evaluator: "Evaluator", name: Value) -> str:
    return absolute(text(name), r"C:\Windows\System32")


def _read(evaluator: "Evaluator", name: Value, *_: Value) -> bytes:
    path = _path(evaluator, name)
    entry = evaluator.vm.files.find(path)
    if entry is None or entry.data is None:
        raise _io("FileNotFoundException", f"Could not find file '{path}'.", "ReadAllBytes")
    if not evaluator.vm.files.may(evaluator.shared.shell.token, path, security.READ_DATA):
        raise _io("UnauthorizedAccessException", f"Access to the path '{path}' is denied.", "ReadAllBytes")
    return entry.data


def _io(kind: str, message: str, method: str) -> Thrown:
    said = f'Exception calling "{method}" with "1" argument(s): "{message}"'
    return Thrown(Record(said, "NotSpecified", ":", "", "MethodInvocationException", kind))


def write_text(evaluator: "Evaluator", name: str, data: str, encoding: str, *, append: bool = False) -> None:
    """Write a text file. Raises Thrown."""
    place = evaluator.shared.location if evaluator.shared.location[1:2] == ":" else "C:\\"
    write_file(evaluator, absolute(name, place), encoded(data, encoding, fresh=not append), append=append)


def encoded(data: str, encoding: str, *, fresh: bool = True) -> bytes:
    """Return text in an encoding as 5.1 names it, with its mark at a new file's beginning."""
    low = encoding.lower()
    mark = {"unicode": b"\xff\xfe", "utf8": b"\xef\xbb\xbf", "bigendianunicode": b"\xfe\xff"}.get(low, b"")
    return (mark if fresh else b"") + data.encode(ENCODINGS.get(low, "utf-16-le"), "replace")


def write_file(evaluator: "Evaluator", path: str, data: bytes, *, append: bool = False) -> None:
    """Write a file. Raises Thrown."""
    from serialfix.simulator.filesystem import parent

    files, token = evaluator.vm.files, evaluator.shared.shell.token
    there = files.find(path)
    target = path if there is not None else parent(path)
    if files.is_folder(parent(path)) and not files.may(token, target, 2):
        raise Thrown(Record(f"Access to the path '{path}' is denied.", "OpenError", ":", "out-file",
                            "UnauthorizedAccessException", "FileOpenFailure"))  # fmt: skip
    if not files.write(path, data, evaluator.vm.now, append=append):
        raise Thrown(Record(f"Could not find a part of the path '{path}'.", "OpenError", ":", "out-file",
                            "DirectoryNotFoundException", "FileOpenFailure"))  # fmt: skip


def access_object(evaluator: "Evaluator", path: str) -> Obj:
    """Return a security descriptor object, as Get-Acl and GetAccessControl give it. Raises Thrown."""
    from serialfix.simulator import sids
    from serialfix.simulator.commands.icacls import local_accounts

    files, vm = evaluator.vm.files, evaluator.vm
    if not files.may(evaluator.shared.shell.token, path, security.READ_CONTROL):
        raise Thrown(
            Record("Attempted to perform an unauthorized operation.", "PermissionDenied", f"{path}:String", "",
                   "UnauthorizedAccessException", "System.UnauthorizedAccessException")
        )  # fmt: skip
    found = files.descriptor(path)
    names, computer = local_accounts(vm), vm.name.upper()[:15]

    def name(sid: str) -> str:
        return sids.name_of(sid, names, computer)

    rules = [
        Obj(
            "System.Security.AccessControl.FileSystemAccessRule",
            {
                "FileSystemRights": _rights(ace.mask), "AccessControlType": "Allow" if ace.allow else "Deny",
                "IdentityReference": name(ace.sid), "IsInherited": "ID" in ace.flags, "InheritanceFlags": "None",
                "PropagationFlags": "None",
            },
        )
        for ace in found.aces
    ]  # fmt: skip
    made = Obj(
        "System.Security.AccessControl.FileSecurity",
        {
            "Path": f"Microsoft.PowerShell.Core\\FileSystem::{path}", "Owner": name(found.owner),
            "Group": name(found.group), "Access": rules, "Sddl": found.sddl(),
        },
        source=[found],
    )  # fmt: skip

    def set_sddl(sddl: Value, *_: Value) -> None:
        try:
            made.source[0] = security.parse(text(sddl))
        except security.BadSddl:
            raise _io("ArgumentException", "The SDDL form of a security descriptor object is invalid.",
                      "SetSecurityDescriptorSddlForm") from None  # fmt: skip
        made.properties["Sddl"] = made.source[0].sddl()

    made.methods = {
        "GetSecurityDescriptorSddlForm": lambda *_: made.source[0].sddl(),
        "SetSecurityDescriptorSddlForm": set_sddl,
        "GetOwner": lambda *_: name(made.source[0].owner),
    }
    return made


def _rights(mask: int) -> str:
    names = {security.FULL: "FullControl", security.READ: "Read, Synchronize", security.MODIFY: "Modify, Synchronize",
             security.READ_EXECUTE: "ReadAndExecute, Synchronize"}  # fmt: skip
    return names.get(mask, str(mask))


def set_access(evaluator: "Evaluator", path: str, wanted: Value) -> None:
    """Write a descriptor object to a file. Raises Thrown."""
    found = wanted.source[0] if isinstance(wanted, Obj) and isinstance(wanted.source, list) else None
    if found is None or not evaluator.vm.files.may(evaluator.shared.shell.token, path, security.WRITE_DAC):
        raise Thrown(
            Record("Attempted to perform an unauthorized operation.", "PermissionDenied", f"{path}:String", "",
                   "UnauthorizedAccessException", "System.UnauthorizedAccessException,SetAclCommand")
        )  # fmt: skip
    evaluator.vm.files.protect(path, found)


def _encoding(name: str) -> Obj:
    codec = ENCODINGS[name.lower()]
    return Obj(
        f"System.Text.{name}Encoding",
        {"EncodingName": name},
        methods={
            "GetBytes": lambda value: text(value).encode(codec, "replace"),
            "GetString": lambda value: cast("byte[]", value).decode(codec, "replace"),
        },
    )


def _hash(kind: str) -> Obj:
    def compute(data: Value) -> bytes:
        return hashlib.new(kind, cast("byte[]", data), usedforsecurity=False).digest()

    return Obj(
        f"System.Security.Cryptography.{kind.upper()}", {}, methods={"ComputeHash": compute, "Dispose": lambda: None}
    )


def _identity(evaluator: "Evaluator") -> Obj:
    token = evaluator.shared.shell.token
    user = Obj("System.Security.Principal.SecurityIdentifier", {"Value": token.user}, token.user)
    return Obj(
        "System.Security.Principal.WindowsIdentity",
        {"Name": token.name.upper() if token.is_system else token.name, "User": user, "IsSystem": token.is_system},
        token.name,
    )


def _out(evaluator: "Evaluator", *parts: Value) -> None:
    evaluator.shared.streams.out("".join(text(part) for part in parts))


def _from_base64(value: Value) -> bytes:
    try:
        return base64.b64decode(text(value), validate=True)
    except ValueError:
        raise _io("FormatException", "The input is not a valid Base-64 string as it contains a non-base 64 character, "
                  "more than two padding characters, or an illegal character among the padding characters. ",
                  "FromBase64String") from None  # fmt: skip


def _to_base64(e: "Evaluator", data: Value, *rest: Value) -> str:
    """Take all, ``(data, option)`` with 1 for lines of 76, or ``(data, offset, length)``."""
    whole = bytes(cast("byte[]", data))
    if len(rest) > 1:
        start = int(number(rest[0]))
        whole = whole[start : start + int(number(rest[1]))]
    shown = base64.b64encode(whole).decode()
    lines = len(rest) == 1 and text(rest[0]).lower() in {"1", "insertlinebreaks"}
    return "\r\n".join(shown[at : at + 76] for at in range(0, len(shown), 76)) if lines else shown


def _hex(e: "Evaluator", data: Value, start: Value = 0, length: Value = None) -> str:
    whole = bytes(cast("byte[]", data))[int(number(start)) :]
    return "-".join(f"{byte:02X}" for byte in (whole if length is None else whole[: int(number(length))]))


def _manager_protocols(e: "Evaluator") -> Value:
    """Return what web requests offer; SslStream does not ask for it."""
    return e.shared.statics.get("net.servicepointmanager::securityprotocol", ssl_stream.named(ssl_stream.default(e.vm)))


def _write_lines(e: "Evaluator", name: Value, lines: Value, *_: Value) -> None:
    write_file(e, _path(e, name), "".join(text(line) + "\r\n" for line in each(lines)).encode())


Static = Callable[..., Value]
STATIC: dict[str, dict[str, Static]] = {
    "Convert": {
        "ToBase64String": _to_base64,
        "FromBase64String": lambda e, data: _from_base64(data),
        "ToInt32": lambda e, value, *b: int(text(value), int(number(b[0]))) if b else round(number(value)),
        "ToString": lambda e, value, *b: (
            f"{int(number(value)):x}"
            if b and b[0] == 16
            else f"{int(number(value)):b}"
            if b and b[0] == 2
            else text(value)
        ),
    },
    "IO.File": {
        "ReadAllBytes": _read,
        "ReadAllText": lambda e, name, *_: decode(_read(e, name)),
        "ReadAllLines": lambda e, name, *_: decode(_read(e, name)).splitlines(),
        "WriteAllBytes": lambda e, name, data: write_file(e, _path(e, name), cast("byte[]", data)),
        "WriteAllText": lambda e, name, data, *_: write_file(e, _path(e, name), text(data).encode()),
        "WriteAllLines": _write_lines,
        "Exists": lambda e, name: (f := e.vm.files.find(_path(e, name))) is not None and f.data is not None,
        "Delete": lambda e, name: e.vm.files.delete(_path(e, name)) and None,
        "GetAccessControl": lambda e, name, *_: access_object(e, _existing(e, name)),
        "SetAccessControl": lambda e, name, wanted: set_access(e, _existing(e, name), wanted),
    },
    "IO.Directory": {
        "Exists": lambda e, name: e.vm.files.is_folder(_path(e, name)),
        "GetAccessControl": lambda e, name, *_: access_object(e, _existing(e, name)),
        "GetFiles": lambda e, name, *_: [f.path for f in e.vm.files.inside(_path(e, name)) if f.data is not None],
    },
    "IO.Path": {
        "Combine": lambda e, a, b: text(a).rstrip("\\") + "\\" + text(b),
        "GetFileName": lambda e, a: text(a).rpartition("\\")[2],
        "GetTempPath": lambda e: (e.shared.shell.environment.get("TEMP") or "") + "\\",
    },
    "Text.Encoding": {name: (lambda e, n=name: _encoding(n)) for name in ("UTF8", "Unicode", "ASCII", "Default")},
    "DateTime": {
        "Now": lambda e: e.vm.clock(),
        "UtcNow": lambda e: e.vm.clock(),
        "Today": lambda e: e.vm.clock().replace(hour=0, minute=0, second=0, microsecond=0),
        "Parse": lambda e, value, *_: parse_date(value),
    },
    "Environment": {
        "MachineName": lambda e: e.vm.name.upper()[:15],
        "UserName": lambda e: e.vm.user,
        "NewLine": lambda e: "\r\n",
        "OSVersion": lambda e: Obj(
            "System.OperatingSystem",
            {
                "Version": Obj(
                    "System.Version",
                    {"Major": 10, "Minor": 0, "Build": e.vm.edition.build, "Revision": 0},
                    f"10.0.{e.vm.edition.build}.0",
                )
            },
            f"Microsoft Windows NT 10.0.{e.vm.edition.build}.0",
        ),
        "Is64BitProcess": lambda e: True,
        "TickCount": lambda e: int((e.vm.now - e.vm.booted) * 1000) % 2**31,
        "GetEnvironmentVariable": lambda e, name, *_: e.shared.shell.environment.get(text(name)),
    },
    "Math": {
        "Min": lambda e, a, b: min(number(a), number(b)),
        "Max": lambda e, a, b: max(number(a), number(b)),
        "Floor": lambda e, a: math.floor(number(a)),
        "Ceiling": lambda e, a: math.ceil(number(a)),
        "Round": lambda e, a, *d: round(number(a), int(number(d[0])) if d else 0),
        "Abs": lambda e, a: abs(number(a)),
    },
    "Net.IPAddress": {
        "Loopback": lambda e: ip_address("127.0.0.1"),
        "IPv6Loopback": lambda e: ip_address("::1"),
        "Any": lambda e: ip_address("0.0.0.0"),  # noqa: S104 - shown, not bound to
        "Parse": lambda e, value: ip_address(text(value)),
    },
    "Net.ServicePointManager": {"SecurityProtocol": _manager_protocols},
    "Security.Authentication.SslProtocols": {
        name: (lambda e, n=name: ssl_stream.named(ssl_stream.NAMES[n]) if n in ssl_stream.names(e.vm) else None)
        for name in ssl_stream.NAMES
    },
    "Guid": {"NewGuid": lambda e: str(UUID(int=e.vm.random("guids").getrandbits(128), version=4))},
    "Security.Principal.WindowsIdentity": {"GetCurrent": lambda e, *_: _identity(e)},
    "String": {
        "IsNullOrEmpty": lambda e, value: not text(value),
        "IsNullOrWhiteSpace": lambda e, value: not text(value).strip(),
        "Join": lambda e, mark, *parts: text(mark).join(
            text(p) for p in (parts[0] if len(parts) == 1 and isinstance(parts[0], list) else parts)
        ),
        "Format": lambda e, form, *values: _format(form, values),
        "Empty": lambda e: "",
    },
    "Int32": {"MaxValue": lambda e: 2**31 - 1, "MinValue": lambda e: -(2**31)},
    "Console": {
        "Write": _out,
        "WriteLine": lambda e, *parts: _out(e, *parts, "\r\n"),
        "Out": lambda e: Obj(
            "System.IO.TextWriter",
            {},
            methods={
                "Write": lambda *p: _out(e, *p),
                "WriteLine": lambda *p: _out(e, *p, "\r\n"),
                "Flush": lambda: None,
            },
        ),
        "OutputEncoding": lambda e: Obj(
            "System.Text.OEMEncoding", {"EncodingName": "OEM United States", "CodePage": 437}
        ),
        "WindowWidth": lambda e: e.shared.width,
        "BufferWidth": lambda e: e.shared.width,
    },
    "BitConverter": {"ToString": _hex},
    "Security.Cryptography.SHA256": {"Create": lambda e: _hash("sha256")},
    "Security.Cryptography.SHA1": {"Create": lambda e: _hash("sha1")},
    "Security.Cryptography.MD5": {"Create": lambda e: _hash("md5")},
}
_SHORT = {"file": "io.file", "int": "int32", "text.utf8encoding": "text.encoding"}


def _format(form: Value, values: tuple[Value, ...]) -> str:
    from serialfix.simulator.powershell.operators import formatted

    return formatted(text(form), list(values))


def _existing(evaluator: "Evaluator", name: Value) -> str:
    path = _path(evaluator, name)
    if evaluator.vm.files.find(path) is None:
        raise _io("FileNotFoundException", f"Could not find file '{path}'.", "GetAccessControl")
    return path


def _class(name: str) -> dict[str, Static]:
    low = name.lower().removeprefix("system.")
    low = _SHORT.get(low, low)
    for known, table in STATIC.items():
        if known.lower() == low:
            return table
    raise Thrown(
        Record(f"Unable to find type [{name}].", "InvalidOperation", f"{name}:TypeName", "", "RuntimeException",
               "TypeNotFound")
    )  # fmt: skip


def static(evaluator: "Evaluator", name: str, member: str) -> Value:
    """Return ``[name]::member``. Raises Thrown."""
    _guard(evaluator, name)
    found = next((run for key, run in _class(name).items() if key.lower() == member.lower()), None)
    if found is None:
        return None
    try:
        return found(evaluator)
    except TypeError:  # a method named without its brackets
        return f"static {name} {member}()"


def set_static(evaluator: "Evaluator", name: str, member: str, value: Value) -> None:
    """Set ``[name]::member``. Raises Thrown."""
    _guard(evaluator, name)
    key = f"{name.lower().removeprefix('system.')}::{member.lower()}"
    if key not in SETTABLE:
        raise Thrown(Record(f"The property '{member}' cannot be found on this object. Verify that the property exists "
                            "and can be set.", "InvalidOperation", ":", "", "RuntimeException",
                            "PropertyNotFound"))  # fmt: skip
    protocol = key.endswith("securityprotocol")
    evaluator.shared.statics[key] = ssl_stream.named(_protocols(name, value)) if protocol else value


SETTABLE = ("net.servicepointmanager::securityprotocol", "net.servicepointmanager::servercertificatevalidationcallback")


def call_static(evaluator: "Evaluator", name: str, member: str, args: list[Value]) -> Value:
    """Return ``[name]::member(args)``, or a generator that does while time passes. Raises Thrown."""
    from serialfix.simulator.powershell import constructors

    if member.lower() == "new" and constructors.known(name):
        return constructors.construct(evaluator, name, args)
    _guard(evaluator, name)
    found = next((run for key, run in _class(name).items() if key.lower() == member.lower()), None)
    if found is None:
        raise Thrown(
            Record(f"Method invocation failed because [System.{name}] does not contain a method named '{member}'.",
                   "InvalidOperation", f"({member}:String)", "", "RuntimeException", "MethodNotFound")
        )  # fmt: skip
    try:
        return found(evaluator, *args)
    except TypeError:
        raise _no_overload(member, args) from None


def _no_overload(method: str, arguments: list[Value]) -> Thrown:
    return Thrown(
        Record(f'Cannot find an overload for "{method}" and the argument count: "{len(arguments)}".',
               "NotSpecified", ":", "", "MethodException", "MethodCountCouldNotFindBest")
    )  # fmt: skip


_CORE = {"string", "int32", "int", "datetime", "guid", "convert", "math"}


def _guard(evaluator: "Evaluator", name: str) -> None:
    """Refuse what ConstrainedLanguage refuses: methods of all but the core types (rdp-repair.md 0a.13)."""
    if evaluator.shared.mode == "ConstrainedLanguage" and name.lower().removeprefix("system.") not in _CORE:
        raise Thrown(
            Record("Cannot invoke method. Method invocation is supported only on core types in this language mode.",
                   "InvalidOperation", ":", "", "RuntimeException", "MethodInvocationNotSupportedInConstrainedLanguage")
        )  # fmt: skip


__all__ = ["CASTS", "INSTANCE", "STATIC", "Block", "call", "call_static", "cast", "element", "get", "span", "static"]
