import pytest

from serialfix.simulator import sac_texts as texts
from serialfix.simulator.knobs import Knobs
from tests.simulator.world import YEARS, Client

HEADER = b"Use any other key to view this channel.\r\n"


def test_a_vm_long_up_stands_at_the_prompt() -> None:
    client = Client()
    assert [row for row in client.rows() if row] == [
        "Computer is booting, SAC started and initialized.",
        'Use the "ch -?" command for information about using channels.',
        'Use the "?" command for general help.',
        "SAC>",
        "EVENT: The CMD command is now available.",
        "SAC>",
    ]
    assert client.rows()[2].startswith("Computer")
    assert client.rows()[8] == "SAC>"
    assert client.wait(60.0) == b""


def test_help_verbatim() -> None:
    shown = Client().type(b"?\r").decode()
    assert shown == "?\r\n" + texts.HELP.replace("\n", "\r\n") + "SAC>"
    assert all(line[21] != " " for line in texts.HELP.splitlines() if not line.startswith("i <#>"))


def test_creating_a_channel_verbatim() -> None:
    assert Client().type(b"cmd\r") == (
        b"cmd\r\nThe Command Prompt session was successfully launched.\r\nSAC>"
        b'\r\nEVENT:   A new channel has been created.  Use "ch -?" for channel help.\r\nChannel: Cmd0001\r\nSAC>'
    )


def test_the_header_verbatim_and_the_eaten_key() -> None:
    client = Client(knobs=Knobs(full_description=False))
    client.type(b"cmd\r")
    shown = client.type(b"ch -si 1\r").decode()
    for line in ("Name:                  Cmd0001", "Description:           Command", "Type:                  VT-UTF8"):
        assert line + "\r\n" in shown
    assert (
        "Application Type GUID: 63d02271-8aa4-11d5-bccf-00b0d014a2d0\r\n\r\nPress <esc><tab> for next channel.\r\n"
        in shown
    )
    client.type(b"X")
    assert client.rows()[:2] == ["Please enter login credentials.", "Username:"]
    assert client.typed("username") == []


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        (b"nonsense", texts.UNKNOWN),
        (b"", ""),
        (b"  P  ", "Paging is now ON.\n"),
        (b"powershell", "Paging is now ON.\n"),
        (b"f", "Thread information is now ON.\n"),
        (
            b"ch",
            'Channel List\n\n(Use "ch -?" for information on using channels)\n\n'
            "# Status  Channel Name\n0 (AV)    SAC\n",
        ),
        (b"ch -?", texts.CHANNEL_HELP),
        (b"ch -si 7", texts.NO_INDEX),
        (b"ch -sn Cmd0009", texts.NO_NAME),
        (b"ch -ci 0", texts.NOT_CLOSABLE),
        (b"chx", texts.UNKNOWN),
        (b"k", texts.PARAMETER),
        (b"lock", "Locked access to all Command Prompt channels.\n"),
        (b"i 4 10.0.0.300 255.0.0.0 10.0.0.1", "The specified IP address is invalid.\n"),
    ],
)
def test_commands(typed: bytes, answer: str) -> None:
    shown = Client().type(typed + b"\r").decode()
    assert shown == f"{typed.decode()}\r\n" + answer.replace("\n", "\r\n") + "SAC>"


def test_text_meant_for_cmd_acts() -> None:
    assert b"loading \\SystemRoot" in Client().type(b"dir\r")
    client = Client()
    assert b"SAC preparing to shutdown the system.\r\n" in client.type(b"shutdown /a\r")
    client.wait(60.0)
    assert client.vm.power == "off"
    assert client.vm.rdp_port().behaviour == "closed"
    assert client.type(b"\r") == b""


def test_line_editing() -> None:
    client = Client()
    assert client.type(b"xy\b\x7f\x7f") == b"xy\b \b\b \b"
    assert client.type(b"\t") == b"\a"
    assert client.type(b"\x1b[A") == b"[A"
    assert client.type(b"\x03") == texts.UNKNOWN.replace("\n", "\r\n").encode() + b"SAC>"
    shown = client.type(b"a" * 90, gap=0.04)
    assert shown == b"a" * 78 + b"\ba" * 12
    client.type(b"\r")
    assert client.typed("sac")[-1] == "a" * 78


