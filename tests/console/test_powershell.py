"""PowerShell in our channel: what comes back is what the command wrote, and nothing of ours is left behind."""

import asyncio
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from serialfix.console import channels, keyboard, shells
from serialfix.console.channels import Login
from serialfix.console.dialogue import Conversation, Send
from serialfix.console.powershell import POWERSHELL, closed
from serialfix.console.slices import Asked, begins, ends
from serialfix.engine import Request
from serialfix.errors import ConnectionLost, VmError
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs, steady
from serialfix.simulator.line import Line
from serialfix.simulator.vm import Vm
from serialfix.steps import Command, Output, Unknown
from serialfix.venues.serial import SerialVenue
from tests.virtual import VirtualLine

KEY = "abcdefgh"
PATH = r"C:\Windows\Temp\hostile.txt"
READ = Command("powershell", f"Get-Content {PATH} -Encoding UTF8")
HOSTILE = [
    "",
    "x" * 80,
    "x" * 79,
    "x" * 300,
    "ends in blanks   ",
    "\tafter a tab",
    "3:x$",
    "SAC>",
    r"C:\Windows\system32>",
    r"PS C:\Windows> ",
    "Username: ",
    "ok",
    f"b{KEY}",
    f"ok {KEY}",
    "'abcd' 'efgh'",
    "\x1b[2J\x1b]0;title\x07",
    "Gr\u00fc\u00dfe, \u65e5\u672c\u8a9e",
    "$(exit) `n %PATH% & | > ^ \"quoted\" 'single' {0}",
    "-----BEGIN CERTIFICATE-----",
    "last",
    "",
]
PLAIN = ["x" * 200, "", " leading", "3:x$", "ends in blanks  ", "SAC>", "last"]


class Talk:
    """A venue on a simulated VM, in virtual time."""

    def __init__(self, windows: str = "2022", knobs: Knobs = PRESETS["calm"], seed: int = 5) -> None:
        self.vm: Vm = build(("healthy",), windows, seed)
        self.wire = VirtualLine(Line(self.vm, steady(knobs), seed, 0.0))
        self.said: list[str] = []
        self.answers: Sequence[Output | Unknown] = ()
        self.venue = SerialVenue(self.wire, Login(self.vm.user, "", self.vm.password), "power", self.said.append)

    def ask(self, *commands: Command, timeout: float = 120.0) -> Sequence[Output | Unknown]:
        async def session() -> Sequence[Output | Unknown]:
            self.answers = await self.venue.ask([Request(command, 64 * 1024, timeout) for command in commands])
            await self.venue.leave()
            return self.answers

        return asyncio.run(session())

    def entered(self) -> list[str]:
        """The lines that shells got."""
        return [str(e["text"]) for e in self.vm.journal if e["kind"] == "line" and e["purpose"] == "command"]

    def clean(self) -> bool:
        """Whether nothing of ours is left: no channel, so no shell in it; no folder; no half-typed line."""
        made = {e["name"] for e in self.vm.journal if e["kind"] == "channel created"}
        closed_ = {e["name"] for e in self.vm.journal if e["kind"] == "channel closed"}
        folders = [
            entry.path for entry in self.vm.files.inside(r"C:\Windows") if re.fullmatch(r"[a-z2-9]{12}", entry.name)
        ]
        return made <= closed_ and not folders


def file(talk: Talk, texts: Sequence[str]) -> None:
    talk.vm.files.write(PATH, b"\xef\xbb\xbf" + "".join(f"{text}\r\n" for text in texts).encode(), 0.0)


def only(answers: Sequence[Output | Unknown]) -> Output:
    (answer,) = answers
    assert isinstance(answer, Output), answer
    return answer


# --- what is typed -----------------------------------------------------------------------------------------------


def test_the_typed_line_does_not_hold_the_markers() -> None:
    for spoken in (
        POWERSHELL.ask(KEY, [Asked("Get-Date", True)], "stream"),
        POWERSHELL.again(KEY, "few"),
        POWERSHELL.encode(KEY, "few"),
        POWERSHELL.rows(KEY, 3, 4, encoded=False),
    ):
        assert begins(KEY) not in spoken.text
        assert ends(KEY) not in spoken.text
        assert spoken.text.count(KEY) == 1


@pytest.mark.parametrize(
    "text", ["'", '"', "{", "}", "(", "x # y", "1`", "@'", "a\nb", '"$("', "'a' + '", "[", "}{", "\x1b"]
)
def test_what_leaves_something_open_is_refused(text: str) -> None:
    assert not closed(text)
    with pytest.raises(ValueError, match="left open"):
        POWERSHELL.ask(KEY, [Asked(text, True)], "stream")


