"""How a command's words become a cmdlet's parameters: names, prefixes of names, places, switches, common parameters.

Common knowledge (about_Parameters, about_CommonParameters).
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serialfix.simulator.powershell.errors import Record, Thrown
from serialfix.simulator.powershell.values import Value, each, text, truth
from serialfix.simulator.programs import Request

if TYPE_CHECKING:
    from serialfix.simulator.powershell.evaluator import Evaluator

COMMON = {
    "erroraction": True, "ea": True, "errorvariable": True, "ev": True, "warningaction": True, "wa": True,
    "informationaction": True, "outvariable": True, "ov": True, "verbose": False, "debug": False, "whatif": False,
    "confirm": False,
}  # fmt: skip
_ACTIONS = {"0": "silentlycontinue", "1": "stop", "2": "continue", "4": "ignore"}


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a command. ``source``: as typed; ``takes_next``: a parameter with a colon."""

    value: Value
    source: str
    parameter: bool = False
    takes_next: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A command about to run. ``given``: what the pipeline brings; ``first``, ``last``: its place there."""

    name: Value
    words: list[Word]
    redirects: list[tuple[str, str]]
    operator: str
    source: str
    given: list[Value] = field(default_factory=list)
    first: bool = True
    last: bool = True


@dataclass(slots=True)
class Bound:
    """A cmdlet's call: its parameters by lower-cased name."""

    cmdlet: "Cmdlet"
    values: dict[str, Value]
    given: list[Value]
    first: bool
    evaluator: "Evaluator"
    action: str | None = None
    what_if: bool = False

    @property
    def stops(self) -> bool:
        """Whether -ErrorAction Stop was given."""
        return self.action == "stop"

    def get(self, name: str, default: Value = None) -> Value:
        """Return a parameter's value."""
        return self.values.get(name.lower(), default)

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as text."""
        value = self.values.get(name.lower())
        return default if value is None else text(value)

    def many(self, name: str) -> list[str]:
        """Return a parameter's values as texts."""
        return [text(item) for item in each(self.values.get(name.lower()))]

    def flag(self, name: str) -> bool:
        """Say whether a switch is on."""
        return truth(self.values.get(name.lower(), False))

    def fail(self, record: Record) -> None:
        """Write a non-terminating error."""
        self.evaluator.fail(record, self.action)


@dataclass(frozen=True, slots=True)
class Cmdlet:
    """A cmdlet: its parameters (name, whether it takes a value), which of them have places, and what it does."""

    name: str
    parameters: dict[str, bool]
    places: tuple[str, ...]
    run: Callable[[Bound], Generator[Request, str, list[Value]]]
    mandatory: tuple[str, ...] = ()


def _full(cmdlet: Cmdlet, typed: str) -> tuple[str, bool]:
    low = typed.lower()
    table = {name.lower(): takes for name, takes in cmdlet.parameters.items()}
    aliases = {"pspath": "literalpath", "cn": "computername"}
    low = aliases.get(low, low) if aliases.get(low) in table else low
    if low in table:
        return low, table[low]
    if low in COMMON:
        return low, COMMON[low]
    found = [name for name in table if name.startswith(low)]
    found = found or [name for name in COMMON if name.startswith(low)]
    if len(found) == 1:
        return found[0], table.get(found[0], COMMON.get(found[0], False))
    if found:
        names = " ".join(f"-{name}" for name in cmdlet.parameters if name.lower() in found)
        message = (
            f"Parameter cannot be processed because the parameter name '{typed}' is ambiguous. Possible matches "
            f"include: "
            f"{names}."
        )
        kind = "AmbiguousParameter"
    else:
        message, kind = f"A parameter cannot be found that matches parameter name '{typed}'.", "NamedParameterNotFound"
    raise Thrown(
        Record(
            message,
            "InvalidArgument",
            ":",
            cmdlet.name,
            "ParameterBindingException",
            f"{kind},Microsoft.PowerShell.Commands.{cmdlet.name.replace('-', '')}Command",
        )
    )


def bind(cmdlet: Cmdlet, call: Call, evaluator: "Evaluator") -> Bound:
    """Give a cmdlet its parameters. Raises Thrown where the words do not fit."""
    values: dict[str, Value] = {}
    free: list[Value] = []
    queue = list(call.words)
    while queue:
        word = queue.pop(0)
        if not word.parameter:
            free.append(word.value)
            continue
        name, takes = _full(cmdlet, text(word.value).lstrip("-").rstrip(":"))
        if not takes:
            values[name] = truth(queue.pop(0).value) if word.takes_next and queue else True
            continue
        if not queue or (queue[0].parameter and not word.takes_next):
            raise Thrown(
                Record(
                    f"Missing an argument for parameter '{name}'. Specify a parameter of type 'System.String' and try "
                    "again.",
                    "InvalidArgument",
                    ":",
                    cmdlet.name,
                    "ParameterBindingException",
                    f"MissingArgument,Microsoft.PowerShell.Commands.{cmdlet.name.replace('-', '')}Command",
                )
            )
        values[name] = queue.pop(0).value
    for place in cmdlet.places:
        if free and place.lower() not in values:
            values[place.lower()] = free.pop(0)
    if free:
        raise Thrown(
            Record(
                f"A positional parameter cannot be found that accepts argument '{text(free[0])}'.",
                "InvalidArgument",
                ":",
                cmdlet.name,
                "ParameterBindingException",
                f"PositionalParameterNotFound,Microsoft.PowerShell.Commands.{cmdlet.name.replace('-', '')}Command",
            )
        )
    missing = [name for name in cmdlet.mandatory if name.lower() not in values and not (call.given or not call.first)]
    if missing:
        raise Thrown(
            Record(
                "Cannot process command because of one or more missing mandatory parameters: "
                + " ".join(missing)
                + ".",
                "InvalidArgument",
                ":",
                cmdlet.name,
                "ParameterBindingException",
                f"MissingMandatoryParameter,Microsoft.PowerShell.Commands.{cmdlet.name.replace('-', '')}Command",
            )
        )
    action = values.get("erroraction", values.get("ea"))
    how = None if action is None else _ACTIONS.get(text(action), text(action).lower())
    return Bound(cmdlet, values, call.given, call.first, evaluator, how, truth(values.get("whatif", False)))


def native_word(word: Word) -> str:
    """Return a word as PowerShell 5.1 hands it to a program: quoted where it holds a blank, and inner quotes lost."""
    if word.parameter:
        return text(word.value)
    parts = [text(item) for item in word.value] if isinstance(word.value, list) else [text(word.value)]
    return " ".join(f'"{part}"' if (" " in part or not part) and not part.startswith('"') else part for part in parts)
