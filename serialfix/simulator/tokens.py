"""ARM access tokens of the simulator: JWT-shaped, signed with a secret that lives as long as the process.

Shape and life: azure-serial-console.md 5 and 8.2 ("Tokens are JWT-shaped", 60-90 minutes); the claims and the texts of
the errors are common knowledge. Times are seconds since 1970, given by the caller.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

AUDIENCE = "https://management.azure.com/"
LIFETIME = 3600  # seconds

Trouble = Literal["missing", "invalid", "expired"]

_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@dataclass(frozen=True, slots=True)
class Tokens:
    """Issues and checks tokens. With ``any_token`` whatever looks like a JWT is good: another issuer's token."""

    tenant: str
    any_token: bool = False
    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)

    def issue(self, user: str, now: float, *, lifetime: float = LIFETIME) -> str:
        """A token for ``user``, valid from ``now`` for ``lifetime`` seconds."""
        header = {"typ": "JWT", "alg": "HS256"}
        claims = {
            "aud": AUDIENCE,
            "iss": f"https://sts.windows.net/{self.tenant}/",
            "tid": self.tenant,
            "iat": int(now),
            "nbf": int(now),
            "exp": int(now + lifetime),
            "upn": user,
            "jti": secrets.token_hex(8),
        }
        text = ".".join(_base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return f"{text}.{self._signature(text)}"

    def trouble(self, token: str, now: float) -> Trouble | None:
        """What is wrong with ``token`` at ``now``; None when it is good."""
        if not token:
            return "missing"
        if not _JWT.fullmatch(token):
            return "invalid"
        if self.any_token:
            return None
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(text)):
            return "invalid"
        # Only what this process signed gets here, so its claims have the shape that issue() gave them.
        return None if now < _claims(token)["exp"] else "expired"

    def _signature(self, text: str) -> str:
        return _base64url(hmac.new(self.secret, text.encode("ascii"), hashlib.sha256).digest())


def _claims(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(_decode(token.split(".")[1]))
    return claims


def grant(tokens: Tokens, form: dict[str, str], user: str, password: str, now: float) -> tuple[int, dict[str, Any]]:
    """The token endpoint: a decoded form in, status and JSON body out.

    Takes ``grant_type`` password (``username``, ``password``) and client_credentials (``client_id``,
    ``client_secret``), both with the announced login (RFC 6749 4.3, 4.4, 5.2).
    """
    names = {"password": ("username", "password"), "client_credentials": ("client_id", "client_secret")}
    kind = form.get("grant_type", "")
    if kind not in names:
        return 400, _refusal("unsupported_grant_type", f"The grant type '{kind}' is not supported by the simulator.")
    given = tuple(form.get(name, "") for name in names[kind])
    right = hmac.compare_digest(given[0].casefold().encode(), user.casefold().encode())
    if not (hmac.compare_digest(given[1].encode(), password.encode()) and right):
        return 400, _refusal(
            "invalid_grant", "AADSTS50126: Error validating credentials due to invalid username or password."
        )
    token = tokens.issue(user, now)
    body: dict[str, Any] = {
        "token_type": "Bearer",
        "scope": f"{AUDIENCE}user_impersonation",
        "expires_in": LIFETIME,
        "ext_expires_in": LIFETIME,
        "access_token": token,
    }
    return 200, body


def _refusal(code: str, description: str) -> dict[str, Any]:
    return {"error": code, "error_description": description, "error_codes": [50126], "trace_id": secrets.token_hex(16)}


def basic_login(header: str) -> tuple[str, str] | None:
    """The client id and secret of an HTTP Basic header, which RFC 6749 2.3.1 allows in place of form fields."""
    kind, _, value = header.partition(" ")
    if kind.casefold() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret
