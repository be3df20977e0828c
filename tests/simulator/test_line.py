from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.knobs import PRESETS, Knobs
from serialfix.simulator.line import Line
from tests.simulator.world import YEARS, Client

KEYS = "ver & hostname\recho abc\bd 1\rset x=%OS%\r"


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.sampled_from(YEARS), st.lists(st.integers(1, len(KEYS)), max_size=8))
def test_any_cut_of_the_keys_gives_the_same_lines(windows: str, cuts: list[int]) -> None:
    client = Client(windows)
    client.open()
    edges = sorted({0, *cuts, len(KEYS)})
    for start, end in pairwise(edges):
        client.line.send(KEYS[start:end].encode(), client.now)
        client.now += 0.01
    client.wait()
    assert client.typed("command") == ["ver & hostname", "echo abd 1", "set x=%OS%"]


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.integers(0, 1000))
def test_one_seed_one_transcript(seed: int) -> None:
    def run() -> bytes:
        client = Client("2022", PRESETS["worst"], seed)
        for keys in (b"?\r", b"cmd\r", b"ch -si 1\r", b" ", b"Administrator\r"):
            client.type(keys, 1.0)
        return client.seen

    assert run() == run()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_slow_equal_keys_are_safe_on_a_real_line(seed: int) -> None:
    client = Client("2022", PRESETS["real"], seed)
    client.type(b"aabbccddeeffgghhiijj", gap=0.031)
    client.type(b"\r")
    assert "aabbccddeeffgghhiijj" in client.typed("sac")


def test_fast_equal_keys_and_bursts_are_not() -> None:
    lines = []
    for seed in range(30):
        client = Client("2022", Knobs(neighbour=0.25), seed)
        client.type(b"aabbccddeeffgghhiijj\r", gap=0.005)
        lines.append(str(client.typed("sac")[0]))
    assert any(len(line) > 20 for line in lines)
    assert any(len(line) < 20 for line in lines)
    lost = 0
    for seed in range(30):
        client = Client("2022", Knobs(burst=0.1), seed)
        text = b"abcdefghijklmnop" + b"qrstuvwxyzABCDEF" * 3
        client.line.send(text, 0.0)
        client.type(b"\r")
        found = str(client.typed("sac")[0])
        assert found.startswith("abcdefghijklmnop")
        lost += len(text) - len(found)
    assert 40 < lost < 250


def test_output_takes_its_time() -> None:
    client = Client(knobs=Knobs(baud=9600))
    client.line.send(b"?\r", 0.0)
    early = b"".join(client.line.receive(t / 10) for t in range(6))
    assert 0 < len(early) < 9600 / 10 * 0.5 + 2
    assert early + client.wait(5.0) == Client().type(b"?\r")


def test_real_output_is_the_same_text_in_pieces() -> None:
    client = Client(knobs=Knobs(chunk=5, gap=0.02, long_gap=0.4, long_gap_rate=0.1))
    pieces, now = [], 0.0
    client.line.send(b"?\r", now)
    while (due := client.line.due()) is not None:
        now = max(now, due)
        if piece := client.line.receive(now):
            pieces.append(piece)
    assert max(map(len, pieces)) <= 10
    assert b"".join(pieces) == Client().type(b"?\r")


def test_round_trip() -> None:
    line = Line(build([], "2022", 1), Knobs(round_trip=0.2), 1, 0.0)
    line.send(b"x", 0.0)
    assert line.receive(0.19) == b""
    assert line.receive(0.21) == b"x"


@pytest.mark.parametrize("boot", [1, 2])
def test_booting(boot: int) -> None:
    client = Client(knobs=Knobs(boot=boot, event_delay=20.0))
    assert client.vm.rdp_port().behaviour == "closed"
    client.wait(200.0)
    seen = client.seen
    assert seen.count(b'<?xml version="1.0"?>\r\n<machine-info>') == boot
    assert seen.count(b"EVENT: The CMD command is now available.") == boot
    assert (
        seen.index(b"BdsDxe: loading")
        < seen.index(b"<?xml")
        < seen.index(b"Computer is booting")
        < seen.index(b"EVENT")
    )
    assert client.vm.rdp_port().behaviour == "rdp"
    assert (b"not yet initialized" in seen) == (boot == 2)


