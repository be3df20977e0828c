r"""Frame one command in cmd, so that its output can be cut out of what the console shows, line by line.

The screen breaks long lines, in some consoles with a CR LF that no program wrote, so a row that is full says nothing
about where its line ends. ``findstr /n`` numbers the lines in the VM: a row that does not begin with the next number
goes on with the line before, and a number that is missing is a line that was lost (then there is no answer). Two
markers stand first and last, each typed in a form that differs from the one it prints (the caret vanishes when cmd
reads the line), so neither the echo nor anything that was in the VM before can pass for an answer:

>>> frame("reg query HKLM\\SOFTWARE /s", begin="abcdefgh", end="jkmnpqrs").line
'(echo abcd^efgh&reg query HKLM\\SOFTWARE /s 2>&1&&echo jkmn^pqrs 0||echo jkmn^pqrs 1)|findstr /n "^"'

``&&`` and ``||`` say whether the command's exit code was 0; ``%ERRORLEVEL%`` would be expanded before it ran
(rdp-repair.md C5). Programs that write to a pipe use the OEM code page, so characters it has not got are lost; facts
are never read from translated text.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from serialfix.console.dialogue import LULL, TIMEOUT, Conversation, Expect, Send, Shown
from serialfix.console.expect import Found, Pattern
from serialfix.console.keyboard import BACKSPACE, CTRL_C, ENTER, Keyboard, Untypable, type_line, vary_case
from serialfix.console.markers import Markers
from serialfix.console.modes import IN_WORDS, Kind, read_mode
from serialfix.console.screen import COLUMNS, ROWS, Row, Screen
from serialfix.steps import Output

T = TypeVar("T")

PROMPT_TIMEOUT = 15.0
WAKE_TIMEOUT = 1.5
MOVES = 2  # rows by which a typed line moves a sampled screen, from which it is better to clear that first
UNREAD = 0.02  # seconds; nobody read what came since the last conversation: the prompt may be gone for long
_ADDRESSED = Pattern("addressed", r"\x1b\[\d{1,2};\d{1,2}H", width=10)
# What "more" waits with; its word is another one in every language, so this is looked for only where we run it.
PAGER = re.compile(r"-- .{1,30} -- ?")
NEXT_PAGE, QUIT_PAGER = b" ", b"q"
SEEMS_LOST = 20  # how often output may look like another prompt before the command is given up


class ShellLost(Exception):
    """The shell is no longer at the cursor: the channel was closed, or asks for a login again, or the shell ended.

    ``found`` "cmd": the shell that it was started from stands there.
    """

    def __init__(self, found: Kind) -> None:
        super().__init__(f"the shell is gone; the console shows {IN_WORDS[found]}")
        self.found = found


class NoAnswer(Exception):
    """The shell is fine, but the answer could not be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Frame:
    """``line`` is typed; ``begin`` and ``end`` are what the markers look like when printed."""

    line: str
    begin: str
    end: str


def frame(command: str, *, begin: str, end: str) -> Frame:
    """Frame ``command`` for an interactive cmd prompt."""
    if command.count('"') % 2:
        # reg add with an unbalanced quote makes a key named like the rest of the line, and says 0 (test-beds.md).
        raise ValueError(f"unbalanced quotes in {command!r}")
    first, last = f"{begin[:4]}^{begin[4:]}", f"{end[:4]}^{end[4:]}"
    return Frame(f'(echo {first}&{command} 2>&1&&echo {last} 0||echo {last} 1)|findstr /n "^"', begin, end)


def set_prompt(keyboard: Keyboard, markers: Markers) -> Conversation[str]:
    """At a cmd prompt: change it to a random one; how it looks. Raises ShellLost, Untypable.

    Output may hold text that looks like a prompt, but not like one that was drawn a moment ago (windows-sac.md 6.14).
    The shell is our own and ends with its channel, so nothing has to be put back. A console that puts the new prompt
    there by cursor address, instead of sending what cmd wrote, shows samples of a screen (windows-sac.md 2.3).
    """
    yield from wake("cmd")
    for _ in range(5):
        marker = markers.draw(6)
        found = yield Expect((at_fresh("cmd"), *lost()), timeout=PROMPT_TIMEOUT)
        if found.name != "cmd":
            raise ShellLost(_kind(found.name))
        old = yield from line_now()
        yield from type_in_shell(keyboard, old, f"prompt {marker}$g")
        yield Send(ENTER)
        prompt = f"{marker}>"
        found = yield Expect((at_prompt(prompt),), stream=(_ADDRESSED,), timeout=5.0)
        if found.name == _ADDRESSED.name:
            keyboard.sampled = True
            found = yield Expect((at_prompt(prompt),), timeout=5.0)
        if found.name == "prompt":
            return prompt
        # It may have been eaten after all: look again and type it again.
    raise ShellLost("unknown")


