"""The look from outside, at servers of every kind on loopback."""

import asyncio
import base64
import errno
import json
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Output
from serialfix.venues import outside
from serialfix.venues.outside import look, read_reply
from serialfix.windows.rdp_look import RdpLook, parse
from tests.venues.conftest import Start
from tests.venues.standins import (
    NEG_HYBRID,
    NEG_PLAIN,
    NEG_RDP,
    NEG_SSL,
    Pem,
    failure,
    make_certificate,
    rdp,
    reset,
    server_context,
    silent,
    tcp_server,
)

OLD = ssl.TLSVersion


async def see(port: int, *, timeout: float = 0.4) -> RdpLook:  # noqa: ASYNC109
    return parse(Output(await look("127.0.0.1", port, timeout=timeout), None, "direct"))


def with_nla(protocols: int) -> bytes:
    return NEG_HYBRID if protocols & 2 else failure(5)


async def test_no_address_is_no_verdict_about_the_vm() -> None:
    seen = parse(Output(await look(None, 3389), None, "direct"))
    assert seen.verdict == "not_reachable_from_here"
    assert "no address" in seen.sentence


async def test_closed_port_is_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    seen = await see(port)
    assert seen.verdict == "tcp_refused"
    assert seen.versions == ()


async def test_a_name_that_does_not_exist_is_not_the_vms_fault() -> None:
    for name in ("no-such-host.invalid", "x" * 64 + ".invalid", "nul\0.invalid"):
        seen = parse(Output(await look(name, 3389, timeout=3), None, "direct"))
        assert seen.verdict == "not_reachable_from_here"


async def test_a_port_that_never_accepts_times_out() -> None:
    # A listener whose backlog is full drops what else comes, as a firewall does.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            seen = await see(port, timeout=0.3)
        finally:
            for one in waiting:
                one.close()
    assert seen.verdict == "tcp_timeout"


@pytest.mark.parametrize(
    ("problem", "reach"),
    [
        (OSError(errno.ENETUNREACH, "Network is unreachable"), "no_route"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "no_route"),
        (PermissionError(errno.EPERM, "Operation not permitted"), "no_route"),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), "timeout"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "refused"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "no_name"),
        (OSError("Multiple exceptions"), "no_route"),
    ],
)
async def test_how_a_system_says_no(monkeypatch: pytest.MonkeyPatch, problem: OSError, reach: str) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise problem

    monkeypatch.setattr(asyncio, "open_connection", fail)
    document = json.loads(await look("127.0.0.1", 3389))
    assert document["reach"] == reach
    assert document["detail"]


async def test_healthy_with_nla(pem: Pem) -> None:
    async with tcp_server(rdp(with_nla, server_context(pem))) as port:
        seen = await see(port, timeout=5)
    assert seen.verdict == "tls_ok"
    assert seen.healthy
    assert seen.nla == "required"
    assert seen.selected == "HYBRID"
    assert dict(seen.versions)["TLSv1.2"] == dict(seen.versions)["TLSv1.3"] == "tls_ok"
    assert dict(seen.versions)["TLSv1"] != "tls_ok"
    assert seen.certificate is not None
    assert seen.certificate.self_signed
    assert seen.certificate_valid


async def test_nla_not_required(pem: Pem) -> None:
    async with tcp_server(rdp(lambda asked: NEG_HYBRID if asked & 2 else NEG_SSL, server_context(pem))) as port:
        assert (await see(port, timeout=5)).nla == "not required"


async def test_only_tls_1_0_works(pem: Pem) -> None:
    old = server_context(pem, OLD.TLSv1, OLD.TLSv1)
    async with tcp_server(rdp(with_nla, old)) as port:
        seen = await see(port, timeout=5)
    results = dict(seen.versions)
    if results["TLSv1"] == "not_offered_here":
        pytest.skip("OpenSSL here was built without TLS 1.0")
    assert results["TLSv1"] == "tls_ok"
    assert results["TLSv1.2"] == "tls_alert"
    assert seen.verdict == "tls_alert"
    assert not seen.healthy
    assert seen.certificate is not None
    assert "TLSv1 only" in seen.sentence
    # OpenSSL's server answers with its own old version, and our side refuses that; Schannel sends an alert.
    assert dict(seen.alerts)["TLSv1.2"] in ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION")


