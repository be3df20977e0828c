"""The commands. Everything but the command line's own library is imported where it is used: start-up counts."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, TypeVar

import click

from serialfix import __version__
from serialfix.errors import SerialfixError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from serialfix import events
    from serialfix.connect import Wish
    from serialfix.session import Result, Settings

F = TypeVar("F", bound=Callable[..., Any])

DEMO_FAULTS = (
    "tls-disabled",
    "cert-expired",
    "cert-missing-key",
    "key-permissions",
    "port-hijack",
    "port-hijack-stubborn",
)
"""What the demo picks from when no fault is named: those that an unattended run can repair."""

EXIT_CODES = """\b
Exit codes:
  0    fixed, or healthy
  1    faults are left, or RDP fails and no fault was found
  2    the command line is not right
  3    the VM or its console could not be reached
  4    the change was declined; nothing was changed
  5    the VM has to be repaired offline
  130  interrupted with Ctrl-C
  70   a bug of serialfix
"""


class Group(click.Group):
    """Prints our errors as what, why and advice, and ends with their exit code."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and turn errors into messages."""
        try:
            return super().main(*args, **kwargs)
        except SerialfixError as error:
            print_error(error)
            sys.exit(error.exit_code)
        except Exception:
            import traceback

            from serialfix.tui.safe import safe_lines

            # Its last line may quote a VM.
            click.echo("\n".join(safe_lines(traceback.format_exc())), err=True)
            print_error(SerialfixError("This is a bug of serialfix.", advice="Please report it with the lines above."))
            sys.exit(SerialfixError.exit_code)

    def invoke(self, ctx: click.Context) -> Any:
        """Run; with ``--output json``, what ends it before it has a result is one JSON document on stdout, too."""
        try:
            return super().invoke(ctx)
        except (SerialfixError, click.ClickException) as error:
            if ctx.meta.get(OUTPUT) == "json":
                _print_json({"outcome": "error", "error": _as_document(error)})
            raise


OUTPUT = f"{__name__}.output"


def _as_document(error: SerialfixError | click.ClickException) -> dict[str, str]:
    if isinstance(error, SerialfixError):
        return {"what": error.what, "why": error.why, "advice": error.advice}
    return {"what": error.format_message(), "why": "", "advice": "See --help."}


def _remember_output(context: click.Context, _: click.Parameter, value: str) -> str:
    context.meta[OUTPUT] = value
    return value


def print_error(error: SerialfixError) -> None:
    """What happened, why it is likely, what to try; on stderr."""
    from rich.console import Console

    from serialfix.tui.plain import error_lines

    console = Console(stderr=True, soft_wrap=True)
    for line in error_lines(error.what, error.why, error.advice):
        console.print(line, highlight=False)


def _load_defaults(context: click.Context) -> None:
    from serialfix import settings

    context.default_map = settings.load()


@click.group(cls=Group, context_settings={"auto_envvar_prefix": "SERIALFIX", "max_content_width": 100})
@click.version_option(__version__, prog_name="serialfix")
@click.pass_context
def main(context: click.Context) -> None:
    """Get a broken Windows VM in Azure back over its serial console, when there is no network into it.

    \b
    Try it first, without Azure:
      serialfix demo
    Then on a VM:
      serialfix diagnose -g MyGroup -n MyVm     looks, changes nothing
      serialfix repair -g MyGroup -n MyVm       asks before each change

    Every option can also be given as SERIALFIX_COMMAND_OPTION in the environment or in serialfix.toml.
    """
    _load_defaults(context)


def output_option(command: F) -> F:
    """--output."""
    return click.option(
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        is_eager=True,  # known before anything else of the command line can be wrong
        callback=_remember_output,
        help="json prints one document on one line, the last on stdout; progress goes to stderr.",
    )(command)


