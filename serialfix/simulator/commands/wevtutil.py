"""``wevtutil``: ``qe`` with the filters repairs use, ``el``, ``gl``.

The text form is that of the real events/08; the filters are those of rdp-repair.md 8.4: provider, event numbers,
level, timediff, in ``*[System[...]]`` or ``Event[System[...]]``. What it does not understand it refuses.
"""

import re
from collections.abc import Callable
from datetime import datetime
from xml.sax.saxutils import escape

from serialfix.simulator.programs import Process
from serialfix.simulator.vm import RCM, Event

LOGS = (
    "Application",
    "Security",
    "System",
    f"{RCM}/Admin",
    f"{RCM}/Operational",
    "Microsoft-Windows-RemoteDesktopServices-RdpCoreTS/Operational",
    "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational",
)
_LEVELS = {1: "Critical", 2: "Error", 3: "Warning", 4: "Information"}
_TERMS: list[tuple[str, Callable[[re.Match[str], Event, datetime], bool]]] = [
    (r"Provider\[@Name=['\"]([^'\"]*)['\"]\]", lambda m, e, n: e.provider.lower() == m[1].lower()),
    (r"EventID\s*=\s*(\d+)", lambda m, e, n: e.number == int(m[1])),
    (r"Level\s*=\s*(\d+)", lambda m, e, n: e.level == int(m[1])),
    (
        r"TimeCreated\[timediff\(@SystemTime\)\s*<=\s*(\d+)\]",
        lambda m, e, n: (n - e.when).total_seconds() * 1000 <= int(m[1]),
    ),
]


def matcher(query: str, now: datetime) -> Callable[[Event], bool] | None:
    """Compile a query; None when it is not understood."""
    match = re.fullmatch(r"\s*(?:\*|Event)(?:\[\s*System\s*\[(.*)\]\s*\])?\s*", query, re.DOTALL)
    if match is None:
        return None
    if match[1] is None:
        return lambda event: True
    tokens: list[str | Callable[[Event], bool]] = []
    at, text = 0, match[1]
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if word := re.compile(r"and\b|or\b|[()]").match(text, at):
            tokens.append(word[0])
            at = word.end()
            continue
        for pattern, test in _TERMS:
            if found := re.compile(pattern).match(text, at):
                tokens.append(lambda event, m=found, t=test: t(m, event, now))  # type: ignore[misc]
                at = found.end()
                break
        else:
            return None
    position = 0

    def either() -> Callable[[Event], bool]:
        nonlocal position
        parts = [both()]
        while position < len(tokens) and tokens[position] == "or":
            position += 1
            parts.append(both())
        return lambda event: any(part(event) for part in parts)

    def both() -> Callable[[Event], bool]:
        nonlocal position
        parts = [term()]
        while position < len(tokens) and tokens[position] == "and":
            position += 1
            parts.append(term())
        return lambda event: all(part(event) for part in parts)

    def term() -> Callable[[Event], bool]:
        nonlocal position
        if position >= len(tokens):
            raise ValueError(query)
        found = tokens[position]
        position += 1
        if found == "(":
            inside = either()
            if position >= len(tokens) or tokens[position] != ")":
                raise ValueError(query)
            position += 1
            return inside
        if isinstance(found, str):
            raise ValueError(query)  # noqa: TRY004
        return found

    try:
        whole = either()
    except ValueError:
        return None
    return whole if position == len(tokens) else None


def _text(index: int, event: Event, computer: str) -> str:
    when = event.when.strftime("%Y-%m-%dT%H:%M:%S.") + f"{event.when.microsecond // 1000:03d}"
    rows = [
        f"Event[{index}]:", f"  Log Name: {event.log}", f"  Source: {event.provider}", f"  Date: {when}",
        f"  Event ID: {event.number}", "  Task: N/A",
        f"  Level: {_LEVELS.get(event.level, 'Information')}", "  Opcode: Info",
        "  Keyword: N/A", "  User: S-1-5-18", r"  User Name: NT AUTHORITY\SYSTEM",
        f"  Computer: {computer}", "  Description: ",
        event.text, "", "",
    ]  # fmt: skip
    return "\r\n".join(rows)


def _xml(event: Event, computer: str) -> str:
    data = "".join(f"<Data Name='{escape(name)}'>{escape(value)}</Data>" for name, value in event.data)
    return (
        f"<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'>"
        f"<System><Provider Name='{escape(event.provider)}'/>"
        f"<EventID>{event.number}</EventID><Level>{event.level}</Level>"
        f"<TimeCreated SystemTime='{event.when:%Y-%m-%dT%H:%M:%S}.{event.when.microsecond:06d}000Z'/>"
        f"<Channel>{escape(event.log)}</Channel><Computer>{escape(computer)}</Computer></System>"
        f"<EventData>{data}</EventData></Event>"
    )


def wevtutil(process: Process) -> int:
    """Run ``wevtutil``."""
    vm = process.vm
    verb = process.args[0].lower() if process.args else ""
    if verb in {"el", "enum-logs"}:
        for log in LOGS:
            process.line(log)
        return 0
    if verb not in {"qe", "query-events", "gl", "get-log"} or len(process.args) < 2:
        return process.fail(
            "Windows Events Command Line Utility.\r\n\r\nEnables you to retrieve information about event logs.", 87
        )
    name = next((log for log in LOGS if log.lower() == process.args[1].lower()), None)
    if name is None:
        return process.fail("Failed to read events. The specified channel could not be found.\r\n", 15007)
    if verb in {"gl", "get-log"}:
        process.line(f"name: {name}\r\nenabled: true\r\ntype: Operational\r\nisolation: System")
        return 0
    options = {
        "c": "",
        "count": "",
        "rd": "false",
        "reversedirection": "",
        "f": "xml",
        "format": "",
        "q": "*",
        "query": "",
    }
    for arg in process.args[2:]:
        match = re.fullmatch(r"/(\w+):(.*)", arg, re.DOTALL)
        if match is None or match[1].lower() not in options:
            return process.fail(
                f"Invalid option {arg.split(':')[0]}. Option is not supported.\r\nThe parameter is incorrect.", 87
            )
        options[match[1].lower()] = match[2]
    query, form = options["query"] or options["q"], (options["format"] or options["f"]).lower()
    keep = matcher(query, vm.clock())
    if keep is None:
        return process.fail("Failed to read events. The specified query is invalid.\r\n", 15001)
    events = [event for event in vm.log if event.log == name and keep(event)]
    if (options["reversedirection"] or options["rd"]).lower() == "true":
        events.reverse()
    count = options["count"] or options["c"]
    for index, event in enumerate(events[: int(count)] if count.isdigit() else events):
        process.line(_text(index, event, vm.name).removesuffix("\r\n") if form == "text" else _xml(event, vm.name))
    return 0
