"""Events and bytes <-> asciicast v3: the one record of a session.

Standard codes: ``o`` output, ``i`` input, ``m`` marker (a check begins), ``x`` exit. Our own, which players skip:

* ``e``  an event of ``events.py`` as JSON,
* ``b``  base64 of the next ``o``'s bytes, where they are not valid UTF-8 by themselves,
* ``t``  ``start``: a conversation with the console begins; ``wake``: a timer fired.

Intervals are seconds since the line before, in microseconds exactly. The header's ``serialfix.format`` is 1. Lines are
flushed as they are written; ``sync`` returns when they are on disk. Secrets are masked (``redact.py``); keys typed at a
password prompt are ``•``.
"""

import base64
import contextlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import msgspec

from serialfix import __version__, events
from serialfix.errors import UsageError
from serialfix.redact import Secrets

FORMAT = 1
HIDDEN_KEY = "•"

_ENCODER = msgspec.json.Encoder()
_EVENTS: msgspec.json.Decoder[events.AnyEvent] = msgspec.json.Decoder(events.AnyEvent)


@dataclass(frozen=True, slots=True)
class Record:
    """One line: ``at`` in microseconds since the start, ``code``, ``data`` as it stands in the file."""

    at: int
    code: str
    data: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """A recording as read. ``cut``: why the end of the file was not used, or an empty string."""

    path: str
    header: dict[str, Any]
    records: tuple[Record, ...]
    cut: str

    @property
    def ours(self) -> bool:
        """Whether serialfix wrote it: only then can it be replayed by decision."""
        return isinstance(self.header.get("serialfix"), dict)

    def events(self) -> Iterator[tuple[int, events.AnyEvent]]:
        """The events in it. Raises UsageError for one that this version can't read."""
        for number, record in enumerate(self.records, start=2):
            if record.code == "e":
                yield record.at, read_event(record.data, f"{self.path}, line {number}")


def read_event(text: str, where: str) -> events.AnyEvent:
    """An ``e`` line's event. Raises UsageError."""
    try:
        return _EVENTS.decode(text)
    except msgspec.MsgspecError as error:
        raise UsageError(
            f"{where}: an event that can't be read: {error}",
            why="The file was edited, or written by another version of serialfix.",
            advice="Use the version that wrote it; serialfix play shows the recording all the same.",
        ) from None


