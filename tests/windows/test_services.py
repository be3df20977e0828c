"""sc: a service's state and process, in every language, and never guessed."""

import re

import pytest
from hypothesis import given

from serialfix.steps import Output, Unreadable
from serialfix.windows.services import Service, parse, parse_one
from tests.windows.samples import capture, failed, good, junk, partial

RUNNING = """
SERVICE_NAME: TermService
        TYPE               : 30  WIN32
        STATE              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : 1184
        FLAGS              :
"""
STOPPED = """
SERVICE_NAME: UmRdpService
        TYPE               : 20  WIN32_SHARE_PROCESS
        STATE              : 1  STOPPED
        WIN32_EXIT_CODE    : 1077  (0x435)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
        PID                : 0
        FLAGS              :
"""
DEPENDENTS = """
Enum: entriesRead = 2

SERVICE_NAME: UmRdpService
DISPLAY_NAME: Remote Desktop Services UserMode Port Redirector
        TYPE               : 30  WIN32
        STATE              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0

SERVICE_NAME: RasTap
DISPLAY_NAME: A driver: with a colon
        TYPE               : 1  KERNEL_DRIVER
        STATE              : 4  RUNNING
                                (STOPPABLE, NOT_PAUSABLE, IGNORES_SHUTDOWN)
        WIN32_EXIT_CODE    : 0  (0x0)
        SERVICE_EXIT_CODE  : 0  (0x0)
        CHECKPOINT         : 0x0
        WAIT_HINT          : 0x0
"""
# The labels as output-formats.md "sc query" describes them: Spanish touches the colon, Portuguese indents by four.
SPANISH = """
NOMBRE_SERVICIO: TermService
        TIPO               : 30  WIN32
        ESTADO             : 3  STOP_PENDING
                                (STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)
        CÓD_SALIDA_WIN32   : 0  (0x0)
        CÓD_SALIDA_SERVICIO: 0  (0x0)
        PUNTO_COMPROB.     : 0x3
        INDICACIÓN_INICIO  : 0x7d0
        PID                : 900
        MARCAS             :
"""
PORTUGUESE = """
NOME_DO_SERVIÇO: TermService
    TIPO                       : 30  WIN32
    ESTADO                     : 2  START_PENDING
    CÓDIGO_DE_SAÍDA_DO_WIN32   : 0  (0x0)
    CÓDIGO_DE_SAÍDA_DO_SERVIÇO : 0  (0x0)
    PONTO_DE_VERIFICAÇÃO       : 0x0
    AGUARDAR_DICA              : 0x0
    PID                        : 77
    SINALIZADORES              :
"""
RUSSIAN = """
Имя_службы: TermService
        Тип                : 30  WIN32
        Состояние          : 7  PAUSED
        Код_выхода_Win32   : 0  (0x0)
        Код_выхода_службы  : 0  (0x0)
        Контрольная_точка  : 0x0
        Ожидание           : 0x0
        ID_процесса        : 12
        Флаги              :
"""


@pytest.mark.parametrize(
    ("text", "service"),
    [
        (RUNNING, Service("TermService", "running", 1184)),
        (STOPPED, Service("UmRdpService", "stopped", 0)),
        (SPANISH, Service("TermService", "stopping", 900)),
        (PORTUGUESE, Service("TermService", "starting", 77)),
        (RUSSIAN, Service("TermService", "paused", 12)),
    ],
)
def test_good_and_localised(text: str, service: Service) -> None:
    assert parse_one(good(text)) == service


def test_dependents() -> None:
    """Of a driver, the type is a small number and a word as well; it is no state."""
    assert parse(good(DEPENDENTS)) == (Service("UmRdpService", "running", None), Service("RasTap", "running", None))


@pytest.mark.parametrize("text", ["", "\n", "Enum: entriesRead = 0\n"])
def test_empty(text: str) -> None:
    assert parse(good(text)) == ()
    with pytest.raises(Unreadable, match="0 services"):
        parse_one(good(text))


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (failed("[SC] EnumQueryServicesStatus:OpenService FAILED 1060:\n\nNot installed.\n"), "failed with 1060"),
        (failed("[SC] OpenService FEHLER 5:\n\nZugriff verweigert\n"), "failed with 5"),
        (failed("[SC] OpenService 失败 5:\n\n拒绝访问。\n"), "failed with 5"),
        (failed("nothing that sc says\n"), "failed with 1"),
        (Output(RUNNING, None, "screen"), "failed"),
        (partial(RUNNING), "cut"),
        (good(RUNNING + STOPPED), "2 services"),
        (good(RUNNING.replace("4  RUNNING", "4")), "without a state"),
        (good(RUNNING.replace("4  RUNNING", "9  FLYING")), "without a state"),
        (good(RUNNING.replace("        STATE              : 4  RUNNING\n", "")), "without a state"),
        (good("SERVICE_NAME: a\n        TYPE : 1  KERNEL_DRIVER\n"), "without a state"),
    ],
)
def test_failed_or_damaged(output: Output, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        parse_one(output)


@pytest.mark.parametrize("name", ["x & shutdown /r", 'a"b', "%COMSPEC%", "a|b", "-f", "", "x\\ y\\", "ünter"])
def test_a_hostile_name_is_no_name(name: str) -> None:
    with pytest.raises(Unreadable, match="no name of a service"):
        parse(good(RUNNING.replace("TermService", name)))


@given(junk(RUNNING, DEPENDENTS, SPANISH, RUSSIAN))
def test_junk_is_unreadable_at_worst(output: Output) -> None:
    for read in (parse, parse_one):
        try:
            read(output)
        except Unreadable:
            continue


WORDS = {1: "stopped", 2: "starting", 3: "stopping", 4: "running"}


@pytest.mark.parametrize(
    "name",
    ["12-stop-start-2012r2", "13-start-running-pid", "14-stop-pending-dns", "15-hvsics-stop",
     "18-vmtools-stopped-winrm"],
)  # fmt: skip
def test_captures(name: str) -> None:
    text, truth = capture(f"sc-query/{name}.txt")
    # sc prints one service; what stands between two of them is somebody's prompt.
    blocks = re.findall(r"(?m)^SERVICE_NAME:.*\n(?:[ \t]+\S.*\n?)+", text)
    services = [parse_one(good(block)) for block in blocks]
    assert [service.name.lower() for service in services] == [each["name"].lower() for each in truth["services"]]
    assert [service.state for service in services] == [WORDS[each["state_code"]] for each in truth["services"]]
    assert [service.pid for service in services] == [each.get("pid") for each in truth["services"]]


@pytest.mark.parametrize("name", ["16-qc-own-process-localservice", "17-qc-shared-svchost"])
def test_the_output_of_qc_is_not_taken_for_a_state(name: str) -> None:
    text, _ = capture(f"sc-query/{name}.txt")
    with pytest.raises(Unreadable, match="without a state"):
        parse(good(text[text.index("SERVICE_NAME") :]))


@pytest.mark.parametrize(
    ("name", "number"),
    [("05-sc-startservice-1053", 1053), ("06-sc-controlservice-1062", 1062), ("07-sc-createservice-1073", 1073)],
)
def test_captured_failures(name: str, number: int) -> None:
    text, _ = capture(f"failures/{name}.txt")
    with pytest.raises(Unreadable, match=f"failed with {number}$"):
        parse_one(failed(text))
