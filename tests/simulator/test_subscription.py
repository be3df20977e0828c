import uuid

from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.subscription import Act, Subscription

ACTS: tuple[Act, ...] = ("start", "powerOff", "deallocate", "restart", "redeploy")


@given(st.integers(0, 2**40))
def test_ids_come_from_the_seed_and_survive_az(seed: int) -> None:
    one, same = Subscription(seed, "WEB01", "2022"), Subscription(seed, "WEB01", "2022")
    assert (one.id, one.tenant, one.vm_id, one.group) == (same.id, same.tenant, same.vm_id, same.group)
    assert len({one.id, one.tenant, one.vm_id}) == 3
    assert uuid.UUID(one.id).version == 4


@given(st.lists(st.tuples(st.sampled_from(ACTS), st.floats(0, 10)), max_size=8))
def test_power_follows_the_acts(acts: list[tuple[Act, float]]) -> None:
    felt: list[Act] = []
    it = Subscription(1, "WEB01", "2022", on_power=felt.append, lasts=2.0)
    assert it.power(0) == "running"
    now = 0.0
    for act, pause in acts:
        before = len(felt)
        operation = it.begin(act, now)
        assert felt[before:] == [act]
        assert it.current(now) is not None
        assert it.current(operation.ends) is None
        end = {"start": "running", "powerOff": "stopped", "deallocate": "deallocated"}.get(act, "running")
        assert it.power(operation.ends) == end
        now = operation.ends + pause


def test_a_variant_is_the_same_each_time_and_differs_among_seeds() -> None:
    chosen = {seed: Subscription(seed, "v", "2022").choice("x", 1, 2, 3) for seed in range(40)}
    assert set(chosen.values()) == {1, 2, 3}
    assert all(Subscription(seed, "v", "2022").choice("x", 1, 2, 3) == value for seed, value in chosen.items())


def test_a_vm_that_shut_itself_down_is_stopped() -> None:
    off = True
    it = Subscription(1, "WEB01", "2022", shut_down=lambda: off)
    assert it.power(0.0) == "stopped"
    it.begin("start", 0.0)
    assert it.power(0.0) == "starting"
    off = False
    assert it.power(5.0) == "running"
    it.begin("deallocate", 5.0)
    off = True
    assert it.power(9.0) == "deallocated"


def test_an_operation_lasts_until_the_vm_has_got_there() -> None:
    there = False
    it = Subscription(1, "WEB01", "2022", settled=lambda act: there, lasts=2.0)
    operation = it.begin("deallocate", 0.0)
    assert it.power(100.0) == "deallocating"
    there = True
    assert not it.over(operation, 1.0)
    assert it.power(100.0) == "deallocated"
    there = False
    assert it.over(operation, 101.0)
    assert it.power(101.0) == "deallocated"
