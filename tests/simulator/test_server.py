import asyncio
import os
import socket
import ssl
import struct
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.identity.aio import ClientSecretCredential
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.network.aio import NetworkManagementClient
from azure.mgmt.serialconsole.aio import MicrosoftSerialConsoleClient

from serialfix.simulator import faults, knobs, x224
from serialfix.simulator.baseline import SCHANNEL
from serialfix.simulator.line import Line
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.server import Options, PortInUse, Running, serving
from serialfix.simulator.vm import Vm

from .standins import EchoLine, Simulated, StandInVm, read_until, simulated
from .test_x224 import request as rdp_request

SCOPES = ["https://management.azure.com/.default"]


class Credential:
    """The token of the simulator, as the SDKs want it."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self.token, 2**33)

    async def close(self) -> None: ...

    async def __aenter__(self) -> "Credential":
        return self

    async def __aexit__(self, *error: object) -> None: ...


class ContentType(SansIOHTTPPolicy[Any, Any]):
    """The header that the serial console SDK leaves out."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.http_request.headers.setdefault("Content-Type", "application/json")


@asynccontextmanager
async def sdk(kind: Callable[..., Any], it: Simulated, token: str = "", **more: Any) -> AsyncIterator[Any]:
    announced = it.running.announcement
    client = kind(
        Credential(token or it.token),
        announced.subscription,
        base_url=announced.arm,
        credential_scopes=SCOPES,
        connection_verify=announced.ca,
        use_env_settings=False,
        polling_interval=0,
        retry_total=0,
        **more,
    )
    async with client:
        yield client


async def test_compute() -> None:
    async with simulated() as it, sdk(ComputeManagementClient, it) as client:
        group, name = it.running.announcement.resource_group, it.running.announcement.vm
        vm = await client.virtual_machines.get(group, name, expand="instanceView")
        assert vm.name == name
        assert vm.instance_view.os_name == "Windows Server 2022 Datacenter"
        assert [s.code for s in vm.instance_view.statuses][-1] == "PowerState/running"
        assert vm.diagnostics_profile.boot_diagnostics.enabled
        assert vm.diagnostics_profile.boot_diagnostics.storage_uri is None
        plain = await client.virtual_machines.get(group.upper(), name.lower())
        assert plain.instance_view is None
        view = await client.virtual_machines.instance_view(group, name)
        assert view.computer_name == name
        assert [each.name async for each in client.virtual_machines.list(group)] == [name]
        assert [each.name async for each in client.virtual_machines.list_all()] == [name]
        disk = await client.disks.get(group, vm.storage_profile.os_disk.name)
        assert disk.id == vm.storage_profile.os_disk.managed_disk.id
        source = {"location": vm.location, "properties": {"creationData": {"createOption": "Copy"}}}
        source["properties"]["creationData"]["sourceResourceId"] = disk.id
        made = await (await client.snapshots.begin_create_or_update(group, "before", source)).result()
        assert (made.name, made.provisioning_state) == ("before", "Succeeded")
        assert [each.name async for each in client.snapshots.list_by_resource_group(group)] == ["before"]
        await (await client.snapshots.begin_delete(group, "before")).result()
        with pytest.raises(ResourceNotFoundError) as refused:
            await client.virtual_machines.get(group, "nosuch1")
        assert refused.value.error is not None
        assert refused.value.error.code == "ResourceNotFound"


async def test_power_is_a_long_running_operation_that_the_vm_and_its_port_feel() -> None:
    async with simulated(lasts=0.3) as it, sdk(ComputeManagementClient, it) as client:
        group, name = it.running.announcement.resource_group, it.running.announcement.vm
        console = await it.console()
        await read_until(console, "press ENTER")

        async def power() -> str:
            view = await client.virtual_machines.instance_view(group, name)
            return cast(str, view.statuses[-1].code)

        poller = await client.virtual_machines.begin_deallocate(group, name)
        assert await power() == "PowerState/deallocating"
        while (await console.receive(timeout=5)).type == aiohttp.WSMsgType.TEXT:
            pass
        assert console.closed
        await poller.result()
        assert await power() == "PowerState/deallocated"
        await it.running.rdp.follow()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", it.running.rdp.port)
        await (await client.virtual_machines.begin_start(group, name)).result()
        assert await power() == "PowerState/running"
        assert it.line.powers == ["off", "on"]


