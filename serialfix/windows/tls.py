r"""Which TLS versions Schannel's server side may use, by the registry.

The state function of rdp-repair.md 2.5 (from Microsoft's "TLS registry settings"): ``Enabled`` 0 is off; otherwise
``DisabledByDefault`` not 0 is off for whoever does not ask for the version by name, which Remote Desktop does not; a
missing key or value means the default of that Windows, not "off".

>>> server_state(1, 0), server_state(0, None), server_state(None, 1), server_state(None, None)
('enabled', 'disabled', 'disabled by default', 'Windows default')
>>> server_state(0xFFFFFFFF, None)
'enabled'
"""

from dataclasses import dataclass
from typing import Literal

from serialfix.steps import Output, Unreadable
from serialfix.windows.registry import Keys, Value, parse

SCHANNEL = r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL"
VERSIONS = ("TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3")

State = Literal["enabled", "disabled", "disabled by default", "Windows default"]


@dataclass(frozen=True, slots=True)
class Protocol:
    """One version's server side: its two values (None: not there) and what they come to."""

    version: str
    enabled: int | None
    disabled_by_default: int | None
    state: State

    @property
    def off(self) -> bool:
        """Whether Remote Desktop can't use it."""
        return self.state in ("disabled", "disabled by default")

    def __str__(self) -> str:
        values = f"Enabled {_shown(self.enabled)}, DisabledByDefault {_shown(self.disabled_by_default)}"
        return f"{self.version} server: {self.state} ({values})"


def server_state(enabled: int | None, disabled_by_default: int | None) -> State:
    """What the two values come to; None is a missing value."""
    if enabled == 0:
        return "disabled"
    if disabled_by_default:
        return "disabled by default"
    return "Windows default" if enabled is None else "enabled"


def server_key(version: str) -> str:
    """The key of a version's server side."""
    return rf"{SCHANNEL}\Protocols\{version}\Server"


def parse_protocols(output: Output) -> tuple[Protocol, ...]:
    """Read ``reg query SCHANNEL /s``: the four TLS versions, oldest first. Raises Unreadable."""
    keys = parse(output)
    if not keys.has(SCHANNEL):
        raise Unreadable("the answer does not hold the SCHANNEL key")
    return tuple(_protocol(keys, version) for version in VERSIONS)


def _protocol(keys: Keys, version: str) -> Protocol:
    key = server_key(version)
    enabled = _number(keys.value(key, "Enabled"))
    disabled_by_default = _number(keys.value(key, "DisabledByDefault"))
    return Protocol(version, enabled, disabled_by_default, server_state(enabled, disabled_by_default))


def _number(value: Value | None) -> int | None:
    if value is not None and value.number is None:
        raise Unreadable(f"{value.name} has the type {value.type}, not REG_DWORD")
    return None if value is None else value.number


def _shown(number: int | None) -> str:
    return "not set" if number is None else f"{number:#x}" if number > 1 else str(number)
