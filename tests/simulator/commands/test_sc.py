import pytest

from serialfix.simulator.faults import build
from tests.simulator.world import ask, shell


def test_queryex_line_by_line() -> None:
    lines = ask(build([], "2022", 1), "sc queryex termservice").split("\n")
    assert lines[1:5] == [
        "SERVICE_NAME: TermService ",
        "        TYPE               : 30  WIN32  ",
        "        STATE              : 4  RUNNING ",
        "                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)",
    ]
    assert lines[9].startswith("        PID                : ")
    assert lines[10] == "        FLAGS              : "


@pytest.mark.parametrize(
    ("line", "function", "code"),
    [
        ("sc query nope", "EnumQueryServicesStatus:OpenService", 1060),
        ("sc qc nope", "OpenService", 1060),
        ("sc stop nope", "OpenService", 1060),
        ("sc stop TermService", "ControlService", 1051),
        ("sc stop BITS", "ControlService", 1062),
        ("sc stop RpcEptMapper", "ControlService", 1052),
        ("sc start TermService", "StartService", 1056),
    ],
)
def test_failures(line: str, function: str, code: int) -> None:
    vm = build([], "2022", 1)
    assert ask(vm, line).startswith(f"[SC] {function} FAILED {code}:\n\n")
    assert f"echo %errorlevel%\n{code}\n" in shell(vm, line, "echo %errorlevel%")


def test_disabled_services_do_not_start() -> None:
    vm = build([], "2019", 1)
    text = shell(
        vm,
        "sc config BITS start= disabled",
        "sc start BITS",
        "sc config BITS start=demand",
        "sc start BITS",
        "sc qc BITS",
    )
    assert "[SC] ChangeServiceConfig SUCCESS" in text
    assert "[SC] StartService FAILED 1058:" in text
    assert "STATE              : 2  START_PENDING " in text
    assert "        START_TYPE         : 3   DEMAND_START" in text
    assert vm.state()["services"]["BITS"]["start"] == 3  # type: ignore[index]


def test_type_of_termservice_differs_by_build() -> None:
    assert "TYPE               : 10  WIN32_OWN_PROCESS" in ask(build([], "2016", 1), "sc qc TermService")
    assert "TYPE               : 20  WIN32_SHARE_PROCESS" in ask(build([], "2022", 1), "sc qc TermService")