@pytest.mark.parametrize("text", ["'it''s'", '"a $b `" c"', "gi 'C:\\}' | % { $_.Name[0] }", "'#'", "@{a=1}.a", "''"])
def test_what_is_closed_is_typed_as_it_stands(text: str) -> None:
    assert closed(text)
    assert text in POWERSHELL.ask(KEY, [Asked(text, False)], "stream").text


# --- reading -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["calm", "real"])
@pytest.mark.parametrize("windows", ["2016", "2019", "2022", "2025"])
@pytest.mark.parametrize("texts", [HOSTILE, PLAIN])
def test_hostile_text_is_read_exactly(windows: str, preset: str, texts: list[str]) -> None:
    talk = Talk(windows, PRESETS[preset])
    file(talk, texts)
    answer = only(talk.ask(READ))
    assert (answer.proof, answer.exit_code, answer.partial) == ("checksum", 0, False)
    assert answer.text == "".join(f"{text}\n" for text in texts)
    assert talk.clean()


@settings(max_examples=5, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\x00"), max_size=120), max_size=30
    )
)
def test_any_text_is_read_exactly(texts: list[str]) -> None:
    talk = Talk("2019")
    file(talk, [*texts, "end"])
    answer = only(talk.ask(READ))
    assert answer.proof == "checksum"
    assert answer.text == "".join(f"{text}\n" for text in [*texts, "end"])


@pytest.mark.parametrize("windows", ["2019", "2022"])
def test_a_long_answer_comes_whole(windows: str) -> None:
    talk = Talk(windows)
    texts = [f"row {number} of many" for number in range(300)]
    file(talk, texts)
    answer = only(talk.ask(READ))
    assert (answer.proof, answer.text) == ("checksum", "".join(f"{text}\n" for text in texts))


@pytest.mark.parametrize(
    ("text", "code", "shown"),
    [
        ("'a';'b'", 0, "a\nb\n"),
        ("$null", 0, ""),
        ("1+1", 0, "2\n"),
        (r"Get-Item C:\nothing", 1, "PathNotFound"),
        ("throw 'no'", 1, "OperationStopped"),
        ("xyzzy", 1, "CommandNotFoundException"),
        ("cmd /c exit 3", 1, ""),
        ("cmd /c exit 0", 0, ""),
        ("Get-Service TermService", 0, "TermService"),
    ],
)
def test_success_is_the_exit_code(text: str, code: int, shown: str) -> None:
    answer = only(Talk().ask(Command("powershell", text)))
    assert (answer.exit_code, answer.proof) == (code, "checksum")
    assert answer.text == shown if not shown or shown.endswith("\n") else shown in answer.text


def test_one_start_serves_questions_in_a_row_and_variables_of_cmd_still_stand() -> None:
    talk = Talk()
    one, two = Command("powershell", "1"), Command("powershell", "2")
    answers = talk.ask(Command("cmd", "ver"), one, two, Command("cmd", "ver"), Command("cmd", "whoami"))
    assert all(isinstance(answer, Output) and answer.proof == "checksum" for answer in answers)
    entered = talk.entered()
    assert sum("-NoProfile" in text for text in entered) == 1
    assert sum("set _r=" in text for text in entered) == 1
    assert entered.count("exit") == 2
    assert talk.clean()


def test_it_is_left_before_the_channel() -> None:
    talk = Talk()
    talk.ask(Command("powershell", "1"))
    assert talk.entered()[-2:] == ["exit", "exit"]
    assert talk.clean()
    assert talk.said[-1] == "Leaving PowerShell."


# --- a PowerShell that is not as it should be ----------------------------------------------------------------------


@pytest.mark.parametrize("windows", ["2016", "2022"])
@pytest.mark.parametrize("preset", ["calm", "real"])
def test_in_constrained_language_answers_are_read_off_the_screen(windows: str, preset: str) -> None:
    talk = Talk(windows, replace(PRESETS[preset], constrained_language=1.0))
    file(talk, ["a", "b" * 100, "\x1b[2J!", ""])
    answer = only(talk.ask(READ))
    assert (answer.proof, answer.exit_code) == ("screen", 0)
    assert answer.text == "a\n" + "b" * 100 + "\n?[2J!\n\n"
    assert any("ConstrainedLanguage" in text for text in talk.said)
    assert talk.clean()


VER = Command("cmd", "ver")


def test_one_that_cannot_be_started_is_unknown_and_cmd_goes_on() -> None:
    talk = Talk()
    talk.vm.blocked["powershell"] = 5
    first, second, third = talk.ask(VER, READ, VER)
    assert isinstance(first, Output)
    assert isinstance(second, Unknown)
    assert "ended at once" in second.reason
    assert isinstance(third, Output)
    assert talk.clean()


