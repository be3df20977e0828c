r"""Exact reading in cmd: a folder of ours on the VM, and the words with which cmd keeps and shows output there.

The output goes into the file "o" of the folder; ``certutil`` hashes and encodes it, ``findstr /n`` numbers its lines.
What is used often is defined once, as variables of our own shell, so that little is typed for each question. cmd
expands them before it looks for ``&``, ``>`` and ``|``, so they may hold those:

>>> from serialfix.console.slices import Asked
>>> CMD.ask("abcdefgh", [Asked("sc queryex TermService", True), Asked("ver", True)], "stream").text
'%_f%abcdefgh%_g%sc queryex TermService%_r%&ver%_r%)>o&%_z%'

cmd reads it as: for %k in (abcdefgh) do @(echo b%k&(each command, its success and %k)>o&show that&echo e%k).
A "%" that stands alone on a typed line might pair with the next one, so each stands within a word.

The folder lies under %SystemRoot%, has a name that can't be guessed, inherits no rights, and is removed at the end
(rdp-repair.md 0a.3). Where endpoint protection blocks certutil, PowerShell hashes and encodes the same file.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from serialfix.console.dialogue import Conversation
from serialfix.console.keyboard import Keyboard, vary_case
from serialfix.console.markers import Markers
from serialfix.console.screen import Row
from serialfix.console.shells import NoAnswer, enter, submit, type_at, type_command
from serialfix.console.slices import Asked, Shell, Spoken, Way, plain

ROOT = r"C:\Windows"
POWERSHELL = r"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe"  # rdp-repair.md 0a.14: full paths

FIRST_FEW = 13  # lines that fit a cleared screen behind a question, its checksum and its number

_DIGEST = 'certutil -hashfile o SHA256&find /c /v "" <o'
_LINES = '(for /f "delims=" %a in (\'findstr /n "^" {}\') do @echo(%a$)'
_COUNT = 'find /c /v "" <e'


@dataclass(frozen=True, slots=True)
class Cmd:
    """cmd's dialect. ``digest`` prints the checksum of "o" and the number of its lines; ``encode`` makes "e" of it."""

    digest: str = _DIGEST
    encoder: str = "certutil -f -encode o e>nul"
    instead: "Cmd | None" = None
    together: int = 12
    ways: tuple[Way, ...] = ("stream", "pages", "few")

    def ask(self, key: str, commands: Sequence[Asked], way: Way) -> Spoken:
        """Run the commands and show what they wrote."""
        runs = "&".join(_run(command) for command in commands)
        show, words = self._show(way)
        return Spoken(f"{_clear(way)}%_f%{key}%_g%{runs})>o&{show}", ("_f", "_g", "_r", *words))

    def again(self, key: str, way: Way) -> Spoken:
        """Show it again."""
        show, words = self._show(way)
        return Spoken(f"{_clear(way)}%_f%{key}%_g%cd.)&{show}", ("_f", "_g", *words))

    def encode(self, key: str, way: Way) -> Spoken:
        """Make base64 of it and show that."""
        if way == "pages":
            return Spoken(f"cls&%_f%{key}%_g%{self.encoder})&%_x%", ("_f", "_g", "_x"))
        some = "" if way == "stream" else _chosen(1, 2)
        return Spoken(f"{_clear(way)}%_f%{key}%_g%%_b%)&%_p% e{some}%_e%%_q%", ("_f", "_g", "_b", "_p", "_e", "_q"))

    def rows(self, key: str, first: int, last: int, *, encoded: bool) -> Spoken:
        """Show the lines ``first`` to ``last``."""
        file = "e" if encoded else "o"
        return Spoken(
            f"cls&%_f%{key}%_g%cd.)&%_p% {file}{_chosen(first, last)}%_e%%_q%", ("_f", "_g", "_p", "_e", "_q"), first
        )

    def _show(self, way: Way) -> tuple[str, tuple[str, ...]]:
        if way == "stream":
            return "%_z%", ("_z",)
        if way == "pages":
            return "%_y%", ("_y",)
        if way == "head":
            return "%_h%%_q%", ("_h", "_q")
        return f"%_h%&%_p% o{_chosen(1, FIRST_FEW)}%_e%%_q%", ("_h", "_p", "_e", "_q")

    def define(self, word: str) -> str:
        """``set`` with what cmd would act on escaped, since the line that defines a word is read by cmd as well."""
        return f"set {word}={_escaped(self.value(word))}"

    def value(self, word: str) -> str:
        """What a word stands for."""
        return {
            "_f": "for %k in (",
            "_g": ") do @(echo b%k&(",
            "_r": " 2>&1&&echo ok %k||echo no %k",
            "_z": f"{self.digest}&{_LINES.format('o')}&echo e%k)",
            # Everything that is shown goes through more: what it stops in front of has been seen.
            "_y": f"(echo b%k&{self.digest}&{_LINES.format('o')})|more&echo e%k)",
            "_h": self.digest,
            "_x": f"(echo b%k&{_COUNT}&{_LINES.format('e')})|more&echo e%k)",
            "_b": f"{self.encoder}&{_COUNT}",
            "_p": '(for /f "delims=" %a in (\'findstr /n "^"',
            "_e": "') do @echo(%a$)",
            "_q": "&echo e%k)",
        }[word]


