"""ARM: what a VM is, the URL of its serial port, and the tokens for both.

Calls and headers are those of azure-serial-console.md 1.1 and 1.2; how the SDKs behave is test-beds.md "azure-mgmt-*".
With ``recovery.py`` the only module that imports ``azure.*``; it is slow to import (limits.md "Start-up"), so import it
where it is used. Every failure leaves as an ``AzureError`` that is chained to nothing: an SDK's exception holds the
request, and the request holds the token.
"""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from azure.core.credentials import AccessToken
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import (
    AzureError as SdkError,
)
from azure.core.exceptions import (
    ClientAuthenticationError,
    DecodeError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)
from azure.core.pipeline import PipelineResponse, policies
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.compute.models import VirtualMachine
from azure.mgmt.core.policies import AsyncARMChallengeAuthenticationPolicy
from azure.mgmt.serialconsole.aio import MicrosoftSerialConsoleClient

from serialfix.errors import AzureError, Bug, UsageError
from serialfix.venues.arm_errors import Target, TryAgain, not_reached, not_signed_in, refused
from serialfix.venues.cloud import CLOUDS, PUBLIC, US_GOVERNMENT, Cloud
from serialfix.venues.near_misses import Place, near_elsewhere, near_here
from serialfix.venues.simulated import Simulated, read_announcement, sign_in
from serialfix.venues.vm_facts import VmFacts, obstacles

__all__ = [
    "CLOUDS",
    "PUBLIC",
    "US_GOVERNMENT",
    "Azure",
    "Cloud",
    "Simulated",
    "SimulatedCredential",
    "VmFacts",
    "obstacles",
    "read_announcement",
    "real_credential",
]

T = TypeVar("T")

RENEW_BEFORE = 300
"""Seconds before its end at which a token counts as expired."""
LONGEST_PATIENCE = 10.0
"""Seconds of ``Retry-After`` that a request waits by itself."""
MOST_PLACES = 1_000
MOST_INTERFACES = 8


def real_credential(cloud: Cloud = PUBLIC, subscription: str = "") -> AsyncTokenCredential:
    """Who signs in to a real Azure: the Azure CLI's user, else whatever ``DefaultAzureCredential`` finds.

    ``subscription``: with it the CLI gives a token of that subscription's tenant, which need not be the default one
    (azure-serial-console.md 5). Raises ``Bug`` for a simulated cloud, ``UsageError`` for what
    cannot be a subscription.
    """
    if cloud.simulated:
        raise Bug("a simulated Azure takes no real credential")
    from azure.identity.aio import AzureCliCredential, ChainedTokenCredential, DefaultAzureCredential

    try:
        cli = AzureCliCredential(subscription=subscription or None, process_timeout=30)
    except ValueError:
        raise UsageError(
            f"{subscription!r} is no subscription.", advice="List yours with: az account list --output table"
        ) from None
    return ChainedTokenCredential(
        cli,
        DefaultAzureCredential(authority=cloud.authority, exclude_cli_credential=True),
    )


class SimulatedCredential:
    """The credential of a simulator: trades its announced login for a token at its own token endpoint.

    The only credential that a simulated cloud accepts. Tokens are kept until five minutes before they expire.
    """

    def __init__(self, simulated: Simulated) -> None:
        self.simulated = simulated

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """A new token for ``scopes``. Raises ``AzureError`` where the simulator is gone or does not know the login."""
        return AccessToken(*await sign_in(self.simulated, scopes))

    async def close(self) -> None:
        """Nothing is held open."""

    async def __aenter__(self) -> "SimulatedCredential":
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class _Kept:
    """A credential that asks another one no oftener than needed: the Azure CLI takes a second or two for each token,
    and each SDK client would ask on its own."""

    def __init__(self, inner: AsyncTokenCredential) -> None:
        self._inner = inner
        self._tokens: dict[tuple[str, ...], AccessToken] = {}
        self._turn = asyncio.Lock()

    async def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        async with self._turn:
            kept = self._tokens.get(scopes)
            if claims is None and tenant_id is None and kept and kept.expires_on - time.time() > RENEW_BEFORE:
                return kept
            self._tokens[scopes] = await self._inner.get_token(
                *scopes, claims=claims, tenant_id=tenant_id, enable_cae=enable_cae, **kwargs
            )
            return self._tokens[scopes]

    def forget(self) -> None:
        self._tokens.clear()

    async def close(self) -> None:
        await self._inner.close()

    async def __aenter__(self) -> "_Kept":
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()


