"""What stands behind the VM's RDP port at one moment: derived from the VM's state, played by ``rdp.py``."""

from dataclasses import dataclass
from typing import Literal

Tls = Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]


@dataclass(frozen=True, slots=True)
class RdpPort:
    """How the port answers now.

    ``behaviour``: "closed" refuses; "silent" accepts and says nothing; "rdp" is TermService's listener; "http" and
    "foreign" are other programs on the port: a web server, and one that speaks first and is not RDP.
    ``tls``: the versions Schannel's server side offers. Empty: every handshake fails, in the way of ``no_tls``.
    ``no_tls``: what a client that asks for TLS meets when no version is left, since no source settles it
    (rdp-repair.md 8.2 and 11.2): a negotiation failure with code 2 or 3, or an accepted negotiation and a reset.
    ``nla``: the listener asks for CredSSP (UserAuthentication 1): a client that offers SSL only gets failure 5.
    ``certificate_pem``/``key_pem``: what TermService presents.
    """

    behaviour: Literal["closed", "silent", "rdp", "http", "foreign"]
    tls: frozenset[Tls] = frozenset()
    no_tls: Literal["failure 2", "failure 3", "reset"] = "reset"
    nla: bool = True
    certificate_pem: bytes = b""
    key_pem: bytes = b""
