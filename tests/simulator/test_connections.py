from collections import Counter
from statistics import fmean

import pytest

from serialfix.simulator.connections import EXPIRED, INACTIVE, KICKED, Connections
from serialfix.simulator.knobs import Knobs
from serialfix.simulator.manners import Manners


def life(connections: Connections, now: float = 0.0) -> tuple[float, str]:
    """How long a connection lives on which nothing is typed, and how it ends."""
    connections.begin(now)
    due = connections.due()
    assert due is not None
    assert connections.ended(due - 1e-6) is None
    ending = connections.ended(due)
    assert ending is not None
    assert connections.ended(due + 1000.0) is None, "it ends once"
    return due - now, ending.kind


def test_on_a_calm_line_nothing_ends() -> None:
    connections = Connections(Knobs(), Manners(), 1)
    connections.begin(0.0)
    assert connections.due() is None
    assert connections.ended(1e9) is None
    assert all(connections.trusted() for _ in range(100))
    assert connections.keys(b"abc", 5.0) == b"abc"


def test_drops_come_as_often_as_asked_and_in_all_three_ways() -> None:
    connections = Connections(Knobs(drop_every=60.0), Manners(), 1)
    lives = [life(connections) for _ in range(600)]
    assert 50.0 < fmean(seconds for seconds, _ in lives) < 80.0
    kinds = Counter(kind for _, kind in lives)
    assert set(kinds) == {"rst", "fin", "silence"}
    assert min(kinds.values()) > 140


def test_the_same_seed_ends_alike_and_another_does_not() -> None:
    def lives(seed: int) -> list[tuple[float, str]]:
        connections = Connections(Knobs(drop_every=60.0, second_user_every=60.0), Manners(), seed)
        return [life(connections) for _ in range(20)]

    assert lives(1) == lives(1)
    assert lives(1) != lives(2)


def test_a_drop_may_fall_between_any_two_bytes_of_one_message() -> None:
    through = Counter[int]()
    connections = Connections(Knobs(drop_every=1.0), Manners(), 1)
    for _ in range(2000):
        connections.begin(0.0)
        due = connections.due()
        assert due is not None
        passed = connections.keys(b"12345678", due - 0.001)
        assert b"12345678".startswith(passed)
        if len(passed) < 8:
            through[len(passed)] += 1
            assert connections.ended(due - 0.001) is not None, "nothing more gets through"
    assert set(through) == set(range(8))


def test_every_close_code_is_met_by_some_seed() -> None:
    seen: dict[str, set[tuple[int, str]]] = {"second user": set(), "expired": set(), "idle": set()}
    for seed in range(60):
        for knobs, manners in (
            (Knobs(second_user_every=5.0), Manners()),
            (Knobs(), Manners(token_life=30.0)),
            (Knobs(), Manners(inactive=30.0)),
        ):
            connections = Connections(knobs, manners, seed)
            connections.begin(0.0)
            ending = connections.ended(1e6)
            assert ending is not None
            seen[ending.kind].add((ending.code, ending.reason))
    assert seen == {"second user": set(KICKED), "expired": set(EXPIRED), "idle": set(INACTIVE)}


def test_keys_keep_an_idle_client_but_not_an_old_token() -> None:
    connections = Connections(Knobs(), Manners(inactive=30.0, token_life=100.0), 1)
    connections.begin(0.0)
    for now in range(0, 100, 20):
        assert connections.ended(float(now)) is None
        connections.keys(b"x", float(now))
    ending = connections.ended(100.0)
    assert ending is not None
    assert ending.kind == "expired"


@pytest.mark.parametrize("rate", [0.0, 0.5, 1.0])
def test_clients_are_refused_as_often_as_asked(rate: float) -> None:
    connections = Connections(Knobs(), Manners(untrusted=rate), 4)
    refused = sum(not connections.trusted() for _ in range(400))
    assert abs(refused / 400 - rate) < 0.1
