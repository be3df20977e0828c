import pytest

from serialfix.simulator.knobs import Knobs
from serialfix.simulator.login import authenticates
from tests.simulator.world import Client


def test_the_dialogue() -> None:
    client = Client("2016", faults=("tls-disabled",))
    client.open()
    for part in (client.vm.user.encode() + b"\r\nDomain  :", b"Password: ", b"*" * len(client.vm.password)):
        assert part in client.seen
    assert client.vm.password.encode() not in client.seen
    assert client.vm.password not in str(client.vm.journal)
    assert client.rows()[:4] == [
        "Microsoft Windows [Version 10.0.14393]",
        "(c) 2016 Microsoft Corporation. All rights reserved.",
        "",
        "C:\\Windows\\system32>",
    ]


def test_a_wrong_password_starts_over() -> None:
    client = Client()
    client.type(b"cmd\r")
    client.type(b"ch -si 1\r ")
    client.type(b"Administrator\r\rwrong\r")
    assert b"Unable to authenticate." in client.seen
    assert client.seen.count(b"Please enter login credentials.") == 2
    assert client.rows()[-1] == "" or client.text().rstrip().endswith("Username:")


@pytest.mark.parametrize("domain", ["", ".", "{name}", "elsewhere"])
def test_which_domain_is_here(domain: str) -> None:
    vm = Client().vm
    domain = domain.format(name=vm.name.lower())
    assert authenticates(vm, vm.user.upper(), domain, vm.password) == (domain != "elsewhere")
    assert not authenticates(vm, vm.user, domain, vm.password.swapcase())


def test_idle_asks_again_and_keeps_the_shell() -> None:
    client = Client(knobs=Knobs(idle=300.0))
    client.open()
    client.type(b"set kept=1\r")
    client.wait(400.0)
    client.type(b"x")
    assert "Please enter login credentials." in client.text()
    client.type(client.vm.user.encode() + b"\r\r" + client.vm.password.encode() + b"\r")
    client.type(b"echo [%kept%]\r")
    assert "[1]" in client.text()
