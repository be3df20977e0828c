"""The port to move to: free, allowed, and always the same for the same facts."""

from hypothesis import given
from hypothesis import strategies as st

from serialfix.windows.free_port import FIRST, KNOWN, LAST, choose

PORTS = st.integers(FIRST - 5, LAST + 5)


@given(st.sets(PORTS), st.lists(st.tuples(PORTS, st.integers(0, 60))), st.sets(PORTS))
def test_it_is_the_first_one_that_nobody_has_keeps_or_forbids(
    busy: set[int], starts: list[tuple[int, int]], forbidden: set[int]
) -> None:
    excluded = [(first, first + length) for first, length in starts]

    def good(port: int) -> bool:
        kept = any(first <= port <= last for first, last in excluded)
        return port not in busy | forbidden | KNOWN and not kept

    port = choose(busy=busy, excluded=excluded, blocked=forbidden.__contains__)
    assert port == next((port for port in range(FIRST, LAST + 1) if good(port)), None)


def test_3390_where_nothing_is_in_the_way_and_none_where_all_is() -> None:
    assert choose(busy=(), excluded=(), blocked=lambda port: False) == 3390
    assert choose(busy=(), excluded=[(1, 65535)], blocked=lambda port: False) is None
