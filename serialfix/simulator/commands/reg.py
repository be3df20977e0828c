r"""``reg.exe``: query, add, delete, export, import, with the real program's output.

A key line shows the key in the letter case it was asked in, below it as made; a value is four blanks, name, four
blanks, type, four blanks, data; DWORDs are hexadecimal, MULTI_SZ joined by ``\0`` (output-formats.md, reg query).
Error texts and questions are common knowledge. Which first lines and continuations ``reg import`` takes is known from
Wine's tests of reg, which are run on Windows too.
"""

import re
from dataclasses import dataclass, field

from serialfix.simulator.file_sets import decode
from serialfix.simulator.filesystem import absolute
from serialfix.simulator.programs import Process, Steps
from serialfix.simulator.registry import (
    REG_BINARY,
    REG_DWORD,
    REG_EXPAND_SZ,
    REG_MULTI_SZ,
    REG_NONE,
    REG_QWORD,
    REG_SZ,
    AccessDenied,
    Data,
    InvalidKeyName,
    Key,
    Value,
    long_name,
)

VERSION_5 = "Windows Registry Editor Version 5.00"
DONE = "The operation completed successfully."
KINDS = (REG_SZ, REG_MULTI_SZ, REG_EXPAND_SZ, REG_DWORD, REG_QWORD, REG_BINARY, REG_NONE)
NO_KEY = "ERROR: The system was unable to find the specified registry key or value."
_HEX = {REG_NONE: 0, REG_EXPAND_SZ: 2, REG_BINARY: 3, REG_MULTI_SZ: 7, REG_QWORD: 11}


class _Bad(Exception):
    """Wrong usage; str() is what reg says."""


@dataclass(slots=True)
class _Options:
    path: str = ""
    flags: set[str] = field(default_factory=set)
    values: dict[str, str] = field(default_factory=dict)
    rest: list[str] = field(default_factory=list)


def _options(args: list[str], verb: str, flags: set[str], taking: set[str]) -> _Options:
    found = _Options()
    usage = _Bad(f'ERROR: Invalid syntax.\r\nType "REG {verb.upper()} /?" for usage.')
    queue = list(args)
    while queue:
        arg = queue.pop(0)
        low = arg.lower().lstrip("-") if arg.startswith("-") else arg.lower()
        if low.startswith("/") and low[1:] in flags:
            if low[1:] in found.flags:
                raise usage
            found.flags.add(low[1:])
        elif low.startswith("/") and low[1:] in taking:
            if low[1:] == "f" and verb == "query" and not queue:
                raise usage
            if not queue and low[1:] != "v":
                raise usage
            found.values[low[1:]] = queue.pop(0) if queue else ""
        elif low.startswith("/"):
            raise usage
        else:
            found.rest.append(arg)
    if not found.rest:
        raise usage
    found.path = found.rest[0]
    return found


def shown(value: Value) -> str:
    """Return a value's data as ``reg query`` prints it."""
    data = value.data
    if isinstance(data, int):
        return f"0x{data:x}"
    if isinstance(data, tuple):
        return r"\0".join(data)
    return data.hex().upper() if isinstance(data, bytes) else data


def _row(value: Value) -> str:
    return f"    {value.name or '(Default)'}    {value.kind}" + (f"    {data}" if (data := shown(value)) else "")


def _key(process: Process, path: str) -> Key | None:
    return process.vm.registry.key(path, as_system=process.token.is_system)


def _query(process: Process, args: list[str]) -> int:
    options = _options(args, "query", {"s", "ve", "k", "d", "c", "e", "z"}, {"v", "f", "t", "se"})
    path = long_name(options.path)
    key = _key(process, path)
    if key is None:
        return process.fail(NO_KEY)
    if "f" in options.values:
        return _search(process, path, options)
    name = options.values.get("v", "" if "ve" in options.flags else None)
    kinds = {kind.upper() for kind in re.split(r"[\s,]+", options.values.get("t", "")) if kind}
    matches = 0
    keys = list(process.vm.registry.walk(path)) if "s" in options.flags else [(path, key)]
    for at, each in keys:
        values = [v for v in each.values.values() if not kinds or v.kind in kinds]
        if name is not None:
            values = [v for v in values if v.name.lower() == name.lower()]
            if "ve" in options.flags and not values and "s" not in options.flags:
                values = [Value("", REG_SZ, "(value not set)")]
            if not values:
                continue
        matches += len(values)
        if values or name is None:
            subs = [] if name is not None or "s" in options.flags else process.vm.registry.subkeys(at)
            if values or "s" in options.flags or not subs:
                process.line()
                process.line(at)
                for value in values:
                    process.line(_row(value))
            if subs:
                process.line()
                for sub in subs:
                    process.line(f"{at}\\{sub}")
    if name is not None and not matches:
        if "s" in options.flags:
            process.line()
            process.line("End of search: 0 match(es) found.")
            return 1
        return process.fail(NO_KEY)
    if name is not None and "s" in options.flags:
        process.line()
        process.line(f"End of search: {matches} match(es) found.")
    elif name is not None or "s" in options.flags or not process.vm.registry.subkeys(path):
        process.line()
    return 0