def transcript_option(command: F) -> F:
    """--transcript."""
    return click.option(
        "--transcript",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where the recording goes; it must not exist yet. [default: the user's state folder]",
    )(command)


def yes_option(command: F) -> F:
    """--yes-to."""
    return click.option(
        "--yes-to",
        type=click.Choice(["low", "medium", "high"]),
        help="Make changes up to this risk without asking. Without it and without a terminal, nothing is changed.",
    )(command)


def _all(options: tuple[Callable[[F], F], ...], command: F) -> F:
    for option in reversed(options):
        command = option(command)
    return command


def where_options(command: F) -> F:
    """How a VM is named, as az does it."""
    options: tuple[Callable[[F], F], ...] = (
        click.option("-g", "--resource-group", default="", help="The VM's resource group."),
        click.option("-n", "--name", default="", help="The VM's name."),
        click.option("--subscription", default="", help="Id of the subscription. [default: as az account set]"),
        click.option("--cloud", type=click.Choice(["public", "usgov"]), default="public", help="Which Azure."),
        click.option(
            "--simulate",
            metavar="FAULT|URL",
            default="",
            help="Instead of a real VM: one simulated with this fault, or the running simulator at this URL.",
        ),
        click.option(
            "--via",
            metavar="COMMAND",
            default="",
            help="Instead of Azure: any program that shows the VM's console (not on Windows).",
        ),
    )
    return _all(options, command)


def vm_options(command: F) -> F:
    """Which VM, and what of it is looked at."""
    options: tuple[Callable[[F], F], ...] = (
        where_options,
        click.option("--user", default="", help=r"Who logs in on the VM (DOMAIN\user); asked for if missing."),
        click.option("--rdp-host", default="", help="Where RDP is reached from here. [default: the public address]"),
        click.option("--rdp-port", default=3389, type=click.IntRange(1, 65535), help="Its port. [default: 3389]"),
        click.option("--check", "checks", multiple=True, help="Run only this check (repeatable)."),
        transcript_option,
        output_option,
    )
    return _all(options, command)


def simulator_options(command: F) -> F:
    """What can be chosen of a simulated VM."""
    options: tuple[Callable[[F], F], ...] = (
        click.option(
            "--windows", type=click.Choice(["2016", "2019", "2022", "2025"]), default="2022", help="Which Windows."
        ),
        click.option("--seed", type=int, help="Makes a run repeatable. [default: drawn, and said]"),
        click.option(
            "--hostility", type=click.Choice(["calm", "real", "worst"]), default="real", help="How bad the line is."
        ),
    )
    return _all(options, command)


@main.command(epilog=EXIT_CODES)
@click.option("--fault", default="", help="Which fault; see: serialfix list faults. [default: one is picked]")
@simulator_options
@yes_option
@click.option("--dry-run", is_flag=True, help="Show what would be changed; change nothing.")
@transcript_option
@output_option
def demo(  # noqa: PLR0917  # click calls it by name
    fault: str,
    windows: str,
    seed: int | None,
    hostility: str,
    yes_to: Any,
    dry_run: bool,
    transcript: Path | None,
    output: str,
) -> None:
    """Find and repair a fault of a simulated VM on this machine. Needs no Azure.

    \b
    Examples:
      serialfix demo                          a fault you are not told until the end; asks before it changes anything
      serialfix demo --fault tls-disabled --yes-to high
      serialfix demo --fault healthy --seed 7 --output json
    """
    import random

    from serialfix.session import Settings

    options = ["--windows", windows, "--hostility", hostility, *([] if seed is None else ["--seed", str(seed)])]
    settings = Settings(
        mode="repair",
        simulate=fault or random.Random(seed).choice(DEMO_FAULTS),  # noqa: S311  # a surprise, not a secret
        simulator_options=tuple(options),
        yes_to=yes_to,
        dry_run=dry_run,
        transcript=transcript,
        reveal=True,
    )
    _finish(settings, output)


@main.command(epilog=EXIT_CODES)
@click.argument("playbook", default="rdp_internal_error")
@vm_options
@simulator_options
@yes_option
@click.option("--dry-run", is_flag=True, help="Show what would be changed; change nothing.")
def repair(playbook: str, yes_to: Any, dry_run: bool, output: str, **options: Any) -> None:
    """Find what is wrong, propose each change, make it only when you say yes, and check it.

    \b
    Examples:
      serialfix repair -g MyGroup -n MyVm
      serialfix repair -g MyGroup -n MyVm --dry-run
      serialfix repair --simulate tls-disabled
      serialfix repair --via "virsh console vm1"
    """
    _finish(_settings("repair", playbook, yes_to=yes_to, dry_run=dry_run, **options), output)


@main.command(epilog=EXIT_CODES)
@click.argument("playbook", default="rdp_internal_error")
@vm_options
@simulator_options
def diagnose(playbook: str, output: str, **options: Any) -> None:
    """Find what is wrong. Changes nothing.

    \b
    Examples:
      serialfix diagnose -g MyGroup -n MyVm
      serialfix diagnose --simulate https://127.0.0.1:8443 --output json
      serialfix diagnose --via "ssh -e none user@serial-port" --rdp-host 203.0.113.7
    """
    _finish(_settings("diagnose", playbook, **options), output)


@main.command(
    epilog="""\b
Exit codes:
  0    left, or all of the input was sent
  2    the command line is not right
  3    the console could not be reached, or was lost before the input was sent
  130  interrupted with Ctrl-C
  70   a bug of serialfix
"""
)
@where_options
@click.option("--escape", default="^]", metavar="KEY", help="Which key opens the menu. [default: ^], as in az]")
@click.option(
    "--raw",
    is_flag=True,
    help="Pass through what the VM sends, control sequences included. It may act on your terminal.",
)
@click.option(
    "--wait",
    type=click.FloatRange(0.5, 3600),
    default=5.0,
    help="Where input is piped: seconds of silence after its end that end it. [default: 5]",
)
@transcript_option
@output_option
@simulator_options
def connect(escape: str, raw: bool, wait: float, transcript: Path | None, output: str, **options: Any) -> None:
    """Work on the VM's serial console by hand. Recorded: what the VM shows, never the keys.

    \b
    Ctrl-] opens a menu: q quits, h helps. Works in a pipe, too: lines are typed, what the VM shows is printed.

    \b
    Examples:
      serialfix connect -g MyGroup -n MyVm
      serialfix connect --simulate healthy
      serialfix connect --via "virsh console --force vm1"
      echo ch | serialfix connect -g MyGroup -n MyVm
    """
    import os

    from serialfix.connect import Wish
    from serialfix.tui.keys import read_escape

    options |= _where(options, "connect")
    password = os.environ.get("SERIALFIX_PASSWORD", "")
    _finish_by_hand(
        Wish(escape=read_escape(escape), raw=raw, wait=wait, transcript=transcript, password=password, **options),
        output,
    )


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def simulate(arguments: tuple[str, ...]) -> None:
    """Serve a simulated Windows VM on 127.0.0.1 until Ctrl-C: ARM, serial gateway, RDP port.

    \b
    Examples:
      serialfix simulate --fault tls-disabled --windows 2022
      serialfix simulate --port 8443 --seed 7 --output json
    """
    import runpy

    # A program of its own that shares no code with the rest; all options are its own (--help too).
    sys.argv = ["serialfix simulate", *arguments]
    runpy.run_module("serialfix.simulator", run_name="__main__")


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--speed", type=click.FloatRange(0.1, 1000), default=1.0, help="How many times as fast. [default: 1]")
@click.option("--idle-limit", type=click.FloatRange(0, 3600), default=2.0, help="Longest pause, seconds. [default: 2]")
@click.option(
    "--verify", is_flag=True, help="Do not show it: play it again and say what serialfix would do otherwise now."
)
@output_option
def play(file: Path, speed: float, idle_limit: float, verify: bool, output: str) -> None:
    """Replay a recorded session in the terminal.

    \b
    Examples:
      serialfix play transcripts/tls-disabled-2022.cast --speed 4
      serialfix play transcripts/tls-disabled-2022.cast --verify
    """
    from rich.console import Console

    from serialfix.transcript import read

    transcript = read(file)
    if verify:
        _verify(transcript, output)
    if output == "json":
        from serialfix import events

        ended = (
            [event for _, event in transcript.events() if isinstance(event, events.Ended)] if transcript.ours else []
        )
        seconds = transcript.records[-1].at / 1_000_000 if transcript.records else 0.0
        _print_json(
            {
                "transcript": str(file),
                "title": transcript.header.get("title", ""),
                "ours": transcript.ours,
                "seconds": seconds,
                "outcome": ended[0].outcome if ended else None,
                "cut": transcript.cut,
            }
        )
        return
    from serialfix.tui.player import play as show

    try:
        show(transcript, Console(), speed=speed, idle_limit=idle_limit)
    except KeyboardInterrupt:
        sys.exit(130)


def _verify(transcript: Any, output: str) -> NoReturn:
    import asyncio

    from serialfix.rerun import rerun

    difference = asyncio.run(rerun(transcript))
    if output == "json":
        _print_json({"transcript": transcript.path, "same": not difference, "difference": difference})
    else:
        from serialfix.tui.safe import safe_lines

        click.echo("The same today." if not difference else "\n".join(safe_lines(difference)))
    sys.exit(1 if difference else 0)


@main.command()
@click.argument("kind", type=click.Choice(["netstat", "tasklist", "certificates", "reg", "sc", "icacls"]))
@click.argument("file", type=click.File("rb"), default="-")
@output_option
def parse(kind: str, file: IO[bytes], output: str) -> None:
    """Say what a pasted output of a Windows command says, from FILE or standard input, in any language.

    \b
    Examples:
      serialfix parse netstat paste.txt
      serialfix parse sc --output json < paste.txt
    """
    from serialfix import parsing
    from serialfix.steps import Unreadable
    from serialfix.tui.safe import safe

    try:
        document = parsing.parse_command(kind, file.read(16 * 1024 * 1024))
    except Unreadable as problem:
        raise UsageError(
            f"Nothing of this could be read as {kind}: {problem}.",
            why="It is another command's output, or too little of it was pasted.",
            advice="Paste the whole output, as text.",
        ) from None
    if output == "json":
        _print_json(document)
        return
    for line in parsing.lines(document):
        click.echo(safe(line))


@main.command("list")
@click.argument("what", type=click.Choice(["playbooks", "checks", "changes", "faults"]))
@output_option
def list_(what: str, output: str) -> None:
    """List what there is: playbooks, their checks, the changes they can make, the faults that can be simulated.

    \b
    Examples:
      serialfix list faults
      serialfix list changes --output json
    """
    rows = {"playbooks": _playbooks, "checks": _checks, "changes": _changes, "faults": _faults}[what]()
    if output == "json":
        _print_json({what: rows})
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        name, *rest = row.values()
        click.echo(f"{name:<{width}}  {'  '.join(str(item) for item in rest)}")


def _playbooks() -> list[dict[str, str]]:
    from serialfix.playbooks import PLAYBOOKS

    return [{"name": playbook.name, "title": playbook.title} for playbook in PLAYBOOKS.values()]


def _checks() -> list[dict[str, str]]:
    from serialfix.playbooks import PLAYBOOKS

    return [
        {"name": check.name, "title": check.title, "playbook": playbook.name}
        for playbook in PLAYBOOKS.values()
        for check in playbook.checks
    ]


def _changes() -> list[dict[str, str]]:
    from serialfix.playbooks.rdp_internal_error import CHANGES

    return [
        {"name": change.name, "risk": change.risk, "proven": change.proven, "title": change.title} for change in CHANGES
    ]


def _faults() -> list[dict[str, str]]:
    import json
    import subprocess

    command = [sys.executable, "-m", "serialfix.simulator", "--list-faults", "--output", "json"]
    listed = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)  # noqa: S603
    try:
        return [{"name": fault["name"], "sentence": fault["sentence"]} for fault in json.loads(listed.stdout)["faults"]]
    except (ValueError, KeyError, TypeError):
        raise UsageError("The simulator did not list its faults.", why=listed.stderr.strip()) from None


