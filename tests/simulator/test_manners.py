from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.knobs import PRESETS as LINE_PRESETS
from serialfix.simulator.manners import NAMES, PRESETS, Manners, parse_manner


def test_there_is_one_for_each_hostility_and_calm_does_nothing() -> None:
    assert set(PRESETS) == set(LINE_PRESETS)
    assert PRESETS["calm"] == Manners()
    assert (PRESETS["real"].untrusted, PRESETS["worst"].untrusted) == (0.5, 0.9)


@given(st.sampled_from(NAMES), st.floats(0, 1))
def test_any_of_them_can_be_set(name: str, value: float) -> None:
    assert parse_manner(f"{name} = {value}", PRESETS["worst"]) == replace(PRESETS["worst"], **{name: value})


@pytest.mark.parametrize(
    "text", ["untrusted=2", "token_life=never", "untrusted=-1", "deaf=x", "inactive=", "greeting=nan", "inactive=inf"]
)
def test_what_makes_no_sense_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=text.partition("=")[0]):
        parse_manner(text, Manners())
