"""Sockets as an engineer types them."""

import pytest

from serialfix.simulator.baseline import RDP_TCP
from serialfix.simulator.faults import build
from serialfix.simulator.powershell.sockets import REFUSED
from serialfix.simulator.vm import Vm
from tests.simulator.powershell.console import answer, ps

ASK = "[byte[]](3,0,0,19,14,224,0,0,0,0,0,1,0,8,0,11,0,0,0)"
TALK = f"$c=New-Object Net.Sockets.TcpClient('127.0.0.1',3389); $s=$c.GetStream(); $a={ASK}; $s.Write($a,0,$a.Length)"
TIMED = "$t=Get-Date; try{%s}catch{}; [Math]::Round(((Get-Date)-$t).TotalSeconds,3)"


def vm_(*faults: str, windows: str = "2022", seed: int = 1) -> Vm:
    return build(faults, windows, seed)


@pytest.mark.parametrize(
    "connect",
    [
        "$c.Connect('127.0.0.1',3389)",
        "$c.Connect([Net.IPAddress]::Loopback,3389)",
        "$c.ConnectAsync('localhost',3389).Wait(1000) | Out-Null",
        "$r=$c.BeginConnect('127.0.0.1',3389,$null,$null); "
        "[void]$r.AsyncWaitHandle.WaitOne(1000,$false); $c.EndConnect($r)",
    ],
)
def test_the_ways_to_connect(connect: str) -> None:
    assert answer(vm_(), f"$c=New-Object Net.Sockets.TcpClient; {connect}; $c.Connected; $c.Close(); $c.Connected") == (
        "True\nFalse\n"
    )


def test_rdp_is_asked_by_hand() -> None:
    line = f"{TALK}; $b=New-Object byte[] 32; $n=$s.Read($b,0,32); [BitConverter]::ToString($b,0,$n); $s.DataAvailable"
    assert answer(vm_(), line) == "03-00-00-13-0E-D0-00-00-12-34-00-02-1F-08-00-08-00-00-00\nFalse\n"


def test_it_can_be_read_byte_by_byte() -> None:
    line = f"{TALK}; (1..19 | %{{$s.ReadByte()}}) -join ' '"
    assert answer(vm_(), line).startswith("3 0 0 19 14 208")


def test_refused() -> None:
    vm = vm_()
    catch = (
        "catch{$e=$_.Exception; $e.GetType().Name; $i=$e.InnerException; $i.ErrorCode; $i.NativeErrorCode; $i.HResult}"
    )
    line = f"try{{(New-Object Net.Sockets.TcpClient).Connect('127.0.0.1',3390)}}{catch}"
    assert answer(vm, line) == "MethodInvocationException\n10061\n10061\n-2147467259\n"
    text = answer(vm, "(New-Object Net.Sockets.TcpClient).Connect('127.0.0.1',3390)").replace("\n", " ")
    assert 'Exception calling "Connect" with "2" argument(s): "No connection could be made because' in text
    assert "actively refused it 127.0.0.1:3390" in text
    assert "FullyQualifiedErrorId : SocketException" in text


def test_a_catch_by_type_takes_the_exception_within() -> None:
    body = "try{(New-Object Net.Sockets.TcpClient).Connect('127.0.0.1',3390)}"
    assert (
        answer(vm_(), body + "catch [IO.IOException]{'io'}catch [Net.Sockets.SocketException]{'socket'}") == "socket\n"
    )
    assert answer(vm_(), body + "catch [System.Exception]{'any'}") == "any\n"
    assert "SocketException" in answer(vm_(), body + "catch [IO.IOException]{'io'}")


