"""sc out of a paste: in every language, and a damaged state is no state."""

import pytest

from serialfix.steps import Unreadable
from serialfix.windows.services_paste import read_paste

LABELS = {
    "en": "SERVICE_NAME TYPE STATE WIN32_EXIT_CODE SERVICE_EXIT_CODE CHECKPOINT WAIT_HINT PID FLAGS",
    "ru": "Имя_службы Тип Состояние Код_выхода_Win32 Код_выхода_службы Контрольная_точка Ожидание ID_процесса Флаги",
    "es": "NOMBRE_SERVICIO TIPO ESTADO CÓD_SALIDA_WIN32 CÓD_SALIDA_SERVICIO PUNTO_COMPROB INDICACIÓN_INICIO PID MARCAS",
    "pt": "NOME_DO_SERVIÇO TIPO ESTADO CÓD_SAÍDA_WIN32 CÓD_SAÍDA_SERVIÇO PONTO ESPERA PID SINALIZADORES",
}


def block(
    state: str = "4  RUNNING", pid: str = "820", language: str = "en", name: str = "TermService", pad: int = 19
) -> str:
    labels = LABELS[language].split()
    values = ["30  WIN32", state, "1077  (0x435)", "0  (0x0)", "0x1", "0x7d0", pid, ""]
    fields = [f"        {label:<{pad}}: {value}" for label, value in zip(labels[1:], values, strict=True)]
    fields.insert(2, " " * 32 + "(STOPPABLE, NOT_PAUSABLE, ACCEPTS_SHUTDOWN)")
    return "\n".join(["", f"{labels[0]}: {name}", *fields, ""])


@pytest.mark.parametrize("language", LABELS)
@pytest.mark.parametrize("pad", [0, 19, 30])
def test_labels_may_be_in_any_language(language: str, pad: int) -> None:
    found = read_paste(block(language=language, pad=pad))
    one = found.services[0]
    assert (one.name, one.code, one.word, one.pid, one.win32_exit) == ("TermService", 4, "RUNNING", 820, 1077)
    assert (one.service_exit, one.checkpoint, one.wait_hint, len(one.flags)) == (0, 1, 2000, 3)
    assert found.unread == ()


def test_display_names_and_many_services_without_blank_lines() -> None:
    text = block(name="A").strip() + "\n" + block(name="B").strip()
    text = text.replace("SERVICE_NAME: B", "SERVICE_NAME: B\nDISPLAY_NAME: The: second")
    assert [(one.name, one.display_name) for one in read_paste(text).services] == [("A", None), ("B", "The: second")]


@pytest.mark.parametrize("state", ["4  STOPPED", "8  RUNNING", "RUNNING", "4  RUNING", "", "44  RUNNING"])
def test_a_damaged_state_is_no_state(state: str) -> None:
    found = read_paste(block(name="Dhcp") + block(state=state))
    assert [one.name for one in found.services] == ["Dhcp"]
    assert found.unread


@pytest.mark.parametrize("pid", ["82o", "8 20", ""])
def test_a_damaged_process_is_no_process(pid: str) -> None:
    found = read_paste(block(pid=pid))
    assert [one.pid for one in found.services] == [None]


def test_a_driver_is_not_stopped_by_its_type() -> None:
    found = read_paste(block().replace("30  WIN32", "1  KERNEL_DRIVER"))
    assert [(one.code, one.type) for one in found.services] == [(4, "1  KERNEL_DRIVER")]


CONFIG = """[SC] QueryServiceConfig {word}

SERVICE_NAME: TermService
        TYPE               : 20  WIN32_SHARE_PROCESS
        START_TYPE         : 2   AUTO_START  (DELAYED)
        ERROR_CONTROL      : 1   NORMAL
        BINARY_PATH_NAME   : C:\\Windows\\System32\\svchost.exe -k NetworkService
        LOAD_ORDER_GROUP   :
        TAG                : 0
        DISPLAY_NAME       : Remotedesktopdienste
        DEPENDENCIES       : RPCSS
                           : TermDD
        SERVICE_START_NAME : NT Authority\\NetworkService
"""


@pytest.mark.parametrize("word", ["SUCCESS", "ERFOLG", "成功", "УСПЕХ"])
def test_a_configuration(word: str) -> None:
    found = read_paste(CONFIG.format(word=word))
    one = found.configs[0]
    assert (one.name, one.start, one.delayed, one.dependencies) == ("TermService", 2, True, ("RPCSS", "TermDD"))
    assert (one.binary, one.account) == (
        "C:\\Windows\\System32\\svchost.exe -k NetworkService",
        "NT Authority\\NetworkService",
    )
    assert (found.done, found.unread) == (("QueryServiceConfig",), ())


def test_a_configuration_that_lost_a_line_says_so() -> None:
    found = read_paste(CONFIG.format(word="SUCCESS").replace("        TAG                : 0\n", ""))
    assert (found.configs[0].binary, found.configs[0].account) == (None, None)
    assert found.unread


@pytest.mark.parametrize("word", ["FAILED", "FEHLER", "失败", "ERROR", "ошибка:", "ÉCHEC(S)"])
def test_failures_by_their_number(word: str) -> None:
    found = read_paste(f"[SC] EnumQueryServicesStatus:OpenService {word} 1060:\n\nText of it.\n\nC:\\>")
    one = found.failures[0]
    assert (one.function, one.number, one.text) == ("EnumQueryServicesStatus:OpenService", 1060, "Text of it.")
    assert found.unread == ()


def test_nothing_of_sc_is_unreadable() -> None:
    with pytest.raises(Unreadable):
        read_paste("STATE: running, says the customer")
