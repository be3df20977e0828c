"""ARM through the real SDKs: against the simulator, and against stand-ins for what a simulator does not do wrong."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError

from serialfix.errors import AzureError, Bug, UsageError
from serialfix.venues.arm_errors import TryAgain
from serialfix.venues.azure import PUBLIC, Azure, SimulatedCredential, real_credential
from serialfix.venues.cloud import Cloud
from serialfix.venues.simulated import Simulated
from serialfix.venues.websocket import check_url
from tests.venues.conftest import Start
from tests.venues.leaks import everything_shown
from tests.venues.standins import Pem, https_server

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
TOKEN = "canary-9d2c41b0"
PASSWORD = "canary-password-77"
VM_PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.Compute/virtualMachines"
NET_PATH = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/net/providers/Microsoft.Network"

Answer = tuple[int, Any]


def vm_body(**changes: Any) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "vmId": "11111111-2222-4333-8444-555555555555",
        "hardwareProfile": {"vmSize": "Standard_D2s_v5"},
        "storageProfile": {"osDisk": {"osType": "Windows", "createOption": "FromImage"}},
        "osProfile": {"computerName": "WIN1"},
        "networkProfile": {
            "networkInterfaces": [
                {"id": f"{NET_PATH}/networkInterfaces/second", "properties": {"primary": False}},
                {"id": f"{NET_PATH}/networkInterfaces/first", "properties": {"primary": True}},
            ]
        },
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
        "provisioningState": "Succeeded",
        "instanceView": {
            "computerName": "WIN1",
            "osName": "Windows Server 2022 Datacenter",
            "vmAgent": {"statuses": [{"code": "ProvisioningState/succeeded", "displayStatus": "Ready"}]},
            "statuses": [
                {"code": "ProvisioningState/succeeded", "displayStatus": "Provisioning succeeded"},
                {"code": "PowerState/running", "displayStatus": "VM running"},
            ],
        },
    }
    properties.update(changes)
    return {"id": f"{VM_PATH}/win1", "name": "win1", "location": "westeurope", "properties": properties}


def interface(*configurations: tuple[str, str | None]) -> dict[str, Any]:
    return {
        "properties": {
            "ipConfigurations": [
                {
                    "properties": {
                        "privateIPAddress": private,
                        "primary": number == 0,
                        **({"publicIPAddress": {"id": f"{NET_PATH}/publicIPAddresses/{public}"}} if public else {}),
                    }
                }
                for number, (private, public) in enumerate(configurations)
            ]
        }
    }


@dataclass
class Arm:
    """A stand-in for ARM: answers by path, remembers what was asked."""

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    logins: int = 0
    retry_after: int = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.method, request.path, {k.lower(): v for k, v in request.headers.items()}))
        if request.path.endswith("/oauth2/v2.0/token"):
            self.logins += 1
        said = next(
            (found for path, found in self.answers.items() if path.lower() == request.path.lower()),
            (404, {"error": {"code": "ResourceNotFound", "message": f"nothing at {request.path}"}}),
        )
        if isinstance(said, list):
            said = said.pop(0) if len(said) > 1 else said[0]
        status, body = said
        headers = {"Retry-After": str(self.retry_after)} if status == 429 else {}
        if isinstance(body, str):
            return web.Response(status=status, text=body, content_type="text/html")
        return web.json_response(body, status=status, headers=headers)

    def count(self, end: str) -> int:
        return sum(path.lower().endswith(end.lower()) for _, path, _ in self.asked)


def announced(port: int, pem: Pem) -> Simulated:
    cloud = Cloud(
        "simulated",
        f"https://127.0.0.1:{port}",
        "https://management.azure.com/.default",
        "127.0.0.1",
        ca=str(pem.certificate),
    )
    return Simulated(cloud, SUBSCRIPTION, "rg1", "win1", "127.0.0.1", 3389, "tenant1", "user1", PASSWORD)


@asynccontextmanager
async def stand_in(pem: Pem, **answers: Answer | list[Answer]) -> AsyncIterator[tuple[Arm, Azure]]:
    arm = Arm({"/tenant1/oauth2/v2.0/token": (200, {"access_token": TOKEN, "expires_in": 3600})})
    for name, answer in answers.items():
        arm.answers[{"vm": f"{VM_PATH}/win1", "vms": VM_PATH}.get(name, name)] = answer
    async with https_server(pem, arm.answer) as port:
        simulated = announced(port, pem)
        async with Azure(simulated.cloud, SimulatedCredential(simulated), SUBSCRIPTION) as azure:
            yield arm, azure


async def test_facts_of_a_vm(pem: Pem) -> None:
    async with stand_in(pem, vm=(200, vm_body())) as (arm, azure):
        arm.answers[f"{NET_PATH}/networkInterfaces/first"] = (200, interface(("10.0.0.4", "ip1"), ("10.0.0.5", None)))
        arm.answers[f"{NET_PATH}/networkInterfaces/second"] = (200, interface(("10.0.1.4", None)))
        arm.answers[f"{NET_PATH}/publicIPAddresses/ip1"] = (200, {"properties": {"ipAddress": "203.0.113.9"}})
        vm = await azure.vm_facts("rg1", "win1")
    assert vm.name == "win1"
    assert vm.resource_group == "rg1"
    assert vm.power == "running"
    assert vm.agent == "Ready"
    assert vm.provisioning == "Succeeded"
    assert vm.size == "Standard_D2s_v5"
    assert vm.computer_name == "WIN1"
    assert vm.windows
    assert vm.boot_diagnostics
    assert vm.public_addresses == ("203.0.113.9",)
    assert vm.private_addresses == ("10.0.0.4", "10.0.0.5", "10.0.1.4")
    assert vm.addresses_note == ""
    assert json.loads(json.dumps(vm.as_dict()))["public_addresses"] == ["203.0.113.9"]
    assert arm.logins == 1


async def test_an_unreadable_interface_is_a_reason_and_no_error(pem: Pem) -> None:
    denied = (403, {"error": {"code": "AuthorizationFailed", "message": "no read"}})
    async with stand_in(pem, vm=(200, vm_body())) as (arm, azure):
        arm.answers[f"{NET_PATH}/networkInterfaces/first"] = denied
        arm.answers[f"{NET_PATH}/networkInterfaces/second"] = (200, interface(("10.0.1.4", "ip1")))
        arm.answers[f"{NET_PATH}/publicIPAddresses/ip1"] = denied
        vm = await azure.vm_facts("rg1", "win1")
    assert vm.public_addresses == ()
    assert vm.private_addresses == ("10.0.1.4",)
    assert "first" in vm.addresses_note
    assert "AuthorizationFailed" in vm.addresses_note


async def test_a_vm_without_anything_is_still_a_vm(pem: Pem) -> None:
    bare = {"id": f"{VM_PATH}/win1", "name": "win1", "location": "x", "properties": {}}
    async with stand_in(pem, vm=(200, bare)) as (_, azure):
        vm = await azure.vm_facts("rg1", "win1")
    assert vm.power == vm.agent == vm.os_type == vm.computer_name == ""
    assert not vm.boot_diagnostics
    assert not vm.windows
    assert "no network interface" in vm.addresses_note


async def test_connect_sends_what_the_service_needs(pem: Pem) -> None:
    path = f"{VM_PATH}/win1/providers/Microsoft.SerialConsole/serialPorts/0/connect"
    async with stand_in(pem, vm=(200, vm_body(networkProfile=None))) as (arm, azure):
        arm.answers[path] = (200, {"connectionString": "wss://127.0.0.1:1/n/x/client"})
        vm = await azure.vm_facts("rg1", "win1")
        assert await azure.connect_serial(vm) == "wss://127.0.0.1:1/n/x/client"
    method, _, headers = arm.asked[-1]
    assert method == "POST"
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == f"Bearer {TOKEN}"


async def test_connect_without_an_address(pem: Pem) -> None:
    path = f"{VM_PATH}/win1/providers/Microsoft.SerialConsole/serialPorts/0/connect"
    async with stand_in(pem, vm=(200, vm_body(networkProfile=None))) as (arm, azure):
        arm.answers[path] = (200, {})
        vm = await azure.vm_facts("rg1", "win1")
        with pytest.raises(TryAgain):
            await azure.connect_serial(vm)


async def test_an_unregistered_provider_is_not_registered_unasked(pem: Pem) -> None:
    path = f"{VM_PATH}/win1/providers/Microsoft.SerialConsole/serialPorts/0/connect"
    message = (
        "The subscription is not registered to use namespace 'Microsoft.SerialConsole'. "
        "See https://aka.ms/rps-not-found for how to register subscriptions."
    )
    async with stand_in(pem, vm=(200, vm_body(networkProfile=None))) as (arm, azure):
        arm.answers[path] = (409, {"error": {"code": "MissingSubscriptionRegistration", "message": message}})
        vm = await azure.vm_facts("rg1", "win1")
        with pytest.raises(AzureError, match="MissingSubscriptionRegistration") as caught:
            await azure.connect_serial(vm)
    assert "az provider register" in caught.value.advice
    assert arm.count("/register") == 0


async def test_a_misspelt_name_is_answered_with_the_nearest(pem: Pem) -> None:
    listed = {"value": [{"id": f"{VM_PATH}/{name}", "name": name, "location": "x"} for name in ("Win1", "sql-prod")]}
    async with stand_in(pem, vms=(200, listed)) as (_, azure):
        with pytest.raises(AzureError, match="404 ResourceNotFound") as caught:
            await azure.vm_facts("rg1", "wni1")
    assert "Did you mean Win1?" in caught.value.advice
    assert caught.value.status == 404


async def test_a_vm_of_another_group_is_found(pem: Pem) -> None:
    everywhere = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/virtualMachines"
    listed = {"value": [{"id": f"{VM_PATH.replace('rg1', 'prod-rg')}/web1", "name": "web1", "location": "x"}]}
    async with stand_in(pem, vms=(200, {"value": []})) as (arm, azure):
        arm.answers[everywhere] = (200, listed)
        with pytest.raises(AzureError) as caught:
            await azure.vm_facts("rg1", "web1")
        assert "web1 in resource group prod-rg" in caught.value.advice
        with pytest.raises(AzureError) as caught:
            await azure.vm_facts("prod-gr", "other")
        assert "Did you mean the resource group prod-rg?" in caught.value.advice


async def test_an_unknown_refusal_keeps_the_services_words(pem: Pem) -> None:
    async with stand_in(pem, vm=(418, {"error": {"code": "Teapot", "message": "short and stout"}})) as (_, azure):
        with pytest.raises(AzureError, match=r"418 Teapot.*short and stout") as caught:
            await azure.vm_facts("rg1", "win1")
    assert (caught.value.code, caught.value.status) == ("Teapot", 418)


@pytest.mark.parametrize("body", ["<html>Sign in to the hotel's network</html>", "{", "[]", '"x"', "null", '{"a": 1}'])
async def test_what_is_not_arm_is_said_so(pem: Pem, body: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.path.endswith("/token"):
            return web.json_response({"access_token": TOKEN})
        return web.Response(text=body, content_type="application/json")

    async with https_server(pem, handler) as port:
        simulated = announced(port, pem)
        async with Azure(simulated.cloud, SimulatedCredential(simulated), SUBSCRIPTION) as azure:
            try:
                vm = await azure.vm_facts("rg1", "win1")
            except AzureError as problem:
                assert problem.why  # noqa: PT017
            else:
                assert body == '{"a": 1}'
                assert vm.name == "win1"
                assert vm.power == ""


async def test_a_server_fault_is_tried_again_and_then_told(pem: Pem) -> None:
    busy = (503, {"error": {"code": "ServiceUnavailable", "message": "busy"}})
    async with stand_in(pem, vm=[busy, (200, vm_body(networkProfile=None))]) as (arm, azure):
        assert (await azure.vm_facts("rg1", "win1")).name == "win1"
        arm.answers[f"{VM_PATH}/win1"] = busy
        began = time.monotonic()
        with pytest.raises(TryAgain, match="503"):
            await azure.vm_facts("rg1", "win1")
    assert time.monotonic() - began < 5


async def test_nobody_waits_for_an_hour_in_silence(pem: Pem) -> None:
    busy = (429, {"error": {"code": "TooManyRequests", "message": "slow down"}})
    async with stand_in(pem, vm=busy) as (arm, azure):
        arm.retry_after = 3600
        began = time.monotonic()
        with pytest.raises(TryAgain, match="429") as caught:
            await azure.vm_facts("rg1", "win1")
    assert time.monotonic() - began < 5
    assert caught.value.after == 3600
    assert "3600 s" in caught.value.advice


async def test_a_simulator_that_is_gone(pem: Pem) -> None:
    simulated = announced(9, pem)
    async with Azure(simulated.cloud, SimulatedCredential(simulated), SUBSCRIPTION) as azure:
        began = time.monotonic()
        with pytest.raises(AzureError) as caught:
            await azure.vm_facts("rg1", "win1")
        assert time.monotonic() - began < 5
    assert "serialfix simulate" in caught.value.advice
    assert PASSWORD not in everything_shown(caught.value)


async def test_arm_that_vanishes_after_the_sign_in(pem: Pem) -> None:
    async with stand_in(pem) as (_, azure):
        await azure.token()
        gone = Azure(replace(azure.cloud, arm="https://127.0.0.1:9"), _credential(9, pem), SUBSCRIPTION)
        gone._credential._tokens.update(azure._credential._tokens)
        async with gone:
            with pytest.raises(AzureError, match="could not be reached") as caught:
                await gone.vm_facts("rg1", "win1")
    assert TOKEN not in everything_shown(caught.value)


def _credential(port: int, pem: Pem) -> SimulatedCredential:
    return SimulatedCredential(announced(port, pem))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, {"error": "invalid_grant", "error_description": "wrong password"}), "invalid_grant"),
        ((200, {"token": "?"}), "no token"),
        ((200, "<html>"), "no token"),
        ((500, "<html>"), "HTTP 500"),
    ],
)
async def test_a_login_that_fails(pem: Pem, answer: Answer, words: str) -> None:
    async with stand_in(pem) as (arm, azure):
        arm.answers["/tenant1/oauth2/v2.0/token"] = answer
        with pytest.raises(AzureError, match=words) as caught:
            await azure.vm_facts("rg1", "win1")
    assert PASSWORD not in everything_shown(caught.value)


async def test_a_token_is_kept_until_five_minutes_before_its_end(pem: Pem) -> None:
    async with stand_in(pem) as (arm, azure):
        logins: list[Answer] = [
            (200, {"access_token": "short", "expires_in": 299}),
            (200, {"access_token": "long", "expires_in": 3600}),
        ]
        arm.answers["/tenant1/oauth2/v2.0/token"] = logins
        assert await azure.token() == "short"
        assert await azure.token() == "long"
        assert tuple(await asyncio.gather(azure.token(), azure.token())) == ("long", "long")
        assert arm.logins == 2
        azure.forget_token()
        await azure.token()
        assert arm.logins == 3


class Stranger:
    """A credential that is not the simulator's, and must never be asked by one."""

    def __init__(self, problem: Exception | None = None) -> None:
        self.problem = problem
        self.asked = 0

    async def get_token(self, *_: str, **__: Any) -> AccessToken:
        self.asked += 1
        if self.problem is not None:
            raise self.problem
        return AccessToken(TOKEN, int(time.time()) + 3600)

    async def close(self) -> None:
        pass

    async def __aenter__(self) -> "Stranger":
        return self

    async def __aexit__(self, *_: object) -> None:
        pass


