"""The repairs: one write to one object each, with what was before, how it is undone, and how it is checked."""

from typing import TypeAlias

from serialfix import quoting
from serialfix.steps import Change, Command, NoUndo, Probe, Proven, Risk, Unreadable
from serialfix.windows import probes
from serialfix.windows.registry import Keys, Value
from serialfix.windows.services import Service

AnyChange: TypeAlias = Change[Value | None] | Change[Service]


def set_dword(
    change: str,
    *,
    parent: str,
    key: str,
    name: str,
    number: int,
    title: str,
    why: str,
    risk: Risk,
    proven: Proven,
    docs: str,
) -> Change[Value | None]:
    """The change named ``change``: set a REG_DWORD.

    ``parent``: a key above ``key`` that is always there; the value is read by asking for all that is below it.
    A value that did not exist is deleted by the undo; a key that had to be made for it stays, empty.
    """
    target = f"{quoting.cmd(key)} /v {quoting.cmd(name)}"

    def parse_value(keys: Keys) -> Value | None:
        value = keys.value(key, name)
        if value is not None and value.type != "REG_DWORD":
            # What can't be brought back as it was is not changed.
            raise Unreadable(f"{name} has the type {value.type}, not REG_DWORD")
        return value

    below = probes.registry_keys(parent)
    before: Probe[Value | None] = Probe(
        name=f"value:{key}\\{name}",
        title=f"{name} in {key}",
        why=below.why,
        query=below.query,
        parse=lambda output: parse_value(below.parse(output)),
        say=lambda value: "not set" if value is None else str(value),
    )

    def undo(value: Value | None) -> tuple[Command, ...]:
        if value is None:
            return (Command("cmd", f"reg delete {target} /f", "write"),)
        return (Command("cmd", f"reg add {target} /t REG_DWORD /d {value.number} /f", "write"),)

    return Change(
        name=change,
        title=title,
        why=why,
        risk=risk,
        proven=proven,
        before=before,
        do=Command("cmd", f"reg add {target} /t REG_DWORD /d {number} /f", "write"),
        after=str(number),
        show=lambda value: "not set" if value is None else str(value),
        check=lambda value: value is not None and value.number == number,
        undo=undo,
        docs=docs,
    )


def stop_service(name: str, *, why: str, risk: Risk) -> Change[Service]:
    """Stop a service that is running. It must be started again by a later change of the same proposal."""
    return Change(
        name=f"stop:{name}",
        title=f"Stop the service {name}",
        why=why,
        risk=risk,
        proven="documented",
        before=probes.service(name),
        do=Command("cmd", f"sc stop {quoting.cmd(name)}", "write"),
        after="stopped",
        show=str,
        check=lambda service: service.state == "stopped",
        undo=lambda service: (Command("cmd", f"sc start {quoting.cmd(name)}", "write"),),
        impact=(probes.SIGNED_IN,),
        settle=90.0,
        put_back=True,
        docs="rdp-repair.md 0a.8",
    )


def start_service(name: str, *, why: str, risk: Risk, ran: bool = True) -> Change[Service]:
    """Start a service. ``ran``: it ran before this session; then there is nothing to take back."""
    stop = Command("cmd", f"sc stop {quoting.cmd(name)}", "write")
    return Change(
        name=f"start:{name}",
        title=f"Start the service {name}",
        why=why,
        risk=risk,
        proven="documented",
        before=probes.service(name),
        do=Command("cmd", f"sc start {quoting.cmd(name)}", "write"),
        after="running",
        show=str,
        check=lambda service: service.state == "running",
        undo=NoUndo("the service was running before, and stays so") if ran else lambda _: (stop,),
        settle=90.0,
        docs="rdp-repair.md 0a.8",
    )


def start_on_demand(name: str, *, why: str) -> Change[Value | None]:
    """Let a service that starts by itself start only when something asks for it."""
    return Change(
        name=f"on-demand:{name}",
        title=f"Start {name} on demand only",
        why=why,
        risk="medium",
        proven="documented",
        before=probes.start_type(name),
        do=Command("cmd", f"sc config {quoting.cmd(name)} start= demand", "write"),
        after=probes.START_TYPES[3],
        show=lambda value: "not set" if value is None else probes.START_TYPES.get(value.number or 0, str(value)),
        check=lambda value: value is not None and value.number == 3,
        undo=lambda value: (
            (Command("cmd", f"sc config {quoting.cmd(name)} start= auto", "write"),)
            if value is not None and value.number == 2
            else ()
        ),
        docs="rdp-repair.md 0a.7",
    )


def restart_service(name: str, dependents: tuple[Service, ...], *, why: str, risk: Risk) -> tuple[Change[Service], ...]:
    """Stop a running service and its running dependents, then start it and them again, one change each.

    ``Restart-Service`` and ``net stop`` would block the console while a service hangs in stopping; ``sc`` comes back at
    once and the state is read until it is reached (rdp-repair.md 0a.8).
    """
    running = [service.name for service in dependents if service.state != "stopped"]
    needs = f"It needs {name} and has to stop before it."
    again = f"It was running before {name} was stopped."
    return (
        *(stop_service(other, why=needs, risk=risk) for other in running),
        stop_service(name, why=why, risk=risk),
        start_service(name, why=why, risk=risk),
        *(start_service(other, why=again, risk=risk) for other in reversed(running)),
    )
