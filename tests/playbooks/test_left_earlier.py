"""Temporary changes of an earlier session: taken back on a yes, shown on a no; judged by the simulated VM."""

import asyncio
from typing import Any

import pytest

from serialfix import events
from serialfix.approval import Policy
from serialfix.console.channels import Login
from serialfix.engine import Engine, Played
from serialfix.playbooks import PLAYBOOKS
from serialfix.playbooks.left_earlier import clear
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.simulator.vm import Vm
from serialfix.venues.serial import SerialVenue
from serialfix.windows.left_behind import LEFT
from tests.virtual import Kept, PortVenue, VirtualLine

FOLDER = r"C:\Windows\kqxwvdahmtbs"
UNDO = rf"rd /s /q {FOLDER}"
MADE = events.LeftChange("helper_folder", f"md {FOLDER}", (UNDO,))
FOREIGN = events.LeftChange("helper_x", "x", ("shutdown /r",))


def cleared(
    policy: Policy, *changes: events.LeftChange, mode: Any = "repair", there: bool = True
) -> tuple[Vm, Kept, Played, list[object]]:
    """Play one check after what comes first: the VM, the record, the verdict and all lines that were entered."""
    vm = build(["healthy"], "2022", 5)
    if there:
        vm.files.make_folder(FOLDER, vm.clock().timestamp())
    line = VirtualLine(Line(vm, PRESETS["calm"], 5, 0.0))
    kept = Kept()
    console = SerialVenue(line, Login(vm.user, "", vm.password), "nonce", lambda _: None)
    engine = Engine(
        venues={"console": console, "outside": PortVenue(vm)},
        approver=policy,
        recorder=kept,
        mode=mode,
        sleep=line.sleep,
    )

    async def session() -> Played:
        played = await engine.play(PLAYBOOKS["rdp_internal_error"], ("tls",), clear(changes))
        await console.leave()
        return played

    played = asyncio.run(session())
    entered = [entry["text"] for entry in vm.journal if entry["kind"] == "line" and entry["purpose"] == "command"]
    return vm, kept, played, entered


def test_on_a_yes_it_is_gone_and_nothing_was_repaired() -> None:
    vm, kept, played, _ = cleared(Policy(yes_to="medium"), MADE)
    assert not vm.files.is_folder(FOLDER)
    (checked,) = kept.of(events.ChangeChecked)
    assert (checked.name, checked.holds) == (LEFT + UNDO, True)
    (proposed,) = kept.of(events.Proposed)
    assert proposed.changes[0].undo == ()
    assert played.verdict.outcome == "healthy"


@pytest.mark.parametrize(
    ("policy", "mode"),
    [(Policy(never="diagnose"), "diagnose"), (Policy(yes_to="low"), "repair"), (Policy(), "repair")],
)
def test_on_a_no_it_stays_and_was_shown(policy: Policy, mode: str) -> None:
    vm, kept, played, entered = cleared(policy, MADE, mode=mode)
    assert vm.files.is_folder(FOLDER)
    (proposed,) = kept.of(events.Proposed)
    assert proposed.changes[0].command == UNDO
    assert kept.of(events.ChangeStarted) == []
    assert not any(UNDO in str(line) for line in entered)
    assert played.verdict.outcome == "healthy"


def test_what_is_gone_already_is_recorded_as_that() -> None:
    _, kept, _, entered = cleared(Policy(yes_to="medium"), MADE, there=False)
    assert kept.of(events.ChangeSkipped) == [events.ChangeSkipped(LEFT + UNDO)]
    assert not any(UNDO in str(line) for line in entered)


def test_what_is_not_ours_is_told_and_never_run() -> None:
    vm, kept, _, entered = cleared(Policy(yes_to="high"), FOREIGN)
    assert kept.of(events.Proposed) == []
    assert "shutdown /r" in kept.of(events.Noted)[0].text
    assert not any("shutdown" in str(line) for line in entered)
    assert not vm.power_requests
