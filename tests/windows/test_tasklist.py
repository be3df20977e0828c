"""tasklist: which process holds which services; the word for none is no service."""

import pytest

from serialfix.steps import Unreadable
from serialfix.windows.tasklist import Process, parse, read_paste
from tests.windows.samples import failed, good, partial

RULER = "========================= ======== ============================================"
HEADING = "Image Name                     PID Services"


def row(image: str, pid: int, services: str) -> str:
    return f"{image:<25} {pid:>8} {services}"


def test_lists_go_on_in_the_next_lines() -> None:
    text = "\n".join(
        [HEADING, RULER, row("svchost.exe", 900, "CertPropSvc, DsmSvc,"), " " * 35 + "gpsvc,", " " * 35 + "SENS"]
    )
    assert read_paste(text).processes == (Process("svchost.exe", 900, ("CertPropSvc", "DsmSvc", "gpsvc", "SENS")),)
    assert parse(good(text)) == read_paste(text).processes


@pytest.mark.parametrize("none", ["N/A", "暂缺", "Nicht zutreffend", "Н/Д", "xyzzy"])
@pytest.mark.parametrize(
    "heading", [HEADING, "映像名称                       PID 服务", "Имя образа                     PID Службы"]
)
def test_the_word_for_none_is_learnt_from_the_kernel(none: str, heading: str) -> None:
    text = "\n".join(
        [heading, RULER, row("System", 4, none), row("cmd.exe", 484, none), row("svchost.exe", 820, "TermService")]
    )
    found = read_paste(text)
    assert [one.services for one in found.processes] == [(), (), ("TermService",)]
    assert found.unread == ()


def test_an_unknown_word_that_may_be_none_is_said() -> None:
    found = read_paste(row("cmd.exe", 484, "該当ナシ") + "\n" + row("svchost.exe", 820, "TermService"))
    assert [one.pid for one in found.processes] == [820]
    assert "known word for none" in found.unread[0].why


def test_images_may_hold_blanks_and_numbers() -> None:
    text = "\n".join([HEADING, RULER, row("My App 12 v2.exe", 77, "N/A"), row("System Idle Process", 0, "N/A")])
    assert [(one.image, one.pid) for one in read_paste(text).processes] == [
        ("My App 12 v2.exe", 77),
        ("System Idle Process", 0),
    ]


def test_without_services_they_are_not_known() -> None:
    ruler = "========================= ======== ================ =========== ============"
    text = f"Image Name                     PID Session Name        Session#    Mem Usage\n{ruler}\n"
    found = read_paste(text + row("svchost.exe", 1820, "Services                   0     12,345 K"))
    assert found.processes == (Process("svchost.exe", 1820, None),)


def test_csv_and_a_filtered_line() -> None:
    assert read_paste('"Image Name","PID","Services"\n"svchost.exe","820","A,B"').processes == (
        Process("svchost.exe", 820, ("A", "B")),
    )
    assert read_paste("svchost.exe        820 TermService").processes == (
        Process("svchost.exe", 820, ("TermService",)),
    )


def test_modules_are_no_services() -> None:
    with pytest.raises(Unreadable):
        read_paste(row("lsass.exe", 672, "ntdll.dll, KERNEL32.DLL"))


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([row("svchost.exe", 900, "CertPropSvc,"), row("cmd.exe", 1, "N/A")], "ends in the middle"),
        ([row("svchost.exe", 900, "CertPropSvc"), " " * 35 + "gpsvc"], "has ended"),
        ([row("svchost.exe", 900, "CertPropSvc"), "svchost.exe                    9x0 gpsvc"], "not a row"),
        ([row("svchost.exe", 99999999999, "gpsvc"), row("cmd.exe", 1, "N/A")], ""),
    ],
)
def test_damage_is_said(lines: list[str], why: str) -> None:
    found = read_paste("\n".join([HEADING, RULER, *lines]))
    assert any(why in item.why for item in found.unread)
    assert all("gpsvc" not in (one.services or ()) for one in found.processes)


def test_the_strict_form_reads_exact_output_only() -> None:
    text = "\n".join(["", HEADING, RULER, row("svchost.exe", 820, "TermService")])
    assert parse(good(text))[0].pid == 820
    for wrong in (good(text + "\nnoise"), failed(text), partial(text), good("INFO: No tasks are running")):
        with pytest.raises(Unreadable):
            parse(wrong)
