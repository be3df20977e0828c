import asyncio
import ssl

import aiohttp

from serialfix.simulator.faults import build
from serialfix.simulator.line import Line
from serialfix.simulator.rdp_port import RdpPort
from serialfix.simulator.server import Options, serving
from serialfix.simulator.vm import Vm
from tests.simulator.test_x224 import request, verdict
from tests.simulator.world import CALM, shell

MOVE = (
    r'reg add "HKLM\SYSTEM\CurrentControlSet\Control\Terminal Server\WinStations\RDP-Tcp" /v PortNumber /t REG_DWORD'
    r" /d 33890 /f",
    "netsh advfirewall firewall add rule name=r dir=in action=allow protocol=TCP localport=33890",
    "net stop TermService /y",
    "net start TermService",
)


async def talk(address: str, data: bytes) -> bytes:
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(data)
        return await asyncio.wait_for(reader.read(200), 5)
    finally:
        writer.close()


async def ports(running: object) -> dict[str, str]:
    it = running.announcement  # type: ignore[attr-defined]
    tls = ssl.create_default_context(cafile=it.ca)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as http:
        form = {"grant_type": "password", "username": it.user, "password": it.password, "scope": "x"}
        async with http.post(f"{it.arm}/{it.tenant}/oauth2/v2.0/token", data=form) as response:
            token = (await response.json())["access_token"]
        async with http.get(f"{it.arm}/simulator/ports", headers={"Authorization": f"Bearer {token}"}) as response:
            found: dict[str, str] = (await response.json())["ports"]
            return found


def seed_that_answers(what: str) -> Vm:
    return next(
        vm for seed in range(50) if (vm := build(["port-hijack-stubborn"], "2022", seed)).rdp_port().behaviour == what
    )


async def test_a_moved_port_is_served_outside_too_and_the_front_door_shows_the_squatter() -> None:
    vm = seed_that_answers("http")
    async with serving(vm, Line(vm, CALM, 1, 0.0), Options(rdp_idle=1.0)) as running:
        assert await ports(running) == {"3389": running.announcement.rdp}
        assert (await talk(running.announcement.rdp, request(11))).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert (await talk(running.announcement.rdp, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        shell(vm, *MOVE)
        await running.ports.follow()
        found = await ports(running)
        assert found["3389"] == running.announcement.rdp
        assert verdict(await talk(found["33890"], request(11)))[0] == 2
        assert (await talk(found["3389"], request(11))).startswith(b"HTTP/1.1 400")


async def test_another_program_greets_first() -> None:
    vm = seed_that_answers("foreign")
    async with serving(vm, Line(vm, CALM, 1, 0.0), Options(rdp_idle=1.0)) as running:
        assert (await talk(running.announcement.rdp, b"")) == b"RFB 003.008\n"


async def test_a_broken_key_is_an_accepted_negotiation_and_a_reset_and_an_expired_certificate_a_handshake() -> None:
    for fault, works in (("key-permissions", False), ("cert-missing-key", False), ("cert-expired", True)):
        vm = next(
            vm
            for s in range(50)
            if (vm := build([fault], "2022", s)).rdp_port().certificate_pem  # not the one without
        )
        async with serving(vm, Line(vm, CALM, 1, 0.0), Options(rdp_idle=1.0)) as running:
            host, _, port = running.announcement.rdp.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(request(11))
            assert verdict(await reader.readexactly(19))[0] == 2
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = context.wrap_bio(incoming, outgoing)
            ended = False
            for _ in range(20):
                try:
                    tls.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    writer.write(outgoing.read())
                try:
                    data = await asyncio.wait_for(reader.read(4096), 5)
                except ConnectionResetError:
                    data = b""
                if not data:
                    ended = True
                    break
                incoming.write(data)
            assert ended != works, fault
            if works:
                from cryptography import x509

                der = tls.getpeercert(binary_form=True)
                assert der is not None
                assert x509.load_der_x509_certificate(der).not_valid_after_utc < vm.clock()
            else:
                assert any(event.number == 36870 for event in vm.log), fault
            writer.close()


def test_a_blocked_port_says_nothing() -> None:
    vm = build([], "2022", 1)
    shell(vm, *MOVE[:1], *MOVE[2:])
    assert vm.rdp_port(33890) == RdpPort("silent")
    assert vm.open_ports() == (3389, 33890)
