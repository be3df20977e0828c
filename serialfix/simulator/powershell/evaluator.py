"""Evaluates a PowerShell tree over the VM's state.

Statements are generators, as every program of the VM: what waits (a service, a question of a native program) yields.
A pipeline runs stage after stage, each on all that the one before gave. Common knowledge (about_* pages).
"""

import itertools
import re
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tree_sitter import Node

from serialfix.simulator.cmd_streams import Streams
from serialfix.simulator.filesystem import absolute
from serialfix.simulator.powershell import binding, errors, exceptions, members, operators, progress
from serialfix.simulator.powershell.errors import Position, Record, Thrown
from serialfix.simulator.powershell.syntax import Tree, parse, plain
from serialfix.simulator.powershell.values import (
    Block,
    Obj,
    Table,
    TypeName,
    Value,
    custom,
    each,
    number,
    one,
    text,
    truth,
)
from serialfix.simulator.programs import Request, Stdin

if TYPE_CHECKING:
    from serialfix.simulator.cmd import Shell
    from serialfix.simulator.vm import Vm

Run = Generator[Request, str, Value]
Output = Generator[Request, str, list[Value]]
STATEMENTS = frozenset(
    {
        "pipeline", "if_statement", "foreach_statement", "for_statement", "while_statement", "do_statement",
        "try_statement", "flow_control_statement", "function_statement", "switch_statement", "empty_statement",
        "comment",
    }
)  # fmt: skip
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_RANGE = re.compile(r"(-?\d+)\.\.(-?\d+)")
_REDIRECT = re.compile(r"([12345*]?)(>>?)(.*)|([12345*])>&1")


class Jump(Exception):
    """break, continue, return or exit."""

    def __init__(self, how: str, values: list[Value] | None = None) -> None:
        super().__init__(how)
        self.how, self.values = how, values or []


@dataclass(slots=True)
class Shared:
    """What all scopes of one PowerShell share."""

    shell: "Shell"
    streams: Streams
    width: int = 80
    mode: str = "FullLanguage"
    location: str = r"C:\Windows\system32"
    modules: set[str] = field(default_factory=lambda: {"PSReadLine"})
    functions: dict[str, Block] = field(default_factory=dict)
    records: list[Record] = field(default_factory=list)
    statics: dict[str, Value] = field(default_factory=dict)
    succeeded: bool = True
    last_exit: int | None = None
    silent: bool = False
    merged: list[Value] | None = None  # where 2>&1 collects errors
    red: bool = False  # errors go to a console, in colour
    prepared: bool = False  # a module was loaded by itself already

    @property
    def vm(self) -> "Vm":
        """The machine."""
        return self.shell.vm


