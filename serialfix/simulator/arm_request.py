"""ARM's requests, replies and refusals: the parts that every resource uses.

``{"error": {"code", "message"}}`` is the shape of every error (azure-serial-console.md 1.6); codes and wordings that
are not there are common knowledge.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from serialfix.simulator.resources import Json
from serialfix.simulator.subscription import Operation, Subscription


@dataclass(frozen=True, slots=True)
class Request:
    """One request: ``path`` as it came, still percent-encoded; header and query names in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, JSON body (None: no body) and headers."""

    status: int
    body: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):
    """A request ARM refuses: ``{"error": {"code", "message"}}``."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.reply = Reply(
            status,
            {"error": {"code": code, "message": message}},
            {name.replace("_", "-"): value for name, value in headers.items()},
        )


def read(request: Request, body: Json) -> Reply:
    """``body`` for GET and HEAD. Raises ``Refused`` for other methods."""
    if request.method not in {"GET", "HEAD"}:
        raise wrong_method(request)
    return Reply(200, body)


def act(request: Request, reply: Reply) -> Reply:
    """``reply`` for POST. Raises ``Refused`` for other methods."""
    if request.method != "POST":
        raise wrong_method(request)
    return reply


def is_json(request: Request) -> bool:
    """Whether the request says that it carries JSON, as ARM wants even of an empty body."""
    kind = request.headers.get("content-type", "").partition(";")[0]
    return kind.strip().casefold() == "application/json"


def document(request: Request) -> Json:
    """The JSON object in the body. Raises ``Refused``."""
    if not is_json(request):
        raise Refused(
            415,
            "UnsupportedMediaType",
            "The content media type is not supported. Only 'application/json' is supported.",
        )
    try:
        parsed = json.loads(request.body)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict):
        raise Refused(400, "InvalidRequestContent", "The request content was invalid and could not be deserialized.")
    return parsed


def inside(document: Any, *path: str) -> Any:
    """What lies at ``path`` in nested objects; None where there is nothing."""
    for name in path:
        document = document.get(name) if isinstance(document, dict) else None
    return document


def accepted(it: Subscription, base: str, operation: Operation, body: Json | None = None) -> Reply:
    """202 for a long-running operation, with where to ask how it goes. ``base``: ARM's own URL."""
    where = f"/subscriptions/{it.id}/providers/Microsoft.Compute/locations/{it.location}/operations"
    url = f"{base}{where}/{operation.id}?api-version=2024-07-01"
    # Not 0: the SDKs take that for absent and wait half a minute.
    return Reply(202, body, {"Azure-AsyncOperation": url, "Location": f"{url}&monitor=true", "Retry-After": "1"})


def not_found(request: Request) -> Refused:
    """For a URL that is no resource at all."""
    return Refused(404, "NotFound", f"No HTTP resource was found that matches the request URI '{request.path}'.")


def wrong_method(request: Request) -> Refused:
    """For a method that the resource does not have."""
    return Refused(
        405, "HttpMethodNotAllowed", f"The http method '{request.method}' is not supported for this resource."
    )


_NAMESPACES = {
    "microsoft.compute",
    "microsoft.network",
    "microsoft.serialconsole",
    "microsoft.storage",
    "microsoft.resources",
    "microsoft.authorization",
}


def unknown_type(request: Request, namespace: str, kind: str, shown: str) -> Refused:
    """For a resource type, or a whole provider, that is not simulated."""
    if namespace not in _NAMESPACES:
        return Refused(404, "InvalidResourceNamespace", f"The resource namespace '{shown}' is invalid.")
    version = request.query["api-version"]
    return Refused(
        400,
        "InvalidResourceType",
        f"The resource type '{kind}' could not be found in the namespace '{shown}' for api version '{version}'.",
    )


def must_exist(it: Subscription, name: str, real: str | None, kind: str, shown: str) -> None:
    """Raises ``Refused`` (404) unless ``name`` is ``real``, whatever its case; None: there is none of this kind."""
    if real is None or name.casefold() != real.casefold():
        raise Refused(
            404,
            "ResourceNotFound",
            f"The Resource '{kind}/{shown}' under resource group '{it.group}' was not found. "
            "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        )