def test_one_that_ends_is_unknown_and_cmd_goes_on() -> None:
    talk = Talk()
    first, second, third = talk.ask(Command("powershell", "exit 3"), VER, Command("powershell", "1"))
    assert isinstance(first, Unknown)
    assert "ended" in first.reason
    assert isinstance(second, Output)
    assert isinstance(third, Output)
    assert talk.clean()


def test_a_question_that_takes_too_long_is_stopped() -> None:
    talk = Talk()
    first, second = talk.ask(Command("powershell", "Start-Sleep 1000"), Command("powershell", "1"), timeout=5.0)
    assert isinstance(first, Unknown)
    assert "Ctrl-C" in first.reason
    assert isinstance(second, Output)
    assert sum("-NoProfile" in text for text in talk.entered()) == 1


def test_one_that_hangs_is_unknown_and_cmd_goes_on() -> None:
    """Nothing is answered any more, not even Ctrl-C."""
    talk = Talk()
    deaf = talk.wire.line.send

    def send(data: bytes, now: float) -> None:
        sac = talk.wire.line.sac
        asked = any("Get-Date" in text for text in talk.entered()[-1:])
        if (
            asked
            and sac is not None
            and sac.mode == "channel"
            and sac.channels[sac.shown].name == "Cmd0001"
            and data != b"\x1b\t"
        ):
            return
        deaf(data, now)

    talk.wire.line.send = send  # type: ignore[method-assign]
    first, second = talk.ask(Command("powershell", "Get-Date;Start-Sleep 1000"), VER, timeout=5.0)
    assert isinstance(first, Unknown)
    assert isinstance(second, Output)
    assert talk.clean()


@pytest.mark.parametrize("windows", ["2016", "2022"])
@pytest.mark.parametrize("preset", ["calm", "real"])
def test_blocked_certutil_does_not_cost_the_checksum(windows: str, preset: str) -> None:
    talk = Talk(windows, replace(PRESETS[preset], certutil_blocked=1.0))
    texts = [text for text in HOSTILE if text.isascii()]
    talk.vm.files.write(PATH, "".join(f"{text}\r\n" for text in texts).encode(), 0.0)
    answers = talk.ask(Command("cmd", f"type {PATH}"), Command("cmd", "whoami"))
    for answer in answers:
        assert isinstance(answer, Output)
        assert answer.proof == "checksum"
    assert isinstance(answers[0], Output)
    assert answers[0].text == "".join(f"{text}\n" for text in texts)
    assert talk.clean()


def test_blocked_certutil_in_constrained_language_is_read_off_the_screen() -> None:
    talk = Talk("2022", replace(PRESETS["calm"], certutil_blocked=1.0, constrained_language=1.0))
    answers = talk.ask(VER, VER)
    assert [answer.proof for answer in answers if isinstance(answer, Output)] == ["screen", "screen"]


# --- what else may happen ------------------------------------------------------------------------------------------

ASKED = (VER, Command("powershell", "'a';'b'"), Command("powershell", '1..60|%{"row $_"}'), VER)
SHOWN = ("", "a\nb\n", "".join(f"row {number}\n" for number in range(1, 61)), "")
WRITE = Command(
    "powershell", r"New-ItemProperty HKLM:\SOFTWARE\Microsoft -Name Toy -Value 1 -PropertyType DWord", "write"
)
TIMES = st.floats(0.5, 60.0).map(lambda at: round(at, 2))
FAST = (Phase.explicit, Phase.reuse, Phase.generate)  # an example is a whole session: no shrinking


def closes(line: Line) -> None:
    if line.sac is not None:
        line.sac.close_all()


def locks(line: Line) -> None:
    if line.sac is not None:
        line.sac._lock("")


def breaks_in(line: Line) -> None:
    if line.sac is not None:
        line.sac.event("EVENT: The CMD command is now available.")


def restarts(line: Line) -> None:
    line.restart(line._now)


def truthful(talk: Talk, answers: Sequence[Output | Unknown]) -> None:
    """Each answer is the right one, or it is unknown; and every shell got only what was meant for it."""
    for answer, shown in zip(answers, SHOWN, strict=False):
        assert isinstance(answer, Unknown) or (answer.text == shown or not shown)
    for sent in talk.wire.sent:
        if sent.send.data == b"\r":
            assert sent.met in {"command", "SAC", "username", "domain", "password"}, sent


