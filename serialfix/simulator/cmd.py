r"""cmd.exe: reads lines, expands, parses, runs, and remembers ERRORLEVEL.

Phases: percent expansion, special characters (cmd_parse), loop variables, delayed expansion, then the command.
``call`` expands once more, so ``x&call echo %^errorlevel%`` prints the exit code of x (rdp-repair.md 1 C5). Batch
files are cmd_batch's. Common knowledge.
"""

import re
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random

from serialfix.simulator import commands
from serialfix.simulator.cmd_batch import Frame, is_batch, run_file
from serialfix.simulator.cmd_internal import INTERNAL, is_internal
from serialfix.simulator.cmd_parse import (
    BadSyntax,
    For,
    Group,
    If,
    Incomplete,
    Join,
    Node,
    Nothing,
    Redirect,
    Simple,
    parse,
    unparse,
)
from serialfix.simulator.cmd_streams import Exit, Streams
from serialfix.simulator.cmd_text import Environment, expand_delayed, expand_for, expand_percent, prompt_text
from serialfix.simulator.filesystem import absolute, parent
from serialfix.simulator.programs import Interrupted, Process, ReadLine, Request, Stdin, Steps, Title, split_arguments
from serialfix.simulator.security import READ_DATA
from serialfix.simulator.sids import Token
from serialfix.simulator.vm import Vm

LONGEST = 8191
PATH = (
    r"C:\Windows\system32",
    r"C:\Windows",
    r"C:\Windows\System32\Wbem",
    r"C:\Windows\System32\WindowsPowerShell\v1.0",
)
NOT_FOUND = "'{0}' is not recognized as an internal or external command,\r\noperable program or batch file."


