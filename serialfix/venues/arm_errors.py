"""What Azure's refusals mean: a table from (status, code, message) to why it is likely and what to try.

The rows are azure-serial-console.md 1.6(b); where its text is only the portal's or a playbook's, the row goes by words
of the message, so that a changed status does not hide the advice. ``AADSTS`` and Azure CLI texts: common knowledge. A
refusal that no row knows keeps the service's own words. Pure: no Azure library is needed to read it.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from serialfix.errors import AzureError
from serialfix.venues.vm_facts import shell_word

LONGEST_MESSAGE = 2_000


class TryAgain(AzureError):
    """An ``AzureError`` that another attempt may not meet: the service was busy, slow, or not reached.

    ``after``: seconds that the service asks to wait before, 0 where it does not say.
    """

    after = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """What a request was about, for the commands in the advice."""

    subscription: str
    resource_group: str = ""
    vm: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """One row. ``status`` None and empty patterns match anything; patterns are searched for, whatever their case.

    ``advice`` may hold ``{vm}`` (``--resource-group G --name N``), ``{subscription}`` and ``{scope}``.
    ``again``: another attempt is worthwhile.
    """

    status: int | None
    code: str
    message: str
    why: str
    advice: str
    again: bool = False


KNOWN: tuple[Known, ...] = (
    Known(
        None,
        "DenyAssignment",
        "",
        "A deny assignment stands above your role; the owner of a managed application or a blueprint sets such ones.",
        "See which with: az rest --method get --url "
        "'{scope}/providers/Microsoft.Authorization/denyAssignments?api-version=2022-04-01'. Ask its owner.",
    ),
    Known(
        None,
        "ScopeLocked|ReadOnlyDisabledSubscription",
        "",
        "A read-only lock, or a subscription that was set to read only, blocks the serial console.",
        "See the locks with: az lock list --resource-group {group}. Ask their owner before removing one.",
    ),
    Known(
        403,
        "",
        r"boot diagnostic storage account|storage ?account.*forbidden|StorageAccountForbidden",
        "The firewall of the boot diagnostics' storage account keeps the serial console out.",
        "Use managed storage for boot diagnostics, which has no firewall: az vm boot-diagnostics enable {vm}",
    ),
    Known(
        429,
        "ERR_BAD_REQUEST",
        "",
        "This answer is known from storage accounts of boot diagnostics that stand behind a firewall.",
        "Use managed storage for boot diagnostics: az vm boot-diagnostics enable {vm}",
        again=True,
    ),
    Known(
        403,
        "AuthorizationFailed|LinkedAuthorizationFailed|^Forbidden$|^$",
        "",
        "Your role on this VM does not allow it. The serial console needs at least Virtual Machine Contributor "
        "(Microsoft.SerialConsole/serialPorts/connect/action). A role given a moment ago takes minutes to count.",
        "Ask an owner for: az role assignment create --assignee YOU "
        "--role 'Virtual Machine Contributor' --scope {scope}. If your access is eligible only, activate it (PIM).",
    ),
    Known(
        None,
        "InvalidAuthenticationTokenTenant",
        "",
        "You are signed in to another tenant than the one this subscription belongs to.",
        "Sign in to it with: az login --tenant TENANT, then: az account set --subscription {subscription}",
    ),
    Known(
        401,
        "",
        "",
        "The sign-in is not valid any more, or belongs to another cloud or tenant.",
        "Sign in again with: az login. Then: az account set --subscription {subscription}",
    ),
    Known(
        None,
        "",
        r"retrieve boot diagnostics settings|boot diagnostics settings for .* (?:is|are) disabled|"
        r"boot diagnostics to be enabled",
        "Boot diagnostics are off for this VM, and the serial console needs them.",
        "Switch them on, without a restart, with: az vm boot-diagnostics enable {vm}",
    ),
    Known(
        None,
        "",
        r"power state is (?:deallocat|stopp)|when the VM is deallocated|virtual machine to be running",
        "The VM is not running.",
        "Start it with: az vm start {vm}",
    ),
    Known(
        None,
        "",
        r"provisioning for this VM has not yet succeeded",
        "The VM is not fully deployed, or its last deployment failed.",
        "See its state with: az vm show {vm} --query provisioningState. "
        "A failed one is often cured by: az vm reapply {vm}",
    ),
    Known(
        None,
        "",
        r"storage account .* could not be found",
        "The storage account that boot diagnostics wrote to is gone.",
        "Use managed storage instead: az vm boot-diagnostics enable {vm}",
    ),
    Known(
        409,
        "",
        r"hierarchical namespace",
        "The storage account of boot diagnostics is a data lake (hierarchical namespace), which cannot be used.",
        "Use managed storage instead: az vm boot-diagnostics enable {vm}",
    ),
    Known(
        409,
        "ERR_BAD_REQUEST",
        "",
        "This answer is known from a read-only lock on the VM or its resource group.",
        "See the locks with: az lock list --resource-group {group}. Ask their owner before removing one.",
    ),
    Known(
        None,
        "",
        r"connection is currently in progress",
        "Another user, or an earlier attempt, is connecting to this console right now.",
        "Wait a minute and try again.",
        again=True,
    ),
    Known(
        None,
        "",
        r"not enabled for this subscription",
        "The serial console was switched off for the whole subscription.",
        "A subscription's contributor can switch it on, for all VMs, with: az serial-console enable",
    ),
    Known(
        None,
        "MissingSubscriptionRegistration|NoRegisteredProviderFound",
        "",
        "The provider Microsoft.SerialConsole is not registered in this subscription.",
        "Register it with: az provider register --namespace Microsoft.SerialConsole --subscription {subscription}",
    ),
    Known(
        None,
        "",
        r"did not respond in a timely manner",
        "The host of the VM did not answer the console service.",
        "Try again; if it stays so, see https://aka.ms/serialconsolehelp or restart the VM: az vm restart {vm}",
        again=True,
    ),
    Known(
        None,
        "SubscriptionNotFound|InvalidSubscriptionId",
        "",
        "You are signed in to another tenant than this subscription's, or its id is mistyped.",
        "List yours with: az account list --output table",
    ),
    Known(
        404,
        "ResourceGroupNotFound",
        "",
        "The resource group is mistyped, or in another subscription.",
        "Find the VM with: az vm list --subscription {subscription} --output table",
    ),
    Known(
        404,
        "ResourceNotFound|^NotFound$|ParentResourceNotFound",
        "",
        "The name is mistyped, or the VM is in another resource group or subscription.",
        "Find it with: az vm list --subscription {subscription} --output table",
    ),
    Known(
        415,
        "",
        "",
        "The service wants a Content-Type header; something between us and Azure removed it.",
        "Try without the proxy, and report this if it stays so.",
    ),
    Known(
        429,
        "",
        "",
        "Azure limits how often it may be asked, and the limit is used up.",
        "Wait a few minutes and try again.",
        again=True,
    ),
)

SERVER_FAULT = Known(
    None,
    "",
    "",
    "The fault is on Azure's side.",
    "Try again in a minute; see https://status.azure.com if it stays so.",
    again=True,
)

SIGN_IN: tuple[Known, ...] = (
    Known(
        None,
        "",
        r"AADSTS50076|AADSTS50079|AADSTS53003|AADSTS50005|AADSTS530003|InteractionRequired|interaction_required",
        "Your organisation asks for another factor, or allows this sign-in from certain devices only.",
        "Sign in again where that can be met: az login --scope https://management.core.windows.net//.default",
    ),
    Known(
        None,
        "",
        r"AADSTS70008|AADSTS700082|AADSTS50173|AADSTS70043|refresh token|expired",
        "The sign-in of the Azure CLI has expired.",
        "Sign in again with: az login",
    ),
    Known(
        None,
        "",
        r"subscription .* not (?:be )?found|doesn't exist in cloud",
        "The Azure CLI is signed in, but not to the tenant of this subscription.",
        "Sign in with: az login --tenant TENANT. List what you have with: az account list --output table",
    ),
    Known(
        None,
        "",
        r"invalid_grant",
        "The simulator does not know this login: it was started anew, or another one uses its port now.",
        "Use the address of a simulator that runs, or start one with: serialfix simulate",
    ),
    Known(
        None,
        "",
        r"az login|Azure CLI not found|failed to retrieve a token|no accounts|not logged in",
        "serialfix signs in as the Azure CLI, as an environment's service principal, or as a managed identity; "
        "none of them is there.",
        "Sign in with: az login. If there is no Azure CLI here, see https://aka.ms/azcli",
    ),
)

UNREACHED: tuple[Known, ...] = (
    Known(
        None,
        "",
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "The certificate that came is not Azure's: a proxy that opens TLS stands in between, or the clock is wrong.",
        "Add the proxy's certificate authority to this system's store (or SSL_CERT_FILE), and check the clock.",
    ),
    Known(
        None,
        "",
        r"Name or service not known|getaddrinfo|nodename nor servname|Temporary failure in name resolution|"
        r"No address associated|DNS",
        "The name cannot be resolved: no network, or a DNS server that does not know it.",
        "Check the network here. Behind a proxy set HTTPS_PROXY.",
        again=True,
    ),
    Known(
        None,
        "",
        r"Connect call failed|Connection refused|refused|ConnectionRefused",
        "Nothing listens there, or a firewall refuses.",
        "Check the network and HTTPS_PROXY here.",
        again=True,
    ),
    Known(
        None,
        "",
        r"timed? ?out|Timeout",
        "No answer came in time: a firewall that drops, or a network that is slow.",
        "Check that this machine may reach it on port 443.",
        again=True,
    ),
    Known(
        None,
        "",
        r"Connection reset|Server disconnected|Broken pipe|closed",
        "The connection was cut on the way.",
        "Try again; check the proxy if it stays so.",
        again=True,
    ),
)


def refused(doing: str, status: int, body: str, target: Target) -> AzureError:
    """The error for an answer of ``status`` with ``body`` (ARM's JSON, or anything) to what we were ``doing``.

    ``doing``: words after "Azure refused to". Returned, not raised; a ``TryAgain`` where another attempt is worthwhile.
    """
    code, message = read_body(body)
    row = _row(KNOWN, status, code, message) or (SERVER_FAULT if status >= 500 else None)
    said = message or "it gave no reason"
    mark = f"{status} {code}".strip()
    return _error(f"Azure refused to {doing} ({mark}): {said}", row, target, code=code, status=status)


def not_signed_in(message: str, target: Target) -> AzureError:
    """The error for a credential that gave no token, with the words of the identity library."""
    row = _row(SIGN_IN, None, "", message)
    advice = row or Known(None, "", "", "", "Sign in with: az login")
    return _error(
        f"No token could be had from Azure: {_short(message)}", advice, target, code="NotSignedIn", again=False
    )


def not_reached(what: str, message: str, target: Target, *, simulated: bool = False) -> AzureError:
    """The error for a network that did not carry us to ``what`` (a host name), with the library's words."""
    row = _row(UNREACHED, None, "", message)
    if simulated:
        row = Known(
            None,
            "",
            "",
            "The simulator ended, or another one runs on that port.",
            "Start one with: serialfix simulate. It prints the address to give to --simulate.",
        )
    again = row is None or row.again
    return _error(f"{what} could not be reached: {_short(message)}", row, target, code="NotReached", again=again)


def read_body(body: str) -> tuple[str, str]:
    """The service's own code and message in an error's body, "" where there is none.

    >>> read_body('{"error": {"code": "ResourceNotFound", "message": "The Resource was not found."}}')
    ('ResourceNotFound', 'The Resource was not found.')
    >>> read_body('{"code": "SubscriptionNotFound", "message": "It could not be found."}')
    ('SubscriptionNotFound', 'It could not be found.')
    >>> read_body("<html><title>502 Bad Gateway</title></html>")
    ('', '502 Bad Gateway')
    """
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return "", _short(re.sub(r"<[^>]*>", " ", body))
    if isinstance(told, dict) and isinstance(told.get("error"), dict):
        told = told["error"]
    if not isinstance(told, dict):
        return "", _short(body)
    code, message = _text(told.get("code") or told.get("error")), _text(told.get("message"))
    return code, _short(message or _text(told.get("error_description")))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ("" if value is None else json.dumps(value))


def _short(text: str) -> str:
    joined = " ".join(text.split())
    return joined if len(joined) <= LONGEST_MESSAGE else joined[:LONGEST_MESSAGE] + "..."


def _row(table: tuple[Known, ...], status: int | None, code: str, message: str) -> Known | None:
    for row in table:
        if row.status is not None and row.status != status:
            continue
        if row.code and not re.search(row.code, code, re.IGNORECASE):
            continue
        if row.message and not re.search(row.message, message, re.IGNORECASE | re.DOTALL):
            continue
        return row
    return None


def _error(
    what: str, row: Known | None, target: Target, *, code: str, status: int | None = None, again: bool | None = None
) -> AzureError:
    retry = again if again is not None else bool(row and row.again)
    kind = TryAgain if retry else AzureError
    if row is None:
        return kind(what, code=code, status=status)
    group, vm, subscription = (shell_word(word) for word in (target.resource_group, target.vm, target.subscription))
    scope = f"/subscriptions/{target.subscription}"
    if target.resource_group:
        scope += f"/resourceGroups/{target.resource_group}"
    if target.vm:
        scope += f"/providers/Microsoft.Compute/virtualMachines/{target.vm}"
    advice = row.advice.format(
        vm=f"--resource-group {group} --name {vm}", group=group, subscription=subscription, scope=scope
    )
    return kind(what, why=row.why, advice=advice, code=code, status=status)
