"""Sessions that are under way on this machine: each holds a lock that ends with its process, however that ends.

The lock is on a small file beside the recordings, which holds the path of the session's recording: so a recording that
was written elsewhere (``--transcript``) is found as well after a crash. POSIX locks by ``flock``, Windows by locking a
byte that lies far behind the file's end, since there locked bytes can't be read.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

SUFFIX = ".session"


@contextlib.contextmanager
def underway(folder: Path, transcript: Path) -> Iterator[None]:
    """Mark the session that writes ``transcript`` as under way. Where no mark can be made, none is."""
    path = _mark(folder, transcript)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("w", encoding="utf-8")
    except OSError:
        yield
        return
    with file:
        file.write(str(transcript.absolute()) + "\n")
        file.flush()
        _lock(file)
        yield
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)


def is_underway(folder: Path, transcript: Path) -> bool:
    """Whether the session that writes ``transcript`` still runs."""
    try:
        with _mark(folder, transcript).open("r+", encoding="utf-8") as file:
            return not _lock(file)
    except OSError:
        return False


def marked(folder: Path) -> list[Path]:
    """The recordings of all sessions that are under way, or ended without a word."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            found.append(Path(path.read_text(encoding="utf-8").rstrip("\n")))
    return found


def forget(folder: Path, transcript: Path) -> None:
    """Remove the mark of a session that is over."""
    with contextlib.suppress(OSError):
        _mark(folder, transcript).unlink(missing_ok=True)


def _mark(folder: Path, transcript: Path) -> Path:
    return folder / (hashlib.sha256(os.fsencode(transcript.absolute())).hexdigest()[:16] + SUFFIX)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> bool:
        """Lock a file until it is closed; whether nobody else had."""
        os.lseek(file.fileno(), 1 << 30, os.SEEK_SET)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: IO[str]) -> bool:
        """Lock a file until it is closed; whether nobody else had."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
