import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator import certificate_blob
from serialfix.simulator.certificate_blob import BadBlob, KeyProvider

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


@given(st.binary(max_size=200), st.binary(max_size=80), NAMES, NAMES)
def test_built_and_read_again(der: bytes, info: bytes, container: str, provider: str) -> None:
    made = certificate_blob.build(der, info, b"\1" * 20, KeyProvider(container, provider))
    found = certificate_blob.parse(made)
    assert found[certificate_blob.CERTIFICATE] == der
    assert found[certificate_blob.SHA1] == hashlib.sha1(der).digest()
    assert certificate_blob.unpack_provider(found[certificate_blob.KEY_PROVIDER]) == KeyProvider(container, provider)


@given(st.binary(min_size=1, max_size=60), st.integers(1, 100))
def test_a_cut_blob_is_refused(der: bytes, cut: int) -> None:
    made = certificate_blob.build(der, b"", b"", None)
    with pytest.raises(BadBlob):
        certificate_blob.parse(made[: -min(cut, len(der) + 11)])
    with pytest.raises(BadBlob):
        certificate_blob.unpack_provider(b"\0" * 27)


def test_the_layout_is_four_numbers_and_data() -> None:
    made = certificate_blob.build(b"DER", b"info", b"", None)
    assert made[:12] == bytes.fromhex("190000000100000010000000")
    assert made.endswith(bytes.fromhex("200000000100000003000000") + b"DER")