def _settings(mode: Any, playbook: str, **options: Any) -> "Settings":
    import os

    from serialfix.playbooks import PLAYBOOKS
    from serialfix.session import Settings

    if playbook not in PLAYBOOKS:
        raise UsageError(f"There is no playbook {playbook!r}.", advice=f"There are: {', '.join(PLAYBOOKS)}.")
    known = [check.name for check in PLAYBOOKS[playbook].checks]
    if unknown := [check for check in options["checks"] if check not in known]:
        raise UsageError(f"The playbook has no check {unknown[0]!r}.", advice=f"It has: {', '.join(known)}.")
    options |= _where(options, "diagnose")
    return Settings(
        mode=mode,
        playbook=playbook,
        password=os.environ.get("SERIALFIX_PASSWORD", ""),
        checks=tuple(options.pop("checks")),
        **options,
    )


def _where(options: dict[str, Any], command: str) -> dict[str, Any]:
    """Take what says which simulator or program out of the options, and give it as it is kept. Raises UsageError."""
    windows, seed, hostility = options.pop("windows"), options.pop("seed"), options.pop("hostility")
    via = _via(options)
    if not via and not options["simulate"] and not (options["resource_group"] and options["name"]):
        raise UsageError(
            "Which VM? Give its resource group and its name.",
            advice=f"serialfix {command} -g GROUP -n NAME, --simulate FAULT for a simulated one, "
            "or --via COMMAND for a console that a program shows.",
        )
    seeded = () if seed is None else ("--seed", str(seed))
    return {"via": via, "simulator_options": ("--windows", windows, "--hostility", hostility, *seeded)}


