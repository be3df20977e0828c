"""Whose fault it is decides the exit code."""

import pytest

from serialfix.errors import AzureError, Bug, ConnectionLost, SerialfixError, UsageError, VmError


@pytest.mark.parametrize(("kind", "code"), [(UsageError, 2), (VmError, 3), (AzureError, 3)])
def test_exit_codes(kind: type[SerialfixError], code: int) -> None:
    error = kind("What happened.", why="Because.", advice="Do this.")
    assert (error.exit_code, error.what, error.why, error.advice) == (code, "What happened.", "Because.", "Do this.")
    assert str(error) == "What happened."
    assert (kind("x").why, kind("x").advice) == ("", "")


def test_a_bug_is_nobody_elses_fault() -> None:
    assert SerialfixError.exit_code == 70
    assert not issubclass(Bug, SerialfixError)


def test_what_the_service_said() -> None:
    assert (AzureError("x").code, AzureError("x").status) == ("", None)
    error = AzureError("x", code="ResourceNotFound", status=404)
    assert (error.code, error.status) == ("ResourceNotFound", 404)


@pytest.mark.parametrize(("reason", "said"), [("", "(code 1006)"), ("another user", "(code 1006, another user)")])
def test_a_lost_line_says_how(reason: str, said: str) -> None:
    lost = ConnectionLost(1006, reason)
    assert said in lost.what
    assert (lost.code, lost.reason, lost.exit_code) == (1006, reason, 3)
    assert lost.advice