async def test_network() -> None:
    async with simulated() as it, sdk(NetworkManagementClient, it) as client:
        group = it.running.announcement.resource_group
        (nic,) = [each async for each in client.network_interfaces.list(group)]
        nic = await client.network_interfaces.get(group, nic.name)
        address = await client.public_ip_addresses.get(
            group, nic.ip_configurations[0].public_ip_address.id.split("/")[-1]
        )
        assert address.ip_address == "127.0.0.1"
        nsg = await client.network_security_groups.get(group, nic.network_security_group.id.split("/")[-1])
        assert [(rule.destination_port_range, rule.access) for rule in nsg.security_rules] == [("3389", "Allow")]
        assert len(nsg.default_security_rules) == 6
        poller = await client.network_interfaces.begin_list_effective_network_security_groups(group, nic.name)
        effective = await poller.result()
        assert len(effective.value[0].effective_security_rules) == 7
        rule = {"properties": {**{"priority": 100, "access": "Deny", "direction": "Inbound", "protocol": "*"}}}
        made = await (await client.security_rules.begin_create_or_update(group, nsg.name, "Deny", rule)).result()
        assert (made.name, made.access) == ("Deny", "Deny")
        await (await client.security_rules.begin_delete(group, nsg.name, "Deny")).result()
        assert len((await client.network_security_groups.get(group, nsg.name)).security_rules) == 1


async def test_serial_console() -> None:
    async with (
        simulated() as it,
        sdk(MicrosoftSerialConsoleClient, it, per_call_policies=[ContentType()]) as client,
    ):
        where = (it.running.announcement.resource_group, "Microsoft.Compute", "virtualMachines", it.vm.name)
        answer = await client.serial_ports.connect(*where, "0")
        assert answer.connection_string.startswith("wss://127.0.0.1:")
        port = await client.serial_ports.get(*where, "0")
        assert port.properties.state == "enabled"
        assert port.properties.connection_state == "inactive"
        console = await it.console()
        await read_until(console, "press ENTER")
        assert (await client.serial_ports.get(*where, "0")).properties.connection_state == "active"
        assert [each.name for each in (await client.serial_ports.list(*where)).value] == ["0"]
        assert (await client.get_console_status("default")).properties.disabled is False
        assert (await client.disable_console("default")).properties.disabled is True
        with pytest.raises(HttpResponseError, match="not enabled for this subscription"):
            await client.serial_ports.connect(*where, "0")
        assert (await client.enable_console("default")).properties.disabled is False
        assert len((await client.list_operations()).value) == 4


async def test_the_serial_console_sdk_without_the_header_is_refused() -> None:
    async with simulated() as it, sdk(MicrosoftSerialConsoleClient, it) as client:
        where = (it.running.announcement.resource_group, "Microsoft.Compute", "virtualMachines", it.vm.name)
        with pytest.raises(HttpResponseError) as refused:
            await client.serial_ports.connect(*where, "0")
        assert refused.value.status_code in {400, 415}


# azure-identity leaves a connection to the collector, and newer Pythons (seen on 3.13) say so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_azure_identity_signs_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with simulated() as it:
        announced = it.running.announcement
        credential = ClientSecretCredential(
            announced.tenant,
            announced.user,
            announced.password,
            authority=announced.arm,
            disable_instance_discovery=True,
            connection_verify=announced.ca,
            use_env_settings=False,
        )
        async with credential:
            token = await credential.get_token(*SCOPES)
        async with sdk(ComputeManagementClient, it, token.token) as client:
            assert (await client.virtual_machines.get(announced.resource_group, announced.vm)).name == it.vm.name


