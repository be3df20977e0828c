"""Reading a look from outside: every verdict, and junk that is never more than unreadable."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Output, Unreadable
from serialfix.windows.rdp_look import RdpLook, parse

VERDICTS = {
    "tcp_timeout", "tcp_refused", "not_rdp", "no_x224_reply", "closed_before_x224", "neg_failure", "tls_reset",
    "tls_alert", "tls_stall", "tls_ok", "not_reachable_from_here",
}  # fmt: skip
HYBRID = {"result": "selected", "selected": 2, "flags": 9}
REQUIRED = {"result": "failure", "code": 5, "flags": 0}

# CN=WIN1, valid 2026-06-01 to 2026-12-01, P-256, made for this test.
CERTIFICATE = (
    "MIIBHDCBxKADAgECAhQID2/HBvtKtWFGq+kzZd43UXLsFzAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARXSU4xMB4XDTI2MDYwMTAw"
    "MDAwMFoXDTI2MTIwMTAwMDAwMFowDzENMAsGA1UEAwwEV0lOMTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABLLMov9bhPkES+Lc"
    "kk0q6NFDN79jZRJEeXbcu7X0pZvMJoqfxN6GA03AyWyhBSs/3iJx0QszSjWmSUVbcOVIOpIwCgYIKoZIzj0EAwIDRwAwRAIgKcJG"
    "HpyA1o8iXSTRVPjOv57UsUtbk6Z4EHqLkr0eW2gCIDpYVGvVzdIylK416G94/lZHlj6+evzFjXNpE5s+RBnU"
)


def document(**changes: Any) -> dict[str, Any]:
    return {
        "host": "203.0.113.7",
        "port": 3389,
        "at": "2026-11-22T10:00:00+00:00",
        "elapsed": 0.4,
        "reach": "open",
        "detail": "",
        "x224": HYBRID,
        "tls": {},
        "certificate": None,
        "nla": REQUIRED,
    } | changes


def read(**changes: Any) -> RdpLook:
    return parse(Output(json.dumps(document(**changes)), None, "direct"))


def tls(*results: str) -> dict[str, dict[str, str]]:
    return {
        name: {"result": result}
        for name, result in zip(("TLSv1.2", "TLSv1.3", "TLSv1.1", "TLSv1"), results, strict=True)
    }


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({"reach": "no_address", "host": None, "x224": None}, "not_reachable_from_here", "no address"),
        ({"reach": "no_route", "x224": None, "detail": "No route"}, "not_reachable_from_here", "(No route)"),
        ({"reach": "no_name", "x224": None}, "not_reachable_from_here", "says nothing about the VM"),
        ({"reach": "timeout", "x224": None}, "tcp_timeout", "no answer at all"),
        ({"reach": "refused", "x224": None}, "tcp_refused", "nothing listens"),
        ({"x224": {"result": "no_reply"}}, "no_x224_reply", "never answers"),
        ({"x224": {"result": "closed"}}, "closed_before_x224", "closes it"),
        ({"x224": {"result": "not_rdp", "first_bytes": b"HTTP/1.1 400\r\nx".hex()}}, "not_rdp", '"HTTP/1.1 400"'),
        ({"x224": {"result": "not_rdp", "first_bytes": "00ff"}}, "not_rdp", "it is not RDP."),
        ({"x224": {"result": "not_rdp", "first_bytes": "zz"}}, "not_rdp", "it is not RDP."),
        ({"x224": {"result": "failure", "code": 2}}, "neg_failure", "SSL_NOT_ALLOWED_BY_SERVER"),
        ({"x224": {"result": "failure", "code": 3}}, "neg_failure", "no certificate"),
        ({"x224": {"result": "failure", "code": 77}}, "neg_failure", "code 77"),
        ({"x224": {"result": "plain"}}, "neg_failure", "without TLS"),
        ({"x224": {"result": "selected", "selected": 0}}, "neg_failure", "without TLS"),
        ({"tls": tls("tls_ok", "tls_ok", "tls_alert", "tls_alert")}, "tls_ok", "(TLSv1.2 and TLSv1.3)"),
        ({"tls": tls("tls_ok", "tls_reset", "tls_ok", "tls_ok")}, "tls_ok", "(TLSv1, TLSv1.1 and TLSv1.2)"),
        ({"tls": tls("tls_alert", "tls_ok", "tls_alert", "tls_alert")}, "tls_ok", "(TLSv1.3)"),
        ({"tls": tls("tls_reset", "tls_reset", "tls_reset", "not_offered_here")}, "tls_reset", "every TLS"),
        ({"tls": tls("tls_reset", "tls_alert", "tls_reset", "tls_reset")}, "tls_reset", "no TLS handshake"),
        ({"tls": tls("tls_alert", "tls_reset", "tls_ok", "tls_ok")}, "tls_alert", "TLSv1 and TLSv1.1 only"),
        ({"tls": tls("tls_stall", "tls_stall", "not_tried", "not_tried")}, "tls_stall", "falls silent"),
        ({"tls": tls("not_offered_here", "tls_alert", "not_tried", "not_tried")}, "tls_alert", "alert"),
        ({"tls": {"TLSv1.2": {"result": "no_negotiation", "was": "closed"}}}, "closed_before_x224", "closes"),
        ({"tls": {"TLSv1.2": {"result": "no_negotiation", "was": "timeout"}}}, "tcp_timeout", "no answer"),
        ({"tls": {"TLSv1.2": {"result": "no_negotiation", "was": "no_reply"}}}, "no_x224_reply", "never"),
    ],
)
def test_verdicts(changes: dict[str, Any], verdict: str, words: str) -> None:
    seen = read(**changes)
    assert seen.verdict == verdict
    assert words in seen.sentence
    assert seen.healthy is (verdict == "tls_ok")


def test_versions_stand_from_old_to_new() -> None:
    seen = read(tls=tls("tls_reset", "tls_alert", "not_offered_here", "tls_ok"))
    assert seen.versions == (
        ("TLSv1", "tls_ok"),
        ("TLSv1.1", "not_offered_here"),
        ("TLSv1.2", "tls_reset"),
        ("TLSv1.3", "tls_alert"),
    )


@pytest.mark.parametrize(
    ("nla", "meaning"),
    [
        (REQUIRED, "required"),
        ({"result": "selected", "selected": 1}, "not required"),
        ({"result": "failure", "code": 2}, "unknown"),
        ({"result": "no_reply"}, "unknown"),
        (None, "unknown"),
    ],
)
def test_nla(nla: dict[str, Any] | None, meaning: str) -> None:
    assert read(nla=nla, tls=tls(*["tls_ok"] * 4)).nla == meaning


@pytest.mark.parametrize(
    ("at", "valid", "words"),
    [
        ("2026-11-22T10:00:00+00:00", True, "works (TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3)."),
        ("2027-01-01T00:00:00+00:00", False, "expired on 2026-12-01"),
        ("2026-05-31T00:00:00+00:00", False, "not valid before 2026-06-01"),
    ],
)
def test_certificate(at: str, valid: bool, words: str) -> None:
    seen = read(tls=tls(*["tls_ok"] * 4), certificate=CERTIFICATE, at=at)
    assert seen.certificate is not None
    assert seen.certificate.subject == seen.certificate.issuer == "CN=WIN1"
    assert seen.certificate.self_signed
    assert seen.certificate.sha1 == "8E18978A8ABC2D48953EDF837CE3EB2F0FD7FA44"
    assert seen.certificate_valid is valid
    assert words in seen.sentence
    assert seen.healthy


@given(st.binary(max_size=400))
def test_any_certificate_is_facts_or_a_note(der: bytes) -> None:
    seen = read(tls=tls(*["tls_ok"] * 4), certificate=base64.b64encode(der).decode())
    assert (seen.certificate is None) == bool(seen.certificate_note)
    assert seen.sentence


@given(st.integers(0, len(base64.b64decode(CERTIFICATE)) * 8 - 1))
def test_a_certificate_with_a_flipped_bit_breaks_nothing(bit: int) -> None:
    der = bytearray(base64.b64decode(CERTIFICATE))
    der[bit // 8] ^= 1 << (bit % 8)
    seen = read(tls=tls(*["tls_ok"] * 4), certificate=base64.b64encode(der).decode())
    assert seen.sentence
    assert (seen.certificate is None) == bool(seen.certificate_note)


def readable(text: str) -> None:
    try:
        seen = parse(Output(text, None, "direct"))
    except Unreadable:
        return
    assert seen.verdict in VERDICTS
    assert seen.sentence.endswith(".")


@given(st.text())
def test_junk_is_unreadable(text: str) -> None:
    readable(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
RESULTS = st.sampled_from(
    ["tls_ok", "tls_reset", "tls_alert", "tls_stall", "not_offered_here", "not_tried", "no_negotiation"]
)
NEGOTIATIONS = st.none() | st.fixed_dictionaries(
    {"result": st.sampled_from(["selected", "failure", "plain", "no_reply", "closed", "not_rdp"])},
    optional={"selected": st.integers(-1, 20), "code": st.integers(-1, 9), "first_bytes": st.text(max_size=8)},
)


@given(st.dictionaries(st.sampled_from(list(document())), JSON, max_size=4))
def test_a_document_with_anything_in_it_is_read_or_unreadable(changes: dict[str, Any]) -> None:
    readable(json.dumps(document(**changes)))


@given(
    st.sampled_from(["open", "no_address", "no_name", "no_route", "refused", "timeout"]),
    NEGOTIATIONS,
    NEGOTIATIONS,
    st.dictionaries(
        st.sampled_from(["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]),
        st.fixed_dictionaries({"result": RESULTS, "was": st.sampled_from(["", "closed", "no_route"])}),
    ),
)
def test_every_document_has_a_verdict_and_a_sentence(reach: str, x224: Any, nla: Any, versions: Any) -> None:
    readable(json.dumps(document(reach=reach, x224=x224, nla=nla, tls=versions)))


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_cut_document_is_unreadable(cut: int) -> None:
    with pytest.raises(Unreadable):
        parse(Output(json.dumps(document())[:-cut], None, "direct", partial=True))


def test_a_look_that_ended_before_tls_is_no_verdict() -> None:
    with pytest.raises(Unreadable, match="before it could try"):
        read(tls=tls("not_tried", "not_tried", "not_tried", "not_tried"))
