"""A VM may send anything: nothing of it acts on the engineer's terminal, and it costs no more than its bytes."""

import contextlib
import io
import json
import re
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from rich.console import Console

from benchmarks import consoles, flood
from serialfix import cli, events
from serialfix.console.screen import Screen
from serialfix.errors import VmError
from serialfix.session import Result
from serialfix.steps import Finding
from serialfix.transcript import Record, Transcript
from serialfix.tui.ask import Terminal, ask_login
from serialfix.tui.plain import PlainFace
from serialfix.tui.player import play
from tests.test_events import KINDS, made
from tests.tui.test_safe import BIDI, CONTROLS, INVISIBLE, harmless, hostile

ATTACKS = st.sampled_from(
    ["\x1b]52;c;cm0gLXJmIC8=\x07", "\x9d52;c;cm0=\x9c", "\x1b]0;title\x07", "\x1bP$qm\x1b\\", "\x1b_apc\x1b\\",
     "\x1b^pm\x1b\\", "\x1b]8;;http://example.invalid/\x07link\x1b]8;;\x07", "\x1b[6n", "\x9b6n", "\x1b[2J",
     "\x1b[?1049h", "\x1bc", "\x1b[31m", "\u202eexe.txt", "\u200b", "👩\u200d💻", "🇩🇪", "Z" + "\u0321" * 40,
     "a\rb\x08\x7f"]
)  # fmt: skip
TEXT = st.lists(ATTACKS | hostile, max_size=4).map("".join)
# Rich's own: colours and weight; with Live also the cursor.
SGR = re.compile(r"\x1b\[[0-9;]*m")
LIVE = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[1A|\x1b\[2K|\r")


def acts(written: str, own: re.Pattern[str] = SGR) -> bool:
    """Whether anything in it but ``own`` could act on a terminal or hide in it."""
    return not harmless(own.sub("", written).replace("\n", ""))


def terminal() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    console = Console(
        file=stream, width=100, height=40, force_terminal=True, color_system="truecolor", legacy_windows=False
    )
    return console, stream


@settings(max_examples=200)
@given(st.one_of([made(kind, TEXT) for kind in KINDS]))
def test_an_event_on_a_terminal(event: events.AnyEvent) -> None:
    console, stream = terminal()
    face = PlainFace(console)
    face.show(event)
    assert not acts(stream.getvalue())


def test_the_check_itself_sees_what_acts() -> None:
    assert not acts("\x1b[1;31mred\x1b[0m\n")
    for each in ("\x1b[2J", "\x1b]0;x", "\x07", "\x9b1m", "\u202e", "\u200b", "\r", "\x1b[1A"):
        assert acts(each), each
    assert not acts("\r\x1b[2K\x1b[1A\x1b[?25l", LIVE)


@settings(max_examples=60)
@given(st.lists(TEXT, max_size=3), TEXT, TEXT)
def test_a_recording_that_is_played_on_a_terminal(outputs: list[str], title: str, marker: str) -> None:
    records = [Record(0, "o", text) for text in outputs] + [Record(0, "m", marker), Record(0, "o", "x")]
    recording = Transcript("a.cast", {"version": 3, "title": title}, tuple(records), "")
    console, stream = terminal()
    play(recording, console, speed=1000, idle_limit=0.0)
    assert not acts(stream.getvalue(), LIVE)


@given(TEXT, TEXT, TEXT)
def test_an_error(what: str, why: str, advice: str) -> None:
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        cli.print_error(VmError(what, why=why, advice=advice))
    assert not acts(stderr.getvalue())


@pytest.mark.parametrize("text", [CONTROLS, BIDI, "\x1b]52;c;cm0=\x07\x9b2J"])
def test_a_bug_that_quotes_a_vm(text: str) -> None:
    @click.group(cls=cli.Group, invoke_without_command=True)
    def broken() -> None:
        raise LookupError(text)

    with contextlib.redirect_stderr(io.StringIO()) as stderr, pytest.raises(SystemExit) as ended:
        broken.main([])
    assert ended.value.code == 70
    assert "LookupError" in stderr.getvalue()
    assert not acts(stderr.getvalue())


def result(text: str) -> Result:
    finding = Finding("tls", "fault", text, (text,), text)
    return Result("fixed", 0, "outside", "not tested", "p", (finding,), (), text, 1.0, VmError(text), text)


@given(TEXT)
def test_the_goodbye(text: str) -> None:
    console, stream = terminal()
    cli._say_goodbye(console, result(text))
    assert not acts(stream.getvalue())


@given(TEXT.filter(lambda text: not re.search("[\ud800-\udfff]", text)))
def test_a_json_document_is_the_same_and_harmless(text: str) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as stdout:
        cli._print_json(result(text).as_json())
    document = stdout.getvalue()
    assert harmless(document.removesuffix("\n"))
    assert json.loads(document)["findings"][0]["evidence"] == [text]


NETSTAT = "  TCP    0.0.0.0:3389{0}    0.0.0.0:0    LISTENING    9{0}\r\n"
PASTES = {
    "netstat": NETSTAT,
    "tasklist": "svc{0}.exe    1012 Services    0    12,345 K\r\n",
    "reg": "HKEY_LOCAL_MACHINE\\SYSTEM\\{0}\r\n    Port{0}    REG_SZ    {0}\r\n",
    "sc": "SERVICE_NAME: Term{0}\r\n        STATE              : 4  RUNNING\r\n",
    "icacls": "C:\\key{0} NT AUTHORITY\\{0}:(F)\r\n",
    "certificates": "================ Certificate 0 ================\r\nSubject: CN={0}\r\n",
}


@pytest.mark.parametrize("kind", PASTES)
@settings(max_examples=25, deadline=None)
@given(TEXT, st.sampled_from(["text", "json"]))
def test_a_pasted_output(kind: str, text: str, output: str) -> None:
    pasted = PASTES[kind].format(text).encode("utf-8", "replace")
    ran = CliRunner().invoke(cli.main, ["parse", kind, "--output", output], input=pasted)
    assert ran.exit_code in (0, 2)
    assert not acts(ran.stdout)
    assert not acts(ran.stderr)


@pytest.mark.parametrize(
    "text", ["\x1b]52;c;cm0=\x07", "\x9b2J\x85", BIDI, INVISIBLE], ids=["OSC", "C1", "bidi", "hidden"]
)
async def test_questions_to_a_person(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    console, stream = terminal()
    face = PlainFace(console)
    person = Terminal(lambda: text, face.tell)
    with create_pipe_input() as pipe, create_app_session(input=pipe):
        pipe.send_text("2\rsecret\r")
        assert await person.choose(text, (text, "b"), text) == ("b", "engineer")
        assert await ask_login(text, text) is not None
    shown = capsys.readouterr()
    assert not acts(stream.getvalue())
    # Not a terminal, but the toolkit writes some sequences of its own all the same.
    hidden = {each for each in text if not harmless(each)} - {"\x1b"}
    assert hidden
    assert not hidden & set(shown.out + shown.err)
    assert text not in shown.out + shown.err


# -- it costs no more than its bytes ----------------------------------------------------------------------------------


def spent(kind: str, size: int, folder: Path) -> float:
    console = consoles.Console(folder / f"{time.monotonic_ns()}.cast")
    pieces = list(flood.messages(kind, size))
    began = time.process_time()
    for number, data in enumerate(pieces):
        console.receive(data, float(number))
    cpu = time.process_time() - began
    console.close()
    return cpu


@pytest.mark.parametrize("kind", flood.FLOODS)
def test_work_for_a_byte_does_not_grow(kind: str, tmp_path: Path) -> None:
    """Four times as much costs four times as much, as far as a busy machine lets one see: quadratic would be 16."""
    size = 60_000 if kind in flood.DEAR else 500_000
    spent(kind, size // 4, tmp_path)
    for _ in range(3):
        if spent(kind, 4 * size, tmp_path) < 9 * spent(kind, size, tmp_path):
            return
    pytest.fail("four times the bytes took more than nine times as long, three times over")


@pytest.mark.parametrize("kind", flood.FLOODS)
def test_memory_does_not_grow(kind: str, tmp_path: Path) -> None:
    console = consoles.Console(tmp_path / "a.cast")
    part = 10 if kind in flood.DEAR else 1
    for data in flood.messages(kind, 500_000 // part):  # as much as is ever remembered
        console.receive(data, 0.0)
    tracemalloc.start()
    try:
        for data in flood.messages(kind, 500_000 // part):
            console.receive(data, 0.0)
        grown, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        console.close()
    assert grown < 400_000
    assert peak < 2_000_000


@pytest.mark.skipif(sys.platform == "win32", reason="no module resource")
@pytest.mark.parametrize("again", [b"\n", b"\x1b[9S", b"x\x1b[65535b"], ids=["line feeds", "scrolls", "repetitions"])
def test_one_large_message_takes_no_more_than_small_ones(again: bytes) -> None:
    """The emulator's rows are large, and would come all at once: 200,000 of them took 400 MB."""
    import resource

    def most() -> float:
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return used / 1e6 if sys.platform == "darwin" else used / 1e3

    screen = Screen()
    before = most()
    screen.feed(again * (200_000 // len(again)))
    assert most() - before < 100


def test_the_flood_benchmark_says_when_something_is_quadratic(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = ["--kind", "a never-ending OSC", "--megabytes", "0.03", "0.3"]
    monkeypatch.setattr(flood, "WORST_FALL", 4.0)  # so little is measured badly
    assert flood.main(wanted) == 0
    receive: Any = consoles.Console.receive
    seen: dict[consoles.Console, bytes] = {}

    def all_of_it_again(console: consoles.Console, data: bytes, now: float) -> None:
        seen[console] = seen.get(console, b"") + data
        receive(console, seen[console], now)

    monkeypatch.setattr(consoles.Console, "receive", all_of_it_again)
    assert flood.main(wanted) == 1
    assert "TOO MUCH" in capsys.readouterr().out
