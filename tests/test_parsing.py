"""serialfix parse: real outputs say what a person reads from them; broken ones say what could not be read."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serialfix import parsing
from serialfix.steps import Unreadable
from serialfix.windows import codepages

CAPTURES = Path(__file__).resolve().parents[1] / "../shared/outputs"
COPIED = Path(__file__).parent / "outputs"
KINDS = {
    "netstat-ano": "netstat",
    "netstat-anob": "netstat",
    "tasklist-svc": "tasklist",
    "certutil-store": "certificates",
    "get-childitem-cert": "certificates",
    "reg-query": "reg",
    "sc-query": "sc",
    "icacls": "icacls",
}
Document = dict[str, Any]


def files(root: Path) -> list[Path]:
    return sorted(path for folder in KINDS for path in (root / folder).glob("*.txt"))


def named(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


# What the JSON beside a capture says, and why it is not what is to be read from it.
EXCEPTIONS: dict[tuple[str, str], tuple[object, str]] = {
    ("netstat-ano/06-es-wrapped-filtered", name): (value, "two rows broken over several lines; joined they fit exactly")
    for name, value in {
        "tcp_rows": 2,
        "tcp_listeners": 2,
        "listener_ports": [8000],
        "ipv6_rows": None,
        "listener_pids": {"0.0.0.0:8000": 5788, "[::]:8000": 5788},
    }.items()
} | {
    ("get-childitem-cert/03-docs-set-daserver", "subjects"): (
        ["CN=corp-contoso-dc1-ca", "CN=131.107.0.2", "CN=corp-contoso-dc1-ca"],
        "certificates as text have their subject below [Subject]",
    ),
}


def facts_of_netstat(document: Document, truth: Document) -> Document:
    listeners = document["listeners"]
    facts: Document = {
        "tcp_rows": document["rows"]["tcp"],
        "udp_rows": document["rows"]["udp"],
        "tcp_listeners": len(listeners),
        "listener_ports": sorted({one["port"] for one in listeners}),
        "listener_pids": {f"{one['address']}:{one['port']}": one["pid"] for one in listeners},
        "listeners": [
            {
                "local": f"{one['address']}:{one['port']}",
                "pid": one["pid"],
                "exe": one["process"],
                "above": one["services"],
            }
            for one in listeners
        ],
    }
    if "listeners" in truth:
        # What stands above the image is a service where it is a bare name: neither a sentence nor a library.
        truth["listeners"] = [
            {**one, "above": [text for text in one["above"] if re.fullmatch(r"\w+", text)]}
            for one in truth["listeners"]
        ]
    return facts


def facts_of_tasklist(document: Document, truth: Document) -> Document:
    by_image: dict[str, list[int]] = {}
    for one in document["processes"]:
        by_image.setdefault(one["image"], []).append(one["pid"])
    services_in = {str(one["pid"]): one["services"] for one in document["processes"]}
    return {
        "pid_of": {name: document["pid_of"].get(name) for name in truth.get("pid_of", {})},
        "services_in": {pid: services_in.get(pid) for pid in truth.get("services_in", {})},
        "text_has": {image: by_image.get(image) for image in truth.get("text_has", {})},
    }


def facts_of_certificates(document: Document, truth: Document) -> Document:
    truth["subjects"] = [one.get("subject", one.get("subject_shown")) for one in truth.get("certs", [])]
    truth["cut"] = ["subject_shown" in one and one["subject_shown"].endswith("...") for one in truth.get("certs", [])]
    truth["thumbprints"] = [one["thumbprint"] for one in truth.pop("certs", [])] or [truth["sha1"]]
    certs = document["certs"]
    return {
        "sha1": certs[0]["thumbprint"].lower(),
        "cert_count": len(certs),
        "subjects": [one["subject"] for one in certs] if truth["subjects"] else [],
        "cut": [one["subject_cut"] for one in certs] if truth["cut"] else [],
        "thumbprints": [one["thumbprint"] for one in certs],
    }


def facts_of_reg(document: Document, truth: Document) -> Document:
    keys = document["keys"]
    values = [[key, name, *held] for key, found in keys.items() for name, held in found.items()]
    return {
        "keys": {
            key: {name: keys.get(key, {}).get(name) for name in wanted}
            for key, wanted in (truth.get("keys") or {}).items()
        },
        "value_count": document["value_count"],
        "names": [name for _, name, _, _ in values],
        "first": values[0] if values else None,
        "PowerShellVersion": [data for _, name, _, data in values if name == "PowerShellVersion"],
    }


def facts_of_sc(document: Document, truth: Document) -> Document:
    wanted = truth.get("services", [])
    config = document["configs"][0] if document["configs"] else {}
    return {
        "services": [
            {name: one[name] for name in names} for one, names in zip(document["services"], wanted, strict=True)
        ],
        "qc": {name: config.get(name) for name in truth.get("qc", {})},
    }


def facts_of_icacls(document: Document, truth: Document) -> Document:
    summaries = document["summaries"]
    if isinstance(truth.get("summary"), str):
        truth["summary"] = {"ok": truth["each_ok"], "failed": truth["each_failed"]}
    return {
        "ace_count": document["ace_count"],
        "aces": [[ace["principal"], ace["flags"]] for one in document["objects"] for ace in one["aces"]],
        "summary": summaries[-1] if summaries else None,
        "outputs": len(summaries),
        "object": document["objects"][0]["path"] if document["objects"] else None,
        "error": document["errors"][0] if document["errors"] else None,
        "processed_files": document["processed_files"],
    }


FACTS: dict[str, Callable[[Document, Document], Document]] = {
    "netstat": facts_of_netstat,
    "tasklist": facts_of_tasklist,
    "certificates": facts_of_certificates,
    "reg": facts_of_reg,
    "sc": facts_of_sc,
    "icacls": facts_of_icacls,
}


def check(path: Path) -> None:
    kind = KINDS[path.parent.name]
    document = parsing.parse_command(kind, path.read_bytes())
    truth = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    facts = FACTS[kind](document, truth)
    compared = 0
    for name, value in facts.items():
        if (named(path), name) in EXCEPTIONS:
            expected, _why = EXCEPTIONS[named(path), name]
            assert value == expected, name
        elif truth.get(name) is not None or (name in truth and name == "summary"):
            assert value == truth[name], name
        else:
            continue
        compared += 1
    assert compared, "the JSON says nothing that is compared"
    assert parsing.lines(document)


@pytest.mark.parametrize("path", files(CAPTURES) or [None], ids=lambda path: named(path) if path else "none")
def test_every_capture_is_read_as_a_person_reads_it(path: Path | None) -> None:
    if path is None:
        pytest.skip("the captures of real outputs are not on this machine")
    check(path)


@pytest.mark.parametrize("path", files(COPIED), ids=named)
def test_every_sample_in_the_repository_is_read_as_a_person_reads_it(path: Path) -> None:
    check(path)


def test_the_folder_of_samples_is_not_empty() -> None:
    assert {path.parent.name for path in files(COPIED)} >= set(KINDS) - {"certutil-store"}


SAMPLES = {
    kind: tuple(
        codepages.decode(path.read_bytes()).text.replace("\r", "")
        for path in files(COPIED)
        if KINDS[path.parent.name] == kind and path.stat().st_size < 6000
    )
    for kind in parsing.KINDS
}
SAMPLES["netstat"] += (
    """
