"""The byte pictures of docs/how-it-types.md are what the lines at its end bring."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "how-it-types.md").read_text(encoding="utf-8")
PICTURES = re.findall(r"<!-- (.+?) -->\n```\n(.*?)```", PAGE, re.DOTALL)
BYTES = r"b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\""
ROW = rf"^ *([\d.]*) *([→←])  ({BYTES})(?:  +.*)?$"


@pytest.fixture(scope="module")
def lines() -> dict[str, Any]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "pictures"}
    exec(compile(code, "docs/how-it-types.md", "exec"), names)
    return names


def test_each_block_is_a_picture_and_each_of_its_lines_is_compared() -> None:
    blocks = [*PICTURES, "the lines that make them"]
    assert PAGE.count("\n```") == 2 * len(blocks)
    for _, rows in PICTURES:
        assert len(re.findall(ROW, rows, re.MULTILINE)) == rows.count("\n")


@pytest.mark.parametrize(("made", "rows"), PICTURES)
def test_a_picture_shows_what_went_over_the_line(made: str, rows: str, lines: dict[str, Any]) -> None:
    ran = eval(made, lines)
    came = ran if isinstance(ran, bytes) else ran.came
    sent = [] if isinstance(ran, bytes) else [(f"{keys.at:.3f}", keys.send.data) for keys in ran.sent]
    at = 0
    for time, arrow, literal in re.findall(ROW, rows, re.MULTILINE):
        data = ast.literal_eval(literal)
        if arrow == "→":
            assert (time, data) in sent
            sent = sent[sent.index((time, data)) + 1 :]
        else:
            assert data in came[at:]
            at = came.index(data, at) + len(data)
