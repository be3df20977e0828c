import re

import pytest

from serialfix.simulator.faults import build
from tests.simulator.world import YEARS, ask, shell


@pytest.mark.parametrize("windows", YEARS)
def test_the_listener_is_termservices(windows: str) -> None:
    vm = build([], windows, 2)
    pid = re.search(r"PID +: (\d+)", ask(vm, "sc queryex TermService"))
    assert pid is not None
    assert f"  TCP    0.0.0.0:3389           0.0.0.0:0              LISTENING       {pid[1]}\n" in ask(
        vm, "netstat -ano"
    )
    assert f"LISTENING       {pid[1]}\n  TermService\n [svchost.exe]\n" in ask(vm, "netstat -anob")
    assert ask(vm, f'tasklist /svc /fo csv /nh /fi "PID eq {pid[1]}"') == f'"svchost.exe","{pid[1]}","TermService"\n'
    assert (
        "  TCP    0.0.0.0:445            0.0.0.0:0              LISTENING       4\n"
        " Can not obtain ownership information\n" in ask(vm, "netstat -anob -p tcp")
    )
    assert " rdp-tcp                                65536  Listen" in ask(vm, "qwinsta")


def test_a_killed_service_stops() -> None:
    vm = build([], "2022", 2)
    shell(
        vm,
        'taskkill /f /fi x & for /f "tokens=3" %p in (\'sc queryex TermService ^| find "PID"\') do taskkill /f /pid %p',
    )
    assert vm.rdp_port().behaviour == "closed"
    assert "STATE              : 1  STOPPED" in ask(vm, "sc query TermService")


def test_tasklist_breaks_its_service_list() -> None:
    text = ask(build([], "2016", 1), "tasklist /svc")
    assert "\nImage Name                     PID Services" in text
    assert re.search(r"\n {35}\S", text)
    assert ask(build([], "2016", 1), 'tasklist /fi "PID eq 99999"') == (
        "INFO: No tasks are running which match the specified criteria.\n"
    )


def test_whoami_is_elevated() -> None:
    vm = build([], "2022", 1)
    assert "S-1-16-12288" in ask(vm, "whoami /groups | findstr S-1-16-12288")
    assert ask(vm, "whoami") == f"{vm.name}\\{vm.user}\n".lower()
    assert str(vm.accounts[vm.user]["sid"]) in ask(vm, "whoami /user")


def test_net_stop_asks_for_dependents() -> None:
    vm = build([], "2022", 1)
    text = shell(
        vm, "net stop TermService", "n", "net stop TermService /y", "net start termservice", "net start TermService"
    )
    assert text.count("The following services are dependent on the Remote Desktop Services service.\n") == 2
    assert "Do you want to continue this operation? (Y/N) [N]: n\n" in text
    assert "The Remote Desktop Services service was stopped successfully.\n" in text
    assert "The Remote Desktop Services service was started successfully.\n" in text
    assert (
        "The requested service has already been started.\n\nMore help is available by typing NET HELPMSG 2182.\n"
        in text
    )


def test_certutil_for_real() -> None:
    vm = build([], "2022", 1)
    text = shell(
        vm,
        "cd C:\\Windows\\Temp",
        "echo hello>a",
        "certutil -hashfile a SHA256",
        "certutil -encode a b",
        "certutil -decode b c",
        "type c",
    )
    assert "cd2eca3535741f27a8ae40c31b0c41d4057a7a7b912b33b9aed86485d1c84676" in text  # sha256 of hello CR LF
    assert (
        "-----BEGIN CERTIFICATE-----\r\naGVsbG8NCg==\r\n"
        in (vm.files.entries["c:\\windows\\temp\\b"].data or b"").decode()
    )
    assert text.rpartition("type c\n")[2].startswith("hello\n")


def test_wevtutil_filters() -> None:
    vm = build([], "2022", 1)
    assert "Event ID: 6005" in ask(vm, 'wevtutil qe System /f:text /q:"*[System[(EventID=6005)]]"')
    assert ask(vm, 'wevtutil qe System /f:text /q:"*[System[(EventID=1)]]"') == ""
    assert "query is invalid" in ask(vm, 'wevtutil qe System /q:"nonsense"')
    newest = ask(vm, "wevtutil qe System /c:1 /rd:true /f:text")
    assert "User Mode" not in newest
    assert "UserMode Port Redirector service entered the running state." in newest
    recent = 'wevtutil qe System /f:text /q:"Event[System[TimeCreated[timediff(@SystemTime) <= 1000]]]"'
    assert ask(vm, recent) == ""


def test_shutdown_can_be_aborted() -> None:
    vm = build([], "2022", 1)
    shell(vm, "shutdown /r /t 100")
    assert [what for what, _ in vm.power_requests] == ["restart"]
    shell(vm, "shutdown /a")
    assert vm.power_requests == []
    assert ask(vm, "shutdown /a") == "Unable to abort the system shutdown because no shutdown was in progress.(1116)\n"
