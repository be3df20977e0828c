"""Transport: the websocket to Azure's serial gateway.

The protocol in short (azure-serial-console.md 0, 2, 9): open the URL that ``connect`` gave; the server speaks first;
answer with the ARM token as one TEXT frame, exactly once, because a second one would be typed into the VM; from then on
messages are raw serial bytes in both directions. Nothing acknowledges the token: it was taken if output comes, or
nothing comes, instead of a close. The gateway refuses correct clients with 1011 now and then (2.2), which
``open_serial.py`` answers with a new attempt.

The only module that imports ``websockets``. Its logging is off, since it writes frames, and with them the token.
"""

import asyncio
import logging
import re
import ssl
from collections import deque
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidProxy, InvalidStatus, InvalidURI

from serialfix.errors import AzureError, ConnectionLost
from serialfix.venues.arm_errors import Target, TryAgain, not_reached
from serialfix.venues.cloud import LOOPBACK
from serialfix.venues.neighbour import looks_like_second_user

PING = 10
"""Seconds between two pings, and for the answer to one: a line that fell silent is noticed after twice that."""

LARGEST_MESSAGE = 1024 * 1024
SILENCE_MEANS_TRUSTED = 1.5
"""Seconds without a close after which the token counts as taken: azure-serial-console.md 2.2 gives no better sign."""

# A logger outside the tree of named ones: no configuration, not even "everything at DEBUG", can make it write.
_MUTE = logging.Logger("serialfix.gateway", logging.CRITICAL + 1)
_MUTE.addHandler(logging.NullHandler())


class NotTrusted(TryAgain):
    """The gateway closed with 1011 "Connection not trusted" instead of taking the token."""


class _Direct(connect):
    """``connect`` that follows no redirect: the URL was checked, its successor would not be."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class _Once:
    """A secret that can be taken once and never shown."""

    __slots__ = ("_secret",)

    def __init__(self, secret: str) -> None:
        self._secret: str | None = secret

    def take(self) -> str:
        secret, self._secret = self._secret, None
        if secret is None:
            raise RuntimeError("a token is sent once only")
        return secret


class Gateway:
    """An open serial line: a ``Transport``."""

    __slots__ = ("_connection", "_kept")

    def __init__(self, connection: ClientConnection, kept: list[bytes]) -> None:
        self._connection = connection
        self._kept = deque(kept)

    async def receive(self) -> bytes:
        """The next message's bytes, TEXT or BINARY alike. Raises ``ConnectionLost``. May be cancelled."""
        if self._kept:
            return self._kept.popleft()
        try:
            return await self._connection.recv(decode=False)
        except ConnectionClosed as closed:
            code, reason = _close_of(closed)
        raise ConnectionLost(code, reason)

    async def send(self, data: bytes) -> None:
        """Send ``data`` (UTF-8) as one TEXT frame. Raises ``ConnectionLost``."""
        try:
            await self._connection.send(data, text=True)
        except ConnectionClosed as closed:
            code, reason = _close_of(closed)
        else:
            return
        raise ConnectionLost(code, reason)

    async def close(self) -> None:
        """Close with 1000; never raises, and lasts at most about two seconds."""
        await _end(self._connection)


async def open_gateway(
    url: str, token: str, *, suffix: str, ssl_context: ssl.SSLContext | None, first_message: float = 10.0
) -> Gateway:
    """Open the serial line at ``url`` and present ``token``.

    ``url``: the ``connectionString`` that ARM gave, unchanged. ``suffix``: the host it must have, or the domain its
    host must be in. ``ssl_context``: None for the system's authorities. ``first_message``: seconds to wait for the
    server to speak. Raises ``NotTrusted`` where the gateway does not take the token, ``TryAgain`` for what a new
    attempt with a new URL may cure, ``AzureError`` for the rest; ``ConnectionLost`` where the token was sent and the
    close looks like another user's coming, which no attempt of ours may answer. No exception holds the token.
    """
    secret = _Once(token)
    del token
    host = check_url(url, suffix)
    connection = await _open(url, host, ssl_context)
    try:
        await _wait_for_server(connection, host, first_message)
        await _present(connection, secret)
        kept = await _wait_for_verdict(connection)
    except BaseException:
        await _end(connection)
        raise
    return Gateway(connection, kept)


