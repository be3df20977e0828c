"""One command in cmd: framed, entered, and its output cut out of the screen, line for line or not at all."""

import contextlib
import re
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.channels import QUIET
from serialfix.console.dialogue import Conversation, Send
from serialfix.console.keyboard import BACKSPACE, CTRL_C, ENTER, Keyboard
from serialfix.console.markers import Markers
from serialfix.console.screen import COLUMNS, Row, Screen
from serialfix.console.shells import (
    Frame,
    NoAnswer,
    ShellLost,
    come_back,
    cut,
    enter,
    frame,
    interrupt,
    set_prompt,
    submit,
    type_at,
    type_command,
)
from serialfix.simulator.faults import build
from serialfix.steps import Output
from tests.console.pump import Editor, Pump
from tests.simulator.world import ask

BEGIN, END = "abcdefgh", "jkmnpqrs"
PRINTABLE = st.characters(codec="ascii", exclude_categories=["Cc"])
PROMPT = "wxyzab>"


# --- the frame ---------------------------------------------------------------------------------------------------


@given(st.text(PRINTABLE, max_size=60))
def test_what_is_typed_never_holds_what_is_printed(command: str) -> None:
    if command.count('"') % 2:
        with pytest.raises(ValueError, match="unbalanced"):
            frame(command, begin=BEGIN, end=END)
        return
    framed = frame(command, begin=BEGIN, end=END)
    assert (framed.begin, framed.end) == (BEGIN, END)
    assert command in framed.line
    if BEGIN not in command and END not in command:
        assert BEGIN not in framed.line
        assert END not in framed.line


@pytest.mark.parametrize(
    ("command", "code"),
    [("echo one", 0), ("ver", 0), ("reg query HKLM\\nothing", 1), ("sc queryex nothing", 1), ("xyzzy", 1)],
)
def test_a_real_interpreter_prints_markers_numbers_and_the_code(command: str, code: int) -> None:
    """The simulator's cmd, which shares no code with the client."""
    vm = build([], "2022", 1)
    plain = ask(vm, f"({command}) 2>&1").split("\n")
    shown = ask(vm, frame(command, begin=BEGIN, end=END).line).removesuffix("\n").split("\n")
    assert shown[0] == f"1:{BEGIN}"
    assert shown[-1] == f"{len(shown)}:{END} {code}"
    lines = [re.sub(r"\A\d+:", "", line) for line in shown[1:-1]]
    assert "\n".join(lines).rstrip() == "\n".join(plain).rstrip()


# --- cutting -----------------------------------------------------------------------------------------------------


def numbered(lines: Iterable[str], framed: Frame, code: int) -> list[str]:
    whole = [framed.begin, *lines, f"{framed.end} {code}"]
    return [f"{number}:{line}" for number, line in enumerate(whole, start=1)]


def wrapped(line: str) -> list[str]:
    return [line[start : start + COLUMNS] for start in range(0, max(len(line), 1), COLUMNS)]


def painted(line: str, *, hard: bool) -> str:
    """A line as a console sends it: broken at column 80 by CR LF, or left to the terminal."""
    return "\r\n".join(wrapped(line)) if hard else line


def shown(lines: list[str], *, code: int = 0, hard: bool = False, above: int = 0) -> tuple[Screen, int, Frame]:
    """A screen with a typed command and its answer; the row where the command was typed."""
    framed, screen = frame("dir", begin=BEGIN, end=END), Screen()
    screen.feed((f"1:{BEGIN}\r\n2:stale\r\n3:{END} 0\r\n" + "\r\n" * above).encode())
    first = screen.cursor[0]
    rows = [PROMPT + framed.line, *numbered(lines, framed, code), PROMPT]
    screen.feed("\r\n".join(painted(row, hard=hard) for row in rows).encode())
    return screen, first, framed