def _search(process: Process, path: str, options: _Options) -> int:
    wanted = options.values["f"]
    fold = "c" not in options.flags
    exact = "e" in options.flags
    everywhere = not options.flags & {"k", "d"} and "v" not in options.values
    kinds = {kind.upper() for kind in re.split(r"[\s,]+", options.values.get("t", "")) if kind}
    pattern = re.compile(re.escape(wanted).replace(r"\*", ".*").replace(r"\?", "."), re.IGNORECASE if fold else 0)

    def hit(text: str) -> bool:
        return bool(pattern.fullmatch(text) if exact else pattern.search(text))

    matches = 0
    top = process.vm.registry.key(path)
    below = list(process.vm.registry.walk(path)) if "s" in options.flags else [(path, top)]
    for at, key in below:
        if key is None:
            continue
        name_hit = (everywhere or "k" in options.flags) and at != path and not kinds and hit(at.rsplit("\\", 1)[-1])
        rows = []
        for value in key.values.values():
            if kinds and value.kind not in kinds:
                continue
            by_name = (everywhere or ("v" in options.values and not options.values["v"])) and hit(
                value.name or "(Default)"
            )
            in_named = (
                "v" in options.values
                and bool(options.values["v"])
                and value.name.lower() == options.values["v"].lower()
            )
            by_data = (everywhere or "d" in options.flags or in_named) and hit(shown(value))
            if by_name or (by_data and (not options.values.get("v") or in_named)):
                rows.append(value)
        if name_hit or rows:
            process.line()
            process.line(at)
            matches += len(rows) + name_hit
            for value in rows:
                process.line(_row(value))
    process.line()
    process.line(f"End of search: {matches} match(es) found.")
    return 0 if matches else 1


def parse_data(kind: str, text: str, separator: str = r"\0") -> Data:
    r"""Turn the text after ``/d`` into data. Raises ValueError.

    >>> parse_data("REG_DWORD", "0x10"), parse_data("REG_MULTI_SZ", r"a\0b"), parse_data("REG_BINARY", "0a")
    (16, ('a', 'b'), b'\n')
    """
    if kind in {REG_DWORD, REG_QWORD}:
        if not re.fullmatch(r"(0x[0-9a-fA-F]+|\d+)", text or "0"):
            raise ValueError(text)
        number = int(text or "0", 16 if text.lower().startswith("0x") else 10)
        if number >= 1 << (32 if kind == REG_DWORD else 64):
            raise ValueError(text)
        return number
    if kind in {REG_BINARY, REG_NONE}:
        return bytes.fromhex(("0" if len(text) % 2 else "") + text)
    if kind == REG_MULTI_SZ:
        parts = text.split(separator) if text else []
        while parts and not parts[-1]:
            parts.pop()
        if any(not part for part in parts):
            raise ValueError(text)
        return tuple(parts)
    return text


def _add(process: Process, args: list[str]) -> Steps:
    options = _options(args, "add", {"f", "ve"}, {"v", "t", "d", "s"})
    path = long_name(options.path)
    if len(options.rest) > 1:
        raise _Bad('ERROR: Invalid syntax.\r\nType "REG ADD /?" for usage.')
    if "\\" not in path:
        return process.fail("ERROR: Access is denied.")
    kind = options.values.get("t", REG_SZ).upper()
    if kind not in KINDS:
        raise _Bad("ERROR: Invalid syntax. Specify valid type for the '/t' option.\r\nType \"REG ADD /?\" for usage.")
    _key(process, path)
    if "v" not in options.values and "ve" not in options.flags:
        if options.values.keys() & {"t", "d"}:
            raise _Bad('ERROR: Invalid syntax.\r\nType "REG ADD /?" for usage.')
        process.vm.registry.create(path, as_system=process.token.is_system)
        process.line(DONE)
        return 0
    name = options.values.get("v", "")
    try:
        data = parse_data(kind, options.values.get("d", ""), options.values.get("s", r"\0"))
    except ValueError:
        number = "ERROR: Invalid syntax. Specify a numeric value for the '/d' option.\r\nType \"REG ADD /?\" for usage."
        return process.fail(number if kind in {REG_DWORD, REG_QWORD} else "ERROR: The parameter is incorrect.")
    key = _key(process, path)
    if key is not None and name.lower() in key.values and "f" not in options.flags:
        question = f"Value {name or '(Default)'} exists, overwrite(Yes/No)? "
        if not (yield from _yes(process, question)):
            return _canceled(process)
    process.vm.registry.set(path, name, kind, data, as_system=process.token.is_system)
    process.line(DONE)
    return 0


