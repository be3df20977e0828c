"""Who holds the port: what is never stopped, and what is said of the rest."""

from typing import Any

import pytest

from serialfix.playbooks.port_holder import MOST_SHARED, UNTOUCHABLE, Held, Holder, read
from serialfix.steps import Look, Unknown
from serialfix.windows.netstat import Socket
from serialfix.windows.port_probes import Setup
from serialfix.windows.services import Service
from serialfix.windows.tasklist import Process

LOST = Unknown("the line was lost")
SETUP = Setup(r"C:\x\y.exe", 2, "LocalSystem")


def holder(*services: str, image: str = "y.exe", pid: int = 400, takes_stop: Any = True) -> Holder:
    held = tuple(Held(name, SETUP, takes_stop, (Service("Child", "running", 8),)) for name in services)
    return Holder(Process(image, pid, services), 3389, (80, 3389), 2, held)


@pytest.mark.parametrize("name", sorted(UNTOUCHABLE))
def test_windows_own_are_never_stopped(name: str) -> None:
    for one in (holder("X", image=name), holder(name), holder(name.upper()), holder("X", name)):
        assert "belongs to Windows" in one.why_not


def test_http_sys_is_never_stopped_and_its_queue_is_to_be_named() -> None:
    one = holder("Anything", image="System", pid=4)
    assert "belongs to Windows" in one.why_not
    assert "netsh http show servicestate view=requestq" in one.advice
    assert "never stop HTTP" in one.advice
    assert "portproxy show all" in holder("iphlpsvc", image="svchost.exe").advice


def test_what_else_is_not_stopped() -> None:
    assert "no service" in holder().why_not
    assert "X takes no stop" in holder("X", takes_stop=False).why_not
    assert "typed safely" in holder('x" & calc').why_not
    assert "too many" in holder(*(f"S{number}" for number in range(MOST_SHARED + 1))).why_not


def test_what_may_be_stopped() -> None:
    assert holder("X").why_not == ""
    assert holder("X", takes_stop=LOST).why_not == "", "not known is not no"
    half = holder("X", "Y")
    assert Holder(
        half.process, 3389, (), 0, (half.services[0], Held("Y", SETUP, False, ()))
    ).why_not == "", "one of them takes a stop"  # fmt: skip


def test_what_it_would_cost_is_said() -> None:
    said = " ".join(holder("X").lines())
    for part in ("y.exe", "80, 3389", "3389: 2", r"C:\x\y.exe", "by itself at boot", "LocalSystem", "Child", "a stop"):
        assert part in said
    unread = Held("X", LOST, LOST, LOST)
    assert str(unread).count("could not be read") == 3
    assert unread.running_dependents == ()


def play(answers: dict[str, Any]) -> tuple[Any, list[str]]:
    generator, asked, answer = read(400, 3389), list[str](), None
    while True:
        try:
            step = generator.send(answer)
        except StopIteration as end:
            return end.value, asked
        assert isinstance(step, Look)
        asked.append(step.probe.name)
        answer = answers.get(step.probe.name, LOST)


def row(port: int, foreign: str = "0.0.0.0:0") -> Socket:
    return Socket("tcp", "0.0.0.0", port, foreign, "", 400)


def test_listeners_and_connections_are_counted_apart() -> None:
    rows = (row(3389), row(3389, "10.0.0.9:50000"), row(80), row(50000, "10.0.0.9:3389"))
    found, _ = play({"process:400": Process("y.exe", 400, ("X",)), "sockets:400": rows})
    assert (found.ports, found.connections) == ((80, 3389), 1)
    assert found.services == (Held("X", LOST, LOST, LOST),)


def test_only_who_it_is_has_to_be_known() -> None:
    assert play({})[0] == LOST


@pytest.mark.parametrize("services", [('x" & calc & "', "Y"), tuple(f"S{number}" for number in range(20))])
def test_nothing_is_asked_about_what_is_not_stopped_anyway(services: tuple[str, ...]) -> None:
    found, asked = play({"process:400": Process("svchost.exe", 400, services)})
    assert asked == ["process:400", "sockets:400"]
    assert found.why_not