@settings(max_examples=12, deadline=None, phases=FAST)
@given(st.lists(st.tuples(TIMES, st.sampled_from([closes, locks, breaks_in, restarts])), min_size=1, max_size=2))
def test_what_breaks_in_at_any_moment_never_makes_it_wrong(plan: list[tuple[float, Callable[[Line], None]]]) -> None:
    talk = Talk()
    for at, what in plan:
        talk.wire.line._later(at, lambda now, what=what: what(talk.wire.line))  # type: ignore[misc]
    with suppress(VmError):
        truthful(talk, talk.ask(*ASKED))


@pytest.mark.parametrize("windows", ["2019", "2022"])
def test_a_lock_is_survived_at_every_moment(windows: str) -> None:
    """The channel asks for the password again; our PowerShell stands behind its login as we left it."""
    for at in range(4, 26, 2):
        talk = Talk(windows)
        talk.wire.line._later(float(at), lambda now, talk=talk: locks(talk.wire.line))  # type: ignore[misc]
        answers = talk.ask(*ASKED)
        assert all(isinstance(answer, Output) for answer in answers), (at, answers)
        truthful(talk, answers)
        assert talk.clean()


class Breaking(VirtualLine):
    """Loses the connection once, at the ``at``-th send. What the VM did goes on."""

    def __init__(self, line: Line, at: int) -> None:
        super().__init__(line)
        self.at = at

    async def send(self, send: Send) -> None:
        await super().send(send)
        if len(self.sent) == self.at:
            raise ConnectionLost(1011, "boom")


@settings(max_examples=25, deadline=None, phases=FAST)
@given(st.integers(1, 400), st.sampled_from(["2019", "2022"]))
def test_a_connection_lost_at_any_key_is_survived(at: int, windows: str) -> None:
    talk = Talk(windows)
    talk.wire = Breaking(talk.wire.line, at)
    talk.venue = SerialVenue(talk.wire, Login(talk.vm.user, "", talk.vm.password), "power", talk.said.append)
    try:
        talk.ask(*ASKED)
        left = ""
    except VmError as problem:
        left = problem.what
    # What is left, when the line is lost while leaving, is said.
    assert talk.clean() or "Left on the VM" in left
    assert len(talk.answers) == len(ASKED)
    assert all(isinstance(answer, Output) for answer in talk.answers)
    truthful(talk, talk.answers)


@settings(max_examples=25, deadline=None, phases=FAST)
@given(st.integers(1, 300))
def test_a_write_is_made_once_or_said_to_be_unknown(at: int) -> None:
    talk = Talk()
    talk.wire = Breaking(talk.wire.line, at)
    talk.venue = SerialVenue(talk.wire, Login(talk.vm.user, "", talk.vm.password), "power", talk.said.append)
    with suppress(VmError):  # of leaving
        (answer,) = talk.ask(WRITE)
        assert isinstance(answer, Unknown) or answer.exit_code == 0
    entered = [text for text in talk.entered() if "New-ItemProperty" in text]
    assert len(entered) == 1


@settings(max_examples=10, deadline=None, phases=FAST)
@given(st.lists(st.integers(0, 4096), max_size=300), st.sampled_from(["2016", "2022"]))
def test_any_cut_of_the_stream_gives_the_same_answers(sizes: list[int], windows: str) -> None:
    left = list(sizes)

    def recut(data: bytes) -> Sequence[bytes]:
        cuts = sorted({left.pop() % (len(data) + 1) for _ in range(min(3, len(left)))} | {0, len(data)})
        return [data[start:end] for start, end in pairwise(cuts)]

    talk = Talk(windows)
    talk.wire._rechunk = recut
    answers = talk.ask(*ASKED)
    assert all(isinstance(answer, Output) and answer.proof == "checksum" for answer in answers)
    truthful(talk, answers)


@pytest.mark.parametrize("windows", ["2016", "2019", "2022", "2025"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_on_the_worst_line(windows: str, seed: int) -> None:
    talk = Talk(windows, PRESETS["worst"], seed)
    answers = talk.ask(*ASKED)
    assert all(isinstance(answer, Output) and answer.proof == "checksum" for answer in answers)
    truthful(talk, answers)


def test_a_line_is_never_entered_otherwise_than_it_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    meant: list[str] = []
    original = keyboard.type_line

    def type_line(keys: keyboard.Keyboard, prompt: str, text: str, **more: Any) -> Conversation[None]:
        yield from original(keys, prompt, text, **more)
        meant.append(text)

    for module in (channels, shells):
        monkeypatch.setattr(module, "type_line", type_line)
    talk = Talk("2022", PRESETS["real"])
    talk.ask(*ASKED)
    got = [str(e["text"]) for e in talk.vm.journal if e["kind"] == "line" and e["purpose"] != "password" and e["text"]]
    assert got == meant
