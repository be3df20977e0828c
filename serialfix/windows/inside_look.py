r"""The look at Remote Desktop from inside the VM: the same X.224 and TLS handshake, to 127.0.0.1 through PowerShell.

What a firewall or a network does is not in it (Windows filters no loopback), and that is its use: inside works and
outside does not means the network; inside fails means the listener (rdp-repair.md 0a.1). The bytes are those of
rdp-repair.md 8.1; the meaning of what was met is read by ``rdp_look``, so that both looks judge alike.

The script is one line for Windows PowerShell 4 or newer in FullLanguage. It is typed over a bad line, so it is short,
has few equal neighbours, no double quote, and nothing whose letter case matters. It writes one line:

    STAGE;NATIVE ERROR;HRESULT;TICKS;BYTES OF THE ANSWER

STAGE: 1 connecting, 2 the negotiation, 3 the handshake, 3072 all done, which is .NET's number of TLS 1.2; the errors
are those of the innermost exception, numbers in every language. In front of it, when all is done, stands the
certificate as base64. Where nothing of this can run, there is one line with ``-`` and PowerShell's language mode.

.NET shakes hands with the VM's own Schannel *client* side: where that is switched off, the handshake says nothing about
the listener, and there is no answer (0a.1). Only TLS 1.2 is tried, since every Windows that is supported has it.

>>> from serialfix.steps import Output
>>> seen = parse(Output("3;10054;-2147467259;639013392000000000;03-00-00-13-0E-D0-00-00-12-34-00-02-1F-08-00-08-00"
...     "-00-00\n", 0, "checksum"), 3389)
>>> seen.verdict, seen.selected, str(seen.at)
('tls_reset', 'HYBRID_EX', '2025-12-14 20:00:00+00:00')
"""

import base64
import binascii
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from serialfix.steps import Command, Output, Probe, Unreadable
from serialfix.windows import rdp_look, registry
from serialfix.windows.tls import SCHANNEL

TLS_1_2 = 3072  # .NET's SslProtocols
CONNECTING, NEGOTIATING, SHAKING, DONE = 1, 2, 3, TLS_1_2
WAIT = 8192  # milliseconds for the connection, and for each read
_REQUEST = "3,0,0,19,14,224,0,0,0,0,0,1,0,8,0,11,0,0,0"

_SCRIPT = (
    # The outer try is for a limited language, in which not even the inner one's catch can run.
    "try{$b=New-Object byte[] 64;$n=0;$e=0;$x=1;$c=New-Object Net.Sockets.TcpClient;"
    "try{if($c.ConnectAsync('127.0.0.1',{port}).Wait({wait})){"
    "$x=2;$s=$c.GetStream();$s.ReadTimeout={wait};$s.Write(({request}),0,19);"
    "do{$r=$s.Read($b,$n,64-$n);$n+=$r}while($r -and $b[0] -eq 3 -and $n -lt 19);"
    "if($n -gt 18 -and $b[11] -eq 2 -and $b[15]){"
    # The callback runs on this thread, as AuthenticateAsClient waits; it takes any certificate, for it is looked at.
    "$x=3;$t=New-Object Net.Security.SslStream($s,$false,{$true});"
    "$t.AuthenticateAsClient('x',$null,{tls},$false);$x=[int]$t.SslProtocol;"
    "[Convert]::ToBase64String($t.RemoteCertificate.GetRawCertData(),1)"
    "} } }catch{$e=$_.Exception.GetBaseException()};$c.Close();"
    "($x,$e.NativeErrorCode,$e.HResult,[DateTime]::UtcNow.Ticks,[BitConverter]::ToString($b,0,$n) )-join';'"
    "}catch{'-'+$ExecutionContext.SessionState.LanguageMode}"
)

_REFUSED, _TIMED_OUT, _RESET = 10061, 10060, (10052, 10053, 10054)  # Windows' socket errors
_END_OF_STREAM = 0x80131620  # COR_E_IO: .NET's own, without a number of Windows, when the other side just closes
_MISMATCH = 0x80090331
_ALERTS = {
    0x80090302: "SEC_E_UNSUPPORTED_FUNCTION",
    0x80090308: "SEC_E_INVALID_TOKEN",
    0x8009030F: "SEC_E_MESSAGE_ALTERED",
    0x80090325: "SEC_E_UNTRUSTED_ROOT",
    0x80090326: "SEC_E_ILLEGAL_MESSAGE",
    0x80090327: "SEC_E_CERT_UNKNOWN",
    0x80090328: "SEC_E_CERT_EXPIRED",
    0x80090330: "SEC_E_DECRYPT_FAILURE",
    _MISMATCH: "SEC_E_ALGORITHM_MISMATCH",
    0x80090349: "SEC_E_CERT_WRONG_USAGE",
}
"""What Schannel's client says of an alert, or of an answer it can't go on with (Microsoft's "SSPI error codes")."""

