"""Exact output: what comes back is what the program wrote, on every console, or it is said that it is not proven."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.channels import Login
from serialfix.console.folder import CMD
from serialfix.console.screen import Screen
from serialfix.console.slices import RowsLost, Whole, line, take
from serialfix.engine import Request
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.steps import Command, Output
from serialfix.venues.serial import SerialVenue
from tests.virtual import VirtualLine

BEGIN, END = "abcdefgh", "jkmnpqrs"
SHA = "0123456789abcdef" * 4
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=200)


def shown(lines: dict[int, str], *, begin: str = BEGIN, head: bool = True) -> Whole:
    """What is taken of lines that were written to a screen, numbered as findstr does it."""
    screen = Screen()
    rows = ["an older row", begin]
    rows += ["SHA256 hash of o:", SHA, "CertUtil: done.", str(len(lines))] if head else []
    rows += [f"{number}:{text}$" for number, text in lines.items()]
    screen.feed("\r\n".join([*rows, END, "prompt>"]).encode())
    whole = Whole()
    take(screen.since(0), whole, min(lines, default=1), begin=BEGIN, end=END)
    return whole


@given(st.lists(TEXT.filter(lambda text: len(text) < 70), min_size=1, max_size=30))
def test_lines_come_back_as_they_were_written(texts: list[str]) -> None:
    lines = dict(enumerate(texts, start=1))
    whole = shown(lines)
    assert (whole.sha256, whole.count, whole.lines) == (SHA, len(texts), lines)


@given(st.lists(TEXT.filter(lambda text: len(text) < 70), min_size=3, max_size=20), st.data())
def test_a_line_that_was_lost_is_missing_and_never_invented(texts: list[str], data: st.DataObject) -> None:
    lines = dict(enumerate(texts, start=1))
    lost = data.draw(st.integers(2, len(texts)))
    whole = shown({number: text for number, text in lines.items() if number != lost}, head=False)
    whole.count = len(texts)
    assert lost in whole.missing()
    assert all(lines[number] == text for number, text in whole.lines.items() if number < lost - 1)


def test_without_the_first_marker_nothing_is_taken() -> None:
    with pytest.raises(RowsLost):
        shown({1: "x"}, begin="another")


def test_the_typed_line_does_not_hold_the_markers() -> None:
    typed = line(CMD, CMD.run("dir", True), CMD.rows(False, 3, 4), begin=BEGIN, end=END)
    assert BEGIN not in typed
    assert END not in typed
    assert '"3: 4:"' in typed


HOSTILE = "\r\n".join(
    [
        "",
        "x" * 80,
        "ends in blanks   ",
        "\tafter a tab",
        "2:looks like a number$",
        "SAC>",
        r"C:\Windows\system32>",
        "Username: ",
        "ok",
        "\x1b[2J\x1b]0;title\x07",
        "Gr\u00fc\u00dfe",
        "y" * 300,
        '%PATH% & | > ^ "quoted" !bang!',
        "last",
        "",
    ]
)


def read(windows: str, content: str, preset: str = "calm") -> Output:
    vm = build(("healthy",), windows, 5)
    vm.files.write(r"C:\Windows\Temp\hostile.txt", content.encode("cp437"), 0.0)
    wire = VirtualLine(Line(vm, PRESETS[preset], 5, 0.0))

    async def session() -> Output:
        console = SerialVenue(wire, Login(vm.user, "", vm.password), "slices", lambda _: None)
        command = Command("cmd", r"type C:\Windows\Temp\hostile.txt")
        (answer,) = await console.ask([Request(command, 64 * 1024, 120.0)])
        await console.leave()
        assert isinstance(answer, Output), answer
        return answer

    return asyncio.run(session())


@pytest.mark.parametrize("preset", ["calm", "real"])
@pytest.mark.parametrize("windows", ["2016", "2019", "2022", "2025"])
def test_hostile_text_is_read_exactly(windows: str, preset: str) -> None:
    answer = read(windows, HOSTILE, preset)
    assert (answer.proof, answer.exit_code, answer.partial) == ("checksum", 0, False)
    assert answer.text == HOSTILE.replace("\r\n", "\n")


@pytest.mark.parametrize("windows", ["2019", "2022"])
def test_a_line_longer_than_the_screen_is_read_exactly(windows: str) -> None:
    content = "short\r\n" + "0123456789abcdef" * 250 + "\r\nend\r\n"
    answer = read(windows, content)
    assert (answer.proof, answer.exit_code) == ("checksum", 0)
    assert answer.text == content.replace("\r\n", "\n")


@settings(max_examples=5)
@given(st.lists(TEXT, min_size=1, max_size=40), st.sampled_from(["2016", "2022"]))
def test_any_text_is_read_exactly(texts: list[str], windows: str) -> None:
    content = "".join(f"{text}\r\n" for text in texts)
    answer = read(windows, content)
    assert answer.proof == "checksum"
    assert answer.text == content.replace("\r\n", "\n")
