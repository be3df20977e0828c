r"""``qwinsta``: who is signed in.

Source: output-formats.md "qwinsta": states are translated, the session name may be empty, so a row is read by its
columns: the heading tells where user names begin; the id is the last number of the row, since a name may be a number
too. Names known from a healthy VM:

>>> users(Output('''\
...  SESSIONNAME       USERNAME                 ID  STATE   TYPE        DEVICE
... >services                                    0  Disc
...  console                                     1  Conn
...                    azureadmin                2  Disc
...  rdp-tcp#3         maria                     3  Active
...  rdp-tcp                                 65536  Listen
... ''', 0, "screen"))
('azureadmin', 'maria')
"""

import re

from serialfix.steps import Output, Unreadable

_HEADING = re.compile(r" ?\S+(?: \S+)? {2,}(?=\S)")
_ID = re.compile(r"(?<!\S)\d{1,9}(?!\S)")


def users(output: Output) -> tuple[str, ...]:
    """The users with a session, connected or not. Raises Unreadable where the heading is not found."""
    lines = [line for line in output.text.splitlines() if line.strip()]
    if not lines or not (heading := _HEADING.match(lines[0])):
        raise Unreadable("no heading that qwinsta prints")
    found = []
    for line in lines[1:]:
        behind = line[heading.end() :]
        numbers = list(_ID.finditer(behind))
        if not numbers:
            raise Unreadable(f"a row of qwinsta without an id: {line.strip()[:60]!r}")
        if name := behind[: numbers[-1].start()].strip():
            found.append(name)
    return tuple(found)


def in_words(output: Output) -> str:
    """One sentence on who is signed in, for the impact of a change. Raises Unreadable."""
    names = users(output)
    if not names:
        return "nobody is signed in"
    return f"signed in: {', '.join(names)}"
