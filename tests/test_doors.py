"""Each outside library is imported through one door, and certificates are left unchecked in one place only."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "serialfix"

DOORS = {
    "avt": {"console/screen.py"},
    "pexpect": {"console/expect.py"},
    "websockets": {"venues/websocket.py"},
    "azure": {"venues/azure.py"},
    "prompt_toolkit": {"tui/terminal.py"},
    "click": {"cli.py"},
    "aiohttp": {"venues/simulated.py"},
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def modules() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if "simulator" not in path.parts]


@pytest.mark.parametrize("library", DOORS)
def test_a_library_has_one_door(library: str) -> None:
    through = {path.relative_to(PACKAGE).as_posix() for path in modules() if library in imports(path)}
    assert through == DOORS[library]


def test_certificates_are_not_checked_in_the_look_from_outside_only() -> None:
    unchecked = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules()
        if "CERT_NONE" in (text := path.read_text(encoding="utf-8")) or "_create_unverified_context" in text
    }
    assert unchecked == {"venues/outside.py"}


def test_the_simulator_is_never_imported() -> None:
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            assert not any(name.startswith("serialfix.simulator") for name in names), path
