import pytest

from .standins import StandInVm, simulated


async def test_state_and_journal() -> None:
    vm = StandInVm(journal=[{"time": 1.5, "kind": "registry"}])
    async with simulated(vm=vm, repaired={"tls-disabled": False}) as it:
        arm = it.running.announcement.arm
        async with it.http.get(f"{arm}/simulator/state", headers=it.headers) as response:
            body = await response.json()
        assert body["repaired"] == {"tls-disabled": False}
        assert body["faults"] == ["tls-disabled"]
        assert body["state"]["name"] == "WEB01"
        async with it.http.get(f"{arm}/simulator/journal", headers=it.headers) as response:
            assert (await response.json()) == {"journal": vm.journal}


@pytest.mark.parametrize("path", ["state", "journal", "ports"])
async def test_they_want_the_token(path: str) -> None:
    async with simulated() as it:
        url = f"{it.running.announcement.arm}/simulator/{path}"
        for headers in ({}, {"Authorization": "Bearer a.b.c"}):
            async with it.http.get(url, headers=headers) as response:
                assert response.status == 401
                assert "error" in await response.json()
