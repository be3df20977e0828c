r"""The VM's registry: keys and typed values, case-insensitive and case-preserving, in the order they were made.

``HKLM\SYSTEM\CurrentControlSet`` is a link to ``ControlSet001``, the long root names mean the short ones, SAM and
SECURITY are there but refuse an administrator. Common knowledge; how ``reg`` shows them is output-formats.md.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

REG_SZ, REG_EXPAND_SZ, REG_BINARY, REG_DWORD, REG_MULTI_SZ, REG_QWORD, REG_NONE = (
    "REG_SZ",
    "REG_EXPAND_SZ",
    "REG_BINARY",
    "REG_DWORD",
    "REG_MULTI_SZ",
    "REG_QWORD",
    "REG_NONE",
)
Data = str | int | bytes | tuple[str, ...]

ROOTS = {
    "HKLM": "HKEY_LOCAL_MACHINE",
    "HKCU": "HKEY_CURRENT_USER",
    "HKCR": "HKEY_CLASSES_ROOT",
    "HKU": "HKEY_USERS",
    "HKCC": "HKEY_CURRENT_CONFIG",
}
_SHORT = {long.lower(): short for short, long in ROOTS.items()} | {short.lower(): short for short in ROOTS}


class InvalidKeyName(ValueError):
    """The path names no root key."""


class AccessDenied(PermissionError):
    """The key is there, and not for an administrator."""


@dataclass(slots=True)
class Value:
    """One value. ``data`` is str (SZ, EXPAND_SZ), int (DWORD, QWORD), a tuple of str (MULTI_SZ) or bytes."""

    name: str
    kind: str
    data: Data


@dataclass(slots=True)
class Key:
    """One key: its values and sub keys by lower-cased name. The default value's name is ''."""

    name: str
    values: dict[str, Value] = field(default_factory=dict)
    keys: "dict[str, Key]" = field(default_factory=dict)


def split(path: str) -> tuple[str, list[str]]:
    r"""Cut a path into its short root and its parts as typed.

    >>> split(r"HKEY_LOCAL_MACHINE\SOFTWARE\Policies")
    ('HKLM', ['SOFTWARE', 'Policies'])

    Raises InvalidKeyName.
    """
    root, *parts = path.strip().rstrip("\\").split("\\")
    short = _SHORT.get(root.lower())
    if short is None or any(not part for part in parts):
        raise InvalidKeyName(path)
    return short, parts


def long_name(path: str) -> str:
    """Return the path with its root spelt out and the rest as typed, the way ``reg`` prints a key line."""
    short, parts = split(path)
    return "\\".join([ROOTS[short], *parts])


class Registry:
    """All hives. ``written(path, value name or None, what)`` is called after every change."""

    def __init__(self, written: Callable[[str, str | None, str], None] | None = None) -> None:
        self._roots = {short: Key(short) for short in ROOTS}
        self._written = written

    def listen(self, written: Callable[[str, str | None, str], None]) -> None:
        """Call ``written`` after every change from now on."""
        self._written = written

    def _parts(self, path: str, *, as_system: bool) -> tuple[Key, list[str]]:
        short, parts = split(path)
        lower = [part.lower() for part in parts]
        if short == "HKLM" and lower[:2] == ["system", "currentcontrolset"]:
            parts[1] = "ControlSet001"
        if not as_system and short == "HKLM" and (lower[:1] == ["security"] or lower[:2] == ["sam", "sam"]):
            raise AccessDenied(path)
        return self._roots[short], parts

    def _may_write(self, path: str, *, as_system: bool) -> None:
        """Refuse what only the system may write: gpsvc's key (rdp-repair.md 2.6)."""
        root, parts = split(path)
        lower = [part.lower() for part in parts]
        if lower[:2] == ["system", "currentcontrolset"]:
            lower[1] = "controlset001"
        if not as_system and root == "HKLM" and lower[:4] == ["system", "controlset001", "services", "gpsvc"]:
            raise AccessDenied(path)

    def key(self, path: str, *, as_system: bool = True) -> Key | None:
        """Return the key, or None. Raises InvalidKeyName; AccessDenied unless ``as_system``."""
        key, parts = self._parts(path, as_system=as_system)
        for part in parts:
            found = key.keys.get(part.lower())
            if found is None:
                return None
            key = found
        return key

    def subkeys(self, path: str) -> list[str]:
        """Return the names of the key's sub keys as made, with the CurrentControlSet link."""
        key = self.key(path)
        if key is None:
            return []
        names = [sub.name for sub in key.keys.values()]
        if split(path)[0] == "HKLM" and [part.lower() for part in split(path)[1]] == ["system"]:
            names.append("CurrentControlSet")
        return names

    def get(self, path: str, name: str) -> Data | None:
        """Return a value's data, or None when key or value is missing."""
        key = self.key(path)
        value = key.values.get(name.lower()) if key else None
        return None if value is None else value.data

    def number(self, path: str, name: str) -> int | None:
        """Return a DWORD's or QWORD's data, or None when it is missing or of another type."""
        data = self.get(path, name)
        return data if isinstance(data, int) else None

    def create(self, path: str, *, as_system: bool = True) -> Key:
        """Return the key, made with its parents where missing."""
        key, parts = self._parts(path, as_system=as_system)
        made = False
        for part in parts:
            if part.lower() not in key.keys:
                key.keys[part.lower()] = Key(part)
                made = True
            key = key.keys[part.lower()]
        if made and self._written:
            self._written(path, None, "created")
        return key

    def set(self, path: str, name: str, kind: str, data: Data, *, as_system: bool = True) -> None:
        """Write one value; an existing one keeps the letter case of its name."""
        self._may_write(path, as_system=as_system)
        key = self.create(path, as_system=as_system)
        old = key.values.get(name.lower())
        key.values[name.lower()] = Value(old.name if old else name, kind, data)
        if self._written:
            self._written(path, name, f"{kind} {data!r}")

    def delete_value(self, path: str, name: str, *, as_system: bool = True) -> bool:
        """Delete one value; False when there was none."""
        self._may_write(path, as_system=as_system)
        key = self.key(path, as_system=as_system)
        if key is None or key.values.pop(name.lower(), None) is None:
            return False
        if self._written:
            self._written(path, name, "deleted")
        return True

    def delete_key(self, path: str, *, as_system: bool = True) -> bool:
        """Delete a key and all below it; False when there was none, or it is a root."""
        self._may_write(path, as_system=as_system)
        root, parts = self._parts(path, as_system=as_system)
        if not parts:
            return False
        for part in parts[:-1]:
            found = root.keys.get(part.lower())
            if found is None:
                return False
            root = found
        if root.keys.pop(parts[-1].lower(), None) is None:
            return False
        if self._written:
            self._written(path, None, "deleted with all below it")
        return True

    def walk(self, path: str) -> Iterator[tuple[str, Key]]:
        """Yield (path as typed and as made below it, key), depth first, the order of ``reg query /s``."""
        key = self.key(path)
        if key is None:
            return
        yield path, key
        for sub in list(key.keys.values()):
            yield from self.walk(f"{path}\\{sub.name}")

    def dump(self) -> dict[str, dict[str, list[object]]]:
        """Return everything as JSON-able data: path -> value name -> [type, data]."""
        return {
            path: {value.name: [value.kind, _plain(value.data)] for value in key.values.values()}
            for short in ROOTS
            for path, key in self.walk(short)
        }


def _plain(data: Data) -> object:
    if isinstance(data, bytes):
        return data.hex()
    return list(data) if isinstance(data, tuple) else data
