"""Who says yes to a change: the policy of a run, and behind it, if there is one, a person.

No terminal and no ``--yes-to RISK`` means no. ``diagnose`` and ``--dry-run`` are the same run with an answer that is
always no (design: "Changes").
"""

from dataclasses import dataclass

from serialfix.engine import Approver, Decision
from serialfix.events import Proposed
from serialfix.steps import RISKS, Risk


@dataclass(frozen=True, slots=True)
class Policy:
    """Decides what it can and hands the rest to ``person``. ``never``: why every answer is no, or empty."""

    never: str = ""
    yes_to: Risk | None = None
    person: Approver | None = None

    async def decide(self, proposal: Proposed) -> Decision:
        """May these changes be made?"""
        if self.never:
            return Decision(False, self.never)
        if self.yes_to is not None and RISKS.index(highest(proposal)) <= RISKS.index(self.yes_to):
            return Decision(True, f"--yes-to {self.yes_to}")
        if self.person is not None:
            return await self.person.decide(proposal)
        return Decision(False, "no terminal", f"run it in a terminal, or with --yes-to {highest(proposal)}")

    async def choose(self, question: str, choices: tuple[str, ...], unattended: str) -> tuple[str, str]:
        """One of ``choices``, and who chose."""
        if self.person is not None and not self.never and self.yes_to is None:
            return await self.person.choose(question, choices, unattended)
        return unattended, "unattended"


def highest(proposal: Proposed) -> Risk:
    """The highest risk among the proposed changes."""
    return max((change.risk for change in proposal.changes), key=RISKS.index, default="low")