async def test_an_expired_certificate_is_seen_and_no_failure(tmp_path: Path) -> None:
    expired = make_certificate(tmp_path, "OLDVM", days=(-400, -3))
    async with tcp_server(rdp(with_nla, server_context(expired))) as port:
        seen = await see(port, timeout=5)
    assert seen.healthy
    assert seen.certificate_valid is False
    assert "expired on" in seen.sentence
    assert seen.certificate is not None
    assert seen.certificate.subject == "CN=OLDVM"


async def test_reset_in_every_handshake() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        reset(writer)

    async with tcp_server(rdp(with_nla, cut)) as port:
        seen = await see(port, timeout=5)
    assert seen.verdict == "tls_reset"
    assert seen.nla == "required"
    assert seen.sentence == "The port answers as RDP and asks for TLS, but then resets every TLS handshake."


async def test_end_of_stream_in_the_handshake_is_a_reset() -> None:
    async with tcp_server(rdp(with_nla)) as port:
        assert (await see(port, timeout=5)).verdict == "tls_reset"


async def test_stall_in_the_handshake() -> None:
    async with tcp_server(rdp(with_nla, silent)) as port:
        seen = await see(port, timeout=0.2)
    assert seen.verdict == "tls_stall"
    assert "silent" in seen.sentence


async def test_alert_is_named() -> None:
    async def alert(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(bytes.fromhex("15030300020228"))  # fatal, handshake_failure
        await writer.drain()

    async with tcp_server(rdp(with_nla, alert)) as port:
        seen = await see(port, timeout=5)
    assert seen.verdict == "tls_alert"
    assert "HANDSHAKE_FAILURE" in dict(seen.alerts)["TLSv1.2"]


@pytest.mark.parametrize(
    ("answer", "verdict", "code", "words"),
    [
        (failure(2), "neg_failure", 2, "does not allow TLS"),
        (failure(3), "neg_failure", 3, "no certificate"),
        (NEG_RDP, "neg_failure", None, "without TLS"),
        (NEG_PLAIN, "neg_failure", None, "without TLS"),
        (b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n", "not_rdp", None, "HTTP/1.1 400 Bad Request"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not_rdp", None, "SSH-2.0-OpenSSH_9.2"),
        (b"\x03\x00\x00\x08\x02\xf0\x80\x00", "not_rdp", None, "not RDP"),
        (b"\x03\x00\x00", "closed_before_x224", None, "closes"),
        (b"", "closed_before_x224", None, "closes"),
    ],
)
async def test_negotiation(answer: bytes, verdict: str, code: int | None, words: str) -> None:
    async with tcp_server(rdp(lambda _: answer)) as port:
        seen = await see(port, timeout=2)
    assert seen.verdict == verdict
    assert seen.failure_code == code
    assert words in seen.sentence
    assert seen.versions == ()


async def test_a_reset_before_the_answer() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4)
        reset(writer)

    async with tcp_server(cut) as port:
        assert (await see(port)).verdict == "closed_before_x224"


@pytest.mark.parametrize("first", [b"", b"\x03\x00\x00\x13\x0e"])
async def test_silence(first: bytes) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await silent(reader, writer)

    async with tcp_server(mute) as port:
        assert (await see(port, timeout=0.2)).verdict == "no_x224_reply"


async def test_a_listener_at_its_limit_closes_the_second_connection(pem: Pem) -> None:
    served = 0
    inner = rdp(with_nla, server_context(pem))

    async def limited(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        served += 1
        if served == 1:
            await inner(reader, writer)

    async with tcp_server(limited) as port:
        seen = await see(port, timeout=2)
    assert seen.verdict == "closed_before_x224"
    assert dict(seen.versions)["TLSv1.2"] == "no_negotiation"


async def test_a_flood_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            # A TLS record of the handshake type whose message never ends.
            writer.write(b"\x16\x03\x03\x40\x00" + b"\x02\x00\xff\xff" + b"\x00" * 0x3FFC)
            sent += 0x4005
            await writer.drain()

    monkeypatch.setattr(outside, "MOST_TLS_BYTES", 64 * 1024)
    async with tcp_server(rdp(with_nla, flood)) as port:
        seen = await see(port, timeout=3)
    assert not seen.healthy
    assert sent < 64 * 1024 * 1024


async def test_the_whole_look_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "WHOLE_LOOK", 0.5)
    async with tcp_server(rdp(with_nla, silent)) as port:
        began = time.monotonic()
        seen = await see(port, timeout=0.3)
        took = time.monotonic() - began
    assert took < 3
    assert seen.verdict == "tls_stall"
    assert "not_tried" in dict(seen.versions).values()


