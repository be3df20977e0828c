"""Exact output: what comes back is what the program wrote, on every console, or it is said that it is not proven."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.channels import Login
from serialfix.console.folder import CMD
from serialfix.console.screen import Screen
from serialfix.console.slices import Asked, RowsLost, Typed, Way, Whole, _outputs, begins, ends, take
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
    assert 0 < whole.missing() <= lost
    assert all(lines[number] == text for number, text in whole.lines.items() if number < lost - 1)


def test_without_the_first_marker_nothing_is_taken() -> None:
    with pytest.raises(RowsLost):
        shown({1: "x"}, begin="another")


KEY = "abcdefgh"
WAYS = st.sampled_from(["stream", "pages", "few"])


@given(WAYS)
def test_the_typed_line_holds_the_key_once_and_never_what_is_printed(way: Way) -> None:
    commands = [Asked("dir", True), Asked("ver", False)]
    for spoken in (CMD.ask(KEY, commands, way), CMD.again(KEY, way), CMD.again(KEY, "head"), CMD.encode(KEY, way)):
        assert spoken.text.count(KEY) == 1
        for printed in (begins(KEY), ends(KEY), f"ok {KEY}", f"no {KEY}"):
            assert printed not in spoken.text


@given(st.lists(st.tuples(st.lists(TEXT, max_size=5), st.booleans(), st.booleans()), min_size=1, max_size=5))
def test_several_answers_are_told_apart(wrote: list[tuple[list[str], bool, bool]]) -> None:
    """Also where a command's last line has no end, and whatever else its lines say."""
    content, wanted = "", []
    for lines, success, ends_well in wrote:
        text = "".join(f"{line}\r\n" for line in lines)
        content += (text if ends_well else text.removesuffix("\r\n")) + f"{'ok' if success else 'no'} {KEY}\r\n"
        shown = [*lines[:-1], lines[-1]] if lines and (ends_well or lines[-1]) else lines[:-1]
        wanted.append(("".join(f"{line}\n" for line in shown), 0 if success else 1))
    outputs = _outputs(content.encode(), "utf-8", Typed(KEY, 0, 1, len(wrote), "stream"), 64 * 1024, "checksum")
    assert [(output.text, output.exit_code) for output in outputs] == wanted
    assert not any(output.partial for output in outputs)


def test_what_did_not_come_is_partial_and_has_no_exit_code() -> None:
    content = f"one\r\nok {KEY}\r\nhalf".encode()
    first, second, third = _outputs(content, "utf-8", Typed(KEY, 0, 1, 3, "stream"), 64 * 1024, "screen")
    assert (first.text, first.exit_code, first.partial) == ("one\n", 0, False)
    assert (second.text, second.exit_code, second.partial) == ("half\n", None, True)
    assert (third.text, third.exit_code, third.partial) == ("", None, True)


def test_another_exchange_s_key_ends_nothing() -> None:
    (only,) = _outputs(f"ok other234\r\nok {KEY}\r\n".encode(), "utf-8", Typed(KEY, 0, 1, 1, "stream"), 4096, "screen")
    assert only.text == "ok other234\n"


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


@settings(max_examples=8, deadline=None)
@given(
    st.lists(st.sampled_from([HOSTILE, "plain\r\n" * 40, "", "no end", "x" * 500, "ok\r\n"]), min_size=2, max_size=6),
    st.sampled_from(["2016", "2022"]),
    st.sampled_from(["calm", "real"]),
)
def test_several_questions_in_one_exchange_are_read_exactly(contents: list[str], windows: str, preset: str) -> None:
    vm = build(("healthy",), windows, 5)
    for number, content in enumerate(contents):
        vm.files.write(rf"C:\Windows\Temp\{number}.txt", content.encode("cp437"), 0.0)
    wire = VirtualLine(Line(vm, PRESETS[preset], 5, 0.0))

    async def session() -> list[Output]:
        console = SerialVenue(wire, Login(vm.user, "", vm.password), "slices", lambda _: None)
        asked = [Command("cmd", rf"type C:\Windows\Temp\{number}.txt") for number in range(len(contents))]
        answers = await console.ask([Request(command, 64 * 1024, 120.0) for command in asked])
        await console.leave()
        return [answer for answer in answers if isinstance(answer, Output)]

    answers = asyncio.run(session())
    assert [answer.proof for answer in answers] == ["checksum"] * len(contents)
    wanted = [content.replace("\r\n", "\n") for content in contents]
    assert [answer.text for answer in answers] == [
        text if text.endswith("\n") or not text else f"{text}\n" for text in wanted
    ]
    entered = [e for e in vm.journal if e["kind"] == "line" and "Temp\\0.txt" in str(e["text"])]
    assert len(entered) == 1


def test_a_number_of_lines_that_a_vm_made_up_costs_nothing() -> None:
    whole = Whole(count=999_999_999, lines={1: "x"})
    assert whole.missing() == 2
    assert whole.text() == "x\r\n"
