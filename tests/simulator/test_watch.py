import pytest

from serialfix.simulator.knobs import Knobs
from serialfix.simulator.watch import entered, outputs
from tests.simulator.world import Client


def test_each_byte_is_told_with_what_it_met() -> None:
    client = Client("2022")
    client.open()
    modes = [met.mode for met in client.line.met]
    # cmd\r and ch -si 1\r at SAC, one key in the preview, then the login.
    assert modes[:13] == ["SAC"] * 13
    assert modes[13] == "preview"
    user, password = len(client.vm.user) + 1, len(client.vm.password) + 1
    assert modes[14:] == ["username"] * user + ["domain"] + ["password"] * password
    assert bytes(met.byte for met in client.line.met).startswith(b"cmd\rch -si 1\r ")
    assert {met.channel for met in client.line.met} == {"SAC", "Cmd0001"}
    assert all(met.own == (met.channel == "Cmd0001") for met in client.line.met)
    client.type(b"powershell\r", 10.0)
    client.type(b"if (1) {\r", 1.0)
    client.type(b"}\r\r", 3.0)
    client.type(b"exit\r", 2.0)
    client.type(b"pause\rx", 1.0)
    client.type(b"ping -n 9 127.0.0.1\r", 1.0)
    client.type(b"zz", 1.0)
    told = "".join(met.mode[0] for met in list(client.line.met)[14 + user + 1 + password :])
    # cmd, PowerShell, its continuation, back in cmd, a program that waits for a key, one that runs.
    assert told == "c" * 11 + "p" * 9 + "m" * 2 + "p" * 6 + "c" * 6 + "k" + "c" * 20 + "r" * 2


@pytest.mark.parametrize("trip", [0.0, 0.5])
def test_a_key_is_blind_until_a_change_could_have_been_seen(trip: float) -> None:
    client = Client("2022", Knobs(round_trip=trip))
    client.wait(3.0)
    client.line.send(b"a", client.now)
    client.line.send(b"\x1b\t", client.now)
    client.line.send(b"x", client.now + 0.05)
    client.wait(3.0)
    client.type(b"y", 3.0)
    told = {chr(met.byte): met for met in client.line.met}
    assert not told["a"].blind
    assert told["x"].mode == "preview"
    assert told["x"].blind
    assert told["x"].since < trip + 0.1
    assert not told["y"].blind
    assert told["y"].since > 2.0


def test_others_channels_and_others_keys_are_told_apart() -> None:
    client = Client("2022", Knobs(shown="prompt"), 2)
    client.type(b"x", 1.0)
    assert [(met.own, met.by) for met in client.line.met] == [(False, "client")]
    client.line.visit(client.now, 60.0)
    client.wait(60.0)
    assert {met.by for met in list(client.line.met)[1:]} == {"visitor"}
    assert {line.by for line in entered(client.vm) if line.at > 0.0} == {"visitor"}


def test_lines_are_told_with_the_shell_that_got_them() -> None:
    client = Client("2022")
    client.open()
    client.type(b"ver\r", 1.0)
    client.type(b"powershell\r", 10.0)
    client.type(b"Get-Date\r", 3.0)
    found = [(line.channel, line.shell, line.text) for line in entered(client.vm)]
    assert found == [
        ("SAC", "sac", "cmd"),
        ("SAC", "sac", "ch -si 1"),
        ("Cmd0001", "login", client.vm.user),
        ("Cmd0001", "login", ""),
        ("Cmd0001", "login", f"<{len(client.vm.password)} characters>"),
        ("Cmd0001", "cmd", "ver"),
        ("Cmd0001", "cmd", "powershell"),
        ("Cmd0001", "powershell", "Get-Date"),
    ]


def test_what_commands_write_is_told_wherever_it_goes() -> None:
    client = Client("2022")
    client.open()
    since = client.now
    client.type(b"(echo one&echo two)>%TEMP%\\o\r", 1.0)
    client.type(b"echo three\r", 1.0)
    client.type(b"powershell -nop\r", 10.0)
    client.type(b"$o=@('a','b c')\r", 3.0)
    found = list(outputs(client.vm, since))
    assert [each.text for each in found if each.to.endswith("\\o")] == ["one\r\ntwo\r\n"]
    assert [each.text for each in found if each.to == "$o"] == ["a\nb c\n"]
    assert "three" in "".join(each.text for each in found if each.to == "console")
    assert not list(outputs(client.vm, client.now + 1.0))
