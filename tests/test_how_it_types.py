"""The byte pictures of docs/how-it-types.md are what went over the line in a run, in the same order."""

import ast
import re
from pathlib import Path

import pytest

from serialfix.console.folder import CMD
from tests.pictures import HASTE, at_sac, line

PAGE = (Path(__file__).parents[1] / "docs" / "how-it-types.md").read_text(encoding="utf-8")
PICTURES = re.findall(r"<!-- (.+?) -->\n```\n(.*?)```", PAGE, re.DOTALL)
BYTES = r"b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\""
ROW = rf"^([→←])  ({BYTES})(?: x(\d+))?(?:  +.*)?$"
MAKE = {"HASTE": HASTE, "at_sac": at_sac, "line": line}


def test_each_block_is_a_picture_and_each_of_its_lines_is_compared() -> None:
    assert PAGE.count("\n```") == 2 * len(PICTURES)
    for _, rows in PICTURES:
        assert len(re.findall(ROW, rows, re.MULTILINE)) == rows.count("\n")


@pytest.mark.parametrize(("made", "rows"), PICTURES)
def test_a_picture_shows_what_went_over_the_line(made: str, rows: str) -> None:
    came = b""
    sent: list[tuple[bytes, int]] = []  # keys, and how many bytes had come before them
    for arrow, data in eval(made, MAKE):
        if arrow == "→":
            sent.append((data, len(came)))
        else:
            came += data
    seen = 0  # bytes of what came, up to the last row
    for arrow, literal, times in re.findall(ROW, rows, re.MULTILINE):
        data = ast.literal_eval(literal)
        if arrow == "←":
            assert data in came[seen:]
            seen = came.index(data, seen) + len(data)
            continue
        # Keys that were sent before the last row came are no part of the picture any more.
        sent = sent[next(number for number, (keys, before) in enumerate(sent) if keys == data and before >= seen) :]
        repeated = next((number for number, (keys, _) in enumerate(sent) if keys != data), len(sent))
        assert repeated == int(times or 1)
        seen = sent[0][1]
        sent = sent[repeated:]


def test_the_words_stand_for_what_the_page_says() -> None:
    words = re.findall(r"^\| `(_\w)` \| `(.+)` \|$", PAGE, re.MULTILINE)
    assert [word for word, _ in words] == list(CMD.ask("", (), "stream").words)
    assert all(CMD.value(word) == text.replace(r"\|", "|") for word, text in words)
