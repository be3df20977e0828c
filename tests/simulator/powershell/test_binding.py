import pytest

from serialfix.simulator.faults import build
from tests.simulator.powershell.console import answer

VM = build([], "2022", 5)


@pytest.mark.parametrize(
    ("line", "identifier"),
    [
        ("Get-Service -Nonsense", "NamedParameterNotFound"),
        ("Get-Service -Name", "MissingArgument"),
        ("Get-Service a b", "PositionalParameterNotFound"),
        ("Set-ItemProperty -value D3E", "MissingMandatoryParameter"),
        ("Get-ChildItem -E", "AmbiguousParameter"),
    ],
)
def test_what_does_not_bind(line: str, identifier: str) -> None:
    assert identifier in answer(VM, line)


def test_names_may_be_cut_and_switches_set() -> None:
    assert answer(VM, "(Get-Service -N TermService).Name") == "TermService\n"
    assert answer(VM, "Get-Service nope -EA 0; Get-Service nope -ErrorAction:Ignore") == ""
    assert answer(VM, "Remove-Item C:\\Windows\\Temp -Recurse -Confirm:$false -WhatIf") == ""
    assert VM.files.is_folder("C:\\Windows\\Temp")
