"""How the gateway behaves towards its clients: the knobs of the websocket, beside those of the serial line.

That each happens is known (azure-serial-console.md 2.2 and 2.4); **the rates and times are our choice**, except that
"roughly every other attempt" was reported for ``untrusted``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Manners:
    """Seconds, and probabilities from 0 to 1."""

    untrusted: float = 0.0  # a client that did everything right is closed with 1011 "Connection not trusted"
    greeting: float = 0.0  # longest time before the gateway's first message
    deaf: float = 0.0  # what a client sends before that first message is lost
    inactive: float = 0.0  # seconds without a key after which the gateway closes; 0: never
    token_life: float = 0.0  # seconds from the token to the close because it has expired; 0: never


PRESETS: Mapping[str, Manners] = MappingProxyType(
    {
        "calm": Manners(),
        "real": Manners(untrusted=0.5, greeting=0.5, deaf=0.5, inactive=900.0),
        "worst": Manners(untrusted=0.9, greeting=2.0, deaf=1.0, inactive=240.0),
    }
)

NAMES = tuple(field.name for field in fields(Manners))


def parse_manner(text: str, base: Manners) -> Manners:
    """``base`` with one knob set from NAME=VALUE; NAME is one of ``NAMES``.

    >>> parse_manner("untrusted=0.5", PRESETS["calm"]).untrusted
    0.5

    Raises ValueError whose text says what is wrong and what would be right.
    """
    name, _, value = (part.strip() for part in text.partition("="))
    try:
        number = float(value)
    except ValueError:
        raise ValueError(f"knob {name}: {value!r} is not a number") from None
    most = 1.0 if name in {"untrusted", "deaf"} else 86_400.0
    if not 0 <= number <= most:
        raise ValueError(f"knob {name}: {value} is outside 0 to {most:g}")
    return replace(base, **{name: number})