LINES = st.lists(
    st.text(PRINTABLE, max_size=200)
    | st.text("a ", max_size=170)
    | st.builds(lambda pad, text: "x" * pad + text, st.integers(60, 84), st.text("ab 1:", max_size=12))
    | st.sampled_from(
        ["", " ", "1:", "2:", "7:", "3:x", PROMPT, "SAC>", "C:\\>", "Username: ", f"echo {BEGIN[:4]}^{BEGIN[4:]}",
         "x" * 78,
         "x" * 77 + " ", "x" * 76 + "  y", "x" * 79, "x" * 158, "x" * 78 + "4:", "x" * 78 + "3:3:3:"]
    ),
    max_size=40,
)  # fmt: skip


def ambiguous(lines: list[str]) -> bool:
    """Whether a row that goes on with a line begins with its number, or with the next line's."""
    return any(
        row.startswith((f"{number}:", f"{number + 1}:"))
        for number, line in enumerate(lines, start=2)
        for row in wrapped(f"{number}:{line}")[1:]
    )


@settings(max_examples=300, deadline=None)
@given(LINES, st.sampled_from([0, 1]), st.booleans(), st.integers(0, 30))
def test_cut_gives_back_exactly_the_lines(lines: list[str], code: int, hard: bool, above: int) -> None:
    screen, first, framed = shown(lines, code=code, hard=hard, above=above)
    try:
        output = cut(screen.since(first), framed, 1 << 20)
    except NoAnswer:
        assert ambiguous(lines)
        return
    assert output == Output("".join(line.rstrip() + "\n" for line in lines), code, "screen")


@settings(max_examples=200, deadline=None)
@given(LINES.filter(lambda lines: not ambiguous(lines)), st.booleans(), st.data())
def test_a_lost_line_is_no_answer(lines: list[str], hard: bool, data: st.DataObject) -> None:
    """A row that begins a line is lost, one or some of them; what is left never reads as a whole answer.

    A row that goes on with a line can't be missed here: that needs the checksum of slices.py.
    """
    screen, first, framed = shown(lines, hard=hard)
    rows = list(screen.since(first))
    at, starts = len(wrapped(PROMPT + framed.line)), list[int]()
    for line in numbered(lines, framed, 0):
        starts.append(at)
        at += len(wrapped(line))
    lost = data.draw(st.sets(st.sampled_from(starts), min_size=1, max_size=3))
    with pytest.raises(NoAnswer):
        cut([row for index, row in enumerate(rows) if index not in lost], framed, 1 << 20)


@pytest.mark.parametrize("lines", [["one"] * 100])
def test_what_scrolled_out_of_memory_is_no_answer(lines: list[str]) -> None:
    screen, _, framed = shown(lines)
    rows = list(screen.since(0))[-50:]
    with pytest.raises(NoAnswer, match="scrolled off"):
        cut(rows, framed, 1 << 20)


def test_stale_answers_do_not_pass() -> None:
    """The screen of an earlier run of the same program holds other markers; and nothing at all is no answer."""
    screen, _, framed = shown(["old"])
    other = Frame(framed.line, "bcdefghj", "kmnpqrst")
    with pytest.raises(NoAnswer):
        cut(screen.since(0), other, 1 << 20)
    with pytest.raises(NoAnswer):
        cut([], framed, 1 << 20)
    echo_only = [Row(0, PROMPT + framed.line)]
    with pytest.raises(NoAnswer):
        cut(echo_only, framed, 1 << 20)


@given(st.lists(st.text("aé€", max_size=20), max_size=20), st.integers(0, 200))
def test_what_is_longer_than_wanted_is_marked(lines: list[str], most: int) -> None:
    screen, first, framed = shown(lines)
    output = cut(screen.since(first), framed, most)
    whole = "".join(line + "\n" for line in lines)
    assert output.partial == (len(whole.encode()) > most)
    assert whole.startswith(output.text)
    assert most - 4 < len(output.text.encode()) <= most or not output.partial


# --- a model of cmd ----------------------------------------------------------------------------------------------

FRAMED = re.compile(r'\(echo (\w+)\^(\w+)&(.*) 2>&1&&echo (\w+)\^(\w+) 0\|\|echo \4\^\5 1\)\|findstr /n "\^"')


