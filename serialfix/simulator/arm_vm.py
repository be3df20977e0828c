"""The VM under ARM: its body, its power as long-running operations, and its serial port with POST connect.

azure-serial-console.md 1.2, 1.5, 1.6(b) and 6; test-beds.md, "azure-mgmt-compute", for how the SDKs poll.
"""

from collections.abc import Callable
from dataclasses import dataclass

from serialfix.simulator import resources
from serialfix.simulator.arm_request import (
    Refused,
    Reply,
    Request,
    accepted,
    document,
    inside,
    is_json,
    must_exist,
    not_found,
    read,
    wrong_method,
)
from serialfix.simulator.resources import Json
from serialfix.simulator.subscription import Act, Subscription


@dataclass(frozen=True, slots=True)
class ArmVm:
    """The one VM. ``open_session`` gives the connection string of a new console session."""

    it: Subscription
    base: str
    open_session: Callable[[], str]
    connected: Callable[[], bool]

    def answer(self, request: Request, segments: list[str], low: tuple[str, ...], now: float) -> Reply:
        """The reply for the path ``segments`` below the VM; ``low`` is the same in lower case. Raises ``Refused``."""
        acts: dict[str, Act] = {
            "start": "start",
            "poweroff": "powerOff",
            "deallocate": "deallocate",
            "restart": "restart",
            "redeploy": "redeploy",
        }
        match low:
            case ():
                if request.method == "PATCH":
                    self._patch(document(request))
                    return Reply(200, resources.vm(self.it, now))
                expand = request.query.get("$expand", "").casefold()
                return read(request, resources.vm(self.it, now, with_view="instanceview" in expand.split(",")))
            case ("instanceview",):
                return read(request, resources.instance_view(self.it, now))
            case (name,) if name in acts:
                return self._power(request, acts[name], now)
            case ("providers", "microsoft.serialconsole", "serialports"):
                return read(request, {"value": [self._port()]})
            case ("providers", "microsoft.serialconsole", "serialports", port, *rest):
                must_exist(self.it, port, "0", "Microsoft.SerialConsole/serialPorts", segments[3])
                return self._serial_port(request, tuple(rest), now)
        raise not_found(request)

    def _patch(self, change: Json) -> None:
        boot = inside(change, "properties", "diagnosticsProfile", "bootDiagnostics", "enabled")
        if isinstance(boot, bool):
            self.it.boot_diagnostics = boot
        tags = change.get("tags")
        if isinstance(tags, dict):
            self.it.tags = {str(name): str(value) for name, value in tags.items()}

    def _power(self, request: Request, act: Act, now: float) -> Reply:
        if request.method != "POST":
            raise wrong_method(request)
        running = self.it.current(now)
        if running is not None:
            raise Refused(
                409,
                "Conflict",
                f"The request failed due to conflict with a concurrent request: '{running.act}' of VM '{self.it.vm}' "
                "is in progress. To resolve it, please refer to https://aka.ms/activitylog",
            )
        power = self.it.power(now)
        if act in {"restart", "redeploy"} and power != "running":
            raise Refused(
                409,
                "OperationNotAllowed",
                f"Operation '{act}' is not allowed on VM '{self.it.vm}' since the VM is {power}.",
            )
        return accepted(self.it, self.base, self.it.begin(act, now))

    def _port(self) -> Json:
        return resources.serial_port(self.it, connected=self.connected())

    def _serial_port(self, request: Request, rest: tuple[str, ...], now: float) -> Reply:
        if rest == ("connect",):
            if request.method != "POST":
                raise wrong_method(request)
            return self._connect(request, now)
        if rest:
            raise not_found(request)
        if request.method == "PUT":
            state = inside(document(request), "properties", "state")
            if state not in {"enabled", "disabled"}:
                raise Refused(400, "BadRequest", "The serial port's state must be 'enabled' or 'disabled'.")
            self.it.port_enabled = state == "enabled"
            return Reply(201, self._port())
        return read(request, self._port())

    def _connect(self, request: Request, now: float) -> Reply:
        it = self.it
        if not is_json(request):
            # The service is known to need it, its answer is not known.
            status, code, text = it.choice(
                "no content type",
                (415, "UnsupportedMediaType", "The content media type '<null>' is not supported. "
                 "Only 'application/json' is supported."),
                (400, "BadRequest", "The request content type is missing or not valid."),
            )  # fmt: skip
            raise Refused(status, code, text)
        if it.console_disabled:
            text = (
                "Azure Serial Console is not enabled for this subscription, contact your subscription administrator "
                "to enable."
            )
            status, code = it.choice("disabled", (400, "BadRequest"), (403, "Forbidden"), (409, "Conflict"))
            raise Refused(status, code, text)
        if not it.boot_diagnostics:
            raise Refused(400, "Bad Request", f"Boot diagnostics settings for '{it.vm}' is disabled")
        power = it.power(now)
        if power in {"deallocated", "deallocating"}:
            raise Refused(
                400,
                "Bad Request",
                f"The VM power state is {power}. Azure Serial Console will not function when the VM is {power}",
            )
        if not it.port_enabled:
            raise Refused(409, "Conflict", "The serial port '0' is disabled.")
        return Reply(200, {"connectionString": self.open_session()})