def wake(shell: Kind) -> Conversation[None]:
    """Enter at a shell's prompt until a new one comes: the first command at a new prompt is often eaten, echo and all.

    windows-sac.md 3.2. An empty line is the one command that may be eaten, or run twice, without harm. ``shell``: "cmd"
    or "powershell". Raises ShellLost.
    """
    for _ in range(5):
        found = yield Expect((at_fresh(shell), *lost()), timeout=PROMPT_TIMEOUT)
        if found.name != shell:
            raise ShellLost(_kind(found.name))
        before: list[object] = []

        def read(screen: Screen, before: list[object] = before) -> bool:
            before[:] = [screen.cursor, screen.rows()]
            return True

        def fresh(screen: Screen, before: list[object] = before) -> bool:
            # At the bottom of a sampled screen the prompt comes where the last one stood, and what is above has moved.
            mode = read_mode(screen)
            return mode.kind == shell and not mode.typed and before != [screen.cursor, screen.rows()]

        yield Expect((Shown("before", read),), timeout=0.0)
        yield Send(ENTER)
        found = yield Expect((Shown("fresh", fresh),), timeout=WAKE_TIMEOUT)
        if found is not TIMEOUT:
            return


def come_back(*prompts: str) -> Conversation[str]:
    """In the shown channel of a shell that we left without a word: to one of its ``prompts``, which were ours.

    Which of them stands there; "": none, the channel asks for a login, is gone or does not answer. What we had typed
    there, or what still runs, is stopped with Ctrl-C; a login and SAC get no key.
    """
    ours = tuple(_at(prompt, prompt) for prompt in prompts)
    # A redraw passes through every mode, but not through a prompt that nobody could know, alone at the cursor; should
    # it go on behind it, what is typed next is not read back where it should stand.
    found: Found = yield Expect(ours, timeout=20.0, quiet=2.0)
    if found.name in prompts:
        return found.name
    modes: list[Kind] = []

    def read(screen: Screen) -> bool:
        modes[:] = [read_mode(screen).kind]
        return True

    yield Expect((Shown("mode", read),), timeout=0.0)
    if modes != ["unknown"]:
        return ""
    yield Send(CTRL_C)
    found = yield Expect((*ours, *lost()), timeout=10.0)
    return found.name if found.name in prompts else ""


def type_command(
    keyboard: Keyboard, markers: Markers, prompt: str, command: str, *, exact: bool, before: str = ""
) -> Conversation[tuple[Frame, int]]:
    """Type one framed command at our own prompt, without Enter; its frame, and the row where its line begins.

    ``exact``: its letter case matters. ``before``: what the shell itself does first; a frame's command runs in a shell
    of its own. Raises ShellLost, Untypable.
    """
    framed = frame(command if exact else vary_case(command), begin=markers.draw(), end=markers.draw())
    return framed, (yield from type_at(keyboard, prompt, before + framed.line))


def type_at(keyboard: Keyboard, prompt: str, text: str) -> Conversation[int]:
    """Type ``text`` at our own prompt, without Enter; the row where its line begins. Raises ShellLost, Untypable."""
    yield Expect((), timeout=1.0, quiet=UNREAD)
    found = yield Expect((at_prompt(prompt), *lost()), timeout=PROMPT_TIMEOUT)
    if found.name != "prompt":
        raise ShellLost(_kind(found.name))
    row: list[int] = []
    stale: list[str] = []

    def read(screen: Screen) -> bool:
        row[:] = [screen.cursor[0]]
        stale[:] = [screen.rest_of_line()]
        below = ROWS - 1 - screen.cursor_row
        if keyboard.sampled and (len(prompt) + len(text)) // COLUMNS - below >= MOVES:
            # Each row that a line takes at the bottom moves all others, and a sampled screen is sent anew for each.
            stale[0] = stale[0] or " "
        return True

    yield Expect((Shown("row", read),), timeout=0.0)
    if stale[0]:
        # A login that was drawn over our screen may have left its text in our line, where nothing could be read back.
        yield from type_in_shell(keyboard, prompt, "cls", stale=stale[0])
        yield Send(ENTER)
        yield Expect((Shown("clean", lambda screen: _clean(screen, prompt)),), timeout=PROMPT_TIMEOUT)
        yield Expect((Shown("row", read),), timeout=0.0)
    yield from type_in_shell(keyboard, prompt, text)
    return row[0]


def type_in_shell(keyboard: Keyboard, prompt: str, text: str, *, stale: str = "") -> Conversation[None]:
    """Type behind a shell's ``prompt``, without Enter. Raises ShellLost where it is gone, Untypable."""
    try:
        yield from type_line(keyboard, prompt, text, stale=stale, gone=lost())
    except Untypable as problem:
        if problem.shows:
            raise ShellLost(_kind(problem.shows)) from None
        raise


