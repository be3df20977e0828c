r"""How cmd.exe changes text around its parsing: variables of every kind, and the prompt.

The interactive rule: ``%name%`` without such a variable stays as typed. Common knowledge (rdp-repair.md 1 C5 and C7
name the parts that matter to repairs).
"""

import re
from collections.abc import Callable, Iterable, Mapping

Lookup = Callable[[str], str | None]


class Environment:
    """Variables with case-insensitive names that keep the case they were made with."""

    def __init__(self, values: Mapping[str, str] | None = None) -> None:
        self._values = {name.lower(): (name, value) for name, value in (values or {}).items()}

    def get(self, name: str) -> str | None:
        """Return a variable's value, or None."""
        found = self._values.get(name.lower())
        return found[1] if found else None

    def set(self, name: str, value: str) -> None:
        """Set a variable; an empty value removes it."""
        if value:
            old = self._values.get(name.lower())
            self._values[name.lower()] = (old[0] if old else name, value)
        else:
            self._values.pop(name.lower(), None)

    def items(self) -> list[tuple[str, str]]:
        """Return all variables, sorted as ``set`` lists them."""
        return sorted(self._values.values(), key=lambda item: item[0].lower())

    def copy(self) -> "Environment":
        """Return a copy, as a child process gets."""
        return Environment(dict(self.items()))


def _replace(value: str, old: str, new: str) -> str:
    if old.startswith("*") and len(old) > 1:
        at = value.lower().find(old[1:].lower())
        return value if at < 0 else new + value[at + len(old) - 1 :]
    return re.sub(re.escape(old), lambda _: new, value, flags=re.IGNORECASE) if old else value


def _slice(value: str, spec: str) -> str | None:
    match = re.fullmatch(r"\s*(-?\d+)?\s*(?:,\s*(-?\d+)?\s*)?", spec)
    if match is None:
        return None
    start, length = int(match[1] or 0), match[2]
    start = max(0, len(value) + start) if start < 0 else start
    if length is None:
        return value[start:]
    return value[start : start + int(length)] if int(length) >= 0 else value[start : int(length)]


def modified(name: str, lookup: Lookup) -> str | None:
    """Return the value of ``name``, ``name:old=new`` or ``name:~from,count``; None: no such variable."""
    found = lookup(name) if name else None
    if found is not None or ":" not in name:
        return found
    base, _, how = name.partition(":")
    value = lookup(base)
    if value is None or not base:
        return None
    if how.startswith("~"):
        return _slice(value, how[1:])
    old, equals, new = how.partition("=")
    return _replace(value, old, new) if equals and old else None


def expand_percent(text: str, lookup: Lookup) -> str:
    """Replace ``%name%`` as at the prompt: what is not defined stays, and its second percent sign may begin another.

    >>> expand_percent("%no%yes% 100%", {"yes": "1"}.get)
    '%no1 100%'
    """
    result, at = "", 0
    while (start := text.find("%", at)) >= 0:
        end = text.find("%", start + 1)
        value = modified(text[start + 1 : end], lookup) if end > start + 1 else None
        if value is None:
            result, at = result + text[at : start + 1], start + 1
        else:
            result, at = result + text[at:start] + value, end + 1
    return result + text[at:]


def expand_delayed(text: str, lookup: Lookup) -> str:
    """Replace ``!name!``; what is not defined becomes nothing. A caret escapes only beside one."""
    if "!" not in text:
        return text
    result, at = "", 0
    while at < len(text):
        character = text[at]
        if character == "^" and at + 1 < len(text):
            result, at = result + text[at + 1], at + 2
        elif character == "!":
            end = text.find("!", at + 1)
            if end < 0:
                at += 1
                continue
            result, at = result + (modified(text[at + 1 : end], lookup) or ""), end + 1
        else:
            result, at = result + character, at + 1
    return result


def _part(value: str, how: str, size: Callable[[str], str]) -> str:
    value = value.strip('"') if value.startswith('"') and value.endswith('"') else value
    folder, slash, name = value.rpartition("\\")
    stem, dot, extension = name.rpartition(".")
    stem, extension = (stem, dot + extension) if dot else (name, "")
    pieces = {
        "d": value[:2] if value[1:2] == ":" else "",
        "p": folder.removeprefix(value[:2]) + slash,
        "n": stem,
        "x": extension,
    }
    chosen = "".join(pieces[letter] for letter in "dpnx" if letter in how)
    if "z" in how:  # the size stands before the name, whatever the order of the letters
        return " ".join(part for part in (size(value), chosen) if part)
    return value if not chosen and not set(how) & set("dpnx") else chosen


def expand_for(text: str, variables: Mapping[str, str], size: Callable[[str], str] = lambda path: "") -> str:
    """Replace ``%i`` and ``%~dpnxzi`` of the loops around a command (names are one letter, case matters).

    ``size``: the size of the file at a path, in digits; nothing where no file can be seen.
    """
    if not variables or "%" not in text:
        return text
    names = re.escape("".join(variables))
    text = re.sub(rf"%~([fdpnxsatz]*)([{names}])", lambda m: _part(variables[m[2]], m[1].lower(), size), text)
    return re.sub(rf"%([{names}])", lambda m: variables[m[1]], text)


def prompt_text(template: str, cwd: str, version: str, date: str, time: str) -> str:
    r"""Return what ``prompt`` shows.

    >>> prompt_text("$P$G", r"C:\Windows", "", "", "")
    'C:\\Windows>'
    """
    codes = {
        "P": cwd, "G": ">", "L": "<", "N": cwd[:1], "D": date, "T": time, "V": version, "S": " ", "_": "\r\n",
        "E": "\x1b", "B": "|", "Q": "=", "$": "$", "A": "&", "C": "(", "F": ")", "H": "\b \b",
    }  # fmt: skip
    return re.sub(r"\$(.)", lambda match: codes.get(match[1].upper(), ""), template, flags=re.DOTALL)


def table(values: Iterable[tuple[str, str]]) -> str:
    """Return variables as ``set`` prints them."""
    return "".join(f"{name}={value}\r\n" for name, value in values)
