"""Azure's refusals: each row of azure-serial-console.md 1.6(b) finds its advice, and none loses the service's words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.venues.arm_errors import KNOWN, SIGN_IN, UNREACHED, Target, TryAgain, not_reached, read_body, refused

TARGET = Target("sub-1", "rg-1", "vm-1")


def body(code: str, message: str) -> str:
    return json.dumps({"error": {"code": code, "message": message}})


# (status, code, message, a word of the advice, worth another attempt). Messages: azure-serial-console.md 1.6(b).
ROWS = [
    (
        403,
        "AuthorizationFailed",
        "The client 'x' with object id 'y' does not have authorization to perform action "
        "'Microsoft.SerialConsole/serialPorts/connect/action' over scope 'z'",
        "az role assignment create",
        False,
    ),
    (403, "", "You do not have the required permissions to use this VM serial console", "az role assignment", False),
    (
        403,
        "DenyAssignmentAuthorizationFailed",
        "The client '' with object id '' has permission to perform action 'Microsoft.SerialConsole/serialPorts/connect"
        "/action' on scope 'x'; however, the access is denied because of the deny assignment with name 'y'",
        "denyAssignments",
        False,
    ),
    (
        404,
        "Not Found",
        "Unable to retrieve boot diagnostics settings for 'vm-1'. To use serial console, ensure that boot diagnostics "
        "is enabled for this VM.",
        "az vm boot-diagnostics enable --resource-group rg-1 --name vm-1",
        False,
    ),
    (400, "Bad Request", "Boot diagnostics settings for 'vm-1' is disabled", "az vm boot-diagnostics enable", False),
    (
        400,
        "",
        "The VM power state is deallocated. Azure Serial Console will not function when the VM is deallocated",
        "az vm start --resource-group rg-1 --name vm-1",
        False,
    ),
    (
        400,
        "",
        "Provisioning for this VM has not yet succeeded. Please ensure the VM is fully deployed and retry the serial "
        "console connection.",
        "az vm show",
        False,
    ),
    (
        400,
        "",
        "The storage account 'sa' used for boot diagnostics on this VM could not be found.",
        "az vm boot-diagnostics enable",
        False,
    ),
    (
        403,
        "",
        "A 'Forbidden' response was encountered when accessing this VM's boot diagnostic storage account.",
        "az vm boot-diagnostics enable",
        False,
    ),
    (429, "ERR_BAD_REQUEST", "Request failed with status code 429", "az vm boot-diagnostics enable", True),
    (429, "TooManyRequests", "slow down", "Wait", True),
    (
        409,
        "Conflict",
        "Specified feature is not yet supported for hierarchical namespace accounts. RequestId:1 Time:2",
        "az vm boot-diagnostics enable",
        False,
    ),
    (409, "ERR_BAD_REQUEST", "Request failed with status 409", "az lock list", False),
    (409, "ScopeLocked", "The scope is locked", "az lock list", False),
    (
        400,
        "",
        "Azure Serial Console is not enabled for this subscription, contact your subscription administrator to enable.",
        "az serial-console enable",
        False,
    ),
    (
        500,
        "",
        "Sorry, the serial console was unable to connect to the VM because the service did not respond in a timely "
        "manner. Please retry your connection.",
        "az vm restart",
        True,
    ),
    (
        409,
        "Conflict",
        "Another connection is currently in progress to this VM. Please wait and retry the request.",
        "Wait a minute",
        True,
    ),
    (401, "InvalidAuthenticationTokenTenant", "wrong issuer", "az login --tenant", False),
    (401, "ExpiredAuthenticationToken", "expired", "az login", False),
    (404, "SubscriptionNotFound", "The subscription 'x' could not be found.", "az account list", False),
    (404, "ResourceGroupNotFound", "Resource group 'x' could not be found.", "az vm list", False),
    (404, "ResourceNotFound", "The Resource 'x' under resource group 'y' was not found.", "az vm list", False),
    (409, "MissingSubscriptionRegistration", "not registered", "az provider register", False),
    (415, "UnsupportedMediaType", "no Content-Type", "proxy", False),
    (503, "ServiceUnavailable", "busy", "status.azure.com", True),
]


@pytest.mark.parametrize(("status", "code", "message", "advice", "again"), ROWS)
def test_known_refusals(status: int, code: str, message: str, advice: str, again: bool) -> None:
    error = refused("connect", status, body(code, message), TARGET)
    assert advice in error.advice
    assert error.why
    assert message in error.what
    assert (error.status, error.code) == (status, code)
    assert isinstance(error, TryAgain) is again


def test_every_row_of_the_table_is_reached() -> None:
    reached = {refused("connect", status, body(code, message), TARGET).why for status, code, message, _, _ in ROWS}
    assert {row.why for row in KNOWN} - reached == set()


@given(st.integers(300, 499), st.text(max_size=60), st.text(max_size=300))
def test_no_refusal_loses_its_words(status: int, code: str, message: str) -> None:
    error = refused("connect", status, body(code, message), TARGET)
    assert " ".join(message.split()) in error.what
    assert str(status) in error.what
    assert error.code == code


@given(st.one_of(st.text(), st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps)))
def test_any_body_can_be_read(text: str) -> None:
    code, message = read_body(text)
    assert len(message) < 2_100
    refused("connect", 400, text, TARGET)
    assert isinstance(code, str)


@given(st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_advice_survives_any_name(subscription: str, group: str, vm: str) -> None:
    for row in (*KNOWN, *SIGN_IN, *UNREACHED):
        assert "{" not in row.advice.format(vm="", group="", subscription="", scope="")
    error = refused("connect", 400, body("", "power state is deallocated"), Target(subscription, group, vm))
    assert not set("$`&|;<>%^\n\r") & set(error.advice)


@pytest.mark.parametrize(
    ("message", "advice", "again"),
    [
        ("Cannot connect to host x:443 ssl:True [SSLCertVerificationError: (1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
         "certificate verify failed')]", "authority", False),
        ("Cannot connect to host x:443 ssl:default [Name or service not known]", "HTTPS_PROXY", True),
        ("Cannot connect to host x:443 ssl:default [Connect call failed ('192.0.2.1', 443)]", "HTTPS_PROXY", True),
        ("Connection timeout to host https://x", "443", True),
        ("Server disconnected", "again", True),
        ("something never seen", "", True),
    ],
)  # fmt: skip
def test_unreached(message: str, advice: str, again: bool) -> None:
    error = not_reached("ARM", message, TARGET)
    assert advice in error.advice
    assert message in error.what
    assert isinstance(error, TryAgain) is again


def test_a_simulator_that_ended_is_named() -> None:
    assert "serialfix simulate" in not_reached("ARM", "refused", TARGET, simulated=True).advice
