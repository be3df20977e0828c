import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from tests.simulator.powershell.console import answer, ps

VM = build([], "2022", 5)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("1..3 | % { $_ * 2 }", "2\n4\n6\n"),
        ("$a = 1,2,3; $a[-1]; $a.Count; $a[0..1] -join '+'", "3\n3\n1+2\n"),
        ("\"x$($a.Count)y$null`tz $('a'+\"b\")\"", "x0y\tz ab\n"),
        ("'a''b'; \"a`\"b\"; \"a\"\"b\"", "a'b\na\"b\na\"b\n"),
        ("$h=@{n='x';e={$_.Status}}; $h.n; $h['N']; $h.Count", "x\nx\n2\n"),
        ("$i = 5; $i++; $i; $i += 2; $i", "6\n8\n"),
        ("foreach ($x in 1..4) { if ($x -eq 2) { continue }; if ($x -eq 4) { break }; $x }", "1\n3\n"),
        ("for($i=0;$i -lt 3;$i++){$i}", "0\n1\n2\n"),
        ("$n=0; while($true){ $n++; if($n -gt 2){break} }; $n", "3\n"),
        ("function f($a,[int]$b=2){return $a+$b}; f 1 -b 5; f 1", "6\n3\n"),
        ("switch (2) { 1 {'one'} 2 {'two'} default {'other'} }", "two\n"),
        ("try { throw 'x' } catch { \"c $_\" } finally {'f'}", "c x\nf\n"),
        ("try { Get-Service nope -EA Stop; 'no' } catch { $_.FullyQualifiedErrorId }",
         "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand\n"),
        ("if ($false) {1} elseif (2) {'b'} else {'c'}", "b\n"),
        ("[int]'7' + 1; [string]5 + 1; [bool]'x'", "8\n51\nTrue\n"),
        ("'Ab' -match '(a)(.)'; $matches[2]", "True\nb\n"),
        ("$x = if(1){'y'}; $x; !$x; -not $null", "y\nFalse\nTrue\n"),
        ("& { param($a) $a }  5; &{'b'}", "5\nb\n"),
        ("(Get-Service TermService).Status -eq 'Running'", "True\n"),
        ("$ErrorActionPreference='SilentlyContinue'; Get-Service nope; 'after'", "after\n"),
        ("$null -eq $nothing; $nothing.x.y", "True\n"),
        ("@(1).Count; @().Count; ,1 | % { $_ }", "1\n0\n1\n"),
        ("[Math]::Max(3,7); [string]::Join('-',1,2)", "7\n1-2\n"),
        ("$env:COMPUTERNAME -eq [Environment]::MachineName", "True\n"),
        ("1 -band 3; 5 -bor 2; 1 -shl 4; 0x10; 1kb", "1\n7\n16\n16\n1024\n"),
    ],
)  # fmt: skip
def test_language(line: str, expected: str) -> None:
    assert answer(VM, line) == expected


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=40))
def test_a_text_in_quotes_comes_out_as_it_went_in(text: str) -> None:
    assert answer(VM, "'" + text.replace("'", "''") + "'") == text + "\n"


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("ab1 $'\"(){}|`@,;=-.[]%?"), max_size=25))
def test_any_line_leaves_a_prompt(text: str) -> None:
    found = ps(VM, text, "", "exit") if text.strip() not in {"", "exit"} else "PS "
    assert "Traceback" not in found


def test_constrained_language_stops_dotnet() -> None:
    """rdp-repair.md 0a.13."""
    from serialfix.simulator.powershell import members
    from serialfix.simulator.powershell.errors import Thrown
    from serialfix.simulator.powershell.evaluator import Evaluator, Shared
    from serialfix.simulator.powershell.syntax import parse

    shared = Shared(None, None, mode="ConstrainedLanguage")  # type: ignore[arg-type]
    scope = Evaluator(shared, parse(""), {})
    with pytest.raises(Thrown, match="only on core types"):
        members.call_static(scope, "IO.File", "Exists", ["x"])
    assert members.call_static(scope, "string", "IsNullOrEmpty", [""]) is True


def test_native_programs_take_part() -> None:
    assert answer(VM, "netstat -ano | findstr 0.0.0.0:3389").startswith("  TCP    0.0.0.0:3389")
    assert answer(VM, "$o = hostname; $o.Length -gt 0; $LASTEXITCODE") == "True\n0\n"
    assert answer(VM, "reg query HKLM\\NOPE 2>$null; $?; $LASTEXITCODE") == "False\n1\n"
    assert answer(VM, 'cmd /c "echo hi"') == "hi\n"


def test_errors_point_at_what_was_typed() -> None:
    text = answer(VM, "'a'; Get-Item C:\\no,C:\\way")
    assert "+ 'a'; Get-Item C:\\no,C:\\way\n" in text
    assert "At line:1 char:6\n" in text