@dataclass(slots=True)
class Evaluator:
    """One scope of a running PowerShell."""

    shared: Shared
    tree: Tree
    variables: dict[str, Value]
    outer: "Evaluator | None" = None
    current: Node | None = None
    stage_input: list[Value] = field(default_factory=list)

    @property
    def vm(self) -> "Vm":
        """The machine."""
        return self.shared.vm

    # -- variables ------------------------------------------------------------------------------------------------

    def read(self, name: str) -> Value:
        """Return a variable's value, None where it is not set."""
        low = name.lower()
        scope, colon, rest = low.partition(":")
        if colon and scope == "env":
            return self.shared.shell.environment.get(rest) or None
        low = rest if colon and scope in {"global", "script", "local", "private", "variable"} else low
        made = self._automatic(low)
        if made is not None:
            return made
        here: Evaluator | None = self
        while here is not None:
            if low in here.variables:
                return here.variables[low]
            here = here.outer
        return None

    def _automatic(self, low: str) -> Value:
        shared = self.shared
        if low == "?":
            return shared.succeeded
        if low == "lastexitcode":
            return shared.last_exit
        if low == "pwd":
            return Obj("System.Management.Automation.PathInfo", {"Path": shared.location}, shared.location)
        if low == "error":
            return [error_object(each_record) for each_record in reversed(shared.records)]
        if low == "pid":
            return 4712
        if low == "pshome":
            return r"C:\Windows\System32\WindowsPowerShell\v1.0"
        if low == "home":
            return self.shared.shell.environment.get("USERPROFILE")
        if low == "psversiontable":
            build = self.vm.edition
            return Table(
                {
                    "PSVersion": f"5.1.{build.build}.{build.revision or 1}", "PSEdition": "Desktop",
                    "BuildVersion": f"10.0.{build.build}.{build.revision or 1}", "CLRVersion": "4.0.30319.42000",
                }
            )  # fmt: skip
        if low == "executioncontext":
            state = Obj("System.Management.Automation.SessionState", {"LanguageMode": shared.mode})
            return Obj("System.Management.Automation.EngineIntrinsics", {"SessionState": state})
        if low == "host":
            return Obj("Host", {"Name": "ConsoleHost", "Version": "5.1"})
        return None

    def write(self, name: str, value: Value) -> None:
        """Set a variable."""
        low = name.lower()
        scope, colon, rest = low.partition(":")
        if colon and scope == "env":
            self.shared.shell.environment.set(name.partition(":")[2], text(value))
            return
        target = self
        if colon and scope in {"global", "script"}:
            while target.outer is not None:
                target = target.outer
        target.variables[rest if colon else low] = value

    # -- errors ---------------------------------------------------------------------------------------------------

    def fail(self, record: Record, action: str | None = None) -> None:
        """Write a non-terminating error in the way $ErrorActionPreference or ``action`` asks. May raise Thrown."""
        how = (action or text(self.read("ErrorActionPreference")) or "Continue").lower()
        self.shared.succeeded = False
        if how in {"stop", "1"}:
            raise Thrown(record)
        if how not in {"ignore", "4"}:
            self.shared.records.append(record)
        if how in {"continue", "2", "inquire"}:
            self.print_error(record)

    def position(self) -> Position | None:
        """Return where the current command stands."""
        node = self.current
        if node is None:
            return None
        row, column = node.start_point
        lines = self.tree.source.decode().split("\n")
        typed = self.tree.text.split("\n")  # without what the parser quoted
        line = (typed if len(typed) >= row + 1 else lines)[row] if row < len(lines) else ""
        column = min(column, max(0, len(line) - 1))
        length = node.end_byte - node.start_byte
        return Position(row + 1, line, column + 1, min(length, len(line) - column))

    def print_error(self, record: Record) -> None:
        """Write an error to the console, or into the output where 2>&1 says so."""
        if self.shared.merged is not None:
            self.shared.merged.append(self.caught(record))
            return
        shown = errors.shown(record, self.position(), width=self.shared.width)
        self.shared.streams.err(errors.coloured(shown) if self.shared.red else shown)

    def caught(self, record: Record) -> Obj:
        """Return an error as an object, which is shown as the console shows an error."""
        made = error_object(record)
        shown = errors.shown(record, self.position(), width=self.shared.width)
        made.hidden["shown"] = shown.removesuffix("\r\n").split("\r\n")
        return made

    # -- statements -----------------------------------------------------------------------------------------------

    def block(self, node: Node) -> Output:
        """Run the statements below a node; return all their output."""
        found: list[Value] = []
        for child in node.children:
            if child.type in {"statement_list", "script_block", "script_block_body", "named_block_list"}:
                found += yield from self.block(child)
            elif child.type in STATEMENTS:
                try:
                    found += yield from self.statement(child)
                except Jump as jump:
                    jump.values = found + jump.values
                    raise
        return found

    def statement(self, node: Node) -> Output:
        """Run one statement."""
        kind = node.type
        if kind in {"empty_statement", "comment"}:
            return []
        if kind == "pipeline":
            return (yield from self.pipeline(node))
        if kind == "if_statement":
            return (yield from self._if(node))
        if kind == "foreach_statement":
            return (yield from self._foreach(node))
        if kind in {"for_statement", "while_statement", "do_statement"}:
            return (yield from self._loop(node))
        if kind == "try_statement":
            return (yield from self._try(node))
        if kind == "function_statement":
            name = self.of(_child(node, "function_name"))
            self.shared.functions[name.lower()] = Block(node, self.tree, self.of(node))
            return []
        if kind == "switch_statement":
            return (yield from self._switch(node))
        return (yield from self._flow(node))

    def of(self, node: Node) -> str:
        """Return a node's text."""
        return self.tree.of(node)

    def _flow(self, node: Node) -> Output:
        word = self.of(node.children[0]).lower()
        rest = [child for child in node.children if child.type == "pipeline"]
        values = (yield from self.pipeline(rest[0])) if rest else []
        if word == "throw":
            value = one(values)
            record = value.source if isinstance(value, Obj) and isinstance(value.source, Record) else None
            said = text(value) or "ScriptHalted"
            self.current = node
            raise Thrown(
                record or Record(said, "OperationStopped", f"{said}:String", "", "RuntimeException", said), value
            )
        raise Jump(word, values)

    def _if(self, node: Node) -> Output:
        condition = _child(node, "pipeline")
        if truth(one((yield from self.pipeline(condition)))):
            return (yield from self.block(_child(node, "statement_block")))
        clauses = next((child for child in node.children if child.type == "elseif_clauses"), None)
        for clause in clauses.children if clauses else ():
            if truth(one((yield from self.pipeline(_child(clause, "pipeline"))))):
                return (yield from self.block(_child(clause, "statement_block")))
        otherwise = next((child for child in node.children if child.type == "else_clause"), None)
        return (yield from self.block(_child(otherwise, "statement_block"))) if otherwise else []

    def _foreach(self, node: Node) -> Output:
        name = self.of(_child(node, "variable"))[1:]
        found: list[Value] = []
        for item in each(one((yield from self.pipeline(_child(node, "pipeline"))))):
            self.write(name, item)
            try:
                found += yield from self.block(_child(node, "statement_block"))
            except Jump as jump:
                found += jump.values
                if jump.how == "break":
                    break
                if jump.how != "continue":
                    raise Jump(jump.how, found) from None
        return found

    def _loop(self, node: Node) -> Output:
        parts = {child.type: child for child in node.children}
        found: list[Value] = []
        if "for_initializer" in parts:
            yield from self.block(parts["for_initializer"])
        condition = parts.get("while_condition") or parts.get("for_condition")
        until = any(child.type == "until" for child in node.children)
        first = node.type == "do_statement"
        for _ in range(1_000_000):
            if not first and condition is not None:
                holds = truth(one((yield from self.block(condition))))
                if holds == until:
                    break
            first = False
            try:
                found += yield from self.block(parts["statement_block"])
            except Jump as jump:
                found += jump.values
                if jump.how == "break":
                    break
                if jump.how != "continue":
                    raise Jump(jump.how, found) from None
            if "for_iterator" in parts:
                yield from self.block(parts["for_iterator"])
        return found

    def _try(self, node: Node) -> Output:
        found: list[Value] = []
        final = next((child for child in node.children if child.type == "finally_clause"), None)
        try:
            try:
                found += yield from self.block(_child(node, "statement_block"))
            except Thrown as thrown:
                error = self.caught(thrown.record)
                clause = self._clause(node, error)
                if clause is None:
                    raise
                self.shared.records.append(thrown.record)
                before = self.variables.get("_")
                self.variables["_"] = error
                try:
                    found += yield from self.block(_child(clause, "statement_block"))
                finally:
                    self.variables["_"] = before
        finally:
            if final is not None:
                found += yield from self.block(_child(final, "statement_block"))
        return found

    def _clause(self, node: Node, error: Obj) -> Node | None:
        """Return the catch clause that takes an error: one that names its exception or one within, or none by name."""
        clauses = next((child for child in node.children if child.type == "catch_clauses"), None)
        thrown = error.get("Exception")
        kinds = {"exception"}
        for each_one in exceptions.chain(thrown):
            kinds |= {each_one.kind.lower(), each_one.kind.lower().removeprefix("system.")}
        for clause in clauses.children if clauses else ():
            named = next((child for child in clause.children if child.type == "catch_type_list"), None)
            wanted = (
                [_type(self.of(child)) for child in named.children if child.type == "type_literal"] if named else []
            )
            if named is None or any(name.lower().removeprefix("system.") in kinds for name in wanted):
                return clause
        return None

    def _switch(self, node: Node) -> Output:
        value = one((yield from self.block(_child(node, "switch_condition"))))
        clauses = _child(_child(node, "switch_body"), "switch_clauses")
        found: list[Value] = []
        for item in each(value):
            matched = False
            for clause in clauses.children:
                condition = _child(clause, "switch_clause_condition")
                condition = plain(condition.children[0]) if condition.child_count else condition
                word = self.of(condition).strip()
                default = word.lower() == "default"
                if (default and matched) or (not default and not self._equal((yield from self.value(condition)), item)):
                    continue
                matched = True
                found += yield from self.block(_child(clause, "statement_block"))
        return found

    @staticmethod
    def _equal(a: Value, b: Value) -> bool:
        return bool(operators.compare("eq", b, a, lambda match: None))

    # -- pipelines ------------------------------------------------------------------------------------------------

    def pipeline(self, node: Node) -> Output:
        """Run a pipeline; return its output."""
        first = node.children[0] if node.children else node
        if first.type == "assignment_expression":
            yield from self._assign(first)
            return []
        chain = first if first.type == "pipeline_chain" else node
        stages = [child for child in chain.children if child.type not in {"|", "redirections"}]
        redirects = [child for child in chain.children if child.type == "redirections"]
        values: list[Value] = []
        for number_of, stage in enumerate(stages):
            if stage.type == "command":
                last = number_of == len(stages) - 1
                values = yield from self.command(stage, values, first=number_of == 0, last=last)
            else:
                if number_of:
                    self.current = stage
                    raise Thrown(
                        Record("Expressions are only allowed as the first element of a pipeline.", "ParserError")
                    )
                self.current = stage
                inner = plain(stage)
                value = yield from self.value(stage)
                silent = inner.type in {"post_increment_expression", "post_decrement_expression"} or (
                    inner.type in {"pre_increment_expression", "pre_decrement_expression"}
                )
                values = [] if silent else each(value)
                self.shared.succeeded = True
        for group in redirects:
            for each_one in group.children:
                values = yield from self._redirect_node(each_one, values)
        return values

    def _redirect_node(self, node: Node, values: list[Value]) -> Output:
        if any(child.type == "merging_redirection_operator" for child in node.children):
            return values
        operator = self.of(_child(node, "file_redirection_operator"))
        name = _child(node, "redirected_file_name")
        target = text((yield from self.value(name.children[-1])))
        if operator[:1] in "2345":
            return values
        self.to_file(target, values, append=">>" in operator)
        return []

    def to_file(self, target: str, values: list[Value], *, append: bool = False, encoding: str = "unicode") -> None:
        """Write output to a file as ``>`` does: UTF-16 with a mark (rdp-repair.md 1 C14)."""
        from serialfix.simulator.powershell import formatting

        if target.lower() in {"$null", "", "nul"}:
            return
        lines = formatting.lines(values, self.shared.width)
        members.write_text(self, target, "".join(line + "\r\n" for line in lines), encoding, append=append)

    def _assign(self, node: Node) -> Run:
        left = plain(node.children[0].children[0])
        sign = self.of(node.children[1])
        right = node.children[2]
        stages = right.children if right.type == "pipeline" else []
        stages = stages[0].children if len(stages) == 1 and stages[0].type == "pipeline_chain" else stages
        silent, self.shared.silent = self.shared.silent, True  # programs write into the variable, not to the console
        try:
            if len(stages) == 1 and stages[0].type not in {"command", "assignment_expression"}:
                value = yield from self.value(stages[0])  # an expression's array stays one, even of one element
                self.shared.succeeded = True
            else:
                value = one((yield from self.statement(right)))
        finally:
            self.shared.silent = silent
        if sign != "=":
            value = operators.arithmetic(sign[0], (yield from self.value(left)), value)
        yield from self.assign(left, value)
        return None

    def assign(self, left: Node, value: Value) -> Run:
        """Write to a variable, a property or an element."""
        yield from ()
        if left.type == "variable":
            self.write(_variable(self.of(left)), value)
            if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
                self.vm.note("output", to=self.of(left), text="\n".join(value) + "\n")
        elif left.type == "member_access":
            target = yield from self.value(left.children[0])
            name = self.of(left.children[-1])
            if isinstance(target, TypeName) and self.of(left.children[1]) == "::":
                members.set_static(self, target.name, name, value)
            elif isinstance(target, (Table, Obj)):
                target.set(name, value)
            else:
                raise Thrown(Record(f"The property '{name}' cannot be found on this object.", "InvalidOperation"))
        elif left.type == "element_access":
            target = yield from self.value(left.children[0])
            index = yield from self.value(left.children[2])
            if isinstance(target, Table):
                target.set(index, value)
            elif isinstance(target, list):
                target[int(number(index))] = value
        elif left.type == "cast_expression":
            yield from self.assign(plain(left.children[-1]), members.cast(_type(self.of(left.children[0])), value))
        return None

    # -- commands -------------------------------------------------------------------------------------------------

    def command(self, node: Node, given: list[Value], *, first: bool, last: bool) -> Output:
        """Run one command of a pipeline."""
        before = self.current
        self.current = node
        self.shared.succeeded = True
        call = yield from self._call(node)
        call = replace(call, given=given, first=first, last=last)
        outer = self.shared.merged
        joins = any(operator == "2>&1" for operator, _ in call.redirects)
        if joins:
            self.shared.merged = []
        try:
            values = yield from self.invoke(call)
            values = [*values, *(self.shared.merged or ())] if joins else values
        finally:
            self.shared.merged = outer
            keep = self.current
            self.current = before if before is not None and keep is node and not last else node
        for operator, target in call.redirects:
            if operator[:1] not in "2345":
                self.to_file(target, values, append=">>" in operator)
                values = []
        return values

    def _call(self, node: Node) -> Generator[Request, str, "binding.Call"]:
        """Evaluate a command's words."""
        name: Value = ""
        operator = ""
        words: list[binding.Word] = []
        redirects: list[tuple[str, str]] = []
        for child in node.children:
            if child.type == "command_invokation_operator":
                operator = self.of(child)
            elif child.type in {"command_name", "command_name_expr"}:
                inner = plain(child.children[0]) if child.child_count and child.type == "command_name_expr" else child
                name = (yield from self.value(inner)) if child.type == "command_name_expr" else self.of(child)
                if child.type == "command_name" and "$" in name and not name.startswith("$"):
                    name = yield from self._expand(name)
            elif child.type == "command_elements":
                yield from self._elements(child, words, redirects)
        return binding.Call(name, words, redirects, operator, self.of(node))

    def _elements(self, node: Node, words: list["binding.Word"], redirects: list[tuple[str, str]]) -> Run:
        children = [child for child in node.children if child.type not in {"command_argument_sep", ":"}]
        glued = [child.start_byte == previous.end_byte for previous, child in itertools.pairwise(children)]
        for number_of, child in enumerate(children):
            source = self.of(child)
            if child.type == "redirection":
                if not any(part.type == "merging_redirection_operator" for part in child.children):
                    target = _child(child, "redirected_file_name").children[-1]
                    value = yield from self.value(target)
                    redirects.append((self.of(_child(child, "file_redirection_operator")), text(value)))
                else:
                    redirects.append(("2>&1", ""))
            elif child.type == "generic_token" and (match := _REDIRECT.fullmatch(source)):
                redirects.append(((match[1] or "") + (match[2] or ""), match[3] or ""))
            elif child.type == "command_parameter":
                colon = self.tree.source[child.end_byte : child.end_byte + 1] == b":"
                words.append(binding.Word(source, source, parameter=True, takes_next=colon or source.endswith(":")))
            elif child.type == "stop_parsing":
                words += [binding.Word(part, part) for part in source.removeprefix("--%").split()]
            else:
                value = yield from self.value(child)
                if (
                    child.type != "argument_list"
                    and number_of
                    and glued[number_of - 1]
                    and words
                    and not words[-1].parameter
                ):
                    joined = text(words[-1].value) + text(value)
                    words[-1] = binding.Word(joined, joined)
                else:
                    words.append(binding.Word(value, source))
        return None

    def invoke(self, call: "binding.Call") -> Output:
        """Find and run what a call names: a block, a function, a cmdlet or a program."""
        from serialfix.simulator.powershell.cmdlets import ALIASES, CMDLETS

        if isinstance(call.name, Block):
            return (yield from self.run_block(call.name, call.given, [word.value for word in call.words]))
        name = text(call.name)
        match = _RANGE.fullmatch(name)
        if match and not call.words:
            return members.span(int(match[1]), int(match[2]))
        if not call.operator and name.startswith(("'", '"')):
            name = name[1:-1]
        low = name.lower()
        function = self.shared.functions.get(low)
        if function is not None:
            return (yield from self._function(function, call))
        found = CMDLETS.get(ALIASES.get(low, low).lower())
        if found is not None:
            bound = binding.bind(found, call, self)
            yield from progress.first_use(self, found.name)
            try:
                return (yield from found.run(bound))
            except Thrown as thrown:
                if not bound.stops and thrown.record.activity == "":
                    raise Thrown(replace(thrown.record, activity=found.name), thrown.value) from None
                raise
        return (yield from self._native(name, call))

    def _native(self, name: str, call: "binding.Call") -> Output:
        from serialfix.simulator import commands

        shell = self.shared.shell
        plain_name = name.rpartition("\\")[2].lower().removesuffix(".exe")
        known = plain_name in commands.PROGRAMS or plain_name in {"cmd", "powershell"}
        batch = shell.batch_file(name) if not known and ("\\" in name or "." in name) else None
        if name.lower().endswith(".ps1"):
            return (yield from self._script(name, call))
        if not known and batch is None:
            raise Thrown(errors.not_recognized(name))
        if self.shared.location[1:2] == ":":
            shell.cwd = self.shared.location
        tail = "".join(" " + binding.native_word(word) for word in call.words)
        parts: list[str] = []
        faults: list[str] = []
        told: list[str] = []  # for a 2>&1 further out
        merges = self.shared.merged is not None
        outer = self.shared.streams
        direct = call.last and not self.shared.silent and not call.redirects
        hides = any(op.startswith(("2", "*")) for op, _ in call.redirects)
        joins = any(op == "2>&1" for op, _ in call.redirects)
        from serialfix.simulator.powershell import formatting

        stdin = None if call.first else Stdin("\r\n".join(formatting.lines(call.given, self.shared.width)) + "\r\n")
        streams = Streams(
            outer.out if direct else parts.append,
            parts.append if joins else faults.append if hides else told.append if merges else outer.err,
            outer.stdin if call.first else stdin,
            outer.to_console and direct,
        )
        code = yield from shell.program(f'"{name}"' if " " in name else name, tail, streams)
        for line in "".join(told).splitlines():
            self.print_error(
                Record(line, "NotSpecified", f"({line}:String)", name, "RemoteException", "NativeCommandError")
            )
        self.shared.last_exit = code
        self.shared.succeeded = code == 0
        for op, target in call.redirects:
            if op.startswith("2") and op != "2>&1" and target:
                self.to_file(target, "".join(faults).splitlines(), append=">>" in op)
        return list("".join(parts).replace("\r\n", "\n").replace("\r", "\n").split("\n")[:-1]) + (
            ["".join(parts).rpartition("\n")[2]] if parts and not "".join(parts).endswith("\n") else []
        )

    def _script(self, name: str, call: "binding.Call") -> Output:
        path = absolute(name, self.shared.location if self.shared.location[1:2] == ":" else "C:\\")
        entry = self.vm.files.find(path)
        if entry is None or entry.data is None:
            raise Thrown(errors.not_recognized(name))
        from serialfix.simulator.file_sets import decode

        tree = parse(decode(entry.data))
        return (yield from self.run_block(Block(tree.root, tree, tree.text), call.given, [w.value for w in call.words]))

    def _function(self, function: Block, call: "binding.Call") -> Output:
        scope = Evaluator(self.shared, function.tree, {}, self)
        names = [
            (_variable(scope.of(_child(each_one, "variable"))), each_one)
            for each_one in _deep(function.node, "script_parameter")
        ]
        values = list(call.words)
        free: list[Value] = []
        while values:
            word = values.pop(0)
            wanted = text(word.value).lstrip("-").rstrip(":").lower() if word.parameter else ""
            match = next((name for name, _ in names if wanted and name.lower().startswith(wanted)), None)
            if match is not None:
                scope.variables[match.lower()] = values.pop(0).value if values and not values[0].parameter else True
            else:
                free.append(word.value)
        for name, node in names:
            if name.lower() not in scope.variables:
                default = next((child for child in node.children if child.type == "script_parameter_default"), None)
                scope.variables[name.lower()] = (
                    free.pop(0) if free else (yield from scope.value(default.children[-1])) if default else None
                )
        scope.variables["args"] = free
        scope.variables["input"] = call.given
        try:
            return (yield from scope.block(_child(function.node, "script_block")))
        except Jump as jump:
            if jump.how != "return":
                raise
            return jump.values

    def run_block(self, block: Block, given: list[Value], arguments: list[Value]) -> Output:
        """Run a script block with ``&`` or as a script: in a scope of its own."""
        scope = Evaluator(self.shared, block.tree, {"args": arguments, "input": given}, self)
        names = [_variable(scope.of(_child(p, "variable"))) for p in _deep(block.node, "script_parameter")]
        for name, value in zip(names, arguments, strict=False):
            scope.variables[name.lower()] = value
        try:
            return (yield from scope.block(block.node))
        except Jump as jump:
            if jump.how != "return":
                raise
            return jump.values

    def with_item(self, block: Block, item: Value) -> Output:
        """Run a script block with ``$_`` set, in this scope, as ForEach-Object and Where-Object do."""
        tree, before = self.tree, self.variables.get("_")
        current = self.current
        self.tree, self.variables["_"] = block.tree, item
        try:
            return (yield from self.block(block.node))
        except Jump as jump:
            if jump.how != "return":
                raise
            return jump.values
        finally:
            self.tree, self.current = tree, current
            self.variables["_"] = before

    # -- expressions ----------------------------------------------------------------------------------------------

    def value(self, node: Node) -> Run:
        """Evaluate an expression."""
        node = plain(node)
        method = getattr(self, f"_v_{node.type}", None)
        if method is not None:
            return (yield from method(node))
        if node.type.endswith("_expression") and node.child_count == 3:
            return (yield from self._binary(node))
        if node.child_count == 1:
            return (yield from self.value(node.children[0]))
        raise Thrown(Record(f"'{self.of(node)}' is not modelled by this simulator.", "NotImplemented"))

    def _binary(self, node: Node) -> Run:
        left = yield from self.value(node.children[0])
        sign = self.of(node.children[1]).lower()
        name = sign.lstrip("-")
        if name == "and":
            return truth(left) and truth((yield from self.value(node.children[2])))
        if name == "or":
            return truth(left) or truth((yield from self.value(node.children[2])))
        right = yield from self.value(node.children[2])
        if name == "xor":
            return truth(left) != truth(right)
        if name in operators.BITWISE:
            return operators.BITWISE[name](int(number(left)), int(number(right)))
        if sign in {"+", "-", "*", "/", "%"}:
            return operators.arithmetic(sign, left, right)
        if name == "f":
            return operators.formatted(text(left), right if isinstance(right, list) else [right])
        if sign == "..":
            return members.span(int(number(left)), int(number(right)))

        def matched(found: re.Match[str]) -> None:
            groups = {0: found[0]} | dict(enumerate(found.groups(), 1)) | found.groupdict()
            self.write("matches", Table({key: value for key, value in groups.items() if value is not None}))

        return operators.compare(name, left, right, matched)

    def _v_array_literal_expression(self, node: Node) -> Run:
        found = []
        for child in node.children:
            if child.type != ",":
                found.append((yield from self.value(child)))
        return found

    _v_argument_expression_list = _v_array_literal_expression

    def _v_expression_with_unary_operator(self, node: Node) -> Run:
        sign = self.of(node.children[0]).lower()
        value = yield from self.value(node.children[-1])
        if sign in {"!", "-not"}:
            return not truth(value)
        if sign == "-":
            return -number(value)
        if sign == "+":
            return number(value)
        if sign == "-bnot":
            return ~int(number(value))
        if sign == ",":
            return [value]
        if sign == "-join":
            return "".join(text(item) for item in each(value))
        if sign == "-split":
            return text(value).split()
        raise Thrown(Record(f"The operator '{sign}' is not modelled by this simulator.", "NotImplemented"))

    def _v_cast_expression(self, node: Node) -> Run:
        name = _type(self.of(node.children[0]))
        operand = plain(node.children[-1])
        value = yield from self.value(operand)
        if name.lower() in {"pscustomobject", "psobject"} and isinstance(value, Table):
            return custom({text(key): item for key, item in value.items()})
        return members.cast(name, value)

    def _v_type_literal(self, node: Node) -> Run:
        yield from ()
        return TypeName(_type(self.of(node)))

    def _v_argument_list(self, node: Node) -> Run:
        """Evaluate brackets right behind a command's word, which are an argument of their own: ``New-Object T($a)``."""
        found: list[Value] = []
        for part in _deep(node, "argument_expression", deeper=False):
            found.append((yield from self.value(part)))
        return one(found) if len(found) < 2 else found

    def _v_variable(self, node: Node) -> Run:
        yield from ()
        name = _variable(self.of(node))
        constants = {"true": True, "false": False, "null": None}
        low = name.lower()
        return constants[low] if low in constants else self.read(name)

    def _v_integer_literal(self, node: Node) -> Run:
        yield from ()
        source = self.of(node).lower()
        factor = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40}.get(source[-2:], 1)
        source = source[:-2] if factor > 1 else source.rstrip("l")
        return int(source, 16) * factor if source.startswith("0x") else int(source) * factor

    def _v_real_literal(self, node: Node) -> Run:
        yield from ()
        return float(self.of(node).lower().rstrip("dfm"))

    def _v_string_literal(self, node: Node) -> Run:
        inner = node.children[0] if node.child_count else node
        source = self.of(inner)
        if inner.type.startswith("verbatim_here"):
            return re.sub(r"\r?\n'@$", "", re.sub(r"^@'[ \t]*\r?\n", "", source))
        if inner.type.startswith("expandable_here"):
            return (yield from self._expand(re.sub(r'\r?\n"@$', "", re.sub(r'^@"[ \t]*\r?\n', "", source)), here=True))
        if source.startswith("'"):
            return source[1:-1].replace("''", "'")
        return (yield from self._expand(source[1:-1]))

    def _v_expandable_string_literal(self, node: Node) -> Run:
        return (yield from self._expand(self.of(node)[1:-1]))

    def _v_generic_token(self, node: Node) -> Run:
        source = self.of(node)
        if "$" in source or "`" in source:
            return (yield from self._expand(source))
        return re.sub(r"'((?:[^']|'')*)'|\"([^\"]*)\"", lambda m: m[1] if m[1] is not None else m[2], source)

    def _v_switch_clause_condition(self, node: Node) -> Run:
        yield from ()
        source = self.of(node).strip()
        return int(source) if source.isdigit() else source

    def _v_command_token(self, node: Node) -> Run:
        return (yield from self._v_generic_token(node))

    def _v_parenthesized_expression(self, node: Node) -> Run:
        silent, self.shared.silent = self.shared.silent, True
        try:
            return one((yield from self.block(node)))
        finally:
            self.shared.silent = silent

    _v_sub_expression = _v_parenthesized_expression

    def _v_array_expression(self, node: Node) -> Run:
        silent, self.shared.silent = self.shared.silent, True
        try:
            return (yield from self.block(node))
        finally:
            self.shared.silent = silent

    def _v_script_block_expression(self, node: Node) -> Run:
        yield from ()
        return Block(node, self.tree, self.of(node)[1:-1])

    def _v_hash_literal_expression(self, node: Node) -> Run:
        table = Table()
        for entry in _deep(node, "hash_entry", deeper=False):
            key_node = plain(_child(entry, "key_expression").children[0])
            key = self.of(key_node) if key_node.type == "simple_name" else (yield from self.value(key_node))
            silent, self.shared.silent = self.shared.silent, True
            try:
                value = next(child for child in entry.children if child.type in STATEMENTS)
                table.set(key, one((yield from self.statement(value))))
            finally:
                self.shared.silent = silent
        return table

    def _v_post_increment_expression(self, node: Node) -> Run:
        target = plain(node.children[0])
        value = number((yield from self.value(target)))
        yield from self.assign(target, value + 1)
        return value

    def _v_post_decrement_expression(self, node: Node) -> Run:
        target = plain(node.children[0])
        value = number((yield from self.value(target)))
        yield from self.assign(target, value - 1)
        return value

    def _v_member_access(self, node: Node) -> Run:
        static = self.of(node.children[1]) == "::"
        target = yield from self.value(node.children[0])
        name = yield from self._member(node.children[2])
        if static:
            return members.static(self, _name(target), name)
        return members.get(self, target, name)

    def _member(self, node: Node) -> Run:
        inner = node.children[0] if node.child_count else node
        return (
            text((yield from self.value(inner))) if inner.type not in {"simple_name", "member_name"} else self.of(node)
        )

    def _v_element_access(self, node: Node) -> Run:
        target = yield from self.value(node.children[0])
        index = yield from self.value(node.children[2])
        return members.element(target, index)

    def _v_invokation_expression(self, node: Node) -> Run:
        target = yield from self.value(node.children[0])
        static = self.of(node.children[1]) == "::"
        name = yield from self._member(node.children[2])
        arguments: list[Value] = []
        for part in _deep(node.children[3], "argument_expression", deeper=False):
            arguments.append((yield from self.value(part)))
        if isinstance(target, Block) and name.lower() in {"invoke", "invokereturnasis"}:
            return one((yield from self.run_block(target, [], arguments)))
        done = (
            members.call_static(self, _name(target), name, arguments)
            if static
            else members.call(self, target, name, arguments)
        )
        return (yield from done) if isinstance(done, Generator) else done

    def _expand(self, source: str, *, here: bool = False) -> Run:
        """Expand the text of a double-quoted string."""
        found, at = "", 0
        while at < len(source):
            character = source[at]
            if character == "`" and at + 1 < len(source):
                found, at = found + _ESCAPES.get(source[at + 1], source[at + 1]), at + 2
                continue
            if source[at : at + 2] == '""' and not here:
                found, at = found + '"', at + 2
                continue
            if character != "$":
                found, at = found + character, at + 1
                continue
            if source[at : at + 2] == "$(":
                end = _closing(source, at + 1)
                tree = parse(source[at + 2 : end])
                scope = Evaluator(self.shared, tree, self.variables, self.outer)
                silent, self.shared.silent = self.shared.silent, True
                try:
                    found += text(one((yield from scope.block(tree.root))))
                finally:
                    self.shared.silent = silent
                at = end + 1
                continue
            match = re.compile(r"\$(?:\{([^}]+)\}|((?:\w+:)?\w+|[?^$]))").match(source, at)
            if match is None:
                found, at = found + "$", at + 1
                continue
            name = match[1] or match[2]
            constants = {"true": "True", "false": "False", "null": ""}
            found += constants.get(name.lower()) or text(self.read(name))
            at = match.end()
        return found