def model(
    run: Callable[[str], tuple[list[str], int]], *, seconds: float = 0.01, prompt: str = "C:\\>", hard: bool = False
) -> Editor:
    """A cmd of our own: it knows ``prompt`` and framed commands, each of its lines taking some time."""

    def answer(line: str, editor: Editor) -> Iterable[tuple[float, str]]:
        if found := re.fullmatch(r"prompt (\w+)\$g", line):
            editor.prompt = found[1] + ">"
        elif found := FRAMED.fullmatch(line):
            lines, code = run(found[3].lower())
            whole = [found[1] + found[2], *lines, f"{found[4]}{found[5]} {code}"]
            for number, text in enumerate(whole, start=1):
                yield number * seconds, painted(f"{number}:{text}", hard=hard) + "\r\n"
        elif line:
            yield seconds, f"'{line}' is not recognized\r\n"

    return Editor(prompt, answer=answer)


def says(*lines: str, code: int = 0) -> Callable[[str], tuple[list[str], int]]:
    return lambda command: (list(lines), code)


def asked(
    pump: Pump, command: str = "dir", *, most: int = 64 * 1024, timeout: float = 30.0, exact: bool = True
) -> Output:
    """Set the prompt, type a command and read its answer, as a venue does."""

    def talk() -> Conversation[Output]:
        keyboard, markers = Keyboard(), Markers("seed")
        prompt = yield from set_prompt(keyboard, markers)
        framed, row = yield from type_command(keyboard, markers, prompt, command, exact=exact)
        return (yield from enter(prompt, framed, row, most=most, timeout=timeout))

    return pump.run(talk())


@settings(max_examples=40, deadline=None)
@given(
    LINES.filter(lambda lines: not ambiguous(lines)),
    st.sampled_from([0, 1]),
    st.booleans(),
    st.sampled_from([0.0, 0.01, 0.2]),
)
def test_an_answer_is_what_the_command_said(lines: list[str], code: int, hard: bool, seconds: float) -> None:
    output = asked(Pump(model(says(*lines, code=code), seconds=seconds, hard=hard)))
    assert output == Output("".join(line.rstrip() + "\n" for line in lines), code, "screen")


@pytest.mark.parametrize("exact", [True, False])
def test_the_command_arrives_as_written_or_with_its_case_varied(exact: bool) -> None:
    editor = model(says())
    asked(Pump(editor), "reg query HKLM\\aabb", exact=exact)
    typed = editor.entered[-1]
    assert ("&reg query HKLM\\aabb 2>&1" in typed) == exact
    assert "&reg query hklm\\aabb 2>&1" in typed.lower()


def test_the_prompt_is_random_and_not_the_one_before() -> None:
    editor = model(says())
    pump = Pump(editor)
    first = pump.run(set_prompt(Keyboard(), Markers("a")))
    assert re.fullmatch(r"[a-z2-9]{6}>", first)
    assert pump.screen.line_to_cursor() == first == editor.prompt
    other = Pump(model(says()))
    assert other.run(set_prompt(Keyboard(), Markers("b"))) != first


def test_only_empty_lines_and_prompt_are_entered_to_set_the_prompt() -> None:
    editor = model(says())
    Pump(editor).run(set_prompt(Keyboard(), Markers("a")))
    assert all(line == "" or re.fullmatch(r"prompt \w{6}\$g", line) for line in editor.entered)


@pytest.mark.parametrize("prompt", ["Username: ", "SAC>", "!SAC>"])
def test_another_prompt_is_a_lost_shell_and_gets_nothing(prompt: str) -> None:
    pump = Pump(Editor(prompt))
    with pytest.raises(ShellLost):
        pump.run(set_prompt(Keyboard(), Markers("a")))
    assert pump.sent == []


@pytest.mark.parametrize("text", ["", "starting...", "PS C:\\> ", "Password: "])
def test_no_prompt_at_all_is_a_lost_shell(text: str) -> None:
    pump = Pump(Editor(text))
    with pytest.raises(ShellLost):
        pump.run(set_prompt(Keyboard(), Markers("a")))
    assert pump.sent == []


