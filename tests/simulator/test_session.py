from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.conhost import Stream
from serialfix.simulator.programs import Interrupted, ReadKey, ReadLine, Sleep, Steps
from serialfix.simulator.session import LONGEST, Session
from serialfix.simulator.vm import Vm, stream


def reader(lines: list[str]) -> Callable[[Callable[[str], None]], Steps]:
    def program(out: Callable[[str], None]) -> Steps:
        while True:
            out(">")
            try:
                lines.append((yield ReadLine()))
            except Interrupted:
                lines.append("<interrupted>")

    return program


def start(program: Callable[[Callable[[str], None]], Steps]) -> Session:
    session = Session(Vm("2022", 1), Stream(stream(1, "t")), program, stream(1, "s"), 0.0)
    session.advance(1.0)
    return session


@given(st.text(st.sampled_from("ab c\b\x7f\x03\r"), max_size=60))
def test_editing_follows_a_plain_model(keys: str) -> None:
    lines: list[str] = []
    session = start(reader(lines))
    for number, key in enumerate(keys):
        session.key(ord(key), 2.0 + number)
        session.advance(2.5 + number)
    expected, line = [], ""
    for key in keys:
        if key == "\b":
            line = line[:-1]
        elif key == "\x7f":
            kept = line.rstrip(" ")
            line = kept[: kept.rfind(" ") + 1]
        elif key in "\x03\r":
            expected.append("<interrupted>" if key == "\x03" else line)
            line = ""
        else:
            line += key
    assert lines == expected
    assert session.console.cells.lines()[session.console.cells.row].rstrip() == (">" + line).rstrip()


def test_a_line_has_its_limit() -> None:
    lines: list[str] = []
    session = start(reader(lines))
    for _ in range(LONGEST + 50):
        session.key(ord("x"), 2.0)
    session.key(13, 2.0)
    session.advance(3.0)
    assert len(lines[0]) == LONGEST


def test_keys_timeouts_and_the_end() -> None:
    seen: list[str] = []

    def program(out: Callable[[str], None]) -> Steps:
        seen.append((yield ReadKey(5.0)))
        seen.append((yield ReadKey(5.0)))
        yield Sleep(2.0)
        out("done")
        return 4

    session = start(program)
    assert session.reading == "key"
    session.key(ord("k"), 2.0)
    assert session.due() == 7.0
    session.advance(7.0)
    assert seen == ["k", ""]
    session.advance(9.5)
    assert (session.code, session.ended) == (4, True)
    assert b"done" in session.console.take()


def test_utf_8_is_typed_whole() -> None:
    lines: list[str] = []
    session = start(reader(lines))
    for byte in "é─x\r".encode():
        session.key(byte, 2.0)
    session.advance(3.0)
    assert lines == ["é─x"]
