"""What a program in the VM is: a generator that says what it waits for, and the world it sees.

A program writes with ``out`` and ``err`` at once; it yields only to wait: for a line, a key or time. It ends with its
exit code. Thus nothing here knows a clock, and a test runs a program by hand.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serialfix.simulator.sids import Token

if TYPE_CHECKING:
    from serialfix.simulator.vm import Vm


@dataclass(frozen=True, slots=True)
class ReadLine:
    """Wait for a line from the console; ``echo``: "text", "stars" or "none"; ``purpose`` is for the journal.

    ``doubles``: of two equal keys that come at once, one or three are made (PSReadLine, windows-sac.md 3.2).
    ``reader``: which shell reads, where it is one.
    """

    echo: str = "text"
    purpose: str = "input"
    doubles: bool = False
    reader: str = "cmd"


@dataclass(frozen=True, slots=True)
class ReadKey:
    """Wait for one key, or at most ``timeout`` seconds ('' comes back then)."""

    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Clear:
    """Clear the console."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """Paint over the first rows of the screen, as a progress bar does; no rows: give back what was below."""

    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Title:
    """Set the console's title."""

    text: str


Request = ReadLine | ReadKey | Sleep | Clear | Title | Overlay
Steps = Generator[Request, str, int]


class Interrupted(Exception):
    """Ctrl-C reached the program."""


class Stdin:
    """Redirected input: text read line by line."""

    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)

    def line(self) -> str:
        """Return the next line without its end, or '' at the end of the input."""
        return self._lines.pop(0).rstrip("\r\n") if self._lines else ""

    def rest(self) -> str:
        """Return all that is left."""
        text, self._lines = "".join(self._lines), []
        return text

    @property
    def empty(self) -> bool:
        """Whether the input is used up."""
        return not self._lines


@dataclass(slots=True)
class Process:
    """What one program sees: its arguments, its streams, its environment and the VM.

    ``stdin`` None is the console, ``to_console`` says whether ``out`` is.
    """

    vm: "Vm"
    name: str
    tail: str
    args: list[str]
    cwd: str
    environment: dict[str, str]
    out: Callable[[str], None]
    err: Callable[[str], None]
    stdin: Stdin | None = None
    to_console: bool = True
    rows: int = 24
    extra: dict[str, object] = field(default_factory=dict)
    identity: Token | None = None

    @property
    def token(self) -> Token:
        """Who the program is: whoever started it, else the administrator."""
        return self.identity or self.vm.administrator()

    def read_line(self) -> Generator[Request, str, str]:
        """Read one line from wherever input comes from."""
        if self.stdin is not None:
            return self.stdin.line()
        return (yield ReadLine())

    def line(self, text: str = "") -> None:
        """Write one line to standard output."""
        self.out(text + "\r\n")

    def fail(self, text: str, code: int = 1) -> int:
        """Write one line to standard error and return the exit code."""
        self.err(text + "\r\n")
        return code


Program = Callable[[Process], "int | Steps"]


def split_arguments(tail: str) -> list[str]:
    r"""Split a command line as C programs do: blanks, double quotes, ``\"``.

    >>> split_arguments(r'add "HKLM\A B" /v x /d "a \"b\" c\\"')
    ['add', 'HKLM\\A B', '/v', 'x', '/d', 'a "b" c\\']
    """
    found: list[str] = []
    current, quoted, started, slashes = "", False, False, 0
    for character in tail + " ":
        if character == "\\":
            slashes += 1
            continue
        if character == '"':
            current += "\\" * (slashes // 2)
            started = True
            if slashes % 2:
                current += '"'
            else:
                quoted = not quoted
            slashes = 0
            continue
        if slashes:
            current, started, slashes = current + "\\" * slashes, True, 0
        if character in " \t" and not quoted:
            if started:
                found.append(current)
            current, started = "", False
        else:
            current, started = current + character, True
    if started:
        found.append(current.removesuffix(" "))
    return found