class Writer:
    """Writes one transcript as it happens. Times are seconds since the session began."""

    def __init__(self, path: Path, *, title: str, started: datetime, secrets: Secrets) -> None:
        """Create ``path`` (mode 0600). Raises UsageError when it exists or can't be made."""
        self.path = path
        self._secrets = secrets
        self._last = 0
        self._held: list[tuple[int, str, str | bytes]] = []
        self._tail = b""  # output that is held back
        self._carry = b""  # output that had to be written while it could still become a secret: it was masked
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise UsageError(
                f"The transcript {path} is there already.",
                why="A transcript is never overwritten.",
                advice="Name another file with --transcript.",
            ) from None
        except OSError as error:
            raise UsageError(
                f"The transcript {path} can't be written: {error.strerror}.",
                why="Without a record nothing is changed on a VM.",
                advice="Name a file in a folder that you may write to with --transcript.",
            ) from None
        self._file: IO[str] = os.fdopen(descriptor, "w", encoding="utf-8", newline="\n")
        header = {
            "version": 3,
            "term": {"cols": 80, "rows": 24},
            "timestamp": int(started.timestamp()),
            "idle_time_limit": 2,
            "title": secrets.mask(title),
            "serialfix": {"format": FORMAT, "version": __version__},
        }
        self._line(json.dumps(header, ensure_ascii=False))

    def output(self, data: bytes, at: float) -> None:
        """Bytes that came from the console."""
        self._hold(at, "o", data)

    def keys(self, data: bytes, at: float, *, hidden: bool) -> None:
        """Keys that were sent; ``hidden``: typed at a password prompt."""
        text = data.decode("utf-8", "replace")
        self._hold(at, "i", HIDDEN_KEY * len(text) if hidden else self._secrets.mask(text))

    def timer(self, what: str, at: float) -> None:
        """A conversation began (``start``) or a timer fired (``wake``)."""
        self._hold(at, "t", what)

    def event(self, event: events.Event, at: float) -> None:
        """Something happened."""
        self._hold(at, "e", self._secrets.mask(_ENCODER.encode(event).decode()))

    def marker(self, text: str, at: float) -> None:
        """A place to jump to."""
        self._hold(at, "m", self._secrets.mask(text))

    def sync(self) -> None:
        """Return when all of it is on disk."""
        self._release()
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self, exit_code: int, at: float) -> None:
        """Write the last line and close. Does nothing the second time."""
        if self._file.closed:
            return
        self._hold(at, "x", str(exit_code))
        self._release()
        with contextlib.suppress(OSError):
            self.sync()
        self._file.close()

    def _hold(self, at: float, code: str, data: str | bytes) -> None:
        """Keep lines back while what came last could be the beginning of a secret that the next chunk ends."""
        self._held.append((round(at * 1_000_000), code, data))
        if isinstance(data, bytes):
            self._tail += data
        if not self._secrets.open_end(self._carry + self._tail):
            self._release()

    def _release(self) -> None:
        held, self._held, self._tail = self._held, [], b""
        seen = self._carry + b"".join(data for _, _, data in held if isinstance(data, bytes))
        spans = self._secrets.spans(seen)
        opened = self._secrets.open_end(seen)
        if opened:
            spans.append((len(seen) - opened, len(seen)))
        masked = bytearray(seen)
        for start, end in spans:
            masked[start:end] = b"*" * (end - start)
        place = len(self._carry)
        self._carry = seen[-opened:] if opened else b""
        for at, code, data in held:
            if isinstance(data, bytes):
                self._write_output(at, bytes(masked[place : place + len(data)]))
                place += len(data)
            else:
                self._write(at, code, data)

    def _write_output(self, at: int, data: bytes) -> None:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            self._write(at, "b", base64.b64encode(data).decode())
            text = data.decode("utf-8", "replace")
        self._write(at, "o", text)

    def _write(self, at: int, code: str, data: str) -> None:
        interval = max(0, at - self._last)
        self._last += interval
        self._line(f"[{interval / 1_000_000:.6f}, {json.dumps(code)}, {json.dumps(data, ensure_ascii=False)}]")

    def _line(self, line: str) -> None:
        # Lone surrogates can't come from bytes; control characters are escaped by JSON; so a line is a line.
        self._file.write(line + "\n")
        self._file.flush()


def read(path: Path) -> Transcript:
    """Read an asciicast v3 (or v2) file, ours or anybody's.

    A cut last line is left out and said in ``cut``. Raises UsageError for a file that is none, with the line.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UsageError(
            f"The transcript {path} can't be read: {error.strerror}.",
            advice="Check the name; transcripts end in .cast.",
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is no transcript: it is not UTF-8 text.", advice="A transcript is a .cast file (asciicast)."
        ) from None
    lines = text.split("\n")
    header = _header(lines[0], path)
    absolute = header["version"] == 2
    records: list[Record] = []
    cut = ""
    at = 0
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip() or line.startswith("#"):
            continue
        record = _record(line)
        if record is None:
            if any(rest.strip() for rest in lines[number:]):
                raise UsageError(
                    f"{path}, line {number}: not an asciicast event.",
                    why="The file was damaged or edited; the lines after it are left.",
                    advice="Mend or remove that line.",
                )
            cut = f"line {number} is cut off, as after a crash; everything before it is used"
            break
        interval, code, data = record
        at = round(interval * 1_000_000) if absolute else at + round(interval * 1_000_000)
        records.append(Record(at, code, data))
    if not records and not cut and not any(line.strip() for line in lines[1:]):
        cut = "it holds nothing but its first line"
    return Transcript(str(path), header, tuple(records), cut)


def _header(line: str, path: Path) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("version") not in (2, 3):
        raise UsageError(
            f"{path} is no transcript: its first line is no asciicast v2 or v3 header.",
            why="It is empty, cut off, or another kind of file.",
            advice="A transcript is a .cast file; serialfix says at the end of each run where it lies.",
        )
    own = header.get("serialfix")
    if isinstance(own, dict) and own.get("format") != FORMAT:
        raise UsageError(
            f"{path} was written in format {own.get('format')!r}; this serialfix reads format {FORMAT}.",
            advice="Use the version that wrote it.",
        )
    return header


def _record(line: str) -> tuple[float, str, str] | None:
    try:
        parsed = json.loads(line)
    except ValueError:
        return None
    match parsed:
        case [int() | float() as interval, str() as code, str() as data] if interval >= 0 and re.fullmatch(r"\w", code):
            return float(interval), code, data
    return None
