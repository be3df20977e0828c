r"""``sc queryex`` and ``sc enumdepend``: services, their state and their process.

Source: output-formats.md "sc query": the labels are translated in some languages, the colon moves, but the state as
``<number>  WORD``, the order of the lines and ``[SC]`` with a number in failures stay. Captured on Server 2019:

>>> services = parse(Output('''
... SERVICE_NAME: THMservice2
...         TYPE               : 10  WIN32_OWN_PROCESS
...         STATE              : 4  RUNNING
...                                 (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
...         WIN32_EXIT_CODE    : 0  (0x0)
...         SERVICE_EXIT_CODE  : 0  (0x0)
...         CHECKPOINT         : 0x0
...         WAIT_HINT          : 0x0
...         PID                : 3312
...         FLAGS              :
... ''', 0, "screen"))
>>> services
(Service(name='THMservice2', state='running', pid=3312),)
"""

import re
from dataclasses import dataclass
from typing import Literal

from serialfix import quoting
from serialfix.steps import Output, Unreadable

State = Literal["stopped", "starting", "stopping", "running", "continuing", "pausing", "paused"]
_STATES: dict[int, State] = {
    1: "stopped",
    2: "starting",
    3: "stopping",
    4: "running",
    5: "continuing",
    6: "pausing",
    7: "paused",
}
_FIELD = re.compile(r"(?P<indent>[ \t]*)[^:\s][^:]*: ?(?P<value>.*)")
_STATE = re.compile(r"([1-7]) {1,2}[A-Z_]+\s*")
_FAILED = re.compile(r"\[SC\].*?(\d{1,5})\s*:")


@dataclass(frozen=True, slots=True)
class Service:
    """``name`` is the service's key name; ``pid`` is None where the output has none, 0 where it does not run."""

    name: str
    state: State
    pid: int | None

    def __str__(self) -> str:
        return f"{self.state}, process {self.pid}" if self.pid else self.state


def parse(output: Output) -> tuple[Service, ...]:
    """Read ``sc query``, ``sc queryex`` or ``sc enumdepend``: every service in it, in order.

    A service is a block of lines: its name stands in the first one, which is not indented; of the indented fields the
    second is the state; the process is the last that holds a bare number, in ``queryex`` only. Blocks without indented
    fields are headings. Raises Unreadable for a failure (with sc's number) and for a block without a state.
    """
    if output.exit_code != 0:
        failed = _FAILED.search(output.text)
        raise Unreadable(f"sc failed with {failed[1] if failed else output.exit_code}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    services = []
    for block in re.split(r"\n[ \t]*\n", output.text):
        fields = [found for line in block.splitlines() if (found := _FIELD.fullmatch(line))]
        indented = [found["value"].strip() for found in fields if found["indent"]]
        named = [found["value"].strip() for found in fields if not found["indent"]]
        if named and indented:
            services.append(_service(named[0], indented))
    return tuple(services)


def parse_one(output: Output) -> Service:
    """Read ``sc queryex NAME``. Raises Unreadable unless it shows exactly one service."""
    services = parse(output)
    if len(services) != 1:
        raise Unreadable(f"sc showed {len(services)} services where one was asked for")
    return services[0]


def _service(name: str, fields: list[str]) -> Service:
    try:
        quoting.cmd(name)
    except ValueError:
        raise Unreadable(f"{name[:60]!r} is no name of a service") from None
    # The first field, the type, is a number and a word as well: 1 is a driver there, not "stopped".
    found = _STATE.fullmatch(fields[1]) if len(fields) > 1 else None
    if found is None:
        raise Unreadable(f"the service {name[:60]!r} is shown without a state")
    return Service(name, _STATES[int(found[1])], _pid(fields))


def _pid(fields: list[str]) -> int | None:
    # TYPE and STATE carry words, the exit codes a bracket, CHECKPOINT and WAIT_HINT 0x: only the PID is a bare number.
    numbers = [field for field in fields if re.fullmatch(r"\d{1,10}", field)]
    return int(numbers[-1]) if numbers else None
