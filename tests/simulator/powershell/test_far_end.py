"""What answers behind a port, and what it leaves in the VM's event log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import x224
from serialfix.simulator.faults import build
from serialfix.simulator.powershell import far_end
from serialfix.simulator.powershell.far_end import FarEnd
from serialfix.simulator.vm import Vm

ASK = bytes.fromhex("030000130ee00000000000010008000b000000")


def connected(vm: Vm, port: int = 3389) -> FarEnd:
    found = far_end.connect(vm, port)
    assert found is not None
    return found


def numbers(vm: Vm) -> list[int]:
    return [event.number for event in vm.log]


def test_rdp_answers_and_shows_one_attempt() -> None:
    vm = build([], "2022", 1)
    before = len(vm.log)
    found = connected(vm)
    assert found.give() == b""
    found.take(ASK)
    assert found.give() == x224.selected(x224.HYBRID_EX)
    found.leave()
    found.leave()
    assert numbers(vm)[before:] == [261]


def test_the_request_may_come_in_pieces() -> None:
    found = connected(build([], "2022", 1))
    for at in range(len(ASK)):
        assert found.give() == b""
        found.take(ASK[at : at + 1])
    assert found.give() == x224.selected(x224.HYBRID_EX)


@pytest.mark.parametrize(("fault", "number"), [("key-permissions", 36870), ("tls-disabled", 36871)])
def test_a_handshake_that_cannot_be_leaves_schannels_event(fault: str, number: int) -> None:
    vm = next(vm for seed in range(50) if (vm := build([fault], "2022", seed)).rdp_port(inside=True).no_tls == "reset")
    found = connected(vm)
    found.take(ASK)
    found.give()
    assert number not in numbers(vm)
    found.take(b"\x16\x03\x01")
    assert (found.state, found.give()) == ("reset", b"")
    assert numbers(vm).count(number) == 1


@given(st.binary(min_size=1, max_size=60))
def test_what_is_not_rdp_ends_it(data: bytes) -> None:
    found = connected(VM)
    found.take(data)
    said = found.give()
    assert said == b"" or data[:1] == b"\x03"
    assert found.state in {"open", "closed", "reset"}
    found.leave()


VM = build([], "2022", 9)


def test_others() -> None:
    vm = build(["port-hijack"], "2022", 1)
    found = connected(vm)
    found.take(ASK)
    assert found.give().startswith((b"HTTP/1.1 400", b"RFB"))
    assert found.state == "closed"
    assert far_end.connect(vm, 3390) is None
    http = connected(vm, 5985)
    http.take(b"GET / HTTP/1.1\r\n\r\n")
    assert http.give().startswith(b"HTTP/1.1 200")
    quiet = connected(vm, 445)
    quiet.take(b"x")
    quiet.leave()
    assert (quiet.give(), quiet.state) == (b"", "open")


def test_nothing_answers_where_nobody_listens() -> None:
    vm = build([], "2019", 1)
    assert far_end.connect(vm, 50012) is None  # an established connection is no listener
    assert far_end.connect(vm, 139) is None  # bound to the VM's own address, not to loopback
