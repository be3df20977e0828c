"""End to end: serialfix as a program repairs simulated VMs over a real websocket, as an engineer runs it.

A session mostly waits, so all of them are begun together and each test reads one.
"""

import base64
import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from serialfix import events
from serialfix.rerun import rerun
from serialfix.transcript import Transcript, read
from tests.programs import CALM, Ended, rdp_answers, serialfix, simulator

pytestmark = pytest.mark.slow

FIELDS = {"outcome", "verified", "sign_in", "playbook", "findings", "changes", "transcript", "seconds"}
FINDING = {"check", "status", "title", "evidence", "advice"}
CHANGE = {"name", "risk", "proven", "approved", "done", "checked"}
RESTART = ["stop:UmRdpService", "stop:TermService", "start:TermService", "start:UmRdpService"]


@dataclass
class Seen:
    """A session against a simulator that runs beside it: the run, and the VM before and after."""

    run: Ended
    before: dict[str, Any]
    after: dict[str, Any]
    rdp: tuple[str, str]
    repaired: bool
    password: str
    token_head: str
    channels: list[str]
    writes: list[dict[str, Any]] = field(default_factory=list)


def against_a_simulator(folder: Path, *arguments: str) -> Seen:
    with simulator(folder, "--fault", "tls-disabled") as vm:
        before, port, token = vm.state(), rdp_answers(vm.rdp_port), vm.token()
        run = serialfix(folder, arguments[0], "--simulate", vm.url, *arguments[1:], "--output", "json")
        return Seen(
            run,
            before,
            vm.state(),
            (port, rdp_answers(vm.rdp_port)),
            vm.repaired(),
            vm.password,
            token.partition(".")[0],
            vm.open_channels(),
            vm.journal("registry") + vm.journal("service"),
        )


SCENARIOS: dict[str, Callable[[Path], Any]] = {
    "fixed": lambda folder: serialfix(
        folder, "demo", "--fault", "tls-disabled", "--yes-to", "high", *CALM, "--output", "json"
    ),
    "healthy": lambda folder: serialfix(
        folder, "demo", "--fault", "healthy", "--yes-to", "high", *CALM, "--output", "json"
    ),
    "repaired": lambda folder: against_a_simulator(folder, "repair", "--yes-to", "medium"),
    "declined": lambda folder: against_a_simulator(folder, "repair", "--yes-to", "low"),
    "diagnosed": lambda folder: against_a_simulator(folder, "diagnose"),
    "dry run": lambda folder: against_a_simulator(folder, "repair", "--yes-to", "high", "--dry-run"),
    "text": lambda folder: serialfix(folder, "demo", "--fault", "tls-disabled", *CALM, NO_COLOR="1"),
}

Sessions = Callable[[str], Any]


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        begun: dict[str, Future[Any]] = {
            name: pool.submit(scenario, tmp_path_factory.mktemp("session")) for name, scenario in SCENARIOS.items()
        }
        yield lambda name: begun[name].result()


def statuses(said: dict[str, Any]) -> dict[str, str]:
    """What is not simply ok."""
    return {finding["check"]: finding["status"] for finding in said["findings"] if finding["status"] != "ok"}


def held(transcript: Transcript, kind: type[Any]) -> list[Any]:
    return [event for _, event in transcript.events() if isinstance(event, kind)]


def everything_in(path: Path) -> str:
    """A transcript's text, with its output put together and its bytes decoded."""
    transcript = read(path)
    parts = [path.read_text(encoding="utf-8")]
    for code in "oieb":
        parts.append("".join(record.data for record in transcript.records if record.code == code))
    parts += [base64.b64decode(r.data).decode("utf-8", "replace") for r in transcript.records if r.code == "b"]
    return "\n".join(parts)


def test_a_vm_is_fixed(sessions: Sessions) -> None:
    run: Ended = sessions("fixed")
    assert run.code == 0, run.err
    said = run.document
    assert set(said) >= FIELDS
    assert (said["outcome"], said["verified"], said["sign_in"]) == ("fixed", "outside", "not tested")
    assert said["playbook"] == "rdp_internal_error"
    assert said["truth"] == "tls-disabled"
    assert statuses(said) == {"outside": "fixed", "inside": "fixed", "tls": "fixed"}
    for finding in said["findings"]:
        assert set(finding) >= FINDING
        assert finding["title"]
        assert finding["evidence"]
    assert [change["name"] for change in said["changes"]] == ["tls_1_2_Enabled", "tls_1_2_DisabledByDefault", *RESTART]
    for change in said["changes"]:
        assert set(change) >= CHANGE
        assert (change["approved"], change["done"], change["checked"]) == (True, True, True)
        assert change["risk"] in ("low", "medium")
        assert change["proven"] == "documented"
    assert 5 < said["seconds"] < 100