def _run(command: Asked) -> str:
    text = command.text if command.exact else vary_case(command.text)
    bare = re.sub(r'"[^"]*"', "", text)
    if text.count('"') % 2 or bare.count("(") != bare.count(")"):
        # reg add with an unbalanced quote makes a key named like the rest of the line, and says 0 (test-beds.md).
        raise ValueError(f"something is left open in {text!r}")
    if re.search(r"&|^\s*(if|for)\b", bare, re.IGNORECASE) and not re.fullmatch(r"\(.*\)", text):
        text = f"({text})"  # its success is that of the whole
    # A digit that stands alone before ">" would say which stream is meant.
    apart = " " if re.search(r"(?:^|[\s,;=])\d$", text) else ""
    return f"{text}{apart}%_r%"


def _clear(way: Way) -> str:
    return "" if way == "stream" else "cls&"


def _chosen(first: int, last: int) -> str:
    numbers = " ".join(f"{number}:" for number in range(first, last + 1))
    return f'^|findstr /b "{numbers}"'


def _escaped(text: str) -> str:
    """``text`` as it is typed behind ``set NAME=``: outside quotes cmd acts on these characters."""
    shown, quoted = "", False
    for character in text:
        quoted ^= character == '"'
        shown += f"^{character}" if character in "&|<>^" and not quoted else character
    return shown


CMD = Cmd()
CMD_ALONE = replace(CMD, instead=None)


def with_powershell(path: str) -> Cmd:
    """The dialect of a folder whose file is hashed and encoded by PowerShell where certutil is blocked."""
    content = rf"[IO.File]::ReadAllBytes('{path}\o')"
    digest = f"([BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash({content}))-replace'-')"
    encoded = f"[Convert]::ToBase64String({content})-split'(.{{64}})'-ne''"
    start = f"{POWERSHELL} -NoProfile -NonInteractive -Command"
    by_powershell = Cmd(f'{start} "{digest}.ToLower()"&find /c /v "" <o', f'{start} "{encoded}">e', instead=CMD_ALONE)
    return replace(CMD, instead=by_powershell)


def new_folder(markers: Markers) -> str:
    """The path of a folder that is not there yet; whoever makes it can remove it whatever happens."""
    return rf"{ROOT}\{markers.draw(12)}"


def prepare(
    keyboard: Keyboard, markers: Markers, prompt: str, path: str, *, known: Shell | None = None
) -> Conversation[Shell | None]:
    """Make the folder and the words; None where that can't be done. Raises ShellLost, Untypable.

    ``known``: a shell that is gone, for which we made the folder already; what was learnt in it still holds.
    """
    rights = '/inheritance:r /grant "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F"'
    shell = Shell(with_powershell(path) if known is None else known.dialect, prompt)
    if keyboard.sampled:
        shell.way = "pages"
    core = shell.dialect.ask("", (), shell.way).words
    if keyboard.sampled:
        core = tuple(
            dict.fromkeys((*core, *shell.dialect.encode("", shell.way).words))
        )  # a certificate is a line longer than such a screen
    words = "&".join(shell.dialect.define(word) for word in core)
    protect = f"icacls {path} {rights}>nul&&cd /d {path}"
    again = f"cd /d {path}"
    for make in (again, again) if known is not None else (f"md {path}&&{protect}", protect):
        end = markers.draw()
        done = f"echo {end[:4]}^{end[4:]}"
        row = yield from type_at(keyboard, prompt, f"({make})2>nul&&chcp&&{done} 0||{done} 1&{words}")

        def read(rows: Iterable[Row], end: str = end) -> str | None:
            """The code page; None: there is no folder."""
            page = ""
            for each in rows:
                if each.text == f"{end} 0":
                    found = re.findall(r"\d{3,5}", page)
                    return found[-1] if found else None
                if each.text == f"{end} 1":
                    return None
                page = each.text
            raise NoAnswer("whether the folder was made could not be read")

        try:
            page = yield from submit(prompt, end, row, read, most=4096, timeout=30.0)
        except NoAnswer:
            # At the bottom of a sampled screen even a short answer may scroll by. What was made is not made again.
            yield from plain(keyboard, prompt, "cls")
        else:
            break
    else:
        return None
    if page is None:
        return None
    shell.words.update(core)
    shell.page = "utf-8" if page == "65001" else f"cp{page}"
    return shell


def remove(keyboard: Keyboard, markers: Markers, prompt: str, path: str) -> Conversation[bool]:
    """Remove the folder; whether it is gone. Raises ShellLost, Untypable."""
    for _ in range(2):
        framed, row = yield from type_command(
            keyboard, markers, prompt, f"rd /s /q {path}&dir /b {path}", exact=True, before="cd \\&"
        )
        try:
            listed = yield from enter(prompt, framed, row, most=4096, timeout=30.0)
        except NoAnswer:
            # At the bottom of a sampled screen even a short answer may scroll by; removing twice does no harm.
            yield from plain(keyboard, prompt, "cls")
        else:
            return listed.exit_code != 0
    return False