@dataclass(slots=True)
class Shell:
    """One cmd.exe. ``delayed``: /v:on. ``wide``: /u, its own commands write UTF-16 to files and pipes."""

    vm: Vm
    environment: Environment
    cwd: str
    console: Callable[[str], None]
    rows: int = 24
    delayed: bool = False
    wide: bool = False
    echo: bool = True
    errorlevel: int = 0
    interactive: bool = True
    command_line: str = r"C:\Windows\system32\cmd.exe"
    variables: dict[str, str] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)
    random: Random = field(default_factory=lambda: Random(0))
    identity: Token | None = None
    batch: Frame | None = None

    @property
    def token(self) -> Token:
        """Who runs this shell."""
        return self.identity or self.vm.administrator()

    # -- variables --------------------------------------------------------------------------------------------

    def lookup(self, name: str) -> str | None:
        """Return a variable, or one of those cmd makes up."""
        found = self.environment.get(name)
        if found is not None:
            return found
        now = self.vm.clock()
        made: dict[str, Callable[[], str]] = {
            "cd": lambda: self.cwd,
            "errorlevel": lambda: str(self.errorlevel),
            "date": lambda: now.strftime("%a %m/%d/%Y"),
            "time": lambda: f"{now.hour:2d}:{now:%M:%S}.{now.microsecond // 10000:02d}",
            "random": lambda: str(self.random.randrange(32768)),
            "cmdcmdline": lambda: self.command_line,
            "cmdextversion": lambda: "2",
        }
        return made[name.lower()]() if name.lower() in made else None

    def prompt(self) -> str:
        """Return the prompt's text."""
        now = self.vm.clock()
        version = f"Microsoft Windows [Version {self.vm.edition.version}]"
        template = self.environment.get("PROMPT") or "$P$G"
        time = f"{now.hour:2d}:{now:%M:%S}.{now.microsecond // 10000:02d}"
        return prompt_text(template, self.cwd, version, now.strftime("%a %m/%d/%Y"), time)

    def streams(self) -> Streams:
        """Return the console as streams."""
        return Streams(self.console, self.console, None, to_console=True)

    # -- lines ------------------------------------------------------------------------------------------------

    def interact(self) -> Steps:
        """Read and run lines until ``exit``; return its code."""
        gap = "\r\n"
        while True:
            try:
                if self.echo:
                    self.console(gap + self.prompt())
                line = yield ReadLine(purpose="command")
                gap = "" if not line.strip() else "\r\n"
                yield from self.run_line(line, more=True)
            except Interrupted:
                gap = ""
            except Exit as end:
                return end.code

    def run_line(
        self, line: str, *, more: bool = False, streams: Streams | None = None
    ) -> Generator[Request, str, int]:
        """Expand, parse and run one line; ask for more lines where it goes on and ``more``."""
        streams = streams or self.streams()
        text = self.expand(line, streams)
        if text is None:
            return 1
        while True:
            try:
                tree = parse(text)
                break
            except Incomplete:
                if not more:
                    text = text[:-1] if text.endswith("^") else text
                    if text.count("(") > text.count(")") or "(" in text:
                        return 255
                    continue
                self.console("More? ")
                following = self.expand((yield ReadLine(purpose="more")), streams)
                text += "\n" + (following or "")
            except BadSyntax as error:
                streams.err(error.message() + "\r\n")
                self.errorlevel = 1 if more else 255
                return self.errorlevel
        return (yield from self.run(tree, streams))

    def expand(self, line: str, streams: Streams) -> str | None:
        """Do the percent phase; None and a message when the line gets too long."""
        text = expand_percent(line, self.lookup)
        if len(text) > LONGEST:
            streams.err("The input line is too long.\r\n")
            self.errorlevel = 1
            return None
        return text

    # -- trees ------------------------------------------------------------------------------------------------

    def run(self, node: Node, streams: Streams) -> Generator[Request, str, int]:
        """Run a tree; return its exit code."""
        if isinstance(node, Nothing):
            return self.errorlevel
        if isinstance(node, Simple):
            return (yield from self.with_redirects(node.redirects, streams, lambda s: self.simple(node.text, s)))
        if isinstance(node, Group):
            return (yield from self.with_redirects(node.redirects, streams, lambda s: self.run(node.body, s)))
        if isinstance(node, If):
            branch = node.then if self.holds(node) else node.otherwise
            return 0 if branch is None else (yield from self.run(branch, streams))
        if isinstance(node, For):
            return (yield from self.loop(node, streams))
        if node.how == "|":
            return (yield from self.pipe(node, streams))
        code = yield from self.run(node.left, streams)
        if node.how == "&" or (node.how == "&&") == (code == 0):
            code = yield from self.run(node.right, streams)
        return code

    def pipe(self, node: Join, streams: Streams) -> Generator[Request, str, int]:
        """Run both sides as children: the left one to its end, then the right one with its output.

        Windows runs them at once; for commands that end the outcome is the same.
        """
        parts: list[str] = []
        left = self.child()
        with_buffer = replace(streams, out=parts.append, to_console=False)
        with suppress(Exit):
            yield from left.run(node.left, with_buffer)
        right = self.child()
        try:
            code = yield from right.run(node.right, replace(streams, stdin=Stdin("".join(parts))))
        except Exit as end:
            code = end.code
        self.errorlevel = right.errorlevel
        return code

    def child(self) -> "Shell":
        """Return a shell with copies of what a child process inherits."""
        return replace(
            self, environment=self.environment.copy(), variables=dict(self.variables), stack=list(self.stack)
        )

    def with_redirects(
        self, redirects: tuple[Redirect, ...], streams: Streams, body: Callable[[Streams], Generator[Request, str, int]]
    ) -> Generator[Request, str, int]:
        """Run ``body`` with its streams redirected; output files are made first and written at the end."""
        files: list[tuple[str, bool, list[str]]] = []
        outs: dict[int, tuple[Callable[[str], None], bool]] = {
            1: (streams.out, streams.to_console),
            2: (streams.err, streams.to_console),
        }
        stdin = streams.stdin
        for each in redirects:
            target = self.late(each.target)
            if target.startswith("&") and target[1:].isdigit():
                outs[each.handle] = outs.get(int(target[1:]), outs[1])
                continue
            plain = target.strip('"')
            device = plain.rsplit("\\", 1)[-1].lower().rstrip(":")
            if each.mode == "<":
                found = None if device == "nul" else self.vm.files.find(absolute(plain, self.cwd))
                if found is not None and not self.vm.files.may(self.token, found.path, 1):
                    streams.err("Access is denied.\r\n")
                    self.errorlevel = 1
                    return 1
                if device != "nul" and (found is None or found.data is None):
                    streams.err("The system cannot find the file specified.\r\n")
                    self.errorlevel = 1
                    return 1
                stdin = Stdin(commands.decode(found.data) if found and found.data else "")
            elif device in {"nul", "con"}:
                outs[each.handle] = (lambda text: None, False) if device == "nul" else (self.console, True)
            else:
                path = absolute(plain, self.cwd)
                entry = self.vm.files.find(path)
                refused = self.vm.files.is_folder(parent(path)) and not self.vm.files.may(
                    self.token, path if entry is not None else parent(path), 2
                )
                if not self.vm.files.is_folder(parent(path)) or refused or (entry is not None and entry.data is None):
                    missing = "Access is denied." if refused or entry else "The system cannot find the path specified."
                    streams.err(missing + "\r\n")
                    self.errorlevel = 1
                    return 1
                buffer: list[str] = []
                files.append((path, each.mode == ">>", buffer))
                outs[each.handle] = (buffer.append, False)
        inner = Streams(outs[1][0], outs[2][0], stdin, outs[1][1])
        try:
            return (yield from body(inner))
        finally:
            for path, append, buffer in files:
                data = "".join(buffer).encode("cp437", "replace")
                self.vm.files.write(path, data, self.vm.now, append=append)
                self.vm.note("output", to=path, text="".join(buffer))

    def late(self, text: str) -> str:
        """Do the phases after parsing: loop variables, then delayed expansion."""
        text = expand_for(text, self.variables, self.size)
        return expand_delayed(text, self.lookup) if self.delayed else text

    def size(self, path: str) -> str:
        """Return a file's size in digits, as it stands in its folder; nothing where it can't be seen there."""
        entry = self.vm.files.find(absolute(path, self.cwd))
        if entry is None or not self.vm.files.may(self.token, parent(entry.path), READ_DATA):
            return ""
        return str(len(entry.data or b""))

    def exists(self, pattern: str) -> bool:
        """Look for a file or folder in its folder, as ``if exist`` does; ``FOLDER\\*`` finds the folder's own dot."""
        path = absolute(pattern, self.cwd)
        if len(path) <= 3:
            return self.vm.files.is_folder(path)
        above = parent(path)
        if not self.vm.files.is_folder(above) or not self.vm.files.may(self.token, above, READ_DATA):
            return False
        dot = path.rsplit("\\", 1)[-1] in {"*", "*.*"} and len(above) > 3
        return dot or bool(commands.matching(self.vm, pattern, self.cwd))

    def holds(self, node: If) -> bool:
        """Decide an ``if``."""
        kind, left, right = node.test[0], self.late(node.test[1]), self.late(node.test[2])
        if kind == "errorlevel":
            result = left.lstrip("-").isdigit() and self.errorlevel >= int(left)
        elif kind == "exist":
            result = self.exists(left.strip('"')) or left.lower() == "nul"
        elif kind == "defined":
            result = self.lookup(left) is not None
        elif kind == "cmdextversion":
            result = left.isdigit() and int(left) <= 2
        else:
            a, b = (left.lower(), right.lower()) if node.fold else (left, right)
            numbers = re.fullmatch(r"[+-]?(0x[0-9a-f]+|\d+)", a, re.IGNORECASE) and re.fullmatch(
                r"[+-]?(0x[0-9a-f]+|\d+)", b, re.I
            )
            if kind == "==":
                result = a == b
            else:
                order = _number(a) - _number(b) if numbers else (a > b) - (a < b)
                result = {
                    "equ": order == 0, "neq": order != 0, "lss": order < 0,
                    "leq": order <= 0, "gtr": order > 0, "geq": order >= 0,
                }[kind]  # fmt: skip
        return result != node.negate

    # -- loops ------------------------------------------------------------------------------------------------

    def loop(self, node: For, streams: Streams) -> Generator[Request, str, int]:
        """Run a ``for``; each round is echoed unless its command begins with @."""
        rounds = yield from self.rounds(node, streams)
        outer = dict(self.variables)
        code = self.errorlevel
        try:
            for values in rounds:
                self.variables = outer | values
                quiet = isinstance(node.body, (Simple, Group, If, For)) and node.body.quiet
                if self.echo and not quiet:
                    streams.out("\r\n" + self.prompt() + self.late(unparse(node.body)) + "\r\n")
                code = yield from self.run(node.body, streams)
        finally:
            self.variables = outer
        return code

    def rounds(self, node: For, streams: Streams) -> Generator[Request, str, list[dict[str, str]]]:
        """Return the loop variables of every round."""
        items, name = self.late(node.items), node.variable
        if node.kind == "/l":
            first, step, last = (_number(part) for part in (re.split(r"[\s,;=]+", items) + ["0"] * 3)[:3])
            if step == 0:
                return []
            return [{name: str(value)} for value in range(first, last + (1 if step > 0 else -1), step)][:100_000]
        if node.kind == "/f":
            text = yield from self.lines_for(items, node.options, streams)
            return [] if text is None else commands.for_f(text, self.late(node.options), name)
        found: list[dict[str, str]] = []
        for item in re.findall(r'"[^"]*"|[^\s,;=]+', items):
            if "*" not in item and "?" not in item and node.kind != "/r":
                found.append({name: item})
                continue
            start = absolute(node.options or ".", self.cwd) if node.kind == "/r" else self.cwd
            entries = commands.matching(self.vm, item.strip('"'), start, deep=node.kind == "/r")
            wanted = [e for e in entries if (e.data is None) == (node.kind == "/d")]
            folder = item.strip('"').rpartition("\\")
            prefix = folder[0] + folder[1] if node.kind != "/r" else ""
            found += [{name: e.path if node.kind == "/r" else prefix + e.name} for e in wanted]
        return found

    def lines_for(self, items: str, options: str, streams: Streams) -> Generator[Request, str, str | None]:
        """Return the text ``for /f`` reads: a command's output, a string or files."""
        back = "usebackq" in options.lower()
        mark = "`" if back else "'"
        if len(items) > 1 and items.startswith(mark) and items.endswith(mark):
            parts: list[str] = []
            child = self.child()
            child.echo = True
            inner = replace(streams, out=parts.append, to_console=False)
            with suppress(Exit):
                yield from child.run_line(items[1:-1], streams=inner)
            return "".join(parts)
        string = "'" if back else '"'
        if len(items) > 1 and items.startswith(string) and items.endswith(string):
            return items[1:-1]
        text = ""
        for item in re.findall(r'"[^"]*"|\S+', items):
            entry = self.vm.files.find(absolute(item.strip('"'), self.cwd))
            if entry is None or entry.data is None:
                streams.err(f"The system cannot find the file {item.strip(chr(34))}.\r\n")
                self.errorlevel = 1
                return None
            text += commands.decode(entry.data)
        return text

    # -- one command ------------------------------------------------------------------------------------------

    def simple(self, text: str, streams: Streams) -> Generator[Request, str, int]:
        """Run one command: an internal one or a program."""
        text = self.late(text).lstrip(" \t,;=")
        if not text:
            return self.errorlevel
        internal = is_internal(text)
        if internal is not None:
            name, tail = internal
            if self.wide and not streams.to_console:
                out = streams.out
                # what goes to a file or a pipe is bytes, each of which stands as its character of page 437 until then
                streams = replace(streams, out=lambda text: out(text.encode("utf-16-le").decode("cp437")))
            return (yield from INTERNAL[name](self, tail, streams))
        match = re.match(r'(?:"[^"]*"|[^\s,;="/])+(?:"[^"]*$)?', text)
        word = match[0] if match else text.split()[0]
        tail = text[len(word) :]
        return (yield from self.program(word, tail, streams))

    def program(self, word: str, tail: str, streams: Streams) -> Generator[Request, str, int]:
        """Find and run a program; 9009 when there is none."""
        plain = word.replace('"', "")
        batch = self.batch_file(plain)
        if batch is not None:
            self.vm.note("program", name=batch, tail=tail.strip())
            return (yield from run_file(self, batch, [word, *_words(tail)], streams))
        _, slash, base = plain.rpartition("\\")
        stem = base.lower().removesuffix(".exe")
        missing = NOT_FOUND.format(word)
        if slash:
            path = absolute(plain, self.cwd)
            if not self.vm.files.is_folder(parent(path)):
                return self.refuse(streams, "The system cannot find the path specified.", 1)
            entry = self.vm.files.find(path) or self.vm.files.find(path + ".exe")
            known = parent(path).lower().startswith(r"c:\windows\system32")
        else:
            entry = self.vm.files.find(rf"C:\Windows\System32\{stem}.exe") or (
                self.vm.files.find(rf"C:\Windows\System32\WindowsPowerShell\v1.0\{stem}.exe")
            )
            known = True
        if entry is None or entry.data is None:
            return self.refuse(streams, missing, 9009)
        if stem in self.vm.blocked:
            self.vm.note("blocked", name=stem)
            return self.refuse(streams, "Access is denied.", self.vm.blocked[stem])
        if stem == "cmd":
            return (yield from self.nested(tail, streams))
        if stem == "powershell":
            from serialfix.simulator.powershell.host import powershell

            self.vm.note("program", name=stem, tail=tail.strip())
            if streams.to_console:
                yield Title(r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe")
            self.errorlevel = yield from powershell(self, tail, streams)
            if streams.to_console:
                yield Title(r"C:\Windows\system32\cmd.exe")
            return self.errorlevel
        run = commands.PROGRAMS.get(stem) if known else None
        if run is None:
            return self.refuse(streams, missing if not known else f"{plain} is not modelled by this simulator.", 9009)
        if streams.to_console:
            yield Title(rf"C:\Windows\system32\cmd.exe - {stem}{tail.rstrip()}"[:250])
        values = dict(self.environment.items())
        process = Process(
            self.vm, stem, tail.lstrip(" "), split_arguments(tail), self.cwd, values,
            streams.out, streams.err, streams.stdin, streams.to_console, self.rows, identity=self.identity,
        )  # fmt: skip
        self.vm.note("program", name=stem, tail=tail.strip())
        result = run(process)
        code = result if isinstance(result, int) else (yield from result)
        if streams.to_console:
            yield Title(r"C:\Windows\system32\cmd.exe")
        self.errorlevel = code
        return code

    def batch_file(self, name: str) -> str | None:
        """Return the path of the batch file a word names, with or without its extension, or None."""
        folders = [self.cwd] if "\\" in name or ":" in name else [self.cwd, *PATH]
        for folder in folders:
            for ending in ("", ".bat", ".cmd"):
                path = absolute(name + ending, folder)
                entry = self.vm.files.find(path)
                if is_batch(path) and entry is not None and entry.data is not None:
                    return entry.path
        return None

    def refuse(self, streams: Streams, text: str, code: int) -> int:
        """Write an error line, remember and return the code."""
        streams.err(text + "\r\n")
        self.errorlevel = code
        return code

    def nested(self, tail: str, streams: Streams) -> Generator[Request, str, int]:
        """Run ``cmd`` inside cmd: /c and /k with their quote rule, /v:on, /q, /d, /s."""
        child = self.child()
        child.variables, child.interactive, child.batch = {}, True, None
        child.command_line = "cmd" + tail.rstrip()
        strip_always = keep = False
        rest, line = tail.lstrip(), ""
        while match := re.match(r"(?i)/([a-z?])(:on|:off)?\s*", rest):
            letter, value, rest = match[1].lower(), (match[2] or "").lower(), rest[match.end() :]
            if letter == "v":
                child.delayed = value != ":off"
            elif letter in "au":
                child.wide = letter == "u"
            elif letter == "q":
                child.echo = False
            elif letter == "s":
                strip_always = True
            elif letter in "ckr":
                keep, line = letter == "k", rest
                break
        else:
            keep = True
        if line.startswith('"'):
            inside = line.rstrip()
            only_two = inside.count('"') == 2 and inside.endswith('"') and not strip_always
            harmless = only_two and not set(inside) & set("&<>()@^|") and " " in inside
            is_program = self.vm.files.find(absolute(inside.strip('"'), r"C:\Windows\System32")) is not None
            if not (harmless and is_program):
                head, _, last = line[1:].rpartition('"')
                line = head + last if '"' in line[1:] else line[1:]
        if not line and streams.to_console:
            streams.out(banner(self.vm))
        try:
            code = (yield from child.run_line(line, streams=streams)) if line else 0
            if keep and streams.stdin is None:
                code = yield from child.interact()
        except Exit as end:
            code = end.code
        self.errorlevel = code
        return code


def _number(text: str) -> int:
    try:
        return int(text, 0) if not re.fullmatch(r"[+-]?0\d+", text) else int(text, 8)
    except ValueError:
        return 0


def _words(tail: str) -> list[str]:
    """Cut the arguments of a batch file: at blanks, commas, semicolons and equals signs; quotes stay."""
    return re.findall(r'(?:"[^"]*"|[^\s,;="])+', tail)


def as_task(vm: Vm, line: str, token: Token) -> Steps:
    """Return what the Task Scheduler runs for one command line, without a console."""

    def nothing(text: str) -> None:
        del text

    shell = Shell(vm, environment(vm), r"C:\Windows\system32", nothing, identity=token)
    if token.is_system:
        for name, value in (
            ("USERNAME", vm.name.upper()[:15] + "$"),
            ("USERPROFILE", r"C:\Windows\system32\config\systemprofile"),
            ("TEMP", r"C:\Windows\TEMP"),
            ("TMP", r"C:\Windows\TEMP"),
        ):
            shell.environment.set(name, value)
    match = re.match(r'\s*("[^"]*"|\S+)', line)
    if match is None:
        return 2
    # a path with blanks and no quotes is tried piece by piece, as CreateProcess does
    word, tail = match[1], line[match.end() :]
    if not word.startswith('"'):
        for end in [i for i in range(len(line)) if line[i] == " "] + [len(line)]:
            if shell.batch_file(line[:end].strip()) is not None:
                word, tail = f'"{line[:end].strip()}"', line[end:]
                break
    streams = Streams(nothing, nothing, Stdin(""), to_console=False)
    try:
        return (yield from shell.program(word, tail, streams))
    except Exit as end_:
        return end_.code


def banner(vm: Vm) -> str:
    """Return the two lines cmd greets with (windows-sac.md 1.8: no year from 2022 on)."""
    return f"Microsoft Windows [Version {vm.edition.version}]\r\n{vm.edition.copyright}\r\n"


def environment(vm: Vm) -> Environment:
    """Return the variables of an administrator's session over SAC."""
    home = rf"C:\Users\{vm.user}"
    return Environment(
        {
            "ALLUSERSPROFILE": r"C:\ProgramData",
            "APPDATA": home + r"\AppData\Roaming",
            "CommonProgramFiles": r"C:\Program Files\Common Files",
            "COMPUTERNAME": vm.name.upper()[:15],
            "ComSpec": r"C:\Windows\system32\cmd.exe",
            "HOMEDRIVE": "C:",
            "HOMEPATH": rf"\Users\{vm.user}",
            "LOCALAPPDATA": home + r"\AppData\Local",
            "LOGONSERVER": "\\\\" + vm.name.upper()[:15],
            "NUMBER_OF_PROCESSORS": "2",
            "OS": "Windows_NT",
            "Path": ";".join(PATH),
            "PATHEXT": ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
            "PROCESSOR_ARCHITECTURE": "AMD64",
            "ProgramData": r"C:\ProgramData",
            "ProgramFiles": r"C:\Program Files",
            "ProgramFiles(x86)": r"C:\Program Files (x86)",
            "PROMPT": "$P$G",
            "PUBLIC": r"C:\Users\Public",
            "SystemDrive": "C:",
            "SystemRoot": r"C:\Windows",
            "TEMP": home + r"\AppData\Local\Temp",
            "TMP": home + r"\AppData\Local\Temp",
            "USERDOMAIN": vm.name.upper()[:15],
            "USERNAME": vm.user,
            "USERPROFILE": home,
            "windir": r"C:\Windows",
        }
    )


def cmd(vm: Vm, console: Callable[[str], None], seed: int, rows: int = 24) -> Steps:
    """Return an interactive cmd.exe as the SAC helper starts it: banner, then prompts in ``C:\\Windows\\system32``."""
    shell = Shell(vm, environment(vm), r"C:\Windows\system32", console, rows, random=Random(f"{seed}/cmd"))
    console(banner(vm))
    return (yield from shell.interact())
