"""Markers: never twice, never what the line damages, always the same for the same seed."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from serialfix.console.markers import Markers


@given(st.text(max_size=20), st.lists(st.integers(1, 12), max_size=40))
def test_they_survive_the_line(seed: str, lengths: list[int]) -> None:
    markers = Markers(seed)
    for length in lengths:
        marker = markers.draw(length)
        assert len(marker) == length
        assert marker.isascii()
        assert marker.isalnum()
        assert marker == marker.lower()
        assert marker[0].isalpha()
        assert all(left != right for left, right in pairwise(marker))
        assert not set(marker) & set("ilo01")


def test_they_never_repeat_in_a_long_session() -> None:
    markers = Markers("seed")
    drawn = [markers.draw() for _ in range(20_000)]
    assert len(set(drawn)) == len(drawn)


def test_no_part_that_is_typed_repeats_often() -> None:
    """A marker is typed in two halves of four; a half alone is no marker."""
    markers = Markers("seed")
    assert len({markers.draw()[:4] for _ in range(500)}) > 490


def test_one_seed_one_sequence() -> None:
    first, second, other = Markers("a"), Markers("a"), Markers("b")
    assert [first.draw() for _ in range(50)] == [second.draw() for _ in range(50)]
    assert Markers("a").draw() != other.draw()
