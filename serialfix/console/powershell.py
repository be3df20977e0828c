r"""PowerShell in our own channel, started from our own cmd prompt; and the words with which it keeps and shows output.

Three things bend what is typed and shown there (windows-sac.md 3.2; rdp-repair.md 1 C2, C10): PSReadLine doubles equal
neighbours, progress bars repaint over the stream, and a profile may change anything. So PowerShell is started without a
profile, and its first line takes PSReadLine away, silences progress and sets a random prompt. That line is read back
before Enter like every other.

What is used often is defined once, as functions, so that little is typed for each question; ``h`` and ``r`` are
aliases, which go before functions, so their names begin with an underscore:

>>> from serialfix.console.slices import Asked
>>> POWERSHELL.ask("abcdefgh", [Asked("Get-Date", True)], "stream").text
"_q 'abcdefgh' {Get-Date;$global:k=$?} 99999"

The output, of both streams, is kept as lines in a variable; no file is made. Objects become text as the console shows
them, 4096 columns wide. Where a line holds anything but printable ASCII the base64 of the whole is shown instead. The
hash is .NET's, so nothing here needs certutil. In ConstrainedLanguage .NET can't be called (rdp-repair.md 0a.13): lines
are numbered as well, but there is no checksum. Rows are written by Write-Host, because what a pipeline shows is broken
at the width of the console by PowerShell itself. Common knowledge: about_Language_Modes, about_Automatic_Variables.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from serialfix.console.dialogue import TIMEOUT, Conversation, Expect, Send
from serialfix.console.folder import FIRST_FEW
from serialfix.console.folder import POWERSHELL as PROGRAM
from serialfix.console.keyboard import CTRL_C, ENTER, Keyboard
from serialfix.console.markers import Markers
from serialfix.console.screen import Row
from serialfix.console.shells import (
    PROMPT_TIMEOUT,
    NoAnswer,
    ShellLost,
    at_fresh,
    at_prompt,
    line_now,
    lost,
    not_lost,
    submit,
    type_at,
    type_in_shell,
    wake,
)
from serialfix.console.slices import Asked, Dialect, Shell, Spoken, Way, begins, ends, plain

Language = Literal["FullLanguage", "ConstrainedLanguage"]

START = f"{PROGRAM} -NoLogo -NoProfile"
START_TIMEOUT = 90.0  # seconds; the first start after a boot loads .NET from a cold disk
LEAVE_TIMEOUT = 30.0

LANGUAGE_MODE = "Write-Host ($ExecutionContext.SessionState.LanguageMode)"
FUNCTIONS = (
    # Run a block; the lines of its output, and as the last one its success and the exchange's key.
    "function _r($n,$b){$global:k=$false;$a=@(try{&$b 2>&1}catch{$_});"
    "if(@($a|?{$_ -isnot [string]}).Count){$a=@(($a|Out-String -Width 4096).TrimEnd())};"
    "$global:o=@($a|%{$_ -split '\\r?\\n'})+(@('no','ok')[$k]+' '+$n)}",
    "function _p($f,$l){for($i=$f;$i -le $l -and $i -le $p.Count;$i++){Write-Host ('{0}:{1}$' -f $i,$p[$i-1])}}",
    # Between the markers of an exchange: some lines; all that is kept (or its base64); what a block writes.
    'function _s($n,$f,$l){Write-Host "b$n";_p $f $l;Write-Host "e$n"}',
    'function _v($n,$l,$e){Write-Host "b$n";_h $e;_p 1 $l;Write-Host "e$n"}',
    "function _q($n,$b,$l){_r $n $b;_v $n $l}",
)
DIGESTS: dict[Language, str] = {
    "FullLanguage": 'function _h($e){$y=[Text.Encoding]::UTF8.GetBytes(($o -join "`r`n")+"`r`n");$global:p=$o;'
    "if($e -or @($o|?{$_.Length -gt 999 -or $_ -cmatch '[^ -~]'}).Count)"
    "{$global:p=@([Convert]::ToBase64String($y) -split '(.{72})' -ne '')};"
    "Write-Host (([BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($y)) -replace '-')"
    ".ToLower());Write-Host ($p.Count)}",
    # A control character would bend the screen; without a checksum nothing would tell.
    "ConstrainedLanguage": "function _h($e){$global:p=@($o|%{$_ -replace '[\\x00-\\x1f\\x7f-\\x9f]','?'});"
    "Write-Host ($p.Count)}",
}


class NoPowerShell(NoAnswer):
    """There is no PowerShell to be had; our cmd prompt stands. The message says why, as far as that can be seen."""


@dataclass(frozen=True, slots=True)
class PowerShell:
    """PowerShell's dialect: everything is a function, defined once. Letter case is kept: it shows in names."""

    together: int = 1
    ways: tuple[Way, ...] = ("stream", "few")
    instead: Dialect | None = None

    def ask(self, key: str, commands: Sequence[Asked], way: Way) -> Spoken:
        """Run the command and show what it wrote."""
        (command,) = commands
        if not closed(command.text):
            raise ValueError(f"something is left open in {command.text!r}")
        return Spoken(f"{_clear(way)}_q '{key}' {{{command.text};$global:k=$?}} {_last(way)}")

    def again(self, key: str, way: Way) -> Spoken:
        """Show it again."""
        return Spoken(f"{_clear(way)}_v '{key}' {_last(way)}")

    def encode(self, key: str, way: Way) -> Spoken:
        """Make base64 of it and show that."""
        return Spoken(f"{_clear(way)}_v '{key}' {_last(way)} 1")

    def rows(self, key: str, first: int, last: int, *, encoded: bool) -> Spoken:
        """Show the lines ``first`` to ``last`` of what was shown last."""
        del encoded
        return Spoken(f"cls;_s '{key}' {first} {last}", first=first)

    def define(self, word: str) -> str:
        """There are no words: all is defined at the start."""
        raise KeyError(word)


