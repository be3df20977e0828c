"""What comes of a renewal whose changes were made: each way in which it can fail is told apart."""

from datetime import timedelta
from typing import Any

import pytest

from serialfix.playbooks.certificate import check_certificate
from serialfix.playbooks.certificate_renewal import PATIENCE, held
from serialfix.steps import Ahead, Done, Finding, Look
from serialfix.windows.certificate_store import MY, Contents
from serialfix.windows.event_xml import Event
from serialfix.windows.tls import Protocol
from tests.playbooks.test_certificate import FAILS, FAR, LATER, LOST, OLD, answers, entry, play, seen

NEW = entry("N", not_before=LATER, not_after=LATER + timedelta(days=180))
SHOWN = seen(shown=NEW.thumbprint, at=LATER)
TLS_OFF = (Protocol("TLS 1.2", 0, None, "disabled"),)


def renewed(**after: Any) -> Finding:
    """The finding after the changes for an expired certificate, when ``after`` is what the probes answer then."""
    told = answers(entry(), look=after.pop("first", OLD), now=LATER)
    usual = {
        "certificates:Remote Desktop": Contents((NEW,)),
        "rdp_from_outside:3389": SHOWN,
        "certificate_events": (Event(1056, LATER),),
    }
    changed = usual | {name.replace("__", ":").replace("_3389", ":3389"): value for name, value in after.items()}
    found, proposed = play(check_certificate(), told, Done("made"), lambda told: told.update(changed))
    assert len(proposed) == 1
    return found


def store(*entries: Any) -> dict[str, Any]:
    return {"certificates:Remote Desktop": Contents(tuple(entries))}


@pytest.mark.parametrize(
    ("after", "status", "said"),
    [
        ({}, "ok", "valid until 2027-03"),
        (store(), "fault", f"within {PATIENCE:.0f} seconds"),
        (store(entry()), "fault", f"within {PATIENCE:.0f} seconds"),
        (store(entry("C", self_signed=False)), "fault", f"within {PATIENCE:.0f} seconds"),
        ({"certificates:Remote Desktop": LOST}, "fault", f"within {PATIENCE:.0f} seconds"),
        (store() | {"certificate_events": LOST}, "fault", f"within {PATIENCE:.0f} seconds"),
        ({"key_size": None}, "fault", "file of its private key is not there"),
        ({"key_size": 0}, "fault", "file of its private key is not there"),
        ({"key_size": LOST}, "unknown", "could not be seen"),
        ({"rdp_from_outside_3389": OLD}, "fault", "shows another one"),
        ({"rdp_from_outside_3389": FAILS}, "fault", "handshakes still fail"),
        ({"rdp_from_outside_3389": FAILS, "schannel_protocols": TLS_OFF}, "ok", "valid until"),
        ({"rdp_from_outside_3389": FAILS, "schannel_protocols": LOST}, "fault", "handshakes still fail"),
        ({"rdp_from_outside_3389": LOST}, "ok", "valid until"),
        ({"rdp_from_outside_3389": seen(shown=None, at=LATER)}, "ok", "valid until"),
        ({"rdp_from_outside_3389": FAR, "rdp_from_inside_3389": SHOWN}, "ok", "valid until"),
        ({"rdp_from_outside_3389": FAR, "rdp_from_inside_3389": OLD}, "fault", "shows another one"),
        (
            store(entry("M", provider="CNG", not_after=LATER + timedelta(9))) | {"key_size": None},
            "fault",
            "another one",
        ),
    ],
)
def test_what_failed_is_said(after: dict[str, Any], status: str, said: str) -> None:
    found = renewed(**after)
    assert found.status == status
    assert said in found.title
    assert found.evidence
    assert found.advice or status != "fault" or "not there" in found.title


def test_only_a_look_that_shows_it_says_so() -> None:
    assert "Remote Desktop shows it" in renewed().evidence
    for look in (LOST, FAR, seen(shown=None, at=LATER)):
        evidence = renewed(rdp_from_outside_3389=look).evidence
        assert "Remote Desktop shows it" not in evidence
        assert any("could not be seen" in line for line in evidence)


def test_what_windows_said_is_evidence() -> None:
    failed = renewed(**store(), certificate_events=(Event(1057, LATER),))
    assert any("1057" in line for line in failed.evidence)
    assert "permissions" in failed.advice


def test_a_change_that_failed_is_told() -> None:
    found, _ = play(check_certificate(), answers(entry(), look=OLD, now=LATER), Done("failed", "it was refused"))
    assert found.status == "fault"
    assert "it was refused" in found.evidence


def test_a_store_that_is_not_there_is_empty() -> None:
    generator = held(MY)
    assert isinstance(generator.send(None), Ahead)
    assert isinstance(generator.send(None), Look)
    with pytest.raises(StopIteration) as end:
        generator.send(frozenset({"root"}))
    assert end.value.value == Contents()
