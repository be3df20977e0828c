"""Who listens, compared by process: all listeners, and loopback ones only where they matter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.playbooks.port_listen import PATIENCE, in_order, listens, loopback, strangers
from serialfix.steps import Ahead, Look, Unknown, Wait
from serialfix.windows.netstat import Socket
from serialfix.windows.services import Service

TERM = Service("TermService", "running", 500)


def row(address: str, pid: int | None) -> Socket:
    return Socket("tcp", address, 3389, "0.0.0.0:0", "", pid)


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ((), ()),
        ((row("0.0.0.0", 500), row("[::]", 500)), ()),
        ((row("0.0.0.0", 500), row("[::]", 600)), (600,)),
        ((row("0.0.0.0", 500), row("10.0.0.4", 600)), (600,)),
        ((row("0.0.0.0", 500), row("127.0.0.1", 600), row("[::1]", 700)), ()),
        ((row("127.0.0.1", 600),), (600,)),
        ((row("127.0.0.1", 500), row("127.0.0.2", 600)), (600,)),
        ((row("0.0.0.0", 700), row("10.0.0.4", 600), row("[::]", 700)), (600, 700)),
        ((row("0.0.0.0", None),), ()),
    ],
)
def test_strangers(rows: tuple[Socket, ...], found: tuple[int, ...]) -> None:
    assert strangers(rows, TERM) == found


@given(st.lists(st.builds(row, st.sampled_from(["0.0.0.0", "[::]", "127.0.0.1", "10.0.0.4"]), st.integers(500, 502))))
def test_remote_desktop_itself_is_no_stranger_and_all_others_that_matter_are(rows: list[Socket]) -> None:
    found = strangers(tuple(rows), TERM)
    assert 500 not in found
    assert {each.pid for each in rows if each.pid != 500 and not loopback(each)} <= set(found)


@pytest.mark.parametrize(
    ("service", "rows", "answer", "waited"),
    [
        (TERM, (row("0.0.0.0", 500),), True, 0),
        (TERM, (row("0.0.0.0", 600),), False, 0),
        (Service("TermService", "stopping", 500), (row("0.0.0.0", 500),), False, 0),
        (TERM, (), False, PATIENCE),
        (TERM, Unknown("lost"), False, PATIENCE),
        (Unknown("lost"), (row("0.0.0.0", 500),), False, PATIENCE),
    ],
)
def test_listens(service: object, rows: object, answer: bool, waited: float) -> None:
    generator, passed = listens(3389), 0.0
    new: set[str] = set()
    given_: object = None
    ended: list[bool] = []
    while not ended:
        try:
            step = generator.send(given_)
        except StopIteration as end:
            ended.append(end.value)
            break
        if isinstance(step, Wait):
            passed, given_ = passed + step.seconds, None
            new.clear()
            continue
        if isinstance(step, Ahead):
            assert step.fresh, "what was seen before says nothing about now"
            new |= {probe.name for probe in step.probes}
            given_ = None
            continue
        assert isinstance(step, Look)
        assert step.probe.name in new
        given_ = service if step.probe.name == "termservice" else rows
    assert (ended, passed) == ([answer], waited)


@given(st.lists(st.sampled_from("ABC"), unique=True), st.lists(st.sampled_from("abcX")))
def test_a_hint_only_orders(names: list[str], hint: list[str]) -> None:
    ordered = in_order(tuple(names), tuple(hint))
    assert sorted(ordered) == sorted(names)
    assert in_order(tuple(names), Unknown("slow")) == tuple(names)
    named = [name.lower() in hint for name in ordered]
    assert named == sorted(named, reverse=True)
