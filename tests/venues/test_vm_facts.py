"""What stands in the way of a VM's serial console."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.venues.vm_facts import VmFacts, obstacles, shell_word

HEALTHY = VmFacts(
    id="/subscriptions/s/resourceGroups/rg1/providers/Microsoft.Compute/virtualMachines/win1",
    name="win1",
    subscription="s",
    resource_group="rg1",
    location="westeurope",
    vm_id="v",
    os_type="Windows",
    os_name="Windows Server 2022 Datacenter",
    power="running",
    provisioning="Succeeded",
    agent="Ready",
    boot_diagnostics=True,
    public_addresses=("203.0.113.9",),
    private_addresses=("10.0.0.4",),
    size="Standard_D2s_v5",
    computer_name="WIN1",
)


def test_nothing_is_in_the_way_of_a_healthy_vm() -> None:
    assert obstacles(HEALTHY) == []
    assert obstacles(replace(HEALTHY, provisioning="Failed", agent="Not Ready", public_addresses=())) == []


@pytest.mark.parametrize(
    ("vm", "code", "advice"),
    [
        (replace(HEALTHY, power="deallocated"), "NotRunning", "az vm start --resource-group rg1 --name win1"),
        (replace(HEALTHY, power="stopped"), "NotRunning", "az vm start"),
        (replace(HEALTHY, power="starting"), "NotRunning", "az vm get-instance-view"),
        (replace(HEALTHY, power=""), "NotRunning", "az vm get-instance-view"),
        (replace(HEALTHY, os_type="Linux"), "NotWindows", "az serial-console connect"),
        (replace(HEALTHY, os_type="", os_name="Ubuntu 24.04"), "NotWindows", "az serial-console connect"),
        (replace(HEALTHY, provisioning="Creating"), "NotProvisioned", "az vm wait"),
        (replace(HEALTHY, boot_diagnostics=False), "BootDiagnosticsOff", "az vm boot-diagnostics enable"),
    ],
)
def test_each_obstacle(vm: VmFacts, code: str, advice: str) -> None:
    (only,) = obstacles(vm)
    assert only.code == code
    assert advice in only.advice
    assert only.why


def test_all_obstacles_are_told_together() -> None:
    worst = replace(HEALTHY, os_type="Linux", power="deallocated", provisioning="Creating", boot_diagnostics=False)
    assert len(obstacles(worst)) == 4


def test_windows_is_known_by_its_name_where_the_disk_does_not_say() -> None:
    assert replace(HEALTHY, os_type="").windows
    assert not replace(HEALTHY, os_type="", os_name="").windows


def test_facts_go_through_json() -> None:
    told: dict[str, Any] = json.loads(json.dumps(HEALTHY.as_dict()))
    assert list(told) == [one.name for one in fields(VmFacts)]
    restored: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in told.items()}
    assert VmFacts(**restored) == HEALTHY


@given(st.text())
def test_a_name_in_a_command_is_one_harmless_word(name: str) -> None:
    word = shell_word(name)
    inner = word[1:-1] if word.startswith('"') else word
    assert word
    assert all(letter.isalnum() or letter in "-_.()" for letter in inner)


@pytest.mark.parametrize("name", ["win1", "My-VM_2.prod"])
def test_a_usual_name_stays_as_it_is(name: str) -> None:
    assert shell_word(name) == name


def test_parentheses_are_quoted() -> None:
    assert shell_word("rg(prod)") == '"rg(prod)"'
