"""Every PowerShell text that the client can type is one that the simulator, and so Windows PowerShell 5.1, understands.

The texts are parsed with tree-sitter-powershell; statements, operators, casts, cmdlets with their parameters, static
members, constructors and methods are held against the tables that docs/simulated-powershell.md is made from.
"""

import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tree_sitter import Node

import serialfix.playbooks
import serialfix.windows
from serialfix.console import folder, powershell, slices
from serialfix.simulator.commands import PROGRAMS
from serialfix.simulator.powershell.binding import COMMON
from serialfix.simulator.powershell.cmdlets import ALIASES, CMDLETS
from serialfix.simulator.powershell.constructors import CONSTRUCTORS
from serialfix.simulator.powershell.evaluator import STATEMENTS
from serialfix.simulator.powershell.members import CASTS, INSTANCE, STATIC
from serialfix.simulator.powershell.operators import BITWISE, COMPARISON
from serialfix.simulator.powershell.syntax import Incomplete, ParserError, Tree, parse
from serialfix.steps import Change, Command, NoUndo, Probe

PACKAGE = Path(serialfix.__file__).parent
OPERATORS = {
    "+", "-", "*", "/", "%", "..", "=", "+=", "-=", "*=", "/=", "%=", "++", "--", "!", ",", "-f", "-and", "-or", "-xor",
    "-not", "-bnot", *(f"-{name}" for name in BITWISE),
    *(f"-{case}{name}" for name in COMPARISON for case in ("", "i", "c")),
}  # fmt: skip
NOT_OPERATORS = {"command_invokation_operator", "path_operator", "expression_with_unary_operator"}
SHORT = {"int": "int32", "file": "io.file"}

# --- what the simulator knows ------------------------------------------------------------------------------------


@cache
def methods() -> frozenset[str]:
    """The methods of the simulator's objects: those of the page, and what else its objects have."""
    found = {name.lower() for table in INSTANCE.values() for name in table}
    for path in (PACKAGE / "simulator" / "powershell").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= {name.lower() for name in _given_methods(node)}
    return frozenset(found)


def _given_methods(node: ast.AST) -> Iterator[str]:
    tables: list[ast.expr] = []
    if isinstance(node, ast.Call):
        tables = [word.value for word in node.keywords if word.arg == "methods"]
        tables += node.args if ast.unparse(node.func).endswith(".methods.update") else []
    elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Subscript) and ast.unparse(target.value).endswith(".methods"):
                yield ast.literal_eval(target.slice)
            elif ast.unparse(target).rpartition(".")[2] == "methods":
                tables.append(node.value)
    for table in tables:
        if isinstance(table, ast.Dict):
            yield from (key.value for key in table.keys if isinstance(key, ast.Constant) and isinstance(key.value, str))


def type_name(text: str) -> str:
    """A type as the tables have it: without brackets and ``System.``, in lower case."""
    return text.strip().removeprefix("[").removesuffix("]").lower().removeprefix("system.")


