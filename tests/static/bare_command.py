"""A wrong playbook, for tests/test_steps.py: it yields a command that would change a VM, which is no step."""

from collections.abc import Generator
from typing import Any

from serialfix.steps import Command, Finding, Look, Probe, Step

VERSION: Probe[str] = Probe("version", "Version", "why", Command("cmd", "ver"), lambda output: output.text)


def check() -> Generator[Step, Any, Finding]:
    """Yield a look, which is a step, and then a bare command."""
    yield Look(VERSION)
    yield Command("cmd", "shutdown /r", "write")
    return Finding("reboot", "ok", "restarted")
