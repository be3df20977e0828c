r"""What a person pasted of ``sc query``, ``queryex``, ``qc``, ``start``, ``stop`` and ``enumdepend``.

Source: output-formats.md "sc query": labels are translated, the colon moves or touches its label, but the order of the
lines and ``<number>  <ENGLISH WORD>`` stay; failures are ``[SC]``, the function and a number. The state and the process
are read by ``services``, which probes use on exact output: a block is put into the exact form first. In Spanish:

>>> found = read_paste('''
... NOMBRE_SERVICIO: TermService
...         TIPO               : 30  WIN32
...         ESTADO             : 4  RUNNING
...                                 (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
...         CÓD_SALIDA_WIN32   : 0  (0x0)
...         CÓD_SALIDA_SERVICIO: 0  (0x0)
...         PUNTO_COMPROB.     : 0x0
...         INDICACIÓN_INICIO  : 0x0
...         PID                : 820
...         MARCAS             :
... ''')
>>> found.services[0].name, found.services[0].word, found.services[0].pid, found.unread
('TermService', 'RUNNING', 820, ())
"""

import re
from dataclasses import dataclass

from serialfix.steps import Output, Unreadable
from serialfix.windows import paste, services
from serialfix.windows.paste import Line, Paste, Unread

_FIELD = re.compile(r"\s*(?P<label>[^:\s\[(][^:]{0,39}?)\s*[:：](?!\\) ?(?P<value>.*)")
_MORE = re.compile(r"\s*: (?P<value>\S.*)")
_TYPE = re.compile(r"(?P<code>[0-9a-fA-F]{1,4}) +(?P<word>[A-Z][A-Z0-9_]{3,}.*|\? ERROR)")
_STATE = re.compile(
    r"(?P<code>[1-7]) +(?P<word>STOPPED|START_PENDING|STOP_PENDING|RUNNING|CONTINUE_PENDING|PAUSE_PENDING|PAUSED)"
)
_START = re.compile(
    r"(?P<code>[0-4]) +(?P<word>BOOT_START|SYSTEM_START|AUTO_START|DEMAND_START|DISABLED)\s*(?P<late>\(.*\))?"
)
_CONTROL = re.compile(r"(?P<code>[0-3]) +(?P<word>IGNORE|NORMAL|SEVERE|CRITICAL)")
_EXIT = re.compile(r"(?P<code>\d{1,10}) +\(0x[0-9a-fA-F]{1,8}\)")
_HEX = re.compile(r"0x[0-9a-fA-F]{1,8}")
_FLAGS = re.compile(r"\s*\([A-Z][A-Z_]*(?:, ?[A-Z_]+)*\)")
_FAILED = re.compile(
    r"\s*\[SC\] (?P<function>[A-Za-z0-9:]+)\s+(?P<word>.*?)\s*(?P<number>\d{1,10})\s*[:：]\s*(?P<text>.*)"
)
_DONE = re.compile(r"\s*\[SC\] (?P<function>[A-Za-z0-9:]+)\s+[^\d:]+")
_WORDS = {
    1: "STOPPED",
    2: "START_PENDING",
    3: "STOP_PENDING",
    4: "RUNNING",
    5: "CONTINUE_PENDING",
    6: "PAUSE_PENDING",
    7: "PAUSED",
}
_PROGRAMS = ("sc", "net", "findstr", "find")


@dataclass(frozen=True, slots=True)
class Shown:
    """One service as ``sc query`` and its like show it, once for each time it is shown.

    ``code`` and ``word``: the state, 1 STOPPED to 7 PAUSED; ``pid`` None where the output has none; ``win32_exit``,
    ``service_exit``, ``checkpoint`` and ``wait_hint`` (milliseconds) None where their line is missing or damaged.
    """

    name: str
    display_name: str | None
    type: str
    code: int
    word: str
    flags: tuple[str, ...]
    pid: int | None
    win32_exit: int | None
    service_exit: int | None
    checkpoint: int | None
    wait_hint: int | None