def below(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from below(child)


def unknown(text: str, functions: frozenset[str] = frozenset()) -> list[str]:
    """What in ``text`` the simulator does not know. ``functions``: names that earlier lines defined."""
    tree = parse(text)
    nodes = list(below(tree.root))
    own = {tree.of(node).lower() for node in nodes if node.type == "function_name"} | functions
    return [problem for node in nodes for problem in _problems(tree, node, own)]


def _problems(tree: Tree, node: Node, functions: "frozenset[str] | set[str]") -> Iterator[str]:
    kind, text = node.type, tree.of(node)
    if kind.endswith("_statement") and kind not in STATEMENTS:
        yield f"the statement {kind}"
    elif kind == "command":
        yield from _command(tree, node, functions)
    elif kind.endswith("_operator") and kind not in NOT_OPERATORS:
        if "redirection" not in kind and text.lower() not in OPERATORS:
            yield f"the operator {text}"
    elif not node.child_count and re.fullmatch(r"-[a-z]+", text.lower()) and node.parent is not None:
        if node.parent.type.endswith(("_expression", "_unary_operator")) and text.lower() not in OPERATORS:
            yield f"the operator {text}"
    elif kind == "cast_expression":
        if type_name(tree.of(node.children[0])) not in {type_name(name) for name in CASTS}:
            yield f"the cast {tree.of(node.children[0])}"
    elif kind in {"member_access", "invokation_expression"} and len(node.children) > 2:
        yield from _member(tree, node)


def _command(tree: Tree, node: Node, functions: "frozenset[str] | set[str]") -> Iterator[str]:
    names = [child for child in node.children if child.type == "command_name"]
    if not names:
        return  # a block or a value that is called
    name = tree.of(names[0]).lower()
    if name in functions or name.rpartition("\\")[2].removesuffix(".exe") in {*PROGRAMS, "cmd", "powershell"}:
        return
    cmdlet = CMDLETS.get(ALIASES.get(name, name).lower())
    if cmdlet is None:
        yield f"the command {name}"
        return
    known = [each.lower() for each in (*cmdlet.parameters, *COMMON)]
    elements = [child for child in node.children if child.type == "command_elements"]
    words = [child for element in elements for child in element.children]
    for word in words:
        if word.type == "command_parameter":
            typed = tree.of(word).lower().lstrip("-").rstrip(":")
            if typed not in known and sum(each.startswith(typed) for each in known) != 1:
                yield f"the parameter {tree.of(word)} of {cmdlet.name}"
    if cmdlet.name == "New-Object":
        wanted = [tree.of(word) for word in words if word.type not in {"command_parameter", "command_argument_sep"}]
        if wanted and type_name(wanted[0]) not in {type_name(each) for each in (*CONSTRUCTORS, "psobject")}:
            yield f"the constructor {wanted[0]}"


def _member(tree: Tree, node: Node) -> Iterator[str]:
    target, sign, member = (tree.of(child) for child in node.children[:3])
    if sign == "::":
        if member.lower() == "new":
            if type_name(target) not in {type_name(each) for each in CONSTRUCTORS}:
                yield f"the constructor {target}"
            return
        short = SHORT.get(type_name(target), type_name(target))
        table = next((names for kind, names in STATIC.items() if type_name(kind) == short), {})
        if member.lower() not in {name.lower() for name in table}:
            yield f"the static member {target}::{member}"
    elif node.type == "invokation_expression" and member.lower() not in methods():
        yield f"the method {member}"


# --- what the client types ---------------------------------------------------------------------------------------

# What a factory of probes or changes is called with, by its parameters' names or types.
SAMPLES: dict[str, tuple[Any, ...]] = {
    "int": (3389,),
    "str": ("TermService", "abcdefghjkmn", "a" * 40, r"HKLM\SOFTWARE\Toy", "S-1-5-20"),
}
IN_CMD = re.compile(r"powershell(?:\.exe)?\b[^\"]*?-c(?:ommand)? \"([^\"]*)\"", re.IGNORECASE)


def modules() -> list[ModuleType]:
    return [
        importlib.import_module(info.name)
        for package in (serialfix.windows, serialfix.playbooks)
        for info in pkgutil.iter_modules(package.__path__, package.__name__ + ".")
    ]


def commands(value: object) -> Iterator[Command]:
    """The commands in a probe or a change, or in several."""
    if isinstance(value, Command):
        yield value
    elif isinstance(value, Probe):
        yield from commands(value.query)
    elif isinstance(value, Change):
        yield from commands(value.do)
        yield from commands(value.before)
        yield from commands(value.impact)
        if not isinstance(value.undo, NoUndo):
            with suppress(AttributeError, TypeError, ValueError):  # nothing to bring back where nothing was
                yield from commands(value.undo(None))
    elif isinstance(value, tuple | list):
        for each in value:
            yield from commands(each)
    elif isinstance(value, dict):
        yield from commands(tuple(value.values()))


def made(function: Callable[..., Any]) -> object:
    """What a factory makes of the first samples that it takes; None where there are none for it."""
    for number in range(len(SAMPLES["str"])):
        given: dict[str, Any] = {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.default is not parameter.empty:
                continue
            samples = SAMPLES.get(getattr(parameter.annotation, "__name__", str(parameter.annotation)))
            if samples is None:
                return None
            given[parameter.name] = samples[number % len(samples)]
        try:
            return function(**given)
        except (ValueError, LookupError):
            continue
    return None


@cache
def sites() -> dict[tuple[str, int], bool]:
    """Where ``Command("powershell", ...)`` stands in windows and playbooks; whether inside a function."""
    found = {}
    for module in modules():
        path = Path(str(module.__file__))
        for top in ast.parse(path.read_text(encoding="utf-8")).body:
            for node in ast.walk(top):
                if isinstance(node, ast.Call) and ast.unparse(node).startswith("Command('powershell'"):
                    found[path.name, node.lineno] = isinstance(top, ast.FunctionDef)
    return found


@cache
def typed() -> tuple[list[Command], set[tuple[str, int]]]:
    """All commands of windows and playbooks, and the sites inside functions that made one."""
    met: set[tuple[str, int]] = set()
    found: list[Command] = []
    original = Command.__init__

    def init(self: Command, *args: Any, **words: Any) -> None:
        frame = sys._getframe(1)
        met.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        original(self, *args, **words)
        found.append(self)

    patch = pytest.MonkeyPatch()
    patch.setattr(Command, "__init__", init)
    try:
        for module in modules():
            for value in list(vars(module).values()):
                if inspect.isfunction(value) and value.__module__ == module.__name__:
                    if re.search(r"Probe|Change|Command", str(inspect.signature(value).return_annotation)):
                        found += commands(made(value))
                else:
                    found += commands(value)
    finally:
        patch.undo()
    return found, met


@cache
def texts() -> list[str]:
    """Every PowerShell text of the client: its own lines, and those of probes and changes."""
    own = [
        *powershell.FUNCTIONS,
        *powershell.DIGESTS.values(),
        powershell.first_line("abcdef"),
        powershell.LANGUAGE_MODE,
    ]
    dialect, key = powershell.POWERSHELL, "abcdefgh"
    for way in dialect.ways:
        spoken = (dialect.ask(key, [slices.Asked("1", True)], way), dialect.again(key, way), dialect.encode(key, way))
        own += [each.text for each in spoken]
    own.append(dialect.rows(key, 1, 2, encoded=False).text)
    found, _ = typed()
    instead = folder.with_powershell(r"C:\Windows\abcdefghjkmn").instead
    assert instead is not None
    own_words = [instead.define(word) for word in ("_z", "_y", "_h", "_b")]
    in_cmd = [*own_words, *(command.text for command in found if command.shell == "cmd")]
    own += [match for text in in_cmd for match in IN_CMD.findall(text)]
    return own + sorted({command.text for command in found if command.shell == "powershell"})


FUNCTIONS = frozenset({"_r", "_p", "_h", "_s", "_v", "_q", "prompt"})


def test_every_text_is_known() -> None:
    assert {text: problems for text in texts() if (problems := unknown(text, FUNCTIONS))} == {}


def test_every_text_can_be_typed() -> None:
    assert [text for text in texts() if not (text.isascii() and text.isprintable() and len(text) <= 1400)] == []


def test_probes_and_changes_fit_the_frame() -> None:
    found, _ = typed()
    for command in found:
        if command.shell == "powershell":
            assert len(command.text) <= 1100, command
            assert powershell.closed(command.text), command


def test_every_place_that_makes_one_was_met() -> None:
    _, met = typed()
    missed = [
        site
        for site, inside in sites().items()
        if inside and not any((site[0], line) in met for line in range(site[1], site[1] + 6))
    ]
    assert missed == [], "add a sample to SAMPLES with which it is made"
    assert sites()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("Get-Nothing", "the command get-nothing"),
        ("Get-Service -Color red", "the parameter -Color of Get-Service"),
        ("[IO.File]::Shred('x')", "the static member [IO.File]::Shred"),
        ("[Nothing.AtAll]::Go()", "the static member [Nothing.AtAll]::Go"),
        ("'a'.Vanish()", "the method Vanish"),
        ("[xml]'<a/>'", "the cast [xml]"),
        ("New-Object Net.WebClient", "the constructor Net.WebClient"),
        ("class A {}", "the statement class_statement"),
        ("trap {1}", "the statement trap_statement"),
        ("if (1) { 2 | Get-Nothing }", "the command get-nothing"),
    ],
)
def test_what_is_not_known_is_found(text: str, problem: str) -> None:
    assert problem in unknown(text)


@pytest.mark.parametrize("text", ["Get-Service 'x", "(1", "foo)"])
def test_what_does_not_parse_is_found(text: str) -> None:
    with pytest.raises((Incomplete, ParserError)):
        unknown(text)


def test_an_operator_that_is_not_known_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The grammar knows no operator that the simulator does not, so two are taken away."""
    monkeypatch.setattr(sys.modules[__name__], "OPERATORS", OPERATORS - {"-like", "-join"})
    assert unknown("1 -like 2") == ["the operator -like"]
    assert unknown("-join (1, 2)") == ["the operator -join"]
    assert unknown("1 -eq 2") == []