def test_restart_from_the_shell() -> None:
    client = Client("2022", faults=("tls-disabled",))
    client.open()
    client.type(
        b'reg add "HKLM\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Server" '
    )
    client.type(b"/v Enabled /t REG_DWORD /d 1 /f\r")
    client.type(
        b'reg add "HKLM\\SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols\\TLS 1.2\\Server" '
    )
    client.type(b"/v DisabledByDefault /t REG_DWORD /d 0 /f\r")
    assert client.vm.rdp_port().tls == frozenset()
    shown = client.type(b"shutdown /r /t 0\r", 1.0)
    assert b"Name:                  SAC" in shown
    client.wait(120.0)
    assert b"<?xml" in client.seen
    assert client.vm.rdp_port().tls == {"TLSv1.2"}


def test_the_platform_can_switch() -> None:
    client = Client()
    client.line.power_off(client.now)
    client.wait(30.0)
    assert client.line.phase == "off"
    client.line.power_on(client.now)
    client.wait(60.0)
    assert client.line.phase == "up"
    assert client.vm.rdp_port().behaviour == "rdp"


def test_the_line_survives_a_disconnect() -> None:
    client = Client()
    client.type(b"hel")
    again = client.line.replay(client.now)
    assert again.endswith(b"SAC>hel")
    assert b"Set the current time" in client.type(b"p\r")


def test_leavings() -> None:
    client = Client(knobs=Knobs(orphans=3, half_typed=True))
    assert "Channel: Cmd0003" in client.text()
    assert client.line.sac is not None
    assert client.line.sac.line
    assert len(client.line.sac.channels) == 4


def test_type_ahead_and_interrupt() -> None:
    client = Client("2022")
    client.open()
    client.type(b"timeout /t 50 /nobreak\recho later\r", 2.0)
    assert "later" not in client.text().replace("echo later", "")
    client.type(b"\x03", 1.0)
    assert "^C" in client.text()
    client.type(b"echo now\r", 1.0)
    assert client.typed("command")[-1] == "echo now"


@pytest.mark.parametrize("windows", ["2019", "2022"])
def test_editing_in_a_channel(windows: str) -> None:
    client = Client(windows)
    client.open()
    client.type(b"echo one two\x7f\x7fthree\bE\r")
    client.type(b"garbage\x1becho clean\r")
    client.type(b"\x1b[A\r")
    assert client.typed("command") == ["echo threE", "echo clean", "echo clean"]
    assert client.text().count("\nclean") == 2


def test_first_command_eaten() -> None:
    eaten = 0
    for seed in range(12):
        client = Client("2022", Knobs(first_command_eaten=1.0), seed)
        client.open()
        client.type(b"echo one\r")
        client.type(b"echo two\r")
        assert client.typed("command")[-1] == "echo two"
        eaten += len(client.typed("command")) == 1
    assert 0 < eaten < 12


def test_reset_and_nmi() -> None:
    client = Client()
    client.open()
    client.line.reset(client.now)
    assert client.vm.rdp_port().behaviour == "closed"
    client.wait(100.0)
    assert client.line.phase == "up"
    client.seen = b""
    client.line.nmi(client.now)
    client.wait(1.0)
    assert b'<INSTANCE CLASSNAME="BLUESCREEN">' in client.seen
    assert client.seen.endswith(b"!SAC>")
    assert b"Computer Name: " in client.type(b"id\r")
    client.wait(120.0)
    assert client.text().rstrip().endswith("SAC>")
    assert client.vm.rdp_port().behaviour == "rdp"


