"""Blobs made by hand and by the simulator, damaged in every way: read as they are, or said to be broken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.steps import Output, Unreadable
from serialfix.windows.certificate_store import (
    MY,
    REMOTE_DESKTOP,
    STORES,
    Broken,
    Contents,
    Entry,
    contents,
    parse,
    parse_stores,
    read_blob,
    records,
)
from tests.simulator.world import ask
from tests.windows.blobs import BEGIN, END, ROOT, blob, listing, made, provider, record, thumbprint

DER = made()
NAME = thumbprint(DER)


def test_a_self_signed_certificate_with_its_key() -> None:
    found = parse(listing((NAME, blob(DER, provider()))), REMOTE_DESKTOP)
    assert found == Contents(
        (Entry(NAME, BEGIN, END, True, "legacy", "TSSecKeySet1", blob(DER, provider())),),
    )
    assert str(found.entries[0]) == f"{NAME} (self-signed, valid 2026-01-05 to 2026-07-06)"


@pytest.mark.parametrize(
    ("key", "kind", "container"),
    [
        (None, "none", ""),
        (provider("{0E5B}", kind=0), "CNG", "{0E5B}"),
        (provider("ключ", kind=24), "legacy", "ключ"),
    ],
)
def test_what_is_said_of_the_private_key(key: bytes | None, kind: str, container: str) -> None:
    entry = read_blob(blob(DER, key), NAME)
    assert (entry.provider, entry.container) == (kind, container)


def test_one_that_was_issued_by_another_is_not_self_signed() -> None:
    other = made("vm01", "Contoso Issuing CA")
    assert not read_blob(blob(other), thumbprint(other)).self_signed


def test_a_broken_entry_is_kept_beside_the_others() -> None:
    other = made(serial=12)
    found = parse(listing((NAME, blob(other)), (thumbprint(other), blob(other))), REMOTE_DESKTOP)
    assert [entry.thumbprint for entry in found.entries] == [thumbprint(other)]
    assert [broken.name for broken in found.broken] == [NAME.lower()]
    assert "another certificate than its name says" in found.broken[0].why
    with pytest.raises(Unreadable, match="can't be read"):
        found.find(NAME)
    assert found.find(thumbprint(other).lower()) == found.entries[0]
    assert found.find("00" * 20) is None


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("    Blob    REG_SZ    00", "type"),
        ("    Blob    REG_BINARY    0", "hexadecimal"),
        ("    Blob    REG_BINARY", "no certificate"),
        (f"    Blob    REG_BINARY    {blob(DER).hex()}\n    Other    REG_SZ    x", "something else"),
        (f"    Blob    REG_BINARY    {blob(DER).hex()}\n\n{ROOT}\\{REMOTE_DESKTOP}\\Certificates\\{NAME}\\sub", "else"),
        ("", "something else"),
    ],
)
def test_an_entry_that_is_more_or_less_than_a_blob_is_broken(lines: str, why: str) -> None:
    text = f"\n{ROOT}\\{REMOTE_DESKTOP}\\Certificates\n\n{ROOT}\\{REMOTE_DESKTOP}\\Certificates\\{NAME}\n{lines}\n"
    found = parse(Output(text, 0, "screen"), REMOTE_DESKTOP)
    assert not found.entries
    assert [broken.name for broken in found.broken] == [NAME.lower()]
    assert why in found.broken[0].why


def test_a_name_that_is_no_thumbprint() -> None:
    (broken,) = parse(listing(("x & calc", blob(DER))), REMOTE_DESKTOP).broken
    assert broken == Broken("x & calc", "the entry's name is no thumbprint")


@pytest.mark.parametrize("at", ["sha1", "twice"])
def test_records_that_contradict(at: str) -> None:
    data = blob(DER)
    data = data.replace(bytes.fromhex(NAME), bytes(20), 1) if at == "sha1" else data + record(32, DER)
    with pytest.raises(Unreadable, match=r"SHA-1|twice"):
        read_blob(data, NAME)


@given(st.binary(max_size=200))
def test_any_bytes_are_records_or_unreadable(data: bytes) -> None:
    try:
        found = records(data)
    except Unreadable:
        return
    assert sum(12 + len(value) for value in found.values()) == len(data)


@given(st.dictionaries(st.integers(0, 2**32 - 1), st.binary(max_size=60), max_size=6))
def test_records_are_read_as_they_were_written(written: dict[int, bytes]) -> None:
    assert records(b"".join(record(number, data) for number, data in written.items())) == written


@settings(max_examples=200)
@given(st.integers(0, len(blob(DER, provider())) - 1))
def test_a_blob_that_was_cut_is_never_taken(length: int) -> None:
    with pytest.raises(Unreadable):
        read_blob(blob(DER, provider())[:length], NAME)


@settings(max_examples=300)
@given(st.integers(0, len(blob(DER, provider())) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found_or_harmless(at: int, by: int) -> None:
    data = bytearray(blob(DER, provider()))
    data[at] ^= by
    try:
        entry = read_blob(bytes(data), NAME)
    except Unreadable:
        return
    # The certificate itself is held by its thumbprint.
    assert (entry.not_before, entry.not_after, entry.self_signed) == (BEGIN, END, True)


@given(st.binary(max_size=90))
def test_any_provider_is_read_or_unreadable(data: bytes) -> None:
    try:
        entry = read_blob(blob(DER, data), NAME)
    except Unreadable:
        return
    assert entry.provider in ("legacy", "CNG")


@given(st.binary(max_size=120))
def test_a_certificate_that_is_none_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable, match="can't be read"):
        read_blob(record(32, data), thumbprint(data))


@given(st.text(max_size=200))
def test_any_text_is_read_or_unreadable(text: str) -> None:
    for read in (lambda output: parse(output, REMOTE_DESKTOP), parse_stores):
        with pytest.raises(Unreadable):
            read(Output(text, 0, "screen"))


def test_a_failed_cut_or_foreign_answer_is_unreadable() -> None:
    good = listing((NAME, blob(DER)))
    for output in (
        Output(good.text, 1, "screen"),
        Output(good.text, 0, "screen", partial=True),
        listing((NAME, blob(DER)), store="CA"),
        Output("", 0, "screen"),
    ):
        with pytest.raises(Unreadable):
            parse(output, REMOTE_DESKTOP)


@pytest.mark.parametrize("windows", ["2016", "2019", "2022", "2025"])
def test_the_simulated_windows_is_read(windows: str) -> None:
    vm = build(["cert-missing-key"], windows, 4)
    stores = parse_stores(Output(ask(vm, STORES.query.text), 0, "screen"))  # type: ignore[union-attr]
    assert {"remote desktop", "my", "root"} <= stores
    found = contents(REMOTE_DESKTOP).parse(Output(ask(vm, contents(REMOTE_DESKTOP).query.text), 0, "screen"))  # type: ignore[union-attr]
    held = vm.registry.key(r"HKLM\SOFTWARE\Microsoft\SystemCertificates\Remote Desktop\Certificates")
    assert held is not None
    assert [entry.thumbprint for entry in found.entries] == [key.name for key in held.keys.values()]
    assert [entry.blob for entry in found.entries] == [key.values["blob"].data for key in held.keys.values()]
    assert {(entry.self_signed, entry.provider, entry.container) for entry in found.entries} == {
        (True, "legacy", "TSSecKeySet1")
    }
    assert contents(MY).parse(Output(ask(vm, contents(MY).query.text), 0, "screen")) == Contents()  # type: ignore[union-attr]
