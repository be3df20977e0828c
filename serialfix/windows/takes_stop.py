r"""``sc queryex``: whether a service takes a stop now.

Source: output-formats.md "sc query": the words in brackets are English in every language, and a stopped service has no
such line. Captured on Server 2019:

>>> parse(Output('''
... SERVICE_NAME: gpsvc
...         TYPE               : 30  WIN32
...         STATE              : 4  RUNNING
...                                 (NOT_STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
...         WIN32_EXIT_CODE    : 0  (0x0)
...         PID                : 1040
... ''', 0, "screen"))
False
"""

import re

from serialfix.steps import Output, Unreadable
from serialfix.windows import services

_FLAGS = re.compile(r"\s*\((?P<stop>STOPPABLE|NOT_STOPPABLE), ?(?:NOT_)?PAUSABLE, ?[A-Z_]+\)\s*")


def parse(output: Output) -> bool:
    """Read ``sc queryex NAME``. Raises Unreadable for a service that does not run, or without its flags."""
    service = services.parse_one(output)
    found = [match for line in output.text.splitlines() if (match := _FLAGS.fullmatch(line))]
    if service.state == "stopped" or len(found) != 1:
        raise Unreadable(f"sc does not say whether {service.name} takes a stop; it is {service}")
    return found[0]["stop"] == "STOPPABLE"
