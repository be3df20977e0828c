r"""The RDP listener's settings: ``reg query`` of WinStations\\RDP-Tcp.

Source: rdp-repair.md 10 (baseline values) and 2.3; the port is REG_DWORD and shown in hex by reg. A pin names the
certificate that Remote Desktop has to take; Windows never writes one for its own certificate.

>>> sample = '''
... HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server\\WinStations\\RDP-Tcp
...     PortNumber    REG_DWORD    0xd3d
... '''
>>> parse(Output(sample, 0, "screen"))
Listener(port=3389, pin=None)
>>> pinned = "    SSLCertificateSHA1Hash    REG_BINARY    71FBF3FF4E8FFD93B9DAB0F6C8A1F8D2D4B6E1AA\n"
>>> parse(Output(sample + pinned, 0, "screen")).pin
'71FBF3FF4E8FFD93B9DAB0F6C8A1F8D2D4B6E1AA'
"""

from dataclasses import dataclass

from serialfix.steps import Output, Unreadable
from serialfix.windows import registry

KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp"
PIN = "SSLCertificateSHA1Hash"


@dataclass(frozen=True, slots=True)
class Listener:
    """``port``: where Remote Desktop is told to listen inside the VM.

    ``pin``: the thumbprint, in upper hex, of the certificate that it is told to take; whatever stands there instead,
    as text, where it is none; None where nothing is told.
    """

    port: int
    pin: str | None = None


def parse(output: Output) -> Listener:
    """Read the listener's key. Raises Unreadable, also for a port that is none."""
    keys = registry.parse(output)
    value = keys.value(KEY, "PortNumber")
    if value is None or value.number is None or not 0 < value.number < 65536:
        raise Unreadable(f"the listener's PortNumber is {'not set' if value is None else value}")
    pin = keys.value(KEY, PIN)
    if pin is None or (pin.type == "REG_BINARY" and not pin.data.strip()):
        return Listener(value.number)
    return Listener(value.number, pin.data.strip().upper() if pin.type == "REG_BINARY" else str(pin))
