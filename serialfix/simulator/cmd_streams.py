"""What cmd.exe hands to each command: its streams; and how ``exit`` leaves."""

from collections.abc import Callable
from dataclasses import dataclass

from serialfix.simulator.programs import Stdin


class Exit(Exception):
    """``exit`` was called."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Streams:
    """Where a command's output and errors go and its input comes from (None: the console)."""

    out: Callable[[str], None]
    err: Callable[[str], None]
    stdin: Stdin | None
    to_console: bool
