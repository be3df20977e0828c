"""Defaults from serialfix.toml."""

from pathlib import Path

import platformdirs
import pytest

from serialfix import settings
from serialfix.errors import UsageError


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder, and a configuration folder beside it."""
    (tmp_path / "here").mkdir()
    (tmp_path / "config").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name: tmp_path / "config")
    return tmp_path


def put(folder: Path, text: str, where: str = "here") -> None:
    (folder / where / settings.NAME).write_text(text, encoding="utf-8")


def test_without_a_file_there_are_no_defaults() -> None:
    assert settings.load() == {}


def test_default_is_merged_into_each_command(folders: Path) -> None:
    put(folders, '[default]\nsubscription = "s"\noutput = "text"\n[repair]\nuser = "ä"\noutput = "json"\n')
    found = settings.load()
    assert found["repair"] == {"subscription": "s", "output": "json", "user": "ä"}
    assert found["diagnose"] == {"subscription": "s", "output": "text"}


def test_the_current_folder_beats_the_configuration_folder(folders: Path) -> None:
    put(folders, '[default]\nuser = "config"\n', "config")
    assert settings.load()["repair"] == {"user": "config"}
    put(folders, '[default]\nuser = "here"\n')
    assert settings.load()["repair"] == {"user": "here"}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[default\n", "can't be read"),
        ('user = "x"\n', "outside a table"),
        ('[repair]\npassword = "x"\n', "holds a password"),
        ('[default]\npassword = "x"\n', "holds a password"),
        ("[repar]\nx = 1\n", "no command 'repar'"),
    ],
)
def test_what_is_wrong_is_said(folders: Path, text: str, what: str) -> None:
    put(folders, text)
    with pytest.raises(UsageError, match=what) as caught:
        settings.load()
    assert settings.NAME in caught.value.what
    assert caught.value.advice


def test_what_is_no_text(folders: Path) -> None:
    (folders / "here" / settings.NAME).write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="can't be read"):
        settings.load()
