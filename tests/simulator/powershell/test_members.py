import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator import key_files
from serialfix.simulator.faults import build
from serialfix.simulator.powershell import members
from serialfix.simulator.powershell.errors import Thrown
from tests.simulator.powershell.console import answer

VM = build([], "2022", 5)


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=60))
def test_files_and_base64(data: bytes) -> None:
    VM.files.write(r"C:\Windows\Temp\b", data, 0.0)
    shown = base64.b64encode(data).decode()
    assert answer(VM, r"[Convert]::ToBase64String([IO.File]::ReadAllBytes('C:\Windows\Temp\b'))") == shown + "\n"
    answer(VM, rf"[IO.File]::WriteAllBytes('C:\Windows\Temp\c',[Convert]::FromBase64String('{shown}'))")
    entry = VM.files.find(r"C:\Windows\Temp\c")
    assert entry is not None
    assert entry.data == data


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=1, max_size=200), st.data())
def test_parts_of_bytes(data: bytes, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data) - 1))
    size = draw.draw(st.integers(0, len(data) - start))
    made = f"$b=[Convert]::FromBase64String('{base64.b64encode(data).decode()}')"
    part = data[start : start + size]
    assert answer(VM, f"{made}; [BitConverter]::ToString($b,{start},{size})") == part.hex("-").upper() + "\n"
    assert answer(VM, f"{made}; [Convert]::ToBase64String($b,{start},{size})") == base64.b64encode(part).decode() + "\n"
    lines = answer(VM, f"{made}; [Convert]::ToBase64String($b,1)").splitlines()
    assert base64.b64decode("".join(lines)) == data
    assert all(len(line) == 76 for line in lines[:-1])


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[string][Net.IPAddress]'::1'; [Net.IPAddress]::Loopback.IPAddressToString", "::1\n127.0.0.1\n"),
        (
            "$p=[Security.Authentication.SslProtocols]::Tls12; \"$p\"; [int]$p; $p -eq 'tls12'; $p -eq 3072",
            "Tls12\n3072\nTrue\nTrue\n",
        ),
        (
            "[Security.Authentication.SslProtocols]'Tls11,Tls12'; [int][Security.Authentication.SslProtocols]768",
            "Tls11, Tls12\n768\n",
        ),
        ("[Net.ServicePointManager]::SecurityProtocol='Tls12'; [Net.ServicePointManager]::SecurityProtocol", "Tls12\n"),
        ("[Net.ServicePointManager]::ServerCertificateValidationCallback={$true}; 'set'", "set\n"),
        ("' a '.Trim().ToUpper() + 'x'.PadLeft(3,'0')", "A00x\n"),
        ("'abc'.Substring(1); 'abc'.IndexOf('c'); 'a;b'.Split(';').Count", "bc\n2\n2\n"),
        ("(Get-Date '2026-01-31').AddDays(1).ToString('yyyy-MM-dd')", "2026-02-01\n"),
        ("[Text.Encoding]::Unicode.GetBytes('a').Length", "2\n"),
        ("[BitConverter]::ToString([byte[]](1,255))", "01-FF\n"),
        ("@{a=1}.ContainsKey('A'); (1,2).Contains(2)", "True\nTrue\n"),
        ("(5).GetType().Name; 'x'.GetType().FullName", "Int32\nSystem.String\n"),
        ("[IO.File]::Exists('C:\\nope')", "False\n"),
        ("[DateTime]::UtcNow.Year -ge 2026", "True\n"),
    ],
)
def test_members(line: str, expected: str) -> None:
    assert answer(VM, line) == expected


@pytest.mark.parametrize("line", ["[No.Such]::X()", "'a'.Nope()", "$null.Foo()", "[IO.File]::ReadAllText('C:\\nope')",
                                  "[int]'x'", "$null[0]", "[Net.IPAddress]'1.2'", "[Math]::PI=3",
                                  "[Security.Authentication.SslProtocols]'Tls99'"])  # fmt: skip
def test_what_fails_says_so(line: str) -> None:
    assert "FullyQualifiedErrorId" in answer(VM, line)


def test_the_keys_list_is_for_system_only() -> None:
    at = key_files.path(VM.registry)
    assert "unauthorized operation" in answer(VM, f"[IO.File]::GetAccessControl('{at}').Sddl")
    assert answer(VM, f"(Get-Acl {key_files.FOLDER}).Sddl") == key_files.FOLDER_SDDL + "\n"


def test_a_cast_to_an_unknown_type() -> None:
    with pytest.raises(Thrown, match="Unable to find type"):
        members.cast("no.such", 1)
