from serialfix.simulator.faults import build
from tests.simulator.powershell.console import answer


def test_a_port_that_answers() -> None:
    text = answer(build([], "2022", 1), "Test-NetConnection -ComputerName localhost -Port 3389")
    rows = dict(line.split(" : ") for line in text.splitlines() if " : " in line)
    found = {name.strip(): value.strip() for name, value in rows.items()}
    assert found["TcpTestSucceeded"] == "True"
    assert found["RemotePort"] == "3389"
    assert "PingSucceeded" not in found


def test_a_port_that_does_not() -> None:
    vm = build([], "2022", 1)
    text = answer(vm, "tnc 127.0.0.1 -Port 3390")
    assert "WARNING: TCP connect to (127.0.0.1 : 3390) failed" in text
    assert "TcpTestSucceeded       : False" in text
    assert "PingSucceeded          : True" in text
    assert answer(vm, "(tnc 127.0.0.1 -Port 3390).TcpTestSucceeded").endswith("False\n")


def test_names_of_ports_and_a_short_answer() -> None:
    vm = build([], "2022", 1)
    assert answer(vm, "Test-NetConnection localhost RDP -InformationLevel Quiet") == "True\n"
    assert answer(vm, f"Test-NetConnection {vm.name} -Port 445 -InformationLevel Quiet") == "True\n"
    assert answer(vm, "Test-NetConnection 10.99.0.1 -InformationLevel Quiet") == "False\n"


def test_the_attempt_is_seen_as_a_connection_only() -> None:
    vm = build([], "2022", 1)
    before = len(vm.log)
    answer(vm, "Test-NetConnection localhost -Port 3389")
    assert not [event for event in vm.log[before:] if event.provider == "Schannel"]
