"""What the service control manager does when a service ends unexpectedly: ``FailureActions`` in its key.

The value: seconds until the count starts anew, two pointers, the number of actions, a pointer, then type and delay in
milliseconds of each (type 1 restarts the service). Common knowledge.
"""

import struct

NONE, RESTART, REBOOT, RUN = 0, 1, 2, 3
NAMES = {NONE: "", RESTART: "RESTART", REBOOT: "REBOOT", RUN: "RUN PROCESS"}


def pack(reset: int, actions: list[tuple[int, int]]) -> bytes:
    """Return the value's bytes; ``actions``: (type, milliseconds)."""
    return struct.pack("<5I", reset, 0, 0, len(actions), 0x14) + b"".join(struct.pack("<2I", *each) for each in actions)


def unpack(data: object) -> tuple[int, list[tuple[int, int]]]:
    """Read the value; anything that is none means no actions."""
    if not isinstance(data, bytes) or len(data) < 20:
        return 0, []
    reset, _, _, count, _ = struct.unpack("<5I", data[:20])
    found = [struct.unpack("<2I", data[at : at + 8]) for at in range(20, min(len(data) - 7, 20 + 8 * count), 8)]
    return reset, [(int(kind), int(delay)) for kind, delay in found]
