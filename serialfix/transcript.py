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
import secrets as tokens
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, get_args

import msgspec
import platformdirs

from serialfix import __version__, events
from serialfix.errors import UsageError
from serialfix.redact import Secrets
from serialfix.steps import Outcome, Risk, Status, Verified

FORMAT = 1
HIDDEN_KEY = "•"

LONGEST = 10 * 365 * 86_400
"""Seconds; whatever says that more passed is no recording."""

MOST_HELD = 64 * 1024
"""Bytes that are held back at most until it is seen whether they end in a secret."""

_ENCODER = msgspec.json.Encoder()
_EVENTS: msgspec.json.Decoder[events.AnyEvent] = msgspec.json.Decoder(events.AnyEvent)
_WORDS: frozenset[object] = frozenset(
    {"diagnose", "repair", *get_args(Risk), *get_args(Status), *get_args(Outcome), *get_args(Verified)}
    | {kind.__struct_config__.tag for kind in get_args(events.AnyEvent)}
)
"""Words of the format. They stand in every record, so they tell nothing of a secret that is one of them."""


def state_folder() -> Path:
    """Where sessions are kept on this machine; ``SERIALFIX_STATE_DIR`` overrides it."""
    chosen = os.environ.get("SERIALFIX_STATE_DIR")
    return Path(chosen) if chosen else platformdirs.user_state_path("serialfix")


def new_path() -> Path:
    """Where a new transcript goes when nobody says."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return state_folder() / "transcripts" / f"{stamp}-{tokens.token_hex(2)}.cast"


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
    except (msgspec.MsgspecError, UnicodeEncodeError) as error:  # JSON may hold half a character
        raise UsageError(
            f"{where}: an event that can't be read: {error}",
            why="The file was edited, or written by another version of serialfix.",
            advice="Use the version that wrote it; serialfix play shows the recording all the same.",
        ) from None


@dataclass(slots=True)
class _Flow:
    """One direction of the line: bytes ``held`` back, and before them what was written but may yet become a secret."""

    held: bytes = b""
    carry: bytes = b""


class Writer:
    """Writes one transcript as it happens. Times are seconds since the session began."""

    def __init__(self, path: Path, *, title: str, started: datetime, secrets: Secrets) -> None:
        """Create ``path`` (mode 0600). Raises UsageError when it exists or can't be made."""
        self.path = path
        self._secrets = secrets
        self._last = 0
        self._held: list[tuple[int, str, str | bytes]] = []
        self._flows = {"o": _Flow(), "i": _Flow()}
        self._file: IO[str] = os.fdopen(_create(path), "w", encoding="utf-8", errors="replace", newline="\n")
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
        self._hold(at, "i", HIDDEN_KEY * len(data.decode("utf-8", "replace")) if hidden else data)

    def timer(self, what: str, at: float) -> None:
        """A conversation began (``start``) or a timer fired (``wake``)."""
        self._hold(at, "t", what)

    def event(self, event: events.Event, at: float) -> None:
        """Something happened."""
        # Masked before it is encoded: JSON escapes characters that a secret may hold.
        self._hold(at, "e", _ENCODER.encode(self._masked(msgspec.to_builtins(event))).decode())

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
            self._flows[code].held += data
        flows = self._flows.values()
        opened = any(self._secrets.open_end(flow.carry + flow.held) for flow in flows if flow.held)
        if not opened or sum(len(flow.held) for flow in flows) > MOST_HELD:
            self._release()

    def _release(self) -> None:
        held, self._held = self._held, []
        masked = {code: self._take(flow) for code, flow in self._flows.items()}
        for at, code, data in held:
            if isinstance(data, bytes):
                piece, masked[code] = masked[code][: len(data)], masked[code][len(data) :]
                self._write_bytes(at, code, piece)
            else:
                self._write(at, code, data)

    def _take(self, flow: _Flow) -> bytes:
        """What ``flow`` held, masked."""
        seen = flow.carry + flow.held
        spans = self._secrets.spans(seen)
        opened = self._secrets.open_end(seen)
        if opened > 1:  # a single character tells nothing, and stands at the end of much else
            spans.append((len(seen) - opened, len(seen)))
        masked = bytearray(seen)
        for start, end in spans:
            masked[start:end] = b"*" * (end - start)
        taken = bytes(masked[len(flow.carry) :])
        flow.held, flow.carry = b"", seen[-opened:] if opened else b""
        return taken

    def _masked(self, value: Any) -> Any:
        """``value`` with secrets masked in its strings, but for words of the format."""
        match value:
            case str():
                value = value.encode("utf-8", "replace").decode()  # lone surrogates come with the command line
                return value if value in _WORDS else self._secrets.mask(value)
            case dict():
                return {key: self._masked(item) for key, item in value.items()}
            case list() | tuple():
                return [self._masked(item) for item in value]
        return value

    def _write_bytes(self, at: int, code: str, data: bytes) -> None:
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            if code == "o":
                self._write(at, "b", base64.b64encode(data).decode())
            text = data.decode("utf-8", "replace")
        self._write(at, code, text)

    def _write(self, at: int, code: str, data: str) -> None:
        interval = max(0, at - self._last)
        self._last += interval
        self._line(f"[{interval / 1_000_000:.6f}, {json.dumps(code)}, {json.dumps(data, ensure_ascii=False)}]")

    def _line(self, line: str) -> None:
        # Control characters are escaped by JSON; so a line is a line.
        self._file.write(line + "\n")
        self._file.flush()


def _create(path: Path) -> int:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        if isinstance(error, FileExistsError) and os.path.lexists(path):
            raise UsageError(
                f"The transcript {path} is there already.",
                why="A transcript is never overwritten.",
                advice="Name another file with --transcript.",
            ) from None
        raise UsageError(
            f"The transcript {path} can't be written: {error.strerror}.",
            why="Without a record nothing is changed on a VM.",
            advice="Name a file in a folder that you may write to with --transcript.",
        ) from None


def read(path: Path) -> Transcript:
    """Read an asciicast v3 (or v2) file, ours or anybody's.

    A cut last line is left out and said in ``cut``. Raises UsageError for a file that is none, with the line.
    """
    try:
        whole, newline, tail = path.read_bytes().rpartition(b"\n")
        # A line that was cut off may end in half a character.
        text = (whole + newline).decode("utf-8") + tail.decode("utf-8", "replace" if newline else "strict")
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
    except (ValueError, RecursionError):
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
    except (ValueError, RecursionError):
        return None
    match parsed:
        case [int() | float() as interval, str() as code, str() as data] if 0 <= interval <= LONGEST:
            return (float(interval), code, data) if re.fullmatch(r"\w", code) else None
    return None