async def test_a_token_of_somebody_else_is_refused() -> None:
    async with simulated() as it, sdk(ComputeManagementClient, it, "a.b.c") as client:
        with pytest.raises(HttpResponseError) as refused:
            await client.virtual_machines.get("x", "y")
        assert refused.value.status_code == 401
        assert refused.value.error is not None
        assert refused.value.error.code == "InvalidAuthenticationToken"


async def test_the_token_endpoint() -> None:
    async with simulated() as it:
        announced = it.running.announcement
        good = {"grant_type": "password", "username": announced.user, "password": announced.password}
        for tenant, form, status, error in (
            (announced.tenant, good, 200, None),
            ("organizations", good, 200, None),
            ("contoso", good, 400, "invalid_request"),
            (announced.tenant, {**good, "password": "wrong"}, 400, "invalid_grant"),
            (announced.tenant, {}, 400, "unsupported_grant_type"),
        ):
            async with it.http.post(f"{announced.arm}/{tenant}/oauth2/v2.0/token", data=form) as response:
                body = await response.json()
                assert (response.status, body.get("error")) == (status, error)
                assert bool(body.get("error_description")) is (status != 200)
                assert announced.password not in await response.text()
        url = f"{announced.arm}/{announced.tenant}/oauth2/v2.0/token"
        login = "Basic " + b64encode(f"{announced.user}:{announced.password}".encode()).decode()
        async with it.http.post(url, data={"grant_type": "client_credentials"}, headers={"Authorization": login}) as r:
            assert r.status == 200


async def test_an_unknown_ca_is_not_trusted_and_that_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async with simulated() as it, aiohttp.ClientSession() as stranger:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await stranger.get(it.running.announcement.arm)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(it.running.announcement.arm.rpartition(":")[2]))
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        with suppress(ConnectionResetError):
            await asyncio.wait_for(reader.read(), 5)
        writer.close()
        await read_until(await it.console(), "press ENTER")
        assert [record for record in caplog.records if record.levelname in {"ERROR", "CRITICAL"}] == []


def looked_at(ca: Path) -> None:
    assert b"BEGIN CERTIFICATE" in ca.read_bytes()
    assert b"PRIVATE" not in ca.read_bytes()
    assert os.listdir(ca.parent) == ["ca.pem"]
    if sys.platform != "win32":
        assert (ca.stat().st_mode & 0o777, ca.parent.stat().st_mode & 0o777) == (0o600, 0o700)


async def test_the_ca_file_is_private_and_goes_with_the_simulator() -> None:
    async with simulated() as it:
        ca = it.running.announcement.ca
        looked_at(Path(ca))
    assert not os.path.exists(os.path.dirname(ca))  # noqa: ASYNC240


async def test_a_port_in_use_is_refused_before_anything_is_served() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortInUse, match=f"port {port} .* in use"):
            async with serving(StandInVm(), EchoLine(), Options(port=port)):
                pass
    async with serving(StandInVm(), EchoLine(), Options(port=port)) as running:
        assert running.announcement.arm == f"https://127.0.0.1:{port}"


async def test_everything_listens_on_loopback_only() -> None:
    own = socket.gethostbyname(socket.gethostname())
    async with simulated() as it:
        for port in (int(it.running.announcement.arm.rpartition(":")[2]), it.running.rdp.port):
            for address in {own, "127.0.0.2"} - {"127.0.0.1"}:
                with pytest.raises(OSError, match=r"(?i)refused|unreach|Multiple|Connect call failed"):
                    await asyncio.open_connection(address, port)


