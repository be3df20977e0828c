r"""Lines out of a paste: what a person copied from a window, a ticket or a wiki, around the output of a command.

Source: output-formats.md "Distortions seen" and "What happens at 80 columns": prompts and echoed commands, pager
lines, Markdown, "[...]" where somebody cut, padding to the width of the window, and lines broken at exactly that width.
A reader of one command takes the lines that this module leaves as ``text``, and says which of them it could not read.

>>> for line in Paste.of("C:\\>netstat -an\n-- More  --\n  TCP    0.0.0.0:22\n[...]\n").lines:
...     print(line.number, line.role, repr(line.text))
1 command 'C:\\>netstat -an'
3 text '  TCP    0.0.0.0:22'
4 elided '[...]'
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from serialfix.steps import Unreadable

Role = Literal["text", "blank", "command", "elided", "noise"]

WIDTHS = frozenset({80, 100, 120, 132, 140, 150, 160, 180, 200, 240})
"""Widths of windows at which a line may have been broken without any other sign of it."""

_SHOWN = 200
_BREAK = re.compile(r"\r*\n|\r+|\x0c")
_ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>])|[\x00-\x08\x0e-\x1f\x7f\ufeff]"
)
_CONTROL = re.compile(r"[\x80-\x9f]")
# One word between the dashes: netstat of XP prints "-- unknown component(s) --", which is no pager.
_PAGER = re.compile(r"^\s*-- ?[^\W\d_]{3,15} {1,2}(?:\(\d{1,3}%\) ?)?--\s*")
_ELIDED = re.compile(
    r"\s*(?:\[ ?(?:\.{2,}|…) ?\]|<(?:\.{2,}|…)>|\.{3,}|…+"
    r"|[<\[(-]{1,3} ?(?:snip(?:ped)?|truncated|cut|omitted) ?[>\])-]{1,3})\s*",
    re.IGNORECASE,
)
_NOISE = re.compile(
    r"\s*(?:```.*|~~~.*|<!--.*-->|Microsoft Windows \[.*\]|(?:\(c\)|©|Copyright).*Microsoft.*)\s*", re.IGNORECASE
)
_PROMPT = re.compile(
    r"""\s*(?:\*Evil-WinRM\*\ |\[[^\]\s]+\]:\ )?(?:\([\w .-]+\)\ ?)?
        (?: (?:PS\ ?)?
            (?: [A-Za-z]:[\\/]?[^<>|"?*]* | \\\\[^<>|"?*]+ | (?:[A-Za-z.\\]+::|HK[A-Z]{2}:|Cert:|Env:)[^<>|"?*]* ) >
          | PS\ ?> | >>(?=\s|$) | SAC> | meterpreter\ > | \w+@[\w.-]+:[^#$]*[#$](?=\s|$) | [$\#](?=\ \S) )
        (?P<command>.*)""",
    re.VERBOSE,
)
_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")


@dataclass(frozen=True, slots=True)
class Unread:
    """A line that could not be read: its number in the paste, counted from 1, its text and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line: ``raw`` as pasted (with the blanks at its end), ``text`` without them and without Markdown's bold."""

    number: int
    raw: str
    text: str
    role: Role

    @property
    def indent(self) -> int:
        """Blanks before the text."""
        return len(self.text) - len(self.text.lstrip())

    @property
    def command(self) -> str:
        """What was typed at a prompt; empty for every other line."""
        found = _PROMPT.fullmatch(self.text) if self.role == "command" else None
        return (found["command"] if found else self.text if self.role == "command" else "").strip()

    def unread(self, why: str) -> Unread:
        """This line as one that could not be read."""
        return Unread(self.number, self.text.strip()[:_SHOWN], why)


@dataclass(frozen=True, slots=True)
class Paste:
    """The lines in order, without pager lines. ``width``: the width of the window, where the paste shows it."""

    lines: tuple[Line, ...]
    width: int | None

    @staticmethod
    def of(text: str) -> "Paste":
        """Cut ``text`` into lines and tell what each of them is. Raises Unreadable where there is no text at all."""
        raws = _unquoted([_ESCAPES.sub("", raw).expandtabs(8) for raw in _BREAK.split(text)])
        lines: list[Line] = []
        typed = ""
        # A wiki that doubles every line break puts a blank line behind each line, also inside what belongs together.
        doubled = len(raws) >= 8 and not any(raw.strip() for raw in raws[1::2])
        for number, raw in enumerate(raws, start=1):
            if doubled and number % 2 == 0:
                continue
            # A control character above ASCII is a letter of an OEM page that was decoded as Latin-1.
            raw = _CONTROL.sub("\ufffd", raw)  # noqa: PLW2901
            rest = _PAGER.sub("", raw, count=1)
            if rest != raw and not rest.strip():
                continue
            line = _line(number, rest, typed)
            if line.role != "blank":
                typed = line.command if _PROMPT.fullmatch(line.text) else ""
            lines.append(line)
        if not any(line.role != "blank" for line in lines):
            raise Unreadable("there is no text in it")
        while lines[-1].role == "blank":
            lines.pop()
        return Paste(tuple(lines), _width(raws))

    def joined(self, index: int, most: int = 5) -> Iterator[tuple[int, str]]:
        """What the line at ``index`` may have been before a window broke it: (how many lines more, the whole text).

        Only lines that fill the width of the window are joined with what follows; a blank that was lost at the very
        end of such a line is put back. Nothing is yielded where the paste shows no width.
        """
        line = self.lines[index]
        if self.width is None or line.role != "text":
            return
        whole, filled = "", line.text
        for more, following in enumerate(self.lines[index + 1 : index + 1 + most], start=1):
            if following.role != "text" or not self.width - 1 <= len(filled) <= self.width:
                return
            whole += filled.ljust(self.width)
            filled = following.text
            yield more, whole + filled


def starts_with_program(text: str, programs: Iterable[str]) -> bool:
    """Whether a line is a command without its prompt: begins with one of ``programs``."""
    return re.match(rf"\s*(?:{'|'.join(programs)})(?:\.exe)?(?:\s+\S|\s*$)", text, re.IGNORECASE) is not None


def damaged(text: str) -> bool:
    """Whether characters were lost when somebody decoded this text: U+FFFD stands where they were."""
    return "\ufffd" in text


def in_order(unread: Iterable[Unread]) -> tuple[Unread, ...]:
    """By line, each line once."""
    by_line: dict[int, Unread] = {}
    for item in unread:
        by_line.setdefault(item.line, item)
    return tuple(by_line[number] for number in sorted(by_line))


def strictly(unread: tuple[Unread, ...], command: str) -> None:
    """For an exact answer to a probe: raise Unreadable when there is any line that was not read."""
    if unread:
        raise Unreadable(f"a line that {command} does not print: {unread[0].text[:60]!r} ({unread[0].why})")


def _line(number: int, raw: str, typed: str) -> Line:
    text = _BOLD.sub(r"\1", raw).rstrip()
    role: Role = "text"
    if not text:
        role = "blank"
    elif _ELIDED.fullmatch(text):
        role = "elided"
    elif _NOISE.fullmatch(text):
        role = "noise"
    elif _PROMPT.fullmatch(text) or (typed and text.strip() == typed):
        role = "command"
    return Line(number, raw, text, role)


def _unquoted(raws: list[str]) -> list[str]:
    """Without the ``> `` of a quotation, where every line has it; Select-String marks only the lines that match."""
    filled = [raw for raw in raws if raw.strip()]
    if len(filled) > 1 and all(re.match(r" {0,3}>(?: |$)", raw) for raw in filled):
        return [re.sub(r"^ {0,3}> ?", "", raw, count=1) for raw in raws]
    return raws


def _width(raws: list[str]) -> int | None:
    filled = [raw for raw in raws if raw.strip()]
    longest = max((len(raw) for raw in filled), default=0)
    padded = [raw for raw in filled if len(raw) == longest and raw.endswith(" ")]
    if longest >= 40 and len(padded) * 2 > len(filled):
        return longest
    shown = max((len(raw.rstrip()) for raw in filled), default=0)
    # A blank at the break may be lost with the others at the ends of lines.
    return next((width for width in sorted(WIDTHS) if width - 1 <= shown <= width), None)
