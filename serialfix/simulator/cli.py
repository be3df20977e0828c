"""The simulator's command line: builds a VM with faults, serves it until told to stop, and says how to reach it.

It ends cleanly (exit 0) at Ctrl-C, at SIGTERM and, when asked, at the end of its standard input, so that a simulator
started by another program never outlives it. Exit 2: it was asked for something that does not exist, or a port in use.
"""

import asyncio
import contextlib
import difflib
import json
import os
import random
import secrets
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from serialfix.simulator import announce, faults, knobs, manners
from serialfix.simulator.announce import Announcement
from serialfix.simulator.line import Line
from serialfix.simulator.server import Options, PortInUse, serving

WINDOWS = ("2016", "2019", "2022", "2025")


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for, checked."""

    faults: tuple[str, ...]
    windows: str
    seed: int
    knobs: knobs.Knobs
    manners: manners.Manners


def choose(fault: str, windows: str, seed: int | None, hostility: str, settings: Sequence[str]) -> Choice:
    """Check and complete what was asked for. Raises ``ValueError`` with one clear line.

    ``fault``: names with commas between, or "random", which is drawn from the seed and never healthy.
    """
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    names = tuple(name.strip() for name in fault.split(",") if name.strip())
    if names == ("random",):
        names = (random.Random(f"fault {seed}").choice(sorted(set(faults.FAULTS) - {"healthy"})),)
    for name in names:
        if name not in faults.FAULTS:
            near = difflib.get_close_matches(name, [*faults.FAULTS, "random"], n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "--list-faults lists them."
            raise ValueError(f"there is no fault '{name}'; {hint}")
    line, manner = knobs.PRESETS[hostility], manners.PRESETS[hostility]
    for setting in settings:
        name = setting.partition("=")[0].strip()
        if name in manners.NAMES:
            manner = manners.parse_manner(setting, manner)
        else:
            line = knobs.parse_knob(setting, line)
    return Choice(names or ("healthy",), windows, seed, line, manner)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port for ARM and the gateway; 0 picks a free one."
)
@click.option("--fault", default="healthy", metavar="NAME[,NAME...]|random", help="What is broken in the VM.")
@click.option(
    "--windows", type=click.Choice(WINDOWS), default="2022", show_default=True, help="Windows Server version."
)
@click.option("--seed", type=click.IntRange(min=0), help="Chooses everything that is left to chance; random if absent.")
@click.option(
    "--hostility",
    type=click.Choice(tuple(knobs.PRESETS)),
    default="real",
    show_default=True,
    help="How bad the line is.",
)
@click.option(
    "--knob", "settings", multiple=True, metavar="NAME=VALUE", help="Change one property of the line or gateway."
)
@click.option("--any-token", is_flag=True, help="Accept tokens that another issuer signed.")
@click.option("--output", type=click.Choice(("text", "json")), default="text", help="How to say where it is.")
@click.option("--until-stdin-closes", is_flag=True, help="End when standard input ends.")
@click.option("--list-faults", is_flag=True, help="List the faults and end.")
def main(
    *,
    port: int,
    fault: str,
    windows: str,
    seed: int | None,
    hostility: str,
    settings: tuple[str, ...],
    any_token: bool,
    output: str,
    until_stdin_closes: bool,
    list_faults: bool,
) -> None:
    """Simulate an Azure Windows VM that can be reached only over its serial console. Everything is on 127.0.0.1."""
    if list_faults and output == "json":
        click.echo(
            json.dumps({"faults": [{"name": one.name, "sentence": one.sentence} for one in faults.FAULTS.values()]})
        )
        return
    if list_faults:
        for name, one in faults.FAULTS.items():
            click.echo(f"{name:<24} {one.sentence}")
        return
    try:
        choice = choose(fault, windows, seed, hostility, settings)
        options = Options(port=port, any_token=any_token, manners=choice.manners, folder=announce.folder())
    except ValueError as error:
        _refuse(str(error))

    def say(announcement: Announcement) -> None:
        click.echo(announcement.json() if output == "json" else in_words(announcement))
        sys.stdout.flush()

    try:
        asyncio.run(_run(choice, options, say, until_stdin_closes=until_stdin_closes))
    except KeyboardInterrupt:
        pass  # the way a person ends it
    except PortInUse as error:
        _refuse(f"{error.strerror}; choose another --port, or none to get a free one.")
    except OSError as error:
        click.echo(f"Error: the simulator could not start: {error}", err=True)
        sys.exit(1)


def _refuse(message: str) -> None:
    click.echo(f"Error: {message}", err=True)
    sys.exit(2)


async def _run(
    choice: Choice, options: Options, say: Callable[[Announcement], None], *, until_stdin_closes: bool
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    signal.signal(signal.SIGTERM, lambda *_: loop.call_soon_threadsafe(stop.set))
    if until_stdin_closes:
        threading.Thread(target=_wait_for_end, args=(loop, stop), name="stdin", daemon=True).start()

    vm = faults.build(choice.faults, choice.windows, choice.seed)
    line = Line(vm, choice.knobs, choice.seed, 0.0)

    def repaired() -> Mapping[str, bool]:
        return {name: faults.FAULTS[name].repaired(vm) for name in choice.faults}

    async with serving(vm, line, options, repaired) as running:
        say(running.announcement)
        await stop.wait()


def _wait_for_end(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Read standard input to its end. A thread, because Windows has no other way that works for every kind of input."""
    try:
        # Not sys.stdin: its lock, held by this thread, would stop the interpreter from ending.
        while os.read(0, 4096):
            pass
    except OSError:
        pass  # a standard input that cannot be read has ended
    with contextlib.suppress(RuntimeError):  # the loop is closed: it ended for another reason
        loop.call_soon_threadsafe(stop.set)


def in_words(it: Announcement, platform: str = sys.platform) -> str:
    """How to reach the simulated VM, for a person at a shell of ``platform``."""
    variables = {
        "AZURE_CONFIG_DIR": str(Path(it.ca).parent / "azure"),
        "REQUESTS_CA_BUNDLE": it.ca,
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
    }
    form = "$env:{} = '{}'" if platform == "win32" else "export {}='{}'"
    settings = "\n".join("  " + form.format(name, value) for name, value in variables.items())
    cloud = f"--endpoint-resource-manager {it.arm} --endpoint-active-directory {it.arm}"
    return f"""\
Simulated VM {it.vm} (Windows Server {it.windows}, seed {it.seed}) in resource group {it.resource_group}

  Azure (ARM)   {it.arm}
  RDP port      {it.rdp}
  sign in with  user {it.user}  password {it.password}
  CA to trust   {it.ca}

Try:
  serialfix diagnose --simulate {it.arm}

Microsoft's own client can reach it, too (with a configuration of its own, so that your real login stays as it is):
{settings}
  az cloud register -n simulator {cloud} --endpoint-active-directory-resource-id https://management.azure.com/
  az cloud set -n simulator
  az login --service-principal -u {it.user} -p '{it.password}' --tenant {it.tenant}
  az serial-console connect -g {it.resource_group} -n {it.vm}

Ctrl-C ends it."""
