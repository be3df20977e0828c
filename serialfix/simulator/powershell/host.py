"""powershell.exe: its command line, its prompt, what it prints.

Banner, prompt and the quirks of PSReadLine are windows-sac.md 3; ``>>`` asks for more of an unfinished line; from 2022
on the banner has one line more (common knowledge). Exit codes of -Command: 1 after an error that ended it.
"""

import base64
import binascii
from collections.abc import Generator
from random import Random
from typing import TYPE_CHECKING

from serialfix.simulator.cmd_streams import Exit, Streams
from serialfix.simulator.powershell import errors, formatting
from serialfix.simulator.powershell.errors import Position, Record, Thrown
from serialfix.simulator.powershell.evaluator import Evaluator, Jump, Shared
from serialfix.simulator.powershell.syntax import Incomplete, ParserError, Tree, parse
from serialfix.simulator.powershell.values import Value, text
from serialfix.simulator.programs import Interrupted, ReadLine, Request, Sleep, split_arguments

if TYPE_CHECKING:
    from serialfix.simulator.cmd import Shell
    from serialfix.simulator.vm import Vm

BANNER = "Windows PowerShell\r\nCopyright (C) Microsoft Corporation. All rights reserved.\r\n\r\n"
NEWER = "Install the latest PowerShell for new features and improvements! https://aka.ms/PSWindows\r\n\r\n"
_SWITCHES = ("noprofile", "noninteractive", "nologo", "noexit", "sta", "mta")
_TAKING = ("executionpolicy", "ep", "ex", "version", "windowstyle", "inputformat", "outputformat", "configurationname")


def _full(typed: str) -> str:
    """Return the whole name of an option from its beginning."""
    low = typed.lower().lstrip("-/")
    short = {"c": "command", "e": "encodedcommand", "ec": "encodedcommand", "f": "file", "nop": "noprofile",
             "noni": "noninteractive", "nol": "nologo", "enc": "encodedcommand", "w": "windowstyle"}  # fmt: skip
    if low in short:
        return short[low]
    every = ("command", "encodedcommand", "file", *_SWITCHES, *_TAKING)
    return next((name for name in every if name.startswith(low)), low)


def powershell(shell: "Shell", tail: str, streams: Streams) -> Generator[Request, str, int]:
    """Run powershell.exe with a command line; return its exit code."""
    words = split_arguments(tail)
    logo, asked, profile = True, None, True
    while words:
        if words[0][:1] not in "-/":
            asked = " ".join(words)
            break
        option = _full(words.pop(0))
        if option == "command":
            asked = " ".join(words)
            break
        if option == "file":
            asked = "& '" + (words[0] if words else "") + "' " + " ".join(words[1:])
            break
        if option == "encodedcommand":
            try:
                asked = base64.b64decode(words.pop(0) if words else "", validate=True).decode("utf-16-le")
            except (binascii.Error, UnicodeDecodeError):
                streams.err(
                    "Cannot process the command because the value specified with -EncodedCommand is not properly "
                    "encoded.\r\n"
                    "The value must be Base64 encoded.\r\n"
                )
                return 1
            break
        if option in _TAKING:
            words[:1] = []
        elif option == "nologo":
            logo = False
        elif option == "noprofile":
            profile = False
        elif option not in _SWITCHES:
            asked = " ".join(["-" + option, *words])
            break
    child = shell.child()
    child.batch = None
    shared = Shared(child, streams, mode=shell.vm.language_mode, red=streams.to_console)
    shared.location = shell.cwd
    yield Sleep(shell.vm.random("powershell starts").uniform(1.0, 5.0))
    yield from _maybe_hang(shell.vm)
    scope = Evaluator(shared, Tree(parse("").root, b"", ""), {})
    try:
        if asked == "-" or (asked is None and streams.stdin is not None):
            return (yield from _from_stdin(scope, streams))
        if asked is not None:
            return (yield from run_text(scope, asked))
        if logo:
            streams.out(BANNER + (NEWER if shell.vm.edition.build >= 20348 else ""))
        if profile:
            yield from run_text(scope, _profile(shell.vm))
        return (yield from _interact(scope))
    except Exit as end:
        return end.code


def _maybe_hang(vm: "Vm") -> Generator[Request, str, None]:
    """Hang before anything is shown, as often as the VM's knob says; half of the hung ones take no Ctrl-C either."""
    random = vm.random("powershell hangs")
    if random.random() >= vm.powershell_hangs:
        return
    stubborn = random.random() < 0.5
    vm.note("powershell hangs", stubborn=stubborn)
    while True:
        try:
            yield Sleep(3600.0)
        except Interrupted:
            if not stubborn:
                raise


