"""Excluded ports: numbers in every language, or nothing."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.port_use import excluded
from serialfix.steps import Output, Unreadable
from serialfix.windows.excluded_ports import parse
from tests.simulator.world import ask
from tests.windows.samples import failed, good, junk, partial

CHINESE = """
协议 tcp 端口排除范围

开始端口    结束端口
----------    --------
      2869        2869
      5544        5545     *

* - 管理的端口排除。
"""
NONE = "\nProtocol tcp Port Exclusion Ranges\n\nStart Port    End Port\n----------    --------\n\n* - Administered.\n"


def test_another_language_and_none() -> None:
    assert parse(good(CHINESE)) == ((2869, 2869), (5544, 5545))
    assert parse(good(NONE)) == ()


@pytest.mark.parametrize(
    "output",
    [
        good(""),
        failed(NONE),
        partial(NONE),
        good(NONE.replace("----------    --------", "")),
        good(NONE + NONE),
        good(CHINESE.replace("2869        2869", "2869        2868")),
        good(CHINESE.replace("5545", "95545")),
        good(CHINESE.replace("5545 ", "5x45 ")),
    ],
)
def test_anything_else_is_unreadable(output: Output) -> None:
    with pytest.raises(Unreadable):
        parse(output)


@given(st.integers(0, 10**6))
def test_the_ranges_of_a_simulated_vm(seed: int) -> None:
    text = ask(build([], "2022", seed), "netsh int ipv4 show excludedportrange protocol=tcp")
    assert parse(good(text)) == tuple((first, last) for first, last, _ in excluded(seed))


@given(junk(CHINESE, NONE))
def test_nothing_but_unreadable_is_raised(output: Output) -> None:
    with contextlib.suppress(Unreadable):
        assert all(0 <= first <= last < 65536 for first, last in parse(output))
