"""A program on a pty as a transport. A whole console on it, Wine's, is in tests/console/test_wine.py."""

import asyncio
import contextlib
import os
import shlex
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.errors import ConnectionLost, UsageError, VmError
from serialfix.venues import process
from serialfix.venues.process import ProcessTransport, Program, name_of, read_command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pseudo terminals are POSIX")


async def all_of(transport: ProcessTransport) -> tuple[bytes, str]:
    """What a program writes until it ends, and how it ended."""
    data = b""
    try:
        async with asyncio.timeout(20):
            while True:
                data += await transport.receive()
    except ConnectionLost as lost:
        return data, lost.reason


async def until(transport: ProcessTransport, wanted: int) -> bytes:
    """So many bytes, or more."""
    data = b""
    async with asyncio.timeout(20):
        while len(data) < wanted:
            data += await transport.receive()
    return data


async def run(command: str) -> tuple[bytes, str]:
    """What a shell's command writes, and how it ends."""
    transport = ProcessTransport(["sh", "-c", command])
    try:
        return await all_of(transport)
    finally:
        await transport.close()


# --- the command -----------------------------------------------------------------------------------------------


@given(st.lists(st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])), max_size=5))
def test_a_command_is_split_as_a_shell_does_and_not_run_by_one(arguments: list[str]) -> None:
    assert read_command(shlex.join(["sh", *arguments])) == ("sh", *arguments)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "names no program"),
        ("   ", "names no program"),
        ("ssh 'host", "can't be split"),
        ("TOKEN=canary ssh host", "begins with a variable"),
        ("no-such-program canary", "'no-such-program' can't be started"),
        ("/etc canary", "'/etc' can't be started"),
        ("sh can\0ary", "'sh' can't be started"),
    ],
)
def test_a_command_that_cannot_be_is_told_without_its_arguments(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        read_command(text)
    assert "canary" not in f"{caught.value.what} {caught.value.why} {caught.value.advice}"
    assert caught.value.advice


def test_on_windows_it_is_said_that_it_needs_posix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match="POSIX") as caught:
        read_command("sh")
    assert "Subsystem for Linux" in caught.value.advice


def test_only_the_program_is_named() -> None:
    assert name_of(["/usr/bin/ssh", "canary@host"]) == "ssh"


# --- its terminal ----------------------------------------------------------------------------------------------


async def test_what_is_typed_arrives_as_it_is_and_is_not_echoed() -> None:
    everything = bytes(range(256))
    transport = ProcessTransport(["sh", "-c", "echo go; exec cat"])
    assert await until(transport, 3) == b"go\n"
    await transport.send(everything)
    assert await until(transport, 256) == everything
    await transport.close()


async def test_more_than_a_terminal_holds_is_carried_both_ways() -> None:
    sent = bytes(index % 251 for index in range(200_000))
    transport = ProcessTransport(["cat"])
    sending = asyncio.create_task(transport.send(sent))
    assert await until(transport, len(sent)) == sent
    await sending
    await transport.close()


async def test_the_terminal_is_80_by_24_and_has_no_talents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("SERIALFIX_PASSWORD", "canary")
    said, _ = await run('stty size; echo "$TERM ${COLUMNS-unset} ${SERIALFIX_PASSWORD-unset}"; test -t 2; echo $?')
    assert said == b"24 80\nvt100 unset unset\n0\n"


async def test_the_program_leads_a_session_of_its_own_on_that_terminal() -> None:
    look = "import os; print(os.getsid(0) == os.getpid() == os.tcgetpgrp(os.open('/dev/tty', os.O_RDWR)))"
    transport = ProcessTransport([sys.executable, "-c", look])
    assert await all_of(transport) == (
        b"True\n",
        f"{Path(sys.executable).name} ended with exit status 0 and said: True",
    )
    await transport.close()


async def test_python_s_way_with_broken_pipes_is_not_handed_on() -> None:
    said, _ = await run("yes | head -n 1; kill -PIPE $$; echo still here")
    assert said == b"y\n"


# --- its end ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("exit 3", "sh ended with exit status 3"),
        ("echo connecting; echo no route >&2; exit 255", "sh ended with exit status 255 and said: no route"),
        ("printf 'SAC>\\033[5n'; exit 1", "sh ended with exit status 1"),
        ("kill -9 $$", "sh ended by signal 9"),
        ("exec <&- >&- 2>&-; sleep 30", "sh has closed its terminal"),
        ("sleep 30 & exit 4", "sh ended with exit status 4"),
    ],
)
async def test_the_end_is_a_loss_that_says_how(command: str, reason: str) -> None:
    _, how = await run(command)
    assert how == reason


