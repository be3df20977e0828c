"""The progress bar of 5.1: painted over the first rows while a module is prepared for its first use.

It repaints over the stream unless $ProgressPreference is SilentlyContinue (windows-sac.md 3.2; rdp-repair.md 1 C10).
Which cmdlets come from modules that are loaded by themselves, and how the bar looks: common knowledge.
"""

from collections.abc import Generator
from typing import TYPE_CHECKING

from serialfix.simulator.powershell.values import text
from serialfix.simulator.programs import Overlay, Request, Sleep

if TYPE_CHECKING:
    from serialfix.simulator.powershell.evaluator import Evaluator

_NOUNS = ("-Net", "-Cim")  # NetSecurity, NetTCPIP, CimCmdlets
_WIDTH = 70


def first_use(evaluator: "Evaluator", cmdlet: str) -> Generator[Request, str, None]:
    """Load the module of a cmdlet: takes time once, and is shown."""
    shared = evaluator.shared
    if shared.prepared or not any(noun in cmdlet for noun in _NOUNS):
        return
    shared.prepared = True
    seconds = shared.vm.random("modules").uniform(0.5, 2.0)
    if text(evaluator.read("ProgressPreference")).lower() in {"silentlycontinue", "ignore"} or not shared.red:
        yield Sleep(seconds)
        return
    for done in (0.2, 0.6, 1.0):
        filled = int(done * _WIDTH)
        bar = "o" * filled + " " * (_WIDTH - filled)
        yield Overlay(("", " Preparing modules for first use.", "    Processing", f"    [{bar}]", ""))
        yield Sleep(seconds / 3)
        yield Overlay()
