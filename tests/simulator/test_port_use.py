from serialfix.simulator.baseline import RDP_TCP
from serialfix.simulator.faults import build
from serialfix.simulator.port_use import PortUse, excluded, is_excluded
from serialfix.simulator.registry import REG_DWORD
from tests.simulator.world import shell


def test_the_port_stands_in_the_registry() -> None:
    vm = build(["port-hijack"], "2022", 4)
    use = next(iter(vm.port_uses.values()))
    assert use.port(vm.registry) == 3389
    key = rf"HKLM\SYSTEM\CurrentControlSet\Services\{use.service}\Parameters"
    shell(
        vm, f"reg add {key} /v Port /t REG_DWORD /d 8080 /f", f"net stop {use.service} /y", f"net start {use.service}"
    )
    assert use.port(vm.registry) == 8080
    assert vm.bound == {8080: use.service.lower()}
    assert PortUse("Nothing", "http").port(vm.registry) is None


def test_ranges_differ_from_vm_to_vm_and_never_keep_rdps_own_port() -> None:
    kept = {seed: excluded(seed) for seed in range(200)}
    assert len({tuple(ranges) for ranges in kept.values()}) > 50
    assert kept[7] == excluded(7)
    for seed, ranges in kept.items():
        assert not is_excluded(seed, 3389)
        assert all(0 < first <= last < 65536 for first, last, _ in ranges)
    assert any(is_excluded(seed, 3390) for seed in kept)


def test_nobody_listens_on_a_port_that_is_kept() -> None:
    seed = next(seed for seed in range(200) if is_excluded(seed, 3390))
    vm = build([], "2022", seed)
    vm.registry.set(RDP_TCP, "PortNumber", REG_DWORD, 3390)
    shell(vm, "net stop TermService /y", "net start TermService")
    assert vm.listens() is None
    assert vm.rdp_port(3390).behaviour == "closed"
