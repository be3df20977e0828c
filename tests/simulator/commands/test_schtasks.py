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
        assert "D:PAI(" in saved.replace("\0", "")
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


def test_a_command_longer_than_261_characters_is_refused() -> None:
    vm = build([], "2022", 1)
    for length, made in ((261, 1), (262, 0)):
        text = ask(vm, f"schtasks /create /tn t{length} /sc once /st 00:00 /ru SYSTEM /tr {'x' * length}")
        assert ("not be more than 261" in text) == (not made)
        assert (f"t{length}" in vm.tasks) == bool(made)


def test_its_xml_names_the_account_by_its_sid_and_stands_in_a_file_as_well() -> None:
    vm = build([], "2022", 1)
    shell(vm, CREATE.replace(r"s.cmd", "s.cmd /q"))
    shown = ask(vm, "schtasks /query /tn fix /xml")
    for part in ("<UserId>S-1-5-18</UserId>", "HighestAvailable", r"<Command>C:\Windows\w\s.cmd<", "<Arguments>/q<"):
        assert part in shown
    assert ask(vm, r"type C:\Windows\System32\Tasks\fix").strip() == shown.strip()
    assert "<UserId>" not in ask(vm, "schtasks /query /tn other /xml")
    shell(vm, "schtasks /delete /tn fix /f")
    assert "cannot find" in ask(vm, r"type C:\Windows\System32\Tasks\fix")


def test_a_task_of_the_users_own_carries_his_sid() -> None:
    vm = build([], "2022", 1)
    shell(vm, r"schtasks /create /tn mine /sc once /st 00:00 /tr C:\x.cmd")
    shown = ask(vm, "schtasks /query /tn mine /xml")
    assert f"<UserId>{vm.administrator().user}</UserId>" in shown
    assert "LeastPrivilege" in shown


def test_endpoint_protection_refuses_deletes_or_stops_a_task_as_system_and_no_other() -> None:
    for how in ("refused", "removed", "blocked"):
        vm = build([], "2022", 1)
        vm.system_tasks = how
        shell(vm, r"md C:\Windows\w", r"echo md C:\made>C:\Windows\w\s.cmd")
        assert ("Access is denied" in ask(vm, CREATE)) == (how == "refused")
        vm.advance(vm.now + 1)
        assert ("fix" in vm.tasks) == (how == "blocked")
        shell(vm, RUN[0], RUN[1])
        assert not vm.files.is_folder(r"C:\made")
        shell(vm, CREATE.replace("SYSTEM", vm.user), RUN[0], RUN[1])
        assert vm.files.is_folder(r"C:\made")