def _name(target: Value) -> str:
    return target.name if isinstance(target, TypeName) else text(target)


def _type(source: str) -> str:
    return source.strip()[1:-1].strip()


def _variable(source: str) -> str:
    name = source.lstrip("$@")
    return name[1:-1] if name.startswith("{") else name


def _closing(source: str, start: int) -> int:
    depth = 0
    for at in range(start, len(source)):
        depth += (source[at] == "(") - (source[at] == ")")
        if depth == 0:
            return at
    return len(source)


def _child(node: Node, kind: str) -> Node:
    """Return the first child of a kind; the node itself where there is none, so that an empty block is empty."""
    return next(
        (child for child in node.children if child.type == kind), node if node.child_count == 0 else node.children[-1]
    )


def _deep(node: Node, kind: str, *, deeper: bool = True) -> list[Node]:
    """Return all nodes of a kind below one, not those inside another script block."""
    found: list[Node] = []
    for child in node.children:
        if child.type == kind:
            found.append(child)
            if not deeper:
                continue
        elif child.type != "script_block_expression":
            found += _deep(child, kind, deeper=deeper)
    return found


def error_object(record: Record) -> Obj:
    """Return what ``$_`` is in a catch block."""
    exception = record.thrown or exceptions.exception(
        f"System.Management.Automation.{record.exception}", record.message
    )
    return Obj(
        "System.Management.Automation.ErrorRecord",
        {
            "Exception": exception, "TargetObject": record.target, "CategoryInfo": record.category,
            "FullyQualifiedErrorId": record.identifier,
        },
        record.message, source=record,
    )  # fmt: skip
