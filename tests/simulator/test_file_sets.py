from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.file_sets import decode, for_f, matching
from serialfix.simulator.vm import Vm


@given(st.text(st.characters(codec="utf-16"), max_size=50))
def test_text_is_read_by_its_mark(text: str) -> None:
    assert decode(b"\xff\xfe" + text.encode("utf-16-le")) == text
    assert decode(b"\xef\xbb\xbf" + text.encode()) == text


def test_wildcards() -> None:
    vm = Vm("2022", 1)
    assert {e.name for e in matching(vm, "re?.exe", r"C:\Windows\System32")} == {"reg.exe"}
    assert [e.name for e in matching(vm, "hosts", "C:\\Windows", deep=True)] == ["hosts"]
    assert matching(vm, "*.nope", "C:\\") == []


def test_for_f_fields() -> None:
    assert for_f("a,b c,d\r\n\r\n;x\r\n", "delims=,", "i") == [{"i": "a"}]
    assert for_f("h\r\na b  c d", "skip=1 tokens=1,2*", "i") == [{"i": "a", "j": "b", "k": "c d"}]
    assert for_f("a b", "delims=", "i") == [{"i": "a b"}]
    assert for_f("a b c", "tokens=1-2", "x") == [{"x": "a", "y": "b"}]
