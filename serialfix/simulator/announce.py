"""How a running simulator says where it is: one JSON object, printed and left in a file of the user's cache folder.

The file is named after the ARM port, so that who knows the URL finds the CA and the login; it is readable by its owner
only. One left by a simulator that was killed harms nobody: the next one on that port writes it anew.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True)
class Announcement:
    """Everything needed to reach the simulated VM."""

    arm: str
    ca: str
    subscription: str
    resource_group: str
    vm: str
    rdp: str
    user: str
    password: str
    seed: int
    windows: str
    tenant: str

    def json(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where announcements lie: under ``SERIALFIX_CACHE_DIR``, or the user's cache folder."""
    given = environment.get("SERIALFIX_CACHE_DIR")
    return (Path(given) if given else platformdirs.user_cache_path("serialfix")) / "simulators"


def write(announcement: Announcement, port: int, where: Path) -> Path:
    """Write the file for ``port`` and give its path. Raises ``OSError``."""
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.suppress(OSError):
        where.chmod(0o700)
    path = where / f"{port}.json"
    # Made beside it and moved, so that nobody reads half of it, or follows a link somebody put there.
    fresh = where / f"{port}.{os.getpid()}.new"
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(announcement.json() + "\n")
    fresh.replace(path)
    return path
