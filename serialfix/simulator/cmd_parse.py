r"""How cmd.exe reads a line: carets, quotes, ``& && || |``, parentheses, redirection, ``if`` and ``for``.

Text in, tree out; percent signs were dealt with before. ``Incomplete`` asks for another line (``More? ``): an open
parenthesis or a caret at the end. Common knowledge.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Literal

DELIMITERS = " \t,;="


class Incomplete(Exception):
    """The line goes on."""


class BadSyntax(Exception):
    """What cmd did not expect; str() is the token."""

    def message(self) -> str:
        """Return what cmd prints."""
        return "The syntax of the command is incorrect." if not str(self) else f"{self} was unexpected at this time."


@dataclass(frozen=True, slots=True)
class Redirect:
    """``handle`` to or from a file; ``target`` may be ``&1``. ``mode``: "<", ">" or ">>"."""

    handle: int
    mode: str
    target: str


@dataclass(frozen=True, slots=True)
class Simple:
    """One command as typed, carets and redirections taken out."""

    text: str
    redirects: tuple[Redirect, ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """``( ... )``."""

    body: "Node"
    redirects: tuple[Redirect, ...] = ()
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Join:
    """Two commands with ``&``, ``&&``, ``||`` or ``|`` between."""

    how: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class If:
    """``if``; ``test`` is (kind, left, right)."""

    test: tuple[str, str, str]
    negate: bool
    fold: bool
    then: "Node"
    otherwise: "Node | None"
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class For:
    """``for``; ``kind``: "", "/d", "/r", "/l" or "/f"."""

    kind: Literal["", "/d", "/r", "/l", "/f"]
    options: str
    variable: str
    items: str
    body: "Node"
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Nothing:
    """An empty line."""


Node = Simple | Group | Join | If | For | Nothing


@dataclass(slots=True)
class _Parser:
    text: str
    at: int = 0
    depth: int = 0
    pending: list[Redirect] = field(default_factory=list)

    def peek(self, length: int = 1) -> str:
        return self.text[self.at : self.at + length]

    def blanks(self, extra: str = "") -> None:
        while self.peek() and self.peek() in " \t" + extra:
            self.at += 1

    def sequence(self) -> Node:
        separators = DELIMITERS + "\n" if self.depth else DELIMITERS
        self.blanks(separators)
        left = self.either()
        while True:
            self.blanks()
            if self.peek() == "&" and self.peek(2) != "&&":
                self.at += 1
            elif self.peek() == "\n":
                self.at += 1
                self.blanks(DELIMITERS + "\n")
            else:
                return left
            self.blanks(separators)
            if not self.peek() or (self.peek() == ")" and self.depth):
                return left
            left = Join("&", left, self.either())

    def either(self) -> Node:
        left = self.both()
        while self.peek(2) == "||":
            self.at += 2
            left = Join("||", left, self.both())
        return left

    def both(self) -> Node:
        left = self.pipe()
        while self.peek(2) == "&&":
            self.at += 2
            left = Join("&&", left, self.pipe())
        return left

    def pipe(self) -> Node:
        left = self.command()
        while self.peek() == "|" and self.peek(2) != "||":
            self.at += 1
            left = Join("|", left, self.command())
        return left

    def word(self, *words: str) -> str | None:
        """Take one of these words if it stands here."""
        match = re.compile(r"(?i)(" + "|".join(words) + r")(?=[\s,;=(/\"]|$)").match(self.text, self.at)
        if match is None:
            return None
        self.at = match.end()
        return match[1].lower()

    def command(self) -> Node:
        self.blanks(DELIMITERS + ("\n" if self.depth else ""))
        redirects: list[Redirect] = []
        while (found := self.redirect("")) is not None:
            redirects.append(found[0])
            self.blanks(DELIMITERS)
        quiet = False
        while self.peek() == "@":
            quiet = True
            self.at += 1
            self.blanks()
        if self.peek() in {"&", "|"}:
            raise BadSyntax(self.operator())
        if self.peek() == ")" and self.depth:
            raise BadSyntax(")")
        if self.peek() == "(":
            return self.group(redirects, quiet)
        if self.word("rem"):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
            return Simple("rem", (), quiet)
        if self.word("if"):
            return replace(self.if_(), quiet=quiet)
        if self.word("for"):
            return replace(self.for_(), quiet=quiet)
        return self.simple(redirects, quiet)

    def operator(self) -> str:
        return self.peek(2) if self.peek(2) in {"&&", "||", ">>", "<<"} else self.peek()

    def group(self, redirects: list[Redirect], quiet: bool) -> Node:
        self.at += 1
        self.depth += 1
        self.blanks(DELIMITERS + "\n")
        if not self.peek():
            raise Incomplete
        body = self.sequence()
        self.blanks(DELIMITERS + "\n")
        if not self.peek():
            raise Incomplete
        if self.peek() != ")":
            raise BadSyntax(self.operator())
        self.at += 1
        self.depth -= 1
        self.blanks()
        while (found := self.redirect("")) is not None:
            redirects.append(found[0])
            self.blanks()
        if self.peek() not in {"", "&", "|", ")", "\n"} and not re.match(r"(?i)else\b", self.text[self.at :]):
            raise BadSyntax(re.split(r"[\s&|<>()]", self.text[self.at :], maxsplit=1)[0] or self.peek())
        return Group(body, tuple(redirects), quiet)

    def redirect(self, before: str) -> tuple[Redirect, str] | None:
        """Take a redirection that stands here; ``before`` is the text so far, whose last digit may be the handle."""
        ahead = re.compile(r"(\d?)([<>])").match(self.text, self.at)
        if ahead is None or (ahead[1] and before and before[-1] not in DELIMITERS + '"()'):
            return None
        mode, self.at = ahead[2], ahead.end()
        if mode == ">" and self.peek() == ">":
            mode, self.at = ">>", self.at + 1
        handle = int(ahead[1]) if ahead[1] else (0 if mode == "<" else 1)
        if self.peek() == "&" and self.text[self.at + 1 : self.at + 2].isdigit():
            target, self.at = self.peek(2), self.at + 2
            return Redirect(handle, mode, target), before
        self.blanks(DELIMITERS)
        if self.peek() in {"", "&", "|", "<", ">", "\n"}:
            if not self.peek():
                raise BadSyntax("")
            raise BadSyntax(self.operator())
        return Redirect(handle, mode, self.token()), before

    def token(self, stop: str = DELIMITERS) -> str:
        """Read one word; quotes protect, carets escape."""
        found, quoted = "", False
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                quoted = not quoted
            elif not quoted:
                if character == "^":
                    self.at += 1
                    if self.at >= len(self.text):
                        raise Incomplete
                    character = self.text[self.at]
                elif character in stop + "&|<>\n" or (character == ")" and self.depth):
                    break
            found, self.at = found + character, self.at + 1
        return found

    def simple(self, redirects: list[Redirect], quiet: bool) -> Node:
        found, quoted = "", False
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                quoted = not quoted
            elif character == "\n":
                break
            elif not quoted:
                if character == "^":
                    self.at += 1
                    if self.at >= len(self.text):
                        raise Incomplete
                    if self.text[self.at] == "\n":  # the escaped end of the line, and what follows it, literally
                        self.at += 1
                        if self.at >= len(self.text):
                            break
                    character = self.text[self.at]
                elif character in "&|" or (character == ")" and self.depth):
                    break
                elif character in "<>" or character.isdigit():
                    taken = self.redirect(found)
                    if taken is not None:
                        redirects.append(taken[0])
                        continue
            found, self.at = found + character, self.at + 1
        if not found.strip(DELIMITERS) and not redirects:
            return Nothing()
        return Simple(found.lstrip(DELIMITERS), tuple(redirects), quiet)

    def need(self) -> None:
        if not self.peek():
            raise BadSyntax("")

    def if_(self) -> If:
        negate = fold = False
        while True:
            self.blanks(DELIMITERS)
            if self.text[self.at : self.at + 2].lower() == "/i":
                fold, self.at = True, self.at + 2
            elif self.word("not"):
                negate = not negate
            else:
                break
        self.need()
        test = self.test()
        self.blanks(DELIMITERS)
        self.need()
        then = self.sequence()
        otherwise = None
        self.blanks(" \t\n" if self.depth and isinstance(then, Group) else "")
        if self.word("else"):
            self.blanks()
            otherwise = self.sequence()
        return If(test, negate, fold, then, otherwise)

    def test(self) -> tuple[str, str, str]:
        for unary in ("errorlevel", "exist", "defined", "cmdextversion"):
            if self.word(unary):
                self.blanks(DELIMITERS)
                return unary, self.token(), ""
        left = self.token()
        self.blanks()
        if self.peek(2) == "==":
            self.at += 2
            self.blanks(DELIMITERS)
            return "==", left, self.token()
        operator = self.word("equ", "neq", "lss", "leq", "gtr", "geq")
        if operator is None:
            raise BadSyntax(self.token() or self.peek())
        self.blanks(DELIMITERS)
        return operator, left, self.token()

    def for_(self) -> For:
        kind, options = "", ""
        self.blanks(DELIMITERS)
        switch = re.compile(r"(?i)/([dlrf])(?=\s)").match(self.text, self.at)
        if switch:
            kind, self.at = "/" + switch[1].lower(), switch.end()
            self.blanks()
            if kind in {"/f", "/r"} and self.peek() != "%":
                options = self.token(" \t").strip('"')
                self.blanks()
        variable = self.token()
        if not re.fullmatch(r"%[^\s%&|<>]", variable):
            raise BadSyntax(variable)
        self.blanks(DELIMITERS)
        if not self.word("in"):
            raise BadSyntax(self.token() or self.peek())
        self.blanks(DELIMITERS)
        if self.peek() != "(":
            raise BadSyntax(self.token() or self.peek())
        self.at += 1
        self.depth += 1
        items, quoted = "", False
        while True:
            if self.at >= len(self.text):
                raise Incomplete
            character = self.text[self.at]
            if character == '"':
                quoted = not quoted
            elif not quoted and character == "^" and self.at + 1 < len(self.text):
                self.at += 1
                character = self.text[self.at]
            elif not quoted and character == ")":
                break
            items, self.at = items + (" " if character == "\n" else character), self.at + 1
        self.at += 1
        self.depth -= 1
        self.blanks(DELIMITERS)
        if not self.word("do"):
            raise BadSyntax(self.token() or self.peek() or "")
        self.blanks(DELIMITERS)
        self.need()
        return For(kind, options, variable[1], items.strip(), self.sequence())  # type: ignore[arg-type]


def parse(text: str) -> Node:
    """Parse one line, or several joined by newlines. Raises Incomplete and BadSyntax."""
    parser = _Parser(text)
    parser.blanks(DELIMITERS + "\n")
    while parser.peek() == ")":  # at the prompt a closing parenthesis too many makes the rest a comment
        return Nothing()
    if not parser.peek():
        return Nothing()
    node = parser.sequence()
    parser.blanks()
    if parser.peek():
        raise BadSyntax(parser.operator())
    return node


def unparse(node: Node) -> str:
    """Return a command as cmd echoes it in a loop."""
    if isinstance(node, Simple):
        target = "".join(f" {r.handle}{r.mode}{r.target}" for r in node.redirects)
        return f"{node.text.rstrip()} {target.strip()}" + (" " if target else "")
    if isinstance(node, Group):
        return f"({unparse(node.body).rstrip()} )"
    if isinstance(node, Join):
        return f"{unparse(node.left).rstrip()}  {node.how} {unparse(node.right)}"
    if isinstance(node, If):
        kind, left, right = node.test
        test = f"{kind} {left}" if not right and kind != "==" else f"{left} {kind} {right}"
        other = f" else {unparse(node.otherwise)}" if node.otherwise else ""
        return f"if {'/i ' if node.fold else ''}{'not ' if node.negate else ''}{test} {unparse(node.then)}{other}"
    if isinstance(node, For):
        return f"for {node.kind} %{node.variable} in ({node.items}) do {unparse(node.body)}"
    return ""
