from serialfix.simulator import key_files, security, sids
from serialfix.simulator.faults import build
from tests.simulator.world import ask, shell

FILE = r"C:\Windows\Temp\x.txt"


def test_one_file() -> None:
    vm = build([], "2022", 1)
    shell(vm, f"echo x>{FILE}")
    assert ask(vm, f"takeown /f {FILE}") == (
        f'\nSUCCESS: The file (or folder): "{FILE}" now owned by user "{vm.name.upper()}\\{vm.user}".\n'
    )
    assert vm.files.descriptor(FILE).owner == vm.administrator().user
    shell(vm, f"takeown /f {FILE} /a")
    assert vm.files.descriptor(FILE).owner == sids.ADMINISTRATORS


def test_it_gives_the_administrators_the_list_of_the_key() -> None:
    vm = build([], "2022", 1)
    at = key_files.path(vm.registry)
    assert "Access is denied." in ask(vm, f"icacls {at}")
    shell(vm, f"takeown /f {at} /a")
    assert "NT AUTHORITY\\NETWORK SERVICE:(R)" in ask(vm, f"icacls {at}")
    assert "Access is denied." in ask(vm, f"type {at}")


def test_a_closed_folder_makes_it_ask_and_d_answers() -> None:
    vm = build([], "2022", 1)
    shell(vm, r"md C:\closed", r"echo x>C:\closed\a")
    closed = security.parse("O:SYG:SYD:PAI(A;;FA;;;SY)")
    vm.files.protect(r"C:\closed", closed)
    assert "Do you want to replace" in shell(vm, r"takeown /f C:\closed /a /r", "n")
    vm.files.protect(r"C:\closed", closed)
    text = ask(vm, r"takeown /f C:\closed /a /r /d y")
    assert "Do you want" not in text
    assert text.count("SUCCESS") == 2


def test_wrong_use() -> None:
    vm = build([], "2022", 1)
    assert "Mandatory option" in ask(vm, "takeown")
    assert "Invalid argument" in ask(vm, "takeown /x")
    assert "cannot find the file" in ask(vm, r"takeown /f C:\nothing")
