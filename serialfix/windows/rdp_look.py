"""What a look at the RDP port from outside means: a verdict, the TLS versions, NLA, the certificate.

Reads the document that venues/outside.py makes. The verdicts are those of rdp-repair.md 3, 8.2 and 0a.1:

* ``not_reachable_from_here``: no address, no name, or no route; says nothing about the VM.
* ``tcp_timeout``, ``tcp_refused``: what the TCP connection met.
* ``not_rdp``, ``no_x224_reply``, ``closed_before_x224``, ``neg_failure``: what the RDP negotiation met. A listener
  that selects standard RDP security, without TLS, counts as ``neg_failure`` without a code.
* ``tls_ok``: TLSv1.2 or TLSv1.3 succeeded, which is what today's clients use.
* ``tls_reset``, ``tls_alert``, ``tls_stall``: they failed. Of several results TLSv1.2's is told, since every Windows
  has it and not every one has 1.3; then TLSv1.3's, then the older ones'. If the negotiation itself failed when it was
  repeated, as a listener at its limit does, that is the verdict.

>>> from serialfix.steps import Output
>>> seen = parse(Output('{"host": "203.0.113.7", "port": 3389, "at": "2026-11-22T10:00:00+00:00", "elapsed": 0.31,'
...     ' "reach": "open", "detail": "", "x224": {"result": "selected", "selected": 8, "flags": 31}, "tls": {'
...     '"TLSv1.2": {"result": "tls_reset"}, "TLSv1.3": {"result": "tls_reset"}, "TLSv1.1": {"result": "tls_reset"},'
...     ' "TLSv1": {"result": "not_offered_here"}}, "certificate": null,'
...     ' "nla": {"result": "failure", "code": 5, "flags": 0}}', None, "direct"))
>>> seen.verdict, seen.healthy, seen.selected, seen.nla
('tls_reset', False, 'HYBRID_EX', 'required')
>>> seen.sentence
'The port answers as RDP and asks for TLS, but then resets every TLS handshake.'
"""

import base64
import binascii
import hashlib
import warnings
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

import msgspec
from cryptography import x509

from serialfix.steps import Output, Unreadable

RdpVerdict: TypeAlias = Literal[
    "not_reachable_from_here",
    "tcp_timeout",
    "tcp_refused",
    "not_rdp",
    "no_x224_reply",
    "closed_before_x224",
    "neg_failure",
    "tls_reset",
    "tls_alert",
    "tls_stall",
    "tls_ok",
]
Nla: TypeAlias = Literal["required", "not required", "unknown"]

FAILURES = {
    1: "SSL_REQUIRED_BY_SERVER",
    2: "SSL_NOT_ALLOWED_BY_SERVER",
    3: "SSL_CERT_NOT_ON_SERVER",
    4: "INCONSISTENT_FLAGS",
    5: "HYBRID_REQUIRED_BY_SERVER",
    6: "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER",
}
PROTOCOLS = {0: "RDP", 1: "SSL", 2: "HYBRID", 4: "RDSTLS", 8: "HYBRID_EX", 16: "RDSAAD"}
VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
TELLING = ("TLSv1.2", "TLSv1.3", "TLSv1.1", "TLSv1")
"""The order in which a failed version's result is taken for the whole."""


class _Negotiation(msgspec.Struct):
    result: Literal["selected", "failure", "plain", "no_reply", "closed", "not_rdp"]
    selected: int | None = None
    flags: int | None = None
    code: int | None = None
    first_bytes: str = ""


class _Handshake(msgspec.Struct):
    result: Literal["tls_ok", "tls_reset", "tls_alert", "tls_stall", "not_offered_here", "not_tried", "no_negotiation"]
    version: str = ""
    cipher: str = ""
    alert: str = ""
    was: str = ""