def _via(options: dict[str, Any]) -> tuple[str, ...]:
    """Take the command of --via out of the options, as words. Raises UsageError."""
    command = options.pop("via")
    if not command:
        return ()
    others = {"-g": "resource_group", "-n": "name", "--simulate": "simulate"}
    if given := [flag for flag, name in others.items() if options[name]]:
        raise UsageError(
            f"--via and {given[0]} exclude each other.",
            why="--via says by itself where the VM's console is; Azure and the simulator are not asked then.",
            advice="Leave one of them out (they may also stand in the environment or in serialfix.toml).",
        )
    from serialfix.venues.process import read_command

    return read_command(command)


def _finish(settings: "Settings", output: str) -> NoReturn:
    """Run a session and end with its exit code."""
    import asyncio

    from rich.console import Console

    from serialfix.session import run
    from serialfix.tui.plain import PlainFace

    console = Console(stderr=output == "json", soft_wrap=False, color_system=None if output == "json" else "auto")
    face = PlainFace(console)
    if sys.stdin.isatty() and console.is_terminal:
        from serialfix.tui.ask import Terminal, ask_login

        face.attend(Terminal(lambda: face.vm, face.tell), ask_login)
    result = asyncio.run(run(settings, face))
    if result.error is not None:
        print_error(result.error)
    if output == "json":
        _print_json(result.as_json())
    else:
        _say_goodbye(console, result)
    sys.exit(result.exit_code)


