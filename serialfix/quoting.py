"""How a value enters a command: one function for each shell, and nothing else (design: "The console is hostile").

>>> cmd("TermService")
'TermService'
>>> cmd(r"HKLM\\SYSTEM\\CurrentControlSet\\Control\\Terminal Server")
'"HKLM\\\\SYSTEM\\\\CurrentControlSet\\\\Control\\\\Terminal Server"'
>>> cmd("x & shutdown /r")
Traceback (most recent call last):
    ...
ValueError: not a value that can be typed safely: 'x & shutdown /r'
>>> powershell("Remote Desktop - it's on $HOME")
"'Remote Desktop - it''s on $HOME'"
"""

import re

_PLAIN = re.compile(r"[A-Za-z0-9_.:\\*-]+")
_LITERAL = re.compile(r"[ !#-)+->@-Z\\^-~\]]+")
_QUOTED = re.compile(r"[\w .:,;\\(){}$@#=+*\[\]~'-]+", re.ASCII)


def cmd(value: str) -> str:
    """``value`` as one argument of a command in cmd, quoted where it has to be.

    Raises ValueError for whatever cmd could expand, cut or take for more than a value, quoted or not: quotes, percent
    signs, carets, exclamation marks, operators, control characters, a minus in front (a switch, quoted or not), and a
    backslash before the closing quote. No name of a key, a value or a service needs them. Nor is anything but ASCII
    typed: what programs write to a pipe is in the OEM code page, so such a name may have been read wrong, and be
    another object's.
    """
    if value.startswith("-"):
        raise ValueError(f"not a value that can be typed safely: {value!r}")
    if _PLAIN.fullmatch(value):
        return value
    if not _QUOTED.fullmatch(value) or value != value.strip() or value.endswith("\\"):
        raise ValueError(f"not a value that can be typed safely: {value!r}")
    return f'"{value}"'


def powershell(value: str) -> str:
    """``value`` as one string literal of PowerShell, in single quotes, wherever an expression may stand.

    In single quotes PowerShell expands nothing; a quote in it is doubled (about_Quoting_Rules). Raises ValueError for
    what is not printable ASCII: PowerShell takes the typographic quotes (U+2018 to U+201B) for the plain one, so they
    would end the literal. Also for a wildcard character, since most cmdlets read ``*``, ``?`` and ``[`` in a name as
    a pattern, and one name would become many; and for a double quote, which is lost on the way to a program.
    """
    if not _LITERAL.fullmatch(value):
        raise ValueError(f"not a value that can be typed safely: {value!r}")
    doubled = value.replace("'", "''")
    return f"'{doubled}'"
