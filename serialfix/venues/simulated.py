"""A running simulator: what it announced under the address given to ``--simulate``, and signing in to it.

A simulator (``serialfix simulate``) writes one JSON file, named after its port, into the user's cache folder; with it
comes where its certificate authority is and how to sign in. A file may outlive its simulator: then connecting fails,
and says so. The announcement is believed only where it stays on this machine.

    {"arm": "https://127.0.0.1:40123", "ca": "/tmp/.../ca.pem", "subscription": "...", "resource_group": "...",
     "vm": "...", "rdp": "127.0.0.1:40124", "user": "...", "password": "...", "tenant": "...", ...}
"""

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
import platformdirs

from serialfix.errors import AzureError, UsageError
from serialfix.venues.arm_errors import Target, not_reached, not_signed_in
from serialfix.venues.cloud import LOOPBACK, Cloud

T = TypeVar("T")


class _Announced(msgspec.Struct):
    arm: str
    ca: str
    subscription: str
    resource_group: str
    vm: str
    rdp: str
    user: str
    password: str
    tenant: str


class _State(msgspec.Struct):
    faults: list[str]


class _Ports(msgspec.Struct):
    ports: dict[str, str]


@dataclass(frozen=True, slots=True)
class Simulated:
    """A running simulator: its cloud, its one VM, and the login that its token endpoint takes."""

    cloud: Cloud
    subscription: str
    resource_group: str
    vm: str
    rdp_host: str
    rdp_port: int
    tenant: str
    user: str
    password: str = field(repr=False)

    @property
    def token_url(self) -> str:
        """Where tokens of this simulator are issued."""
        return f"{self.cloud.arm}/{self.tenant}/oauth2/v2.0/token"


def cache_folder() -> Path:
    """The user's cache folder of serialfix; ``SERIALFIX_CACHE_DIR`` overrides it."""
    chosen = os.environ.get("SERIALFIX_CACHE_DIR")
    return Path(chosen) if chosen else platformdirs.user_cache_path("serialfix")


def read_announcement(url: str) -> Simulated:
    """Find the simulator at ``url`` (``https://127.0.0.1:PORT``).

    Raises ``UsageError`` where the URL is not https on this machine, or no simulator announced itself there.
    """
    port = _port(url)
    path = cache_folder() / "simulators" / f"{port}.json"
    try:
        text = path.read_bytes()
    except OSError as problem:
        raise UsageError(
            f"No simulator has announced itself at {url}.",
            why=f"{path} cannot be read ({problem.strerror or problem}).",
            advice="Start one with: serialfix simulate. It prints the address to give to --simulate.",
        ) from None
    try:
        return _simulated(msgspec.json.decode(text, type=_Announced), port)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as problem:
        raise UsageError(
            f"What the simulator at {url} announced cannot be used: {problem}.",
            why=f"{path} is damaged, or was not written by a simulator of this version.",
            advice="Stop that simulator, remove the file, and start it again with: serialfix simulate",
        ) from None


async def sign_in(simulated: Simulated, scopes: tuple[str, ...]) -> tuple[str, int]:
    """Trade the announced login for a token: (token, Unix time of its end). Raises ``AzureError``."""
    target = Target(simulated.subscription)
    try:
        status, body = await _post_login(simulated, scopes)
    except (aiohttp.ClientError, OSError, TimeoutError) as problem:
        said = str(problem) or "no answer"
        failed = not_reached(f"The simulator at {simulated.cloud.arm}", said, target, simulated=True)
    else:
        if status != 200:
            failed = not_signed_in(f"HTTP {status}: {body[:500].decode('utf-8', 'replace')}", target)
        else:
            token = _token(body)
            if token is not None:
                return token
            failed = AzureError("The simulator's token endpoint answered something that is no token.")
    raise failed


async def _post_login(simulated: Simulated, scopes: tuple[str, ...]) -> tuple[int, bytes]:
    form = {
        "grant_type": "password",
        "username": simulated.user,
        "password": simulated.password,
        "scope": " ".join(scopes),
    }
    context = simulated.cloud.ssl_context()
    timeout = aiohttp.ClientTimeout(total=15)
    async with (
        aiohttp.ClientSession(trust_env=False, timeout=timeout) as session,
        session.post(simulated.token_url, data=form, ssl=context, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.content.read(64 * 1024)


class _Token(msgspec.Struct):
    access_token: str
    expires_in: int = 3600


def _token(body: bytes) -> tuple[str, int] | None:
    try:
        told = msgspec.json.decode(body, type=_Token, strict=False)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return told.access_token, int(time.time()) + told.expires_in


def _port(url: str) -> int:
    wrong = UsageError(
        f"{url!r} is not the address of a simulator.",
        why="A simulator is reached over https on this machine only.",
        advice="Give the address it printed when it started, such as --simulate https://127.0.0.1:8443",
    )
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme != "https" or host not in LOOPBACK or not port or parts.username is not None:
        raise wrong
    return port


def _simulated(said: _Announced, port: int) -> Simulated:
    arm = urlsplit(said.arm)
    if arm.scheme != "https" or arm.hostname not in LOOPBACK or arm.port != port:
        raise ValueError(f"its ARM is at {said.arm!r}, not on port {port} of this machine")
    rdp = urlsplit(f"//{said.rdp}")
    if rdp.hostname not in LOOPBACK or not rdp.port:
        raise ValueError(f"its RDP port is at {said.rdp!r}, not on this machine")
    base = f"https://{arm.netloc}"
    return Simulated(
        cloud=Cloud(
            name="simulated",
            arm=base,
            scope="https://management.azure.com/.default",
            gateway_suffix="127.0.0.1",
            ca=said.ca,
            authority=f"{arm.netloc}",
        ),
        subscription=said.subscription,
        resource_group=said.resource_group,
        vm=said.vm,
        rdp_host=rdp.hostname,
        rdp_port=rdp.port,
        tenant=said.tenant,
        user=said.user,
        password=said.password,
    )


async def what_is_wrong(cloud: Cloud, token: str) -> str:
    """The names of the faults of a simulated VM, as the simulator itself tells them; "" when it does not say."""
    state = await _asked(cloud, token, "state", _State)
    return "" if state is None else ", ".join(state.faults)


async def ports(cloud: Cloud, token: str) -> dict[int, tuple[str, int]]:
    """Where each TCP port of a simulated VM is reached on this machine; empty when the simulator does not say."""
    said = await _asked(cloud, token, "ports", _Ports)
    found = {}
    for number, address in said.ports.items() if said is not None else ():
        host, _, port = address.rpartition(":")
        if _is_port(number) and _is_port(port) and host in LOOPBACK:
            found[int(number)] = (host, int(port))
    return found


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


async def _asked(cloud: Cloud, token: str, what: str, kind: type[T]) -> T | None:
    """What the simulator's own interface says, or None when it does not."""
    context = cloud.ssl_context()
    headers = {"Authorization": f"Bearer {token}"}
    try:
        async with (
            aiohttp.ClientSession(trust_env=False, timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.get(f"{cloud.arm}/simulator/{what}", headers=headers, ssl=context) as response,
        ):
            return msgspec.json.decode(await response.read(), type=kind)
    except (aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
        return None
