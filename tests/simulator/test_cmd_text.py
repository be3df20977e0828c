from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.cmd_text import Environment, expand_delayed, expand_for, expand_percent, prompt_text

VARIABLES = Environment({"Path": "C:\\a;C:\\b", "x": "12345", "empty1": " "})


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters="%")))
def test_text_without_percent_signs_stays(text: str) -> None:
    assert expand_percent(text, VARIABLES.get) == text
    assert expand_percent(f"%{text}%", lambda name: None) == f"%{text}%"


def test_percent_at_the_prompt() -> None:
    def check(text: str, expected: str) -> None:
        assert expand_percent(text, VARIABLES.get) == expected

    check("%PATH%", "C:\\a;C:\\b")
    check("%no%x%", "%no12345")
    check("%x:~1,2% %x:~-2% %x:~0,-1%", "23 45 1234")
    check("%x:34=-% %path:*;=%", "12-5 C:\\b")
    check("100% of %^x%", "100% of %^x%")
    check("%%x%%", "%12345%")


def test_delayed_and_loop_variables() -> None:
    assert expand_delayed("a!x!b !no!", VARIABLES.get) == "a12345b "
    assert expand_for(r"%~nxi %i %j", {"i": r"C:\w\f.txt"}) == r"f.txt C:\w\f.txt %j"
    assert expand_for("%~a %A", {"a": '"q r"'}) == "q r %A"


def test_prompt_codes() -> None:
    assert prompt_text("$P$G", r"C:\x", "", "", "") == r"C:\x>"
    assert prompt_text("$E[0m$S$$$_q$q", "", "", "", "") == "\x1b[0m $\r\nq="