def test_its_transcript_tells_all_of_it(sessions: Sessions) -> None:
    transcript = sessions("fixed").transcript
    started = held(transcript, events.ChangeStarted)
    assert [change.name for change in started[:2]] == ["tls_1_2_Enabled", "tls_1_2_DisabledByDefault"]
    assert all(change.undo or change.no_undo for change in started)
    assert [event.approved for event in held(transcript, events.Decided)] == [True]
    assert [event.by for event in held(transcript, events.Decided)] == ["--yes-to high"]
    assert held(transcript, events.Ended)[0].outcome == "fixed"
    assert held(transcript, events.Disconnected)[-1].ours
    assert (transcript.records[-1].code, transcript.records[-1].data) == ("x", "0")
    markers = [record.data for record in transcript.records if record.code == "m"]
    assert markers == [event.title for event in held(transcript, events.CheckStarted)]
    assert len(markers) >= 2


@pytest.mark.parametrize("name", ["fixed", "healthy"])
async def test_its_transcript_replays(sessions: Sessions, name: str) -> None:
    assert await rerun(sessions(name).transcript) == ""


def test_a_healthy_vm_is_left_alone(sessions: Sessions) -> None:
    run: Ended = sessions("healthy")
    assert run.code == 0, run.err
    assert (run.document["outcome"], run.document["changes"], run.document["verified"]) == ("healthy", [], "outside")
    assert held(run.transcript, events.Proposed) == []
    assert held(run.transcript, events.ChangeStarted) == []


def test_rdp_answers_a_client_that_is_not_ours_after_the_repair_and_not_before(sessions: Sessions) -> None:
    seen: Seen = sessions("repaired")
    assert seen.run.code == 0, seen.run.err
    before, after = seen.rdp
    assert not before.startswith("TLS")
    assert after == "TLSv1.2"
    assert seen.repaired
    assert seen.channels == []


def test_a_repair_changes_what_was_approved_and_nothing_else(sessions: Sessions) -> None:
    seen: Seen = sessions("repaired")
    assert seen.after["files"] == seen.before["files"]
    assert seen.after["accounts"] == seen.before["accounts"]
    before, after = (json.dumps(state["registry"], sort_keys=True) for state in (seen.before, seen.after))
    assert before != after
    paths = {write["path"] for write in seen.writes if write["kind"] == "registry"}
    assert len(paths) == 1
    assert paths.pop().endswith(r"SCHANNEL\Protocols\TLS 1.2\Server")


def test_too_high_a_risk_without_a_terminal_is_declined_and_changes_nothing(sessions: Sessions) -> None:
    seen: Seen = sessions("declined")
    assert seen.run.code == 4
    assert seen.run.document["outcome"] == "declined"
    assert [(change["approved"], change["done"]) for change in seen.run.document["changes"]] == [(False, False)] * 6
    assert seen.before == seen.after
    assert seen.writes == []
    assert seen.channels == []
    assert not seen.repaired
    (decided,) = held(seen.run.transcript, events.Decided)
    assert (decided.approved, decided.by) == (False, "no terminal")
    assert "--yes-to medium" in seen.run.err


@pytest.mark.parametrize("name", ["diagnosed", "dry run"])
def test_looking_writes_nothing(sessions: Sessions, name: str) -> None:
    seen: Seen = sessions(name)
    assert seen.run.code == 1
    said = seen.run.document
    assert said["outcome"] == "faults_left"
    assert statuses(said) == {"outside": "fault", "inside": "fault", "tls": "fault"}
    assert set(said) >= FIELDS
    assert seen.before == seen.after
    assert seen.writes == []
    assert seen.channels == []
    (proposed,) = held(seen.run.transcript, events.Proposed)
    assert len(proposed.changes) == 6
    assert held(seen.run.transcript, events.ChangeStarted) == []


@pytest.mark.parametrize("name", ["repaired", "declined", "diagnosed", "dry run"])
async def test_no_secret_is_told(sessions: Sessions, name: str) -> None:
    """The password was typed and the token was sent; neither stands anywhere."""
    seen: Seen = sessions(name)
    kept = everything_in(Path(seen.run.document["transcript"]))
    assert "\n•" in kept or "•••" in kept
    for text in (kept, seen.run.out, seen.run.err):
        assert seen.password not in text
        assert seen.token_head not in text
    assert len(seen.password) >= 20
    assert len(seen.token_head) >= 20  # the same in all tokens of an issuer
    assert await rerun(seen.run.transcript) == ""


def test_the_story_is_told_in_text(sessions: Sessions) -> None:
    run: Ended = sessions("text")
    assert run.code == 4
    assert run.err == ""
    assert "\x1b" not in run.out
    for said in (
        "Look at Remote Desktop from outside",
        "reg query",
        "Proposed:",
        "not approved by no terminal",
        "undo",
    ):
        assert said in run.out
    assert "What was wrong with the simulated VM: tls-disabled" in run.out
    assert "Replay it with: serialfix play" in run.out
    assert run.out.index("FAULT") < run.out.index("Proposed:") < run.out.index("Declined:")
