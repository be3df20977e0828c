r"""The helper that runs a script as SYSTEM, for what an administrator may not even look at.

rdp-repair.md 0a.3, 0a.4 and C15: a folder under %SystemRoot% with a name that can't be guessed, which nobody but SYSTEM
and the administrators may enter; a script in it, read back before anything runs it; a scheduled task that runs the
script as SYSTEM. Everything is read back in forms that no language changes: SDDL, the script's own text, the task's
XML. All of it is temporary: the engine removes it when the check ends. Where SYSTEM is refused there is no other way:
nothing takes ownership, and no service is made to run a command.

The script works in the folder and leaves what it found out in the file "t". That becomes "r" when it is whole, and the
folder "done" says that the run has ended:

>>> print("\n".join(Helper("kqxwvdahmtbs").script(("icacls C:\\x /save t",))))
@echo off
cd /d C:\Windows\kqxwvdahmtbs
if not exist s.cmd exit /b 1
if exist r del /q r
if exist t del /q t
if not exist go goto look
del /q go
call w.cmd
:look
icacls C:\x /save t
if exist t ren t r
md done
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from serialfix import quoting
from serialfix.steps import Change, Command, NewName, Output, Probe, Unreadable
from serialfix.windows import sddl

T = TypeVar("T")

ROOT = r"C:\Windows"
TASKS = r"C:\Windows\System32\Tasks"
LONGEST_RUN = 45
"""Seconds that a run may take, before it is given up."""
LONGEST_TASK = 261
"""Characters that ``schtasks /tr`` takes (common knowledge)."""
SEEN = "Security software will see a task that runs as SYSTEM."
DOCS = "rdp-repair.md 0a.3, 0a.4"

_PLAIN = re.compile(r'(?:[\w .:,;\\/@*+-]|"[\w .:,;\\/@*+()-]*")+', re.ASCII)
_ONLY = frozenset({(sddl.SYSTEM, sddl.FULL), (sddl.ADMINISTRATORS, sddl.FULL)})


@dataclass(frozen=True, slots=True)
class Helper:
    """``name``: of the folder and of the task, from ``new_name``."""

    name: str

    @property
    def folder(self) -> str:
        """Where script and results are."""
        return rf"{ROOT}\{self.name}"

    def script(self, lines: Sequence[str]) -> tuple[str, ...]:
        """The script that the task runs: ``lines`` leave their result in "t"; "w.cmd" is run first when "go" is there.

        What asks for the change is deleted before the change is made, so that it can never be made again by itself.
        """
        return (
            "@echo off",
            f"cd /d {self.folder}",
            "if not exist s.cmd exit /b 1",
            "if exist r del /q r",
            "if exist t del /q t",
            "if not exist go goto look",
            "del /q go",
            "call w.cmd",
            ":look",
            *lines,
            "if exist t ren t r",
            "md done",
        )


@dataclass(frozen=True, slots=True)
class Task:
    """A scheduled task: what it runs, and as whom (a SID, as the task's XML has it)."""

    command: str
    user: str

    def __str__(self) -> str:
        return f"runs {self.command} as {self.user}"


AnyChange: TypeAlias = Change[bool] | Change[sddl.Dacl | None] | Change[tuple[str, ...] | None] | Change[Task | None]


def new_name(purpose: str) -> Probe[str]:
    """A fresh name for a folder and a task."""

    def parse(output: Output) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9]{11}", output.text.strip()):
            raise Unreadable(f"no name that can be used: {output.text[:60]!r}")
        return output.text.strip()

    return Probe(
        name=f"new_name:{purpose}",
        title=f"A new name for {purpose}",
        why="A name that nobody can guess is a name that nobody can prepare.",
        query=NewName(purpose),
        parse=parse,
    )


def changes(helper: Helper, lines: Sequence[str], *, why: str) -> tuple[AnyChange, ...]:
    """Set the helper up: its folder, who may enter it, its script, its task. ``why``: what it is needed for."""
    return (
        _folder(helper, why),
        _rights(helper),
        script(helper, "s.cmd", helper.script(lines), why=why),
        _task(helper),
    )


