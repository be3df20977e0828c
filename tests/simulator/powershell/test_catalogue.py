from pathlib import Path

from serialfix.simulator.powershell import catalogue
from serialfix.simulator.powershell.cmdlets import ALIASES, CMDLETS

PAGE = Path(__file__).parents[3] / "docs" / "simulated-powershell.md"


def test_the_page_is_what_the_code_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == catalogue.page()


def test_every_alias_names_a_cmdlet() -> None:
    assert {name.lower() for name in ALIASES.values()} <= CMDLETS.keys()
