"""No text of a VM acts on the terminal or hides in it."""

import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from serialfix.tui.safe import safe, safe_json, safe_lines

BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = (
    "\u00ad\u034f\u115f\u1160\u17b4\u180e\u200b\u200c\u200d\u2060\u2064\u2800"
    "\u3164\ufe0f\ufeff\uffa0\U000e0001\U000e0100"
)
CONTROLS = "".join(map(chr, (*range(32), *range(0x7F, 0xA0)))) + "\u2028\u2029"
hostile = st.text(st.characters() | st.sampled_from(BIDI + INVISIBLE + CONTROLS), max_size=40)


def harmless(text: str) -> bool:
    return not any(
        unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") or character in BIDI + INVISIBLE
        for character in text
    )


@given(hostile)
def test_nothing_that_acts_or_hides_survives(text: str) -> None:
    assert harmless(safe(text))


@given(hostile)
def test_lines_are_harmless_and_as_many_as_there_were(text: str) -> None:
    lines = safe_lines(text)
    assert all(harmless(line) for line in lines)
    assert len(lines) == text.count("\n") + 1


@given(st.text(st.characters(categories=("L", "N", "P", "Sm", "Zs")), max_size=40).filter(harmless))
def test_what_can_be_read_stays(text: str) -> None:
    assert safe(text) == text


@given(hostile)
def test_made_safe_twice_is_made_safe_once(text: str) -> None:
    assert safe(safe(text)) == safe(text)


def test_each_is_shown_as_its_escape() -> None:
    assert safe("a\x1b[2Jb\x9bc\u202ed\u200be\r\n") == r"a\x1b[2Jb\x9bc\u202ed\u200be\r\n"
    assert safe("\t|") == "    |"
    assert safe("\ud800") == r"\ud800"
    assert safe_lines("a\r\nb\nc\rd") == ["a", "b", r"c\rd"]


def test_a_heap_of_marks_covers_nothing() -> None:
    assert safe("Z" + "\u0321" * 40).count("\u0321") == 3
    assert safe("שּׁ e\u0302\u0301") == "שּׁ e\u0302\u0301"


@given(hostile.filter(lambda text: not any("\ud800" <= character <= "\udfff" for character in text)))
def test_json_stays_the_same_document(text: str) -> None:
    document = json.dumps({text: [text, 1]}, ensure_ascii=False)
    assert json.loads(safe_json(document)) == {text: [text, 1]}
    assert harmless(safe_json(document))
