"""The JSON bodies of the simulated Azure resources, in the shape ARM gives them.

VM and instance view: azure-serial-console.md 6 (recordings) and 8.2 (what ``az`` needs: bootDiagnostics enabled, no
``storageUri``, an array of statuses); the rest of the shapes is common knowledge, from the public REST reference.
"""

from datetime import UTC, datetime
from typing import Any

from serialfix.simulator.subscription import Snapshot, Subscription

Json = dict[str, Any]

# Image sku, product name, build.
_WINDOWS = {
    "2016": ("2016-datacenter-gensecond", "Windows Server 2016 Datacenter", "10.0.14393.0"),
    "2019": ("2019-datacenter-gensecond", "Windows Server 2019 Datacenter", "10.0.17763.0"),
    "2022": ("2022-datacenter-g2", "Windows Server 2022 Datacenter", "10.0.20348.0"),
    "2025": ("2025-datacenter-g2", "Windows Server 2025 Datacenter", "10.0.26100.0"),
}

_DISPLAY = {
    "running": "VM running",
    "stopped": "VM stopped",
    "deallocated": "VM deallocated",
    "starting": "VM starting",
    "stopping": "VM stopping",
    "deallocating": "VM deallocating",
}


def timestamp(now: float) -> str:
    """Seconds since 1970 as ARM writes a time."""
    return datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds")


def group_id(it: Subscription) -> str:
    """The id of the resource group."""
    return f"/subscriptions/{it.id}/resourceGroups/{it.group}"


def resource_id(it: Subscription, kind: str, name: str) -> str:
    """The id of a resource: ``kind`` is for instance ``Microsoft.Network/networkInterfaces``."""
    return f"{group_id(it)}/providers/{kind}/{name}"


def vm_id(it: Subscription) -> str:
    """The id of the VM."""
    return resource_id(it, "Microsoft.Compute/virtualMachines", it.vm)


def nic_id(it: Subscription) -> str:
    """The id of the VM's network interface."""
    return resource_id(it, "Microsoft.Network/networkInterfaces", f"{it.vm}-nic")


def address_id(it: Subscription) -> str:
    """The id of the public IP address."""
    return resource_id(it, "Microsoft.Network/publicIPAddresses", f"{it.vm}-ip")


def nsg_id(it: Subscription) -> str:
    """The id of the network security group."""
    return resource_id(it, "Microsoft.Network/networkSecurityGroups", f"{it.vm}-nsg")


def subnet_id(it: Subscription) -> str:
    """The id of the subnet."""
    return resource_id(it, "Microsoft.Network/virtualNetworks", f"{it.group}-vnet/subnets/default")


def disk_id(it: Subscription) -> str:
    """The id of the OS disk."""
    return resource_id(it, "Microsoft.Compute/disks", f"{it.vm}_OsDisk_1")


def subscription(it: Subscription) -> Json:
    """GET of the subscription."""
    return {
        "id": f"/subscriptions/{it.id}",
        "subscriptionId": it.id,
        "tenantId": it.tenant,
        "displayName": "serialfix simulator",
        "state": "Enabled",
        "subscriptionPolicies": {"quotaId": "PayAsYouGo_2014-09-01", "spendingLimit": "Off"},
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
    }


def tenant(it: Subscription) -> Json:
    """One entry of GET /tenants."""
    return {"id": f"/tenants/{it.tenant}", "tenantId": it.tenant, "displayName": "serialfix simulator"}


def group(it: Subscription) -> Json:
    """GET of the resource group."""
    return {
        "id": group_id(it),
        "name": it.group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": it.location,
        "properties": {"provisioningState": "Succeeded"},
    }


