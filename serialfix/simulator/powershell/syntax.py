"""PowerShell text as a tree: tree-sitter-powershell's grammar, and what it gets wrong put right first.

The grammar refuses lists of bare words (``Get-Item -Path a,b``, ``Select A,@{n=...}``: test-beds.md, "PowerShell
grammars"), so those words are quoted before a second try. Text that is not finished yet (an open quote, brace or
bracket, a pipe at the end) raises ``Incomplete``: the console then asks for more with ``>>``.
"""

import functools
import re
from dataclasses import dataclass

import tree_sitter
import tree_sitter_powershell
from tree_sitter import Node

_CHAINS = frozenset(
    {
        "logical_expression", "bitwise_expression", "comparison_expression", "additive_expression",
        "multiplicative_expression", "format_expression", "range_expression", "array_literal_expression",
        "unary_expression", "pipeline_chain", "expression_with_unary_operator", "argument_expression",
        "logical_argument_expression", "bitwise_argument_expression", "comparison_argument_expression",
        "additive_argument_expression", "multiplicative_argument_expression", "format_argument_expression",
        "range_argument_expression",
    }
)  # fmt: skip
_WORD = r"[A-Za-z_*?\\][\w.*?:\\-]*"
_BLANK = re.compile(r"(?:\s|#[^\n]*|<#.*?#>)*", re.DOTALL)
_STRINGS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"`]|`.|\"\")*\"", re.DOTALL)


class Incomplete(ValueError):
    """More text must follow."""


class ParserError(ValueError):
    """The text is not PowerShell. ``at``: where it goes wrong; ``token``: what stands there; ``kind``: its id."""

    def __init__(self, message: str, at: int, token: str, kind: str) -> None:
        super().__init__(message)
        self.at, self.token, self.kind = at, token, kind


@dataclass(frozen=True, slots=True)
class Tree:
    """A parsed text; ``source`` is what the nodes' offsets are into (bytes)."""

    root: Node
    source: bytes
    text: str

    def of(self, node: Node) -> str:
        """Return a node's text."""
        return self.source[node.start_byte : node.end_byte].decode()


@functools.cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language()))


def plain(node: Node) -> Node:
    """Return the node below a chain of expression nodes that hold one thing each."""
    while node.type in _CHAINS and node.child_count == 1:
        node = node.children[0]
    return node


def parse(text: str) -> Tree:
    """Parse a text. Raises Incomplete or ParserError."""
    _check(text)
    # the last: clauses of a switch on one line
    spread = re.sub(r"\}[ \t]+(?=[\w'\"(])", "}\n", _quoted_lists(text))
    for candidate in (text, _quoted_lists(text), spread):
        # the grammar ends some commands only at a line's end
        source = (candidate.rstrip() + "\n").encode() if not _BLANK.fullmatch(candidate) else b"$null"
        root = _parser().parse(source).root_node
        if not root.has_error:
            return Tree(root, source, text)
    bad = _first_error(root)
    token = source[bad.start_byte : bad.end_byte].decode().strip().split("\n")[0][:40] or text.strip()[:1]
    message = f"Unexpected token '{token}' in expression or statement."
    raise ParserError(message, len(source[: bad.start_byte].decode()), token, "UnexpectedToken")


def _first_error(node: Node) -> Node:
    for child in node.children:
        if child.is_missing or child.type == "ERROR":
            return child
        if child.has_error:
            return _first_error(child)
    return node


def _quoted_lists(text: str) -> str:
    """Quote bare words beside a comma, outside strings, brackets and braces, where only a command's words can be."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\x01{len(kept) - 1}\x02"

    bare = _STRINGS.sub(keep, text)
    before = re.compile(rf"(?<=[\s,])({_WORD})(?=\s*,)")
    after = re.compile(rf"(,\s*)({_WORD})(?=[\s,|;)}}]|$)")
    bare = before.sub(r"'\1'", bare)
    bare = after.sub(r"\1'\2'", bare)
    return re.sub(r"\x01(\d+)\x02", lambda match: kept[int(match[1])], bare)


def _check(text: str) -> None:
    """Find what is open at the end and what closes nothing, as PowerShell's tokenizer does."""
    stack: list[str] = []
    pairs = {")": "(", "]": "[", "}": "{"}
    at = 0
    last = ""
    while at < len(text):
        here = text[at]
        if text[at : at + 2] in {"@'", '@"'} and re.match(r"@['\"][ \t]*\r?\n", text[at:]):
            end = text.find("\n" + text[at + 1] + "@", at + 2)
            if end < 0:
                raise Incomplete(text)
            at, last = end + 3, "string"
            continue
        if here == "'":
            match = re.compile(r"'(?:[^']|'')*'").match(text, at)
            if match is None:
                raise Incomplete(text)
            at, last = match.end(), "string"
            continue
        if here == '"':
            at, last = _expandable_end(text, at), "string"
            continue
        if text[at : at + 2] == "<#":
            end = text.find("#>", at)
            if end < 0:
                raise Incomplete(text)
            at = end + 2
            continue
        if here == "#" and (at == 0 or text[at - 1] in " \t;\n({|"):
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
            continue
        if here == "`":
            if at + 1 >= len(text) or (
                text[at + 1 :].strip(" \r\n") == "" and text[at + 1 : at + 2] in {"\n", "\r", ""}
            ):
                raise Incomplete(text)
            at, last = at + 2, "word"
            continue
        if here == "<" and "--%" not in text[:at]:
            raise ParserError("The '<' operator is reserved for future use.", at, here, "RedirectionNotSupported")
        if here in "([{":
            stack.append(here)
        elif here in ")]}":
            if not stack or stack[-1] != pairs[here]:
                message = f"Unexpected token '{here}' in expression or statement."
                raise ParserError(message, at, here, "UnexpectedToken")
            stack.pop()
        if not here.isspace():
            last = here
        at += 1
    if stack or last == "|" or re.search(r"(?<![<>=+*/%-])=\s*$", text):
        raise Incomplete(text)


def _expandable_end(text: str, start: int) -> int:
    """Return the offset behind a double-quoted string, whose sub-expressions may hold strings again."""
    at = start + 1
    while at < len(text):
        if text[at] == "`" or text[at : at + 2] == '""':
            at += 2
        elif text[at] == '"':
            return at + 1
        elif text[at : at + 2] == "$(":
            depth, at = 1, at + 2
            while at < len(text) and depth:
                if text[at] == '"':
                    at = _expandable_end(text, at)
                    continue
                if text[at] == "'":
                    match = re.compile(r"'(?:[^']|'')*'").match(text, at)
                    if match is None:
                        raise Incomplete(text)
                    at = match.end()
                    continue
                depth += (text[at] == "(") - (text[at] == ")")
                at += 1
        else:
            at += 1
    raise Incomplete(text)
