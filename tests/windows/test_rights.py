"""whoami /groups: elevated or not, by the integrity level's SID alone."""

import re

import pytest
from hypothesis import given

from serialfix.steps import Output, Unreadable
from serialfix.windows.rights import elevated
from tests.windows.samples import good, junk

GROUPS = """
GROUP INFORMATION
-----------------

Group Name                             Type             SID          Attributes
====================================== ================ ============ ==================================================
Everyone                               Well-known group S-1-1-0      Mandatory group, Enabled by default, Enabled group
BUILTIN\\Administrators                 Alias            S-1-5-32-544 Mandatory group, Enabled by default, Enabled group
"""
HIGH = "Mandatory Label\\High Mandatory Level   Label            S-1-16-12288\n"
MEDIUM = "Mandatory Label\\Medium Mandatory Level Label            S-1-16-8192\n"
SYSTEM = "Mandatory Label\\System Mandatory Level Label            S-1-16-16384\n"
GERMAN = "Verbindliche Beschriftung\\Hohe Verbindlichkeitsstufe Bezeichnung S-1-16-12288\n"
RUSSIAN = "Обязательная метка\\Средний обязательный уровень Метка S-1-16-8192\n"


@pytest.mark.parametrize(
    ("level", "yes"), [(HIGH, True), (SYSTEM, True), (GERMAN, True), (MEDIUM, False), (RUSSIAN, False)]
)
def test_levels(level: str, yes: bool) -> None:
    assert elevated(good(GROUPS + level)) is yes


@pytest.mark.parametrize("text", ["", GROUPS, "S-1-16-", "S-1-16-x", "S-1-16-1228812288"])
def test_empty_or_damaged(text: str) -> None:
    with pytest.raises(Unreadable):
        elevated(good(text))


def test_a_cut_answer_is_not_a_no() -> None:
    with pytest.raises(Unreadable):
        elevated(Output(GROUPS, 0, "screen", partial=True))


@given(junk(GROUPS, HIGH, GERMAN))
def test_junk_is_unreadable_at_worst(output: Output) -> None:
    try:
        assert elevated(output) == any(level in output.text for level in ("S-1-16-12288", "S-1-16-16384"))
    except Unreadable:
        assert not re.search(r"S-1-16-\d{4,5}\b", output.text)