def hanging(after: Iterable[tuple[float, str]]) -> Editor:
    """A cmd whose framed command never ends; ``after`` is what it says meanwhile."""

    def answer(line: str, editor: Editor) -> Iterable[tuple[float, str]]:
        if found := re.fullmatch(r"prompt (\w+)\$g", line):
            editor.prompt = found[1] + ">"
        elif FRAMED.fullmatch(line):
            editor.reading = False
            yield from after

    return Editor("C:\\>", answer=answer)


def test_a_command_that_hangs_is_stopped_with_ctrl_c() -> None:
    pump = Pump(hanging([]))
    with pytest.raises(NoAnswer, match="no answer within 5 s"):
        asked(pump, timeout=5.0)
    assert pump.sent[-1][1].data == CTRL_C
    assert pump.screen.line_to_cursor() == pump.device.prompt  # type: ignore[attr-defined]


def test_a_flood_is_stopped_with_ctrl_c() -> None:
    pump = Pump(hanging([(0.001 * number, "y\r\n") for number in range(50_000)]))
    with pytest.raises(NoAnswer, match="far longer than the 1000 bytes"):
        asked(pump, most=1000, timeout=600.0)
    assert pump.sent[-1][1].data == CTRL_C
    assert pump.now < 30
    assert pump.screen.line_to_cursor() == pump.device.prompt  # type: ignore[attr-defined]


def test_a_long_answer_within_the_limit_is_no_flood() -> None:
    lines = [f"row {number}" for number in range(1500)]
    assert asked(Pump(model(says(*lines), seconds=0.001))).text.splitlines() == lines


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("\x1b[2J\x1b[1;1HPlease enter login credentials.\r\nUsername: ", "username"),
        ("\x1b[2J\x1b[9;1HSAC>", "sac"),
        ("\r\n!SAC>", "stripped sac"),
        (
            "\r\nName:                  SAC\r\nDescription: x\r\n\r\nUse any other key to view this channel.\r\n",
            "preview",
        ),
    ],
)
def test_a_shell_that_goes_away_is_lost_and_gets_no_more_keys(text: str, found: str) -> None:
    pump = Pump(hanging([(0.5, text)]))
    with pytest.raises(ShellLost) as lost:
        asked(pump)
    assert lost.value.found == found
    assert pump.sent[-1][1].data == ENTER
    assert pump.now < 30


@pytest.mark.parametrize("text", ["SAC>", "Username: ", "!SAC>"])
@pytest.mark.parametrize("pause", [0.3, QUIET])
def test_output_that_looks_like_another_prompt_for_a_while_is_output(text: str, pause: float) -> None:
    """At column 1 of a row that goes on with a line, and the next output a while away."""

    def answer(line: str, editor: Editor) -> Iterable[tuple[float, str]]:
        if found := re.fullmatch(r"prompt (\w+)\$g", line):
            editor.prompt = found[1] + ">"
        elif found := FRAMED.fullmatch(line):
            yield 0.1, f"1:{found[1]}{found[2]}\r\n2:{'x' * 78}{text}"
            yield 0.1 + pause, f"more\r\n3:{found[4]}{found[5]} 0\r\n"

    assert asked(Pump(Editor("C:\\>", answer=answer))).text == f"{'x' * 78}{text}more\n"


def test_interrupt_proves_the_prompt() -> None:
    pump = Pump(Editor("C:\\>"))
    pump.drain(1.0)
    pump.run(interrupt("C:\\>"))
    assert [send.data for _, send in pump.sent] == [CTRL_C]
    with pytest.raises(ShellLost):
        pump.run(interrupt("other>"))


@pytest.mark.parametrize("found", ["abcdef>", "ghjkmn>"])
def test_coming_back_says_which_of_our_prompts_stands_there(found: str) -> None:
    pump = Pump(Editor(found))
    assert pump.run(come_back("abcdef>", "ghjkmn>")) == found
    assert pump.sent == []


def test_coming_back_stops_what_was_left_half_typed() -> None:
    pump = Pump(Editor("ghjkmn>"))
    pump.drain(1.0)
    pump.device.keys(b"half a line", pump.now)
    pump.drain(1.0)
    assert pump.run(come_back("abcdef>", "ghjkmn>")) == "ghjkmn>"
    assert [send.data for _, send in pump.sent] == [CTRL_C]


