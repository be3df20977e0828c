"""What the tests of the parsers share: outputs as text, real captures where they are at hand, and junk.

The captures lie outside the repository (output-formats.md says which may be copied into it), so tests that read them
are skipped where they are absent.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from serialfix.steps import Output

CAPTURES = Path(__file__).resolve().parents[2] / "../shared/outputs"


def good(text: str) -> Output:
    """An answer that came whole, with exit code 0."""
    return Output(text, 0, "screen")


def failed(text: str) -> Output:
    """An answer of a command that failed."""
    return Output(text, 1, "screen")


def partial(text: str) -> Output:
    """An answer that was cut."""
    return Output(text, 0, "screen", partial=True)


def capture(name: str) -> tuple[str, dict[str, Any]]:
    """A capture and what a person read from it, or a skip."""
    path = CAPTURES / name
    if not path.is_file():
        pytest.skip("the captures of real outputs are not on this machine")
    text = path.read_text(encoding="utf-8-sig")
    return text, json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def junk(*samples: str) -> st.SearchStrategy[Output]:
    """Text of any kind: anything at all, or lines of real outputs cut, doubled, mixed and with characters changed."""
    lines = [line for sample in samples for line in sample.splitlines()]
    line = st.sampled_from(lines) | st.text("abHKEYREG_ \t:0x19()[]=\0é", max_size=30) | st.text(max_size=30)
    bent = st.builds(
        lambda text, at, put: text[:at] + put + text[at + 1 :], line, st.integers(0, 60), st.text(max_size=3)
    )
    text = st.lists(line | bent, max_size=12).map("\n".join) | st.text(max_size=200)
    return st.builds(
        Output, text, st.sampled_from([0, 0, 0, 1, None]), st.just("screen"), st.sampled_from([False, True])
    )
