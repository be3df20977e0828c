"""Who says yes: the policy before the person, and nobody means no."""

import pytest

from serialfix.approval import Policy, highest
from serialfix.engine import Decision
from serialfix.events import Proposed, ProposedChange
from serialfix.steps import RISKS, Finding, Risk
from tests.standins import Person


def proposal(*risks: Risk) -> Proposed:
    changes = (
        ProposedChange(
            name="c",
            title="",
            why="",
            risk=risk,
            proven="measured",
            before="",
            after="",
            command="",
            undo=(),
            no_undo="",
            impact=(),
            flag=None,
        )
        for risk in risks
    )
    return Proposed("p", Finding("a", "fault", "broken"), tuple(changes))


@pytest.mark.parametrize("yes_to", RISKS)
@pytest.mark.parametrize("risk", RISKS)
async def test_yes_to_a_risk_is_yes_up_to_it(yes_to: Risk, risk: Risk) -> None:
    decision = await Policy(yes_to=yes_to).decide(proposal("low", risk))
    assert decision.approved == (RISKS.index(risk) <= RISKS.index(yes_to))
    assert decision.by == (f"--yes-to {yes_to}" if decision.approved else "no terminal")
    if not decision.approved:
        assert f"--yes-to {risk}" in decision.note


async def test_above_the_risk_the_person_is_asked() -> None:
    person = Person([Decision(True, "engineer")])
    assert (await Policy(yes_to="low", person=person).decide(proposal("low", "high"))).by == "engineer"
    assert (await Policy(yes_to="medium", person=person).decide(proposal("medium"))).by == "--yes-to medium"
    assert len(person.proposals) == 1


async def test_never_is_never() -> None:
    person = Person()
    decision = await Policy(never="--dry-run", yes_to="high", person=person).decide(proposal("low"))
    assert decision == Decision(False, "--dry-run")
    assert person.proposals == []
    assert await Policy(never="diagnose", person=person).choose("?", ("a", "b"), "a") == ("a", "unattended")


async def test_nobody_there_means_no() -> None:
    assert not (await Policy().decide(proposal("low"))).approved
    assert await Policy().choose("?", ("a", "b"), "a") == ("a", "unattended")


async def test_a_person_chooses_unless_the_run_is_unattended() -> None:
    assert await Policy(person=Person()).choose("?", ("a", "b"), "a") == ("b", "engineer")
    assert await Policy(person=Person(), yes_to="low").choose("?", ("a", "b"), "a") == ("a", "unattended")


def test_the_highest_risk_counts() -> None:
    assert highest(proposal()) == "low"
    assert highest(proposal("low", "high", "medium")) == "high"
