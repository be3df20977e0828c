"""Schannel's server side: the state function's whole table, and answers that must stay unknown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.registry import REG_DWORD
from serialfix.simulator.vm import PROTOCOLS
from serialfix.steps import Output, Unreadable
from serialfix.windows.tls import SCHANNEL, VERSIONS, Protocol, State, parse_protocols, server_key, server_state
from tests.simulator.world import ask
from tests.windows.samples import capture, failed, good, junk, partial

LONG = SCHANNEL.replace("HKLM", "HKEY_LOCAL_MACHINE")


def answer(**values: str) -> str:
    """A query's answer with values of TLS 1.2's Server key, by name."""
    rows = "".join(f"    {name}    {value}\n" for name, value in values.items())
    return (
        f"\n{LONG}\n    EventLogging    REG_DWORD    0x1\n\n{LONG}\\Ciphers\n{LONG}\\Protocols\n"
        f"{LONG}\\Protocols\\SSL 2.0\\Client\n    Enabled    REG_DWORD    0x0\n"
        f"{LONG}\\Protocols\\TLS 1.2\\Client\n    Enabled    REG_DWORD    0x0\n"
        "    DisabledByDefault    REG_DWORD    0x1\n"
        f"{LONG}\\Protocols\\TLS 1.2\\Server\n{rows}"
    )


@pytest.mark.parametrize(
    ("enabled", "by_default", "state", "off"),
    [  # rdp-repair.md 2.5, row by row
        (None, None, "Windows default", False),
        (0, None, "disabled", True),
        (0, 0, "disabled", True),
        (0, 1, "disabled", True),
        (1, None, "enabled", False),
        (1, 0, "enabled", False),
        (0xFFFFFFFF, 0, "enabled", False),
        (1, 1, "disabled by default", True),
        (None, 1, "disabled by default", True),
        (None, 0xFFFFFFFF, "disabled by default", True),
        (None, 0, "Windows default", False),
    ],
)
def test_state(enabled: int | None, by_default: int | None, state: State, off: bool) -> None:
    assert server_state(enabled, by_default) == state
    assert Protocol("TLS 1.2", enabled, by_default, state).off is off


@pytest.mark.parametrize("enabled", [None, 0, 1, 0xFFFFFFFF])
@pytest.mark.parametrize("by_default", [None, 0, 1])
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_off_is_not_offered(enabled: int | None, by_default: int | None, version: str) -> None:
    """Held against the simulator, which is written from the same table and shares no code."""
    vm = build([], "2022", 1)
    for name, number in (("Enabled", enabled), ("DisabledByDefault", by_default)):
        if number is not None:
            vm.registry.set(server_key(version), name, REG_DWORD, number)
    protocols = {each.version: each for each in parse_protocols(good(ask(vm, f"reg query {SCHANNEL} /s")))}
    offered = {PROTOCOLS[each] for each in vm.schannel()}
    assert (protocols[version].enabled, protocols[version].disabled_by_default) == (enabled, by_default)
    assert protocols[version].off == (version not in offered)


def test_good() -> None:
    protocols = parse_protocols(good(answer(Enabled="REG_DWORD    0x0", DisabledByDefault="REG_DWORD    0x1")))
    assert [each.version for each in protocols] == list(VERSIONS)
    assert [each.state for each in protocols] == ["Windows default", "Windows default", "disabled", "Windows default"]
    assert str(protocols[2]) == "TLS 1.2 server: disabled (Enabled 0, DisabledByDefault 1)"
    assert str(protocols[0]) == "TLS 1.0 server: Windows default (Enabled not set, DisabledByDefault not set)"
    assert "Enabled 0xffffffff" in str(parse_protocols(good(answer(Enabled="REG_DWORD    0xffffffff")))[2])


@pytest.mark.parametrize(
    "output",
    [
        good(""),
        failed("ERROR: Access is denied.\n"),
        failed(answer(Enabled="REG_DWORD    0x0")),
        partial(answer(Enabled="REG_DWORD    0x0")),
        good(f"\n{LONG}\\Protocols\\TLS 1.2\\Server\n    Enabled    REG_DWORD    0x0\n"),  # not the key that was asked
        good(answer(Enabled="REG_SZ    0")),
        good(answer(Enabled="REG_DWORD    0x")),
        good(answer(DisabledByDefault="REG_BINARY    01")),
    ],
)
def test_empty_failed_or_damaged_is_never_not_set(output: Output) -> None:
    with pytest.raises(Unreadable):
        parse_protocols(output)


def test_a_localised_default_value_does_not_disturb() -> None:
    protocols = parse_protocols(
        good(answer(Enabled="REG_DWORD    0x0", **{"(Standard)": "REG_SZ    (Wert nicht gesetzt)"}))
    )
    assert protocols[2].enabled == 0


@given(junk(answer(Enabled="REG_DWORD    0x0")))
def test_junk_is_unreadable_at_worst(output: Output) -> None:
    try:
        protocols = parse_protocols(output)
    except Unreadable:
        return
    assert LONG.lower() in output.text.lower()
    assert len(protocols) == 4


@given(st.data())
def test_a_lost_row_never_turns_off_into_on(data: st.DataObject) -> None:
    """Rows cut in their middle are noticed; only a whole row that is missing would not be, and shells.cut sees that."""
    rows = answer(Enabled="REG_DWORD    0x0", DisabledByDefault="REG_DWORD    0x1").splitlines()
    number = data.draw(st.sampled_from([index for index, row in enumerate(rows) if row.startswith("    ")]))
    rows[number] = rows[number][: data.draw(st.integers(5, len(rows[number]) - 1))]
    try:
        protocols = parse_protocols(good("\n".join(rows)))
    except Unreadable:
        return
    assert protocols[2].off


def test_capture() -> None:
    text, _ = capture("reg-query/07-schannel-root.txt")
    protocols = parse_protocols(good(text[text.index("\nHKEY_") :]))
    assert {each.state for each in protocols} == {"Windows default"}
