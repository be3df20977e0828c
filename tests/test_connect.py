"""The console by hand, as a program: in a terminal and in a pipe, on simulated VMs and on programs with a console."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import avt
import pytest

from serialfix import events
from serialfix.connect import asks_first
from serialfix.errors import AzureError, ConnectionLost, SerialfixError
from serialfix.simulator.faults import build
from serialfix.transcript import Transcript, read
from tests.console_program import SEED, WINDOWS
from tests.programs import CALM, PROGRAM, Ended, environment, simulator

if sys.platform == "win32":
    pytest.skip("pexpect needs a POSIX terminal", allow_module_level=True)

import termios

import pexpect

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
VM = build([], WINDOWS, SEED)
ROWS, COLUMNS = 30, 100
TIMEOUT = 40.0
MENU = "\x1d"

OURS = re.compile(r"\x1b\[(?:\?(?:25|1049|2004)[hl]|2J|H|\d+;\d+H|0?(?:;?\d+)*m|K)")
"""The sequences that are ours to write."""


def ours(folder: Path) -> dict[str, str]:
    return environment(folder, PYTHONPATH=os.fspath(ROOT), COLUMNS=str(COLUMNS))


class Person:
    """Somebody at a terminal, who sees what stands there."""

    def __init__(self, folder: Path, *arguments: str, to: str = "") -> None:
        self.folder = folder
        command = [*PROGRAM, "connect", *arguments]
        if to:
            command = ["/bin/sh", "-c", f'exec "$@" > {to}', "sh", *command]
        self.terminal: pexpect.spawn[bytes] = pexpect.spawn(
            command[0],
            command[1:],
            cwd=os.fspath(folder),
            env=ours(folder),
            dimensions=(ROWS, COLUMNS),
            timeout=TIMEOUT,
        )
        self.modes = termios.tcgetattr(self.terminal.child_fd)
        self.terminal.delaybeforesend = None
        self.raw = ""
        self.picture = avt.Vt(COLUMNS, ROWS)

    @property
    def screen(self) -> str:
        return "\n".join(line.text.rstrip() for line in self.picture.view())

    def sees(self, pattern: str) -> str:
        """Wait until ``pattern`` stands on the screen, in whatever lines."""
        until = time.monotonic() + TIMEOUT
        while not re.search(pattern, self.screen) and not re.search(pattern, " ".join(self.screen.split())):
            assert time.monotonic() < until, f"{pattern!r} is not seen:\n{self.screen}"
            self._take(0.1)
        return self.screen

    def types(self, text: str) -> None:
        self.terminal.send(text.encode())

    def does(self, text: str, pattern: str) -> str:
        self.types(text)
        return self.sees(pattern)

    def ends(self) -> int:
        """Wait for the end; the exit status."""
        until = time.monotonic() + TIMEOUT
        while self._take(0.1):
            assert time.monotonic() < until, self.screen
        self.modes_after = termios.tcgetattr(self.terminal.child_fd)
        self.terminal.close()
        status = self.terminal.exitstatus
        return status if status is not None else -(self.terminal.signalstatus or 0)

    def _take(self, seconds: float) -> bool:
        try:
            text = self.terminal.read_nonblocking(65536, seconds).decode("utf-8", "replace")
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += text
        self.picture.feed_str(text)
        return True

    @property
    def transcript(self) -> Transcript:
        (path,) = (self.folder / "state" / "transcripts").glob("*.cast")
        return read(path)

    @property
    def record(self) -> str:
        return Path(self.transcript.path).read_text(encoding="utf-8")

    @property
    def written(self) -> str:
        """All that is written down, whatever pieces it came in."""
        return "".join(record.data for record in self.transcript.records if record.code != "e") + self.record

    def sane(self) -> bool:
        """Whether the terminal is as it was."""
        left = self.raw.rpartition("\x1b[?1049h")[2] if "\x1b[?1049h" in self.raw else ""
        return (
            self.modes_after == self.modes
            and (not left or "\x1b[?1049l" in left)
            and self.raw.count("\x1b[?2004h") == self.raw.count("\x1b[?2004l")
            and self.raw.rfind("\x1b[?25h") > self.raw.rfind("\x1b[?25l")
            and "Traceback" not in self.raw
        )


@contextmanager
def person(folder: Path, *arguments: str, to: str = "") -> Iterator[Person]:
    it = Person(folder, *arguments, to=to)
    try:
        yield it
    finally:
        it.terminal.close(force=True)


def python(program: str, *arguments: str) -> str:
    """A command for --via."""
    return shlex.join([sys.executable, "-c", program, *arguments])


def console(folder: Path, *arguments: str) -> str:
    words = [sys.executable, "-m", "tests.console_program", "--state", str(folder / "after.json"), *arguments]
    return shlex.join(words)


def piped(folder: Path, text: str, *arguments: str, code: int = 0) -> Ended:
    ended = subprocess.run(
        [*PROGRAM, "connect", *arguments],
        cwd=folder,
        env=ours(folder),
        input=text,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=100,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    return Ended(ended.returncode, ended.stdout, ended.stderr)


# --- in a terminal ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hostility", ["calm", "real"])
def test_a_list_is_asked_for_by_hand_and_the_menu_leaves(tmp_path: Path, hostility: str) -> None:
    with person(tmp_path, "--simulate", "healthy", "--seed", "7", "--hostility", hostility) as it:
        it.sees("anyone else on it is disconnected")
        it.sees("Connected. Press Enter")
        it.does("\r", r"SAC>\s*\n(.*\n)*.*SAC prompt")
        for key in "ch":
            it.types(key)
            time.sleep(0.1)
        it.sees("SAC>ch")
        it.does("\r", r"Channel List(.*\n)*.*0 \(AV\) +SAC")
        it.does(MENU, r"q quit \| h help")
        it.does("h", "What the VM shows is recorded")
        it.does("x", "SAC prompt")
        it.does(MENU, r"q quit \| h help")
        it.types("q")
        assert it.ends() == 0
        assert it.sane()
    assert "Recorded in" in it.screen
    assert {record.code for record in it.transcript.records} == {"o", "e", "x"}
    assert "Channel List" in it.record
    shown = OURS.sub("", it.raw)
    assert "\x1b" not in shown


def test_nothing_typed_without_an_echo_is_written_down(tmp_path: Path) -> None:
    with person(tmp_path, "--via", console(tmp_path)) as it:
        it.sees("Connected. Press Enter")
        it.does("\r", "SAC>")
        it.does("cmd\r", "Channel: Cmd0001|channel has been created|Cmd0001")
        it.does("ch -sn Cmd0001\r", "Use any other key")
        it.does(" ", "Username:")
        it.does(f"{VM.user}\r", "Domain")
        it.does("\r", "Password:")
        it.does("canary-password", r"Password: ?\*{15}")
        assert "login" in it.sees("login")
        it.types("\r")
        time.sleep(1)
        it.types(f"{MENU}q")
        assert it.ends() == 0
    assert VM.user in it.written  # which was echoed
    assert "canary" not in it.written
    assert "i" not in {record.code for record in it.transcript.records}


MUTE = """
import os, pathlib, sys
print("Secret: ", end="", flush=True)
seen = b""
while not seen.endswith(b"\\r"):
    seen += os.read(0, 100)
