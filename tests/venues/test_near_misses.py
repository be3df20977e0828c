"""What was meant by a name that is not there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.venues.near_misses import MOST_LISTED, near_elsewhere, near_here

NAMES = st.text("abcdefgh0123456789-", min_size=4, max_size=12)


@given(NAMES, st.data())
def test_one_typing_mistake_is_forgiven(name: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(name) - 1))
    assert near_here(name[:at] + name[at + 1 :], [("rg", name.upper())]) == f"Did you mean {name.upper()}?"


@given(NAMES, st.lists(st.tuples(NAMES, NAMES), max_size=30))
def test_the_same_name_elsewhere_wins_over_everything(name: str, others: list[tuple[str, str]]) -> None:
    hint = near_elsewhere("rg", name, others, [("far", name)])
    assert hint == f"There is a VM {name} in resource group far: did you mean that one?"


@pytest.mark.parametrize("count", [1, MOST_LISTED, MOST_LISTED + 1])
def test_a_group_without_a_near_name_is_listed(count: int) -> None:
    here = [("rg", f"vm{number:02}") for number in range(count)]
    hint = near_elsewhere("rg", "zzz", here, here)
    assert hint.count("vm") == min(count, MOST_LISTED)
    assert ("..." in hint) is (count > MOST_LISTED)


def test_nothing_near_is_nothing_said() -> None:
    assert near_here("zzz", [("rg", "win1")]) == ""
    assert near_elsewhere("rg", "zzz", [], []) == ""
