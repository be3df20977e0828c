from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.powershell import values
from serialfix.simulator.powershell.errors import Thrown
from serialfix.simulator.powershell.values import Obj, Table, custom


@given(st.integers(-(2**31), 2**31))
def test_numbers_and_texts(value: int) -> None:
    assert values.number(values.text(value)) == value
    assert values.number(hex(value & 0xFFFF)) == value & 0xFFFF


@pytest.mark.parametrize("text", ["D3E", "abc", "1,2", "<Hexportnumber>"])
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(Thrown, match="correct format"):
        values.number(text)


@given(st.datetimes(datetime(1, 1, 1), datetime(9000, 1, 1)))
def test_dates_go_both_ways(when: datetime) -> None:
    when = when.replace(microsecond=0, tzinfo=UTC)
    assert values.parse_date(values.date_text(when, "s")) == when
    assert (
        values.date_text(when, "yyyy-MM-dd HH:mm:ss")[:7] == f"{when:%Y}".zfill(4) + f"-{when:%m}" or when.year < 1000
    )


def test_truth() -> None:
    assert [values.truth(v) for v in (None, "", 0, [], [0], "a", 1, [0, 0], Table())] == [False] * 5 + [True] * 4


@given(st.dictionaries(st.text(st.characters(codec="ascii", categories=["L"]), min_size=1), st.integers()))
def test_a_table_ignores_case(items: dict[str, int]) -> None:
    table = Table()
    for key, value in items.items():
        table.set(key, value)
    assert len(table.items()) == len({key.lower() for key in items})
    for key, value in reversed(items.items()):
        if sum(other.lower() == key.lower() for other in items) == 1:
            assert table.get(key.swapcase()) == value


def test_objects() -> None:
    made = custom({"A": 1, "B": "x"})
    assert values.text(made) == "@{A=1; B=x}"
    assert made.get("a") == 1
    made.set("a", 2)
    assert made.get("A") == 2
    with pytest.raises(Thrown):
        made.set("C", 1)
    assert values.type_name(Obj("X", {})) == "X"
