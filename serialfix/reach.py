"""A VM within reach: named as on the command line, found in Azure, started as a simulation, or shown by a program.

One path for real and simulated VMs: the simulator is reached through the same clients, only with another endpoint, CA
and credential type. What is done over the line, and who logs in there, is up to the caller.
"""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from serialfix import events
from serialfix.console.channels import Login
from serialfix.engine import Request
from serialfix.errors import Bug
from serialfix.redact import Secrets
from serialfix.steps import Output, OutsideLook, Unknown
from serialfix.venues.cloud import CLOUDS, Cloud
from serialfix.venues.line import Transport
from serialfix.venues.neighbour import ALONE, ALONE_PERHAPS
from serialfix.venues.vm_facts import obstacles


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Which VM. ``simulate``: "" for real Azure, a URL of a running simulator, or a fault's name.

    ``via``: the words of a command that shows the VM's console, instead of Azure's; it may hold secrets.
    ``rdp_port``: where clients reach RDP from outside (the port inside the VM is read from the VM).
    """

    resource_group: str = ""
    name: str = ""
    subscription: str = ""
    cloud: str = "public"
    simulate: str = ""
    simulator_options: tuple[str, ...] = ()
    via: tuple[str, ...] = field(default=(), repr=False)
    rdp_host: str = ""
    rdp_port: int = 3389


class Teller(Protocol):
    """Who is told what happens on the way."""

    def emit(self, event: events.Event) -> None:
        """Something happened."""

    def progress(self, text: str) -> None:
        """What happens now."""


@dataclass(slots=True)
class OutsideVenue:
    """Looks at the RDP port from here. ``host`` None: there is no address that could be looked at.

    ``port``: where clients reach Remote Desktop now. Inside the VM it may be another one; the first that is asked about
    is taken for it. Any other is where it has been moved to in this session: ``elsewhere`` says where clients reach it
    (host and port, None for nowhere); without it, on the same host under its own number.
    """

    host: str | None
    port: int
    elsewhere: Callable[[int], Awaitable[tuple[str, int] | None]] | None = None
    usual: int | None = None

    async def ask(self, requests: Sequence[Request]) -> Sequence[Output | Unknown]:
        """One look for each request."""
        from serialfix.venues.outside import look

        answers: list[Output | Unknown] = []
        for request in requests:
            if not isinstance(request.query, OutsideLook):
                raise Bug(f"this can't be seen from outside: {request.query!r}")
            inside = request.query.port
            self.usual = self.usual or inside or None
            if inside in (0, self.usual):
                answers.append(Output(await look(self.host, self.port), None, "direct"))
            elif self.elsewhere is None:
                answers.append(Output(await look(self.host, inside), None, "direct"))
            elif (reached := await self.elsewhere(inside)) is not None:
                answers.append(Output(await look(*reached), None, "direct"))
            else:
                answers.append(Unknown(f"nobody says where port {inside} of the VM is reached"))
        return answers


@dataclass(frozen=True, slots=True)
class Place:
    """A VM within reach: how its line is opened, where it is seen from outside.

    Of a simulated VM, ``login`` is who may log in, and ``truth`` says what is wrong with it.
    """

    vm: str
    connect: Callable[[], Awaitable[Transport]]
    outside: OutsideVenue
    login: Login | None = None
    truth: Callable[[], Awaitable[str]] | None = None


def reach(where: Where, record: Teller, secrets: Secrets) -> AbstractAsyncContextManager[Place]:
    """The VM, within reach as long as the context lasts. Raises SerialfixError."""
    return _by_program(where, record) if where.via else _by_azure(where, record, secrets)


@contextlib.asynccontextmanager
async def _by_azure(where: Where, record: Teller, secrets: Secrets) -> AsyncIterator[Place]:
    """The VM, real or simulated, as ARM knows it. Raises SerialfixError."""
    from serialfix.venues.azure import Azure, SimulatedCredential, real_credential
    from serialfix.venues.child import simulator
    from serialfix.venues.open_serial import open_serial
    from serialfix.venues.simulated import ports, read_announcement, what_is_wrong

    async with contextlib.AsyncExitStack() as stack:
        simulated = None
        if where.simulate:
            url = where.simulate
            if not url.startswith("https:"):
                record.progress("Starting a simulated VM on this machine.")
                url = await stack.enter_async_context(simulator(["--fault", where.simulate, *where.simulator_options]))
            simulated = read_announcement(url)
            secrets.add(simulated.password)
        record.progress("Asking Azure about the VM.")
        if simulated is not None:
            cloud: Cloud = simulated.cloud
            azure = Azure(cloud, SimulatedCredential(simulated), simulated.subscription)
            group, name = where.resource_group or simulated.resource_group, where.name or simulated.vm
        else:
            cloud = CLOUDS[where.cloud]
            azure = Azure(cloud, real_credential(cloud, where.subscription), where.subscription)
            group, name = where.resource_group, where.name
        azure = await stack.enter_async_context(azure)
        vm = await azure.vm_facts(group, name)
        record.emit(events.VmSeen(vm.as_dict()))
        if found := obstacles(vm):
            raise found[0]
        host = where.rdp_host or next(iter(vm.public_addresses), None)
        port = where.rdp_port if simulated is None else simulated.rdp_port

        async def connect() -> Transport:
            record.progress(ALONE)
            return await open_serial(azure, vm, progress=record.progress)

        async def truth() -> str:
            return await what_is_wrong(cloud, await azure.token())

        async def elsewhere(inside: int) -> tuple[str, int] | None:
            return (await ports(cloud, await azure.token())).get(inside)

        if simulated is None:
            yield Place(vm.name, connect, OutsideVenue(host, port))
        else:
            login = Login(simulated.user, "", simulated.password)
            yield Place(vm.name, connect, OutsideVenue(host, port, elsewhere), login, truth)


@contextlib.asynccontextmanager
async def _by_program(where: Where, record: Teller) -> AsyncIterator[Place]:
    """The VM whose console a program shows; Azure is not asked. Raises SerialfixError."""
    from serialfix.venues.process import Program, name_of

    vm = f"the VM behind {name_of(where.via)}"
    program = Program(where.via, record.progress)

    async def connect() -> Transport:
        record.progress(ALONE_PERHAPS)
        return await program.connect()

    try:
        yield Place(vm, connect, OutsideVenue(where.rdp_host or None, where.rdp_port))
    finally:
        await program.close()


def in_words(where: Where) -> str:
    """The VM as it was named, without anything that may be secret."""
    if where.simulate:
        return "a simulated VM"
    if where.via:
        from serialfix.venues.process import name_of

        return f"via {name_of(where.via)}"
    return f"{where.resource_group}/{where.name}"
