from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import background
from serialfix.simulator.faults import build
from serialfix.simulator.programs import ReadLine, Sleep, Steps


@given(st.lists(st.floats(0.1, 5.0), max_size=5))
def test_time_passes_and_the_end_is_told_once(pauses: list[float]) -> None:
    vm = build([], "2022", 1)
    ended: list[tuple[int, float]] = []

    def steps() -> Steps:
        for pause in pauses:
            yield Sleep(pause)
            assert (yield ReadLine()) == ""
        return 7

    background.run(vm, steps(), lambda code: ended.append((code, vm.now)))
    vm.advance(100.0)
    assert len(ended) == 1
    assert ended[0][0] == 7
    assert abs(ended[0][1] - sum(pauses)) < 1e-6


def test_a_program_that_asks_for_ever_is_ended() -> None:
    vm = build([], "2022", 1)
    ended: list[int] = []

    def steps() -> Steps:
        while True:
            yield ReadLine()

    background.run(vm, steps(), ended.append)
    assert ended == [1]
