"""The listener's key: the port, and the certificate that it is told to take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Output, Unreadable
from serialfix.windows.listener import KEY, Listener, parse

PORT = "    PortNumber    REG_DWORD    0xd3d"


def read(*values: str) -> Listener:
    return parse(Output("\n".join(["", KEY.replace("HKLM", "HKEY_LOCAL_MACHINE"), *values, ""]), 0, "screen"))


@given(st.integers(1, 65535))
def test_any_port(port: int) -> None:
    assert read(f"    PortNumber    REG_DWORD    {port:#x}") == Listener(port, None)


@pytest.mark.parametrize("number", ["0x0", "0x10000", "0xffffffff"])
def test_a_port_that_is_none_is_unreadable(number: str) -> None:
    with pytest.raises(Unreadable, match="PortNumber"):
        read(f"    PortNumber    REG_DWORD    {number}")


def test_a_port_that_is_not_set_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="not set"):
        read("    LanAdapter    REG_DWORD    0x0")


@given(st.binary(min_size=1, max_size=32))
def test_a_pin(pin: bytes) -> None:
    assert read(PORT, f"    SSLCertificateSHA1Hash    REG_BINARY    {pin.hex()}").pin == pin.hex().upper()


def test_an_empty_pin_is_none_and_another_type_is_shown() -> None:
    assert read(PORT, "    SSLCertificateSHA1Hash    REG_BINARY").pin is None
    assert read(PORT, "    SSLCertificateSHA1Hash    REG_SZ    abc").pin == "'abc' (REG_SZ)"