pathlib.Path(sys.argv[1]).write_bytes(seen)
print("taken\\r\\n", flush=True)
sys.stdin.read()
"""


def test_what_a_program_takes_without_an_echo_reaches_it_alone(tmp_path: Path) -> None:
    with person(tmp_path, "--via", python(MUTE, os.fspath(tmp_path / "took"))) as it:
        it.sees("Secret:")
        it.does("canary-secret\r", "taken")
        it.types(f"{MENU}q")
        assert it.ends() == 0
    assert (tmp_path / "took").read_bytes() == b"canary-secret\r"
    assert "taken" in it.record
    assert "canary" not in it.written
    assert "canary" not in it.raw


HOSTILE = r"""
import sys
sys.stdout.write("begin\x1b]52;c;ZXZpbA==\x07\x1b]0;evil title\x1b\\\x1bP+q544e\x1b\\\x1b[6n\x1b[c\x1b[?1000h")
sys.stdout.write("\x9d52;c;ZXZpbA==\x9c\x1b[5i\x1bc\x1b]8;;http://evil\x07link\x1b]8;;\x07 \u202efdp.exe\u200b")
sys.stdout.write("\x1b_evil\x1b\\ done\r\n")
sys.stdout.flush()
sys.stdin.read()
"""


def test_hostile_output_never_reaches_our_terminal(tmp_path: Path) -> None:
    with person(tmp_path, "--via", python(HOSTILE)) as it:
        it.sees("done")
        it.types(f"{MENU}q")
        assert it.ends() == 0
        assert it.sane()
    shown = OURS.sub("", it.raw)
    assert not re.search(r"[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e\u200b]", shown), repr(shown)
    assert "evil" not in shown
    assert "evil title" in it.record  # the record has it as it came, escaped


def test_raw_passes_it_through_and_warns(tmp_path: Path) -> None:
    with person(tmp_path, "--raw", "--via", python(HOSTILE)) as it:
        it.sees("Passing through what the VM sends")
        it.sees("done")
        it.does(MENU, r"\[q quit \| h help")
        it.types("q")
        assert it.ends() == 0
        assert it.modes_after == it.modes
    assert "\x1b]0;evil title" in it.raw


KEYS = """
import os, pathlib, sys
print("SAC>" if sys.argv[2:] else "C:\\\\>", end="", flush=True)
with pathlib.Path(sys.argv[1]).open("wb", buffering=0) as took:
    while data := os.read(0, 4096):
        took.write(data)
        if b"!" in data:
            print("enough", end="", flush=True)
