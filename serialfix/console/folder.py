r"""Exact reading in cmd: a folder of ours on the VM, and the words with which cmd keeps and shows output there.

The output goes into the file "o" of the folder; ``certutil`` hashes and encodes it, ``findstr /n`` numbers its lines.
What is used often is defined once, as variables of our own shell, so that little is typed for each question. cmd
expands them before it looks for ``&``, ``>`` and ``|``, so they may hold those:

>>> from serialfix.console.slices import line
>>> line(CMD, CMD.run("sc queryex TermService", True), CMD.digest, CMD.rows(False, 0, 0),
...      begin="abcdefgh", end="jkmnpqrs")
'echo abcd^efgh&sc queryex TermService%_r%&%_h%&%_p% o%_e%&echo jkmn^pqrs'

The folder lies under %SystemRoot%, has a name that can't be guessed, inherits no rights, and is removed at the end
(rdp-repair.md 0a.3). Where endpoint protection blocks certutil, PowerShell hashes and encodes the same file.
"""

import re
from dataclasses import replace

from serialfix.console.dialogue import Conversation
from serialfix.console.keyboard import Keyboard, vary_case
from serialfix.console.markers import Markers
from serialfix.console.shells import NoAnswer, enter, type_command
from serialfix.console.slices import Dialect, Shell, plain

ROOT = r"C:\Windows"
POWERSHELL = r"%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe"  # rdp-repair.md 0a.14: full paths

DIGEST = 'certutil -hashfile o SHA256^&find /c /v "" ^<o'
VARIABLES = (
    # Behind a command: run it into the file "o", with its success as the last line.
    ("_r", "^>o 2^>^&1^&^&^>^>o echo ok^|^|^>^>o echo no"),
    # The checksum of "o" and the number of its lines.
    ("_h", DIGEST),
    # Show a file's lines with their numbers; between the two parts stands the file, or file and filter.
    ("_p", '(for /f "delims=" %a in (\'findstr /n "^"'),
    ("_e", "') do @echo(%a$)"),
)


def _run(command: str, exact: bool) -> str:
    # A digit that stands alone before ">" would say which stream goes into the file.
    apart = " " if re.search(r"(?:^|[\s,;=])\d$", command) else ""
    return f"{command if exact else vary_case(command)}{apart}%_r%"


def _rows(encoded: bool, first: int, last: int) -> str:
    numbers = " ".join(f"{number}:" for number in range(first, last + 1))
    chosen = f'^|findstr /b "{numbers}"' if first else ""
    return f"%_p% {'e' if encoded else 'o'}{chosen}%_e%"


CMD = Dialect(
    joint="&",
    mark=lambda first, second: f"echo {first}^{second}",
    run=_run,
    digest="%_h%",
    rows=_rows,
    encode='certutil -f -encode o e>nul&find /c /v "" <e',
    clear="cls",
)


def with_powershell(path: str) -> Dialect:
    """The dialect of a folder whose file is hashed and encoded by PowerShell where certutil is blocked."""
    content = rf"[IO.File]::ReadAllBytes('{path}\o')"
    digest = f"([BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash({content}))-replace'-')"
    encoded = f"[Convert]::ToBase64String({content})-split'(.{{64}})'-ne''"
    start = f"{POWERSHELL} -NoProfile -NonInteractive -Command"
    lines = (
        f'set _h={start} "{digest}.ToLower()"^&find /c /v "" ^<o',
        f'set _x={start} "{encoded}"^>e^&find /c /v "" ^<e',
    )
    nothing_else = f"set _h={DIGEST}"
    last = ((nothing_else,), replace(CMD, instead=None))
    return replace(CMD, instead=(lines, replace(CMD, encode="%_x%", instead=last)))


def new_folder(markers: Markers) -> str:
    """The path of a folder that is not there yet; whoever makes it can remove it whatever happens."""
    return rf"{ROOT}\{markers.draw(12)}"


def prepare(keyboard: Keyboard, markers: Markers, prompt: str, path: str) -> Conversation[Shell | None]:
    """Make the folder and the variables; None where that can't be done. Raises ShellLost, Untypable."""
    rights = '/inheritance:r /grant "*S-1-5-18:(OI)(CI)F" "*S-1-5-32-544:(OI)(CI)F"'
    protect = f"icacls {path} {rights}>nul&&chcp"
    for command in (f"md {path}&&{protect}", protect):
        framed, row = yield from type_command(keyboard, markers, prompt, command, exact=True)
        try:
            made = yield from enter(prompt, framed, row, most=4096, timeout=30.0)
        except NoAnswer:
            # At the bottom of a sampled screen even a short answer may scroll by. What was made is not made again.
            yield from plain(keyboard, prompt, "cls")
        else:
            break
    else:
        return None
    pages = re.findall(r"\d{3,5}", made.text)
    if made.exit_code != 0 or not pages:
        return None
    yield from plain(keyboard, prompt, f"cd /d {path}")
    for name, value in VARIABLES:
        yield from plain(keyboard, prompt, f"set {name}={value}")
    page = "utf-8" if pages[-1] == "65001" else f"cp{pages[-1]}"
    return Shell(with_powershell(path), prompt, page)


def remove(keyboard: Keyboard, markers: Markers, prompt: str, path: str) -> Conversation[bool]:
    """Remove the folder; whether it is gone. Raises ShellLost, Untypable."""
    yield from plain(keyboard, prompt, "cd \\")
    for _ in range(2):
        framed, row = yield from type_command(keyboard, markers, prompt, f"rd /s /q {path}&dir /b {path}", exact=True)
        try:
            listed = yield from enter(prompt, framed, row, most=4096, timeout=30.0)
        except NoAnswer:
            # At the bottom of a sampled screen even a short answer may scroll by; removing twice does no harm.
            yield from plain(keyboard, prompt, "cls")
        else:
            return listed.exit_code != 0
    return False