def test_troubles_come_as_often_as_asked_and_strike_what_is_used() -> None:
    for knob, what in (("kill_every", "cmd.exe killed"), ("relogin_every", "login asked again")):
        client = Client("2022", Knobs(**{knob: 60.0}), 7)  # type: ignore[arg-type]
        client.open()
        client.wait(3000.0)
        found = [entry for entry in client.vm.journal if entry["kind"] == "trouble"]
        assert {entry["what"] for entry in found} == {what}
        assert {entry["channel"] for entry in found} == {"Cmd0001"}
        assert client.line.sac is not None
        if knob == "kill_every":
            assert client.line.sac.mode == "preview"
            assert 1 not in client.line.sac.channels
        else:
            assert client.text().rstrip().endswith("Username:")
            client.type(client.vm.user.encode() + b"\r\r" + client.vm.password.encode() + b"\r", 2.0)
            client.type(b"\r", 1.0)
            assert client.text().rstrip().endswith("system32>"), "the shell goes on behind the login"


def test_a_login_breaks_into_a_command_that_goes_on_behind_it() -> None:
    client = Client("2022", Knobs(relogin_every=100.0), 3)
    client.open()
    client.type(b"ping -n 90 127.0.0.1\r", 1.0)
    while not any(entry["kind"] == "trouble" for entry in client.vm.journal):
        client.wait(1.0)
    client.wait(100.0)
    assert "Username:" in client.text()
    client.type(client.vm.user.encode() + b"\r\r" + client.vm.password.encode() + b"\r", 2.0)
    assert "Sent = 90, Received = 90" in client.text()


def test_one_vm_in_so_many_restarts_once() -> None:
    restarts = []
    for seed in range(40):
        client = Client("2022", Knobs(reboot=0.2), seed)
        client.wait(600.0)
        down = [entry for entry in client.vm.journal if entry["kind"] == "going down"]
        assert len(down) <= 1
        restarts += [float(str(entry["time"])) for entry in down]
        assert client.line.phase == "up"
    assert 3 <= len(restarts) <= 14
    assert max(restarts) <= 200.0


def test_a_cut_loses_what_is_under_way_from_any_byte_on_and_the_rest_is_replayed() -> None:
    keys, output = set(), set()
    for seed in range(60):
        client = Client("2022", Knobs(baud=9600, chunk=200), seed)
        client.line.connect(0.0)
        client.line.send(b"helloworld", 0.0)
        seen = client.line.receive(0.005) + client.line.cut(0.005)
        client.now = 0.005
        rest = client.wait(3.0)
        assert client.line.sac is not None
        typed = "".join(client.line.sac.line)
        assert "helloworld".startswith(typed)
        keys.add(len(typed))
        assert (seen + rest).decode() == typed, "what did not reach us stands in the replay"
        assert client.line.replay(client.now).decode().endswith("SAC>" + typed)
        client = Client("2022", Knobs(baud=9600, chunk=200), seed)
        client.line.send(b"?\r", 0.0)
        client.line.receive(0.1)
        output.add(len(client.line.cut(0.1)))
    assert len(keys) > 5
    assert len(output) > 20


def test_a_second_user_looks_around_at_sac_and_leaves_when_we_come_back() -> None:
    client = Client("2022", Knobs(), 3)
    client.line.connect(0.0)
    client.open()
    client.line.visit(client.now, 120.0)
    client.wait(60.0)
    lines = [e for e in client.vm.journal if e["kind"] == "line" and e["purpose"] == "sac" and e["by"] == "visitor"]
    assert {str(entry["text"]) for entry in lines} <= {"", "id", "ch", "i", "?", "s"}
    assert any(entry["text"] for entry in lines)
    assert client.line.sac is not None
    assert client.line.sac.mode == "SAC"
    client.line.connect(client.now)
    count = len(client.vm.journal)
    client.wait(100.0)
    assert [entry["kind"] for entry in client.vm.journal[count:]] == [], "nobody types any more"
    assert [entry["what"] for entry in client.vm.journal if entry["kind"] == "visitor"] == [
        "came",
        "disconnected by the client",
    ]
