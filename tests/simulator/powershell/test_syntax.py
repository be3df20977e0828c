import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.powershell.syntax import Incomplete, ParserError, parse


@pytest.mark.parametrize(
    "text",
    [
        "Get-Item -Path a,b", "Select-Object A,B", "Get-Service | Select Name,@{n='x';e={$_.Status}}",
        "'a<b'; \"a<b\"", "cmd --% /c x <y", "@'\nabc\n'@", "# only a comment", "", "  ", "'a ` b'", "x `\n y",
        "\"a$(\"b)\")c\"", "switch(1){1{'x'} default {'y'}}", "sc.exe config gpsvc start= auto",
    ],
)  # fmt: skip
def test_what_parses(text: str) -> None:
    assert not parse(text).root.has_error


@pytest.mark.parametrize("text", ["Get-Service |", '"abc', "'abc", "if (1) {", "(1", "$x =", "@'\nabc", "a `", "<# x"])
def test_what_goes_on(text: str) -> None:
    with pytest.raises(Incomplete):
        parse(text)


@pytest.mark.parametrize(
    "text", ["foo)", "}", "Set-ItemProperty -value <Hexportnumber>", "icacls C:\\x /grant NT AUTHORITY\\System:(F) )"]
)
def test_what_is_wrong(text: str) -> None:
    with pytest.raises(ParserError):
        parse(text)


@given(st.text(st.sampled_from("ab $'\"(){}|`@,;=-\n#<>"), max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    try:
        tree = parse(text)
    except (Incomplete, ParserError):
        return
    assert not tree.root.has_error


@given(st.text(st.characters(exclude_characters="'\0\r", exclude_categories=["Cs", "Cc"]), max_size=40))
def test_a_quoted_text_is_whole(text: str) -> None:
    assert not parse(f"'{text}'").root.has_error