def test_a_real_credential_and_a_simulated_cloud_never_meet(pem: Pem) -> None:
    simulated = announced(8443, pem)
    with pytest.raises(Bug):
        Azure(simulated.cloud, Stranger(), SUBSCRIPTION)
    with pytest.raises(Bug):
        Azure(PUBLIC, SimulatedCredential(simulated), SUBSCRIPTION)
    with pytest.raises(Bug):
        Azure(simulated.cloud, SimulatedCredential(announced(8444, pem)), SUBSCRIPTION)
    with pytest.raises(Bug):
        real_credential(simulated.cloud)


def test_what_cannot_be_a_subscription_is_the_users_mistake() -> None:
    with pytest.raises(UsageError, match="no subscription"):
        real_credential(PUBLIC, "a;b$(c)")


async def test_a_real_credential_is_closed_by_its_user() -> None:
    async with real_credential(PUBLIC, SUBSCRIPTION) as credential:
        assert hasattr(credential, "get_token")


@pytest.mark.parametrize(
    ("problem", "advice"),
    [
        (CredentialUnavailableError(message="Please run 'az login' to set up an account"), "az login"),
        (ClientAuthenticationError(message="AADSTS700082: The refresh token has expired."), "az login"),
        (ClientAuthenticationError(message="AADSTS50076: you must use multi-factor"), "az login --scope"),
        (ClientAuthenticationError(message="something new"), "az login"),
    ],
)
async def test_not_being_signed_in_says_how_to(problem: Exception, advice: str) -> None:
    async with Azure(PUBLIC, Stranger(problem), SUBSCRIPTION) as azure:
        with pytest.raises(AzureError, match="No token could be had") as caught:
            await azure.vm_facts("rg1", "win1")
    assert advice in caught.value.advice
    assert caught.value.__context__ is None