@pytest.mark.parametrize("left", ["h", "half a line", "x" * 200])
def test_what_was_left_half_typed_and_is_drawn_late_is_not_entered(left: str) -> None:
    """The prompt stands alone for a moment; what is typed then is not read back where it should stand."""
    editor = Editor("ghjkmn>")
    pump = Pump(editor)
    pump.drain(1.0)
    pump.device.keys(left.encode(), pump.now)

    def talk() -> Conversation[None]:
        assert (yield from come_back("abcdef>", "ghjkmn>")) == "ghjkmn>"
        yield from type_at(Keyboard(), "ghjkmn>", "echo bookkeeper")
        yield Send(ENTER)

    with contextlib.suppress(ShellLost):  # what stands there is no prompt of ours: another way is found
        pump.run(talk())
    pump.drain()
    assert editor.entered in ([], ["echo bookkeeper"])


@pytest.mark.parametrize("text", ["Username: ", "SAC>", "PS C:\\Windows> ", "C:\\Windows>"])
def test_coming_back_to_something_else_presses_no_key(text: str) -> None:
    pump = Pump(Editor(text))
    assert pump.run(come_back("abcdef>", "ghjkmn>")) == ""
    assert pump.sent == []


def test_a_shell_that_ended_leaves_the_one_it_was_started_from() -> None:
    pump = Pump(hanging([(0.5, "bcdefg>")]))

    def talk() -> Conversation[str]:
        prompt = yield from set_prompt(Keyboard(), Markers("seed"))
        framed, row = yield from type_command(Keyboard(), Markers("other"), prompt, "dir", exact=True)
        return (yield from submit(prompt, framed.end, row, lambda rows: "", most=99, timeout=30.0, home="bcdefg>"))

    with pytest.raises(ShellLost) as lost:
        pump.run(talk())
    assert lost.value.found == "cmd"
    assert pump.now < 10


# --- through more ------------------------------------------------------------------------------------------------

PAGED = "mnpqrs"  # printed behind the last page


class More:
    """Windows' ``more``, and a cmd behind it: a page, its prompt at the last row, a key, and the next page over it.

    It knows nothing of the client: each key turns one page, ``q`` ends it. ``size``: rows of a page; ``repeat``: rows
    that the screen shows again when a page is turned (a sampled screen that scrolled shows the end of the page before
    above the new one). ``word``: what it waits with.
    """

    def __init__(self, lines: Sequence[str], size: int, *, word: str = "-- More  --", repeat: int = 0) -> None:
        self.rows = [row for line in lines for row in wrapped(line)]
        self.keys_read: list[bytes] = []
        self._size, self._word, self._repeat = size, word, repeat
        self._at = 0
        self._started = self.ended = False
        self._out: list[tuple[float, bytes]] = [(0.0, PROMPT.encode())]

    def keys(self, data: bytes, now: float) -> None:
        for byte in data:
            key = bytes([byte])
            if not self._started:
                assert key == ENTER
                self._started = True
                self._show(now + 0.1)
            elif self.ended:
                raise AssertionError(f"{key!r} reached the prompt")
            else:
                self.keys_read.append(key)
                if key == b"q":
                    self._at = len(self.rows)
                self._show(now + 0.1)

    def _show(self, at: float) -> None:
        rows = self.rows[max(0, self._at - self._repeat) : self._at + self._size]
        self._at = min(len(self.rows), self._at + self._size) if self.keys_read[-1:] != [b"q"] else len(self.rows)
        if self.keys_read[-1:] == [b"q"]:
            rows = []
        self.ended = self._at >= len(self.rows)
        last = f"{PAGED}\r\n{PROMPT}" if self.ended else self._word
        text = "\x1b[2J\x1b[H" + "".join(f"\x1b[{number};1H{row}" for number, row in enumerate(rows, start=1))
        self._out.append((at, f"{text}\x1b[{len(rows) + 1};1H{last}".encode()))

    def due(self) -> float | None:
        return self._out[0][0] if self._out else None

    def output(self, now: float) -> bytes:
        data = b""
        while self._out and self._out[0][0] <= now:
            data += self._out.pop(0)[1]
        return data


