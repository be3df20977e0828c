"""The terminal of the person at work: a question with its answer, or raw keys and a whole screen. The one door.

The only import of ``prompt_toolkit``, which knows the terminals of Linux, macOS and Windows; its names of keys (``up``,
``c-h``, ``<bracketed-paste>``) are used as plain strings elsewhere.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from types import TracebackType

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app_session
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.output import create_output

from serialfix.tui.keys import PASTE, Key

ALONE = 0.1
"""Seconds after which an Escape stands for itself and begins no other key."""

# The alternate screen, cleared, and pasted text told apart from typed text; and back.
_ENTER = "\x1b[?1049h\x1b[2J\x1b[H\x1b[?2004h"
_LEAVE = "\x1b[?2004l\x1b[0m\x1b[?25h\x1b[?1049l"
_ENTER_RAW, _LEAVE_RAW = "\x1b[?2004h", "\x1b[?2004l\x1b[0m\x1b[?25h\r\n"


async def ask(question: str, *, hidden: bool = False) -> str | None:
    """The answer of the person at the terminal; None for Ctrl-C or Ctrl-D."""
    try:
        # Standard output may be a file that waits for the JSON document: then the question goes to standard error.
        output = create_output(always_prefer_tty=True)
        answer: str = await PromptSession(output=output).prompt_async(question, is_password=hidden)
    except (EOFError, KeyboardInterrupt):
        return None
    return answer


class RawTerminal:
    """Every key as it is pressed, and a screen of our own. A context: whatever ends it, the terminal is as before.

    ``whole`` False: what is written passes below what stands there, without a screen of its own.
    """

    def __init__(self, pressed: Callable[[list[Key]], None], closed: Callable[[], None], *, whole: bool = True) -> None:
        self._pressed = pressed
        self._closed = closed
        self._input = get_app_session().input
        self._output = create_output(always_prefer_tty=True)
        self._enter, self._leave = (_ENTER, _LEAVE) if whole else (_ENTER_RAW, _LEAVE_RAW)
        self._stack = contextlib.ExitStack()
        self._alone: asyncio.TimerHandle | None = None
        self._was_tty = _is_tty(self._input)

    def __enter__(self) -> "RawTerminal":
        with contextlib.ExitStack() as stack:
            # What the person types while we leave must not reach the shell half: it stays raw until all is undone.
            stack.enter_context(self._input.raw_mode())
            stack.callback(self._write_last)
            stack.enter_context(self._input.attach(self._read))
            self.write(self._enter)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._alone is not None:
            self._alone.cancel()
        # A terminal that was hung up has nothing left that could be put back.
        with contextlib.suppress(OSError):
            self._stack.close()

    def size(self) -> tuple[int, int]:
        """Rows and columns now."""
        try:
            size = self._output.get_size()
        except OSError:
            return 25, 80
        return (size.rows, size.columns) if size.rows > 0 and size.columns > 0 else (25, 80)

    def write(self, text: str) -> None:
        """Write ``text`` as it is: only what was made safe, or is our own."""
        with contextlib.suppress(OSError):  # hung up: ``closed`` says so
            self._output.write_raw(text)
            self._output.flush()

    def _write_last(self) -> None:
        self.write(self._leave)

    def _read(self) -> None:
        if self._alone is not None:
            self._alone.cancel()
        pressed = self._input.read_keys()
        self._tell(pressed)
        # A terminal that is gone is always ready to be read, and never says that it is gone.
        if self._input.closed or (not pressed and self._was_tty and not _is_tty(self._input)):
            self._closed()
            return
        self._alone = asyncio.get_running_loop().call_later(ALONE, self._flush)

    def _flush(self) -> None:
        self._tell(self._input.flush_keys())

    def _tell(self, pressed: list[KeyPress]) -> None:
        if pressed:
            self._pressed([key for press in pressed for key in _keys(press)])


def _keys(press: KeyPress) -> tuple[Key, ...]:
    if press.data == "\x1b\t":  # taken for Shift+Tab; at SAC it is how the next channel is shown
        return Key("escape"), Key("c-i")
    name = str(getattr(press.key, "value", press.key))
    return (Key(name, press.data if name == PASTE else ""),)


def _is_tty(source: Input) -> bool:
    return sys.platform != "win32" and os.isatty(source.fileno())  # on Windows there is no descriptor
