from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.powershell import exceptions
from serialfix.simulator.powershell.exceptions import exception, from_method, io_error, signed, socket_error


@given(st.integers(0, 2**32 - 1))
def test_numbers_are_shown_with_a_sign(number: int) -> None:
    assert signed(number) % 2**32 == number
    assert -(2**31) <= signed(number) < 2**31


def test_what_a_method_throws_is_wrapped() -> None:
    cause = io_error("no", socket_error(10054))
    thrown = from_method("Read", 3, cause)
    outer = thrown.record.thrown
    assert outer.get("Message") == 'Exception calling "Read" with "3" argument(s): "no"'
    assert thrown.record.identifier == "IOException"
    assert exceptions.chain(outer) == [outer, cause, cause.get("InnerException")]
    inner = outer.methods["GetBaseException"]()
    assert inner is exceptions.innermost(outer) is cause.get("InnerException")
    assert (inner.get("NativeErrorCode"), inner.get("HResult")) == (10054, -2147467259)
    assert (cause.get("HResult"), cause.get("NativeErrorCode")) == (-2146232800, None)


def test_one_alone_is_its_own_base() -> None:
    alone = exception("System.Exception", "x")
    assert alone.methods["GetBaseException"]() is alone
