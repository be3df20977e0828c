"""The benchmarks run, and what they print is what was measured."""

import random
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from benchmarks import consoles, faults, link, usual
from benchmarks.limit import BYTES, Exchange, Span, Watch, limit
from serialfix.approval import Policy
from serialfix.console.screen import Screen
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs
from serialfix.simulator.watch import Met
from serialfix.steps import Command, Finding
from serialfix.transcript import read
from tests.virtual import run


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


@pytest.mark.slow
@pytest.mark.timeout(600)  # without its protections a session takes long
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
    assert faults.holds("%_f%abcdefgh%_g%sc stop bridge%_r%&sc query bridge%_r%)>o&%_z%", "sc stop bridge")
    assert faults.holds("_m 'a' 'b';_r {stop-service x;$global:k=$?};_h", "stop-service x")
    assert not faults.holds("(echo a^b&sc stop bridgeupdate 2>&1&&echo c^d 0)", "sc stop bridge")
    assert not faults.holds("(echo a^b&sc stop bridge now 2>&1)", "sc stop bridge")


def test_the_least_time_of_a_line_is_counted_as_its_docstring_says() -> None:
    """64 characters at 400 ms: two windows typed, an echo and an answer awaited, 1,000 bytes, 2 s of computing."""
    at, down = 10.0, 1_000
    line = Exchange(at, at + down / BYTES + 2.0, "command", "x" * 64, down)
    least = limit((line,), 0.4, 0.1)
    assert least.round_trips == pytest.approx(2 * 0.4)
    assert least.typing == pytest.approx(2 * (0.4 + 0.1))
    assert least.wire == pytest.approx((64 + 1 + 64 + 1_000) / BYTES)
    assert least.computing == pytest.approx(2.0)
    assert least.total == pytest.approx(0.8 + 1.0 + 1129 / BYTES + 2.0)
    assert least.strict == pytest.approx(least.total - 0.5)
    key = limit((Exchange(at, at, "key", "preview SAC", 0), Exchange(at, at, "command", "", 0)), 0.4, 0.1)
    assert key.total == pytest.approx(2 * (0.4 + 1 / BYTES))


def test_what_is_entered_or_read_again_is_no_part_of_the_least_time() -> None:
    watch = Watch()
    watch.markers = ["abcdefgh", "jkmnpqrs", "tuvwxyzt"]
    watch.spans = [Span("ask", 0.0, 50.0), Span("ask", 50.0, 99.0)]
    journal = [
        {"time": 1.0, "kind": "line", "purpose": "command", "text": "echo abcd^efgh"},
        {"time": 9.0, "kind": "line", "purpose": "command", "text": "echo jkmn^pqrs"},  # the same, asked again
        {"time": 20.0, "kind": "line", "purpose": "password", "text": "<12 characters>"},
        {"time": 60.0, "kind": "line", "purpose": "command", "text": "echo tuvw^xyzt"},  # another question
        {"time": 70.0, "kind": "mode", "mode": "preview", "channel": "SAC"},  # by a key
        {"time": 80.0, "kind": "mode", "mode": "preview", "channel": "SAC"},  # by itself
    ]
    # The second answer's last byte leaves the VM 3 s after Enter; what comes after the next key is not its own.
    watch.keys = [(at, 13, False) for at in (1.0, 9.0, 15.0, 20.0, 60.0, 70.0, 90.0, 91.0)]
    watch.pages = [90.0, 91.0]  # each shows another page
    watch.pushes = [(1.5, 100), (9.0, 400), (12.0, 200), (16.0, 999)]
    found = watch.exchanges(journal)
    assert [(each.purpose, each.characters, each.down) for each in found] == [
        ("command", 14, 100),
        ("command", 14, 600),
        ("password", 12, 0),
        ("command", 14, 0),
        ("key", 0, 0),
        ("key", 0, 0),
        ("key", 0, 0),
    ]
    assert found[1].computing == pytest.approx(3.0 - 400 / BYTES)
    assert [each.at for each in watch.needed(found, 0.08)] == [1.0, 20.0, 60.0, 70.0, 90.0, 91.0]


def test_the_echo_is_timed_from_a_key_to_the_next_byte() -> None:
    watch = Watch()
    watch.keys = [(1.0, 65, True), (1.02, 66, True), (2.0, 67, True), (3.0, 13, True), (4.0, 68, False)]
    watch.pushes = [(1.05, 2), (2.01, 1), (3.5, 80), (4.9, 1)]
    assert watch.echo() == pytest.approx((0.05 + 0.01) / 2)


QUESTIONS = ("sc queryex TermService", "sc qc TermService")


