from serialfix.simulator import network_resources
from serialfix.simulator.subscription import Subscription


def test_the_security_group_lets_rdp_in() -> None:
    it = Subscription(3, "WEB01", "2022")
    rules = network_resources.effective_rules(it)["value"][0]["effectiveSecurityRules"]
    inbound = sorted((r["priority"], r["access"]) for r in rules if r["direction"] == "Inbound")
    rdp = [r for r in rules if r["destinationPortRange"] == "3389-3389"]
    assert [(r["access"], r["priority"]) for r in rdp] == [("Allow", inbound[0][0])]
    assert inbound[-1] == (65500, "Deny")