def _canceled(process: Process) -> int:
    process.line("The operation was canceled by the user.")
    return 0


def _yes(process: Process, question: str) -> Steps:
    """Ask until the answer is one; the end of redirected input counts as no."""
    while True:
        process.out(question)
        answer = (yield from process.read_line()).strip().lower()
        if process.stdin is not None:
            process.line()
        if answer in {"y", "yes"}:
            return 1
        if answer in {"n", "no"} or (process.stdin is not None and process.stdin.empty):
            return 0


def _delete(process: Process, args: list[str]) -> Steps:
    options = _options(args, "delete", {"f", "ve", "va"}, {"v"})
    path = long_name(options.path)
    if _key(process, path) is None:
        return process.fail(NO_KEY)
    force = "f" in options.flags
    registry = process.vm.registry
    if "v" in options.values or "ve" in options.flags:
        name = options.values.get("v", "")
        key = _key(process, path)
        if key is None or name.lower() not in key.values:
            return process.fail(NO_KEY)
        if not force and not (yield from _yes(process, f"Delete the registry value {name or '(Default)'} (Yes/No)? ")):
            return _canceled(process)
        registry.delete_value(path, name, as_system=process.token.is_system)
    elif "va" in options.flags:
        if not force and not (yield from _yes(process, f"Delete all values under the registry key {path} (Yes/No)? ")):
            return _canceled(process)
        for name in list((_key(process, path) or Key("")).values):
            registry.delete_value(path, name, as_system=process.token.is_system)
    else:
        if not force and not (yield from _yes(process, f"Permanently delete the registry key {path} (Yes/No)? ")):
            return _canceled(process)
        if not registry.delete_key(path, as_system=process.token.is_system):
            return process.fail("ERROR: Access is denied.")
    process.line(DONE)
    return 0


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _raw(value: Value) -> bytes:
    data = value.data
    if isinstance(data, int):
        return data.to_bytes(4 if value.kind == REG_DWORD else 8, "little")
    if isinstance(data, tuple):
        return ("".join(part + "\0" for part in data) + "\0").encode("utf-16-le")
    return data if isinstance(data, bytes) else (data + "\0").encode("utf-16-le")


def _exported(value: Value) -> str:
    head = _quoted(value.name) if value.name else "@"
    if value.kind == REG_SZ and isinstance(value.data, str):
        return f"{head}={_quoted(value.data)}"
    if value.kind == REG_DWORD and isinstance(value.data, int):
        return f"{head}=dword:{value.data:08x}"
    code = _HEX[value.kind]
    line = f"{head}=hex{'' if code == 3 else f'({code:x})'}:"
    lines = []
    for index, byte in enumerate(raw := _raw(value)):
        piece = f"{byte:02x}" + ("," if index + 1 < len(raw) else "")
        if len(line) + len(piece) > 78:
            lines.append(line + "\\")
            line = "  "
        line += piece
    return "\r\n".join([*lines, line])


def export_text(process: Process, path: str) -> str:
    """Return a key and all below it in the format of a .reg file."""
    parts = [f"{VERSION_5}\r\n"]
    for at, key in process.vm.registry.walk(path):
        parts.append("\r\n".join([f"[{at}]", *(_exported(value) for value in key.values.values()), ""]))
    return "\r\n".join(parts) + "\r\n"


def _export(process: Process, args: list[str]) -> Steps:
    options = _options(args, "export", {"y"}, set())
    if len(options.rest) != 2:
        raise _Bad('ERROR: Invalid syntax.\r\nType "REG EXPORT /?" for usage.')
    path = long_name(options.path)
    if _key(process, path) is None:
        return process.fail("ERROR: The system was unable to find the specified registry key or value.")
    target = absolute(options.rest[1], process.cwd)
    if process.vm.files.find(target) is not None and "y" not in options.flags:
        question = f"File {options.rest[1]} already exists. Overwrite (Yes/No)? "
        if not (yield from _yes(process, question)):
            return _canceled(process)
    data = b"\xff\xfe" + export_text(process, path).encode("utf-16-le")
    if not process.vm.files.write(target, data, process.vm.now):
        return process.fail("ERROR: Error writing to the file. There may be a disk or file system error.")
    process.line(DONE)
    return 0