def test_an_event_breaks_in_and_the_text_stays_typed() -> None:
    client = Client()
    client.type(b"i")
    assert client.line.sac is not None
    client.line.sac.event("EVENT: The CMD command is now available.")
    assert client.type(b"d") == b"\r\nEVENT: The CMD command is now available.\r\nSAC>d"
    assert b"Computer Name: " in client.type(b"\r")


def test_cmd_before_the_helper_has_registered() -> None:
    client = Client(knobs=Knobs(boot=1, event_delay=50.0))
    while b"SAC>" not in client.seen:
        client.wait(1.0)
    if b"EVENT" not in client.seen:
        assert b"Error: Unable to launch a Command Prompt.  The service responsible for launching\r\n" in client.type(
            b"cmd\r"
        )
    client.wait(60.0)
    assert b"successfully launched" in client.type(b"cmd\r")


def test_ten_channels_at_most() -> None:
    client = Client()
    for _ in range(9):
        client.type(b"cmd\r", 0.2)
    assert b"The maximum number of channels has been reached." in client.type(b"cmd\r")
    client.type(b"ch -ci 4\r")
    assert b"Channel: Cmd0010" in client.type(b"cmd\r")


def test_escape_tab_goes_round_and_zero_goes_home() -> None:
    client = Client()
    client.type(b"cmd\r")
    client.type(b"cmd\r")
    assert b"Cmd0001" in client.type(b"\x1b\t")
    assert b"Cmd0002" in client.type(b"\x1b\t")
    assert b"Name:                  SAC" in client.type(b"\x1b\t")
    client.type(b"\x1b\t")
    shown = client.type(b"0")
    assert b"Name:                  SAC" in shown
    assert shown.endswith((HEADER, HEADER + b"\r\n"))
    client.type(b" ")
    assert b"SAC>" in client.type(b"\r")
    assert client.rows()[2].startswith("Computer is booting") or "Channel: Cmd0002" in client.text()


@pytest.mark.parametrize("windows", YEARS)
def test_exit_shows_the_header_then_the_old_screen(windows: str) -> None:
    client = Client(windows)
    client.open()
    assert client.rows()[0].startswith("Microsoft Windows [Version 10.0.")
    shown = client.type(b"exit\r")
    assert b"Name:                  SAC" in shown
    assert b"SAC>" not in shown
    client.type(b" ")
    assert "EVENT: The CMD command is now available." in client.text()
    assert "EVENT:   A channel has been closed." in client.text()


def test_paging_stops_long_answers() -> None:
    client = Client(knobs=Knobs(paging=True))
    assert client.type(b"t\r").endswith(b"----Press <Enter> for more----")
    client.type(b"x")
    while b"SAC>" not in client.seen.rpartition(b"----")[2]:
        client.type(b"\r")
    assert b"Paging is now OFF." in client.type(b"p\r")


def test_lock_asks_again() -> None:
    client = Client()
    client.open()
    client.type(b"\x1b\t0 ")
    client.type(b"lock\r")
    client.type(b"ch -si 1\r ")
    assert "Username:" in client.text()
    client.type(client.vm.user.encode() + b"\r\r" + client.vm.password.encode() + b"\r")
    client.type(b"hostname\r")
    assert client.vm.name in client.text()


@pytest.mark.parametrize("redraws", [0, 1, 2])
def test_how_often_a_switch_draws(redraws: int) -> None:
    client = Client(knobs=Knobs(redraw=redraws))
    client.type(b"cmd\r")
    client.type(b"ch -si 1\r")
    assert client.type(b" ").count(b"\x1b[24;1H") == redraws


def test_nuls_sit_between_characters_of_a_redraw() -> None:
    clean, dirty = Client(knobs=Knobs()), Client(knobs=Knobs(nul_rate=0.05))
    for client in (clean, dirty):
        client.type(b"\x1b\t")
    plain, shown = clean.type(b" "), dirty.type(b" ")
    assert shown.count(b"\0") > 20
    assert shown.replace(b"\0", b"") == plain
    assert b"\x1b\0" not in shown
    assert b"[\0" not in shown