@pytest.mark.parametrize("way", link.WAYS)
def test_the_usual_ways_really_get_their_answers_on_a_calm_line(way: usual.Way) -> None:
    for windows, ways in (("2022", link.WAYS), ("2019", ("quiet", "article"))):
        if way in ways:
            driven = usual.drive(build(("healthy",), windows, 3), _line("calm"), 3, way, QUESTIONS)
            assert driven.right == driven.commands == 2
            assert driven.wall >= 2 * 0.08
            assert driven.down > 200


def test_an_answer_that_did_not_come_counts_for_nobody() -> None:
    """Keys lost on the way, and the raw stream of a sampled screen: the benchmark sees both."""
    lossy = replace(_line("calm"), burst=1.0)
    assert usual.drive(build(("healthy",), "2022", 3), lossy, 3, "pexpect", QUESTIONS).right == 0
    flood = usual.drive(build(("healthy",), "2019", 3), _line("calm"), 3, "quiet", ("reg query HKLM\\SYSTEM /s",))
    assert flood.right == 0, "rows that scrolled by between two samples were never shown"


def test_the_article_is_paged_through_on_a_server_with_150_connections() -> None:
    with link.busy():
        driven = usual.drive(build(("healthy",), "2019", 3), _line("real"), 3, "article", usual.LOOKS)
    assert driven.right == driven.commands == len(usual.LOOKS)
    assert driven.round_trips - driven.commands >= 2 * link.CONNECTIONS // 23


def test_questions_are_typed_in_the_shell_they_are_for() -> None:
    asked = (Command("cmd", "a", "read"), Command("powershell", "b", "read"), 2.0, Command("cmd", "c", "write"))
    assert list(usual.typed(asked)) == ["a", "powershell", "Remove-Module PSReadLine", "b", 2.0, "exit", "c"]


def _line(hostility: str) -> Knobs:
    return replace(PRESETS[hostility], round_trip=0.08)


def test_the_link_is_measured_and_profiled(capsys: pytest.CaptureFixture[str]) -> None:
    one = ["--session", "diagnosis", "--windows", "2022", "--hostility", "calm", "--round-trip", "80"]
    assert link.main(one) == 0
    told = capsys.readouterr().out
    row = re.search(r"diagnosis \| +([\d.]+) +([\d.]+) +([\d.]+) +(\d+) +(\d+)", told)
    assert row, told
    wall, least, ratio = float(row[1]), float(row[2]), float(row[3])
    assert ratio == pytest.approx(wall / least, abs=0.02)
    assert re.search(r"calm: diagnosis, wall / L +[\d.]+ +at most +1.2 +(met|missed)\n", told)
    assert link.main([*one, "--profile"]) == 0
    told = capsys.readouterr().out
    phases = {row[0]: float(row[1]) for row in re.findall(r"^(\w+) +([\d.]+) +[\d.]+ ", told, re.M)}
    assert phases["whole"] == pytest.approx(wall, abs=0.01)
    assert sum(phases[name] for name in link.PHASES) == pytest.approx(phases["whole"], abs=0.03)
    parts = re.search(r"^whole .*?\| +([\d.]+) +([\d.]+) +[\d.]+ +([\d.]+) +([\d.]+) +([\d.]+) \|", told, re.M)
    assert parts, told
    assert sum(float(part) for part in parts.groups()) == pytest.approx(wall, abs=0.03), "no second is unaccounted for"


@pytest.mark.parametrize("windows", sorted(link.ENGINES))
def test_a_healthy_vm_is_diagnosed_in_few_exchanges_on_either_engine(windows: str) -> None:
    measured = link.measure((), windows, _line("calm"), 3)
    assert measured.right
    assert 2 <= measured.asking <= link.EXCHANGES, "the folder, and one for all questions"
    assert measured.after_login == measured.asking + 2, "an Enter that wakes the prompt, and one that makes it ours"
    assert 0 < measured.to_verdict < measured.whole.wall


def test_a_far_vm_is_reached() -> None:
    """At 200 ms a screen comes later than a third of a second after the key that asked for it."""
    assert link.measure((), "2022", replace(_line("calm"), round_trip=0.2), 3).right


def test_the_article_takes_longer_where_there_are_many_keys_to_list() -> None:
    seconds = []
    for fill in (lambda vm: None, link.with_keys):
        vm = build(("healthy",), "2022", 3)
        fill(vm)
        listing = (r"icacls C:\ProgramData\Microsoft\Crypto\RSA\MachineKeys /t /c",)
        seconds.append(usual.drive(vm, _line("calm"), 3, "article", listing).wall)
    assert seconds[1] > seconds[0] + link.KEYS * 100 / BYTES


def test_a_session_that_ends_wrongly_fails_the_benchmark(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "run", partial(run, policy=Policy(never="nobody is asked")))
    one = ["--session", "repair", "--windows", "2022", "--hostility", "calm", "--round-trip", "20"]
    assert link.main(one) == link.main([*one, "--profile"]) == 1
    assert "wrong: 2022 calm 20 repair" in capsys.readouterr().out
