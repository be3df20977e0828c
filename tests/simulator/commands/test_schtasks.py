from serialfix.simulator import key_files
from serialfix.simulator.faults import FAULTS, build
from tests.simulator.world import ask, shell

CREATE = r'schtasks /create /tn fix /sc once /st 00:00 /ru SYSTEM /rl HIGHEST /f /tr "C:\Windows\w\s.cmd"'
RUN = ("schtasks /run /tn fix", "timeout /t 4 /nobreak >nul", "schtasks /delete /tn fix /f")


def test_a_task_runs_as_system_and_repairs_what_an_administrator_cannot() -> None:
    for seed in range(12):
        vm = build(["key-permissions"], "2022", seed)
        at = key_files.path(vm.registry)
        lines = (
            "whoami ^> C:\\Windows\\w\\out.txt",
            f"icacls {at} /save C:\\Windows\\w\\key.acl",
            f"icacls {at} /remove:d *S-1-5-20 *S-1-1-0 *S-1-5-32-545 *S-1-5-11 *S-1-5-6",
            f"icacls {at} /grant *S-1-5-20:(R)",
        )
        assert "Access is denied." in ask(vm, f"icacls {at} /grant *S-1-5-20:(R)")
        shell(vm, r"md C:\Windows\w", *(rf"echo {line}>>C:\Windows\w\s.cmd" for line in lines), CREATE, *RUN)
        assert ask(vm, r"type C:\Windows\w\out.txt") == "nt authority\\system\n"
        assert not FAULTS["key-permissions"].repaired(vm)  # TermService has its old handle
        shell(vm, "net stop TermService /y", "net start TermService")
        assert FAULTS["key-permissions"].repaired(vm)
        saved = shell(vm, r"type C:\Windows\w\key.acl")
        assert "D:PAI(" in saved
        assert vm.tasks == {}


def test_its_life() -> None:
    vm = build([], "2019", 1)
    shell(
        vm,
        r"md C:\Windows\w",
        r"echo timeout /t 5 ^>nul>C:\Windows\w\s.cmd",
        r"echo ping -n 3 127.0.0.1>>C:\Windows\w\s.cmd",
    )
    assert "SUCCESS" in ask(vm, CREATE)
    assert "267011" in ask(vm, "schtasks /query /tn fix /v /fo list")
    assert "Ready" in ask(vm, "schtasks /query /tn fix /nh")
    assert 'SUCCESS: Attempted to run the scheduled task "fix".' in ask(vm, "schtasks /run /tn fix")
    assert "already exists" in shell(vm, CREATE.replace(" /f", ""), "n")
    assert "fix" in vm.tasks
    assert "cannot find the file" in ask(vm, "schtasks /run /tn other")
    shell(vm, "schtasks /delete /tn fix", "y")
    assert vm.tasks == {}


def test_a_stopped_scheduler_refuses() -> None:
    vm = build([], "2019", 1)
    vm.services.set_stopped("Schedule")
    assert "ERROR" in ask(vm, CREATE)
    assert vm.tasks == {}


def test_a_task_that_asks_for_ever_ends() -> None:
    vm = build([], "2019", 1)
    shell(
        vm, r"md C:\Windows\w", r"echo pause>C:\Windows\w\s.cmd", r"echo set /p x=?>>C:\Windows\w\s.cmd", CREATE, RUN[0]
    )
    vm.advance(vm.now + 5)
    assert vm.tasks["fix"]["status"] == "Ready"