class _ShortRetries(policies.AsyncRetryPolicy[Any, Any]):
    """Retries that a person can wait for: the library's own sleep as long as ``Retry-After`` says, be it an hour."""

    def is_retry(self, settings: dict[str, Any], response: PipelineResponse[Any, Any]) -> bool:
        after = self.get_retry_after(response)
        return (after is None or after <= LONGEST_PATIENCE) and super().is_retry(settings, response)


class Azure:
    """One subscription of one Azure, for as long as ``async with`` lasts; closes its credential at the end."""

    def __init__(self, cloud: Cloud, credential: AsyncTokenCredential, subscription: str) -> None:
        """Raise ``Bug`` where a real credential meets a simulated cloud, or the reverse."""
        simulated = credential.simulated if isinstance(credential, SimulatedCredential) else None
        if cloud.simulated and (simulated is None or simulated.cloud != cloud):
            raise Bug("a simulated Azure takes the login of its own simulator only, never a real credential")
        if not cloud.simulated and simulated is not None:
            raise Bug("a simulator's login is never sent to a real Azure")
        self.cloud = cloud
        self.subscription = subscription
        self._credential = _Kept(credential)
        options = self._client_options()
        self._compute = ComputeManagementClient(**options)
        # The SDK leaves out Content-Type, which the service needs (test-beds.md "azure-mgmt-*").
        self._console = MicrosoftSerialConsoleClient(**self._client_options({"Content-Type": "application/json"}))

    async def __aenter__(self) -> "Azure":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._compute.close()
        await self._console.close()
        await self._credential.close()

    async def token(self) -> str:
        """A valid ARM access token, for the gateway. Raises ``AzureError``."""
        return (await self._ask("sign in", self._credential.get_token(self.cloud.scope), self._target())).token

    def forget_token(self) -> None:
        """Let the next request ask for a new token, as a new attempt should (azure-serial-console.md 0.11)."""
        self._credential.forget()

    async def vm_facts(self, resource_group: str, name: str) -> VmFacts:
        """What ARM says about the VM ``name``. Raises ``AzureError``; one that is not there names what is near it."""
        target = self._target(resource_group, name)
        try:
            return await self._ask(f"show the VM {name}", self._read_vm(target), target)
        except AzureError as problem:
            if problem.status != 404 or problem.code == "SubscriptionNotFound":
                raise
            missing = problem
        hint = await self._near_misses(resource_group, name)
        if hint:
            missing.advice = f"{hint} {missing.advice}"
        raise missing

    async def connect_serial(self, vm: VmFacts) -> str:
        """A new URL of the serial line of ``vm``, good for one connection. Raises ``AzureError``.

        ``POST .../serialPorts/0/connect`` (azure-serial-console.md 1.2). The URL is not checked here: whoever sends a
        token there does that (``websocket.check_url``).
        """
        answer = await self._ask(
            f"connect to the serial port of {vm.name}",
            self._console.serial_ports.connect(vm.resource_group, "Microsoft.Compute", "virtualMachines", vm.name, "0"),
            self._target(vm.resource_group, vm.name),
        )
        url = answer.connection_string
        if not isinstance(url, str) or not url:
            raise TryAgain(
                "Azure accepted the serial connection but gave no address for it.", code="NoConnectionString"
            )
        return url

    async def _read_vm(self, target: Target) -> VmFacts:
        vm = await self._compute.virtual_machines.get(target.resource_group, target.vm, expand="instanceView")
        public, private, note = await self._addresses(vm, target)
        return _facts(vm, target, public, private, note)

    def _target(self, resource_group: str = "", vm: str = "") -> Target:
        return Target(self.subscription, resource_group, vm)

    def _client_options(self, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """What every SDK client is made with.

        Our own policies, because the default ones register a missing resource provider in the subscription unasked,
        follow redirects, and log. One second or two of retries: whoever is on this machine waits for the answer.
        """
        scope = self.cloud.scope
        return {
            "credential": self._credential,
            "subscription_id": self.subscription,
            "base_url": self.cloud.arm,
            "credential_scopes": [scope],
            "policies": [
                policies.RequestIdPolicy(),
                policies.HeadersPolicy(headers),
                policies.UserAgentPolicy("serialfix"),
                policies.ContentDecodePolicy(),
                _ShortRetries(
                    retry_total=2, retry_connect=1, retry_backoff_factor=0.4, retry_backoff_max=5, timeout=60
                ),
                AsyncARMChallengeAuthenticationPolicy(self._credential, scope),
            ],
            "connection_timeout": 10,
            "read_timeout": 60,
            "connection_verify": self.cloud.ca or True,
            "use_env_settings": not self.cloud.simulated,
            "logging_enable": False,
        }

    async def _ask(self, doing: str, call: Awaitable[T], target: Target) -> T:
        try:
            return await call
        except DecodeError as problem:
            failed = _not_arm(doing, str(problem.message))
        except HttpResponseError as problem:
            failed = self._refused(doing, problem, target)
        except (ServiceRequestError, ServiceResponseError) as problem:
            failed = not_reached(
                f"Azure Resource Manager ({self.cloud.arm})",
                str(problem) or type(problem).__name__,
                target,
                simulated=self.cloud.simulated,
            )
        except (SdkError, ValueError, TypeError, KeyError, AttributeError) as problem:
            failed = _not_arm(doing, f"{type(problem).__name__}: {problem}")
        raise failed

    def _refused(self, doing: str, problem: HttpResponseError, target: Target) -> AzureError:
        if problem.response is None:
            if isinstance(problem, ClientAuthenticationError):
                return not_signed_in(str(problem.message), target)
            return AzureError(f"Azure refused to {doing}: {problem.message}")
        try:
            body = problem.response.text()
        except (AttributeError, ValueError, LookupError, SdkError):
            body = str(problem.reason or "")
        error = refused(doing, problem.status_code or 0, body, target)
        headers: Mapping[str, str] = getattr(problem.response, "headers", {})
        after = headers.get("Retry-After", "")
        if isinstance(error, TryAgain) and after.isdecimal() and len(after) < 6:
            error.after = float(after)
            error.advice = f"{error.advice} Azure asks for {after} s of patience.".strip()
        return error

    async def _near_misses(self, resource_group: str, name: str) -> str:
        """What may have been meant by a VM that is not there; "" where nothing can be said. Raises nothing."""
        target = self._target(resource_group)
        vms = self._compute.virtual_machines
        here: list[Place] = []
        everywhere: list[Place] = []
        with contextlib.suppress(AzureError):
            here = await self._ask("list VMs", _places(vms.list(resource_group)), target)
        if hint := near_here(name, here):
            return hint
        with contextlib.suppress(AzureError):
            everywhere = await self._ask("list VMs", _places(vms.list_all()), target)
        return near_elsewhere(resource_group, name, here, everywhere)

    async def _addresses(self, vm: VirtualMachine, target: Target) -> tuple[tuple[str, ...], tuple[str, ...], str]:
        interfaces = (vm.network_profile.network_interfaces if vm.network_profile else None) or []
        ids = [interface.id for interface in sorted(interfaces, key=lambda one: not one.primary) if interface.id]
        if not ids:
            return (), (), "ARM names no network interface of this VM."
        from azure.mgmt.network.aio import NetworkManagementClient

        public: list[str] = []
        private: list[str] = []
        notes: list[str] = []
        async with NetworkManagementClient(**self._client_options()) as network:
            for id_ in ids[:MOST_INTERFACES]:
                try:
                    await self._interface(network, id_, target, public, private)
                except AzureError as problem:
                    notes.append(f"Not all of the network interface {_leaf(id_)} could be read: {problem}")
        if not public and not notes:
            notes.append("The VM has no public address of its own.")
        return tuple(public), tuple(private), " ".join(notes)

    async def _interface(self, network: Any, id_: str, target: Target, public: list[str], private: list[str]) -> None:
        group, name = _group(id_), _leaf(id_)
        interface = await self._ask(
            f"show the network interface {name}", network.network_interfaces.get(group, name), target
        )
        configurations = interface.ip_configurations or []
        addresses: list[str] = []
        for one in sorted(configurations, key=lambda each: not each.primary):
            if one.private_ip_address:
                private.append(str(one.private_ip_address))
            if one.public_ip_address and one.public_ip_address.id:
                addresses.append(str(one.public_ip_address.id))
        for address_id in addresses:
            leaf = _leaf(address_id)
            address = await self._ask(
                f"show the public address {leaf}", network.public_ip_addresses.get(_group(address_id), leaf), target
            )
            if address.ip_address:
                public.append(str(address.ip_address))


def _not_arm(doing: str, said: str) -> AzureError:
    return AzureError(
        f"The answer to our request to {doing} cannot be read: {said[:500]}",
        why="It is not the JSON that Azure Resource Manager sends; a proxy or a sign-in page may have answered.",
        advice="Check HTTPS_PROXY, and whether this network asks for a sign-in in a browser.",
        code="Unreadable",
    )


def _facts(vm: VirtualMachine, target: Target, public: tuple[str, ...], private: tuple[str, ...], note: str) -> VmFacts:
    view = vm.instance_view
    disk = vm.storage_profile.os_disk if vm.storage_profile else None
    diagnostics = vm.diagnostics_profile.boot_diagnostics if vm.diagnostics_profile else None
    power = ""
    for status in (view.statuses if view else None) or []:
        if (status.code or "").lower().startswith("powerstate/"):
            power = (status.code or "").partition("/")[2].lower()
    agents = (view.vm_agent.statuses if view and view.vm_agent else None) or []
    id_ = vm.id or ""
    return VmFacts(
        id=id_,
        name=vm.name or target.vm,
        subscription=target.subscription,
        resource_group=_group(id_) or target.resource_group,
        location=vm.location or "",
        vm_id=vm.vm_id or "",
        os_type=_word(disk.os_type) if disk else "",
        os_name=(view.os_name if view else None) or "",
        power=power,
        provisioning=vm.provisioning_state or "",
        agent=(agents[0].display_status or "") if agents else "",
        boot_diagnostics=bool(diagnostics and diagnostics.enabled),
        public_addresses=public,
        private_addresses=private,
        size=_word(vm.hardware_profile.vm_size) if vm.hardware_profile else "",
        computer_name=(view.computer_name if view else None)
        or (vm.os_profile.computer_name if vm.os_profile else None)
        or "",
        addresses_note=note,
    )


def _word(value: Any) -> str:
    """A value that the SDK gives as an enumeration where it knows it and as text where it does not."""
    return str(getattr(value, "value", value) or "")


async def _places(vms: AsyncIterator[Any]) -> list[Place]:
    """Where the first thousand VMs are."""
    found: list[Place] = []
    async for vm in vms:
        found.append((_group(vm.id or ""), vm.name or ""))
        if len(found) >= MOST_PLACES:
            break
    return found


def _group(id_: str) -> str:
    match = re.search(r"/resourceGroups/([^/]+)", id_, re.IGNORECASE)
    return match.group(1) if match else ""


def _leaf(id_: str) -> str:
    return id_.rstrip("/").rpartition("/")[2]
