"""The network under ARM: interface, public address, security group with its rules. rdp-repair.md 7."""

from serialfix.simulator import network_resources as network
from serialfix.simulator import resources
from serialfix.simulator.arm_request import Refused, Reply, Request, act, document, must_exist, not_found, read
from serialfix.simulator.subscription import Subscription

KINDS = ("networkinterfaces", "publicipaddresses", "networksecuritygroups")


def answer(it: Subscription, request: Request, segments: list[str], low: tuple[str, ...]) -> Reply:
    """The reply for the path ``segments`` below Microsoft.Network; ``low`` is the same in lower case.

    Raises ``Refused``.
    """
    match low:
        case ("networkinterfaces",):
            return read(request, {"value": [network.nic(it)]})
        case ("networkinterfaces", name, *rest):
            must_exist(it, name, f"{it.vm}-nic", "Microsoft.Network/networkInterfaces", segments[1])
            if not rest:
                return read(request, network.nic(it))
            if rest == ["effectivenetworksecuritygroups"]:
                return act(request, Reply(200, network.effective_rules(it)))
        case ("publicipaddresses",):
            return read(request, {"value": [network.address(it)]})
        case ("publicipaddresses", name):
            must_exist(it, name, f"{it.vm}-ip", "Microsoft.Network/publicIPAddresses", segments[1])
            return read(request, network.address(it))
        case ("networksecuritygroups",):
            return read(request, {"value": [network.nsg(it)]})
        case ("networksecuritygroups", name, *rest):
            must_exist(it, name, f"{it.vm}-nsg", "Microsoft.Network/networkSecurityGroups", segments[1])
            return _security_group(it, request, segments[2:], tuple(rest))
    raise not_found(request)


def _security_group(it: Subscription, request: Request, segments: list[str], low: tuple[str, ...]) -> Reply:
    match low:
        case ():
            return read(request, network.nsg(it))
        case ("securityrules",):
            return read(request, {"value": [network.rule(it, *rule) for rule in it.rules.items()]})
        case ("securityrules", wanted):
            name = next((name for name in it.rules if name.casefold() == wanted), None)
            if request.method == "PUT":
                properties = document(request).get("properties")
                if not isinstance(properties, dict):
                    raise Refused(400, "InvalidRequestFormat", "Cannot parse the request.")
                it.rules[name or segments[1]] = properties
                return Reply(200 if name else 201, network.rule(it, name or segments[1], properties))
            if request.method == "DELETE":
                if name:
                    del it.rules[name]
                return Reply(200 if name else 204)
            if name is None:
                raise Refused(404, "NotFound", f"Resource {resources.nsg_id(it)}/{'/'.join(segments)} not found.")
            return read(request, network.rule(it, name, it.rules[name]))
    raise not_found(request)
