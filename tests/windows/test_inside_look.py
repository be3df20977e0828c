"""The look from inside: read back from the simulator's own PowerShell, and junk that is never more than unreadable."""

import asyncio
import base64
import re
import string
from datetime import UTC, datetime

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.console.channels import Login
from serialfix.engine import Request
from serialfix.simulator import stores
from serialfix.simulator.baseline import SCHANNEL
from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS
from serialfix.simulator.line import Line
from serialfix.simulator.powershell import catalogue
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.vm import Vm
from serialfix.steps import Command, Output, Unknown, Unreadable
from serialfix.venues.serial import SerialVenue
from serialfix.windows.inside_look import CLIENT_OFF, inside, parse, script
from serialfix.windows.probes import TLS_PROTOCOLS
from serialfix.windows.rdp_look import RdpLook
from tests.simulator.powershell.console import answer
from tests.simulator.world import YEARS, ask
from tests.virtual import VirtualLine

SELECTED = "03-00-00-13-0E-D0-00-00-12-34-00-02-1F-08-00-08-00-00-00"
REFUSED = "03-00-00-13-0E-D0-00-00-12-34-00-03-00-08-00-03-00-00-00"
TICKS = "639013392000000000"
SEEDS = range(10)
FAULTS = (
    "healthy", "tls-disabled", "cert-expired", "cert-missing-key", "key-permissions", "port-hijack",
    "port-hijack-stubborn",
)  # fmt: skip


def attempt(stage: int, native: str = "", result: str = "", seen: str = SELECTED) -> str:
    return f"{stage};{native};{result};{TICKS};{seen}\n"


def read(text: str, port: int = 3389, client_off: bool | None = None) -> RdpLook:
    return parse(Output(text, 0, "checksum"), port, client_off)


def look(vm: Vm, port: int = 3389) -> RdpLook:
    return read(answer(vm, script(port)), port)


def client_off(vm: Vm) -> bool:
    return vm.registry.number(rf"{SCHANNEL}\Protocols\TLS 1.2\Client", "Enabled") == 0


# -- what is typed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [1, 3389, 65535])
def test_the_line_is_short_and_plain(port: int) -> None:
    text = script(port)
    assert len(text) <= 800
    assert set(text) <= set(string.ascii_letters + string.digits + string.punctuation + " ") - set('"#`%')
    query = inside(port).query
    assert isinstance(query, Command)
    assert (query.shell, query.effect, query.text) == ("powershell", "read", text)


def test_the_simulated_powershell_lists_all_that_is_used() -> None:
    page = catalogue.page().lower()
    text = script(3389)
    types = re.findall(r"(?<![$\w])\[([a-z.]+)\](?!\s*\d)", text, re.IGNORECASE) + re.findall(
        r"New-Object ([\w.]+)", text
    )
    methods = re.findall(r"(?:\.|::)(\w+)\(", text)
    assert len(types) > 4
    assert len(methods) > 7
    for name in [*types, *methods]:
        assert re.search(rf"[`.\[]{name.lower()}[`\]\[]", page), name


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_never_typed(port: int) -> None:
    with pytest.raises(ValueError, match="no TCP port"):
        inside(port)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_letter_case_does_not_matter(data: st.DataObject) -> None:
    vm = build([], "2022", 3)
    text = script(3389)
    swapped = "".join(
        letter.swapcase() if flip else letter
        for letter, flip in zip(
            text, data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text))), strict=True
        )
    )
    assert read(answer(vm, swapped)).verdict == "tls_ok"


# -- against the truth ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("windows", YEARS)
def test_it_says_what_is_true(fault: str, windows: str) -> None:
    for seed in SEEDS:
        vm = build([fault], windows, seed)
        before, truth = vm.state(), vm.listener
        assert truth is not None
        text = answer(vm, script(3389))
        assert vm.state() == before
        if fault == "tls-disabled" and client_off(vm) and text.startswith("3;"):
            with pytest.raises(Unreadable, match="client side"):
                read(text)
            continue
        seen = read(text)
        if fault in {"healthy", "cert-expired"} and truth.credential.held is not None:
            assert seen.verdict == "tls_ok"
            assert seen.certificate is not None
            assert seen.certificate.sha1 in {
                held.thumbprint for held in stores.held(vm.registry, stores.REMOTE_DESKTOP)
            }
            assert seen.certificate_valid is (fault == "healthy")
            assert seen.selected == "HYBRID_EX"
        elif fault.startswith("port-hijack"):
            assert seen.verdict == "not_rdp"
            assert bytes.fromhex(seen.first_bytes).startswith((b"HTTP/1.1", b"RFB"))
        else:
            assert not seen.healthy
            assert seen.verdict in {"tls_reset", "neg_failure"}
            assert seen.verdict == ("tls_reset" if vm.rdp_port(inside=True).no_tls == "reset" else "neg_failure")
            if seen.verdict == "neg_failure":
                assert str(seen.failure_code) == vm.rdp_port(inside=True).no_tls[-1]