@dataclass(frozen=True, slots=True)
class Config:
    """One service as ``sc qc`` shows it. ``start``: 0 boot, 1 system, 2 automatic, 3 manual, 4 disabled."""

    name: str
    type: str
    start: int
    word: str
    delayed: bool
    binary: str | None
    display_name: str | None
    dependencies: tuple[str, ...]
    account: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """``[SC] FUNCTION FAILED number``, and the text that follows it, in the language of the VM."""

    function: str
    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a paste shows, in order, and the lines that could not be read."""

    services: tuple[Shown, ...]
    configs: tuple[Config, ...]
    failures: tuple[Failure, ...]
    done: tuple[str, ...]
    unread: tuple[Unread, ...]


@dataclass(frozen=True, slots=True)
class _Field:
    line: Line
    label: str
    value: str


def read_paste(text: str) -> Services:
    """Read what a person pasted; other lines are in ``unread``. Raises Unreadable where nothing is sc's."""
    shown: list[Shown] = []
    configs: list[Config] = []
    failures: list[Failure] = []
    done: list[str] = []
    unread: list[Unread] = []
    for part in _parts(Paste.of(text), unread):
        if failed := _FAILED.fullmatch(part[0].text):
            words = [failed["text"], *(line.text.strip() for line in part[1:])]
            failures.append(Failure(failed["function"], int(failed["number"]), " ".join(filter(None, words))))
        elif found := _DONE.fullmatch(part[0].text):
            done.append(found["function"])
            unread.extend(line.unread("not a line of sc") for line in part[1:])
        else:
            for block in _blocks(part, unread):
                service = _service(block, unread)
                if isinstance(service, Shown):
                    shown.append(service)
                elif service is not None:
                    configs.append(service)
    if not (shown or configs or failures or done):
        raise Unreadable("there is no service that sc prints (a name, a type, a state)")
    return Services(tuple(shown), tuple(configs), tuple(failures), tuple(done), paste.in_order(unread))


def _parts(lines: Paste, unread: list[Unread]) -> list[list[Line]]:
    """Runs of lines that belong together: cut at commands, at ``[SC]``, and at the end of a failure's text."""
    parts: list[list[Line]] = [[]]
    blank = False
    for line in lines.lines:
        if line.role == "elided":
            unread.append(line.unread("something was left out here"))
            parts.append([])
        elif line.role == "command" or (line.role == "text" and _typed(line.text)):
            parts.append([])
        elif line.role == "blank":
            blank = True
            continue
        elif line.role == "text":
            ended = blank and parts[-1] and "[SC]" in parts[-1][0].text and len(parts[-1]) > 1
            if "[SC]" in line.text or ended or _ends_done(parts[-1]):
                parts.append([])
            parts[-1].append(line)
        blank = False
    return [part for part in parts if part]


def _ends_done(part: list[Line]) -> bool:
    return bool(part) and _DONE.fullmatch(part[0].text) is not None


def _typed(text: str) -> bool:
    return paste.starts_with_program(text, _PROGRAMS) and re.match(r"\s*\w+(?:\.exe)?\s*:", text) is None


def _blocks(part: list[Line], unread: list[Unread]) -> list[list[_Field]]:
    """The fields of each service; it begins with the name, which is the line, or the one before it, above TYPE."""
    fields: list[_Field] = []
    for line in part:
        if _FLAGS.fullmatch(line.text) and fields:
            fields.append(_Field(line, "", line.text.strip()))
        elif (more := _MORE.fullmatch(line.text)) and fields:
            fields.append(_Field(line, "", more["value"]))
        elif (found := _FIELD.fullmatch(line.text)) and not paste.damaged(found["value"]):
            fields.append(_Field(line, found["label"].strip(), found["value"].strip()))
        else:
            unread.append(line.unread("characters were lost" if paste.damaged(line.text) else "not a line of sc"))
    starts: list[int] = []
    for index, field in enumerate(fields):
        follows = fields[index + 1].value if index + 1 < len(fields) else ""
        if _TYPE.fullmatch(field.value) and (_STATE.fullmatch(follows) or _START.fullmatch(follows)):
            named = index - 1
            if index >= 2 and fields[index - 1].label and _heads(fields, index, starts):
                named = index - 2
            starts.append(max(named, 0) if index else index)
    if not starts:
        unread.extend(field.line.unread("belongs to no service with a type and a state") for field in fields)
        return []
    unread.extend(field.line.unread("belongs to no service that is shown") for field in fields[: starts[0]])
    return [fields[start:end] for start, end in zip(starts, [*starts[1:], len(fields)], strict=True)]


