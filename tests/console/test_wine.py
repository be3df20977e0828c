r"""The client on a console that others wrote: Wine's cmd.exe, conhost and reg.exe, driven by our own conversations.

conhost draws a screen (titles, cursor hiding, hard wraps at column 80, ``ESC[nC`` for blanks, prompts painted again).
What is true is read on the host's own disk: the file that Windows' program wrote, byte by byte, against what the client
has read off the console; and what cmd was given, against what was meant to be typed. ``wine.py`` has the dialect,
``wine_bridge.py`` the line.
"""

import asyncio
import random
import re
import string
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from serialfix.console.dialogue import Send
from serialfix.console.keyboard import CTRL_C, Untypable, type_line
from serialfix.console.screen import Row
from serialfix.console.shells import Frame, NoAnswer, ShellLost, cut, submit
from serialfix.console.slices import Asked
from serialfix.steps import Output
from serialfix.windows import registry
from tests.console.wine import Console, console, wine

pytestmark = [pytest.mark.slow, pytest.mark.program("wine")]

KEY = r"HKCU\Software\serialfix"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with wine() as found:
        yield found


def written(folder: Path) -> str:
    """What the last question's program wrote, as the host sees it, without our last line."""
    text = (folder / "o").read_bytes().decode("cp437").replace("\r\n", "\n")
    return text[: text.rindex("\n", 0, -1) + 1]


def written_by_each(folder: Path) -> list[str]:
    """The same of each command of the last exchange."""
    text = (folder / "o").read_bytes().decode("cp437").replace("\r\n", "\n")
    return re.split(r"(?:ok|no) [a-z0-9]{8}\n", text)[:-1]


def said(output: Output) -> tuple[str, int | None, bool]:
    return output.proof, output.exit_code, output.partial


async def test_the_prompt_is_ours_and_what_is_echoed_comes_back(folder: Path) -> None:
    async with console(folder) as here:
        assert here.screen.line_to_cursor() == here.shell.prompt
        for text in ("bookkeeper 1100 \\\\a\\\\", '"b & | > < ^"', f"{here.shell.prompt}dir"):
            quoted = text if '"' in text else text.replace(">", "^>")
            output = await here.ask(f"echo {quoted}")
            # Wine's cmd leaves the blank before "2>&1" where it stood.
            assert (output.text, *said(output)) == (f"{text} \n", "checksum", 0, False)
            assert written(folder) == output.text
        assert here.keyboard.damaged == 0


async def test_long_lines_reach_cmd_as_they_were_meant(folder: Path) -> None:
    async with console(folder) as here:
        room = 1500 - len("echo >>long.txt")
        meant = [*(text_of(length, length) for length in (60, 61)), text_of(room, room, twice=0.02)]
        for text in meant:
            await here.enter(f"echo {text}>>long.txt")
        assert (folder / "long.txt").read_text().splitlines() == meant
        with pytest.raises(Untypable):
            await here.enter(f"echo {'ab' * 800}>>long.txt")
        assert here.screen.line_to_cursor() == here.shell.prompt
        assert here.keyboard.damaged == 0


async def test_long_lines_are_read_as_they_were_written(folder: Path) -> None:
    lengths = (1, 74, 75, 76, 77, 78, 79, 80, 81, 155, 156, 157, 158, 159, 160, 161, 500, 999, 1000)
    lines = [text_of(length, length + 7) for length in lengths]
    lines[3] = lines[3][:40] + " " * 10  # blanks at the end, one line up to the edge of the screen
    lines.append("x" * 30 + " " * 45 + "y" + " " * 60 + "z" + " " * 40)
    (folder / "lines.txt").write_bytes("".join(f"{line}\r\n" for line in lines).encode())
    async with console(folder) as here:
        output = await here.ask("type lines.txt")
        assert said(output) == ("checksum", 0, False)
        assert output.text == "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize("bridge", [(), ("--sample", "0.05")], ids=["stream", "sampled"])
async def test_a_long_listing_is_read_exactly(folder: Path, bridge: tuple[str, ...]) -> None:
    """Where the console shows samples of its screen most rows are never seen; they are asked for again."""
    where = r"C:\windows\system32\*.exe" if bridge else r"C:\windows\system32\*.dll"
    async with console(folder, *bridge) as here:
        output = await here.ask(f"dir /s {where}", exact=False)
        assert said(output) == ("checksum", 0, False)
        shown, true = output.text.splitlines(), written(folder).splitlines()
        assert shown == true
        assert len(true) > (90 if bridge else 500)
        assert here.shell.way == ("few" if bridge else "stream")
        assert here.keyboard.damaged == 0


