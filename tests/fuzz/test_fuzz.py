"""The fuzzer finds what is broken, and keeps it."""

import random
import shutil
from pathlib import Path

import pytest

from benchmarks import fuzz
from tests.fuzz.targets import TARGETS


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "corpus"
    shutil.copytree(fuzz.CORPUS, folder)
    monkeypatch.setattr(fuzz, "CORPUS", folder)
    return folder


def test_each_target_is_tried(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = len(list(corpus.glob("*/*")))
    assert fuzz.main(["--by-chance", "--seconds", "1.5"]) == 0
    rows = capsys.readouterr().out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == list(TARGETS)
    assert all(int(row.split()[1]) > 5 for row in rows)
    assert len(list(corpus.glob("*/*"))) == before


def test_what_breaks_a_target_is_kept(
    corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(data: bytes) -> None:
        if b"\x1b]0;\x1b]0;" in data.replace(b"x", b""):
            raise LookupError("a bug")

    monkeypatch.setitem(TARGETS, "screen", broken)
    assert fuzz.main(["--by-chance", "--seconds", "60", "--target", "screen"]) == 1
    (kept,) = (corpus / "screen").glob("crash-*")
    with pytest.raises(LookupError):
        broken(kept.read_bytes())
    told = capsys.readouterr().out
    assert "BROKEN" in told
    assert kept.name in told


def test_inputs_are_changed_but_not_beyond_bounds() -> None:
    pick = random.Random(1)
    kept = [b"abc", b"x" * fuzz.LARGEST, b""]
    made = [fuzz.mutated(pick, kept) for _ in range(500)]
    assert max(map(len, made)) <= fuzz.LARGEST
    assert len(set(made)) > 300
