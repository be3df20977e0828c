import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.arithmetic import BadArithmetic, evaluate
from serialfix.simulator.cmd_text import Environment

NUMBERS = st.integers(0, 2**31 - 1)


@given(NUMBERS, NUMBERS, st.sampled_from("+-*&|^"))
def test_like_c_in_32_bits(a: int, b: int, operator: str) -> None:
    exact = {"+": a + b, "-": a - b, "*": a * b, "&": a & b, "|": a | b, "^": a ^ b}[operator]
    assert (evaluate(f"{a} {operator} {b}", Environment()) - exact) % 2**32 == 0


def test_precedence_assignment_and_bases() -> None:
    variables = Environment({"x": "0x10"})
    assert evaluate("1+2*3<<1", variables) == 14
    assert evaluate("-7/2, y=x+010, y*=2", variables) == 48
    assert variables.get("y") == "48"
    assert evaluate("-7/2", variables) == -3
    assert evaluate("nope", variables) == 0


@pytest.mark.parametrize(
    ("text", "message"), [("1/0", "Divide by zero error."), ("1+", "Missing operand."), ("1 2", "Missing operator.")]
)
def test_errors(text: str, message: str) -> None:
    with pytest.raises(BadArithmetic, match=message):
        evaluate(text, Environment())
