from typing import Any

import pytest

from serialfix.simulator import resources

from .test_arm import JSON, NOW, ask, code, make

SNAPSHOTS = "{group}/providers/Microsoft.Compute/snapshots"


def wanted(it: Any, **changes: Any) -> dict[str, Any]:
    data = {"createOption": "Copy", "sourceResourceId": resources.disk_id(it).upper(), **changes}
    return {"location": it.location, "tags": {"by": "me"}, "properties": {"creationData": data, "incremental": True}}


def test_a_snapshot_is_made_over_time_and_deleted() -> None:
    arm = make(lasts=2.0)
    reply = ask(arm, f"{SNAPSHOTS}/before", "PUT", headers=JSON, body=wanted(arm.it))
    assert reply.status == 202
    assert "Azure-AsyncOperation" in reply.headers
    for now, state in ((NOW + 1, "Updating"), (NOW + 2, "Succeeded")):
        body = ask(arm, f"{SNAPSHOTS}/BEFORE", now=now).body
        assert body is not None
        assert (body["name"], body["properties"]["provisioningState"]) == ("before", state)
        assert ask(arm, SNAPSHOTS, now=now).body == {"value": [body]}
    assert body is not None
    assert body["tags"] == {"by": "me"}
    assert body["properties"]["incremental"] is True
    # It is no operation on the VM: that can be stopped meanwhile.
    assert arm.it.current(NOW + 1) is None
    assert ask(arm, f"{SNAPSHOTS}/before", "DELETE").status == 202
    assert code(ask(arm, f"{SNAPSHOTS}/before")) == "ResourceNotFound"
    assert ask(arm, f"{SNAPSHOTS}/before", "DELETE").status == 204


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({"sourceResourceId": "/other"}, "ResourceNotFound"), ({"createOption": "Empty"}, "InvalidParameter")],
)
def test_only_the_disk_that_is_there_can_be_copied(changes: dict[str, str], expected: str) -> None:
    arm = make()
    assert code(ask(arm, f"{SNAPSHOTS}/x", "PUT", headers=JSON, body=wanted(arm.it, **changes))) == expected
    elsewhere = wanted(arm.it) | {"location": "mars"}
    assert code(ask(arm, f"{SNAPSHOTS}/x", "PUT", headers=JSON, body=elsewhere)) == "InvalidParameter"
    assert arm.it.snapshots == {}


def test_the_disk() -> None:
    arm = make()
    disk = ask(arm, "{group}/providers/Microsoft.Compute/disks/web01_osdisk_1").body
    assert disk is not None
    assert disk["id"] == resources.disk_id(arm.it)
    assert code(ask(arm, "{group}/providers/Microsoft.Compute/disks/other")) == "ResourceNotFound"
