"""The OS disk and its snapshots under ARM: the precondition of every repair (rdp-repair.md 2.0).

A snapshot PUT answers 202 and never 201 (test-beds.md, "azure-mgmt-compute"); the rest is common knowledge.
"""

from serialfix.simulator import resources
from serialfix.simulator.arm_request import Refused, Reply, Request, accepted, document, inside, must_exist, read
from serialfix.simulator.resources import Json
from serialfix.simulator.subscription import Snapshot, Subscription


def disk(it: Subscription, request: Request, name: str, now: float) -> Reply:
    """The one disk there is. Raises ``Refused``."""
    must_exist(it, name, f"{it.vm}_OsDisk_1", "Microsoft.Compute/disks", name)
    return read(request, resources.disk(it, now))


def all_snapshots(it: Subscription, request: Request, now: float) -> Reply:
    """The snapshots of the resource group. Raises ``Refused``."""
    return read(request, {"value": [resources.snapshot(it, one, now) for one in it.snapshots.values()]})


def snapshot(it: Subscription, base: str, request: Request, name: str, now: float) -> Reply:
    """One snapshot: GET, PUT and DELETE. Raises ``Refused``."""
    there = it.snapshots.get(name.casefold())
    if request.method == "PUT":
        wanted = document(request)
        made = Snapshot(name, it.note("make snapshot", now), _incremental(it, wanted), _tags(wanted))
        it.snapshots[name.casefold()] = made
        return accepted(it, base, made.made, resources.snapshot(it, made, now))
    if request.method == "DELETE":
        if there is None:
            return Reply(204)
        del it.snapshots[name.casefold()]
        return accepted(it, base, it.note("delete snapshot", now))
    must_exist(it, name, there.name if there else None, "Microsoft.Compute/snapshots", name)
    assert there is not None  # noqa: S101 - must_exist has refused
    return read(request, resources.snapshot(it, there, now))


def _incremental(it: Subscription, wanted: Json) -> bool:
    """Check what is to be copied from where. Raises ``Refused``."""
    location = str(wanted.get("location", "")).replace(" ", "").casefold()
    if location != it.location:
        raise Refused(400, "InvalidParameter", f"The snapshot must be in the location of its source, '{it.location}'.")
    if inside(wanted, "properties", "creationData", "createOption") != "Copy":
        raise Refused(400, "InvalidParameter", "The parameter 'creationData.createOption' is not 'Copy'.")
    source = inside(wanted, "properties", "creationData", "sourceResourceId")
    if not isinstance(source, str) or source.casefold() != resources.disk_id(it).casefold():
        raise Refused(404, "ResourceNotFound", f"The source of the snapshot, '{source}', was not found.")
    return inside(wanted, "properties", "incremental") is True


def _tags(wanted: Json) -> dict[str, str]:
    tags = wanted.get("tags")
    return {str(name): str(value) for name, value in tags.items()} if isinstance(tags, dict) else {}