def _from_stdin(scope: Evaluator, streams: Streams) -> Generator[Request, str, int]:
    code = 0
    pending = ""
    while streams.stdin is not None and not streams.stdin.empty:
        pending += streams.stdin.line() + "\n"
        try:
            parse(pending)
        except Incomplete:
            continue
        except ParserError:
            pass
        code = yield from run_text(scope, pending)
        pending = ""
    return code


def run_text(scope: Evaluator, source: str) -> Generator[Request, str, int]:
    """Parse and run a source, printing its output statement by statement; return the exit code."""
    shared = scope.shared
    try:
        tree = parse(source)
    except Incomplete:
        missing = (
            "The string is missing the terminator."
            if source.count('"') % 2 or source.count("'") % 2
            else ("Missing closing '}' in statement block or type definition.")
        )
        _print(shared, Record(missing, "ParserError", ":", "", "ParentContainsErrorRecordException",
                              "TerminatorExpectedAtEndOfString" if "string" in missing else "MissingEndCurlyBrace"),
               Position(1, source.splitlines()[0] if source.strip() else "", 1, 1))  # fmt: skip
        return 1
    except ParserError as error:
        line = source.count("\n", 0, error.at)
        start = source.rfind("\n", 0, error.at) + 1
        record = Record(str(error), "ParserError", ":", "", "ParentContainsErrorRecordException", error.kind)
        whole = source.split("\n")[line] if line < len(source.split("\n")) else ""
        _print(shared, record, Position(line + 1, whole, error.at - start + 1, max(1, len(error.token))))
        return 1
    scope.tree = tree
    shared.records = shared.records[-200:]
    statements = [
        child for part in tree.root.children for child in (part.children if part.type == "statement_list" else [])
    ]
    failed = False
    for node in statements:
        try:
            values = yield from scope.block(_Only(node))  # type: ignore[arg-type]
            show(shared, values)
        except Thrown as thrown:
            shared.records.append(thrown.record)
            shared.succeeded = False
            scope.print_error(thrown.record)
            failed = True
            stops = str(scope.read("ErrorActionPreference") or "").lower() == "stop" or thrown.value is not None
            if stops:
                break
        except (AttributeError, IndexError, KeyError, TypeError, ValueError, RecursionError) as bug:
            # what the simulator cannot do must not end the whole machine; the journal says what it was
            scope.vm.note("not modelled", text=source, error=repr(bug))
            record = Record(
                "This is not modelled by this simulator.", "NotImplemented", ":", "", "NotImplementedException"
            )
            scope.print_error(record)
            failed = True
        except Jump as jump:
            show(shared, jump.values)
            if jump.how == "exit":
                number = jump.values[0] if jump.values else 0
                raise Exit(number if isinstance(number, int) else 0) from None
            break
    return 1 if failed or not shared.succeeded else 0


class _Only:
    """Lets one statement stand where a block of them is expected."""

    def __init__(self, node: Value) -> None:
        self.children = [node]


def show(shared: Shared, values: list[Value]) -> None:
    """Write a statement's output to the console."""
    for line in formatting.lines(values, shared.width):
        shared.streams.out(line + "\r\n")


def _print(shared: Shared, record: Record, position: Position) -> None:
    shown = errors.shown(record, position, width=shared.width)
    shared.streams.err(errors.coloured(shown) if shared.red else shown)


def _profile(vm: "Vm") -> str:
    """Return the administrator's profile: none, or one of those people have. By seed."""
    return Random(f"{vm.seed}/profile").choice(
        (
            "",
            "",
            "function prompt { 'PS [' + (Get-Date -Format HH:mm) + '] ' + (Get-Location).Path + '> ' }",
            "Write-Host 'Loading personal and system profiles took 812ms.'",
        )
    )


def _prompt(scope: Evaluator) -> Generator[Request, str, str]:
    """Return what stands before a line: what the function ``prompt`` gives, where somebody wrote one."""
    function = scope.shared.functions.get("prompt")
    if function is None:
        return f"PS {scope.shared.location}> "
    before = scope.shared.succeeded
    try:
        made = yield from scope.run_block(function, [], [])
    except Thrown:
        made = []
    scope.shared.succeeded = before
    return "".join(text(each_one) for each_one in made) or "PS>"


def _interact(scope: Evaluator) -> Generator[Request, str, int]:
    shared = scope.shared
    while True:
        try:
            shared.streams.out((yield from _prompt(scope)))
            line = yield ReadLine(purpose="command", doubles="PSReadLine" in shared.modules, reader="powershell")
            while True:
                try:
                    parse(line)
                except Incomplete:
                    shared.streams.out(">> ")
                    more = yield ReadLine(purpose="more", doubles="PSReadLine" in shared.modules, reader="powershell")
                    if not more.strip():
                        break
                    line += "\n" + more
                    continue
                except ParserError:
                    pass
                break
            if line.strip():
                yield from run_text(scope, line)
        except Interrupted:
            shared.streams.out("")
        except Exit as end:
            return end.code
