"""Asks a person at a terminal: may these changes be made, which way, who logs in."""

from collections.abc import Callable, Iterable

from rich.text import Text

from serialfix.approval import highest
from serialfix.engine import Decision
from serialfix.events import Proposed
from serialfix.tui.plain import proposal_lines, why_lines
from serialfix.tui.safe import safe
from serialfix.tui.terminal import ask


class Terminal:
    """A person at a terminal. ``vm()`` names the VM that is being repaired; ``tell`` prints lines."""

    def __init__(self, vm: Callable[[], str], tell: Callable[[Iterable[Text]], None]) -> None:
        self._vm = vm
        self._tell = tell

    async def decide(self, proposal: Proposed) -> Decision:
        """Ask until the answer is yes, no or quit. Enter is no."""
        vm = safe(self._vm())
        while True:
            answer = await ask(f"  Make these changes on {vm}?  [y]es  [n]o  [d]etails  [w]hy  [q]uit  (no) ")
            if answer is None:
                return Decision(False, "engineer", "Ctrl-C", quit=True)
            match answer.strip().lower():
                case "y" | "yes":
                    return await self._confirmed(proposal, vm)
                case "" | "n" | "no":
                    return Decision(False, "engineer")
                case "q" | "quit":
                    return Decision(False, "engineer", "quit", quit=True)
                case "d" | "details":
                    self._tell(proposal_lines(proposal))
                case "w" | "why":
                    self._tell(why_lines(proposal))
                case _:
                    self._tell([Text("  Please answer y, n, d, w or q.")])

    async def _confirmed(self, proposal: Proposed, vm: str) -> Decision:
        if highest(proposal) == "high":
            typed = await ask(f"  This is high risk. Type the name of the VM ({vm}) to go on: ")
            if typed is None or typed.strip() != vm:
                return Decision(False, "engineer", "the VM's name was not typed")
        return Decision(True, "engineer")

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        """Ask for one of ``choices`` by number; Enter takes what an unattended run would."""
        self._tell([Text(f"  {safe(question)}")])
        for number, choice in enumerate(choices, start=1):
            self._tell([Text(f"   {'*' if choice == unattended else ' '}{number}. {safe(choice)}")])
        while True:
            answer = await ask("  Which? ")
            if answer is None or not answer.strip():
                return unattended, "engineer"
            if answer.strip().isdecimal() and 1 <= int(answer) <= len(choices):
                return choices[int(answer) - 1], "engineer"


async def ask_login(vm: str, user: str) -> tuple[str, str] | None:
    """Ask for user name and password; None when the person gives up."""
    if not user:
        answer = await ask(f"User name on {safe(vm)} (DOMAIN\\user for a domain account): ")
        if not answer:
            return None
        user = answer.strip()
    password = await ask(f"Password of {safe(user)}: ", hidden=True)
    return (user, password) if password else None
