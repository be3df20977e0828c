"""A PowerShell of a VM to type into."""

from serialfix.simulator.vm import Vm
from tests.simulator.world import shell


def ps(vm: Vm, *lines: str) -> str:
    """Type lines into an interactive PowerShell; return what came after the first prompt, prompts and echo included."""
    start = "powershell -nologo -noprofile"
    return shell(vm, start, *lines).partition(start + "\n")[2]


def answer(vm: Vm, line: str) -> str:
    """Type one line; return what it printed."""
    text = ps(vm, line)
    assert "not modelled" not in text, text
    return text.partition("> " + line + "\n")[2].rpartition("PS ")[0]