async def test_several_commands_share_an_exchange_and_each_has_its_own_answer(folder: Path) -> None:
    """Also one that fails between others, one that writes nothing, and one whose last line has no end."""
    (folder / "open.txt").write_bytes(b"first\r\nno end")
    async with console(folder) as here:
        asked = ("type open.txt", f"reg query {KEY}\\nothing", "cd .", "echo last 2")
        answers = await here.ask_all(*(Asked(text, exact=True) for text in asked))
        assert [said(output) for output in answers] == [("checksum", code, False) for code in (0, 1, 0, 0)]
        assert [output.text for output in answers[::3]] == ["first\nno end\n", "last 2  \n"]
        assert answers[2].text == ""
        assert [output.text.removesuffix("\n") for output in answers] == [
            text.removesuffix("\n") for text in written_by_each(folder)
        ]


async def test_text_that_wine_s_cmd_bends_is_read_exactly(folder: Path) -> None:
    """``for /f`` expands %PATH% in what it reads there, and a tab becomes blanks: the checksum tells, base64 helps."""
    lines = [
        "",
        "%PATH%",
        "\ta\ttab",
        "Gr\u00fc\u00dfe",
        "SAC>",
        "12:no number$",
        "C:\\>",
        "\x1b[2J\x07",
        "ok",
        "",
    ]
    (folder / "bent.txt").write_bytes("\r\n".join(lines).encode("cp437"))
    async with console(folder) as here:
        output = await here.ask("type bent.txt")
        assert said(output) == ("checksum", 0, False)
        assert output.text == written(folder)
        assert output.text.split("\n")[: len(lines) - 1] == lines[:-1]


async def test_what_was_added_to_the_registry_is_read_back(folder: Path) -> None:
    values = (("Path", "REG_SZ", r"C:\Program Files\book keeper\\x", None), ("SSLcount", "REG_DWORD", "1100", 1100))
    async with console(folder) as here:
        for name, kind, data, _ in values:
            quoted = f'"{data}"' if kind == "REG_SZ" else data
            added = await here.ask(f"reg add {KEY}\\sub /v {name} /t {kind} /d {quoted} /f")
            assert said(added) == ("checksum", 0, False)
        queried = await here.ask(f"reg query {KEY} /s", exact=False)
        keys = registry.parse(queried)
        assert queried.proof == "checksum"
        for name, kind, data, number in values:
            value = keys.value(f"{KEY}\\sub", name)
            assert value is not None
            assert (value.type, value.number) == (kind, number)
            assert number is not None or value.data == data
        missing = await here.ask(f"reg query {KEY}\\nothing")
        assert said(missing) == ("checksum", 1, False)
        assert missing.text == written(folder)


async def test_numbered_lines_are_cut_between_their_markers(folder: Path) -> None:
    """``cut`` reads what ``frame`` frames; the frame is one that Wine understands, since it knows no ``&&``."""
    (folder / "c.txt").write_bytes(b"\r\n2:\r\n" + b"x" * 200 + b"\r\nlast\r\n")
    async with console(folder) as here:
        for command, code in (("type c.txt", 0), (f"reg query {KEY}\\nothing", 1)):
            begin, end = here.markers.draw(), here.markers.draw()
            # Wine's cmd does not redirect the whole of a group; a digit before ">" would name a stream.
            last = f"echo {end[:4]}^{end[4:]}"
            ends = f"(if errorlevel 1 ({last} 1 >>o) else {last} 0 >>o)"
            text = f"echo {begin[:4]}^{begin[4:]}>o&{command}>>o 2>&1&{ends}&call rows o 0"
            framed = Frame(text, begin, end)

            def read(rows: Iterable[Row], framed: Frame = framed) -> Output:
                return cut(rows, framed, 4096)

            await here.run(type_line(here.keyboard, here.shell.prompt, text))
            output = await here.run(submit(here.shell.prompt, end, 0, read, most=4096, timeout=20.0))
            assert (output.exit_code, output.proof) == (code, "screen")
            true = (folder / "o").read_text().splitlines()[1:-1]
            assert output.text.splitlines() == [row.rstrip() for row in true]