def exists(helper: Helper) -> Probe[bool]:
    """Whether the helper's folder is there. Before the helper is set up it must not be."""

    def parse(output: Output) -> bool:
        answer = output.text.strip()
        if output.exit_code != 0 or answer not in ("there", "none"):
            raise Unreadable(f"whether {helper.folder} is there could not be seen: {answer[:100]!r}")
        return answer == "there"

    return Probe(
        name=f"folder:{helper.name}",
        title=f"The folder {helper.folder}",
        why="It must be a new one: what somebody else prepared is never run.",
        query=Command("cmd", rf"(if exist {helper.folder} (echo there) else if exist {ROOT}\* (echo none))"),
        parse=parse,
    )


def _folder(helper: Helper, why: str) -> Change[bool]:
    return Change(
        name="helper_folder",
        title=f"Make the folder {helper.folder} for the helper",
        why=why,
        risk="medium",
        proven="derived",
        before=exists(helper),
        do=Command("cmd", f"md {helper.folder}", "write"),
        after="there",
        show=lambda there: "there" if there else "not there",
        check=lambda there: there,
        undo=lambda there: (Command("cmd", f"rd /s /q {helper.folder}", "write"),),
        temporary=True,
        docs=DOCS,
    )


def _rights(helper: Helper) -> Change[sddl.Dacl | None]:
    """Nobody but SYSTEM and administrators; goes with the folder, so there is nothing to undo."""
    f = helper.folder

    def parse(output: Output) -> sddl.Dacl | None:
        return None if output.text.strip() == "none" else read_saved(output, helper.name)

    look = rf"(if exist {f} (icacls {f} /save {f}\d /q>nul&type {f}\d) else if exist {ROOT}\* (echo none))"
    return Change(
        name="helper_rights",
        title="Let only SYSTEM and administrators into that folder",
        why="Whoever could write into it could run what he likes as SYSTEM.",
        risk="medium",
        proven="derived",
        before=Probe(
            name=f"rights:{helper.name}",
            title=f"Who may enter {f}",
            why="What SYSTEM runs must be out of reach for everybody else.",
            query=Command("cmd", look),
            parse=parse,
        ),
        do=Command(
            "cmd",
            f'icacls {f} /inheritance:r /grant:r "*{sddl.SYSTEM}:(OI)(CI)F" "*{sddl.ADMINISTRATORS}:(OI)(CI)F"',
            "write",
        ),
        after="SYSTEM and administrators only",
        show=lambda dacl: "the folder is not there" if dacl is None else str(dacl),
        check=lambda dacl: dacl is not None and _closed(dacl),
        undo=lambda dacl: (),
        temporary=True,
        docs=DOCS,
    )


def _closed(dacl: sddl.Dacl) -> bool:
    """Nothing is inherited, and what there is allows SYSTEM and administrators everything, and nobody else."""
    if dacl.aces is None or not dacl.protected or not all(ace.allow for ace in dacl.aces):
        return False
    passed_on = frozenset({"OI", "CI"})
    return {(ace.sid, ace.mask) for ace in dacl.aces if ace.flags == passed_on} == _ONLY and (
        len(dacl.aces) == len(_ONLY)
    )


AS_WRITTEN = "holds the lines of the command, and no other"


def script(helper: Helper, file: str, lines: Sequence[str], *, why: str) -> Change[tuple[str, ...] | None]:
    """Write a script into the helper's folder; it is read back before anything can run it.

    ``lines`` hold no character that a shell could take for more than text; raises ValueError otherwise.
    """
    path = rf"{helper.folder}\{file}"

    def parse(output: Output) -> tuple[str, ...] | None:
        if output.exit_code != 0 or output.partial:
            raise Unreadable(f"{path} could not be read: {output.text.strip()[:100]!r}")
        # A shell that runs behind a pipe adds a blank to what it echoes.
        found = tuple(line.rstrip() for line in output.text.splitlines())
        return None if found == ("none",) else found

    wanted = tuple(lines)
    return Change(
        name=f"helper_script:{file}",
        title=f"Write the script {path}",
        why=why,
        risk="medium",
        proven="derived",
        before=Probe(
            name=f"script:{helper.name}\\{file}",
            title=f"The script {path}",
            why="What SYSTEM is to run is read back, character by character, before it runs.",
            query=Command(
                "cmd",
                rf"(if exist {path} (type {path}) else if exist {ROOT}\* (echo none))",
            ),
            parse=parse,
        ),
        do=Command("cmd", _written(path, wanted), "write"),
        after=AS_WRITTEN,
        show=lambda found: "not there" if found is None else AS_WRITTEN if found == wanted else "; ".join(found),
        check=lambda found: found == wanted,
        undo=lambda found: (Command("cmd", f"del /q {path}", "write"),),
        temporary=True,
        docs=DOCS,
    )


