import pytest

from serialfix.simulator import stores
from serialfix.simulator.faults import build
from serialfix.simulator.powershell import constructors, exceptions, sockets, ssl_stream
from serialfix.simulator.powershell.cmdlets import drives
from serialfix.simulator.powershell.evaluator import Evaluator, Shared
from serialfix.simulator.powershell.syntax import parse
from serialfix.simulator.powershell.values import Obj
from tests.simulator.powershell.console import answer

VM = build([], "2022", 5)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("$b=New-Object byte[] 4; $b[1]=7; $b -join ','; $b.GetType().FullName", "0,7,0,0\nSystem.Byte[]\n"),
        ("$b=[byte[]]::new(2); $b.Length", "2\n"),
        ("(New-Object Net.Sockets.TcpClient).Connected; [System.Net.Sockets.TcpClient]::new().ReceiveTimeout",
         "False\n0\n"),
        ("(New-Object -TypeName System.Net.Sockets.TcpClient -ArgumentList localhost,3389).Connected", "True\n"),
        ("(New-Object PSObject -Property @{a=1}).a", "1\n"),
    ],
)  # fmt: skip
def test_what_can_be_made(line: str, expected: str) -> None:
    assert answer(VM, line) == expected


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("New-Object Net.Sockets.UdpClient", "cannot find type"),
        ("[Net.Sockets.UdpClient]::new()", "unable to find type"),
        ("New-Object Net.Security.SslStream", "constructor was not found"),
        ("New-Object Net.Security.SslStream($null)", "constructor was not found"),
        ("New-Object Net.Security.SslStream('a')", "value cannot be null"),
    ],
)
def test_what_cannot(line: str, words: str) -> None:
    assert words in answer(VM, line).lower().replace("\n", " ")


@pytest.mark.parametrize("name", list(constructors.CONSTRUCTORS))
def test_a_limited_language_makes_core_types_only(name: str) -> None:
    """rdp-repair.md 0a.13."""
    vm = build([], "2022", 1)
    vm.language_mode = "ConstrainedLanguage"
    refused = "Only core types" in answer(vm, f"New-Object {name} 1")
    assert refused == (name != "byte[]")


def test_the_lists_of_methods_are_true() -> None:
    vm = build([], "2022", 1)
    client = finish(sockets.tcp_client(vm, ["127.0.0.1", 3389]))
    stream = client.methods["GetStream"]()
    result = client.methods["BeginConnect"]("127.0.0.1", 3389)
    found = (
        client, stream, ssl_stream.ssl_stream(Evaluator(Shared(None, None), parse(""), {}), [stream]),  # type: ignore[arg-type]
        drives.certificate(vm, stores.held(vm.registry, stores.REMOTE_DESKTOP)[0]),
        client.methods["ConnectAsync"]("127.0.0.1", 3389), result.get("AsyncWaitHandle"), exceptions.io_error("x"),
    )  # fmt: skip
    for (kind, names), one in zip(constructors.METHODS.items(), found, strict=True):
        assert set(names) == set(one.methods), kind
        assert one.kind.removeprefix("System.") == kind or kind == "Exception"


def finish(waits: sockets.Waits) -> Obj:
    """Run what takes no time to its end."""
    with pytest.raises(StopIteration) as end:
        next(waits)
    found = end.value.value
    assert isinstance(found, Obj)
    return found


def test_every_name_is_found_in_full_and_in_short() -> None:
    assert all(
        constructors.known(name) and constructors.known("system." + name.upper()) for name in constructors.CONSTRUCTORS
    )
