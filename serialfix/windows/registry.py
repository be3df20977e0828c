r"""``reg query``: keys and values.

Sources: output-formats.md "reg query" (four blanks, name, four blanks, REG_ type, four blanks, data; the key line is
echoed in the letter case of the question; sub keys are bare lines); a capture of Server 2022:

>>> sample = Output('''
... HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL
...     EventLogging    REG_DWORD    0x1
...     CertificateMappingMethods    REG_DWORD    0x4
...
... HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Ciphers
... ''', 0, "screen")
>>> keys = parse(sample)
>>> keys.value("HKLM\\system\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL", "eventlogging").number
1
>>> keys.has(r"HKLM\SYSTEM\CurrentControlSet\Control\SecurityProviders\SCHANNEL\Ciphers")
True
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from serialfix.steps import Output, Unreadable

_ROOTS = {
    "hklm": "hkey_local_machine",
    "hkcu": "hkey_current_user",
    "hkcr": "hkey_classes_root",
    "hku": "hkey_users",
    "hkcc": "hkey_current_config",
}
_VALUE = re.compile(r" {4}(?P<name>.*?) {4}(?P<type>REG_[A-Z_0-9]+)(?: {4}(?P<data>.*))?")


@dataclass(frozen=True, slots=True)
class Value:
    """One value. ``number`` is None unless the type is REG_DWORD or REG_QWORD."""

    name: str
    type: str
    data: str
    number: int | None

    def __str__(self) -> str:
        return f"{self.number} (0x{self.number:x})" if self.number is not None else f"{self.data!r} ({self.type})"


@dataclass(frozen=True, slots=True)
class Keys:
    """What a query brought: keys by path in lower case and with the long root, values by name in lower case."""

    keys: Mapping[str, Mapping[str, Value]]

    def has(self, key: str) -> bool:
        """Whether the key is there, in any letter case."""
        return normal(key) in self.keys

    def value(self, key: str, name: str) -> Value | None:
        """The value, or None where key or value is not there (which a query of a parent with /s proves)."""
        return self.keys.get(normal(key), {}).get(name.lower())

    def below(self, key: str) -> Iterator[str]:
        """The names of the keys directly below ``key``, in the order in which they were listed, in lower case."""
        start = normal(key) + "\\"
        seen: set[str] = set()
        for path in self.keys:
            name = path[len(start) :].split("\\")[0] if path.startswith(start) else ""
            if name and name not in seen:
                seen.add(name)
                yield name


def normal(key: str) -> str:
    """The path of a key in lower case with the long name of its root."""
    root, _, rest = key.lower().strip().rstrip("\\").partition("\\")
    return "\\".join(part for part in (_ROOTS.get(root, root), rest) if part)


def parse(output: Output) -> Keys:
    """Read ``reg query`` with or without /s. Raises Unreadable for a failed query, a cut answer or a foreign line.

    The error texts of reg are translated and its exit code is 1 for "not there" and "access denied" alike, so a query
    that failed says nothing about what is there: ask for a parent that is always there, with /s.
    """
    if output.exit_code != 0:
        raise Unreadable(f"reg query ended with {output.exit_code}: {_first_line(output.text)}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    keys: dict[str, dict[str, Value]] = {}
    values: dict[str, Value] | None = None
    for line in output.text.splitlines():
        if not line.strip():
            continue
        if line.startswith("HKEY_"):
            values = keys.setdefault(normal(line), {})
            continue
        found = _VALUE.fullmatch(line)
        if found is None or values is None:
            raise Unreadable(f"a line that reg query does not print: {line.strip()[:60]!r}")
        value = _value(found["name"], found["type"], found["data"] or "")
        values[value.name.lower()] = value
    if not keys:
        raise Unreadable("reg query printed no key")
    return Keys(keys)


def _value(name: str, kind: str, data: str) -> Value:
    number = None
    if kind in ("REG_DWORD", "REG_QWORD"):
        if not re.fullmatch(r"0x[0-9a-fA-F]{1,16}", data.strip()):
            raise Unreadable(f"{name} is a {kind}, but its data is {data[:40]!r}")
        number = int(data.strip(), 16)
    return Value(name, kind, data, number)


def _first_line(text: str) -> str:
    return next((line.strip()[:100] for line in text.splitlines() if line.strip()), "no text")
