"""Defaults from ``serialfix.toml``: flags beat environment variables, these beat the file, the file beats our defaults.

The file stands in the current folder or in the user's configuration folder::

    [default]
    subscription = "00000000-0000-0000-0000-000000000000"

    [repair]
    user = "azureadmin"
"""

import tomllib
from pathlib import Path
from typing import Any

import platformdirs

from serialfix.errors import UsageError

NAME = "serialfix.toml"


def load() -> dict[str, Any]:
    """The file's tables by command, ``default`` merged into each, as click's ``default_map``. Raises UsageError."""
    for path in (Path(NAME), platformdirs.user_config_path("serialfix") / NAME):
        if path.is_file():
            return _read(path)
    return {}


def _read(path: Path) -> dict[str, Any]:
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} can't be read: {error}.", advice="Mend it or take it away.") from None
    if wrong := [name for name, table in tables.items() if not isinstance(table, dict)]:
        raise UsageError(
            f"{path}: {wrong[0]!r} stands outside a table.", advice="Put it under [default] or under a command's name."
        )
    if any("password" in table for table in tables.values()):
        raise UsageError(
            f"{path} holds a password.",
            why="Files get copied and shared.",
            advice="Take it out; use the environment variable SERIALFIX_PASSWORD, or be asked.",
        )
    common = tables.pop("default", {})
    commands = ("demo", "repair", "diagnose", "connect", "simulate", "play", "parse", "list")
    if unknown := [name for name in tables if name not in commands]:
        raise UsageError(f"{path}: there is no command {unknown[0]!r}.", advice=f"Commands are: {', '.join(commands)}.")
    return {command: {**common, **tables.get(command, {})} for command in commands}
