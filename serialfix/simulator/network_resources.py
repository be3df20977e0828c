"""The JSON bodies of the simulated network: interface, public address, security group and the rules in force.

rdp-repair.md 7 for what is asked of them; the shapes are common knowledge, from the public REST reference.
"""

from serialfix.simulator import resources
from serialfix.simulator.resources import Json
from serialfix.simulator.subscription import Subscription


def nic(it: Subscription) -> Json:
    """GET of the network interface."""
    return {
        "name": f"{it.vm}-nic",
        "id": resources.nic_id(it),
        "type": "Microsoft.Network/networkInterfaces",
        "location": it.location,
        "properties": {
            "provisioningState": "Succeeded",
            "primary": True,
            "macAddress": "00-0D-3A-12-34-56",
            "enableAcceleratedNetworking": False,
            "enableIPForwarding": False,
            "virtualMachine": {"id": resources.vm_id(it)},
            "networkSecurityGroup": {"id": resources.nsg_id(it)},
            "dnsSettings": {"dnsServers": [], "appliedDnsServers": []},
            "ipConfigurations": [
                {
                    "name": "ipconfig1",
                    "id": f"{resources.nic_id(it)}/ipConfigurations/ipconfig1",
                    "properties": {
                        "provisioningState": "Succeeded",
                        "primary": True,
                        "privateIPAddress": "10.0.0.4",
                        "privateIPAddressVersion": "IPv4",
                        "privateIPAllocationMethod": "Dynamic",
                        "publicIPAddress": {"id": resources.address_id(it)},
                        "subnet": {"id": resources.subnet_id(it)},
                    },
                }
            ],
        },
    }


def address(it: Subscription) -> Json:
    """GET of the public IP address: loopback, where the simulated RDP port is."""
    return {
        "name": f"{it.vm}-ip",
        "id": resources.address_id(it),
        "type": "Microsoft.Network/publicIPAddresses",
        "location": it.location,
        "sku": {"name": "Standard", "tier": "Regional"},
        "properties": {
            "provisioningState": "Succeeded",
            "ipAddress": "127.0.0.1",
            "publicIPAddressVersion": "IPv4",
            "publicIPAllocationMethod": "Static",
            "idleTimeoutInMinutes": 4,
            "ipConfiguration": {"id": f"{resources.nic_id(it)}/ipConfigurations/ipconfig1"},
        },
    }


def rule(it: Subscription, name: str, properties: Json, kind: str = "securityRules") -> Json:
    """One security rule."""
    return {
        "name": name,
        "id": f"{resources.nsg_id(it)}/{kind}/{name}",
        "type": f"Microsoft.Network/networkSecurityGroups/{kind}",
        "properties": {"provisioningState": "Succeeded", **properties},
    }


def _default(priority: int, direction: str, access: str, source: str, destination: str) -> Json:
    return {
        "protocol": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "*",
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": destination,
        "access": access,
        "priority": priority,
        "direction": direction,
    }


DEFAULT_RULES = {
    "AllowVnetInBound": _default(65000, "Inbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    "AllowAzureLoadBalancerInBound": _default(65001, "Inbound", "Allow", "AzureLoadBalancer", "*"),
    "DenyAllInBound": _default(65500, "Inbound", "Deny", "*", "*"),
    "AllowVnetOutBound": _default(65000, "Outbound", "Allow", "VirtualNetwork", "VirtualNetwork"),
    "AllowInternetOutBound": _default(65001, "Outbound", "Allow", "*", "Internet"),
    "DenyAllOutBound": _default(65500, "Outbound", "Deny", "*", "*"),
}


def nsg(it: Subscription) -> Json:
    """GET of the network security group."""
    return {
        "name": f"{it.vm}-nsg",
        "id": resources.nsg_id(it),
        "type": "Microsoft.Network/networkSecurityGroups",
        "location": it.location,
        "properties": {
            "provisioningState": "Succeeded",
            "securityRules": [rule(it, name, properties) for name, properties in it.rules.items()],
            "defaultSecurityRules": [
                rule(it, name, properties, "defaultSecurityRules") for name, properties in DEFAULT_RULES.items()
            ],
            "networkInterfaces": [{"id": resources.nic_id(it)}],
        },
    }


def effective_rules(it: Subscription) -> Json:
    """The rules in force at the network interface (rdp-repair.md 7)."""
    return {
        "value": [
            {
                "networkSecurityGroup": {"id": resources.nsg_id(it)},
                "association": {"networkInterface": {"id": resources.nic_id(it)}},
                "effectiveSecurityRules": [
                    {
                        "name": f"{kind}/{name}",
                        "protocol": "All" if properties.get("protocol") == "*" else properties.get("protocol"),
                        "sourcePortRange": "0-65535",
                        "destinationPortRange": _range(str(properties.get("destinationPortRange", "*"))),
                        "sourceAddressPrefix": _prefix(str(properties.get("sourceAddressPrefix", "*"))),
                        "destinationAddressPrefix": _prefix(str(properties.get("destinationAddressPrefix", "*"))),
                        "access": properties.get("access"),
                        "priority": properties.get("priority"),
                        "direction": properties.get("direction"),
                    }
                    for kind, rules in (("securityRules", it.rules), ("defaultSecurityRules", DEFAULT_RULES))
                    for name, properties in rules.items()
                ],
            }
        ]
    }


def _range(port: str) -> str:
    return "0-65535" if port == "*" else port if "-" in port else f"{port}-{port}"


def _prefix(address: str) -> str:
    return "0.0.0.0/0" if address == "*" else address
