"""The questions: read-only, each with the parser of its answer and, in plain words, why it is asked."""

from dataclasses import replace

from serialfix import quoting
from serialfix.steps import Command, Output, OutsideLook, Probe, Unreadable
from serialfix.windows import listener, netstat, rdp_look, registry, rights, services, sessions, tasklist, tls

OUTSIDE: Probe[rdp_look.RdpLook] = Probe(
    name="rdp_from_outside",
    title="Remote Desktop as a client sees it",
    why="How the RDP port answers tells the kind of fault before anything is asked inside the VM.",
    query=OutsideLook(),
    parse=rdp_look.parse,
    say=lambda seen: seen.sentence,
    timeout=60.0,
)


def outside(port: int) -> Probe[rdp_look.RdpLook]:
    """Remote Desktop as a client sees it, on its ``port`` inside the VM; wherever clients reach that."""
    return replace(OUTSIDE, name=f"rdp_from_outside:{port}", query=OutsideLook(port))


TLS_PROTOCOLS: Probe[tuple[tls.Protocol, ...]] = Probe(
    name="schannel_protocols",
    title="TLS versions that Windows may use as a server",
    # The parent key is always there, so that a missing key below it is "not set" and never "could not be read".
    why="Remote Desktop encrypts with Schannel; a version that is switched off there can't be used by it.",
    query=Command("cmd", rf"reg query {tls.SCHANNEL} /s"),
    parse=tls.parse_protocols,
    say=lambda protocols: ", ".join(f"{protocol.version} {protocol.state}" for protocol in protocols),
)

ELEVATED: Probe[bool] = Probe(
    name="elevated",
    title="Whether this login may change the system",
    why="A login that is not elevated can look, but every repair would be refused.",
    query=Command("cmd", "whoami /groups"),
    parse=rights.elevated,
    say=lambda elevated: "elevated" if elevated else "not elevated: it can look, but not repair",
)

TERMSERVICE: Probe[services.Service] = Probe(
    name="termservice",
    title="The Remote Desktop service",
    why="A running service has to be restarted before it uses changed settings.",
    query=Command("cmd", "sc queryex TermService"),
    parse=services.parse_one,
    say=str,
)

TERMSERVICE_DEPENDENTS: Probe[tuple[services.Service, ...]] = Probe(
    name="termservice_dependents",
    title="Services that need the Remote Desktop service",
    why="They must stop before it does, and be started again after it.",
    query=Command("cmd", "sc enumdepend TermService 16384"),
    parse=services.parse,
    say=lambda found: "; ".join(f"{service.name} is {service}" for service in found) or "none",
)

LISTENER: Probe[listener.Listener] = Probe(
    name="rdp_listener",
    title="The port that Remote Desktop is told to listen on",
    why="Only who listens on this port matters.",
    query=Command("cmd", f"reg query {quoting.cmd(listener.KEY)}"),
    parse=listener.parse,
    say=lambda found: f"port {found.port}",
)

SIGNED_IN: Probe[str] = Probe(
    name="signed_in",
    title="Who is signed in",
    why="They may be cut off by what is about to be changed.",
    query=Command("cmd", "qwinsta"),
    parse=sessions.in_words,
    say=str,
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
        say=str,
    )


def listening(port: int) -> Probe[tuple[netstat.Socket, ...]]:
    """Who listens on a TCP port of the VM."""

    def parse(output: Output) -> tuple[netstat.Socket, ...]:
        if output.exit_code == 1 and not output.text.strip():
            return ()  # findstr found no line
        return tuple(row for row in netstat.parse(output) if row.listens and row.port == port)

    return Probe(
        name=f"listening:{port}",
        title=f"Who listens on port {port}",
        why="If it is not Remote Desktop, clients reach something else.",
        query=Command("cmd", f'netstat -ano|findstr ":{port} "'),
        parse=parse,
        say=lambda found: ", ".join(f"{row.address} by process {row.pid}" for row in found) or "nobody",
    )


def process(pid: int) -> Probe[tasklist.Process]:
    """The program and the services of a process."""

    def parse(output: Output) -> tasklist.Process:
        found = [process for process in tasklist.parse(output) if process.pid == pid]
        if len(found) != 1:
            raise Unreadable(f"tasklist shows {len(found)} processes with the number {pid}")
        return found[0]

    return Probe(
        name=f"process:{pid}",
        title=f"What process {pid} is",
        why="A service can be stopped; anything else is not touched.",
        query=Command("cmd", f'tasklist /svc /fo csv /fi "PID eq {pid}"'),
        parse=parse,
        say=lambda found: f"{found.image}, services: {', '.join(found.services or ()) or 'none'}",
    )


def dependents(name: str) -> Probe[tuple[services.Service, ...]]:
    """The services that need ``name``."""
    return Probe(
        name=f"dependents:{name}",
        title=f"Services that need {name}",
        why="They stop before it does.",
        query=Command("cmd", f"sc enumdepend {quoting.cmd(name)} 16384"),
        parse=services.parse,
        say=lambda found: "; ".join(f"{service.name} is {service}" for service in found) or "none",
    )


def start_type(name: str) -> Probe[registry.Value | None]:
    """The start type of a service, from the key of all services' parents."""
    key = rf"HKLM\SYSTEM\CurrentControlSet\Services\{name}"

    def parse(output: Output) -> registry.Value | None:
        return registry.parse(output).value(key, "Start")

    return Probe(
        name=f"start type:{name}",
        title=f"How {name} is started",
        why="A service that is disabled can't be started; one that starts by itself is back at the next boot.",
        query=Command("cmd", f"reg query {quoting.cmd(key)} /v Start"),
        parse=parse,
        say=lambda value: "not set" if value is None else START_TYPES.get(value.number or 0, str(value)),
    )


START_TYPES = {2: "by itself at boot", 3: "on demand", 4: "disabled"}

ALL: tuple[Probe[object], ...] = (OUTSIDE, TLS_PROTOCOLS, ELEVATED, TERMSERVICE, TERMSERVICE_DEPENDENTS, SIGNED_IN)
