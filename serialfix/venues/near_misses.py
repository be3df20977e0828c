"""What may have been meant by the name of a VM that is not there. Pure: the lists come from ``azure.py``."""

import difflib
from collections.abc import Sequence

MOST_LISTED = 10

Place = tuple[str, str]
"""(resource group, name) of a VM."""


def near_here(name: str, here: Sequence[Place]) -> str:
    """A question naming the VM of the same resource group that ``name`` is nearest to; "" where none is near.

    >>> near_here("wni1", [("rg1", "Win1"), ("rg1", "sql-prod")])
    'Did you mean Win1?'
    """
    names = {vm.lower(): vm for _, vm in here}
    for near in difflib.get_close_matches(name.lower(), list(names), n=1, cutoff=0.5):
        return f"Did you mean {names[near]}?"
    return ""


def near_elsewhere(resource_group: str, name: str, here: Sequence[Place], everywhere: Sequence[Place]) -> str:
    """The same where no name of the group is near: the VM in another group, another group, or what the group has.

    >>> near_elsewhere("rg1", "web1", [], [("prod-rg", "web1")])
    'There is a VM web1 in resource group prod-rg: did you mean that one?'
    >>> near_elsewhere("prod-gr", "other", [], [("prod-rg", "web1")])
    'Did you mean the resource group prod-rg?'
    """
    for group, vm in everywhere:
        if vm.lower() == name.lower():
            return f"There is a VM {vm} in resource group {group}: did you mean that one?"
    if here:
        listed = sorted(vm for _, vm in here)
        more = ", ..." if len(listed) > MOST_LISTED else ""
        return f"The VMs of {resource_group} are: {', '.join(listed[:MOST_LISTED])}{more}."
    groups = {group.lower(): group for group, _ in everywhere}
    for near in difflib.get_close_matches(resource_group.lower(), list(groups), n=1):
        return f"Did you mean the resource group {groups[near]}?"
    return ""
