"""Whose fault it is: the user's input, the VM, Azure, or our own bug. Each with advice.

The command line prints them as "what happened / why it is likely / what to try" and ends with ``exit_code``;
no traceback is shown for the first three (design: house style).
"""


class SerialfixError(Exception):
    """Something a user, a VM or a network can cause. Raised as one of its subclasses only.

    ``what`` is one sentence; ``why`` and ``advice`` may be empty. All three are plain text that may quote a VM or a
    service: whoever shows them makes them safe for a terminal.
    """

    exit_code = 70

    def __init__(self, what: str, *, why: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.advice = advice


class UsageError(SerialfixError):
    """The command line, a settings file or a transcript given to us is not right."""

    exit_code = 2


class VmError(SerialfixError):
    """The VM or its console did something we cannot go on with."""

    exit_code = 3


class AzureError(SerialfixError):
    """ARM, the identity service or the serial gateway refused, or could not be reached.

    ``code`` is the service's own code (``ResourceNotFound``, ``1011``) and ``status`` the HTTP status, where known.
    """

    exit_code = 3

    def __init__(
        self, what: str, *, why: str = "", advice: str = "", code: str = "", status: int | None = None
    ) -> None:
        super().__init__(what, why=why, advice=advice)
        self.code = code
        self.status = status


class ConnectionLost(VmError):
    """The serial line ended under us. ``code`` is the websocket close code, 1006 where there was none."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(
            f"The serial connection was closed (code {code}{', ' + reason if reason else ''}).",
            why="Another user may have connected to this console, the VM may have stopped, or the network failed.",
            advice="Run the command again; nothing that was done is done twice.",
        )
        self.code = code
        self.reason = reason


class Bug(Exception):
    """Our own mistake: a promise between two modules was broken. Exit code 70, with a traceback for the report."""