def _clear(way: Way) -> str:
    return "" if way == "stream" else "cls;"


def _last(way: Way) -> int:
    return {"stream": 99999, "head": 0}.get(way, FIRST_FEW)


POWERSHELL = PowerShell()


def first_line(marker: str) -> str:
    """The first line at a fresh prompt, which becomes ``marker`` and ``>``; typed otherwise than it prints."""
    prompt = f"function prompt{{'{marker[:3]}'+'{marker[3:]}>'}}"
    return f"Remove-Module PSReadLine -ea 0;$ProgressPreference='SilentlyContinue';{prompt}"


def closed(text: str) -> bool:
    """Whether every quote, brace, bracket and parenthesis of a command is closed in it, and it holds no comment.

    What is left open would take the rest of the typed line with it.

    >>> closed("(Get-Item 'C:}').Name"), closed("'"), closed("}{"), closed("1 # }")
    (True, False, False, False)
    """
    if not text.isprintable() or "@'" in text or '@"' in text:
        return False
    bare = re.sub(r"'[^']*'|\"(?:[^\"`$]|`.|\$(?!\())*\"", "x", text)
    if re.search("['\"`#]", bare):
        return False
    pairs, opened = {")": "(", "]": "[", "}": "{"}, ""
    for character in bare:
        if character in "([{":
            opened += character
        elif character in pairs:
            if opened[-1:] != pairs[character]:
                return False
            opened = opened[:-1]
    return not opened


def start(keyboard: Keyboard, markers: Markers, home: str) -> Conversation[tuple[Shell, Language]]:
    """From our own cmd prompt ``home`` to a PowerShell of ours, and its language mode.

    Raises NoPowerShell, ShellLost, Untypable.
    """
    yield from type_at(keyboard, home, START)
    yield Send(ENTER)
    found = yield Expect((at_fresh("powershell"), at_prompt(home), *lost()), timeout=START_TIMEOUT)
    if found is TIMEOUT:
        yield from _give_up(keyboard, home)
        raise NoPowerShell(f"PowerShell did not start within {START_TIMEOUT:.0f} s")
    if found.name == "prompt":
        raise NoPowerShell(
            "PowerShell ended at once: endpoint protection or a policy may block it, or it is not installed"
        )
    if found.name != "powershell":
        raise ShellLost("unknown")
    prompt = yield from _set_prompt(keyboard, markers)
    for text in FUNCTIONS:
        yield from plain(keyboard, prompt, text)
    shell = Shell(POWERSHELL, prompt, home=home)
    language = yield from _language(keyboard, markers, shell)
    if language not in DIGESTS:
        yield from leave(keyboard, shell)
        raise NoPowerShell(f"PowerShell runs in the language mode {language or 'that could not be read'}")
    yield from plain(keyboard, prompt, DIGESTS[language])
    return shell, language


def leave(keyboard: Keyboard, shell: Shell) -> Conversation[None]:
    """``exit``: back to the cmd prompt that PowerShell was started from. Raises ShellLost, Untypable."""
    yield from type_at(keyboard, shell.prompt, "exit")
    yield Send(ENTER)
    found = yield Expect((at_prompt(shell.home), *lost()), timeout=LEAVE_TIMEOUT)
    if found.name != "prompt":
        raise ShellLost("unknown")


def _set_prompt(keyboard: Keyboard, markers: Markers) -> Conversation[str]:
    yield from wake("powershell")
    for _ in range(5):
        marker = markers.draw(6)
        found = yield Expect((at_fresh("powershell"), *lost()), timeout=PROMPT_TIMEOUT)
        if found.name != "powershell":
            raise ShellLost("unknown")
        old = yield from line_now()
        yield from type_in_shell(keyboard, old, first_line(marker))
        yield Send(ENTER)
        prompt = f"{marker}>"
        found = yield Expect((at_prompt(prompt),), timeout=10.0)
        if found.name == "prompt":
            return prompt
        # It may have been eaten after all: look again and type it again.
    raise ShellLost("unknown")


def _give_up(keyboard: Keyboard, home: str) -> Conversation[None]:
    """PowerShell hangs while it starts: back to cmd, or the shell is lost."""
    yield from not_lost()
    yield Send(CTRL_C)
    found = yield Expect((at_prompt(home), at_fresh("powershell"), *lost()), timeout=10.0)
    if found.name == "powershell":  # it was slow, and came now
        old = yield from line_now()
        yield from type_in_shell(keyboard, old, "exit")
        yield Send(ENTER)
        found = yield Expect((at_prompt(home), *lost()), timeout=LEAVE_TIMEOUT)
    if found.name != "prompt":
        raise ShellLost("unknown")


def _language(keyboard: Keyboard, markers: Markers, shell: Shell) -> Conversation[str]:
    key = markers.draw()
    yield from type_at(keyboard, shell.prompt, f'cls;$n=\'{key}\';Write-Host "b$n";{LANGUAGE_MODE};Write-Host "e$n"')

    def read(rows: Iterable[Row]) -> str:
        texts = [row.text for row in rows]
        if begins(key) not in texts or ends(key) not in texts:
            raise NoAnswer("the language mode could not be read")
        return " ".join(texts[texts.index(begins(key)) + 1 : texts.index(ends(key))])

    return (yield from submit(shell.prompt, ends(key), 0, read, most=4096, timeout=30.0, home=shell.home, cleared=True))
