r"""``netsh int ipv4 show excludedportrange protocol=tcp``: ports that nobody can listen on.

Windows keeps ranges for itself and for Hyper-V; a listener on one of them fails (rdp-repair.md 2.2). The title and the
headings are translated; the ruler and the numbers are not. Typed in many public reports in this form:

>>> parse(Output('''
... Protocol tcp Port Exclusion Ranges
...
... Start Port    End Port
... ----------    --------
...       5357        5357
...      50000       50059     *
...
... * - Administered port exclusions.
... ''', 0, "screen"))
((5357, 5357), (50000, 50059))
"""

import re

from serialfix.steps import Output, Unreadable

_RULER = re.compile(r"\s*-+\s+-+\s*")
_RANGE = re.compile(r"\s*(\d{1,5})\s+(\d{1,5})\s*\*?\s*")


def parse(output: Output) -> tuple[tuple[int, int], ...]:
    """The ranges, first and last port. Raises Unreadable unless there is a ruler and nothing but ranges below it."""
    if output.exit_code not in (0, None):
        raise Unreadable(f"netsh ended with {output.exit_code}")
    if output.partial:
        raise Unreadable("the answer was cut: it is larger than expected")
    lines = output.text.splitlines()
    rulers = [number for number, line in enumerate(lines) if _RULER.fullmatch(line)]
    if len(rulers) != 1:
        raise Unreadable("no list of excluded ports: the line of dashes is not there")
    found = []
    for line in lines[rulers[0] + 1 :]:
        if not line.strip() or line.lstrip().startswith("*"):
            continue
        match = _RANGE.fullmatch(line)
        if match is None or not int(match[1]) <= int(match[2]) <= 65535:
            raise Unreadable(f"a line that is no range of ports: {line.strip()[:60]!r}")
        found.append((int(match[1]), int(match[2])))
    return tuple(found)