async def test_the_certificate_is_the_one_shown(pem: Pem) -> None:
    async with tcp_server(rdp(with_nla, server_context(pem))) as port:
        document = json.loads(await look("127.0.0.1", port))
    assert base64.b64decode(document["certificate"]) == pem.der


@given(st.binary(max_size=600), st.sampled_from(["closed", "no_reply"]))
def test_any_bytes_make_a_readable_reply(seen: bytes, otherwise: str) -> None:
    reply = read_reply(seen, otherwise)
    document: dict[str, Any] = {
        "host": "192.0.2.1",
        "port": 3389,
        "at": "2026-11-22T10:00:00+00:00",
        "elapsed": 1.0,
        "reach": "open",
        "detail": "",
        "x224": reply,
        "tls": {"TLSv1.2": {"result": "tls_stall"}},
        "certificate": None,
        "nla": reply,
    }
    assert parse(Output(json.dumps(document), None, "direct")).sentence


@given(st.integers(0, 2**32 - 1), st.integers(0, 255), st.sampled_from([2, 3]), st.integers(0, 65535))
def test_every_well_formed_answer_is_understood(value: int, flags: int, kind: int, reference: int) -> None:
    body = b"\x0e\xd0\x00\x00" + reference.to_bytes(2, "big") + b"\x00"
    body += bytes([kind, flags]) + b"\x08\x00" + value.to_bytes(4, "little")
    reply = read_reply(b"\x03\x00\x00\x13" + body, "closed")
    assert reply == (
        {"result": "selected", "selected": value, "flags": flags}
        if kind == 2
        else {"result": "failure", "code": value, "flags": flags}
    )


@pytest.mark.parametrize("windows", ["2016", "2022"])
async def test_the_simulators_healthy_port(simulator: Start, windows: str) -> None:
    simulated = await asyncio.to_thread(simulator, "--seed", "5", "--windows", windows, "--fault", "healthy")
    seen = await see(simulated.rdp_port, timeout=5)
    assert seen.healthy
    assert seen.nla == "required"
    assert ("TLSv1.3", "tls_ok") not in seen.versions or windows == "2022"
    assert seen.certificate is not None
    assert seen.certificate.self_signed
    assert seen.certificate_valid


async def test_the_simulators_port_without_tls(simulator: Start) -> None:
    verdicts = set()
    for seed in ("1", "2", "3"):
        simulated = await asyncio.to_thread(simulator, "--seed", seed, "--fault", "tls-disabled")
        verdicts.add((await see(simulated.rdp_port, timeout=5)).verdict)
    assert verdicts <= {"neg_failure", "tls_reset", "tls_alert"}


@pytest.mark.program("freerdp-shadow-cli")
@pytest.mark.skipif(
    not (shutil.which("freerdp-shadow-cli") and shutil.which("Xvfb")),
    reason="freerdp-shadow-cli or Xvfb is not installed here",
)
@pytest.mark.parametrize(("security", "nla"), [("nla", "required"), ("tls", "not required")])
async def test_freerdps_own_server(tmp_path: Path, security: str, nla: str) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    display = subprocess.Popen(  # noqa: ASYNC220
        ["Xvfb", "-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert display.stdout is not None
    number = display.stdout.readline().strip()
    server = subprocess.Popen(  # noqa: ASYNC220
        ["freerdp-shadow-cli", f"/port:{port}", "/bind-address:127.0.0.1", f"/sec:{security}", "-auth"],
        env={"DISPLAY": f":{number}", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        seen = await see(port, timeout=3)
        for _ in range(100):
            if seen.verdict != "tcp_refused":
                break
            await asyncio.sleep(0.1)
            seen = await see(port, timeout=3)
    finally:
        for program in (server, display):
            program.terminate()
            program.wait(timeout=10)
        display.stdout.close()
    assert seen.verdict == "tls_ok"
    assert seen.nla == nla
    assert seen.certificate is not None
