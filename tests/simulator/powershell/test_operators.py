import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.powershell import operators
from serialfix.simulator.powershell.errors import Thrown
from serialfix.simulator.powershell.values import Value

WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=6)


def compare(name: str, left: Value, right: Value) -> Value:
    return operators.compare(name, left, right, lambda match: None)


@given(WORDS, WORDS)
def test_texts_are_compared_in_any_case_unless_asked(a: str, b: str) -> None:
    assert compare("eq", a, b) == (a.lower() == b.lower())
    assert compare("ceq", a, b) == (a == b)
    assert compare("ne", a, b) != compare("eq", a, b)
    assert compare("lt", a, b) == (a.lower() < b.lower())


@given(st.lists(st.integers(-9, 9)), st.integers(-9, 9))
def test_a_list_on_the_left_is_filtered(values: list[int], one: int) -> None:
    assert compare("gt", values, one) == [value for value in values if value > one]
    assert compare("contains", values, one) == (one in values)
    assert compare("in", one, values) == (one in values)


@given(st.integers(-1000, 1000), st.integers(-1000, 1000).filter(bool))
def test_division_and_rest(a: int, b: int) -> None:
    quotient, rest = operators.arithmetic("/", a, b), operators.arithmetic("%", a, b)
    assert quotient == a / b
    assert rest == int(a - b * int(a / b))
    with pytest.raises(Thrown, match="divide by zero"):
        operators.arithmetic("/", a, 0)


@given(WORDS, WORDS)
def test_split_and_join(a: str, b: str) -> None:
    assert compare("join", compare("split", f"{a},{b}", ","), ",") == f"{a},{b}"
    assert compare("replace", a + "." + b, [re.escape("."), "-"]) == a + "-" + b


def test_what_plus_does_depends_on_the_left() -> None:
    assert operators.add("a", [1, 2]) == "a1 2"  # T06: two thumbprints become one wrong path
    assert operators.add("path\\", None) == "path\\"  # T06: no thumbprint leaves the store
    assert operators.add([1], [2, 3]) == [1, 2, 3]
    assert operators.add(1, "2") == 3
    with pytest.raises(Thrown):
        operators.add(1, "x")


def test_formats() -> None:
    when = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    assert (
        operators.formatted("{0:X4}|{1,5}|{1,-5}|{2:s}|{{}}", [255, "ab", when])
        == "00FF|   ab|ab   |2026-03-04T05:06:07|{}"
    )
    assert operators.format_one(1234.5, "N1") == "1,234.5"
    with pytest.raises(Thrown, match="Index"):
        operators.formatted("{1}", [1])
