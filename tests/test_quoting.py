"""Values that enter commands: what a shell reads is the value, whole and as one argument, or it is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix import quoting
from serialfix.simulator.faults import build
from tests.simulator.powershell.console import answer
from tests.simulator.world import ask

VM = build([], "2022", 1)
NASTY = st.text("abzAZ09 \\\"%^&|<>!()[]{}$@#=+*~';:,./-_\t\r\n\x03é\u02ba", max_size=20) | st.text(max_size=20)


def quoted(value: str) -> str | None:
    try:
        return quoting.cmd(value)
    except ValueError:
        return None


def argument(text: str) -> list[str]:
    """The arguments a C program sees (the rules of CommandLineToArgvW, as far as no backslash stands at a quote)."""
    assert '\\"' not in text
    assert text.count('"') in (0, 2)
    if '"' in text:
        assert text[0] == text[-1] == '"'
        return [text[1:-1]]
    return text.split()


@settings(max_examples=400)
@given(NASTY)
def test_it_is_one_argument_or_refused(value: str) -> None:
    text = quoted(value)
    if text is not None:
        assert argument(text) == [value]


@settings(max_examples=150, deadline=None)
@given(NASTY)
def test_cmd_takes_it_as_it_stands(value: str) -> None:
    text = quoted(value)
    if text is not None:
        assert ask(VM, f"echo x{text}&echo end") == f"x{text}\nend\n"


@pytest.mark.parametrize(
    "value",
    ["", " ", "a ", " a", "-f", "a\\ b\\", 'a"b', "%PATH%", "a^b", "a!b!", "a&b", "a|b", "a<b", "a>b", "a\nb", "a\rb",
     "a\tb", "a\x00b", "/f", "a/b", "\x03", "caf\u00e9", "a\u02bab", "\u202eabc"],
)  # fmt: skip
def test_refused(value: str) -> None:
    with pytest.raises(ValueError, match="not a value that can be typed safely"):
        quoting.cmd(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("UmRdpService", "UmRdpService"),
        ("MSSQL$SQLEXPRESS", '"MSSQL$SQLEXPRESS"'),
        (r"HKLM\SYSTEM\CurrentControlSet", r"HKLM\SYSTEM\CurrentControlSet"),
        (r"HKLM\SOFTWARE\Policies\Microsoft\Windows NT", r'"HKLM\SOFTWARE\Policies\Microsoft\Windows NT"'),
        ("{0AFD7E8E-1C1A-4F7C-A7C4-9A0C3A6B8D11}", '"{0AFD7E8E-1C1A-4F7C-A7C4-9A0C3A6B8D11}"'),
    ],
)
def test_usual_names_pass(value: str, text: str) -> None:
    assert quoting.cmd(value) == text


# --- PowerShell --------------------------------------------------------------------------------------------------


def literal(value: str) -> str | None:
    try:
        return quoting.powershell(value)
    except ValueError:
        return None


@settings(max_examples=150, deadline=None)
@given(NASTY | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20))
def test_powershell_takes_it_as_it_stands(value: str) -> None:
    text = literal(value)
    if text is not None:
        assert answer(VM, f"'<'+{text}+'>'") == f"<{value}>\n"
        assert answer(VM, f"function f($a,$b){{$a+'|'+$b}};f {text} end") == f"{value}|end\n"


@settings(max_examples=300, deadline=None)
@given(NASTY)
def test_a_literal_is_one_token_whose_quotes_are_all_doubled(value: str) -> None:
    text = literal(value)
    if text is not None:
        assert text[0] == text[-1] == "'"
        assert text[1:-1].replace("''", "").count("'") == 0
        assert text.isascii()
        assert text.isprintable()


@pytest.mark.parametrize(
    "value",
    ["", "a*", "a?b", "[a]", 'a"b', "a`b\n", "a\nb", "\x03", "a\u2019b", "a\u2018b", "a\u201bb", "caf\u00e9", "\u202e"],
)  # fmt: skip
def test_refused_by_powershell(value: str) -> None:
    with pytest.raises(ValueError, match="not a value that can be typed safely"):
        quoting.powershell(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("UmRdpService", "'UmRdpService'"),
        ("MSSQL$SQLEXPRESS", "'MSSQL$SQLEXPRESS'"),
        (r"HKLM:\SOFTWARE\Policies\Microsoft\Windows NT", r"'HKLM:\SOFTWARE\Policies\Microsoft\Windows NT'"),
        ("{0AFD7E8E-1C1A-4F7C-A7C4-9A0C3A6B8D11}", "'{0AFD7E8E-1C1A-4F7C-A7C4-9A0C3A6B8D11}'"),
        ("it's", "'it''s'"),
        ("-f", "'-f'"),
        ("a`b", "'a`b'"),
    ],
)
def test_usual_values_pass_in_powershell(value: str, text: str) -> None:
    assert quoting.powershell(value) == text
