r"""The RDP listener's settings: ``reg query`` of WinStations\\RDP-Tcp.

Source: rdp-repair.md 10 (baseline values); the port is REG_DWORD and shown in hex by reg.

>>> parse(Output('''
... HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp
...     PortNumber    REG_DWORD    0xd3d
... ''', 0, "screen"))
Listener(port=3389)
"""

from dataclasses import dataclass

from serialfix.steps import Output, Unreadable
from serialfix.windows import registry

KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp"


@dataclass(frozen=True, slots=True)
class Listener:
    """``port``: where Remote Desktop is told to listen inside the VM."""

    port: int


def parse(output: Output) -> Listener:
    """Read the listener's key. Raises Unreadable, also for a port that is none."""
    value = registry.parse(output).value(KEY, "PortNumber")
    if value is None or value.number is None or not 0 < value.number < 65536:
        raise Unreadable(f"the listener's PortNumber is {'not set' if value is None else value}")
    return Listener(value.number)
