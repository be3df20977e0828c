import asyncio
import socket
import ssl
import struct
import warnings
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest
from cryptography import x509

from serialfix.simulator import keys, pki, rdp, x224
from serialfix.simulator.rdp_port import RdpPort, Tls

from .test_x224 import request, verdict

KEY = keys.key_pem(0)
NOW = pki.today()
CERTIFICATE = pki.rdp_certificate("win-sim", KEY, NOW)
WORKING = RdpPort("rdp", frozenset({"TLSv1.2", "TLSv1.3"}), certificate_pem=CERTIFICATE, key_pem=KEY)


@dataclass
class Vm:
    port: RdpPort
    states: list[RdpPort] = field(default_factory=list)

    def rdp_port(self) -> RdpPort:
        return self.port


@asynccontextmanager
async def serving(port: RdpPort, idle: float = 5.0) -> AsyncIterator[tuple[rdp.RdpServer, Vm]]:
    vm = Vm(port)
    server = rdp.RdpServer(vm.rdp_port, idle=idle)
    await server.start()
    try:
        yield server, vm
    finally:
        await server.close()


@contextmanager
def negotiated(port: int, protocols: int = 11) -> Iterator[tuple[socket.socket, tuple[int, int]]]:
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(request(protocols))
        yield connection, verdict(connection.recv(19, socket.MSG_WAITALL))


def client(version: Tls) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version = context.maximum_version = getattr(ssl.TLSVersion, version.replace(".", "_"))
    return context


def shake(port: int, version: Tls) -> tuple[str | None, bytes]:
    with negotiated(port) as (connection, _), client(version).wrap_socket(connection) as tls:
        return tls.version(), tls.getpeercert(True) or b""


ALL: tuple[Tls, ...] = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@pytest.mark.parametrize(
    "offered",
    [{"TLSv1.2"}, {"TLSv1.3"}, {"TLSv1", "TLSv1.2"}, {"TLSv1", "TLSv1.1"}, {"TLSv1.1", "TLSv1.3"}, set(ALL)],
)
async def test_exactly_the_offered_versions_work(offered: set[Tls]) -> None:
    async with serving(replace(WORKING, tls=frozenset(offered))) as (server, _):
        for version in ALL:
            if version in offered:
                assert (await asyncio.to_thread(shake, server.port, version))[0] == version
            else:
                with pytest.raises(ssl.SSLError, match=r"(?i)alert|unsupported"):
                    await asyncio.to_thread(shake, server.port, version)


async def test_the_certificate_is_the_one_of_the_vm() -> None:
    async with serving(WORKING) as (server, vm):
        _, der = await asyncio.to_thread(shake, server.port, "TLSv1.2")
        seen = x509.load_der_x509_certificate(der)
        assert seen.subject.rfc4514_string() == "CN=win-sim"
        assert seen.not_valid_before_utc < NOW < seen.not_valid_after_utc
        assert timedelta(days=180) < seen.not_valid_after_utc - seen.not_valid_before_utc < timedelta(days=186)
        old = pki.rdp_certificate("win-sim", KEY, NOW - timedelta(days=400))
        vm.port = replace(WORKING, certificate_pem=old)
        _, der = await asyncio.to_thread(shake, server.port, "TLSv1.2")
        assert x509.load_der_x509_certificate(der).not_valid_after_utc < NOW


async def test_it_listens_only_while_the_vm_does() -> None:
    async with serving(replace(WORKING, behaviour="closed")) as (server, vm):
        for _ in range(3):
            with pytest.raises(ConnectionRefusedError):
                await asyncio.to_thread(shake, server.port, "TLSv1.2")
            vm.port = WORKING
            await server.follow()
            assert (await asyncio.to_thread(shake, server.port, "TLSv1.2"))[0] == "TLSv1.2"
            vm.port = replace(WORKING, behaviour="closed")
            await server.follow()


async def test_a_change_of_state_is_noticed_without_being_told() -> None:
    async with serving(replace(WORKING, behaviour="closed")) as (server, vm):
        vm.port = WORKING
        for _ in range(50):
            try:
                version, _ = await asyncio.to_thread(shake, server.port, "TLSv1.2")
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                break
        assert version == "TLSv1.2"


async def test_a_silent_port_takes_everything_and_says_nothing() -> None:
    async with serving(RdpPort("silent"), idle=0.3) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request(11))
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_no_version_and_reset_is_a_reset_after_the_client_hello() -> None:
    async with serving(RdpPort("rdp", no_tls="reset")) as (server, _):
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(shake, server.port, "TLSv1.2")


async def test_a_key_that_does_not_fit_is_a_reset() -> None:
    async with serving(replace(WORKING, key_pem=keys.key_pem(1))) as (server, _):
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(shake, server.port, "TLSv1.2")


async def test_after_the_handshake_it_waits_and_then_closes() -> None:
    def stay(port: int) -> bytes:
        with negotiated(port) as (connection, _), client("TLSv1.2").wrap_socket(connection) as tls:
            tls.settimeout(5)
            return tls.recv(100)

    async with serving(WORKING, idle=0.3) as (server, _):
        assert await asyncio.to_thread(stay, server.port) == b""


@pytest.mark.parametrize(
    "garbage", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x03\x00\xff\xff", b"\x03\x00\x00\x0b" + bytes(7)]
)
async def test_what_is_not_rdp_is_closed_and_the_port_lives_on(garbage: bytes) -> None:
    async with serving(WORKING) as (server, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(garbage)
        with suppress(ConnectionResetError):  # it was closed with bytes unread
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        assert (await asyncio.to_thread(shake, server.port, "TLSv1.2"))[0] == "TLSv1.2"


async def test_clients_that_leave_at_any_byte_do_no_harm() -> None:
    whole = request(11, b"Cookie: mstshash=a")
    async with serving(WORKING) as (server, _):
        for cut in range(len(whole) + 1):
            with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
                connection.sendall(whole[:cut])
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", cut % 2, 0))
            await asyncio.sleep(0)
        assert (await asyncio.to_thread(shake, server.port, "TLSv1.3"))[0] == "TLSv1.3"


async def test_nla_refuses_a_client_that_offers_tls_only() -> None:
    def ask(port: int) -> tuple[int, int]:
        with negotiated(port, x224.SSL) as (_, answer):
            return answer

    async with serving(WORKING) as (server, _):
        assert await asyncio.to_thread(ask, server.port) == (3, x224.HYBRID_REQUIRED)