def vm(it: Subscription, now: float, *, with_view: bool = False) -> Json:
    """GET of the VM, with ``with_view`` as after ``$expand=instanceView``."""
    sku, _, _ = _WINDOWS[it.windows]
    power = it.power(now)
    properties: Json = {
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "provisioningState": "Updating" if it.current(now) else "Succeeded",
        "vmId": it.vm_id,
        "storageProfile": {
            "imageReference": {
                "publisher": "MicrosoftWindowsServer",
                "offer": "WindowsServer",
                "sku": sku,
                "version": "latest",
                "exactVersion": f"{_WINDOWS[it.windows][2].removeprefix('10.0.').removesuffix('.0')}.4297.230411",
            },
            "osDisk": {
                "osType": "Windows",
                "name": f"{it.vm}_OsDisk_1",
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "managedDisk": {"storageAccountType": "Premium_LRS", "id": disk_id(it)},
                "deleteOption": "Delete",
                "diskSizeGB": 127,
            },
            "dataDisks": [],
            "diskControllerType": "SCSI",
        },
        "osProfile": {
            "computerName": it.vm,
            "adminUsername": it.user,
            "windowsConfiguration": {
                "provisionVMAgent": True,
                "enableAutomaticUpdates": True,
                "patchSettings": {"patchMode": "AutomaticByOS", "assessmentMode": "ImageDefault"},
            },
            "secrets": [],
            "allowExtensionOperations": True,
            "requireGuestProvisionSignal": True,
        },
        "networkProfile": {"networkInterfaces": [{"id": nic_id(it), "properties": {"primary": True}}]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": it.boot_diagnostics}},
        "timeCreated": "2025-03-04T09:12:44.1234567+00:00",
    }
    if with_view:
        properties["instanceView"] = instance_view(it, now)
    body: Json = {
        "name": it.vm,
        "id": vm_id(it),
        "type": "Microsoft.Compute/virtualMachines",
        "location": it.location,
        "properties": properties,
        "etag": f'"{int(power == "running") + 1}"',
    }
    if it.tags:
        body["tags"] = dict(it.tags)
    return body


def instance_view(it: Subscription, now: float) -> Json:
    """GET of the VM's instance view. Names of a VM without power are absent, as recorded."""
    _, product, build = _WINDOWS[it.windows]
    power, on = it.power(now), it.power(now) == "running"
    agent_status = {
        "code": "ProvisioningState/succeeded" if on else "ProvisioningState/Unavailable",
        "level": "Info" if on else "Warning",
        "displayStatus": "Ready" if on else "Not Ready",
        "message": "GuestAgent is running and processing the extensions."
        if on
        else "VM status blob is found but not yet populated.",
        "time": timestamp(now),
    }
    provisioning = (
        {"code": "ProvisioningState/updating", "level": "Info", "displayStatus": "Updating"}
        if it.current(now)
        else {
            "code": "ProvisioningState/succeeded",
            "level": "Info",
            "displayStatus": "Provisioning succeeded",
            "time": timestamp(now),
        }
    )
    view: Json = {
        "vmAgent": {
            "vmAgentVersion": "2.7.41491.1172" if on else "Unknown",
            "statuses": [agent_status],
            "extensionHandlers": [],
        },
        "disks": [{"name": f"{it.vm}_OsDisk_1", "statuses": [provisioning]}],
        "hyperVGeneration": "V2",
        "statuses": [
            provisioning,
            {"code": f"PowerState/{power}", "level": "Info", "displayStatus": _DISPLAY[power]},
        ],
    }
    if it.boot_diagnostics:
        view["bootDiagnostics"] = {}
    if on:
        view |= {"computerName": it.vm, "osName": product, "osVersion": f"Microsoft Windows NT {build}"}
    return view


def disk(it: Subscription, now: float) -> Json:
    """GET of the OS disk."""
    attached = it.power(now) != "deallocated"
    return {
        "name": f"{it.vm}_OsDisk_1",
        "id": disk_id(it),
        "type": "Microsoft.Compute/disks",
        "location": it.location,
        "managedBy": vm_id(it),
        "sku": {"name": "Premium_LRS", "tier": "Premium"},
        "properties": {
            "osType": "Windows",
            "hyperVGeneration": "V2",
            "creationData": {"createOption": "FromImage"},
            "diskSizeGB": 127,
            "diskState": "Attached" if attached else "Reserved",
            "encryption": {"type": "EncryptionAtRestWithPlatformKey"},
            "networkAccessPolicy": "AllowAll",
            "provisioningState": "Succeeded",
        },
    }


def snapshot(it: Subscription, one: Snapshot, now: float) -> Json:
    """GET of a snapshot."""
    done = now >= one.made.ends
    return {
        "name": one.name,
        "id": resource_id(it, "Microsoft.Compute/snapshots", one.name),
        "type": "Microsoft.Compute/snapshots",
        "location": it.location,
        "tags": dict(one.tags),
        "sku": {"name": "Standard_LRS", "tier": "Standard"},
        "properties": {
            "osType": "Windows",
            "hyperVGeneration": "V2",
            "creationData": {"createOption": "Copy", "sourceResourceId": disk_id(it)},
            "diskSizeGB": 127,
            "diskState": "Unattached",
            "incremental": one.incremental,
            "timeCreated": timestamp(one.made.began),
            "completionPercent": 100.0 if done else 0.0,
            "provisioningState": "Succeeded" if done else "Updating",
        },
    }


def serial_port(it: Subscription, *, connected: bool) -> Json:
    """GET of serial port 0."""
    return {
        "name": "0",
        "id": f"{vm_id(it)}/providers/Microsoft.SerialConsole/serialPorts/0",
        "type": "Microsoft.SerialConsole/serialPorts",
        "properties": {
            "state": "enabled" if it.port_enabled else "disabled",
            "connectionState": "active" if connected else "inactive",
        },
    }


def provider() -> Json:
    """GET of the provider Microsoft.SerialConsole, which may need registration (azure-serial-console.md 5)."""
    versions = ["2024-07-01", "2023-01-01", "2018-05-01"]
    return {
        "namespace": "Microsoft.SerialConsole",
        "registrationState": "Registered",
        "registrationPolicy": "RegistrationRequired",
        "resourceTypes": [
            {"resourceType": kind, "locations": [], "apiVersions": versions}
            for kind in ("consoleServices", "serialPorts", "operations")
        ],
    }


def operation(it: Subscription, name: str, now: float) -> Json:
    """The state of a long-running operation. Raises ``KeyError`` for one that never was."""
    found = it.operations[name]
    over = it.over(found, now)
    body: Json = {
        "name": found.id,
        "startTime": timestamp(found.began),
        "status": "Succeeded" if over else "InProgress",
    }
    if over:
        body["endTime"] = timestamp(found.ends)
    return body


def metadata(base: str) -> Json:
    """What ``az cloud register --endpoint-resource-manager`` asks a cloud for, with nothing that leads elsewhere."""
    return {
        "name": "serialfix-simulator",
        "authentication": {
            "loginEndpoint": base,
            "audiences": ["https://management.azure.com/"],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "resourceManager": base,
        "portal": base,
        "graph": base,
        "graphAudience": base,
        "gallery": base,
        "batch": base,
        "media": base,
        "sqlManagement": base,
        "vmImageAliasDoc": base,
        "activeDirectoryDataLake": base,
        "microsoftGraphResourceId": base,
        "suffixes": {},
    }