def _written(path: str, lines: Sequence[str]) -> str:
    """The command that writes ``lines`` to a file. Without carets: a shell behind a pipe reads the line once more."""
    for line in lines:
        # "echo on" is no text but a command.
        if not _PLAIN.fullmatch(line) or line.strip().lower() in ("", "on", "off"):
            raise ValueError(f"not a line that can be echoed safely: {line!r}")
    return f"({'&'.join(f'echo {line}' for line in lines)})>{path}"


def _task(helper: Helper) -> Change[Task | None]:
    command = rf"{helper.folder}\s.cmd"

    def undo(task: Task | None) -> tuple[Command, ...]:
        return (Command("cmd", f"schtasks /delete /tn {helper.name} /f", "write"),)

    return Change(
        name="helper_task",
        title=f"Create the task {helper.name}, which runs that script as SYSTEM. {SEEN}",
        why="Only SYSTEM may read and change it. The task runs when it is told to, and is deleted afterwards.",
        risk="medium",
        proven="derived",
        before=Probe(
            name=f"task:{helper.name}",
            title=f"The task {helper.name}",
            why="What the task runs, and as whom, is read back before it runs.",
            query=Command(
                "cmd",
                rf"(schtasks /query /tn {helper.name} /xml||if exist {TASKS}\* if not exist {TASKS}\{helper.name} "
                "echo none)",
            ),
            parse=parse_task,
        ),
        do=Command("cmd", _create(helper.name, command), "write"),
        after=str(Task(command, sddl.SYSTEM)),
        show=lambda task: "there is none" if task is None else str(task),
        check=lambda task: task == Task(command, sddl.SYSTEM),
        undo=undo,
        temporary=True,
        docs=DOCS,
    )


def _create(name: str, command: str) -> str:
    if len(command) > LONGEST_TASK:
        raise ValueError(f"a task can't run a command of {len(command)} characters")
    return f"schtasks /create /tn {name} /sc once /st 00:00 /ru SYSTEM /rl HIGHEST /f /tr {command}"


def parse_task(output: Output) -> Task | None:
    r"""Read ``schtasks /query /xml``; None where behind its failure stands "none". Raises Unreadable.

    >>> sample = r'''<?xml version="1.0" encoding="UTF-16"?>
    ... <Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
    ...   <Principals>
    ...     <Principal id="Author">
    ...       <RunLevel>HighestAvailable</RunLevel>
    ...       <UserId>S-1-5-18</UserId>
    ...     </Principal>
    ...   </Principals>
    ...   <Actions Context="Author">
    ...     <Exec>
    ...       <Command>C:\Windows\kqxwvdahmtbs\s.cmd</Command>
    ...     </Exec>
    ...   </Actions>
    ... </Task>
    ... '''
    >>> parse_task(Output(sample, 0, "screen"))
    Task(command='C:\\Windows\\kqxwvdahmtbs\\s.cmd', user='S-1-5-18')
    """
    lines = [line.strip() for line in output.text.splitlines() if line.strip()]
    if output.exit_code != 0 or output.partial or not lines:
        raise Unreadable(f"the task could not be read: {' '.join(lines)[:100] or 'no text'}")
    if lines[-1] == "none":
        return None
    text = " ".join(lines)
    users = re.findall(r"<UserId>\s*([^<>]*?)\s*</UserId>", text)
    actions = re.findall(r"<Actions[^<>]*>(.*?)</Actions>", text)
    execs = re.findall(r"\s*<Exec>\s*<Command>\s*([^<>]*?)\s*</Command>\s*</Exec>\s*", actions[0]) if actions else []
    # Nothing besides one program without arguments, so that what was read is all that runs.
    whole = bool(actions) and re.fullmatch(r"\s*<Exec>\s*<Command>[^<>]*</Command>\s*</Exec>\s*", actions[0])
    if len(users) != 1 or len(actions) != 1 or len(execs) != 1 or not whole:
        raise Unreadable("the task's XML is not that of a task with one account and one program")
    return Task(execs[0], users[0])