@pytest.mark.parametrize("windows", YEARS)
def test_a_closed_port(windows: str) -> None:
    seen = look(build([], windows, 1), 3390)
    assert (seen.verdict, seen.port, seen.healthy) == ("tcp_refused", 3390, False)


def test_the_time_is_the_vms() -> None:
    vm = build([], "2022", 2)
    seen = look(vm)
    assert abs((seen.at - vm.clock()).total_seconds()) < 60


def test_the_firewall_is_not_in_it() -> None:
    vm = build([], "2022", 1)
    answer(vm, "Get-NetFirewallRule RemoteDesktop* | Disable-NetFirewallRule")
    assert vm.rdp_port().behaviour == "silent"
    assert look(vm).healthy


@pytest.mark.parametrize(("value", "number"), [("Enabled", 0), ("DisabledByDefault", 1)])
def test_the_vms_own_client_side(value: str, number: int) -> None:
    """0a.1: off for everybody means unknown; off by default does not stop a program that names the version."""
    vm = build([], "2022", 1)
    vm.registry.set(rf"{SCHANNEL}\Protocols\TLS 1.2\Client", value, REG_DWORD, number)
    off = asked_for_client_off(vm)
    assert off is (value == "Enabled")
    text = answer(vm, script(3389))
    if not off:
        assert read(text).healthy
        return
    for known in (None, True):
        with pytest.raises(Unreadable, match="client side"):
            read(text, client_off=known)
    assert any(event.number == 36871 and ("Type", "client") in event.data for event in vm.log)


def asked_for_client_off(vm: Vm) -> bool:
    query = CLIENT_OFF.query
    assert isinstance(query, Command)
    return CLIENT_OFF.parse(Output(ask(vm, query.text), 0, "checksum"))


@pytest.mark.parametrize("windows", YEARS)
def test_the_client_side_is_told_from_what_is_asked_for_the_server_side(windows: str) -> None:
    assert CLIENT_OFF.query == TLS_PROTOCOLS.query
    for seed in SEEDS:
        vm = build(["tls-disabled"], windows, seed)
        assert asked_for_client_off(vm) is client_off(vm)


@pytest.mark.parametrize("text", ["", "junk", "\nHKEY_LOCAL_MACHINE\\SOFTWARE\n    a    REG_SZ    b\n"])
def test_a_client_side_that_cannot_be_read(text: str) -> None:
    with pytest.raises(Unreadable):
        CLIENT_OFF.parse(Output(text, 1, "checksum"))


def test_only_old_versions_on_the_server_side() -> None:
    """Schannel's client says it in one of three ways, of which one could be its own fault as well."""
    told = set()
    for seed in SEEDS:
        vm = build([], "2016", seed)
        for value, number in (("Enabled", 0), ("DisabledByDefault", 1)):
            vm.registry.set(rf"{SCHANNEL}\Protocols\TLS 1.2\Server", value, REG_DWORD, number)
        vm.read_listener()
        text = answer(vm, script(3389))
        seen = read(text, client_off=False)
        assert (seen.verdict, seen.healthy) == ("tls_alert", False)
        told.add(seen.alerts[0][1])
        if "MISMATCH" in seen.alerts[0][1]:
            with pytest.raises(Unreadable, match="no version in common"):
                read(text)
        else:
            assert read(text) == seen
    assert len(told) > 1


def test_a_limited_powershell_is_no_answer() -> None:
    vm = build([], "2022", 1)
    vm.language_mode = "ConstrainedLanguage"
    with pytest.raises(Unreadable, match="ConstrainedLanguage"):
        look(vm)


@pytest.mark.parametrize("windows", ["2016", "2022"])
def test_over_the_serial_line(windows: str) -> None:
    """Typed by the client itself, at a PowerShell that it opens over a bad line."""
    vm = build(["cert-expired"], windows, 3)
    line = VirtualLine(Line(vm, PRESETS["real"], 3, 0.0))
    venue = SerialVenue(line, Login(vm.user, "", vm.password), "nonce", lambda text: None)
    probe = inside(3389)

    async def session() -> Output | Unknown:
        found = await venue.ask([Request(probe.query, probe.most, probe.timeout)])
        await venue.leave()
        return found[0]

    output = asyncio.run(session())
    assert isinstance(output, Output)
    assert output.proof == "checksum"
    seen = probe.parse(output)
    assert vm.listener is not None
    assert vm.listener.credential.held is not None
    assert seen.certificate is not None
    assert seen.certificate.sha1 == vm.listener.credential.held.thumbprint
    assert "expired on" in probe.say(seen)


