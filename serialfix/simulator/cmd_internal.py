"""The commands inside cmd.exe.

``echo`` leaves ERRORLEVEL alone, ``cd`` and ``set`` only raise it: common knowledge, as is every text here.
"""

import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from serialfix.simulator import cmd_batch, commands, security, sids
from serialfix.simulator.arithmetic import BadArithmetic, evaluate
from serialfix.simulator.cmd_streams import Exit, Streams
from serialfix.simulator.cmd_text import table
from serialfix.simulator.filesystem import Entry, absolute, parent
from serialfix.simulator.programs import Clear, ReadKey, ReadLine, Request, Title

if TYPE_CHECKING:
    from serialfix.simulator.cmd import Shell

Internal = Callable[["Shell", str, Streams], Generator[Request, str, int]]
NO_PATH, NO_FILE = "The system cannot find the path specified.", "The system cannot find the file specified."
SYNTAX = "The syntax of the command is incorrect."


def _fail(shell: "Shell", streams: Streams, text: str, code: int = 1) -> int:
    streams.err(text + "\r\n")
    shell.errorlevel = code
    return code


def _plain(run: Callable[["Shell", str, Streams], int]) -> Internal:
    """Make an internal command of a function that waits for nothing."""

    def steps(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
        yield from ()
        return run(shell, tail, streams)

    return steps


def _echo(shell: "Shell", tail: str, streams: Streams) -> int:
    text = tail[1:]
    word = tail.strip().lower()
    if word in {"on", "off"} and tail[:1].isspace():
        shell.echo = word == "on"
    elif not tail or (tail[:1] in " \t,;=" and not text.strip()):
        streams.out(f"ECHO is {'on' if shell.echo else 'off'}.\r\n")
    else:
        streams.out(text + "\r\n")
    return 0


def _cd(shell: "Shell", tail: str, streams: Streams) -> int:
    words = re.sub(r"(?i)^\s*/d\b", "", tail).strip().strip('"')
    if not words:
        streams.out(shell.cwd + "\r\n")
        return 0
    path = absolute(words, shell.cwd)
    entry = shell.vm.files.find(path)
    if entry is None or entry.data is not None:
        return _fail(shell, streams, NO_PATH if entry is None else "The directory name is invalid.")
    shell.cwd = path if path.lower() == r"c:\windows\system32" and words.lower() == words else _true_path(shell, path)
    return 0


def _true_path(shell: "Shell", path: str) -> str:
    """Return a path in the letter case of the folders as made."""
    found = shell.vm.files.find(path)
    above = parent(path)
    if found is None or len(path) <= 3:
        return path[:2].upper() + path[2:]
    head = _true_path(shell, above).rstrip("\\")
    return head + "\\" + found.name


def _set(shell: "Shell", tail: str, streams: Streams) -> int:
    text = tail.lstrip()
    if not text:
        streams.out(table(shell.environment.items()))
        return 0
    if text[:2].lower() == "/a":
        return _set_number(shell, text[2:].strip().strip('"'), streams)
    if text.startswith('"') and text.rstrip().endswith('"') and len(text) > 1:
        text = text.rstrip()[1:-1]
    elif text.startswith('"'):
        text = text[1:].rpartition('"')[0] or text[1:]
    name, equals, value = text.partition("=")
    if equals:
        if not name:
            return _fail(shell, streams, SYNTAX)
        existed = shell.environment.get(name) is not None
        shell.environment.set(name, value)
        if not value and not existed:
            shell.errorlevel = 1
            return 1
        return 0
    found = [item for item in shell.environment.items() if item[0].lower().startswith(name.strip().lower())]
    if not found:
        return _fail(shell, streams, f"Environment variable {name.strip()} not defined")
    streams.out(table(found))
    return 0


def _set_number(shell: "Shell", text: str, streams: Streams) -> int:
    try:
        value = evaluate(text, shell.environment)
    except BadArithmetic as error:
        return _fail(shell, streams, str(error), error.code)
    if streams.to_console or shell.interactive:
        streams.out(str(value))
    return 0


def _set_steps(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    match = re.match(r'(?i)\s*/p\s+"?([^=]*)=([^"]*)"?', tail)
    if match is None:
        return _set(shell, tail, streams)
    streams.out(match[2])
    line = streams.stdin.line() if streams.stdin is not None else (yield ReadLine())
    if not line:
        shell.errorlevel = 1
        return 1
    shell.environment.set(match[1].strip(), line)
    return 0


def _call(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    text = tail.strip()
    if not text:
        return 0
    if text.startswith(":"):
        return (yield from cmd_batch.call_label(shell, text, streams))
    return (yield from shell.run_line(text.replace("^", "^^"), streams=streams))


def _exit(shell: "Shell", tail: str, streams: Streams) -> int:
    del streams
    words = [word for word in tail.split() if word.lower() != "/b"]
    code = int(words[0]) if words and re.fullmatch(r"-?\d+", words[0]) else shell.errorlevel
    if shell.batch is not None and re.search(r"(?i)/b\b", tail):
        raise cmd_batch.Leave(code)
    raise Exit(code)


def _goto(shell: "Shell", tail: str, streams: Streams) -> int:
    del streams
    if shell.batch is not None:
        raise cmd_batch.Goto(tail.strip(" :") if tail.strip().lower() != ":eof" else ":eof")
    return 0


def _setlocal(shell: "Shell", tail: str, streams: Streams) -> int:
    del streams
    cmd_batch.keep(shell, tail)
    return 0


def _endlocal(shell: "Shell", tail: str, streams: Streams) -> int:
    del tail, streams
    cmd_batch.restore(shell)
    return 0


def _shift(shell: "Shell", tail: str, streams: Streams) -> int:
    del tail, streams
    if shell.batch is not None and shell.batch.arguments:
        shell.batch.arguments.pop(0)
    return 0


def _cls(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    del tail
    if streams.to_console:
        yield Clear()
    else:
        streams.out("\f")
    del shell
    return 0


def _title(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    del shell, streams
    yield Title(tail.strip())
    return 0


def _prompt(shell: "Shell", tail: str, streams: Streams) -> int:
    del streams
    shell.environment.set("PROMPT", tail[1:] if tail.strip() else "")
    return 0


def _ver(shell: "Shell", tail: str, streams: Streams) -> int:
    del tail
    streams.out(f"\r\nMicrosoft Windows [Version {shell.vm.edition.version}]\r\n")
    shell.errorlevel = 0
    return 0


def _type(shell: "Shell", tail: str, streams: Streams) -> int:
    words = re.findall(r'"[^"]*"|[^\s,;=]+', tail)
    if not words:
        return _fail(shell, streams, SYNTAX)
    code = 0
    for word in words:
        path = absolute(word.strip('"'), shell.cwd)
        found = [e for e in commands.matching(shell.vm, word.strip('"'), shell.cwd) if e.data is not None]
        if not found:
            entry = shell.vm.files.find(path)
            if entry is not None:
                code = _fail(shell, streams, "Access is denied.")
            elif shell.vm.files.is_folder(parent(path)):
                code = _fail(shell, streams, NO_FILE)
            else:
                code = _fail(shell, streams, NO_PATH)
            continue
        for entry in found:
            if not shell.vm.files.may(shell.token, entry.path, security.READ_DATA):
                code = _fail(shell, streams, "Access is denied.")
                continue
            if len(words) > 1 or len(found) > 1:
                streams.err(f"\r\n{entry.path}\r\n\r\n\r\n")
            streams.out(commands.decode(entry.data or b""))
    if not code:
        shell.errorlevel = 0
    return code


def _md(shell: "Shell", tail: str, streams: Streams) -> int:
    words = re.findall(r'"[^"]*"|[^\s,;=]+', tail)
    if not words:
        return _fail(shell, streams, SYNTAX)
    code = 0
    for word in words:
        path = absolute(word.strip('"'), shell.cwd)
        if shell.vm.files.find(path) is not None:
            code = _fail(shell, streams, f"A subdirectory or file {word.strip(chr(34))} already exists.")
        elif not shell.vm.files.make_folder(path, shell.vm.now):
            code = _fail(shell, streams, "The filename, directory name, or volume label syntax is incorrect.")
    return code


def _rd(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    switches = {s.lower() for s in re.findall(r"(?i)/[sq]\b", tail)}
    words = re.findall(r'"[^"]*"|[^\s,;=]+', re.sub(r"(?i)/[sq]\b", "", tail))
    if not words:
        return _fail(shell, streams, SYNTAX)
    code = 0
    for word in words:
        path = absolute(word.strip('"'), shell.cwd)
        entry = shell.vm.files.find(path)
        if entry is None:
            code = _fail(shell, streams, NO_FILE, 2)
        elif entry.data is not None:
            code = _fail(shell, streams, "The directory name is invalid.", 267)
        elif "/s" not in switches:
            if not shell.vm.files.delete(path):
                code = _fail(shell, streams, "The directory is not empty.", 145)
        else:
            if "/q" not in switches and (yield from _ask(f"{word}, Are you sure (Y/N)? ", streams)) != "y":
                continue
            if shell.cwd.lower().startswith(path.lower()):
                code = _fail(
                    shell,
                    streams,
                    "The process cannot access the file because it is being used by another process.",
                    32,
                )
                continue
            below = [
                e.path for k, e in shell.vm.files.entries.items() if k.startswith(path.lower().rstrip("\\") + "\\")
            ]
            for each in sorted(below, key=len, reverse=True):
                shell.vm.files.delete(each)
            shell.vm.files.delete(path)
    return code


def _ask(question: str, streams: Streams) -> Generator[Request, str, str]:
    """Ask until the answer begins with one of Y, N, A."""
    while True:
        streams.out(question)
        line = streams.stdin.line() if streams.stdin is not None else (yield ReadLine())
        if line[:1].lower() in {"y", "n", "a"} or (streams.stdin is not None and streams.stdin.empty):
            return line[:1].lower()


def _del(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    quiet = re.search(r"(?i)/q\b", tail) is not None
    words = re.findall(r'"[^"]*"|[^\s,;=]+', re.sub(r"(?i)/[a-z](:\S*)?(?=\s|/|$)", "", tail))
    if not words:
        return _fail(shell, streams, SYNTAX)
    for word in words:
        plain = word.strip('"')
        path = absolute(plain, shell.cwd)
        folder = shell.vm.files.is_folder(path)
        everything = folder or plain.rpartition("\\")[2] in {"*", "*.*"}
        if everything and not quiet:
            shown = path + ("\\*" if folder else "")
            if (yield from _ask(f"{shown}, Are you sure (Y/N)? ", streams)) != "y":
                continue
        entries = shell.vm.files.inside(path) if folder else commands.matching(shell.vm, plain, shell.cwd)
        files = [e for e in entries if e.data is not None]
        if not files:
            if not shell.vm.files.is_folder(parent(path)):
                _fail(shell, streams, NO_PATH)
            else:
                streams.err(f"Could Not Find {path}\r\n")
        for entry in files:
            if not shell.vm.files.may_delete(shell.token, entry.path):
                streams.err(f"{entry.path}\r\nAccess is denied.\r\n")
                continue
            shell.vm.files.delete(entry.path)
    return 0


def _copy(shell: "Shell", tail: str, streams: Streams) -> int:
    words = re.findall(r'"[^"]*"|[^\s,;=]+', re.sub(r"(?i)/[abdvnyz]\b", "", tail))
    if not 1 <= len(words) <= 2:
        return _fail(shell, streams, SYNTAX)
    if "+" in words[0] and len(words) > 1:
        return _join(shell, words[0].split("+"), words[1].strip('"'), streams)
    source = [e for e in commands.matching(shell.vm, words[0].strip('"'), shell.cwd) if e.data is not None]
    if not source:
        return _fail(shell, streams, NO_FILE)
    target = absolute(words[1].strip('"') if len(words) > 1 else ".", shell.cwd)
    into = shell.vm.files.is_folder(target)
    count = 0
    for entry in source:
        place = target.rstrip("\\") + "\\" + entry.name if into else target
        if place.lower() == entry.path.lower():
            return _fail(shell, streams, "The file cannot be copied onto itself.\r\n        0 file(s) copied.")
        if not shell.vm.files.may(shell.token, entry.path, security.READ_DATA):
            return _fail(shell, streams, "Access is denied.\r\n        0 file(s) copied.")
        if not shell.vm.files.write(place, entry.data or b"", shell.vm.now):
            return _fail(shell, streams, f"{NO_PATH}\r\n        0 file(s) copied.")
        count += 1
    streams.out(f"{count:9d} file(s) copied.\r\n")
    shell.errorlevel = 0
    return 0


def _join(shell: "Shell", names: list[str], target: str, streams: Streams) -> int:
    """Run ``copy a+b c``: the files one behind the other; of those that are missing nothing is taken."""
    found = [shell.vm.files.find(absolute(name.strip('"'), shell.cwd)) for name in names]
    there = [entry for entry in found if entry is not None and entry.data is not None]
    if not there:
        return _fail(shell, streams, NO_FILE)
    if not all(shell.vm.files.may(shell.token, entry.path, security.READ_DATA) for entry in there):
        return _fail(shell, streams, "Access is denied.\r\n        0 file(s) copied.")
    data = b"".join(entry.data or b"" for entry in there)
    if not shell.vm.files.write(absolute(target, shell.cwd), data, shell.vm.now):
        return _fail(shell, streams, f"{NO_PATH}\r\n        0 file(s) copied.")
    for entry in there:
        streams.out(f"{entry.name}\r\n")
    streams.out(f"{1:9d} file(s) copied.\r\n")
    shell.errorlevel = 0
    return 0


def _move(shell: "Shell", tail: str, streams: Streams) -> int:
    words = [w.strip('"') for w in re.findall(r'"[^"]*"|[^\s,;=]+', re.sub(r"(?i)/-?y\b", "", tail))]
    entry = shell.vm.files.find(absolute(words[0], shell.cwd)) if words else None
    if entry is None or entry.data is None:
        return _fail(shell, streams, NO_FILE if words else SYNTAX)
    rename = len(words) > 1
    target = absolute(words[1] if rename else ".", shell.cwd)
    if shell.vm.files.is_folder(target):
        target = target.rstrip("\\") + "\\" + entry.name
    if not shell.vm.files.may_delete(shell.token, entry.path):
        return _fail(shell, streams, "Access is denied.\r\n        0 file(s) moved.")
    if not shell.vm.files.write(target, entry.data, shell.vm.now):
        return _fail(shell, streams, NO_PATH)
    _keep_security(shell, entry, target)
    shell.vm.files.delete(entry.path)
    streams.out(f"{1:9d} file(s) moved.\r\n")
    return 0


def _ren(shell: "Shell", tail: str, streams: Streams) -> int:
    words = [w.strip('"') for w in re.findall(r'"[^"]*"|[^\s,;=]+', tail)]
    entry = shell.vm.files.find(absolute(words[0], shell.cwd)) if len(words) == 2 else None
    if entry is None or entry.data is None or "\\" in words[1]:
        return _fail(shell, streams, NO_FILE if len(words) == 2 else SYNTAX)
    target = parent(entry.path).rstrip("\\") + "\\" + words[1]
    if shell.vm.files.find(target) is not None:
        return _fail(shell, streams, "A duplicate file name exists, or the file\r\ncannot be found.")
    if not shell.vm.files.may_delete(shell.token, entry.path):
        return _fail(shell, streams, "Access is denied.")
    shell.vm.files.write(target, entry.data, shell.vm.now)
    _keep_security(shell, entry, target)
    shell.vm.files.delete(entry.path)
    return 0


def _keep_security(shell: "Shell", entry: Entry, target: str) -> None:
    """Let a moved file keep its own descriptor, as on one volume."""
    if entry.security is not None:
        shell.vm.files.protect(target, entry.security)


def _owner(shell: "Shell", path: str) -> str:
    """Return the owner's name as ``dir /q`` prints it."""
    names = {str(account["sid"]): name for name, account in shell.vm.accounts.items()}
    return sids.name_of(shell.vm.files.descriptor(path).owner, names, shell.vm.name.upper()[:15])


def _dir(shell: "Shell", tail: str, streams: Streams) -> int:
    switches = [s.lower() for s in re.findall(r"(?i)/(-?[a-z][a-z:-]*)", tail)]
    words = [w.strip('"') for w in re.findall(r'"[^"]*"|[^\s,;=]+', re.sub(r"/\S+", "", tail))] or ["."]
    bare = "b" in switches
    only = next((s[1:].lstrip(":") for s in switches if s.startswith("a")), "")
    if not bare:
        serial = shell.vm.seed * 2654435761 % 2**32
        streams.out(
            f" Volume in drive C is Windows\r\n Volume Serial Number is {serial >> 16:04X}-{serial & 65535:04X}\r\n\r\n"
        )
    code, files, size, folders = 0, 0, 0, 0
    for word in words:
        path = absolute(word, shell.cwd)
        whole = shell.vm.files.is_folder(path)
        entries = (
            shell.vm.files.inside(path) if whole else commands.matching(shell.vm, word, shell.cwd, deep="s" in switches)
        )
        if whole and "s" in switches:
            entries = commands.matching(shell.vm, "*", path, deep=True)
        if "d" in only:
            entries = [e for e in entries if (e.data is None) != ("-d" in only)]
        if not bare:
            streams.out(f" Directory of {path if whole else parent(path)}\r\n\r\n")
        if not entries and not whole:
            text = "File Not Found" if shell.vm.files.is_folder(parent(path)) or bare else NO_PATH
            code = _fail(shell, streams, text)
            continue
        rows: list[tuple[str, float, int | None]] = [
            (e.name, e.when, None if e.data is None else len(e.data)) for e in entries
        ]
        if whole and len(path) > 3 and not bare:
            when = entries[0].when if entries else 0.0
            rows = [(".", when, None), ("..", when, None), *rows]
        for (name, stamp, length), full in zip(
            rows, [""] * (len(rows) - len(entries)) + [e.path for e in entries], strict=True
        ):
            if bare:
                streams.out((full if "s" in switches else name) + "\r\n")
                continue
            date = shell.vm.clock(stamp).strftime("%m/%d/%Y  %I:%M %p")
            middle = "    <DIR>         " if length is None else f"{length:18,d}"
            owner = f" {_owner(shell, full or path):23}" if "q" in switches else ""
            streams.out(f"{date}{middle}{owner} {name}\r\n")
            files, size, folders = files + (length is not None), size + (length or 0), folders + (length is None)
    if not bare and not code:
        streams.out(f"{files:16d} File(s) {size:14,d} bytes\r\n{folders:16d} Dir(s)  113,246,208,000 bytes free\r\n")
    if not code:
        shell.errorlevel = 0
    return code


def _pushd(shell: "Shell", tail: str, streams: Streams) -> int:
    before = shell.cwd
    if not tail.strip():
        return 0
    code = _cd(shell, tail, streams)
    if not code:
        shell.stack.append(before)
    return code


def _popd(shell: "Shell", tail: str, streams: Streams) -> int:
    del tail, streams
    if shell.stack:
        shell.cwd = shell.stack.pop()
    return 0


def _date(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    shown = shell.lookup("date") or ""
    if "/t" in tail.lower():
        streams.out(shown + " \r\n")
        return 0
    streams.out(f"The current date is: {shown} \r\nEnter the new date: (mm-dd-yy) ")
    if streams.stdin is None:
        yield ReadLine()
    return 0


def _time(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    if "/t" in tail.lower():
        streams.out(shell.vm.clock().strftime("%I:%M %p") + "\r\n")
        return 0
    streams.out(f"The current time is: {shell.lookup('time')}\r\nEnter the new time: ")
    if streams.stdin is None:
        yield ReadLine()
    return 0


def _vol(shell: "Shell", tail: str, streams: Streams) -> int:
    del tail
    serial = shell.vm.seed * 2654435761 % 2**32
    streams.out(
        f" Volume in drive C is Windows\r\n Volume Serial Number is {serial >> 16:04X}-{serial & 65535:04X}\r\n"
    )
    return 0


def _path(shell: "Shell", tail: str, streams: Streams) -> int:
    if tail.strip():
        shell.environment.set("Path", tail.strip().lstrip("="))
    else:
        streams.out(f"PATH={shell.environment.get('Path') or ''}\r\n")
    return 0


def _pause(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    del shell, tail
    streams.out("Press any key to continue . . . ")
    if streams.stdin is None:
        yield ReadKey()
    streams.out("\r\n")
    return 0


def _silent(shell: "Shell", tail: str, streams: Streams) -> int:
    del shell, tail, streams
    return 0


INTERNAL: dict[str, Internal] = {
    "call": _call, "cd": _plain(_cd), "chdir": _plain(_cd), "cls": _cls, "color": _plain(_silent),
    "copy": _plain(_copy),
    "date": _date, "del": _del, "dir": _plain(_dir), "echo": _plain(_echo), "endlocal": _plain(_endlocal),
    "erase": _del,
    "exit": _plain(_exit), "md": _plain(_md), "mkdir": _plain(_md), "move": _plain(_move), "path": _plain(_path),
    "pause": _pause, "popd": _plain(_popd), "prompt": _plain(_prompt), "pushd": _plain(_pushd), "rd": _rd,
    "rem": _plain(_silent), "ren": _plain(_ren), "rename": _plain(_ren), "rmdir": _rd, "set": _set_steps,
    "setlocal": _plain(_setlocal), "goto": _plain(_goto), "shift": _plain(_shift), "time": _time, "title": _title,
    "type": _plain(_type), "ver": _plain(_ver), "vol": _plain(_vol),
}  # fmt: skip
_WORD = re.compile(r"(?i)(" + "|".join(sorted(INTERNAL, key=len, reverse=True)) + r")(?=$|[\s,;=./\\:+\[\]\"(&|<>])")


def is_internal(text: str) -> tuple[str, str] | None:
    """Split off an internal command: (name, the rest of the line), or None for a program."""
    match = _WORD.match(text)
    if match is None:
        return None
    name, tail = match[1].lower(), text[match.end() :]
    if tail[:1] == "." and name != "echo" and not tail.startswith(("..", ".\\")) and re.match(r"\.\w", tail):
        return None  # type.exe is a program
    return name, tail