def test_waiting_takes_the_vms_time() -> None:
    vm = vm_()
    assert answer(vm, TIMED % "(New-Object Net.Sockets.TcpClient).Connect('127.0.0.1',3390)") == f"{REFUSED:.0f}\n"
    assert (
        answer(vm, TIMED % "(New-Object Net.Sockets.TcpClient).ConnectAsync('10.9.9.9',3389).Wait(1500)")
        == "False\n1.5\n"
    )
    assert answer(vm, TIMED % "(New-Object Net.Sockets.TcpClient).Connect('10.9.9.9',3389)") == "21\n"
    read = TALK + "; $s.ReadTimeout=700; $b=New-Object byte[] 32; $n=$s.Read($b,0,32); $n=$s.Read($b,0,32)"
    assert answer(vm, TIMED % read) == "0.7\n"


@pytest.mark.parametrize("limit", ["$s.ReadTimeout=700", "$c.ReceiveTimeout=700"])
def test_a_read_that_takes_too_long(limit: str) -> None:
    line = f"{TALK}; {limit}; $b=New-Object byte[] 32; $n=$s.Read($b,0,32)"
    caught = "try{$n=$s.Read($b,0,32)}catch{$_.Exception.GetBaseException().NativeErrorCode; $_.FullyQualifiedErrorId}"
    assert answer(vm_(), f"{line}; {caught}") == "10060\nIOException\n"


def test_the_far_end_closes() -> None:
    """A web server answers and closes: then a read gives 0."""
    vm = next(
        vm for seed in range(20) if (vm := vm_("port-hijack", seed=seed)).rdp_port(inside=True).behaviour == "http"
    )
    line = (
        f"{TALK}; $b=New-Object byte[] 999; $n=$s.Read($b,0,999); [Text.Encoding]::ASCII.GetString($b).Substring(0,12)"
    )
    assert answer(vm, line + "; $s.Read($b,0,999)") == "HTTP/1.1 400\n0\n"


@pytest.mark.parametrize("call", ["$s.Read($b,0,9)", "$s.Read($b,4,5)", "$s.Read($b,-1,2)", "$s.Read('text',0,1)"])
def test_a_buffer_that_is_too_small(call: str) -> None:
    assert "out of the range" in answer(vm_(), f"{TALK}; $b=New-Object byte[] 8; {call}").replace("\n", " ")


@pytest.mark.parametrize(
    "line",
    [
        "(New-Object Net.Sockets.TcpClient).GetStream()",
        f"{TALK}; $c.Close(); $s.ReadByte()",
        f"{TALK}; $c.Close(); $s.WriteByte(1)",
        "(New-Object Net.Sockets.TcpClient).Connect('no.such.name',3389)",
        "(New-Object Net.Sockets.TcpClient).ConnectAsync('127.0.0.1',3390).Wait()",
        "$c=New-Object Net.Sockets.TcpClient; $c.EndConnect($c.BeginConnect('127.0.0.1',3390,$null,$null))",
        "(New-Object Net.Sockets.TcpClient).Connect('127.0.0.1')",
    ],
)
def test_what_fails_says_so(line: str) -> None:
    assert "FullyQualifiedErrorId" in answer(vm_(), line)


def test_a_task_says_how_it_stands() -> None:
    line = "$t=(New-Object Net.Sockets.TcpClient).ConnectAsync('127.0.0.1',%d); sleep 3; $t.Status; $t.IsFaulted"
    assert answer(vm_(), line % 3389) == "RanToCompletion\nFalse\n"
    assert answer(vm_(), line % 3390) == "Faulted\nTrue\n"
    assert answer(vm_(), (line % 3390).replace("sleep 3; ", "")) == "WaitingForActivation\nFalse\n"


def test_the_moved_port() -> None:
    vm = vm_()
    path = RDP_TCP.replace("HKLM", "HKLM:")
    ps(vm, f"Set-ItemProperty '{path}' PortNumber 3390", "Restart-Service TermService -Force")
    assert answer(vm, "(New-Object Net.Sockets.TcpClient('127.0.0.1',3390)).Connected") == "True\n"


def test_a_limited_language_calls_nothing() -> None:
    vm = vm_()
    vm.language_mode = "ConstrainedLanguage"
    assert "Only core types" in answer(vm, "New-Object Net.Sockets.TcpClient")