async def test_neither_log_nor_error_holds_a_token(pem: Pem, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("azure", "azure.core.pipeline.policies.http_logging_policy", "aiohttp", "msal"):
        caplog.set_level(logging.DEBUG, logger=name)
    shown = []
    for answer in [
        (401, {"error": {"code": "ExpiredAuthenticationToken", "message": "expired"}}),
        (403, {"error": {"code": "AuthorizationFailed", "message": "no"}}),
        (200, "<html>"),
        (200, {"properties": []}),
    ]:
        async with stand_in(pem, vm=answer) as (_, azure):
            with pytest.raises(AzureError) as caught:
                await azure.vm_facts("rg1", "win1")
            shown += [everything_shown(caught.value), repr(azure), repr(azure._credential)]
    assert TOKEN not in "\n".join(shown)
    assert TOKEN not in caplog.text
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(announced(1, pem))


@pytest.mark.usefixtures("dead_proxy")
async def test_loopback_goes_past_the_proxy(pem: Pem) -> None:
    async with stand_in(pem, vm=(200, vm_body(networkProfile=None))) as (_, azure):
        assert (await azure.vm_facts("rg1", "win1")).name == "win1"


async def test_the_simulator_is_an_azure(simulator: Start) -> None:
    simulated = await asyncio.to_thread(simulator, "--seed", "7")
    async with Azure(simulated.cloud, SimulatedCredential(simulated), simulated.subscription) as azure:
        vm = await azure.vm_facts(simulated.resource_group, simulated.vm)
        url = await azure.connect_serial(vm)
        with pytest.raises(AzureError, match="404") as caught:
            await azure.vm_facts(simulated.resource_group, simulated.vm + "x")
    assert vm.windows
    assert vm.power == "running"
    assert vm.boot_diagnostics
    assert vm.public_addresses == ("127.0.0.1",)
    assert vm.addresses_note == ""
    assert check_url(url, simulated.cloud.gateway_suffix) == "127.0.0.1"
    assert f"Did you mean {simulated.vm}?" in caught.value.advice


async def test_the_simulator_refuses_a_stale_login(simulator: Start, tmp_path: Path) -> None:
    simulated = await asyncio.to_thread(simulator)
    stale = replace(simulated, password="from yesterday")
    async with Azure(stale.cloud, SimulatedCredential(stale), stale.subscription) as azure:
        with pytest.raises(AzureError, match="invalid_grant") as caught:
            await azure.vm_facts(stale.resource_group, stale.vm)
    assert "serialfix simulate" in caught.value.advice
