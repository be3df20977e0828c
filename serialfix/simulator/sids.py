r"""Who is who: SIDs, the names Windows prints for them, and the tokens programs run under.

A service's SID is computed from its name (``NT SERVICE\SessionEnv`` is S-1-5-80-4022436659-...: rdp-repair.md 0.2
gives it, and the computed one is the same). Well-known SIDs and SDDL's two letters are common knowledge.
"""

import hashlib
import struct
from dataclasses import dataclass

SYSTEM, NETWORK_SERVICE, LOCAL_SERVICE = "S-1-5-18", "S-1-5-20", "S-1-5-19"
ADMINISTRATORS, USERS, EVERYONE = "S-1-5-32-544", "S-1-5-32-545", "S-1-1-0"
AUTHENTICATED, SERVICE, INTERACTIVE, CREATOR_OWNER = "S-1-5-11", "S-1-5-6", "S-1-5-4", "S-1-3-0"
GUESTS = "S-1-5-32-546"

NAMES = {
    SYSTEM: r"NT AUTHORITY\SYSTEM",
    NETWORK_SERVICE: r"NT AUTHORITY\NETWORK SERVICE",
    LOCAL_SERVICE: r"NT AUTHORITY\LOCAL SERVICE",
    ADMINISTRATORS: r"BUILTIN\Administrators",
    USERS: r"BUILTIN\Users",
    GUESTS: r"BUILTIN\Guests",
    EVERYONE: "Everyone",
    AUTHENTICATED: r"NT AUTHORITY\Authenticated Users",
    SERVICE: r"NT AUTHORITY\SERVICE",
    INTERACTIVE: r"NT AUTHORITY\INTERACTIVE",
    CREATOR_OWNER: "CREATOR OWNER",
    "S-1-5-32-555": r"BUILTIN\Remote Desktop Users",
    "S-1-5-32-568": r"BUILTIN\IIS_IUSRS",
}
SDDL = {
    "SY": SYSTEM, "NS": NETWORK_SERVICE, "LS": LOCAL_SERVICE, "BA": ADMINISTRATORS, "BU": USERS, "BG": GUESTS,
    "WD": EVERYONE, "AU": AUTHENTICATED, "SU": SERVICE, "IU": INTERACTIVE, "CO": CREATOR_OWNER,
    "RD": "S-1-5-32-555", "IS": "S-1-5-32-568",
}  # fmt: skip
SHORT = {sid: letters for letters, sid in SDDL.items()}
_SERVICES = ("SessionEnv", "TermService", "TrustedInstaller", "CryptSvc", "mpssvc")


def service_sid(name: str) -> str:
    """Return the SID of ``NT SERVICE\\name``: five numbers out of the SHA-1 of the name in capitals.

    >>> service_sid("SessionEnv")
    'S-1-5-80-4022436659-1090538466-1613889075-870485073-3428993833'
    """
    digest = hashlib.sha1(name.upper().encode("utf-16-le"), usedforsecurity=False).digest()
    return "S-1-5-80-" + "-".join(str(part) for part in struct.unpack("<5I", digest))


SERVICE_NAMES = {service_sid(name): rf"NT SERVICE\{name}" for name in _SERVICES}


@dataclass(frozen=True, slots=True)
class Token:
    """Who a program is: its SIDs (the user's first), its account's name, and whether it may take ownership."""

    user: str
    name: str
    groups: frozenset[str]
    privileged: bool

    @property
    def sids(self) -> frozenset[str]:
        """All SIDs an access check looks for."""
        return self.groups | {self.user}

    @property
    def is_system(self) -> bool:
        """Whether this is LocalSystem."""
        return self.user == SYSTEM


LOCAL_SYSTEM = Token(SYSTEM, r"nt authority\system", frozenset({ADMINISTRATORS, EVERYONE, AUTHENTICATED}), True)
_NETWORK = frozenset({EVERYONE, USERS, AUTHENTICATED, SERVICE, "S-1-2-0"})
TERM_SERVICE = Token(NETWORK_SERVICE, r"nt authority\network service", _NETWORK | {service_sid("TermService")}, False)
SESSION_ENV = Token(SYSTEM, r"nt authority\system", LOCAL_SYSTEM.groups | {service_sid("SessionEnv"), SERVICE}, True)


def administrator(sid: str, name: str) -> Token:
    """Return the token of an elevated local administrator."""
    return Token(sid, name, frozenset({ADMINISTRATORS, USERS, EVERYONE, AUTHENTICATED, INTERACTIVE}), True)


class UnknownAccount(LookupError):
    """No SID is known by this name."""


def name_of(sid: str, accounts: dict[str, str], computer: str) -> str:
    r"""Return the name Windows prints; ``accounts``: local names by SID; an unknown SID is printed itself."""
    found = NAMES.get(sid) or SERVICE_NAMES.get(sid)
    if found is None and sid in accounts:
        found = f"{computer}\\{accounts[sid]}"
    return found or sid


def sid_of(name: str, accounts: dict[str, str], computer: str) -> str:
    r"""Return the SID of ``*S-1-...``, ``NT AUTHORITY\System``, ``Administrators`` and the like.

    Raises UnknownAccount.
    """
    plain = name.strip().strip('"')
    if plain.upper().startswith("*S-1-"):
        return plain[1:].upper()
    low = plain.lower()
    for sid, known in [*NAMES.items(), *SERVICE_NAMES.items()]:
        if low in {known.lower(), known.lower().rpartition("\\")[2]}:
            return sid
    if low.startswith("nt service\\"):
        return service_sid(low.partition("\\")[2])
    for sid, account in accounts.items():
        if low in {account.lower(), f"{computer}\\{account}".lower(), f".\\{account}".lower()}:
            return sid
    raise UnknownAccount(name)
