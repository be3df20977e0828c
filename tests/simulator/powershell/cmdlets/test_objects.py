import pytest

from serialfix.simulator.faults import build
from tests.simulator.powershell.console import answer

VM = build([], "2022", 5)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1..5 | select -First 2; 1..5 | select -Last 1; 1..5 | select -Skip 4", "1\n2\n5\n5\n"),
        ("1,1,2 | select -Unique", "1\n2\n"),
        ("3,1,2 | sort -Descending", "3\n2\n1\n"),
        ("'b','A','c' | sort", "A\nb\nc\n"),
        ("1..4 | ? { $_ -gt 2 } | measure | % Count", "2\n"),
        ("(1..4 | measure -Sum).Sum", "10\n"),
        ("Get-Service Spooler | select -ExpandProperty Status", "Running\n"),
        ("Get-Service Spooler | Select Name,@{n='x';e={$_.Status}} | ConvertTo-Json -Compress",
         '{"Name":"Spooler","x":"Running"}\n'),
        ("Get-Service | ? Name -eq 'Spooler' | % DisplayName", "Print Spooler\n"),
        ("[pscustomobject]@{a=1;b='x'} | fl", "\n\na : 1\nb : x\n\n\n\n"),
        ("[pscustomobject]@{a=1;b='x'} | ConvertTo-Csv -NoTypeInformation", '"a","b"\n"1","x"\n'),
        ("'a','b' | Out-String -Stream | % { \"[$_]\" }", "[a]\n[b]\n"),
        ("(1,2 | Out-String).Length", "6\n"),
        ("'x' | Out-Null; Write-Host a -NoNewline; Write-Host b", "ab\n"),
        ("'abc','xyz' | Select-String b", "abc\n"),
        ("@{a=1;b=@(1,2)} | ConvertTo-Json", '{\n    "a":  1,\n    "b":  [\n        1,\n        2\n    ]\n}\n'),
        ("(New-Object psobject -Property @{q=7}).q", "7\n"),
        ("Get-Date '2026-01-02' -Format yyyyMMdd", "20260102\n"),
    ],
)  # fmt: skip
def test_objects(line: str, expected: str) -> None:
    assert answer(VM, line) == expected


def test_out_file_and_sleep() -> None:
    vm = build([], "2022", 1)
    before = vm.now
    assert answer(vm, "'é' | Out-File C:\\f -Encoding ascii; Start-Sleep -Milliseconds 9500; gc C:\\f") == "?\n"
    assert 9.5 + 1.0 <= vm.now - before <= 9.5 + 5.0  # PowerShell's own start takes one to five seconds
