"""The benchmarks run, and what they print is what was measured."""

import random
import re
from pathlib import Path

import pytest

from benchmarks import consoles, faults
from serialfix.console.screen import Screen
from serialfix.transcript import read


def test_a_small_run_prints_each_figure_beside_its_target(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consoles, "ROWS_GONE", (30, 60))
    consoles.main(["--consoles", "2", "--seconds", "0.2"])
    rows = capsys.readouterr().out.splitlines()[2:]
    assert len(rows) == 3 * len(consoles.MESSAGES) + 2
    for row in rows:
        found = re.search(r"([\d.e+-]+) \S* +at (least|most) +([\d.]+)  x([\d.]+) +(met|missed)$", row)
        assert found, row
        value, target, ratio = float(found[1]), float(found[3]), float(found[4])
        assert ratio == pytest.approx(value / target, rel=0.02, abs=0.01)
        if value != pytest.approx(target, rel=0.02):
            assert (value > target) == ((found[2] == "least") == (found[5] == "met"))


@pytest.mark.parametrize("size", consoles.MESSAGES)
def test_every_byte_is_carried_to_the_screen_and_the_record(size: int, tmp_path: Path) -> None:
    stream = consoles.traffic(30_000, 7)
    both = [consoles.Console(tmp_path / f"{number}.cast") for number in range(2)]
    seconds, messages = consoles.carry(both, [stream, stream], size)
    assert seconds > 0
    assert messages == 2 * -(-len(stream) // size)
    plain = Screen()
    plain.feed(stream)
    for number, console in enumerate(both):
        assert list(console.screen.since(0)) == list(plain.since(0))
        console.close()
        recorded = "".join(record.data for record in read(tmp_path / f"{number}.cast").records if record.code == "o")
        assert recorded.encode() == stream


def test_a_redraw_fills_the_screen_whatever_was_there() -> None:
    screen = Screen()
    screen.feed(b"old text\r\n" * 50)
    screen.feed(consoles.redraw(random.Random(1)))
    assert all(re.fullmatch(r"row \d+", row) for row in screen.rows())


def test_a_benchmark_that_carries_no_load_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--consoles", "0"], ["--consoles", "501"], ["--seconds", "0"], ["--seconds", "nan"]):
        with pytest.raises(SystemExit):
            consoles.main(wrong)
    assert "not between" in capsys.readouterr().err


def test_sessions_are_judged_by_the_simulator_and_controls_count(capsys: pytest.CaptureFixture[str]) -> None:
    """Few runs; what matters is that nothing forbidden is counted, and that a control is."""
    assert faults.main(["--runs", "3", "--jobs", "1", "--hostility", "real"]) == 0
    told = capsys.readouterr().out
    assert "wrong answers accepted            0" in told
    made = re.search(r"changes made +(\d+)", told)
    assert made, told
    assert int(made[1]) > 0, "what is not seen can't be counted twice"
    assert "control, safe typing off" in told
    assert "lines entered that nobody meant" in told.partition("control")[2]