def paged(more: More, *, most: int = 64 * 1024, timeout: float = 30.0) -> list[str]:
    """What stands between the first row and the last marker, as a reader gets it."""

    def read(rows: Iterable[Row]) -> list[str]:
        texts = [row.text for row in rows]
        return texts[: texts.index(PAGED)]

    pump = Pump(more)
    pump.drain(1.0)
    return pump.run(submit(PROMPT, PAGED, 0, read, most=most, timeout=timeout, cleared=True, paged=True))


NUMBERED = st.lists(
    st.text(PRINTABLE, min_size=1, max_size=170) | st.sampled_from(["x", "x" * 80, "x" * 160, "7:x", "-- More  --x"]),
    min_size=1,
    max_size=70,
).map(lambda lines: [f"{number}:{line}$" for number, line in enumerate(lines, start=1)])


@settings(max_examples=150, deadline=None)
@given(NUMBERED, st.integers(1, 22), st.integers(0, 3))
def test_pages_are_turned_one_by_one_and_put_together(lines: list[str], size: int, repeat: int) -> None:
    """Numbered lines, long ones wrapped anywhere, pages of any size, and some rows of the page before shown again."""
    more = More(lines, size, repeat=min(repeat, 22 - size))
    rows = [row.rstrip() for row in more.rows]
    assert paged(more, most=1 << 20) == rows
    assert more.keys_read == [b" "] * ((len(more.rows) - 1) // size)


@pytest.mark.parametrize(
    "word", ["-- More  --", "-- More --", "-- Fortsetzung --", "-- Suite  --", "-- Más  --", "-- 続き --"]
)
def test_a_pager_is_known_in_every_language(word: str) -> None:
    more = More([f"{number}:line$" for number in range(1, 60)], 20, word=word)
    assert len(paged(more)) == 59
    assert more.keys_read == [b" ", b" "]


def test_a_flood_is_quit_after_enough_pages() -> None:
    more = More([f"{number}:{'y' * 60}$" for number in range(1, 100_000)], 20)
    shown = paged(more, most=8 * 1024)
    assert more.keys_read[-1] == b"q"
    assert set(more.keys_read[:-1]) == {b" "}
    assert 8 * 1024 < sum(len(row) for row in shown) < 4 * 8 * 1024
    assert len(more.keys_read) < 20


def test_what_only_looks_like_a_pager_gets_one_blank_and_no_more() -> None:
    """Output that ends a while in such a text: the blank waits, stands at the prompt then, and is taken back."""

    def answer(line: str, editor: Editor) -> Iterable[tuple[float, str]]:
        yield 0.1, "\x1b[2J\x1b[H1:one$\r\n-- More --"
        yield 2.0, "\r\n2:two$\r\n"
        yield 3.0, f"{PAGED}\r\n"

    editor = Editor(PROMPT, answer=answer)
    pump = Pump(editor)
    pump.drain(1.0)

    def read(rows: Iterable[Row]) -> list[str]:
        return [row.text for row in rows]

    rows = pump.run(submit(PROMPT, PAGED, 0, read, most=4096, timeout=30.0, cleared=True, paged=True))
    assert [row for row in rows if row.endswith("$")] == ["1:one$", "2:two$"]
    assert [send.data for _, send in pump.sent] == [ENTER, b" ", BACKSPACE]
    assert (editor.entered, editor.line) == ([""], "")
    assert pump.screen.line_to_cursor() == PROMPT


def test_where_nothing_is_paged_such_a_text_gets_no_key() -> None:
    editor = Editor(PROMPT, answer=lambda line, editor: [(0.1, "-- More --"), (2.0, f"\r\n{PAGED}\r\n")])
    pump = Pump(editor)
    pump.drain(1.0)
    pump.run(submit(PROMPT, PAGED, 0, lambda rows: "", most=4096, timeout=30.0))
    assert [send.data for _, send in pump.sent] == [ENTER]
