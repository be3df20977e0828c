"""The questions: read-only, each with the parser of its answer and, in plain words, why it is asked."""

from serialfix import quoting
from serialfix.steps import Command, OutsideLook, Probe
from serialfix.windows import rdp_look, registry, rights, services, sessions, tls

OUTSIDE: Probe[rdp_look.RdpLook] = Probe(
    name="rdp_from_outside",
    title="Remote Desktop as a client sees it",
    why="How the RDP port answers tells the kind of fault before anything is asked inside the VM.",
    query=OutsideLook(),
    parse=rdp_look.parse,
    timeout=60.0,
)

TLS_PROTOCOLS: Probe[tuple[tls.Protocol, ...]] = Probe(
    name="schannel_protocols",
    title="TLS versions that Windows may use as a server",
    # The parent key is always there, so that a missing key below it is "not set" and never "could not be read".
    why="Remote Desktop encrypts with Schannel; a version that is switched off there can't be used by it.",
    query=Command("cmd", rf"reg query {tls.SCHANNEL} /s"),
    parse=tls.parse_protocols,
)

ELEVATED: Probe[bool] = Probe(
    name="elevated",
    title="Whether this login may change the system",
    why="A login that is not elevated can look, but every repair would be refused.",
    query=Command("cmd", "whoami /groups"),
    parse=rights.elevated,
)

TERMSERVICE: Probe[services.Service] = Probe(
    name="termservice",
    title="The Remote Desktop service",
    why="A running service has to be restarted before it uses changed settings.",
    query=Command("cmd", "sc queryex TermService"),
    parse=services.parse_one,
)

TERMSERVICE_DEPENDENTS: Probe[tuple[services.Service, ...]] = Probe(
    name="termservice_dependents",
    title="Services that need the Remote Desktop service",
    why="They must stop before it does, and be started again after it.",
    query=Command("cmd", "sc enumdepend TermService 16384"),
    parse=services.parse,
)

SIGNED_IN: Probe[str] = Probe(
    name="signed_in",
    title="Who is signed in",
    why="They may be cut off by what is about to be changed.",
    query=Command("cmd", "qwinsta"),
    parse=sessions.in_words,
)


def registry_keys(key: str) -> Probe[registry.Keys]:
    """All keys and values below ``key``, which must be a key that is always there."""
    return Probe(
        name=f"registry:{key}",
        title=f"Registry below {key}",
        why="The value as it is now is kept, so that the change can be taken back.",
        query=Command("cmd", f"reg query {quoting.cmd(key)} /s"),
        parse=registry.parse,
    )


def service(name: str) -> Probe[services.Service]:
    """The state of one service."""
    return Probe(
        name=f"service:{name}",
        title=f"State of the service {name}",
        why="Whether the service stopped or started is seen in its state, not in what the command said.",
        query=Command("cmd", f"sc queryex {quoting.cmd(name)}"),
        parse=services.parse_one,
    )


ALL: tuple[Probe[object], ...] = (OUTSIDE, TLS_PROTOCOLS, ELEVATED, TERMSERVICE, TERMSERVICE_DEPENDENTS, SIGNED_IN)