# -- what real ones could write -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (attempt(1, "10061", "-2147467259", ""), "tcp_refused"),
        (attempt(1, "10060", "-2147467259", ""), "tcp_timeout"),
        (attempt(1, "", "", ""), "tcp_timeout"),
        (attempt(2, "", "", ""), "closed_before_x224"),
        (attempt(2, "10054", "-2147467259", ""), "closed_before_x224"),
        (attempt(2, "10060", "-2147467259", ""), "no_x224_reply"),
        (attempt(2, "10060", "-2147467259", "03-00-00"), "no_x224_reply"),
        (attempt(2, "", "", "48-54-54-50"), "not_rdp"),
        (attempt(2, "", "", "03-00-00-0B-06-D0-00-00-12-34-00"), "neg_failure"),
        (attempt(2, "", "", REFUSED), "neg_failure"),
        (attempt(2, "", "", SELECTED.replace("08-00-08", "08-00-00")), "neg_failure"),
        (attempt(3, "10054", "-2147467259"), "tls_reset"),
        (attempt(3, "", "-2146232800"), "tls_reset"),
        (attempt(3, "10060", "-2147467259"), "tls_stall"),
        (attempt(3, "-2146893018", "-2147467259"), "tls_alert"),
        (attempt(3072), "tls_ok"),
        (attempt(3072, "", "-2147467261"), "tls_ok"),
    ],
)
def test_verdicts(text: str, verdict: str) -> None:
    seen = read(text)
    assert seen.verdict == verdict
    assert seen.at == datetime(2025, 12, 14, 20, tzinfo=UTC)
    assert seen.sentence.endswith(".")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ends with ''"),
        ("-ConstrainedLanguage\n", "language mode is ConstrainedLanguage"),
        ("-FullLanguage\n", "could not use .NET"),
        (attempt(1, "10013", "-2147467259", ""), "could not connect to itself: Windows' error 10013"),
        (attempt(3, "-2146893007", "-2147467259"), "no version in common"),
        (attempt(3, "-2146893042", "-2147467259"), "0x8009030e"),
        (attempt(3, "-2146893052", "-2147467259"), "0x80090304"),  # lsass can't be reached, or an alert: who knows
        (attempt(3, "", "-2146233087"), "0x80131501"),
        (attempt(3), "said no reason"),
        (attempt(3072, seen=REFUSED), "agreed upon"),
        (attempt(2, seen=SELECTED), "agreed upon"),
        (attempt(1, "10061", "", SELECTED), "bytes without a connection"),
        ("QUJD\n" + attempt(2, seen=REFUSED), "certificate without a handshake"),
        ("QUJ\n" + attempt(3072), "no base64"),
        (attempt(3072).replace(TICKS, "9" * 19), "its time is none"),
        (attempt(3072) + "QUJD\n", "ends with"),
        (attempt(3072) * 2, "can't hold"),
        ("At line:1 char:1\n" + attempt(3072), "can't hold 'At line"),
        (attempt(12288), "ends with"),
    ],
)
def test_what_is_no_answer(text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(text)


def test_what_is_cut_is_no_answer() -> None:
    with pytest.raises(Unreadable, match="cut"):
        parse(Output(attempt(3072), 0, "checksum", partial=True), 3389)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_the_certificate(ends: str) -> None:
    text = answer(build([], "2022", 1), script(3389)).replace("\n", ends)
    seen = read(text)
    assert seen.certificate is not None
    raw = base64.b64decode("".join(text.split(ends)[:-2]))
    assert seen.certificate.subject == x509.load_der_x509_certificate(raw).subject.rfc4514_string()


# -- hostile output -------------------------------------------------------------------------------------------------


def readable(text: str) -> None:
    try:
        seen = read(text)
    except Unreadable:
        return
    assert seen.sentence.endswith(".")
    assert seen.port == 3389
    assert seen.host == "127.0.0.1"


@given(st.text())
def test_junk_is_unreadable(text: str) -> None:
    readable(text)


PIECES = st.one_of(
    st.sampled_from(["", "0", "1", "2", "3", "3072", "10054", "-2146893007", SELECTED, REFUSED, TICKS]),
    st.text(string.digits + "-", max_size=20),
    st.binary(max_size=64).map(lambda data: data.hex("-").upper()),
    st.text(max_size=5),
)


@settings(max_examples=300)
@given(st.lists(st.lists(PIECES, min_size=5, max_size=5).map(";".join), max_size=3))
def test_lines_with_anything_in_them_are_read_or_unreadable(lines: list[str]) -> None:
    readable("\n".join(lines))


@settings(max_examples=300)
@given(
    st.sampled_from([1, 2, 3, 3072]),
    st.sampled_from(["", "10054", "10060", "10061", "-2146893018"]),
    st.binary(max_size=64),
    st.booleans(),
)
def test_every_answer_to_the_negotiation(stage: int, native: str, tail: bytes, whole: bool) -> None:
    seen = (b"\x03\x00\x00\x13\x0e\xd0" + tail)[:64] if whole else tail
    readable(attempt(stage, native, "", seen.hex("-").upper()))


@given(st.integers(0, 4000), st.text(min_size=1, max_size=2))
def test_a_damaged_answer_breaks_nothing(at: int, text: str) -> None:
    good = ANSWER
    readable(good[: at % len(good)] + text + good[at % len(good) + 1 :])


ANSWER = answer(build([], "2022", 4), script(3389))
