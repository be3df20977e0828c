"""Patterns over the stream: found however it is cut, and bounded whatever floods in."""

import re
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from serialfix.console.expect import MOST_KEPT, Found, Pattern, Stream

CREATED = Pattern("created", r"A new channel\.[^\r\n]{0,10}[\r\n]{1,4}Channel: (\w{1,8})[\r\n]", width=60)
FULL = Pattern("full", r"maximum (number|count) of channels", width=40)
PLAIN = Pattern("plain", r"ab{1,3}a", width=5)


def feed(stream: Stream, text: str, cuts: list[int]) -> Found | None:
    edges = sorted({0, *(min(cut, len(text)) for cut in cuts), len(text)})
    for start, end in pairwise(edges):
        if found := stream.feed(text[start:end]):
            return found
    return None


WORDS = st.sampled_from(
    ["A new channel.", " Use", "\r\n", "\r", "Channel: ", "Cmd0001", "Cm", "maximum number", " of channels", "a", "b",
     "ba", "SAC>"]
) | st.text("abAB :\r\n.", max_size=3)  # fmt: skip
TEXTS = st.lists(WORDS, max_size=14).map("".join)


@settings(max_examples=300)
@given(TEXTS, st.lists(st.integers(0, 120), max_size=20), st.sampled_from([CREATED, FULL, PLAIN]))
def test_any_cut_finds_what_a_plain_search_finds(text: str, cuts: list[int], pattern: Pattern) -> None:
    plain = re.search(pattern.regex, text, re.DOTALL)
    assume(plain is None or len(plain[0]) <= pattern.width)
    found = feed(Stream((pattern,)), text, cuts)
    assert found == (None if plain is None else Found(pattern.name, plain.groups()))


@settings(max_examples=60)
@given(
    st.integers(MOST_KEPT - 100, MOST_KEPT + 100) | st.integers(2 * MOST_KEPT - 100, 2 * MOST_KEPT + 200),
    st.lists(st.integers(0, 3 * MOST_KEPT), max_size=30),
)
def test_a_match_is_found_behind_and_across_a_flood(noise: int, cuts: list[int]) -> None:
    text = ("x" * 70 + "\r\n") * (noise // 72) + "x" * (noise % 72) + "A new channel. Use\r\n\r\nChannel: Cmd0002\r\n"
    around = range(noise - 20, noise + 40, 7)
    assert feed(Stream((CREATED, FULL)), text, [*cuts, *around]) == Found("created", ("Cmd0002",))


def test_a_flood_takes_no_memory() -> None:
    stream = Stream((CREATED, FULL))
    piece = "A new channel. Channel: maximum number\r\n" * 25
    for _ in range(100):
        stream.feed(piece)
    tracemalloc.start()
    try:
        for _ in range(3000):  # 3 MB
            assert stream.feed(piece) is None
        used, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 10 * MOST_KEPT
    assert peak < 20 * MOST_KEPT


def test_the_first_that_is_complete_wins() -> None:
    assert Stream((FULL, CREATED)).feed("A new channel.\r\nChannel: Cmd1\r\nmaximum number of channels") == Found(
        "created", ("Cmd1",)
    )
    stream = Stream((CREATED, FULL))
    assert stream.feed("maximum count of channels") == Found("full", ("count",))


def test_a_group_that_took_no_part_is_empty() -> None:
    assert Stream((Pattern("p", "a(b)?c", width=3),)).feed("ac") == Found("p", ("",))


def test_it_sees_only_what_comes_after_it_was_made() -> None:
    first = Stream((FULL,))
    assert first.feed("maximum number of chan") is None
    assert Stream((FULL,)).feed("nels") is None
    assert first.feed("nels") == Found("full", ("number",))


@pytest.mark.parametrize("regex", ["a*", "a+", "a*?", "[^x]+", "(ab)*", "a{3,}", r"\d{2,}x", r"x\\+"])
def test_patterns_without_a_bound_are_refused(regex: str) -> None:
    with pytest.raises(ValueError, match="no bound"):
        Pattern("p", regex, width=10)


@pytest.mark.parametrize("regex", [r"a\*", r"\+", "a?", "a{0,3}", "a{3}", r"[*+]x"])
def test_patterns_with_a_bound_pass(regex: str) -> None:
    assert Pattern("p", regex, width=10).name == "p"
