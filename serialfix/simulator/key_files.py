r"""The machine's private keys as files: ``C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys\<container>_<MachineGuid>``.

The file's name is the MD5 of the container's name, and the RDP key's container TSSecKeySet1 gives ``f686aace...`` on
every machine (rdp-repair.md 2.4; that it is this MD5 is common knowledge, and it is). Owner and access lists per build:
rdp-repair.md 0.2. A file here holds no key, only which key of the simulator's pool it stands for.
"""

import hashlib
import struct

from serialfix.simulator import security, sids
from serialfix.simulator.filesystem import Entry, FileSystem
from serialfix.simulator.registry import Registry
from serialfix.simulator.security import Ace, Descriptor
from serialfix.simulator.sids import Token

FOLDER = r"C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys"
RDP = "TSSecKeySet1"
FOLDER_SDDL = "O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)"
_MARK = b"serialfix simulator key "
# What other programs leave there on any server: common knowledge.
OTHERS = ("iisConfigurationKey", "NetFrameworkConfigurationKey", "iisWasKey", "Microsoft Internet Information Server")


def container_prefix(container: str) -> str:
    """Return the first half of a key file's name.

    >>> container_prefix("TSSecKeySet1")
    'f686aace6942fb7f7ceb231212eef4a4'
    """
    digest = hashlib.md5(container.lower().encode() + b"\0", usedforsecurity=False).digest()
    return "".join(f"{part:08x}" for part in struct.unpack("<4I", digest))


def machine_guid(registry: Registry) -> str:
    """Return the machine's GUID, the second half of a key file's name."""
    return str(registry.get(r"HKLM\SOFTWARE\Microsoft\Cryptography", "MachineGuid"))


def path(registry: Registry, container: str = RDP) -> str:
    """Return where a container's file is."""
    return f"{FOLDER}\\{container_prefix(container)}_{machine_guid(registry)}"


def contents(identifier: bytes) -> bytes:
    """Return a file that stands for the key with this identifier (SHA-1 of its public key)."""
    padding = b"".join(hashlib.sha512(identifier + bytes([i])).digest() for i in range(34))
    return b"\x02\0\0\0\0\0\0\0" + _MARK + identifier + padding


def identifier(data: bytes) -> bytes | None:
    """Return which key a file stands for, or None where it is none."""
    at = data.find(_MARK)
    found = data[at + len(_MARK) : at + len(_MARK) + 20] if at >= 0 else b""
    return found if len(found) == 20 else None


def healthy(build: int) -> Descriptor:
    """Return the descriptor Windows gives the RDP key: it depends on the build (rdp-repair.md 0.2)."""
    third = (
        Ace(True, sids.ADMINISTRATORS, security.READ)
        if build <= 14393
        else Ace(True, sids.service_sid("SessionEnv"), security.FULL)
    )
    aces = (Ace(True, sids.SYSTEM, security.FULL), Ace(True, sids.NETWORK_SERVICE, security.READ), third)
    return Descriptor(sids.SYSTEM, sids.SYSTEM, aces, protected=True)


def readable(files: FileSystem, entry: Entry, token: Token) -> bool:
    """Say whether a token can read a key file."""
    return security.granted(files.descriptor(entry.path), token, security.READ_DATA)


def fill(files: FileSystem, registry: Registry, when: float) -> None:
    """Make the folder and the keys of other programs; the RDP key comes with its certificate."""
    files.make_folder(FOLDER, when)
    files.protect(FOLDER, security.parse(FOLDER_SDDL))
    other = security.parse("O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FA;;;BA)")
    for container in OTHERS:
        at = path(registry, container)
        files.write(at, contents(hashlib.sha1(container.encode(), usedforsecurity=False).digest()), when)
        files.protect(at, other)