"""


def taken(folder: Path, keys: tuple[str, ...], *more: str) -> bytes:
    with person(folder, "--via", python(KEYS, os.fspath(folder / "took"), *more)) as it:
        it.sees(r"SAC>|C:\\>")
        for key in keys:
            it.types(key)
            time.sleep(0.25)
        it.does("!", "enough")
        it.types(f"{MENU}q")
        assert it.ends() == 0
    return (folder / "took").read_bytes()


EDITING_KEYS = ("\x1b[A", "\x1b[H", "\x1b[F", "\x1b[3~", "\x1bOP", "\x1b[24~", "\x7f", MENU * 2, "\x1b\t", "é", "\x03")


def test_keys_are_those_that_windows_knows(tmp_path: Path) -> None:
    assert taken(tmp_path, EDITING_KEYS) == b"\x1b[A\x1bh\x1bk\x1b-\x1b1\x1b@\x08\x1d\x1b\t\xc3\xa9\x03!"


def test_at_sac_those_that_leave_rubbish_are_not_sent(tmp_path: Path) -> None:
    assert taken(tmp_path, EDITING_KEYS, "sac") == b"\x08\x1d\x1b\t\xc3\xa9!"


def test_a_paste_is_text_and_arrives_whole(tmp_path: Path) -> None:
    text = "".join(f"echo {number} booot\n" for number in range(12))
    pasted = f"\x1b[200~{text}\x03\x1b[201~"
    assert taken(tmp_path, (pasted,)) == text.replace("\n", "\r").encode() + b"!"


def test_ctrl_c_stops_a_paste(tmp_path: Path) -> None:
    text = "".join(f"echo {number}\n" for number in range(40))
    with person(tmp_path, "--via", python(KEYS, os.fspath(tmp_path / "took"))) as it:
        it.sees(r"C:\\>")
        it.does(f"\x1b[200~{text}\x1b[201~", "pasting, Ctrl-C stops it")
        it.does("\x03", "The rest of the paste is not sent")
        time.sleep(0.5)
        it.does("!", "enough")
        it.types(f"{MENU}q")
        assert it.ends() == 0
    took = (tmp_path / "took").read_bytes()
    assert took.endswith(b"!")
    assert text.replace("\n", "\r").encode().startswith(took[:-1])
    assert len(took) < len(text) / 2


def test_a_long_paste_is_asked_about(tmp_path: Path) -> None:
    with person(tmp_path, "--via", python(KEYS, os.fspath(tmp_path / "took"))) as it:
        it.sees(r"C:\\>")
        it.does(f"\x1b[200~{'xy' * 1100}\x1b[201~", "Paste 2,200 characters")
        it.does("n", "Not pasted")
        it.does("!", "enough")
        it.types(f"{MENU}q")
        assert it.ends() == 0
    assert (tmp_path / "took").read_bytes() == b"!"


def test_another_key_opens_the_menu(tmp_path: Path) -> None:
    with person(tmp_path, "--escape", "^T", "--via", python(KEYS, os.fspath(tmp_path / "took"))) as it:
        it.sees(r"C:\\>")
        it.does(f"{MENU}!", "enough")
        it.does("\x14", "Ctrl-T send it")
        it.types("q")
        assert it.ends() == 0
    assert (tmp_path / "took").read_bytes() == b"\x1d!"


def test_a_lost_line_is_made_again(tmp_path: Path) -> None:
    with person(tmp_path, "--via", console(tmp_path, "--lives", "900")) as it:
        it.sees("Connected. Press Enter")
        it.does("\r", "SAC>")
        it.types("?\r")
        it.sees("Connecting again in 1 s")
        it.sees("Connected again")
        it.does("ch\r", "Channel List")
        it.types(f"{MENU}q")
        assert it.ends() == 0
        assert it.sane()
    happened = [type(event) for _, event in it.transcript.events()]
    assert happened.count(events.Connected) == 2


def test_a_flood_can_be_left_and_stays_in_bounds(tmp_path: Path) -> None:
    """What never ends is drawn now and then, and keys are heard meanwhile."""
    with person(tmp_path, "--via", python("while True: print('flood ' * 12 + '\\r')")) as it:
        it.sees("flood")
        it.does(MENU, r"q quit \| h help")
        begun = time.monotonic()
        it.types("q")
        assert it.ends() == 0
        assert time.monotonic() - begun < 10
        assert it.sane()


def test_a_program_that_ended_well_is_not_started_again_unasked(tmp_path: Path) -> None:
    with person(tmp_path, "--via", python("import time; print('C:\\\\>', flush=True); time.sleep(1.5)")) as it:
        it.sees(r"C:\\>")
        it.sees(r"exit status 0 .*It ended by itself\. Enter: connect again")
        time.sleep(2.5)
        it.types("q")
        assert it.ends() == 0
    assert [type(event) for _, event in it.transcript.events()].count(events.Connected) == 1


def test_a_second_user_is_never_thrown_out_unasked(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    mine.mkdir()
    theirs.mkdir()
    with simulator(mine) as vm, person(mine, "--simulate", vm.url) as it:
        it.sees("Connected. Press Enter")
        second = subprocess.Popen(
            [*PROGRAM, "connect", "--simulate", vm.url, "--wait", "3"],
            cwd=theirs,
            env=ours(theirs) | {"SERIALFIX_CACHE_DIR": os.fspath(mine / "cache")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        it.sees("Somebody else may be on this console")
        out, _ = second.communicate("ch\n", timeout=60)
        assert second.returncode == 0  # we did not take it back meanwhile
        assert "Channel List" in out
        it.does("\r", "Connected again")
        it.does("\r", "SAC>")
        it.does("ch\r", "Channel List")
        it.types(f"{MENU}q")
        assert it.ends() == 0


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130), ("SIGHUP", 129)])
def test_told_to_end_the_terminal_is_left_as_it_was(tmp_path: Path, name: str, code: int) -> None:
    with person(tmp_path, "--via", python(KEYS, os.fspath(tmp_path / "took"))) as it:
        it.sees(r"C:\\>")
        it.terminal.kill(getattr(signal, name))
        assert it.ends() == code
        assert it.sane()
    assert it.transcript.records[-1].data == str(code)
    assert it.transcript.cut == ""


def test_a_terminal_that_is_closed_ends_it(tmp_path: Path) -> None:
    with person(tmp_path, "--via", python(KEYS, os.fspath(tmp_path / "took"))) as it:
        it.sees(r"C:\\>")
        pty: Any = it.terminal.ptyproc  # type: ignore[attr-defined]
        pty.fileobj.close()
        until = time.monotonic() + TIMEOUT
        while pty.isalive():
            assert time.monotonic() < until
            time.sleep(0.1)
    assert it.transcript.records[-1].code == "x"


def test_json_goes_to_a_file_while_the_terminal_is_used(tmp_path: Path) -> None:
    arguments = ("--via", python(KEYS, os.fspath(tmp_path / "took")), "--output", "json")
    with person(tmp_path, *arguments, to="out.json") as it:
        it.sees(r"C:\\>")
        it.types(f"{MENU}q")
        assert it.ends() == 0
    document = json.loads((tmp_path / "out.json").read_text())
    assert (document["outcome"], document["connections"]) == ("left", 1)
    assert document["transcript"] == it.transcript.path


# --- in a pipe -------------------------------------------------------------------------------------------------


def test_lines_are_typed_and_what_comes_is_printed(tmp_path: Path) -> None:
    ended = piped(tmp_path, "ch\n?", "--simulate", "healthy", *CALM, "--wait", "2")
    assert re.search(r"SAC>ch\nChannel List\n(.*\n)*0 \(AV\) +SAC\nSAC>\?\nch +Channel management", ended.out)
    assert ended.out.endswith("SAC>\n")
    assert "\x1b" not in ended.out + ended.err
    assert "Recorded in" in ended.err


def test_json_is_one_document_and_the_lines_go_beside_it(tmp_path: Path) -> None:
    ended = piped(tmp_path, "ch\n", "--simulate", "healthy", *CALM, "--wait", "2", "--output", "json")
    assert ended.document["outcome"] == "left"
    assert "Channel List" in ended.err
    assert ended.transcript.records[-1].data == "0"


def test_hostile_output_is_harmless_in_a_pipe(tmp_path: Path) -> None:
    ended = piped(tmp_path, "", "--via", python(HOSTILE), "--wait", "1")
    assert "done" in ended.out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e\u200b]", ended.out)
    assert "evil" not in ended.out


def test_a_line_that_is_lost_ends_it_and_says_how_far_it_came(tmp_path: Path) -> None:
    ended = piped(tmp_path, "ch\n?\n?\nch\n", "--via", console(tmp_path, "--lives", "700"), "--wait", "1", code=3)
    assert re.search(r"\d lines of the input were entered; nothing more is sent", ended.err)
    assert "Channel List" in ended.out


def test_a_closed_input_is_an_empty_one(tmp_path: Path) -> None:
    words = [*PROGRAM, "connect", "--via", python(HOSTILE), "--wait", "1"]
    ended = subprocess.run(
        ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *words],
        cwd=tmp_path,
        env=ours(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "done" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Which VM?"),
        (("--simulate", "healthy", "--escape", "^M"), "can't be the key"),
        (("--simulate", "nothing-of-the-kind"), "nothing-of-the-kind"),
        (("--via", "sh -c 'exit 4'"), "There is no console"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    ended = piped(tmp_path, "", *arguments, code=3 if "exit 4" in arguments[-1:] or said.startswith("There") else 2)
    assert said in ended.err


# --- losses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("problem", "asks"),
    [
        (ConnectionLost(1006, ""), False),
        (ConnectionLost(1011, "VM is not running"), False),
        (ConnectionLost(4404, ""), False),
        (ConnectionLost(4408, "Idle timeout"), False),
        (ConnectionLost(1006, "virsh ended with exit status 3"), False),
        (ConnectionLost(1006, "virsh ended with exit status 0"), True),
        (ConnectionLost(1000, ""), True),
        (ConnectionLost(1001, ""), True),
        (ConnectionLost(1011, ""), True),
        (ConnectionLost(1011, "Another connection was made"), True),
        (ConnectionLost(4409, ""), True),
        (AzureError("Another connection is currently in progress to this VM."), True),
        (AzureError("The VM is not running."), False),
    ],
)
def test_which_losses_are_asked_about(problem: SerialfixError, asks: bool) -> None:
    assert bool(asks_first(problem)) is asks
