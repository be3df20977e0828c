"""What a playbook may say: the helpers carry steps out and answers in, and a bare command is no step."""

import subprocess
import sys
from collections.abc import Generator
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix import steps
from serialfix.steps import (
    Ahead,
    Choose,
    Command,
    Do,
    Done,
    Finding,
    Look,
    Note,
    Output,
    Probe,
    Step,
    Unknown,
    Unreadable,
    Wait,
    ahead,
    choose,
    do,
    growing,
    look,
    note,
    wait,
)

FINDING = Finding("tls", "fault", "broken")
PROBE: Probe[str] = Probe("p", "title", "why", Command("cmd", "ver"), lambda output: output.text)
STATIC = Path(__file__).with_name("static")


def drive(generator: Generator[Step, Any, Any], answer: Any) -> tuple[Step, Any]:
    step = next(generator)
    with pytest.raises(StopIteration) as end:
        generator.send(answer)
    return step, end.value.value


@pytest.mark.parametrize(
    ("generator", "step", "answer"),
    [
        (look(PROBE), Look(PROBE, False), "10.0"),
        (look(PROBE, fresh=True), Look(PROBE, True), Unknown("no answer")),
        (ahead(PROBE, PROBE, fresh=True), Ahead((PROBE, PROBE), True), None),
        (do("t", FINDING), Do("t", FINDING, ()), Done("failed", "why")),
        (choose("q", ("a", "b"), unattended="b"), Choose("q", ("a", "b"), "b"), "a"),
    ],
)
def test_the_answer_comes_back(generator: Generator[Step, Any, Any], step: Step, answer: Any) -> None:
    assert drive(generator, answer) == (step, answer)


def test_steps_without_an_answer() -> None:
    assert drive(note("hello"), None) == (Note("hello"), None)
    assert drive(wait(3.0, "why"), None) == (Wait(3.0, "why"), None)


def test_every_outcome_has_its_exit_code() -> None:
    assert set(steps.EXIT_CODES) == set(get_args(steps.Outcome))
    assert {outcome for outcome, code in steps.EXIT_CODES.items() if code == 0} == {"fixed", "healthy"}
    assert {code for code in steps.EXIT_CODES.values() if code} == {1, 3, 4, 5}


def test_risks_are_in_order() -> None:
    assert steps.RISKS == ("low", "medium", "high") == get_args(steps.Risk)


def test_a_command_reads_unless_it_says_otherwise() -> None:
    assert Command("cmd", "ver").effect == "read"
    assert steps.OutsideLook().effect == "read"


def test_values_are_frozen_and_small() -> None:
    with pytest.raises(FrozenInstanceError):
        FINDING.status = "ok"  # type: ignore[misc]
    assert not hasattr(Output("", 0, "screen"), "__dict__")


def test_unreadable_and_unknown_say_why() -> None:
    assert str(Unreadable("cut")) == "cut"
    assert isinstance(Unreadable("cut"), ValueError)
    assert str(Unknown("lost")) == "lost"


def test_a_bare_command_does_not_type_check(tmp_path: Path) -> None:
    wrong = STATIC / "bare_command.py"
    text = wrong.read_text(encoding="utf-8")
    bare, proper = 'yield Command("cmd", "shutdown /r", "write")', "yield Look(VERSION)"
    assert text.count(bare) == 1
    (tmp_path / "corrected.py").write_text(text.replace(bare, proper), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary", "--show-error-codes",
         "--no-color-output", f"--cache-dir={tmp_path / 'cache'}", str(wrong), str(tmp_path / "corrected.py")],
        capture_output=True, text=True, check=False, cwd=STATIC.parents[1],
    )  # fmt: skip
    line = text[: text.index(bare)].count("\n") + 1
    errors = ran.stdout.splitlines()
    assert len(errors) == 1, ran.stdout + ran.stderr
    assert f"bare_command.py:{line}: error:" in errors[0]
    assert '"Command"' in errors[0]
    assert errors[0].endswith("[misc]")


@given(st.floats(0.0, 600.0), st.floats(0.1, 60.0), st.floats(0.05, 10.0))
def test_pauses_grow_to_the_longest_and_are_as_long_together_as_was_asked_for(
    total: float, longest: float, first: float
) -> None:
    pauses = list(growing(total, longest, first))
    assert sum(pauses) == pytest.approx(total)
    assert all(0 < pause <= longest for pause in pauses)
    assert pauses[:-1] == sorted(pauses[:-1])
