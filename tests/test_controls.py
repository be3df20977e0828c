"""Control runs: what safe typing and exact reading are for, shown by switching them off.

On consoles that show samples of a screen (2016, 2019), over a bad line, a client without them fails; with them it does
not. If these runs passed, the other tests would prove nothing.
"""

import sys
from typing import Any

import pytest

from serialfix import events
from serialfix.console import folder, keyboard
from serialfix.console.dialogue import Conversation, Pause, Send
from serialfix.simulator.knobs import PRESETS
from tests.virtual import Ran, run

TLS_OFF = ("tls-disabled",)
SAMPLED = [("2016", 1), ("2016", 2), ("2019", 1), ("2019", 2)]


def replace_everywhere(monkeypatch: pytest.MonkeyPatch, name: str, old: Any, new: Any) -> None:
    """Replace a function in every module of the client that has imported it."""
    for module_name, module in list(sys.modules.items()):
        if module_name.startswith("serialfix.") and getattr(module, name, None) is old:
            monkeypatch.setattr(module, name, new)


def entered(ran: Ran) -> list[str]:
    """The lines that the simulator's readers got, in order, but empty ones."""
    purposes = ("sac", "command", "username", "domain")
    return [
        str(entry["text"])
        for entry in ran.vm.journal
        if entry["kind"] == "line" and entry["purpose"] in purposes and entry["text"]
    ]


@pytest.fixture
def meant(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the client meant to type, whatever it proved of it."""
    kept: list[str] = []
    original = keyboard.type_line

    def type_line(keys: keyboard.Keyboard, prompt: str, text: str, **more: Any) -> Conversation[None]:
        kept.append(text)
        yield from original(keys, prompt, text, **more)

    replace_everywhere(monkeypatch, "type_line", original, type_line)
    return kept


def test_with_both_on_the_same_runs_are_right(meant: list[str]) -> None:
    for windows, seed in SAMPLED:
        ran = run(TLS_OFF, seed=seed, windows=windows, knobs=PRESETS["real"])
        assert ran.outcome == "fixed"
        assert set(entered(ran)) <= set(meant)


def test_without_safe_typing_lines_are_entered_that_nobody_meant(
    monkeypatch: pytest.MonkeyPatch, meant: list[str]
) -> None:
    """A line sent at once and not read back, as scripts do. Its pace alone would hide what reading back is for."""

    def blind(keys: keyboard.Keyboard, prompt: str, text: str, **_: Any) -> Conversation[None]:
        meant.append(text)
        yield Send(text.encode())
        yield Pause(0.2)

    replace_everywhere(monkeypatch, "type_line", sys.modules["serialfix.console.shells"].__dict__["type_line"], blind)
    wrong: list[str] = []
    right = 0
    for windows, seed in SAMPLED:
        ran = run(TLS_OFF, seed=seed, windows=windows, knobs=PRESETS["real"])
        wrong += [line for line in entered(ran) if line not in meant]
        right += ran.outcome == "fixed"
    assert wrong, "the line does no harm, so nothing here is proven"
    assert right < len(SAMPLED)


@pytest.mark.parametrize(("windows", "seed"), SAMPLED)
def test_without_slices_answers_are_lost_and_said_to_be(
    monkeypatch: pytest.MonkeyPatch, windows: str, seed: int
) -> None:
    def no_folder(*_: Any) -> Conversation[None]:
        yield from ()
        return None

    replace_everywhere(monkeypatch, "prepare", folder.prepare, no_folder)
    ran = run(TLS_OFF, seed=seed, windows=windows, knobs=PRESETS["real"])
    assert ran.outcome == "faults_left"
    assert ran.recorder.of(events.NotAnswered)
    assert not any(event.proof == "checksum" for event in ran.recorder.of(events.Answered))
