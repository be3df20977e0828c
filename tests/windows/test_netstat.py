"""netstat: who listens, in every language; owners that are not certain are not reported."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Output, Unreadable
from serialfix.windows.netstat import parse, read_paste
from tests.windows.samples import failed, good, partial

ROW = "  TCP    0.0.0.0:{port:<14}0.0.0.0:0              LISTENING       {pid}"
HEADING = "  Proto  Local Address          Foreign Address        State           PID"


def owners(text: str) -> list[tuple[str | None, tuple[str, ...]]]:
    return [(row.process, row.services) for row in read_paste(text).rows]


@pytest.mark.parametrize(
    "heading",
    [
        "\nAktive Verbindungen\n\n  Proto  Lokale Adresse         Remoteadresse          Status           PID",
        "\nConnexions actives\n\n  Proto  Adresse locale         Adresse distante       État",
        "\nАктивные подключения\n\n  Имя    Локальный адрес        Внешний адрес          Состояние       PID",
        "\nアクティブな接続\n\n  プロトコル  ローカル アドレス          外部アドレス           状態            PID",
        "\n活动连接\n\n  协议  本地地址          外部地址        状态           PID",
        "\nConexiones activas\n\n  Proto  Dirección local          Dirección remota        Estado           PID",
    ],
)
def test_headings_in_any_language_are_no_unread_lines(heading: str) -> None:
    found = read_paste(f"{heading}\n{ROW.format(port=3389, pid=820)}\n")
    assert (found.listeners[0].pid, found.unread) == (820, ())


@pytest.mark.parametrize("state", ["ABHÖREN", "ABH\ufffdREN", "LISTENING", "ABH™REN"])
def test_listening_is_not_told_by_the_word(state: str) -> None:
    assert read_paste(ROW.format(port=1, pid=2).replace("LISTENING", state)).listeners
    assert not read_paste(f"  TCP    10.0.0.4:3389   10.0.0.9:50000   {state}   7").listeners
    assert not read_paste("  TCP    0.0.0.0:5000           0.0.0.0:0              BOUND           7").listeners


def test_an_owner_line_belongs_to_the_row_above() -> None:
    text = f"{ROW.format(port=3389, pid=820)}\n  TermService\n [svchost.exe]\n{ROW.format(port=445, pid=4)}\n"
    assert owners(text + " Can not obtain ownership information\n") == [("svchost.exe", ("TermService",)), (None, ())]


def test_a_sentence_in_an_unknown_language_is_no_service() -> None:
    sentence = " Es konnten keine Besitzerinformationen abgerufen werden."
    text = f"{ROW.format(port=445, pid=4)}\n{sentence}\n{ROW.format(port=1, pid=1)}\n"
    found = read_paste(text)
    assert [row.services for row in found.rows] == [(), ()]
    assert found.unread == ()


def test_owners_without_their_rows_belong_to_no_row() -> None:
    row = ROW.format(port=3389, pid=820)
    assert owners(f" [first.exe]\n{row}\n") == [(None, ())]
    # findstr left these; which of them owns 3389 is not to be known.
    found = read_paste(f"{row}\n [svchost.exe]\n [evil.exe]\n [lsass.exe]\n")
    assert found.rows[0].process is None
    assert len(found.unread) == 3


@pytest.mark.parametrize("between", ["[...]", "C:\\>netstat -anob", HEADING])
def test_an_owner_does_not_cross_a_gap(between: str) -> None:
    found = read_paste(f"{ROW.format(port=3389, pid=820)}\n{between}\n [evil.exe]\n")
    assert found.rows[0].process is None
    assert "[evil.exe]" in [item.text for item in found.unread]


def test_the_libraries_of_xp_are_no_services() -> None:
    libraries = "  c:\\windows\\system32\\WS2_32.dll\n  -- unknown component(s) --"
    text = f"{ROW.format(port=135, pid=988)}\n{libraries}\n  [svchost.exe]\n"
    assert owners(text) == [("svchost.exe", ())]
    assert read_paste(text).unread == ()


@pytest.mark.parametrize(
    ("row", "pid"),
    [
        ("  TCP    0.0.0.0:1   0.0.0.0:0   LISTENING   12   InHost", 12),
        ("  TCP    0.0.0.0:1   0.0.0.0:0   LISTENING   InHost", None),
        ("  TCP    0.0.0.0:1   0.0.0.0:0   LISTENING", None),
        ("TCP 0.0.0.0:1 R90JYPJ8:0 LISTENING 5", 5),
    ],
)
def test_the_process_is_a_number_or_not_known(row: str, pid: int | None) -> None:
    assert [one.pid for one in read_paste(row).listeners] == [pid]


@pytest.mark.parametrize(
    "row",
    [
        "  TCP    0.0.0.0:70000          0.0.0.0:0              LISTENING       4",
        "  TCP    0.0.0:22               0.0.0.0:0              LISTENING       4",
        "  TCP    [::g]:22               [::]:0                 LISTENING       4",
        "  TCP    0.0.0.0:22",
        "  TCP    0.0.0.0:22             0.0.0.0:0              LISTENING       99999999999",
        "  TCP    0.0.0.0:22             0.0.0.0:0              LISTENING       4 5",
        "  TCP    0.0.0.0:22             *:*                                    4",
        "  TCP    is the Transmission Control Protocol",
    ],
)
def test_a_damaged_row_is_said_and_not_guessed(row: str) -> None:
    found = read_paste(f"{ROW.format(port=22, pid=1)}\n{row}\n")
    assert (len(found.rows), len(found.unread)) == (1, 1)


def test_a_paste_that_ends_before_the_process_number() -> None:
    found = read_paste(f"{ROW.format(port=22, pid=1)}\n  TCP    0.0.0.0:3389           0.0.0.0:0              LISTEN")
    assert [row.pid for row in found.listeners] == [1, None]
    assert found.unread[0].why == "cut before the process number"


def test_a_process_number_that_the_window_broke_is_joined_or_left_out() -> None:
    row = "  TCP    [fd7a:115c:a1e0::539f]:4592  [::]:0                 LISTENING       123456"
    broken = f"{row[:80]}\n{row[80:]}\n"
    assert row[:80].endswith(" 123")
    assert [one.pid for one in read_paste(broken).listeners] == [123456]
    changed = read_paste(f"{row[:80]}\nnonsense\n")
    assert changed.listeners == ()
    assert len(changed.unread) == 2


def test_the_strict_form_reads_exact_output_only() -> None:
    text = f"\nActive Connections\n\n{HEADING}\n{ROW.format(port=3389, pid=820)}\n"
    assert parse(good(text))[0].port == 3389
    for wrong in (good(text + "noise\n"), failed(text), partial(text), good("")):
        with pytest.raises(Unreadable):
            parse(wrong)
    assert parse(Output(text, None, "direct"))


@given(st.lists(st.tuples(st.integers(1, 65535), st.integers(0, 2**32 - 1)), min_size=1, max_size=30))
def test_every_row_is_counted_once(rows: list[tuple[int, int]]) -> None:
    text = "\n".join(ROW.format(port=port, pid=pid) for port, pid in rows)
    assert [(one.port, one.pid) for one in read_paste(text).listeners] == rows
