import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs, parse_knob, steady
from serialfix.simulator.line import Line
from tests.simulator.world import Client, shell


@given(st.floats(0, 1), st.integers(0, 9))
def test_values_come_through(rate: float, orphans: int) -> None:
    knobs = parse_knob(f" neighbour = {rate!r}", parse_knob(f"orphans={orphans}", Knobs()))
    assert (knobs.neighbour, knobs.orphans) == (rate, orphans)
    assert parse_knob("paging=on", knobs).paging


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("neighbor=1", "near: neighbour"),
        ("redraw", "expected NAME=VALUE"),
        ("redraw=x", "'x' is not a whole number"),
        ("redraw=3", "3 is outside 0 to 2"),
        ("burst=1.5", "outside 0 to 1"),
        ("paging=maybe", "neither on nor off"),
        ("shown=promt", "there is no 'promt'; did you mean prompt?"),
        ("port=xyz", "there are SAC, blank, health, debugger, linux, bugcheck, boot"),
        ("drop_every=often", "'often' is not a number"),
        ("reboot=2", "outside 0 to 1"),
        ("kill_evry=3", "near: kill_every"),
    ],
)
def test_errors_say_what_is_wrong(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part) as caught:
        parse_knob(text, Knobs())
    assert "\n" not in str(caught.value)


def test_policies_are_drawn_once_a_vm() -> None:
    worst = [build([], "2022", seed) for seed in range(20)]
    for seed, vm in enumerate(worst):
        Line(vm, PRESETS["worst"], seed, 0.0)
    assert 0 < sum("certutil" in vm.blocked for vm in worst) < 20
    assert {vm.blocked["certutil"] for vm in worst if vm.blocked} == {1, 5}
    calm = build([], "2022", 1)
    Line(calm, PRESETS["calm"], 1, 0.0)
    assert (calm.blocked, calm.language_mode) == ({}, "FullLanguage")
    chosen = build([], "2022", 1)
    Line(chosen, parse_knob("constrained_language=1", parse_knob("certutil_blocked=1", Knobs())), 1, 0.0)
    assert list(chosen.blocked) == ["certutil"]
    assert chosen.language_mode == "ConstrainedLanguage"


def test_a_blocked_program_is_refused_by_cmd_and_powershell() -> None:
    vm = build([], "2022", 1)
    vm.blocked["certutil"] = 5
    text = shell(vm, "certutil -store my", "echo [%errorlevel%]", 'powershell -nop -c "certutil -store my"')
    assert text.count("Access is denied.") == 2
    assert "[5]" in text


def test_worst_is_worse_than_real() -> None:
    real, worst = PRESETS["real"], PRESETS["worst"]
    assert (real.neighbour, real.burst, real.first_command_eaten, real.long_gap_rate) == (0.05, 0.02, 0.3, 0.02)
    assert worst.neighbour >= 5 * real.neighbour
    assert worst.burst >= 5 * real.burst
    assert (real.drop_every, real.event_every, real.long_gap) == (600.0, 120.0, 0.4)
    assert (worst.drop_every, worst.kill_every, worst.relogin_every, worst.reboot) == (60.0, 60.0, 60.0, 0.2)
    assert max(worst.neighbour, worst.burst, worst.first_command_eaten, worst.long_gap_rate) <= 0.9
    assert PRESETS["calm"] == Knobs()


def test_steady_leaves_the_line_as_bad_as_it_is() -> None:
    for name, knobs in PRESETS.items():
        quiet = steady(knobs)
        assert (quiet.neighbour, quiet.burst, quiet.chunk) == (knobs.neighbour, knobs.burst, knobs.chunk), name
        assert (quiet.drop_every, quiet.kill_every, quiet.relogin_every, quiet.reboot) == (0.0, 0.0, 0.0, 0.0)


def test_a_powershell_hangs_as_often_as_asked_and_ctrl_c_helps_half_of_them() -> None:
    helped = []
    for seed in range(16):
        client = Client("2022", Knobs(powershell_hangs=1.0), seed)
        client.open()
        client.type(b"powershell\r", 60.0)
        assert "PS C:" not in client.text()
        client.type(b"\x03", 2.0)
        helped.append(client.text().rstrip().endswith("system32>"))
    assert 3 <= sum(helped) <= 13
