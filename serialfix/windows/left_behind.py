r"""Taking back what a helper of an earlier session left: its folder, a script in it, its task.

The commands come out of a recording, so they are text from a file: only the very forms with which our own helpers
(system_helper.py) are taken back are ever run, and each only while what it removes is there.

>>> object_of("rd /s /q C:\\Windows\\kqxwvdahmtbs")
'C:\\Windows\\kqxwvdahmtbs'
>>> object_of("rd /s /q C:\\Windows\\System32 & shutdown /r") is None
True
"""

import re

from serialfix.steps import Change, Command, NoUndo, Output, Probe, Unreadable
from serialfix.windows.system_helper import ROOT, TASKS

LEFT = "left:"
"""What the name of a change begins with that takes back what an earlier session left; its command follows."""

# As names are drawn (console/markers.py): twelve characters, none of them i, l, o, 0 or 1. So no folder of Windows' own
# can be meant, in lower case neither ("system32", "servicestate").
_NAME = r"[a-hjkmnp-z][a-hjkmnp-z2-9]{11}"
_FOLDER = re.compile(rf"{re.escape(ROOT)}\\{_NAME}")
_REMOVE_FOLDER = re.compile(rf"rd /s /q ({re.escape(ROOT)}\\{_NAME})")
_REMOVE_FILE = re.compile(rf"del /q ({re.escape(ROOT)}\\{_NAME}\\[a-z0-9]{{1,8}}(?:\.[a-z]{{1,3}})?)")
_REMOVE_TASK = re.compile(rf"schtasks /delete /tn ({_NAME}) /f")


def is_our_folder(path: str) -> bool:
    """Whether a path has the form of our folders' paths: a name that was drawn, right under %SystemRoot%."""
    return _FOLDER.fullmatch(path) is not None


def object_of(command: str) -> str | None:
    """What a command of ours takes away, as a path that is there as long as it is; None for any other command."""
    if found := _REMOVE_FOLDER.fullmatch(command) or _REMOVE_FILE.fullmatch(command):
        return str(found[1])
    if found := _REMOVE_TASK.fullmatch(command):
        return rf"{TASKS}\{found[1]}"
    return None


def take_back(command: str) -> Change[bool]:
    """The change that runs ``command``, which must be one of ours. Raises ValueError for any other."""
    path = object_of(command)
    if path is None:
        raise ValueError(f"no command of ours: {command!r}")

    def parse(output: Output) -> bool:
        answer = output.text.strip()
        if output.exit_code != 0 or answer not in ("there", "none"):
            raise Unreadable(f"whether {path} is there could not be seen: {answer[:100]!r}")
        return answer == "there"

    return Change(
        name=LEFT + command,
        title=f"Remove {path}, which an earlier session needed for a while and left",
        why="It was to be taken back when that session's check ended, and the session was stopped before.",
        risk="medium",
        proven="derived",
        before=Probe(
            name=f"left:{path}",
            title=f"Whether {path} is still there",
            why="An earlier session on this machine made it and did not take it back.",
            query=Command("cmd", rf"(if exist {path} (echo there) else if exist {ROOT}\* (echo none))"),
            parse=parse,
        ),
        do=Command("cmd", command, "write"),
        after="not there",
        show=lambda there: "there" if there else "not there",
        check=lambda there: not there,
        undo=NoUndo("it is of no use to anybody without the session that made it"),
        temporary=True,  # it repairs nothing
    )
