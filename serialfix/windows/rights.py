r"""``whoami /groups``: whether the shell is elevated.

Source: rdp-repair.md C12: the integrity level's SID, high or system, says so in every language.

>>> elevated(Output("Mandatory Label\\High Mandatory Level Label S-1-16-12288\n", 0, "screen"))
True
"""

import re

from serialfix.steps import Output, Unreadable


def elevated(output: Output) -> bool:
    """Read ``whoami /groups``. Raises Unreadable where no integrity level is in it."""
    levels = [int(level) for level in re.findall(r"S-1-16-(\d{1,6})\b", output.text)]
    if not levels:
        raise Unreadable("whoami /groups shows no integrity level")
    return max(levels) >= 12288