async def test_the_program_s_last_words_do_not_tell_its_arguments() -> None:
    transport = ProcessTransport(["sh", "-c", 'echo "no user $1 at $1 ($0)" >&2; exit 1', "ab", "canary"])
    _, reason = await all_of(transport)
    assert reason == "sh ended with exit status 1 and said: no user … at … (ab)"
    await transport.close()


@given(st.binary(max_size=300))
def test_last_words_are_printable_and_short(data: bytes) -> None:
    said = process._last_line(data)
    assert said.isprintable()
    assert len(said) <= 200
    assert process._last_line(data + b"\r\nend\r\n \r\n") == "end"


async def test_what_was_written_last_is_read_before_the_end() -> None:
    said, _ = await run("head -c 300000 /dev/zero; echo end")
    assert said == b"\0" * 300000 + b"end\n"


async def test_typing_to_a_program_that_has_ended_is_a_loss() -> None:
    transport = ProcessTransport(["sh", "-c", "exit 5"])
    await all_of(transport)
    with pytest.raises(ConnectionLost, match="exit status 5"):
        await transport.send(b"x")
    await transport.close()
    with pytest.raises(ConnectionLost):
        await transport.send(b"x")
    with pytest.raises(ConnectionLost):
        await transport.receive()


async def test_a_program_that_takes_no_keys_is_lost_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "NOT_TAKEN", 0.5)
    transport = ProcessTransport(["sleep", "30"])
    with pytest.raises(ConnectionLost, match="no keys"):
        await transport.send(b"x" * 1_000_000)
    await transport.close()


async def test_a_program_that_is_not_there_says_so() -> None:
    transport = ProcessTransport(["no-such-program"])
    said, reason = await all_of(transport)
    assert said.startswith(b"no-such-program: ")
    assert reason.startswith("no-such-program ended with exit status 127 and said: ")
    await transport.close()


def runs(pid: int) -> bool:
    """Whether a process is there and is no zombie that nobody has asked about yet."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    return True


STUBBORN = "trap '' HUP TERM; "


@pytest.mark.parametrize("stubborn", ["", "trap '' HUP; ", STUBBORN])
async def test_no_orphan_is_left(monkeypatch: pytest.MonkeyPatch, stubborn: str) -> None:
    monkeypatch.setattr(process, "PATIENCE", 0.3)
    script = f"{stubborn}(while :; do sleep 0.1; done) & echo $$ $!; while :; do sleep 0.1; done"
    transport = ProcessTransport(["sh", "-c", script])
    said = await until(transport, 4)
    pids = [int(word) for word in said.split()]
    assert len(pids) == 2
    assert all(map(runs, pids))
    await transport.close()
    assert not any(map(runs, pids))
    await transport.close()


async def test_who_does_not_wait_for_the_end_leaves_no_orphan_either() -> None:
    transport = ProcessTransport(["sh", "-c", f"{STUBBORN}echo $$; while :; do sleep 0.1; done"])
    pid = int(await until(transport, 2))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await transport.close()
    assert not runs(pid)


# --- one program after the other -------------------------------------------------------------------------------


async def test_what_ends_at_once_is_no_console() -> None:
    told: list[str] = []
    program = Program(["sh", "-c", "echo canary; echo no such domain >&2; exit 6"], told.append)
    with pytest.raises(VmError, match="sh ended with exit status 6 and said: no such domain") as caught:
        await program.connect()
    assert not isinstance(caught.value, ConnectionLost)
    assert "by hand" in caught.value.advice
    assert told == ["Starting sh."]
    await program.close()


async def test_it_is_started_again_until_the_vm_is_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """As virsh does: it refuses while the domain is off."""
    monkeypatch.setattr(process, "PAUSE", 0.05)
    told: list[str] = []
    script = f"echo x >>{tmp_path}/n; n=$(wc -l <{tmp_path}/n); [ $n = 2 ] && exit 1; [ $n = 3 ] && exit 1; exec cat"
    program = Program(["sh", "-c", script], told.append)
    first = await program.connect()
    second = await program.connect()
    assert (tmp_path / "n").read_text() == "x\n" * 4
    assert told == ["Starting sh.", "Starting sh again."]
    with pytest.raises(ConnectionLost):
        await first.send(b"x")
    await second.send(b"hello")
    assert await until(second, 5) == b"hello"
    await program.close()
    with pytest.raises(ConnectionLost):
        await second.receive()


async def test_after_some_tries_the_vm_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(process, "PAUSE", 0.01)
    monkeypatch.setattr(process, "RESTARTS", 3)
    script = f"echo x >>{tmp_path}/n; [ $(wc -l <{tmp_path}/n) = 1 ] && exec cat; exit 1"
    program = Program(["sh", "-c", script], lambda _: None)
    await program.connect()
    with pytest.raises(VmError, match="no console"):
        await program.connect()
    assert (tmp_path / "n").read_text() == "x\n" * 4
    await program.close()
