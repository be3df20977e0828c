import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.arm import Arm
from serialfix.simulator.arm_request import Reply, Request
from serialfix.simulator.subscription import Subscription
from serialfix.simulator.tokens import Tokens

NOW = 1_795_000_000.0
JSON = {"content-type": "application/json"}


def make(seed: int = 5, **changes: Any) -> Arm:
    it = Subscription(seed, "WEB01", "2022", **changes)
    return Arm(it, Tokens(it.tenant), "https://127.0.0.1:1", lambda: "wss://127.0.0.1:1/x/client")


def ask(
    arm: Arm,
    path: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    body: Any = None,
    now: float = NOW,
) -> Reply:
    path = path.format(
        sub=f"/subscriptions/{arm.it.id}", group=f"/subscriptions/{arm.it.id}/resourceGroups/{arm.it.group}"
    )
    sent = {"authorization": f"Bearer {arm.tokens.issue('u', NOW)}", **(headers or {})}
    data = b"" if body is None else json.dumps(body).encode()
    return arm.answer(Request(method, path, query or {"api-version": "2024-07-01"}, sent, data), now)


VM = "{group}/providers/Microsoft.Compute/virtualMachines/WEB01"
PORT = VM + "/providers/Microsoft.SerialConsole/serialPorts/0"
CONNECT = PORT + "/connect"
NSG = "{group}/providers/Microsoft.Network/networkSecurityGroups/WEB01-nsg"
WORDS = ["subscriptions", "resourceGroups", "providers", "Microsoft.Compute", "virtualMachines", "WEB01"]
WORDS += ["Microsoft.SerialConsole", "serialPorts", "0", "connect", "start", "securityRules", "RDP", "operations"]
WORDS += ["consoleServices", "default", "enableConsole", "tenants", "locations", "instanceView", "networkInterfaces"]


def code(reply: Reply) -> str:
    assert reply.body is not None
    assert set(reply.body) == {"error"}
    assert reply.body["error"]["message"]
    found: str = reply.body["error"]["code"]
    return found


@given(st.data())
def test_paths_match_whatever_their_case_and_encoding(data: st.DataObject) -> None:
    arm = make()
    path = CONNECT.format(group=f"/subscriptions/{arm.it.id}/resourceGroups/{arm.it.group}")
    flips = data.draw(st.lists(st.booleans(), min_size=len(path), max_size=len(path)))
    mixed = "".join(letter.swapcase() if flip else letter for letter, flip in zip(path, flips, strict=True))
    at = data.draw(st.integers(path.index("/providers"), len(path)))
    encoded = mixed[:at] + quote(mixed[at:], safe="")
    assert ask(arm, encoded, "POST", headers=JSON).status == 200


@given(
    st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "BREW"]),
    st.sampled_from(["", "{sub}", "{group}", VM, PORT, NSG, "{sub}/providers/Microsoft.SerialConsole"]),
    st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=6)), max_size=6),
    st.binary(max_size=30),
    st.booleans(),
)
def test_no_request_gets_anything_but_a_reply(
    method: str, start: str, parts: list[str], body: bytes, is_json: bool
) -> None:
    arm = make()
    group = f"/subscriptions/{arm.it.id}/resourceGroups/{arm.it.group}"
    path = start.format(sub=f"/subscriptions/{arm.it.id}", group=group) + "/" + "/".join(parts)
    headers = {"authorization": f"Bearer {arm.tokens.issue('u', NOW)}", **(JSON if is_json else {})}
    reply = arm.answer(Request(method, path, {"api-version": "2024-07-01"}, headers, body), NOW)
    if reply.status >= 400:
        code(reply)
    else:
        json.dumps(reply.body)


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/subscriptions/00000000-0000-0000-0000-000000000000", 404, "SubscriptionNotFound"),
        ("{sub}/resourceGroups/other/providers/Microsoft.Compute/virtualMachines/x", 404, "ResourceGroupNotFound"),
        ("{group}/providers/Microsoft.Compute/virtualMachines/other", 404, "ResourceNotFound"),
        ("{group}/providers/Microsoft.Compute/virtualMachineScaleSets/vmss1", 404, "ResourceNotFound"),
        (
            "{group}/providers/Microsoft.Compute/virtualMachineScaleSets/vmss1%2FvirtualMachines%2F0/providers/"
            "Microsoft.SerialConsole/serialPorts/0/connect",
            404,
            "ParentResourceNotFound",
        ),
        ("{group}/providers/Microsoft.Compute/toasters/x", 400, "InvalidResourceType"),
        ("{group}/providers/Contoso.Toast/toasters/x", 404, "InvalidResourceNamespace"),
        (VM + "/providers/Microsoft.SerialConsole/serialPorts/1", 404, "ResourceNotFound"),
        (VM + "/dance", 404, "NotFound"),
        (CONNECT, 405, "HttpMethodNotAllowed"),
        ("/", 404, "NotFound"),
    ],
)
def test_errors_are_arms_own(path: str, status: int, expected: str) -> None:
    reply = ask(make(), path)
    assert (reply.status, code(reply)) == (status, expected)


def test_the_vm_that_is_not_there_is_named_as_arm_names_it() -> None:
    arm = make()
    reply = ask(arm, "{group}/providers/Microsoft.Compute/virtualMachines/NoSuch1")
    assert reply.body is not None
    assert reply.body["error"]["message"] == (
        "The Resource 'Microsoft.Compute/virtualMachines/NoSuch1' under resource group "
        f"'{arm.it.group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )


def test_the_api_version_is_wanted() -> None:
    assert code(ask(make(), VM, query={"x": ""})) == "MissingApiVersionParameter"
    assert code(ask(make(), VM, query={"api-version": "latest"})) == "InvalidApiVersionParameter"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", "AuthenticationFailed"),
        ("Basic eA==", "AuthenticationFailed"),
        ("Bearer x.y.z", "InvalidAuthenticationToken"),
    ],
)
@pytest.mark.parametrize("path", [VM, CONNECT, "/", "/subscriptions", "/nothing"])
def test_nothing_is_told_without_a_token(path: str, header: str, expected: str) -> None:
    reply = ask(make(), path, headers={"authorization": header})
    assert (reply.status, code(reply)) == (401, expected)
    assert reply.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def test_an_expired_token_is_told_so() -> None:
    assert code(ask(make(), VM, now=NOW + 3600)) == "ExpiredAuthenticationToken"


def test_the_console_can_be_switched_off_for_the_subscription() -> None:
    statuses = set()
    for seed in range(30):
        arm = make(seed)
        service = "{sub}/providers/Microsoft.SerialConsole/consoleServices/default"
        assert ask(arm, service + "/disableConsole", "POST", headers=JSON).body == {"properties": {"disabled": True}}
        assert ask(arm, service).body == {"properties": {"disabled": True}}
        reply = ask(arm, CONNECT, "POST", headers=JSON)
        assert reply.body is not None
        assert "not enabled for this subscription" in reply.body["error"]["message"]
        statuses.add(reply.status)
        assert ask(arm, service + "/enableConsole", "POST", headers=JSON).body == {"properties": {"disabled": False}}
        assert ask(arm, CONNECT, "POST", headers=JSON).status == 200
    assert len(statuses) > 1
