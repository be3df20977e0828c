import json
import re

import pytest

from serialfix.simulator import network_resources, resources
from serialfix.simulator.subscription import Subscription

NOW = 1_795_000_000.0


@pytest.mark.parametrize("windows", ["2016", "2019", "2022", "2025"])
def test_the_vm_has_what_az_looks_at(windows: str) -> None:
    it = Subscription(3, "WEB01", windows)
    body = resources.vm(it, NOW, with_view=True)["properties"]
    assert body["diagnosticsProfile"] == {"bootDiagnostics": {"enabled": True}}  # no storageUri
    assert "windows" in body["storageProfile"]["imageReference"]["offer"].lower()
    view = body["instanceView"]
    assert windows in view["osName"]
    assert view["bootDiagnostics"] == {}
    states = [status for status in view["statuses"] if status["code"].startswith("PowerState/")]
    assert states == [{"code": "PowerState/running", "level": "Info", "displayStatus": "VM running"}]


def test_the_recorded_states() -> None:
    it = Subscription(3, "WEB01", "2019", lasts=2.0)
    it.begin("deallocate", NOW)
    during, after = (resources.instance_view(it, NOW + seconds) for seconds in (1, 3))
    assert {s["displayStatus"] for s in during["statuses"]} == {"Updating", "VM deallocating"}
    assert after["statuses"][-1] == {
        "code": "PowerState/deallocated",
        "level": "Info",
        "displayStatus": "VM deallocated",
    }
    assert "osName" not in after
    it.boot_diagnostics = False
    assert "bootDiagnostics" not in resources.instance_view(it, NOW)


def test_ids_of_bodies_lead_to_each_other() -> None:
    it = Subscription(3, "WEB01", "2022")
    everything = [
        resources.vm(it, NOW, with_view=True),
        network_resources.nic(it),
        network_resources.nsg(it),
        network_resources.address(it),
        resources.disk(it, NOW),
        resources.group(it),
        resources.subscription(it),
    ]
    known = {body["id"] for body in everything}
    named = set(re.findall(r'"(/subscriptions/[^"]+)"', json.dumps(everything)))
    inner = {name for name in named if re.search(r"Rules/|/ipConfigurations/|/subnets/", name)}
    assert named - inner <= known