def _clean(screen: Screen, prompt: str) -> bool:
    return screen.line_to_cursor() == prompt and not screen.rest_of_line()


def enter(prompt: str, framed: Frame, first_row: int, *, most: int, timeout: float) -> Conversation[Output]:
    """Press Enter behind a typed command and read its answer. Raises ShellLost, NoAnswer.

    ``most``: bytes; more is cut. ``timeout``: seconds until the command is stopped with Ctrl-C.
    """
    return (
        yield from submit(
            prompt, framed.end, first_row, lambda rows: cut(rows, framed, most), most=most, timeout=timeout
        )
    )


def submit(
    prompt: str,
    end: str,
    first_row: int,
    read: Callable[[Iterable[Row]], T],
    *,
    most: int,
    timeout: float,
    home: str = "",
    cleared: bool = False,
    paged: bool = False,
) -> Conversation[T]:
    """Press Enter; when ``end`` and our prompt stand, what ``read`` makes of the rows from ``first_row`` on.

    ``read`` raises NoAnswer while rows are missing. ``most``: bytes expected at most; far more is a flood and is
    stopped with Ctrl-C, like a command that takes longer than ``timeout`` seconds. ``home``: the prompt of the shell
    that ours was started from, which stands there when ours has ended. ``cleared``: the command clears the screen
    first, so the rows are those that are shown. ``paged``: it goes through ``more``; each page is turned with a blank.
    Raises ShellLost, NoAnswer.
    """
    gone = (*lost(), *((_at(home, "cmd"),) if home else ()))
    # ``first_row`` may lie far above: what came before this command is no flood of it.
    top: list[int] = []

    def here(screen: Screen) -> bool:
        top[:] = [screen.cursor[0]]
        return True

    yield Expect((Shown("here", here),), timeout=0.0)
    yield Send(ENTER)
    answer: list[T] = []
    pages: list[list[str]] = []
    missing = NoAnswer("the answer could not be read")

    def ended(screen: Screen) -> bool:
        line = screen.line_to_cursor()
        return (line.rstrip(" ") if pages else line) == prompt and any(end in row for row in screen.rows())

    def answered(screen: Screen) -> bool:
        nonlocal missing
        if not ended(screen):
            return False
        try:
            answer[:] = [read(_joined(pages, screen.rows()) if cleared else screen.since(first_row))]
        except NoAnswer as problem:
            missing = problem
            return False
        return True

    def turned(screen: Screen) -> bool:
        if not paged or not PAGER.fullmatch(screen.line_to_cursor()):
            return False
        rows = screen.rows()[: screen.cursor_row]
        if pages and pages[-1] == rows:
            return False  # the page that was turned just now
        pages.append(rows)
        return True

    def flooded(screen: Screen) -> bool:
        return (screen.cursor[0] - top[0]) * 40 > 4 * most

    watched = (Shown("answered", answered), Shown("ended", ended), Shown("page", turned), Shown("flood", flooded))
    final = ("answered", "ended", "flood", "timeout", "page")
    found = yield Expect((*watched, *gone), timeout=timeout)
    unsure = 0
    while found.name == "page" or (found.name not in final and unsure < SEEMS_LOST):
        if found.name == "page":
            # More than was asked for is left in the VM.
            enough = sum(len(row) for page in pages for row in page) > 2 * most
            yield Send(QUIT_PAGER if enough else NEXT_PAGE)
            found = yield Expect((*watched, *gone), timeout=timeout)
            continue
        # Output may look like a prompt in passing; a lost shell is still lost when all is quiet.
        unsure += 1
        shows = _kind(found.name)
        found = yield Expect(watched, timeout=timeout, quiet=1.0)
        if found is LULL:
            found = yield Expect((*watched, *gone), timeout=0.0)
            if found.name not in final:
                raise ShellLost(shows)
            if found is TIMEOUT:
                found = yield Expect((*watched, *gone), timeout=timeout)
    if found.name == "ended":
        # A console that paints a screen may not be done with the rows above.
        found = yield Expect((watched[0],), timeout=timeout, quiet=0.6)
        if found.name != "answered":
            raise missing
    if found.name == "answered":
        if pages:
            yield from _take_back(prompt)
        return answer[0]
    yield from interrupt(prompt, home=home)
    if found is TIMEOUT:
        raise NoAnswer(f"no answer within {timeout:.0f} s; the command was stopped with Ctrl-C")
    raise NoAnswer(f"the answer is far longer than the {most} bytes expected; the command was stopped with Ctrl-C")


