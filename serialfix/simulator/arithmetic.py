"""``set /a``: whole numbers of 32 bits, C's operators, variables by name. Common knowledge."""

import re
from collections.abc import Callable

from serialfix.simulator.cmd_text import Environment


class BadArithmetic(Exception):
    """The expression cannot be worked out; str() is cmd's message."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


def _wrap(value: int) -> int:
    return (value + 2**31) % 2**32 - 2**31


def _divide(a: int, b: int) -> int:
    if b == 0:
        raise BadArithmetic("Divide by zero error.", 1073750993)
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


_BINARY: list[dict[str, Callable[[int, int], int]]] = [
    {"|": lambda a, b: a | b},
    {"^": lambda a, b: a ^ b},
    {"&": lambda a, b: a & b},
    {"<<": lambda a, b: a << min(b, 32), ">>": lambda a, b: a >> min(b, 32)},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": _divide, "%": lambda a, b: a - b * _divide(a, b)},
]
_TOKEN = re.compile(r"\s*(0x[0-9a-f]+|\d+|[a-z_][\w.$#@]*|<<=|>>=|<<|>>|[-+*/%&|^]=|[-+*/%&|^()=,~!])", re.IGNORECASE)


class _Reader:
    def __init__(self, text: str, variables: Environment) -> None:
        self.tokens: list[str] = []
        self.variables = variables
        at = 0
        text = text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise BadArithmetic("Missing operator.", 1073750989)
            self.tokens.append(match[1])
            at = match.end()

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[ahead] if len(self.tokens) > ahead else ""

    def assignment(self) -> int:
        if re.match(r"[A-Za-z_]", self.peek()) and re.fullmatch(r"(<<|>>|[-+*/%&|^])?=", self.peek(1)):
            name, operator = self.tokens.pop(0), self.tokens.pop(0)[:-1]
            value = self.assignment()
            if operator:
                value = next(level[operator] for level in _BINARY if operator in level)(self.variable(name), value)
            self.variables.set(name, str(_wrap(value)))
            return _wrap(value)
        return self.level(0)

    def level(self, depth: int) -> int:
        if depth == len(_BINARY):
            return self.unary()
        value = self.level(depth + 1)
        while self.peek() in _BINARY[depth]:
            operator = self.tokens.pop(0)
            value = _wrap(_BINARY[depth][operator](value, self.level(depth + 1)))
        return value

    def unary(self) -> int:
        first = self.tokens.pop(0) if self.tokens else ""
        if first in {"-", "+", "~", "!"}:
            value = self.unary()
            return _wrap({"-": -value, "+": value, "~": ~value, "!": int(not value)}[first])
        if first == "(":
            value = self.assignment()
            if self.peek() != ")":
                raise BadArithmetic("Unbalanced parenthesis.", 1073750988)
            self.tokens.pop(0)
            return value
        if re.match(r"\d", first):
            return _constant(first)
        if re.match(r"[A-Za-z_]", first):
            return self.variable(first)
        raise BadArithmetic("Missing operand.", 1073750990)

    def variable(self, name: str) -> int:
        match = re.match(r"\s*(-?)(0x[0-9a-f]+|\d+)", self.variables.get(name) or "0", re.IGNORECASE)
        return 0 if match is None else _constant(match[2]) * (-1 if match[1] else 1)


def _constant(token: str) -> int:
    try:
        value = int(token, 8) if re.fullmatch(r"0\d+", token) else int(token, 0)
    except ValueError:
        raise BadArithmetic(
            "Invalid number.  Numeric constants are either decimal (17),\r\nhexadecimal (0x11), or octal (021).",
            1073750991,
        ) from None
    if value >= 2**31:
        raise BadArithmetic("Invalid number.  Numbers are limited to 32-bits of precision.", 1073750992)
    return value


def evaluate(text: str, variables: Environment) -> int:
    """Work out one or more expressions joined by commas, and set the variables they assign.

    >>> evaluate("x=(2+3)*4, x/3", Environment())
    6

    Raises BadArithmetic.
    """
    reader = _Reader(text, variables)
    value = reader.assignment()
    while reader.peek() == ",":
        reader.tokens.pop(0)
        value = reader.assignment()
    if reader.tokens:
        raise BadArithmetic("Missing operator.", 1073750989)
    return value
