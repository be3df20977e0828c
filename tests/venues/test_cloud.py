"""Which Azure: wholly real or wholly on this machine."""

import ssl
from pathlib import Path

import pytest

from serialfix.errors import Bug, UsageError
from serialfix.venues.cloud import CLOUDS, PUBLIC, US_GOVERNMENT, Cloud
from tests.venues.standins import Pem


def test_the_real_ones() -> None:
    assert CLOUDS == {"public": PUBLIC, "usgov": US_GOVERNMENT}
    assert not PUBLIC.simulated
    assert not US_GOVERNMENT.simulated


@pytest.mark.parametrize(
    ("arm", "suffix"),
    [
        ("https://127.0.0.1:8443", "serialconsole.azure.com"),
        ("https://management.azure.com", "127.0.0.1"),
        ("http://127.0.0.1:8443", "127.0.0.1"),
        ("https://", "127.0.0.1"),
    ],
)
def test_no_mixture(arm: str, suffix: str) -> None:
    with pytest.raises(Bug):
        Cloud("odd", arm, "scope", suffix)


def test_the_context_trusts_the_given_authority_only(pem: Pem) -> None:
    context = Cloud("simulated", "https://127.0.0.1:1", "scope", "127.0.0.1", ca=str(pem.certificate)).ssl_context()
    assert context.get_ca_certs(binary_form=True) == [pem.der]
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("text", [None, "no certificate"])
def test_an_authority_that_cannot_be_read(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "ca.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError) as caught:
        Cloud("simulated", "https://127.0.0.1:1", "scope", "127.0.0.1", ca=str(path)).ssl_context()
    assert "serialfix simulate" in caught.value.advice
