"""Azure Resource Manager as far as a serial console client, its owner and the SDKs need it: requests in, replies out.

No sockets here: ``server.py`` carries the requests. Paths match whatever their case, and an encoded slash is a slash
(azure-serial-console.md 1.2). Requests and answers: 1.1 to 1.6, 6; the order and wording of ARM's own errors is common
knowledge. Where the source says unknown, the seed chooses.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from serialfix.simulator import arm_disks, arm_network, resources
from serialfix.simulator.arm_request import Refused, Reply, Request, act, must_exist, not_found, read, unknown_type
from serialfix.simulator.arm_vm import ArmVm
from serialfix.simulator.subscription import Subscription
from serialfix.simulator.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Arm:
    """ARM for one subscription. ``open_session`` gives the connection string of a new console session."""

    it: Subscription
    tokens: Tokens
    base: str
    open_session: Callable[[], str]
    connected: Callable[[], bool] = lambda: False

    def answer(self, request: Request, now: float) -> Reply:
        """The reply to ``request`` at ``now``, seconds since 1970. Never raises for anything a client can send."""
        try:
            return self._route(request, now)
        except Refused as refused:
            return refused.reply

    def check_token(self, authorization: str, now: float) -> None:
        """Raises ``Refused`` (401) unless ``authorization`` is ``Bearer`` and a good token."""
        kind, _, token = authorization.partition(" ")
        trouble = self.tokens.trouble(token.strip() if kind.casefold() == "bearer" else "", now)
        if trouble is None:
            return
        code, text = {
            "missing": ("AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing."),
            "invalid": ("InvalidAuthenticationToken", "The access token is invalid."),
            "expired": ("ExpiredAuthenticationToken", "The access token expiry UTC time is earlier than current time."),
        }[trouble]
        challenge = f'Bearer authorization_uri="{self.base}/{self.tokens.tenant}", error="invalid_token"'
        raise Refused(401, code, text, WWW_Authenticate=f'{challenge}, error_description="{text}"')

    def _route(self, request: Request, now: float) -> Reply:
        # Encoded slashes become slashes: az sends a parent resource with them.
        segments = [part for part in unquote(request.path, errors="replace").split("/") if part]
        low = tuple(part.casefold() for part in segments)
        if low[:2] == ("metadata", "endpoints"):  # asked before anybody has a token
            return Reply(200, resources.metadata(self.base))
        self.check_token(request.headers.get("authorization", ""), now)
        version = request.query.get("api-version", "")
        if not version:
            raise Refused(
                400,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required for all requests.",
            )
        if not re.fullmatch(r"\d{4}-\d\d-\d\d(-preview)?", version):
            raise Refused(400, "InvalidApiVersionParameter", f"The api-version '{version}' is invalid.")
        if not low or low[0] != "subscriptions":
            return self._tenant_level(request, low)
        if len(low) == 1:
            return read(request, {"value": [resources.subscription(self.it)], "count": {"value": 1}})
        if low[1] != self.it.id:
            code = "SubscriptionNotFound" if re.fullmatch(r"[0-9a-f-]{36}", low[1]) else "InvalidSubscriptionId"
            raise Refused(404, code, f"The subscription '{segments[1]}' could not be found.")
        if len(low) == 2:
            return read(request, resources.subscription(self.it))
        return self._subscription_level(request, segments[2:], low[2:], now)

    def _tenant_level(self, request: Request, low: tuple[str, ...]) -> Reply:
        if low == ("tenants",):
            return read(request, {"value": [resources.tenant(self.it)]})
        if low == ("providers", "microsoft.serialconsole", "operations"):
            names = ("consoleServices/read", "consoleServices/disableConsole/action")
            more = ("consoleServices/enableConsole/action", "operations/read")
            return read(request, {"value": [{"name": f"Microsoft.SerialConsole/{name}"} for name in names + more]})
        raise not_found(request)

    def _subscription_level(self, request: Request, segments: list[str], low: tuple[str, ...], now: float) -> Reply:
        match low:
            case ("resourcegroups",):
                return read(request, {"value": [resources.group(self.it)]})
            case ("resourcegroups", name, *_):
                if name != self.it.group.casefold():
                    raise Refused(404, "ResourceGroupNotFound", f"Resource group '{segments[1]}' could not be found.")
                if len(low) == 2:
                    return read(request, resources.group(self.it))
                return self._in_group(request, segments[2:], low[2:], now)
            case ("providers",):
                return read(request, {"value": [resources.provider()]})
            case ("providers", "microsoft.serialconsole"):
                return read(request, resources.provider())
            case ("providers", "microsoft.serialconsole", "register"):
                return act(request, Reply(200, resources.provider()))
            case ("providers", "microsoft.serialconsole", "consoleservices", "default", *rest):
                return self._console_service(request, tuple(rest))
            case ("providers", "microsoft.serialconsole", "serialports"):
                return read(request, {"value": [resources.serial_port(self.it, connected=self.connected())]})
            case ("providers", "microsoft.compute", "virtualmachines"):
                return read(request, {"value": [resources.vm(self.it, now)]})
            case ("providers", "microsoft.compute", "locations", _, "operations", name):
                try:
                    return read(request, resources.operation(self.it, name, now))
                except KeyError:
                    raise Refused(404, "NotFound", f"The operation '{name}' was not found.") from None
            case ("providers", "microsoft.storage", "storageaccounts"):
                return read(request, {"value": []})
            case ("providers", namespace, kind, *_):
                raise unknown_type(request, namespace, kind, segments[1])
        raise not_found(request)

    def _console_service(self, request: Request, rest: tuple[str, ...]) -> Reply:
        if not rest:
            return read(request, {"properties": {"disabled": self.it.console_disabled}})
        if rest in {("enableconsole",), ("disableconsole",)}:
            if request.method == "POST":
                self.it.console_disabled = rest == ("disableconsole",)
            return act(request, Reply(200, {"properties": {"disabled": self.it.console_disabled}}))
        raise not_found(request)

    def _in_group(self, request: Request, segments: list[str], low: tuple[str, ...], now: float) -> Reply:
        it = self.it
        match low:
            case ("providers", "microsoft.compute", "virtualmachines"):
                return read(request, {"value": [resources.vm(it, now)]})
            case ("providers", "microsoft.compute", "virtualmachines", name, *rest):
                must_exist(it, name, it.vm, "Microsoft.Compute/virtualMachines", segments[3])
                vm = ArmVm(it, self.base, self.open_session, self.connected)
                return vm.answer(request, segments[4:], tuple(rest), now)
            case ("providers", "microsoft.compute", "disks", _):
                return arm_disks.disk(it, request, segments[3], now)
            case ("providers", "microsoft.compute", "snapshots"):
                return arm_disks.all_snapshots(it, request, now)
            case ("providers", "microsoft.compute", "snapshots", _):
                return arm_disks.snapshot(it, self.base, request, segments[3], now)
            case ("providers", "microsoft.network", *rest) if rest and rest[0] in arm_network.KINDS:
                return arm_network.answer(it, request, segments[2:], tuple(rest))
            case ("providers", "microsoft.compute", "virtualmachinescalesets", _, "virtualmachines", *_):
                raise Refused(
                    404,
                    "ParentResourceNotFound",
                    "Failed to perform 'read' on resource(s) of type 'virtualMachineScaleSets/virtualMachines', "
                    f"because the parent resource '{resources.group_id(it)}/providers/Microsoft.Compute/"
                    f"virtualMachineScaleSets/{segments[3]}' could not be found.",
                )
            case ("providers", "microsoft.compute", "virtualmachinescalesets", name):
                must_exist(it, name, None, "Microsoft.Compute/virtualMachineScaleSets", segments[3])
            case ("providers", namespace, kind, *_):
                raise unknown_type(request, namespace, kind, segments[1])
        raise not_found(request)