# --- A command that asks a question ------------------------------------------------------------------------------


async def wedged(here: Console, *, shown: bool) -> None:
    """Ask for a ``reg add`` that is in its own way; what the client does about it leaves as an exception."""
    command = f"reg add {KEY} /v Wedge /d second"
    if not shown:
        await here.ask(command, seconds=1.5)
        return
    end = here.markers.draw()
    await here.run(type_line(here.keyboard, here.shell.prompt, f"{command}&echo {end[:4]}^{end[4:]}"))
    await here.run(submit(here.shell.prompt, end, 0, lambda rows: "".join(map(str, rows)), most=4096, timeout=1.5))


async def unchanged(here: Console) -> None:
    output = await here.ask(f"reg query {KEY} /v Wedge")
    value = registry.parse(output).value(KEY, "Wedge")
    assert value is not None
    assert (value.data, output.proof) == ("first", "checksum")
    again = await here.ask("echo after")
    assert (again.text, again.proof) == ("after \n", "checksum")


async def test_a_command_that_asks_is_stopped_and_never_answered(folder: Path) -> None:
    async with console(folder) as here:
        added = await here.ask(f"reg add {KEY} /v Wedge /d first /f")
        assert added.exit_code == 0
        for shown in (True, False):
            await here.enter("cls")
            with pytest.raises(NoAnswer, match="no answer within 2 s; the command was stopped with Ctrl-C"):
                await wedged(here, shown=shown)
            assert any("(Yes|No)" in row for row in here.screen.rows()) == shown
            assert here.log.typed[-2:] == [b"\r", CTRL_C]  # nothing else since the command was entered
            await unchanged(here)


async def test_a_question_that_ctrl_c_does_not_end_costs_the_shell_and_changes_nothing(folder: Path) -> None:
    async with console(folder, "--deaf") as here:
        added = await here.ask(f"reg add {KEY} /v Wedge /d first /f")
        assert added.exit_code == 0
        with pytest.raises(ShellLost, match="no prompt that is known"):
            await wedged(here, shown=True)
        assert here.log.typed[-2:] == [b"\r", CTRL_C]
        await here.new_shell()
        await unchanged(here)


# --- A line that lies --------------------------------------------------------------------------------------------


def text_of(length: int, seed: int, twice: float = 0.14) -> str:
    """Letters, digits and blanks with many equal neighbours; it ends in a letter, since blanks there are cmd's."""
    draw = random.Random(seed)
    text = ""
    while len(text) < length - 1:
        text += draw.choice(string.ascii_letters + string.digits + " ._-") * (2 if draw.random() < twice else 1)
    return text[: length - 1].strip().ljust(length - 1, "x") + "z"


def harm(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


async def test_over_a_hostile_line_cmd_receives_what_was_meant(folder: Path, tmp_path: Path) -> None:
    async with console(folder, "--hostile", "4", "--harm", str(tmp_path / "harm")) as here:
        listed = await here.ask(r"dir C:\windows\system32\ms*.*", exact=False)
        assert said(listed) == ("checksum", 0, False)
        assert listed.text == written(folder)
        for number in range(20):
            text = text_of(250, number)
            await here.enter(f"echo {text}>hostile.txt")
            assert (folder / "hostile.txt").read_text() == f"{text}\n"
            if here.keyboard.damaged:
                break
        assert here.keyboard.damaged > 0
        assert harm(tmp_path / "harm")
        added = await here.ask(f'reg add {KEY} /v Hostile /d "aa  bb \\\\ cc" /f')
        assert added.exit_code == 0
        queried = await here.ask(f"reg query {KEY} /v Hostile", exact=False)
        value = registry.parse(queried).value(KEY, "Hostile")
        assert value is not None
        assert value.data == "aa  bb \\\\ cc"


async def test_typed_without_care_the_same_lines_arrive_damaged(folder: Path, tmp_path: Path) -> None:
    """The control run: the line does lie, and only the client's way of typing makes it right."""
    async with console(folder, "--hostile", "4", "--harm", str(tmp_path / "harm")) as here:
        text = text_of(250, 1)
        await here.line.send(Send(f"echo {text}>careless.txt\r".encode()))
        await asyncio.sleep(1.0)
        careless = folder / "careless.txt"
        assert not careless.exists() or careless.read_text() != f"{text}\n"
        assert len(harm(tmp_path / "harm")) > 10
