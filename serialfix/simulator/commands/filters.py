"""``find``, ``findstr``, ``sort`` and ``more``: text in, text out. Common knowledge."""

import re
from collections.abc import Generator

from serialfix.simulator.file_sets import decode, matching
from serialfix.simulator.programs import Process, ReadKey, Request, Steps


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")[: None if text and not text.endswith("\n") else -1]


def _sources(process: Process, names: list[str]) -> list[tuple[str, str | None]]:
    """Return (name, text or None) of every file named."""
    found: list[tuple[str, str | None]] = []
    for name in names:
        entries = [e for e in matching(process.vm, name, process.cwd) if e.data is not None]
        if not entries:
            found.append((name, None))
        found += [(name if not set("*?") & set(name) else e.name, decode(e.data or b"")) for e in entries]
    return found


def _input(process: Process) -> Steps:
    """Read all input into ``extra['input']``; at the console up to Ctrl-Z."""
    if process.stdin is not None:
        process.extra["input"] = process.stdin.rest()
        return 0
    lines: list[str] = []
    while "\x1a" not in (line := (yield from process.read_line())):
        lines.append(line)
    process.extra["input"] = "".join(line + "\r\n" for line in lines)
    return 0


def find(process: Process) -> Steps:
    """Run ``find "text"`` with /i /v /c /n; exit code 1 when nothing matched."""
    match = re.match(r'\s*((?:/\w+\s*)*)"((?:[^"]|"")*)"\s*(.*)$', process.tail)
    if match is None:
        return process.fail("FIND: Parameter format not correct", 2)
    switches = set(re.findall(r"/(\w+)", (match[1] + " " + match[3]).lower()))
    if switches - {"i", "v", "c", "n", "off", "offline"}:
        return process.fail("FIND: Invalid switch", 2)
    text = match[2].replace('""', '"')
    names = [name.strip('"') for name in re.findall(r'"[^"]*"|[^\s]+', match[3]) if not name.startswith("/")]
    if names:
        sources = _sources(process, names)
    else:
        yield from _input(process)
        sources = [("", str(process.extra["input"]))]
    hits = 0
    for name, content in sources:
        if content is None:
            process.fail(f"File not found - {name.upper()}")
            continue
        rows = []
        for number, line in enumerate(_lines(content), 1):
            inside = text.lower() in line.lower() if "i" in switches else text in line
            if (inside and text != "") != ("v" in switches):
                rows.append((number, line))
        hits += len(rows)
        if name:
            process.out(f"\r\n---------- {name.upper()}" + (f": {len(rows)}\r\n" if "c" in switches else "\r\n"))
        elif "c" in switches:
            process.line(str(len(rows)))
        if "c" not in switches:
            for number, line in rows:
                process.line(f"[{number}]{line}" if "n" in switches else line)
    return 0 if hits else 1


def _pattern(text: str, *, literal: bool) -> str:
    """Turn a findstr expression into a Python one: . * ^ $ [class] \\x \\< \\>."""
    if literal:
        return re.escape(re.sub(r"\\([\\\".*^$\[\]])", r"\1", text))
    result, at = "", 0
    while at < len(text):
        character = text[at]
        if text[at : at + 2] in {"\\<", "\\>"}:
            result += r"\b"
            at += 2
        elif character == "\\" and at + 1 < len(text):
            result += re.escape(text[at + 1])
            at += 2
        elif character == "[" and (end := text.find("]", at + 2)) > 0:
            body = text[at + 1 : end].replace("\\", r"\\").replace("[", r"\[")
            result += f"[{body}]"
            at = end + 1
        else:
            star = character == "*" and result not in {"", "^"}
            result += character if character in ".$^" or star else re.escape(character)
            at += 1
    return result