_LINE = re.compile(r"([123]|3072);(-?\d{1,10}|);(-?\d{1,10}|);(\d{1,19});((?:[0-9A-F]{2}(?:-[0-9A-F]{2}){0,63})?)")
_LIMITED = re.compile(r"-([A-Za-z]{1,24})")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{1,76}={0,2}")
_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)  # of .NET's ticks of 100 ns


def _client_off(output: Output) -> bool:
    keys = registry.parse(output)
    if not keys.has(SCHANNEL):
        raise Unreadable("the answer does not hold the SCHANNEL key")
    enabled = keys.value(rf"{SCHANNEL}\Protocols\TLS 1.2\Client", "Enabled")
    if enabled is not None and enabled.number is None:
        raise Unreadable(f"Enabled has the type {enabled.type}, not REG_DWORD")
    return enabled is not None and enabled.number == 0


CLIENT_OFF: Probe[bool] = Probe(
    name="schannel_client_off",
    title="Whether Windows may use TLS 1.2 as a client",
    why="A look from inside is made by the VM's own client side; what that can't do says nothing about the port.",
    # Asked as TLS_PROTOCOLS of probes.py is, so that one answer serves both.
    query=Command("cmd", rf"reg query {SCHANNEL} /s"),
    parse=_client_off,
    say=lambda off: f"TLS 1.2 as a client is {'' if off else 'not '}switched off",
)


def script(port: int) -> str:
    """The line of PowerShell that looks at ``port`` of 127.0.0.1. Raises ValueError for what is no port."""
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is no TCP port")
    text = _SCRIPT
    for name, value in {"port": port, "wait": WAIT, "request": _REQUEST, "tls": TLS_1_2}.items():
        text = text.replace(f"{{{name}}}", str(value))
    return text


def inside(port: int, client_off: bool | None = None) -> Probe[rdp_look.RdpLook]:
    """Remote Desktop on ``port`` as a program inside the VM sees it. Raises ValueError for what is no port.

    ``client_off``: what ``CLIENT_OFF`` says, None while that is not known; the same answer of the VM is read with it.
    """
    return Probe(
        name=f"rdp_from_inside:{port}",
        title="Remote Desktop as seen from inside the VM",
        why="If it answers here and not from outside, it is the network; if it fails here too, it is the listener.",
        query=Command("powershell", script(port)),
        parse=lambda output: parse(output, port, client_off),
        say=lambda seen: seen.sentence,
        timeout=60.0,
    )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """The answer. ``code``: the native error where there is one, else the HRESULT, unsigned; 0: none."""

    stage: int
    code: int
    native: bool
    at: datetime
    seen: bytes
    certificate: str


def parse(output: Output, port: int, client_off: bool | None = None) -> rdp_look.RdpLook:
    """Read what the script for ``port`` wrote; ``at`` is the VM's own clock. Raises Unreadable.

    Unreadable too where the handshake says nothing about the listener: a limited PowerShell, an error of Windows' own
    client side (``client_off``: as for ``inside``).
    """
    if output.partial:
        raise Unreadable("the look from inside is cut")
    attempt = _attempt(output.text)
    document: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": port,
        "at": attempt.at.isoformat(),
        "elapsed": 0.0,
        "reach": _reach(attempt),
        "detail": "",
        "x224": _reply(attempt) if attempt.stage > CONNECTING else None,
        "tls": {version: {"result": "not_tried"} for version in rdp_look.VERSIONS},
        "certificate": attempt.certificate or None,
        "nla": None,
    }
    if attempt.stage >= SHAKING:
        document["tls"]["TLSv1.2"] = _handshake(attempt, client_off)
    return rdp_look.parse(Output(json.dumps(document), None, output.proof))