def check_url(url: str, suffix: str) -> str:
    """The host of ``url``. Raises ``AzureError`` unless it is wss and its host is, or is under, ``suffix``.

    The token goes there: a URL that leads anywhere else is refused, whoever gave it (azure-serial-console.md 9).
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        parts, host = urlsplit(""), ""
    is_address = re.fullmatch(r"[0-9.]+", suffix) is not None
    ours = host == suffix or (not is_address and host.endswith("." + suffix))
    plain = re.fullmatch(r"[a-z0-9.-]+", host) is not None and "@" not in parts.netloc
    if parts.scheme != "wss" or not ours or not plain:
        shown = f"{parts.scheme or '?'}://{parts.netloc or '?'}"[:200]
        raise AzureError(
            f"Azure named a serial gateway that is none: {shown}.",
            why=f"A serial gateway is reached by wss at {suffix}{'' if is_address else ' or a name under it'} only. "
            "The token is not sent anywhere else.",
            advice="Check which cloud is chosen (--cloud). If it is right, something between us and Azure changes "
            "its answers: do not go on.",
            code="WrongGateway",
        )
    return host


async def _open(url: str, host: str, ssl_context: ssl.SSLContext | None) -> ClientConnection:
    try:
        return await _Direct(
            url,
            ssl=ssl_context if ssl_context is not None else True,
            compression=None,
            proxy=None if host in LOOPBACK else True,
            max_size=LARGEST_MESSAGE,
            open_timeout=10,
            ping_interval=PING,
            ping_timeout=PING,
            close_timeout=2,
            user_agent_header="serialfix",
            logger=_MUTE,
        )
    except InvalidStatus as problem:
        failed = _not_upgraded(host, problem.response.status_code, problem.response.reason_phrase)
    except ImportError:
        failed = AzureError(
            "A SOCKS proxy is configured, and websockets cannot use it here.",
            why="The package python-socks is not installed.",
            advice="Install python-socks, or set HTTPS_PROXY to an HTTP proxy.",
            code="Proxy",
        )
    except (InvalidProxy, InvalidURI) as problem:
        failed = AzureError(
            f"The proxy that is configured cannot be used: {problem}.",
            advice="Check HTTPS_PROXY and NO_PROXY.",
            code="Proxy",
        )
    except (OSError, TimeoutError, InvalidHandshake, EOFError, UnicodeError) as problem:
        failed = not_reached(
            f"The serial gateway {host}", str(problem) or type(problem).__name__, Target(""), simulated=host in LOOPBACK
        )
    raise failed


def _not_upgraded(host: str, status: int, reason: str) -> AzureError:
    kind = TryAgain if status >= 500 or status in (404, 409, 410, 429) else AzureError
    return kind(
        f"The serial gateway {host} refused the websocket with HTTP {status} {reason}".rstrip() + ".",
        why="The address it was given is used up or too old, or a proxy does not let websockets through.",
        advice="Try again. Behind a proxy, allow *.serialconsole.azure.com with websockets.",
        code="NoWebsocket",
        status=status,
    )


async def _wait_for_server(connection: ClientConnection, host: str, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await connection.recv(decode=False)
    except TimeoutError:
        failed: AzureError = TryAgain(
            f"The serial gateway {host} said nothing for {seconds:g} s.",
            why="It speaks first, as a sign that it is ready for the token; without it the token is not sent.",
            advice="Try again. If it stays so, restart the VM: az vm restart; or see https://aka.ms/serialconsolehelp",
            code="GatewaySilent",
        )
    except ConnectionClosed as closed:
        failed = _closed_early(closed, "before it asked for the token")
    else:
        return
    raise failed


async def _present(connection: ClientConnection, secret: _Once) -> None:
    # What fails here is not chained: its traceback holds the frames that the token went through.
    try:
        await connection.send(secret.take(), text=True)
    except ConnectionClosed as closed:
        failed = _closed_early(closed.with_traceback(None), "before it took the token")
    else:
        return
    raise failed


async def _wait_for_verdict(connection: ClientConnection) -> list[bytes]:
    kept: list[bytes] = []
    try:
        async with asyncio.timeout(SILENCE_MEANS_TRUSTED):
            # A line break alone may still be the rest of the greeting; anything more is output, so the token was taken.
            while not (kept and kept[-1].strip()):
                kept.append(await connection.recv(decode=False))
    except TimeoutError:
        return kept
    except ConnectionClosed as closed:
        failed = _closed_for_another(closed) or _closed_early(closed, "instead of taking the token")
    else:
        return kept
    raise failed


def _closed_for_another(closed: ConnectionClosed) -> ConnectionLost | None:
    """The loss, where the console was ours and somebody else seems to have come.

    1011 is how the gateway refuses a token, and without another word it is taken for that.
    """
    lost = ConnectionLost(*_close_of(closed))
    refused = lost.code == 1011 and not lost.reason
    return lost if looks_like_second_user(lost) and not refused else None


def _closed_early(closed: ConnectionClosed, when: str) -> AzureError:
    code, reason = _close_of(closed)
    said = f"(code {code}{', ' + reason if reason else ''})"
    if code == 1011:
        return NotTrusted(
            f"The serial gateway closed the connection {when} {said}.",
            why="The gateway refuses correct clients now and then; the cause is not known. It also refuses a token "
            "of another tenant than the VM's.",
            advice="Try again in a minute. If it stays so, check the tenant: az account show --query tenantId",
            code="1011",
        )
    return TryAgain(
        f"The serial gateway closed the connection {when} {said}.",
        why="Another user may have connected to this console, the VM may have stopped, or the network failed.",
        advice="Try again.",
        code=str(code),
    )


def _close_of(closed: ConnectionClosed) -> tuple[int, str]:
    """The close code and reason that came; 1006 and our own reason where none came."""
    if closed.rcvd is not None:
        return closed.rcvd.code, closed.rcvd.reason
    if closed.sent is not None and closed.sent.reason:
        return 1006, closed.sent.reason
    return 1006, ""


async def _end(connection: ClientConnection) -> None:
    try:
        async with asyncio.timeout(2.5):
            await connection.close()
    except (TimeoutError, OSError, ConnectionClosed):
        connection.transport.abort()