def findstr(process: Process) -> Steps:
    """Run ``findstr`` with /i /v /n /x /b /e /m /r /l /c: /s; exit code 1 when nothing matched."""
    switches: set[str] = set()
    searches: list[tuple[str, bool]] = []
    names: list[str] = []
    literal_given = False
    for arg in process.args:
        if re.match(r"(?i)[/-]c:", arg):
            searches.append((arg[3:], True))
            literal_given = True
        elif re.match(r"(?i)[/-]g:|[/-]f:|[/-]d:|[/-]a:", arg):
            return process.fail(f"FINDSTR: Cannot open {arg[3:]}", 2)
        elif re.fullmatch(r"(?i)[/-](?:[ivnxbemrlsop]+|offline)", arg):
            switches |= set(arg[1:].lower())
        elif arg.startswith("/"):
            process.fail(f"FINDSTR: {arg} ignored")
        elif not searches and not literal_given:
            searches += [(word, False) for word in arg.split(" ") if word]
        else:
            names.append(arg)
    if not searches:
        return process.fail("FINDSTR: Bad command line", 2)
    alternatives = []
    for text, given in searches:
        plain_text = not re.search(r"[.*^$\[\\]", text)
        literal = "l" in switches or ("r" not in switches and (given or plain_text))
        pattern = _pattern(text, literal=literal)
        alternatives.append(("^" if "b" in switches else "") + f"(?:{pattern})" + ("$" if "e" in switches else ""))
    whole = re.compile("|".join(alternatives), re.IGNORECASE if "i" in switches else 0)
    if names:
        sources = _sources(process, names)
    else:
        yield from _input(process)
        sources = [("", str(process.extra["input"]))]
    show_name = len(sources) > 1 or any(set("*?") & set(name) for name in names) or "s" in switches
    hits = 0
    for name, content in sources:
        if content is None:
            process.fail(f"FINDSTR: Cannot open {name}")
            continue
        for number, line in enumerate(_lines(content), 1):
            found = whole.fullmatch(line) if "x" in switches else whole.search(line)
            if (found is not None) == ("v" in switches):
                continue
            hits += 1
            if "m" in switches:
                process.line(name)
                break
            process.line((f"{name}:" if show_name else "") + (f"{number}:" if "n" in switches else "") + line)
    return 0 if hits else 1


def sort(process: Process) -> Steps:
    """Run ``sort`` with /r and /unique."""
    switches = {arg.lower() for arg in process.args if arg.startswith("/")}
    names = [arg for arg in process.args if not arg.startswith("/") and not arg.isdigit()]
    if names:
        content = _sources(process, names[:1])[0][1]
        if content is None:
            return process.fail(f"{names[0]}The system cannot find the file specified.")
    else:
        yield from _input(process)
        content = str(process.extra["input"])
    rows = sorted(_lines(content), key=str.lower, reverse=bool({"/r", "/reverse"} & switches))
    if switches & {"/uniq", "/unique"}:
        rows = list(dict.fromkeys(rows))
    for row in rows:
        process.line(row)
    return 0


def more(process: Process) -> Steps:
    """Run ``more``: at the console it stops at every screen; Space, Enter and q are understood."""
    names = [arg for arg in process.args if not arg.startswith(("/", "+"))]
    texts: list[str] = []
    if names:
        for name, content in _sources(process, names):
            if content is None:
                return process.fail(f"Cannot access file {name}")
            texts.append(content)
    else:
        yield from _input(process)
        texts.append(str(process.extra["input"]))
    room = process.rows - 1
    for text in texts:
        shown = 0
        lines = _lines(text)
        for total, line in enumerate(lines):
            height = max(1, -(-len(line) // 80))
            if process.to_console and shown + height > room:
                key = yield from _page(process, total * 100 // max(1, len(lines)), bool(names))
                if key in {"q", "\x03"}:
                    return 0
                shown = room - height if key == "\r" else 0
            process.line(line)
            shown += height
    return 0


def _page(process: Process, percent: int, known: bool) -> Generator[Request, str, str]:
    prompt = f"-- More ({percent}%) -- " if known else "-- More  -- "
    process.out(prompt)
    key = ""
    while key not in {" ", "\r", "q", "\x03"}:
        key = (yield ReadKey()).lower()
    process.out("\r" + " " * len(prompt) + "\r")
    return key