def _attempt(text: str) -> _Attempt:
    lines = [line.rstrip() for line in text.split("\n") if line.strip()]
    if len(lines) == 1 and (limited := _LIMITED.fullmatch(lines[0])):
        raise Unreadable(
            f"PowerShell in the VM could not use .NET: its language mode is {limited[1]}"
            + (" (a policy such as AppLocker or WDAC)" if limited[1].lower() != "fulllanguage" else "")
        )
    match = _LINE.fullmatch(lines[-1]) if lines else None
    if match is None:
        raise Unreadable(f"the look from inside is damaged: it ends with {lines[-1][:40] if lines else ''!r}")
    for line in lines[:-1]:
        if not _BASE64.fullmatch(line):
            raise Unreadable(f"the look from inside is damaged: it can't hold {line[:40]!r}")
    certificate = "".join(lines[:-1])
    try:
        base64.b64decode(certificate, validate=True)
    except binascii.Error:
        raise Unreadable("the look from inside is damaged: its certificate is no base64") from None
    stage, native, result, ticks, seen = match.groups()
    try:
        at = _BEGINNING + timedelta(microseconds=int(ticks) // 10)
    except OverflowError:
        raise Unreadable("the look from inside is damaged: its time is none") from None
    attempt = _Attempt(
        stage=int(stage),
        code=int(native or result or 0) & 0xFFFFFFFF,
        native=bool(native),
        at=at,
        seen=bytes.fromhex(seen.replace("-", "")),
        certificate=certificate,
    )
    if attempt.certificate and attempt.stage != DONE:
        raise Unreadable("the look from inside is damaged: a certificate without a handshake")
    if attempt.stage == CONNECTING and attempt.seen:
        raise Unreadable("the look from inside is damaged: bytes without a connection")
    if attempt.stage > CONNECTING and (attempt.stage >= SHAKING) != _wants_tls(_reply(attempt)):
        raise Unreadable("the look from inside is damaged: its handshake and what was agreed upon don't go together")
    return attempt


def _reach(attempt: _Attempt) -> str:
    if attempt.stage > CONNECTING:
        return "open"
    if attempt.code in (0, _TIMED_OUT):
        return "timeout"
    if attempt.code == _REFUSED:
        return "refused"
    raise Unreadable(f"the VM could not connect to itself: {_named(attempt)}")


def _reply(attempt: _Attempt) -> dict[str, Any]:
    """What came as the answer to the X.224 request (rdp-repair.md 8.1), in the words of a look from outside."""
    seen = attempt.seen
    first = {"first_bytes": seen.hex()}
    otherwise = "no_reply" if attempt.code == _TIMED_OUT else "closed"
    if not seen:
        return {"result": otherwise}
    if seen[:2] not in (b"\x03", b"\x03\x00"):
        return {"result": "not_rdp"} | first
    length = int.from_bytes(seen[2:4], "big")
    if len(seen) < 4 or len(seen) < length:
        return {"result": otherwise} | first
    if length < 11 or seen[5] & 0xF0 != 0xD0:
        return {"result": "not_rdp"} | first
    negotiation = seen[11:length]
    if not negotiation:
        return {"result": "plain"}
    if len(negotiation) < 8 or negotiation[0] not in (2, 3) or negotiation[2:4] != b"\x08\x00":
        return {"result": "not_rdp"} | first
    value = int.from_bytes(negotiation[4:8], "little")
    if negotiation[0] == 3:
        return {"result": "failure", "code": value, "flags": negotiation[1]}
    return {"result": "selected", "selected": value, "flags": negotiation[1]}


def _wants_tls(reply: dict[str, Any]) -> bool:
    return bool(reply["result"] == "selected" and reply["selected"])


def _handshake(attempt: _Attempt, client_off: bool | None) -> dict[str, Any]:
    """How the handshake ended. Raises Unreadable where the VM's client side ended it."""
    if attempt.stage == DONE:
        return {"result": "tls_ok", "version": "TLSv1.2"}
    if attempt.code in _RESET or (attempt.code == _END_OF_STREAM and not attempt.native):
        return {"result": "tls_reset"}
    if attempt.code == _TIMED_OUT:
        return {"result": "tls_stall"}
    if client_off:
        raise Unreadable(
            "TLS could not be tried from inside: Windows' own client side of TLS 1.2 is switched off (the registry key "
            r"SCHANNEL\Protocols\TLS 1.2\Client), which says nothing about Remote Desktop"
        )
    if attempt.code == _MISMATCH and client_off is None:
        raise Unreadable(
            "TLS from inside found no version in common: either Windows' own client side of TLS 1.2 is switched off "
            r"(the registry key SCHANNEL\Protocols\TLS 1.2\Client), or Remote Desktop answered with another version"
        )
    if attempt.code in _ALERTS:
        return {"result": "tls_alert", "alert": _ALERTS[attempt.code]}
    raise Unreadable(f"TLS could not be tried from inside: {_named(attempt)}")


def _named(attempt: _Attempt) -> str:
    if not attempt.code:
        return "PowerShell said no reason"
    return f"Windows' error {attempt.code if attempt.code < 0x10000 else f'{attempt.code:#010x}'}"
