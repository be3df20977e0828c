import struct
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import x224
from serialfix.simulator.rdp_port import RdpPort

OPEN = RdpPort("rdp", frozenset({"TLSv1.2"}), certificate_pem=b"c", key_pem=b"k")

COOKIES = st.binary(max_size=60).filter(lambda c: b"\r\n" not in c and c[:1] != b"\x01" and not c.endswith(b"\r"))


def request(protocols: int | None, cookie: bytes = b"") -> bytes:
    body = cookie + b"\r\n" if cookie else b""
    if protocols is not None:
        body += struct.pack("<BBHI", 1, 0, 8, protocols)
    head = struct.pack(">BBHHB", 6 + len(body), 0xE0, 0, 0, 0)
    return struct.pack(">BBH", 3, 0, 4 + len(head) + len(body)) + head + body


def verdict(data: bytes) -> tuple[int, int]:
    assert data[:7] == bytes.fromhex("03 00 00 13 0e d0 00")
    kind, _, size, value = struct.unpack("<BBHI", data[11:])
    assert size == 8
    return kind, value


def test_the_documented_request_and_answer() -> None:
    sample = bytes.fromhex("03000027 22e00000000000") + b"Cookie: mstshash=a\r\n" + bytes.fromhex("0100080003000000")
    assert x224.parse(sample) == x224.Request(3, b"Cookie: mstshash=a")
    assert verdict(x224.refused(1)) == (3, 1)


@given(st.one_of(st.none(), st.integers(0, 2**32 - 1)), COOKIES)
def test_a_request_is_read_back(protocols: int | None, cookie: bytes) -> None:
    assert x224.parse(request(protocols, cookie)) == x224.Request(protocols, cookie)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_request_or_malformed(data: bytes) -> None:
    try:
        read = x224.parse(data)
    except x224.Malformed:
        return
    assert data[0] == 3
    assert data[5] & 0xF0 == 0xE0
    assert read.protocols is None or read.protocols.to_bytes(4, "little") in data


@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.integers(1, 255))
def test_a_damaged_head_is_never_taken_for_a_longer_request(protocols: int, at: int, change: int) -> None:
    whole = bytearray(request(protocols, b"Cookie: mstshash=engineer"))
    at %= 5
    whole[at] ^= change
    if at == 1:  # reserved
        assert x224.parse(bytes(whole)).protocols == protocols
    else:
        with pytest.raises(x224.Malformed):
            x224.parse(bytes(whole))


@pytest.mark.parametrize(
    ("asked", "nla", "kind", "value"),
    [
        (11, True, 2, 8),
        (3, True, 2, 2),
        (2, True, 2, 2),
        (1, True, 3, 5),
        (0, True, 3, 5),
        (1, False, 2, 1),
        (3, False, 2, 2),
        (0, False, 3, 1),
        (None, False, 3, 1),
    ],
)
def test_what_a_working_server_answers(asked: int | None, nla: bool, kind: int, value: int) -> None:
    port = RdpPort("rdp", OPEN.tls, nla=nla, certificate_pem=b"c", key_pem=b"k")
    answer = x224.answer(x224.Request(asked), port)
    assert verdict(answer.data) == (kind, value)
    assert answer.then == ("tls" if kind == 2 else "close")


@pytest.mark.parametrize(("no_tls", "seen"), [("failure 2", (3, 2)), ("failure 3", (3, 3)), ("reset", (2, 8))])
def test_without_a_version_it_fails_as_told(
    no_tls: Literal["failure 2", "failure 3", "reset"], seen: tuple[int, int]
) -> None:
    port = RdpPort("rdp", frozenset(), no_tls=no_tls, certificate_pem=b"c", key_pem=b"k")
    answer = x224.answer(x224.Request(11), port)
    assert verdict(answer.data) == seen
    assert answer.then == ("reset" if no_tls == "reset" else "close")