def result(helper: Helper, name: str, title: str, why: str, parse: Callable[[Output], T]) -> Probe[T]:
    """Let the script run as SYSTEM and read what it found out; ``parse`` is given that only when it is whole."""

    def read(output: Output) -> T:
        text = output.text.strip()
        if text.endswith("late"):
            raise Unreadable(
                f"the task as SYSTEM did not end within {LONGEST_RUN} s: security software may keep it from running"
            )
        if output.exit_code != 0:
            raise Unreadable(f"the task as SYSTEM left no result: {text[:100] or 'no text'}")
        return parse(output)

    f = helper.folder
    return Probe(
        name=name,
        title=title,
        why=why,
        query=Command("cmd", rf"({_run(helper.name, f)}&if exist {f}\done (type {f}\r) else echo late)"),
        parse=read,
        exact=True,  # an access list, which is put back as it was
        timeout=LONGEST_RUN * 2.0 + 30.0,
    )


def write(helper: Helper) -> Command:
    """What makes the change that "w.cmd" holds: it is run as SYSTEM, once."""
    return Command("cmd", rf"(echo go)>{helper.folder}\go&&{_run(helper.name, helper.folder)}", "write")


def _run(name: str, folder: str) -> str:
    """Run the task and wait for its end; what an earlier run left is removed first."""
    waiting = rf"(for /l %i in (1,1,{LONGEST_RUN}) do @if not exist {folder}\done ping -n 2 127.0.0.1 >nul)"
    return rf"(if exist {folder}\done rd {folder}\done)&schtasks /run /tn {name} >nul&&{waiting}"


def read_saved(output: Output, name: str) -> sddl.Dacl:
    r"""Read what ``icacls /save`` wrote about one file or folder called ``name``, as ``type`` shows it.

    A name and its access list, each on a line of its own; in UTF-16, whose second bytes come along where no mark tells
    ``type`` so (common knowledge). Raises Unreadable.

    >>> read_saved(Output("kqxw\nD:PAI(A;OICI;FA;;;SY)\n", 0, "screen"), "kqxw").text
    'D:PAI(A;OICI;FA;;;SY)'
    """
    if output.exit_code != 0 or output.partial:
        raise Unreadable(f"the access list could not be read: {output.text.strip()[:100] or 'no text'}")
    # A zero byte looks like a blank on the screen; neither is in the names and lists that are read here.
    lines = [line for line in re.sub(r"[\0 \r]", "", output.text).split("\n") if line]
    if len(lines) != 2 or lines[0].lower() != name.lower():
        raise Unreadable(f"icacls saved no access list of {name}: {output.text.strip()[:100]!r}")
    return sddl.parse(lines[1]).dacl


def once(name: str, lines: Sequence[str], files: Sequence[str] = ()) -> tuple[Command, ...]:
    """Run ``lines`` once as SYSTEM where no helper is left, and leave nothing behind: for an undo, whenever it comes.

    ``name``: a fresh one, for folder and task. ``files``: commands that put into the folder what ``lines`` need; they
    and ``lines`` name the folder's files by their whole path and by their bare name.
    """
    folder = rf"{ROOT}\{name}"
    body = ("@echo off", f"cd /d {folder}", "if not exist s.cmd exit /b 1", *lines, "md done")
    steps = (
        rf'md {folder}&&icacls {folder} /inheritance:r /grant:r "*{sddl.SYSTEM}:(OI)(CI)F" '
        rf'"*{sddl.ADMINISTRATORS}:(OI)(CI)F"',
        _written(rf"{folder}\s.cmd", body),
        *files,
        _create(name, rf"{folder}\s.cmd"),
        _run(name, folder),
        f"schtasks /delete /tn {name} /f",
        f"rd /s /q {folder}",
    )
    return tuple(Command("cmd", step, "write") for step in steps)


def saved(name: str, path: str, dacl: sddl.Dacl) -> str:
    """The command that writes to ``path`` what ``icacls /save`` writes about a file called ``name``, without a mark.

    Between one pair of quotes, which the cmd inside takes off, nothing is read before it. Raises ValueError where the
    list is too long or holds what can't be typed safely.
    """
    if len(dacl.text) > 1000:
        raise ValueError(f"an access list of {len(dacl.text)} characters can't be typed back")
    of, text = (quoting.cmd(value).strip('"') for value in (name, dacl.text))
    return f'cmd /u /c ">{path} echo {of}&>>{path} echo {text}"'
