r"""The file that holds Remote Desktop's private key, and what its name and its access list depend on.

rdp-repair.md 2.4 and 0a.5: the name is computed from the machine's GUID, never listed: the folder may hold thousands of
keys, and the leftovers of a cloned image look alike. 0.2: what a healthy access list is depends on the build.

>>> path("6f3c1f0e-2b1d-4c58-9a53-1d2f3c4b5a69").rpartition("\\")[2]
'f686aace6942fb7f7ceb231212eef4a4_6f3c1f0e-2b1d-4c58-9a53-1d2f3c4b5a69'
"""

import re

from serialfix import quoting
from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import registry

FOLDER = r"C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys"
CONTAINER = "f686aace6942fb7f7ceb231212eef4a4"
"""The name of Remote Desktop's container, TSSecKeySet1, as it stands in file names; the same on every machine."""

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CRYPTOGRAPHY = r"HKLM\SOFTWARE\Microsoft\Cryptography"
_VERSION = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion"
_MOST = 1 << 40


def parse_guid(output: Output) -> str:
    r"""Read ``reg query ... /v MachineGuid``: the GUID in lower case. Raises Unreadable.

    >>> sample = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography\n"
    >>> sample += "    MachineGuid    REG_SZ    6f3c1f0e-2b1d-4c58-9a53-1d2f3c4b5a69\n"
    >>> parse_guid(Output(sample, 0, "screen"))
    '6f3c1f0e-2b1d-4c58-9a53-1d2f3c4b5a69'
    """
    value = registry.parse(output).value(_CRYPTOGRAPHY, "MachineGuid")
    guid = "" if value is None or value.type != "REG_SZ" else value.data.lower()
    if not _GUID.fullmatch(guid):
        raise Unreadable(f"MachineGuid is no GUID: {guid[:60]!r}")
    return guid


def parse_build(output: Output) -> int:
    r"""Read ``reg query ... /v CurrentBuildNumber``. Raises Unreadable.

    >>> sample = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\n"
    >>> parse_build(Output(sample + "    CurrentBuildNumber    REG_SZ    17763\n", 0, "screen"))
    17763
    """
    value = registry.parse(output).value(_VERSION, "CurrentBuildNumber")
    number = "" if value is None or value.type != "REG_SZ" else value.data
    if not re.fullmatch(r"[1-9][0-9]{3,5}", number):
        raise Unreadable(f"CurrentBuildNumber is no build: {number[:60]!r}")
    return int(number)


def parse_size(output: Output) -> int | None:
    r"""Read what ``size`` asks: bytes, or None where there is no such file. Raises Unreadable.

    >>> parse_size(Output("2249\n", 0, "screen")), parse_size(Output("none\n", 0, "screen"))
    (2249, None)
    """
    answer = output.text.strip()
    if output.exit_code != 0 or output.partial or not re.fullmatch(r"none|[0-9]{1,13}", answer):
        raise Unreadable(f"whether the key file is there could not be seen: {answer[:100] or 'no text'!r}")
    if answer == "none":
        return None
    if int(answer) > _MOST:
        raise Unreadable(f"no file is {answer} bytes long")
    return int(answer)


MACHINE_GUID: Probe[str] = Probe(
    name="machine_guid",
    title="The machine's GUID",
    why="The name of Remote Desktop's key file ends with it.",
    query=Command("cmd", f"reg query {_CRYPTOGRAPHY} /v MachineGuid"),
    parse=parse_guid,
    say=str,
)

BUILD: Probe[int] = Probe(
    name="build",
    title="The build of Windows",
    why="Who may read Remote Desktop's key on a healthy machine depends on it.",
    query=Command("cmd", f"reg query {quoting.cmd(_VERSION)} /v CurrentBuildNumber"),
    parse=parse_build,
    say=str,
)


def path(guid: str) -> str:
    """Where the file of Remote Desktop's private key is, on the machine with this GUID."""
    return rf"{FOLDER}\{CONTAINER}_{guid}"


def size(guid: str) -> Probe[int | None]:
    """How large the key file is, in bytes; None: there is no such file.

    An administrator sees a file's size in its folder, whatever the file's own access list says (common knowledge). The
    folder is listed besides: where that is refused, a file that is there looks like none. A folder that is not there
    holds no file.
    """
    look = (
        rf'(for %i in ({quoting.cmd(path(guid))}) do @if exist %i (echo %~zi) else if exist "%~dpi*" (echo none) '
        r'else if exist "%~dpi." (echo unlisted) else if exist "%~dpi..\*" (echo none) else echo unlisted)'
    )
    return Probe(
        name="key_size",
        title="The file of Remote Desktop's private key",
        why="A certificate whose key is missing or empty can't be used, whoever may read it.",
        query=Command("cmd", look),
        parse=parse_size,
        say=lambda found: "there is none" if found is None else f"{found} bytes",
    )
