"""Finding a simulator by its address."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serialfix.errors import UsageError
from serialfix.venues import simulated
from serialfix.venues.cloud import Cloud
from serialfix.venues.simulated import cache_folder, ports, read_announcement, sign_in, what_is_wrong
from tests.venues.conftest import Start

ANNOUNCED: dict[str, Any] = {
    "arm": "https://127.0.0.1:8443",
    "ca": "/nowhere/ca.pem",
    "subscription": "00000000-0000-4000-8000-000000000001",
    "resource_group": "rg1",
    "vm": "win1",
    "rdp": "127.0.0.1:40001",
    "user": "azureuser",
    "password": "canary-password",
    "tenant": "t",
    "seed": 5,
    "windows": "2022",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SERIALFIX_CACHE_DIR", str(tmp_path))
    (tmp_path / "simulators").mkdir()
    return tmp_path / "simulators"


def write(folder: Path, **changes: Any) -> None:
    (folder / "8443.json").write_text(json.dumps(ANNOUNCED | changes))


@pytest.mark.parametrize("url", ["https://127.0.0.1:8443", "https://localhost:8443/", "https://127.0.0.1:8443/x"])
def test_found_by_its_port(folder: Path, url: str) -> None:
    write(folder)
    found = read_announcement(url)
    assert found.cloud.arm == "https://127.0.0.1:8443"
    assert found.cloud.simulated
    assert found.cloud.ca == "/nowhere/ca.pem"
    assert (found.rdp_host, found.rdp_port) == ("127.0.0.1", 40001)
    assert found.token_url == "https://127.0.0.1:8443/t/oauth2/v2.0/token"
    assert "canary-password" not in repr(found)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8443",
        "https://management.azure.com:8443",
        "https://127.0.0.1",
        "https://127.0.0.1:0",
        "https://127.0.0.1:99999",
        "https://u@127.0.0.1:8443",
        "https://127.0.0.1.evil.example:8443",
        "https://[::1",
        "127.0.0.1:8443",
        "8443",
        "",
    ],
)
def test_not_an_address_of_a_simulator(folder: Path, url: str) -> None:
    write(folder)
    with pytest.raises(UsageError, match="not the address of a simulator") as caught:
        read_announcement(url)
    assert "--simulate" in caught.value.advice


def test_none_there(folder: Path) -> None:
    assert folder.is_dir()
    with pytest.raises(UsageError, match="No simulator") as caught:
        read_announcement("https://127.0.0.1:8443")
    assert "serialfix simulate" in caught.value.advice


@pytest.mark.parametrize(
    "changes",
    [
        {"arm": "https://management.azure.com"},
        {"arm": "https://evil.example:8443"},
        {"arm": "http://127.0.0.1:8443"},
        {"arm": "https://127.0.0.1:8444"},
        {"rdp": "203.0.113.7:3389"},
        {"rdp": "127.0.0.1"},
        {"rdp": "127.0.0.1:99999"},
        {"password": 5},
    ],
)
def test_an_announcement_that_leads_away_is_not_believed(folder: Path, changes: dict[str, Any]) -> None:
    write(folder, **changes)
    with pytest.raises(UsageError, match="cannot be used"):
        read_announcement("https://127.0.0.1:8443")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(junk=st.binary(max_size=200))
def test_a_damaged_file_is_a_usage_error(folder: Path, junk: bytes) -> None:
    (folder / "8443.json").write_bytes(junk)
    with pytest.raises(UsageError):
        read_announcement("https://127.0.0.1:8443")


def test_the_cache_folder_can_be_chosen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SERIALFIX_CACHE_DIR", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SERIALFIX_CACHE_DIR")
    assert cache_folder().name == "serialfix" or "serialfix" in cache_folder().parts


async def test_a_real_one_is_found(simulator: Start) -> None:
    found = await asyncio.to_thread(simulator, "--seed", "3")
    assert found.cloud.ca is not None
    assert found.cloud.ssl_context().get_ca_certs()
    assert found.user


async def test_a_real_one_says_what_is_wrong_and_where_its_ports_are(simulator: Start) -> None:
    found = await asyncio.to_thread(simulator, "--seed", "3", "--fault", "port-hijack")
    token, _ = await sign_in(found, (found.cloud.scope,))
    assert await what_is_wrong(found.cloud, token) == "port-hijack"
    assert await ports(found.cloud, token) == {3389: (found.rdp_host, found.rdp_port)}
    assert await ports(found.cloud, "another token") == {}
    assert await what_is_wrong(found.cloud, "another token") == ""


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"[]",
        b'{"ports": 1}',
        b'{"ports": {"3390": "203.0.113.7:3390"}}',
        b'{"ports": {"3390": "127.0.0.1:70000"}}',
        b'{"ports": {"x": "127.0.0.1:1", "0": "127.0.0.1:1", "70000": "127.0.0.1:1", "3390": "127.0.0.1:"}}',
    ],
)
async def test_ports_elsewhere_or_of_another_form_are_not_believed(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(cloud: object, token: str, what: str, kind: type[Any]) -> Any:
        assert what == "ports"
        try:
            return msgspec.json.decode(said, type=kind)
        except msgspec.DecodeError:
            return None

    monkeypatch.setattr(simulated, "_asked", asked)
    assert await ports(Cloud("simulated", "https://127.0.0.1:1", "", "127.0.0.1"), "token") == {}
