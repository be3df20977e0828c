"""The benchmarks run, and what they print is what was measured."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import consoles, faults
from serialfix.console.screen import Screen
from serialfix.simulator.watch import Met
from serialfix.steps import Finding
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
    """Few runs; what matters is that nothing forbidden is counted, and that each control shows its count."""
    assert faults.main(["--runs", "3", "--jobs", "1", "--hostility", "real"]) == 0
    told, _, controls = capsys.readouterr().out.partition("control, ")
    for name in faults.FORBIDDEN:
        assert re.search(rf"{name} +0$", told, re.MULTILINE), told
    made = re.search(r"changes made +(\d+)", told)
    assert made, told
    assert int(made[1]) > 0, "what is not seen can't be counted twice"
    for control, name in faults.CONTROLS.items():
        assert re.search(rf"{control}:.*{name} [1-9]", controls), controls


def finding(check: str, status: str) -> Finding:
    return Finding(check, status, "title", (), "advice", ())  # type: ignore[arg-type]


def test_a_verdict_is_right_only_when_it_names_exactly_what_is_left() -> None:
    tls, key = finding("tls", "fault"), finding("key", "fault")
    looks = [finding("outside", "fault"), finding("port", "ok")]
    assert faults.truthful("fixed", looks, set())
    assert not faults.truthful("faults_left", looks, set())
    assert not faults.truthful("fixed", looks, {"tls-disabled"})
    assert faults.truthful("faults_left", [*looks, tls], {"tls-disabled"})
    assert not faults.truthful("faults_left", [*looks, tls, key], {"tls-disabled"})
    assert not faults.truthful("faults_left", [*looks, finding("tls", "unknown")], {"tls-disabled"})
    assert not faults.truthful("unreachable", [*looks, tls], {"tls-disabled"})


def met(key: str, mode: str, meaning: str = "", *, own: bool = True, blind: bool = False) -> Met:
    return Met(1.0, ord(key), "client", mode, "Cmd0001", own, 0.0, blind, meaning)


def test_acting_keys_are_judged_by_what_they_met() -> None:
    ours = "abcdefgh>"
    for fine in (
        met("\r", "SAC", "SAC>"),
        met("\r", "cmd", ours),
        met("\r", "powershell", ours),
        met("\r", "username", "Username: "),
        met("\r", "SAC"),
        met("\r", "cmd"),
        met("\x03", "running", ours),
        met("x", "preview", ours),
    ):
        assert not faults.acts_wrongly(fine), fine
    for wrong in (
        met("\r", "cmd", "SAC>"),
        met("\r", "SAC", ours),
        met("\r", "username", ours),
        met("\r", "password", "Username: "),
        met("\r", "cmd", ours, own=False),
        met("\r", "cmd", own=False),
        met("\r", "preview"),
        met("\x03", "SAC"),
        met("\x03", "cmd", own=False),
    ):
        assert faults.acts_wrongly(wrong), wrong


def test_text_may_stray_for_a_window_while_nobody_can_know() -> None:
    ours = "abcdefgh>"
    seen, unseen = met("x", "username", ours), met("x", "username", ours, blind=True)
    assert faults.stray([met("x", "cmd", ours)] * 100) == 0
    assert faults.stray([unseen] * 32) == 0
    assert faults.stray([unseen] * 33) == 1
    assert faults.stray([unseen] * 5 + [seen] * 2) == 2
    assert faults.stray([unseen] * 30 + [met("x", "cmd", ours)] + [unseen] * 30) == 0


def test_what_a_naive_reader_takes_is_right_only_when_nothing_scrolled_off() -> None:
    screen = Screen()
    screen.feed(b"P>show\r\none\r\n\r\ntwo  \r\nP>")
    taken: list[str] = []

    def reading() -> Iterator[object]:
        taken.append((yield from faults.read_naively(screen, "show")))

    assert len(list(reading())) == 2 * len("show\r") + 1
    assert taken == ["one\n\ntwo\n"]


def test_a_change_is_counted_only_where_it_is_the_command() -> None:
    assert faults.holds("(echo a^b&sc stop bridge 2>&1&&echo c^d 0)", "sc stop bridge")
    assert faults.holds("_m 'a' 'b';_r {stop-service x;$global:k=$?};_h", "stop-service x")
    assert not faults.holds("(echo a^b&sc stop bridgeupdate 2>&1&&echo c^d 0)", "sc stop bridge")
    assert not faults.holds("(echo a^b&sc stop bridge now 2>&1)", "sc stop bridge")