class _Document(msgspec.Struct):
    host: str | None
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)]
    at: datetime
    elapsed: float
    reach: Literal["open", "no_address", "no_name", "no_route", "refused", "timeout"]
    detail: str
    x224: _Negotiation | None
    tls: dict[Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"], _Handshake]
    certificate: str | None
    nla: _Negotiation | None


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the port showed. ``sha1``: thumbprint in upper hex. ``self_signed``: its issuer is its subject."""

    sha1: str
    subject: str
    issuer: str
    not_before: datetime
    not_after: datetime
    self_signed: bool


@dataclass(frozen=True, slots=True)
class RdpLook:
    """One look at the RDP port from outside.

    ``versions``: (version, result) from old to new, result one of tls_ok, tls_reset, tls_alert, tls_stall,
    no_negotiation, not_offered_here (our own OpenSSL has not got it), not_tried (the time was up). ``alerts``:
    (version, OpenSSL's name of the alert; UNSUPPORTED_PROTOCOL where the server answered with another version).
    ``flags``: bits of the negotiation's answer. ``certificate_note``: why there is no ``certificate`` though the port
    showed one. ``first_bytes``: hex of what came instead of RDP.
    """

    verdict: RdpVerdict
    host: str | None
    port: int
    at: datetime
    elapsed: float
    failure_code: int | None
    failure: str
    selected: str
    flags: int | None
    versions: tuple[tuple[str, str], ...]
    alerts: tuple[tuple[str, str], ...]
    nla: Nla
    certificate: Certificate | None
    certificate_note: str
    first_bytes: str
    detail: str

    @property
    def healthy(self) -> bool:
        """Whether a client of today gets as far as the sign-in: TLSv1.2 or TLSv1.3 succeeded."""
        return self.verdict == "tls_ok"

    @property
    def certificate_valid(self) -> bool | None:
        """Whether the certificate was within its dates at the time of the look, by this machine's clock."""
        if self.certificate is None:
            return None
        return self.certificate.not_before <= self.at <= self.certificate.not_after

    @property
    def sentence(self) -> str:
        """What was seen, in one plain sentence."""
        return _sentence(self)


def parse(output: Output) -> RdpLook:
    """Read a look's document. Raises ``Unreadable`` for damaged JSON, and for one without anything to judge by."""
    try:
        document = msgspec.json.decode(output.text, type=_Document)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as problem:
        raise Unreadable(f"the look from outside is damaged: {problem}") from None
    if document.at.tzinfo is None:
        raise Unreadable("the look from outside is damaged: its time has no zone")
    certificate, note = _certificate(document.certificate)
    x224 = document.x224
    code = x224.code if x224 is not None else None
    selected = x224.selected if x224 is not None else None
    versions = tuple((name, document.tls[name].result) for name in VERSIONS if name in document.tls)
    return RdpLook(
        verdict=_verdict(document),
        host=document.host,
        port=document.port,
        at=document.at,
        elapsed=document.elapsed,
        failure_code=code,
        failure="" if code is None else FAILURES.get(code, f"code {code}"),
        selected="" if selected is None else PROTOCOLS.get(selected, f"protocol {selected}"),
        flags=x224.flags if x224 is not None else None,
        versions=versions,
        alerts=tuple((name, document.tls[name].alert) for name, result in versions if result == "tls_alert"),
        nla=_nla(document),
        certificate=certificate,
        certificate_note=note,
        first_bytes=x224.first_bytes if x224 is not None else "",
        detail=document.detail,
    )


def _verdict(document: _Document) -> RdpVerdict:
    if document.reach == "timeout":
        return "tcp_timeout"
    if document.reach == "refused":
        return "tcp_refused"
    if document.reach != "open":
        return "not_reachable_from_here"
    if document.x224 is None:
        raise Unreadable("the look from outside is damaged: the port was open, but nothing was asked of it")
    if document.x224.result != "selected":
        return _NEGOTIATION[document.x224.result]
    if document.x224.selected == 0:
        return "neg_failure"
    results = {name: document.tls[name] for name in TELLING if name in document.tls}
    if any(name in results and results[name].result == "tls_ok" for name in ("TLSv1.2", "TLSv1.3")):
        return "tls_ok"
    for handshake in results.values():
        if handshake.result in ("tls_reset", "tls_alert", "tls_stall"):
            return handshake.result
        if handshake.result == "no_negotiation":
            return _NEGOTIATION.get(handshake.was, "closed_before_x224")
    raise Unreadable("the look from outside ended before it could try a TLS handshake of today")


_NEGOTIATION: dict[str, RdpVerdict] = {
    "failure": "neg_failure",
    "plain": "neg_failure",
    "no_reply": "no_x224_reply",
    "closed": "closed_before_x224",
    "not_rdp": "not_rdp",
    # What a repeated connection may meet before it gets as far as the negotiation.
    "timeout": "tcp_timeout",
    "refused": "tcp_refused",
}


def _nla(document: _Document) -> Nla:
    asked = document.nla
    if asked is None:
        return "unknown"
    if asked.result == "failure" and asked.code == 5:
        return "required"
    if asked.result == "selected" and asked.selected == 1:
        return "not required"
    return "unknown"


def _certificate(encoded: str | None) -> tuple[Certificate | None, str]:
    if encoded is None:
        return None, ""
    try:
        der = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as problem:
        raise Unreadable(f"the look from outside is damaged: its certificate is no base64 ({problem})") from None
    thumbprint = hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    try:
        with warnings.catch_warnings():
            # The library warns of odd serial numbers; here they are what is being looked at.
            warnings.simplefilter("ignore")
            seen = x509.load_der_x509_certificate(der)
            certificate = Certificate(
                sha1=thumbprint,
                subject=seen.subject.rfc4514_string(),
                issuer=seen.issuer.rfc4514_string(),
                not_before=seen.not_valid_before_utc,
                not_after=seen.not_valid_after_utc,
                self_signed=seen.issuer == seen.subject,
            )
    except Exception as problem:  # a stranger's bytes: the library has no common type for what it makes of them
        return None, f"The certificate with thumbprint {thumbprint} cannot be read: {problem}"
    return certificate, ""


_OPENED = "The port answers as RDP and asks for TLS"


def _sentence(seen: RdpLook) -> str:
    where = f"{seen.host}:{seen.port}"
    if seen.verdict == "not_reachable_from_here":
        if seen.host is None:
            return "The VM has no address that could be reached from here, so its RDP port was not looked at."
        return f"There is no way from here to {where}{_because(seen.detail)}, which says nothing about the VM."
    if seen.verdict.startswith("tls_"):
        return _tls_sentence(seen)
    return {
        "tcp_timeout": f"A connection to {where} gets no answer at all: something on the way, or the VM, drops it.",
        "tcp_refused": f"The VM refuses connections to {where}: nothing listens on that port.",
        "not_rdp": f"Something listens on {where}, but it is not RDP{_shown(seen.first_bytes)}.",
        "no_x224_reply": f"{where} accepts the connection, but never answers the RDP negotiation.",
        "closed_before_x224": f"{where} accepts the connection, but closes it instead of answering as RDP.",
        "neg_failure": _failure_sentence(seen),
    }[seen.verdict]


def _failure_sentence(seen: RdpLook) -> str:
    if seen.failure_code is None:
        return "The port answers as RDP, but offers its old security only, without TLS."
    meaning = {
        1: "it wants TLS and says that it was not offered",
        2: "it does not allow TLS",
        3: "it has no certificate that it can use",
        5: "it requires NLA and says that it was not offered",
    }.get(seen.failure_code, "it refuses")
    return f"The port answers as RDP, but {meaning} ({seen.failure})."


def _tls_sentence(seen: RdpLook) -> str:
    good = [name for name, result in seen.versions if result == "tls_ok"]
    if seen.verdict == "tls_ok":
        listed = " and ".join([", ".join(good[:-1]), good[-1]] if len(good) > 1 else good)
        return f"The port answers as RDP, and TLS works ({listed}){_dates(seen)}."
    ending = {
        "tls_reset": "resets every TLS handshake",
        "tls_alert": "refuses every TLS handshake with an alert",
        "tls_stall": "falls silent in every TLS handshake",
    }
    if not good:
        kinds = {result for _, result in seen.versions} - {"not_offered_here", "not_tried"}
        if kinds == {seen.verdict}:
            return f"{_OPENED}, but then {ending[seen.verdict]}."
        return f"{_OPENED}, but no TLS handshake succeeds."
    verb = {"tls_reset": "resets", "tls_alert": "refuses", "tls_stall": "falls silent in"}[seen.verdict]
    return f"{_OPENED}, but works with {' and '.join(good)} only: it {verb} handshakes of TLSv1.2 and newer."


def _dates(seen: RdpLook) -> str:
    if seen.certificate is None or seen.certificate_valid:
        return ""
    if seen.at > seen.certificate.not_after:
        return f", but its certificate expired on {seen.certificate.not_after:%Y-%m-%d}"
    return f", but its certificate is not valid before {seen.certificate.not_before:%Y-%m-%d}"


def _because(detail: str) -> str:
    return f" ({detail})" if detail else ""


def _shown(first_bytes: str) -> str:
    """The start of what came instead, where it is text: a web or SSH server names itself."""
    try:
        raw = bytes.fromhex(first_bytes)
    except ValueError:
        return ""
    line = raw.split(b"\r")[0].split(b"\n")[0].decode("ascii", "replace")
    if not line or not line.isprintable() or "\ufffd" in line:
        return ""
    return f' (it says "{line[:40]}")'
