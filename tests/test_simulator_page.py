"""docs/simulator.md names every knob, and what each preset sets it to."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

from serialfix.simulator import knobs, manners
from serialfix.simulator.knobs import Knobs
from serialfix.simulator.manners import Manners

PAGE = (Path(__file__).parents[1] / "docs" / "simulator.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE)
PRESETS = ("calm", "real", "worst")


def test_all_knobs_are_there_in_their_order() -> None:
    assert [name for name, _, _ in ROWS] == [each.name for cls in (Knobs, Manners) for each in fields(cls)]


def test_the_presets_are_as_the_table_says() -> None:
    for name, told, _ in ROWS:
        presets: Any = knobs.PRESETS if hasattr(Knobs(), name) else manners.PRESETS
        values = [getattr(presets[preset], name) for preset in PRESETS]
        shown = told.split(", ") if ", " in told else [told] * 3
        assert [
            type(value)(text) if type(value) in (int, float) else text
            for value, text in zip(values, shown, strict=True)
        ] == [value if type(value) in (int, float) else str(value) for value in values], name


def test_each_thing_that_may_stand_there_is_named() -> None:
    told = {name: text for name, _, text in ROWS}
    for name, choices in (("shown", get_args(knobs.Shown)), ("port", get_args(knobs.Port))):
        assert set(choices) <= set(re.findall(r"[\w-]+", told[name])), name
