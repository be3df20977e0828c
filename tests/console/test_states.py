"""What is no SAC prompt is named by what the screen shows, and a prompt below it counts more."""

import pytest

from serialfix.console.screen import Screen
from serialfix.console.states import BLANK, seen


@pytest.mark.parametrize(
    ("shown", "name"),
    [
        ("", "blank"),
        ("\x1b[2J\x1b[H   \r\n", "blank"),
        ('BdsDxe: loading Boot0001 "Windows Boot Manager"\r\nBdsDxe: starting Boot0001\r\n', "starting"),
        ('<?xml version="1.0"?>\r\n<machine-info>\r\n<name>not yet initialized</name>\r\n', "starting"),
        ("======== Microsoft Azure VM Health Report - Start 2026-01-02 ========\r\n{}\r\n", "health report"),
        ("Ubuntu 22.04.4 LTS vm ttyS0\r\n\r\nvm login: ", "linux"),
        ("Ubuntu 22.04.4 LTS vm ttyS0\r\n\r\nvm login: ^[^I^[^I", "linux"),  # what we sent, echoed
        ("azureuser@vm:~$ ", "linux"),
        ("SAC>\r\nWaiting to reconnect...\r\n", "kernel debugger"),
        ("SAC>0000\x03\x00\x39\x00\udca2r\udcfd\x13\udc9a\udc9foH\udcfe>\udce0iiii\x07", "kernel debugger"),  # packets
        ("10000 bytes: caf\udce9, 10000 \udce9", "unknown"),
        ("*** Fatal System Error: 0x0000007b\r\n0: kd> ", "kernel debugger"),
        ('<PROPERTY NAME="STOPCODE" TYPE="string"><VALUE>"0xD1"</VALUE></PROPERTY>\r\n', "bugcheck"),
        ("!SAC>", "bugcheck"),
        ("Collecting data\r\n  40% complete\r\n", "bugcheck"),
        ("C:\\Windows\\system32>", "cmd"),
        ("Username: bob\r\nDomain  :\r\nPassword: ***", "password"),
        ("C:\\>dir\r\n-- More  --", "pager"),
        ("a program runs\r\n", "unknown"),
    ],
)
def test_a_state_is_named_and_said_in_one_sentence(shown: str, name: str) -> None:
    screen = Screen()
    screen.feed(shown.encode(errors="surrogateescape"))
    state = seen(screen)
    assert state.name == name
    assert state.sentence.endswith(".")
    assert state.advice


def test_what_will_not_change_by_itself_is_not_waited_for() -> None:
    assert BLANK.wait > 0
    screen = Screen()
    screen.feed(b"vm login: ")
    assert seen(screen).wait == 0
