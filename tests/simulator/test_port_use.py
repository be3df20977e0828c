from serialfix.simulator.faults import build
from serialfix.simulator.port_use import PortUse
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
