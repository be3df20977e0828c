r"""The VM's small file system: one drive C:, folders and files, case-insensitive and case-preserving.

An entry has a security descriptor of its own, or inherits its folder's. Common knowledge; 8.3 names, streams and links
are not modelled.
"""

from collections.abc import Callable
from dataclasses import dataclass

from serialfix.simulator import security, sids
from serialfix.simulator.security import Descriptor

ROOT = security.parse(
    "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)(A;CI;0x4;;;BU)(A;CIIO;0x2;;;BU)"
)


@dataclass(slots=True)
class Entry:
    """A folder (``data`` is None) or a file; ``path`` in the letter case it was made with, ``when`` in seconds."""

    path: str
    data: bytes | None
    when: float
    security: Descriptor | None = None

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rsplit("\\", 1)[-1]


FORBIDDEN = frozenset('<>"|?*')


def absolute(path: str, cwd: str) -> str:
    r"""Resolve a path typed in ``cwd``, without looking whether it exists.

    >>> absolute(r"..\Temp\.\x.txt", r"C:\Windows\system32")
    'C:\\Windows\\Temp\\x.txt'
    >>> absolute("C:", r"C:\Windows")
    'C:\\Windows'
    """
    path = path.strip().strip('"').replace("/", "\\")
    if len(path) >= 2 and path[1] == ":":
        drive, rest = path[:2].upper(), path[2:]
        if not rest.startswith("\\"):
            rest = cwd[2:].rstrip("\\") + "\\" + rest if drive == cwd[:2].upper() else "\\" + rest
    else:
        drive = cwd[:2]
        rest = path if path.startswith("\\") else cwd[2:].rstrip("\\") + "\\" + path
    parts: list[str] = []
    for part in rest.split("\\"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in {"", "."}:
            parts.append(part.rstrip(". ") or part)
    return drive + "\\" + "\\".join(parts)


def parent(path: str) -> str:
    """Return the folder that holds a path."""
    head = path.rsplit("\\", 1)[0]
    return head + "\\" if head.endswith(":") else head


class FileSystem:
    """Entries by lower-cased absolute path. ``written(path, what)`` is called after every change."""

    def __init__(self, written: Callable[[str, str], None] | None = None) -> None:
        self.entries: dict[str, Entry] = {"c:\\": Entry("C:\\", None, 0.0)}
        self._written = written

    def listen(self, written: Callable[[str, str], None]) -> None:
        """Call ``written`` after every change from now on."""
        self._written = written

    def _tell(self, path: str, what: str) -> None:
        if self._written:
            self._written(path, what)

    def find(self, path: str) -> Entry | None:
        """Return the entry at an absolute path, or None."""
        return self.entries.get(path.rstrip("\\").lower() if len(path) > 3 else path.lower())

    def descriptor(self, path: str) -> Descriptor:
        """Return who may do what at a path: its own descriptor, or what it inherits."""
        entry = self.find(path)
        if len(path) <= 3 or entry is None:
            return ROOT
        if entry.security is not None:
            return entry.security
        above = self.descriptor(parent(path))
        return security.inherited(above, folder=entry.data is None, owner=sids.ADMINISTRATORS)

    def protect(self, path: str, descriptor: Descriptor) -> None:
        """Give an entry a descriptor of its own."""
        entry = self.find(path)
        if entry is not None:
            entry.security = descriptor
            self._tell(entry.path, f"security {descriptor.sddl()}")

    def may(self, token: sids.Token, path: str, wanted: int) -> bool:
        """Say whether ``token`` has all rights of ``wanted`` on an entry."""
        return security.granted(self.descriptor(path), token, wanted)

    def may_delete(self, token: sids.Token, path: str) -> bool:
        """Say whether ``token`` may delete or rename an entry: by its own right, or its folder's."""
        return self.may(token, path, security.DELETE) or self.may(token, parent(path), 0x40)

    def is_folder(self, path: str) -> bool:
        """Say whether a folder stands at the path."""
        entry = self.find(path)
        return entry is not None and entry.data is None

    def make_folder(self, path: str, when: float) -> bool:
        """Make a folder and its parents; False when something stands there, or the path is not one."""
        if self.find(path) is not None or not path.upper().startswith("C:\\") or FORBIDDEN & set(path[2:]):
            return False
        above = parent(path)
        if not self.is_folder(above) and not self.make_folder(above, when):
            return False
        self.entries[path.lower()] = Entry(path, None, when)
        self._tell(path, "folder made")
        return True

    def write(self, path: str, data: bytes, when: float, *, append: bool = False) -> bool:
        """Write a file; False when its folder is missing, a folder stands there, or the name cannot be."""
        old = self.find(path)
        if not self.is_folder(parent(path)) or (old and old.data is None) or FORBIDDEN & set(path[2:]):
            return False
        if old is not None and old.data is not None:
            old.data, old.when = (old.data + data if append else data), when
        else:
            self.entries[path.lower()] = Entry(path, data, when)
        self._tell(path, f"{'appended' if append else 'written'}, {len(data)} bytes")
        return True

    def delete(self, path: str) -> bool:
        """Delete one file or one empty folder."""
        entry = self.find(path)
        if entry is None or (entry.data is None and self.inside(path)) or len(path) <= 3:
            return False
        del self.entries[entry.path.lower()]
        self._tell(entry.path, "deleted")
        return True

    def inside(self, path: str) -> list[Entry]:
        """Return what a folder holds, sorted by name as NTFS does."""
        base = path.lower().rstrip("\\")
        found = [e for key, e in self.entries.items() if len(key) > 3 and parent(key).rstrip("\\") == base]
        return sorted(found, key=lambda entry: entry.name.upper())
