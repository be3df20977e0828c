import pytest

from serialfix.simulator import key_files, sids
from serialfix.simulator.faults import build
from tests.simulator.world import YEARS


@pytest.mark.parametrize("windows", YEARS)
def test_the_healthy_key_is_the_measured_one(windows: str) -> None:
    vm = build([], windows, 4)
    at = key_files.path(vm.registry)
    guid = str(vm.registry.get(r"HKLM\SOFTWARE\Microsoft\Cryptography", "MachineGuid"))
    assert at.endswith(rf"\MachineKeys\f686aace6942fb7f7ceb231212eef4a4_{guid}")
    third = "(A;;FR;;;BA)" if windows == "2016" else f"(A;;FA;;;{sids.service_sid('SessionEnv')})"
    assert vm.files.descriptor(at).sddl() == f"O:SYG:SYD:PAI(A;;FA;;;SY)(A;;FR;;;NS){third}"
    assert vm.files.descriptor(key_files.FOLDER).sddl() == "O:SYG:SYD:PAI(A;;0x12019f;;;WD)(A;;FA;;;BA)"
    entry = vm.files.find(at)
    assert entry is not None
    assert key_files.readable(vm.files, entry, sids.TERM_SERVICE)
    assert key_files.readable(vm.files, entry, vm.administrator()) == (windows == "2016")


def test_a_file_says_which_key_it_stands_for() -> None:
    assert key_files.identifier(key_files.contents(bytes(range(20)))) == bytes(range(20))
    assert key_files.identifier(b"") is None
    assert b"PRIVATE" not in key_files.contents(bytes(20))