def _heads(fields: list[_Field], index: int, starts: list[int]) -> bool:
    """Whether the line two above TYPE is the name, the one above TYPE being the display name."""
    name = fields[index - 2]
    if starts and index - 2 <= starts[-1] + 3:
        return False
    return name.line.indent == fields[index - 1].line.indent and bool(name.label) and not re.fullmatch(
        r"\d*|0x[0-9a-fA-F]+", name.value
    ) and fields[index - 1].line.number == name.line.number + 1  # fmt: skip


def _service(block: list[_Field], unread: list[Unread]) -> Shown | Config | None:
    type_at = next((index for index, field in enumerate(block[:3]) if _TYPE.fullmatch(field.value)), 0)
    if type_at == 0 or not block[0].value:
        unread.extend(field.line.unread("the name of the service is not there") for field in block)
        return None
    display = block[1].value if type_at == 2 else None
    body = block[type_at + 2 :]
    state = _STATE.fullmatch(block[type_at + 1].value)
    start = _START.fullmatch(block[type_at + 1].value)
    if start is not None:
        return _config(block[0].value, block[type_at].value, start, body, unread)
    if state is None or _WORDS.get(int(state["code"])) != state["word"]:
        unread.append(block[type_at + 1].line.unread("the number and the word of the state do not agree"))
        return None
    exits, counts, flags, pid_lines = [], [], [], []
    for field in body:
        if not field.label and field.value.startswith("("):
            flags.extend(re.findall(r"[A-Z_]+", field.value))
        elif found := _EXIT.fullmatch(field.value):
            exits.append(int(found["code"]))
        elif _HEX.fullmatch(field.value):
            counts.append(int(field.value, 16))
        elif re.fullmatch(r"\d{1,10}", field.value) and len(counts) == 2:
            pid_lines.append(field)
        elif not (pid_lines and re.fullmatch(r"[A-Z_]*", field.value)):
            unread.append(field.line.unread("not a line of sc query"))
    try:
        exact = services.parse_one(_exact(block[0].value, block[type_at].value, state, pid_lines))
    except Unreadable as error:
        unread.extend(field.line.unread(str(error)) for field in (block[0], *pid_lines))
        return None
    return Shown(
        exact.name, display, block[type_at].value, int(state["code"]), state["word"], tuple(flags), exact.pid,
        *_pair(exits), *_pair(counts),
    )  # fmt: skip


def _exact(name: str, kind: str, state: re.Match[str], pids: list[_Field]) -> Output:
    """The block as sc prints it in English, for the strict reader."""
    lines = [f"SERVICE_NAME: {name}", f"        TYPE               : {kind}"]
    lines += [f"        STATE              : {state['code']}  {state['word']}"]
    lines += [f"        PID                : {field.value}" for field in pids[:1]]
    return Output("\n".join(lines) + "\n", 0, "direct")


def _pair(numbers: list[int]) -> tuple[int | None, int | None]:
    # One of two is missing: which, only its translated label would tell.
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (None, None)


def _config(name: str, kind: str, start: re.Match[str], body: list[_Field], unread: list[Unread]) -> Config:
    """The rest of ``sc qc`` by its order: error control, binary, group, tag, display name, dependencies, account."""
    rest = body[1:] if body and _CONTROL.fullmatch(body[0].value) else body
    labelled = [field for field in rest if field.label]
    late = start["late"] is not None
    if len(labelled) != 6 or not re.fullmatch(r"\d*", labelled[2].value):
        unread.extend(
            field.line.unread("the configuration is not whole, so its lines cannot be told apart") for field in rest
        )
        return Config(name, kind, int(start["code"]), start["word"], late, None, None, (), None)
    binary, _, _, display, first, account = labelled
    needs = [first.value, *(field.value for field in rest if not field.label)]
    return Config(
        name, kind, int(start["code"]), start["word"], late, binary.value, display.value,
        tuple(filter(None, needs)), account.value,
    )  # fmt: skip