Aktive Verbindungen

  Proto  Lokale Adresse         Remoteadresse          Status           PID
  TCP    0.0.0.0:3389           0.0.0.0:0              ABHÖREN         1184
  TCP    [::]:3389              [::]:0                 ABHÖREN         1184
  TCP    10.0.0.4:49711         203.0.113.9:443        SCHLIESSEN_WARTEN    42732
  UDP    [fe80::1c2d:55aa:91b2:7f01%12]:1900  *:*                                    5388
""",
)
SAMPLES["certificates"] += (
    """my "Personal"
================ Certificate 0 ================
Serial Number: 75b2f4bbf31f108945147b466131bdca
Issuer: CN=ca.contoso.example
 NotBefore: 11/3/2024 3:55 PM
 NotAfter: 11/3/2034 4:05 PM
Subject: CN=vm1.contoso.example
Cert Hash(sha1): 2f 02 90 1d cf f0 83 ed 3d bb 6c b0 a1 5b bf ee 60 02 b1 a8
  Key Container = TSSecKeySet1
  Unique container name: f686aace6942fb7f7ceb231212eef4a4_7989b711-2e3f-4107-9aae-fb8df2e3b958
  Provider = Microsoft Strong Cryptographic Provider
CertUtil: -store command completed successfully.
""",
)


def said(document: Document) -> list[str]:
    """Every name, number and hash that a document reports as a fact, as it must stand in the text."""
    kind = document["kind"]
    if kind == "netstat":
        sockets = document["listeners"] + document["udp"]
        return [
            str(value)
            for one in sockets
            for value in (one["address"], one["port"], one["pid"], one["process"], *one["services"])
            if value is not None
        ]
    if kind == "tasklist":
        return [
            str(value)
            for one in document["processes"]
            for value in (one["image"], one["pid"], *(one["services"] or ()))
        ]
    if kind == "certificates":
        return [one["thumbprint"] for one in document["certs"]]
    if kind == "reg":
        return [
            hex(data)[2:] if isinstance(data, int) else kind_
            for held in (*document["keys"].values(), document["without_key"])
            for kind_, data in held.values()
        ] + list(document["keys"])
    if kind == "sc":
        shown = [(one["name"], one["state"], one["pid"]) for one in document["services"]]
        return [str(value) for one in shown for value in one if value is not None] + [
            one["name"] for one in document["configs"]
        ]
    return [ace["principal"] + ":" + ace["flags"] for one in document["objects"] for ace in one["aces"]]


def bare(text: str) -> str:
    """Without what a window, a pager or a wiki puts into the middle of a word."""
    text = re.sub(r"[\x80-\x9f]", "\ufffd", text)
    return re.sub(r"[\s\0-\x1f\x7f\ufeff*]|-- *More *-- *", "", text).lower()


def bent(kind: str) -> st.SearchStrategy[str]:
    """Real outputs, cut, doubled, re-wrapped, mixed with others and with characters changed; or nothing like them."""
    lines = [line for sample in SAMPLES[kind] for line in sample.split("\n")]
    foreign = [line for samples in SAMPLES.values() for sample in samples for line in sample.split("\n")[:12]]
    line = st.sampled_from(lines) | st.sampled_from(lines) | st.sampled_from(foreign) | st.text(max_size=40)
    changed = st.builds(
        lambda text, at, put: text[:at] + put + text[at + 1 :], line, st.integers(0, 80), st.text(max_size=3)
    )
    marks = st.sampled_from(["-- More  --", "[...]", "...", "C:\\>netstat -anob", "```", "> ", "", "\ufffd" * 3])
    mixed = st.lists(line | changed | marks, max_size=25).map("\n".join)
    whole = st.sampled_from(SAMPLES[kind])
    cut = st.builds(lambda text, start, end: text[start : max(end, start)], whole, *[st.integers(0, 3000)] * 2)
    twice = st.builds(lambda text, between: text + between + text, whole, st.sampled_from(["", "\n", "\n\n"]))
    wrapped = st.builds(rewrapped, whole, st.sampled_from([21, 60, 80, 100, 120]), st.booleans(), st.booleans())
    # Escape sequences take letters with them; tests/windows/test_paste.py has them.
    return (mixed | cut | twice | wrapped | st.text(max_size=300)).map(lambda text: text.replace("\x1b", ""))


def rewrapped(text: str, width: int, padded: bool, trimmed: bool) -> str:
    """What a window of this width makes of the text, copied with or without the blanks at the ends of lines."""
    rows = []
    for whole in text.split("\n"):
        line = whole.rstrip()
        rows += [line[at : at + width] for at in range(0, len(line), width)] or [""]
    return "\n".join(row.ljust(width) if padded else row.rstrip() if trimmed else row for row in rows)


@pytest.mark.parametrize("kind", parsing.KINDS)
@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_nothing_is_invented_and_nothing_but_unreadable_is_raised(kind: str, data: st.DataObject) -> None:
    text = data.draw(bent(kind))
    try:
        document = parsing.parse_command(kind, text.encode("utf-8", "surrogatepass"))
    except Unreadable:
        return
    json.dumps(document, allow_nan=False)
    assert parsing.lines(document) is not None
    whole = bare(text)
    for fact in said(document):
        assert bare(fact) in whole, fact
    count = text.count("\n") + text.count("\r") + text.count("\x0c") + 1
    assert all(1 <= item["line"] <= count and item["why"] for item in document["unread"])


@pytest.mark.parametrize("kind", parsing.KINDS)
@settings(deadline=None, max_examples=100)
@given(data=st.binary(max_size=300))
def test_any_bytes_are_read_or_said_to_be_unreadable(kind: str, data: bytes) -> None:
    try:
        document = parsing.parse_command(kind, data)
    except Unreadable:
        pass
    else:
        assert document["kind"] == kind


def pager(text: str) -> str:
    return "".join(f"{line}\n" + "-- More  -- \n" * (number % 7 == 6) for number, line in enumerate(text.split("\n")))


HARMLESS: dict[str, Callable[[str], str]] = {
    "indented as Markdown code": lambda text: "\n".join("    " + line for line in text.split("\n")),
    "quoted": lambda text: "\n".join("> " + line for line in text.split("\n")),
    "in a code fence": lambda text: f"```text\n{text}\n```",
    "padded to 80": lambda text: "\n".join(line.rstrip().ljust(80) for line in text.split("\n")),
    "through more": pager,
    "with doubled line ends": lambda text: text.replace("\n", "\r\r\n"),
    "every line break doubled": lambda text: text.replace("\n", "\n\n"),
    "in a window of 80 columns": lambda text: rewrapped(text, 80, padded=False, trimmed=True),
    "in a window of 120 columns, padded": lambda text: rewrapped(text, 120, padded=True, trimmed=False),
}


@pytest.mark.parametrize("how", HARMLESS)
@pytest.mark.parametrize(
    ("kind", "text"), [pytest.param(kind, text, id=kind) for kind, texts in SAMPLES.items() for text in texts]
)
def test_what_a_window_or_a_wiki_does_to_the_form_changes_no_fact(kind: str, text: str, how: str) -> None:
    plain = parsing.parse_command(kind, text.encode())
    changed = parsing.parse_command(kind, HARMLESS[how](text).encode())
    for document in (plain, changed):
        del document["unread"]
    assert changed == plain


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp850", "cp1252", "utf-8"])
def test_the_encoding_changes_no_fact(encoding: str) -> None:
    text = SAMPLES["netstat"][-1]
    document = parsing.parse_command("netstat", text.encode(encoding))
    assert [one["pid"] for one in document["listeners"]] == [1184, 1184]
    assert document["unread"] == []


def test_an_unknown_kind_is_an_error_of_the_caller() -> None:
    with pytest.raises(ValueError, match="none of netstat, tasklist"):
        parsing.parse_command("ipconfig", b"x")


@pytest.mark.parametrize("kind", parsing.KINDS)
@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b" \r\n\r\n", b"\0\0\0\0\0\0\0\0"])
def test_no_text_is_unreadable(kind: str, data: bytes) -> None:
    with pytest.raises(Unreadable, match="no text"):
        parsing.parse_command(kind, data)


@pytest.mark.parametrize("kind", parsing.KINDS)
def test_another_text_is_unreadable(kind: str) -> None:
    with pytest.raises(Unreadable):
        parsing.parse_command(kind, b"Dear support,\nour VM does not answer since Monday.\nRegards")


@pytest.mark.parametrize("kind", parsing.KINDS)
def test_the_output_of_another_command_gives_no_fact(kind: str) -> None:
    for other, texts in SAMPLES.items():
        for text in texts if other != kind else ():
            try:
                document = parsing.parse_command(kind, text.encode())
            except Unreadable:
                continue
            assert said(document) == [], other


def test_lines_say_what_could_not_be_read_and_do_not_flood() -> None:
    text = "  TCP    0.0.0.0:22             0.0.0.0:0              LISTENING       4\n\n" + "rubbish, as it were\n" * 50
    told = parsing.lines(parsing.parse_command("netstat", text.encode()))
    assert told[0] == "1 TCP row, 0 UDP rows; 1 listener:"
    assert "50 lines could not be read:" in told
    assert told[-1] == "  and 30 more (--output json has all)"
