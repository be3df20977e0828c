"""Small servers on loopback that show what the simulator cannot: odd gateways and RDP ports, a rude ARM."""

import asyncio
import datetime
import ipaddress
import socket
import ssl
import struct
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]

NEG_HYBRID = bytes.fromhex("030000130ed000000000000209080002000000")
NEG_SSL = bytes.fromhex("030000130ed000000000000200080001000000")
NEG_RDP = bytes.fromhex("030000130ed000000000000200080000000000")
NEG_PLAIN = bytes.fromhex("0300000b06d00000000000")


def failure(code: int) -> bytes:
    return bytes.fromhex("030000130ed00000000000030008") + b"\x00" + code.to_bytes(4, "little")


@dataclass(frozen=True)
class Pem:
    """A self-signed certificate for 127.0.0.1, in files."""

    certificate: Path
    key: Path
    der: bytes


def make_certificate(folder: Path, name: str = "127.0.0.1", *, days: tuple[int, int] = (-1, 30)) -> Pem:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = Pem(folder / f"{name}.pem", folder / f"{name}.key", certificate.public_bytes(serialization.Encoding.DER))
    pem.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return pem


def server_context(
    pem: Pem,
    oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem.certificate, pem.key)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = oldest
        context.maximum_version = newest
    return context


@asynccontextmanager
async def tcp_server(handler: Handler) -> AsyncIterator[int]:
    """Serve ``handler`` on a free port; it may end as it likes."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def reset(writer: asyncio.StreamWriter) -> None:
    """End the connection by RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def rdp(answer: Callable[[int], bytes], then: Handler | ssl.SSLContext | None = None) -> Handler:
    """An RDP port: ``answer`` of the requested protocols, then TLS with a context, or whatever ``then`` does."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = await reader.readexactly(19)
        said = answer(int.from_bytes(asked[15:19], "little"))
        writer.write(said)
        await writer.drain()
        if isinstance(then, ssl.SSLContext):
            await writer.start_tls(then)
            await reader.read()
        elif then is not None:
            await then(reader, writer)

    return handler


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything, say nothing, until the other side goes."""
    while await reader.read(4096):
        pass


@asynccontextmanager
async def https_server(pem: Pem, handler: HttpHandler) -> AsyncIterator[int]:
    """Serve every path over https on a free port."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=server_context(pem))
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