def _import(process: Process, args: list[str]) -> int:
    options = _options(args, "import", set(), set())
    entry = process.vm.files.find(absolute(options.path, process.cwd))
    if entry is None or entry.data is None:
        return process.fail("ERROR: Error opening the file. There may be a disk or file system error.")
    first, _, text = decode(entry.data).lstrip(" \t").partition("\n")
    first = first.removesuffix("\r")
    if first != VERSION_5 and not first.startswith("REGEDIT"):
        return process.fail("ERROR: The specified file is not a registry script. You can import only registry files.")
    path: str | None = None
    # A first line that begins like the old form's, and goes on in another way, is taken for a file without content.
    for line in _joined(text) if first in (VERSION_5, "REGEDIT4") else ():
        if line.startswith("[-") and line.endswith("]"):
            process.vm.registry.delete_key(line[2:-1], as_system=process.token.is_system)
            path = None
        elif line.startswith("[") and line.endswith("]"):
            path = line[1:-1]
            process.vm.registry.create(path, as_system=process.token.is_system)
        elif path is not None and (match := re.match(r'(@|"(?:[^"\\]|\\.)*")=(.*)$', line.strip())):
            name = "" if match[1] == "@" else re.sub(r"\\(.)", r"\1", match[1][1:-1])
            _import_value(process, path, name, match[2].strip())
    # reg import says this on standard error: a known oddity of the real program
    process.err(DONE + "\r\n")
    return 0


def _joined(text: str) -> list[str]:
    """Return the lines, those that end with a backslash (and maybe a comment) put together with the next."""
    return re.sub(r"\\(?:;[^\n]*)?\r?\n", "", text).splitlines()


def _import_value(process: Process, path: str, name: str, text: str) -> None:
    registry = process.vm.registry
    if text == "-":
        registry.delete_value(path, name, as_system=process.token.is_system)
    elif text.startswith("dword:"):
        registry.set(path, name, REG_DWORD, int(text[6:], 16), as_system=process.token.is_system)
    elif match := re.match(r"hex(?:\(([0-9a-f]+)\))?:(.*)", text.replace(" ", ""), re.IGNORECASE):
        code, raw = int(match[1] or "3", 16), bytes.fromhex(match[2].replace(",", ""))
        kind = {4: REG_DWORD, 1: REG_SZ}.get(code) or next((k for k, c in _HEX.items() if c == code), REG_BINARY)
        data: Data = raw
        if kind in {REG_DWORD, REG_QWORD}:
            data = int.from_bytes(raw, "little")
        elif kind in {REG_EXPAND_SZ, REG_SZ}:
            data = raw.decode("utf-16-le", "replace").rstrip("\0")
        elif kind == REG_MULTI_SZ:
            data = tuple(part for part in raw.decode("utf-16-le", "replace").split("\0") if part)
        registry.set(path, name, kind, data, as_system=process.token.is_system)
    elif text.startswith('"') and text.endswith('"'):
        registry.set(path, name, REG_SZ, re.sub(r"\\(.)", r"\1", text[1:-1]), as_system=process.token.is_system)


_HELP = (
    "\r\nREG Operation [Parameter List]\r\n\r\n  Operation  [ QUERY   | ADD    | DELETE  | COPY    |\r\n"
    "               SAVE    | LOAD   | UNLOAD  | RESTORE |\r\n"
    "               COMPARE | EXPORT | IMPORT  | FLAGS ]\r\n\r\n"
    "Return Code: (Except for REG COMPARE)\r\n\r\n  0 - Successful\r\n  1 - Failed\r\n\r\n"
    "For help on a specific operation type:\r\n\r\n  REG Operation /?\r\n"
)


def reg(process: Process) -> Steps:
    """Run ``reg``."""
    args = process.args
    if not args or args[0] == "/?":
        if args:
            process.line(_HELP)
            return 0
        return process.fail('ERROR: Invalid syntax.\r\nType "REG /?" for usage.')
    verb = args[0].lower()
    try:
        if verb == "query":
            return _query(process, args[1:])
        if verb == "add":
            return (yield from _add(process, args[1:]))
        if verb == "delete":
            return (yield from _delete(process, args[1:]))
        if verb == "export":
            return (yield from _export(process, args[1:]))
        if verb == "import":
            return _import(process, args[1:])
    except _Bad as error:
        return process.fail(str(error))
    except InvalidKeyName:
        return process.fail(f'ERROR: Invalid key name.\r\nType "REG {verb.upper()} /?" for usage.')
    except AccessDenied:
        return process.fail("ERROR: Access is denied.")
    return process.fail('ERROR: Invalid syntax.\r\nType "REG /?" for usage.')