def _joined(pages: Sequence[Sequence[str]], rows: Sequence[str]) -> list[Row]:
    """Pages and the rows that are shown now, one behind the other; what a page shows again of the last one once."""
    texts: list[str] = []
    for page in (*pages, rows):
        longest = min(len(texts), len(page))
        again = next((count for count in range(longest, 0, -1) if texts[-count:] == list(page[:count])), 0)
        texts += page[again:]
    return [Row(number, text) for number, text in enumerate(texts)]


def _take_back(prompt: str) -> Conversation[None]:
    """Erase a blank that no page was waiting for: output looked like a pager for a moment. Raises ShellLost."""
    for _ in range(3):
        found = yield Expect((at_prompt(prompt),), timeout=0.0)
        if found.name == "prompt":
            return
        yield Send(BACKSPACE)
        yield Expect((at_prompt(prompt),), timeout=PROMPT_TIMEOUT, quiet=1.0)
    raise ShellLost("unknown")


def interrupt(prompt: str, *, home: str = "") -> Conversation[None]:
    """Ctrl-C in our own shell, then prove the prompt. ``home``: as for ``submit``. Raises ShellLost."""
    yield from not_lost()
    yield Send(CTRL_C)
    gone = (*lost(), *((_at(home, "cmd"),) if home else ()))
    found = yield Expect((at_prompt(prompt), *gone), timeout=10.0)
    if found.name != "prompt":
        raise ShellLost(_kind(found.name))


def cut(rows: Iterable[Row], framed: Frame, most: int) -> Output:
    """The answer between the markers, its lines put together from the screen's rows. ``most``: bytes.

    ``exit_code`` is 0 or 1. Raises NoAnswer when a line is not there, or where lines can't be told apart.
    """
    lines: list[str] = []
    width = 0  # of the last line, as far as the rows that are full of it
    for row in rows:
        number = len(lines) + 1
        if number == 1 and row.text != f"1:{framed.begin}":
            continue
        if row.text.startswith(f"{number}:"):
            lines.append(row.text)
            width = COLUMNS
        elif row.text.startswith(f"{number - 1}:"):
            # Two rows begin with this number: one of them goes on with a line, and nothing tells which.
            raise NoAnswer("the lines of the answer can't be told apart")
        else:
            # Blanks at a row's end can't be seen, so a full row may look short.
            lines[-1] = lines[-1].ljust(width) + row.text
            width += COLUMNS
        if re.fullmatch(rf"{number}:{framed.end} [01]", row.text):
            break
    else:
        raise NoAnswer("a part of the answer scrolled off before it could be read")
    exit_code = int(lines[-1][-1])
    lines = [line.removeprefix(f"{number}:").rstrip() for number, line in enumerate(lines, start=1)]
    text = "".join(line + "\n" for line in lines[1:-1])
    partial = len(text.encode()) > most
    if partial:
        text = text.encode()[:most].decode(errors="ignore")
    return Output(text, exit_code, "screen", partial)


def at_prompt(prompt: str) -> Shown:
    """Our own prompt stands alone at the cursor."""
    return _at(prompt, "prompt")


def _at(prompt: str, name: str) -> Shown:
    return Shown(name, lambda screen: screen.line_to_cursor() == prompt)


def at_fresh(shell: Kind) -> Shown:
    """A prompt as ``shell`` ("cmd" or "powershell") has it by itself, and nothing typed."""

    def fresh(screen: Screen) -> bool:
        mode = read_mode(screen)
        return mode.kind == shell and not mode.typed

    return Shown(shell, fresh)


def line_now() -> Conversation[str]:
    """What stands left of the cursor, where a prompt was seen just now."""
    yield Expect((), timeout=10.0, quiet=0.05)
    line: list[str] = []

    def read(screen: Screen) -> bool:
        line[:] = [screen.line_to_cursor()]
        return True

    yield Expect((Shown("line", read),), timeout=0.0)
    return line[0]


def not_lost() -> Conversation[None]:
    """Before a key that acts: raises ShellLost where something else than our shell is seen to stand there."""
    found = yield Expect(lost(), timeout=0.0)
    if found is not TIMEOUT:
        raise ShellLost(_kind(found.name))


def lost() -> tuple[Shown, ...]:
    """The prompts that mean that no shell is shown any more."""
    kinds: tuple[Kind, ...] = ("username", "sac", "stripped sac", "preview")

    def shows(kind: Kind) -> Shown:
        return Shown(kind, lambda screen: read_mode(screen).kind == kind)

    return tuple(shows(kind) for kind in kinds)


def _kind(name: str) -> Kind:
    kinds: dict[str, Kind] = {
        "username": "username",
        "sac": "sac",
        "stripped sac": "stripped sac",
        "preview": "preview",
        "cmd": "cmd",
    }
    return kinds.get(name, "unknown")