def _finish_by_hand(wish: "Wish", output: str) -> NoReturn:
    """Let somebody, or a pipe, work on the console, and end with the exit code."""
    import asyncio

    from rich.console import Console

    from serialfix.connect import AtTerminal, Hand, InPipe, run
    from serialfix.tui.plain import story

    console = Console(stderr=True, soft_wrap=True)

    def tell(event: "events.Event") -> None:
        for line in story(event):
            console.print(line, highlight=False)

    # With a document on standard output, what the VM shows goes where progress does.
    stream = sys.stderr if output == "json" else sys.stdout
    person = sys.stdin is not None and sys.stdin.isatty() and (sys.stdout.isatty() or sys.stderr.isatty())
    hand: Hand = AtTerminal(wish) if person else InPipe(wish, lambda line: print(line, file=stream, flush=True))
    result = asyncio.run(run(wish, hand, tell))
    if result.error is not None:
        print_error(result.error)
    if result.transcript:
        console.print(
            f"Recorded in {result.transcript}\nReplay it with: serialfix play {result.transcript}",
            markup=False,
            highlight=False,
        )
    if output == "json":
        _print_json(result.as_json())
    sys.exit(result.exit_code)


def _say_goodbye(console: "Console", result: "Result") -> None:
    from rich.text import Text

    from serialfix.tui.safe import safe

    console.print()
    if result.truth:
        console.print(Text(f"What was wrong with the simulated VM: {safe(result.truth)}"), highlight=False)
    if path := safe(result.transcript):
        console.print(
            Text(f"Recorded in {path}\nReplay it with: serialfix play {path}"),
            soft_wrap=True,
            highlight=False,
        )


def _print_json(document: dict[str, Any]) -> None:
    import msgspec

    from serialfix.tui.safe import safe_json

    sys.stdout.write(safe_json(msgspec.json.encode(document).decode()) + "\n")
    sys.stdout.flush()