async def test_the_rdp_port_shows_the_installed_certificate_and_tells_the_vm() -> None:
    def connect(port: int) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(rdp_request(11))
            assert struct.unpack("<I", connection.recv(19, socket.MSG_WAITALL)[-4:]) == (x224.HYBRID_EX,)
            with context.wrap_socket(connection) as tls:
                return tls.getpeercert(True) or b""

    async with simulated() as it:
        assert it.running.announcement.rdp == f"127.0.0.1:{it.running.rdp.port}"
        der = await asyncio.to_thread(connect, it.running.rdp.port)
        assert ssl.DER_cert_to_PEM_cert(der).strip() == it.vm.port.certificate_pem.decode().strip()
        # The client may be through with TLS before the server is.
        assert await asyncio.wait_for(it.vm.attempts.get(), 5) is False


async def test_az_finds_the_endpoints_of_this_cloud_without_a_token() -> None:
    async with simulated() as it:
        arm = it.running.announcement.arm
        async with it.http.get(f"{arm}/metadata/endpoints?api-version=2022-09-01") as response:
            body = await response.json()
        assert body["resourceManager"] == body["authentication"]["loginEndpoint"] == arm


@asynccontextmanager
async def real(fault: str) -> AsyncIterator[tuple[Running, Vm, Line]]:
    """The VM and the line themselves instead of the stand-ins."""
    vm = faults.build([fault], "2019", 8)
    line = Line(vm, knobs.PRESETS["calm"], 8, 0.0)
    async with serving(vm, line, Options(lasts=0.1), lambda: {fault: faults.FAULTS[fault].repaired(vm)}) as running:
        yield running, vm, line


def tls_version(port: int) -> str | None:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(rdp_request(11))
        if connection.recv(19, socket.MSG_WAITALL)[11] != 2:
            raise ConnectionResetError("refused in the negotiation")
        with context.wrap_socket(connection) as tls:
            return tls.version()


async def test_the_rdp_port_follows_the_real_vm() -> None:
    async with real("tls-disabled") as (running, vm, _):
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(tls_version, running.rdp.port)
        folder = rf"{SCHANNEL}\Protocols\TLS 1.2\Server"
        vm.registry.set(folder, "Enabled", REG_DWORD, 1)
        vm.registry.set(folder, "DisabledByDefault", REG_DWORD, 0)
        vm.read_listener()
        assert await asyncio.to_thread(tls_version, running.rdp.port) == "TLSv1.2"
        schannel = [event.number for event in vm.log if event.provider == "Schannel"]
        assert schannel in ([36871], [])  # none where the negotiation refused already


async def test_enter_shows_sac_through_the_whole_of_it() -> None:
    async with real("healthy") as (running, _, _):
        context = ssl.create_default_context(cafile=running.announcement.ca)
        url = running.gateway.open_session(running.announcement.arm.removeprefix("https://"))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context)) as http:
            console = await http.ws_connect(url)
            await console.receive_str(timeout=5)
            await console.send_str(running.tokens.issue("u", time.time()))
            await read_until(console, "EVENT: The CMD command is now available.")
            for key in "cmd\r":
                await console.send_str(key)
            await read_until(console, "Cmd0001")


@pytest.mark.slow
async def test_power_off_lasts_until_windows_is_down_and_then_start_boots_it() -> None:
    async with real("healthy") as (running, _, line):
        it = running.subscription
        operation = it.begin("deallocate", time.time())
        assert line.phase == "down"
        async with asyncio.timeout(30):
            while not it.over(operation, time.time()):
                assert it.power(time.time()) == "deallocating"
                await asyncio.sleep(0.1)
        assert (line.phase, it.power(time.time())) == ("off", "deallocated")
        it.begin("start", time.time())
        assert line.phase == "booting"


async def test_power_off_of_a_booting_vm_waits_for_it_to_come_up() -> None:
    async with simulated(lasts=0.05) as it:
        it.line.phase = "booting"
        it.line.deaf_to_power = True
        operation = it.running.subscription.begin("powerOff", time.time())
        assert not it.running.subscription.over(operation, operation.ends)
        it.line.phase, it.line.deaf_to_power = "up", False
        assert it.running.subscription.over(operation, operation.ends)
        assert it.line.powers == ["off", "off"]
