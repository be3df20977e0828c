from .test_arm import JSON, ask, make


def test_security_rules_can_be_made_and_taken_away() -> None:
    arm = make()
    rules = "{group}/providers/Microsoft.Network/networkSecurityGroups/web01-NSG/securityRules"
    before = ask(arm, rules).body
    rule = {"properties": {"priority": 200, "access": "Deny", "direction": "Inbound", "protocol": "Tcp"}}
    assert ask(arm, rules + "/DenyAll", "PUT", headers=JSON, body=rule).status == 201
    assert ask(arm, rules + "/denyall", "PUT", headers=JSON, body=rule).status == 200
    assert ask(arm, rules).body != before
    assert ask(arm, rules + "/denyAll", "DELETE").status == 200
    assert ask(arm, rules + "/denyAll", "DELETE").status == 204
    assert ask(arm, rules).body == before


def test_the_three_resources_are_found_and_listed() -> None:
    arm = make()
    for kind, suffix in (("networkInterfaces", "nic"), ("publicIPAddresses", "ip"), ("networkSecurityGroups", "nsg")):
        listed = ask(arm, f"{{group}}/providers/Microsoft.Network/{kind}").body
        assert listed is not None
        one = ask(arm, f"{{group}}/providers/Microsoft.Network/{kind}/WEB01-{suffix}").body
        assert listed["value"] == [one]
        assert ask(arm, f"{{group}}/providers/Microsoft.Network/{kind}/other").status == 404
        assert ask(arm, f"{{group}}/providers/Microsoft.Network/{kind}/WEB01-{suffix}", "DELETE").status == 405
