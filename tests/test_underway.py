"""A session that runs is known to run, whatever ends it; its mark leads to its recording."""

import subprocess
import sys
from pathlib import Path

from serialfix.underway import forget, is_underway, marked, underway


def test_while_it_runs_it_is_known_and_afterwards_nothing_is_left(tmp_path: Path) -> None:
    cast = tmp_path / "elsewhere" / "a.cast"
    assert not is_underway(tmp_path, cast)
    with underway(tmp_path, cast):
        assert is_underway(tmp_path, cast)
        assert is_underway(tmp_path, cast)  # asking does not end it
        assert not is_underway(tmp_path, tmp_path / "b.cast")
        assert marked(tmp_path) == [cast]
    assert not is_underway(tmp_path, cast)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_runs_no_more_and_its_recording_is_found(tmp_path: Path) -> None:
    cast = tmp_path / "a.cast"
    code = (
        "import sys; from pathlib import Path; from serialfix.underway import underway\n"
        f"with underway(Path({str(tmp_path)!r}), Path({str(cast)!r})): print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        assert is_underway(tmp_path, cast)
        process.kill()
        process.wait(timeout=10)
        assert not is_underway(tmp_path, cast)
        assert marked(tmp_path) == [cast]
    forget(tmp_path, cast)
    assert marked(tmp_path) == []


def test_where_no_mark_can_be_made_the_session_runs_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    ran = False
    with underway(tmp_path / "file", tmp_path / "a.cast"):
        ran = True
    assert ran
    assert not is_underway(tmp_path / "file", tmp_path / "a.cast")
    assert marked(tmp_path / "file") == []
