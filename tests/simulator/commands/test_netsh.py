import pytest

from serialfix.simulator.faults import build
from tests.simulator.world import ask


def test_a_rule_as_in_the_real_output() -> None:
    # netsh-advfirewall/02 of the real outputs: order of the fields, the ruler, the column of the values
    text = ask(build([], "2022", 1), 'netsh advfirewall firewall show rule name="Remote Desktop - User Mode (TCP-In)"')
    lines = text.splitlines()
    assert lines[1] == "Rule Name:                            Remote Desktop - User Mode (TCP-In)"
    assert lines[2] == "-" * 70
    assert [line[:38].rstrip(": ") for line in lines[3:-2]] == [
        "Enabled", "Direction", "Profiles", "Grouping", "LocalIP", "RemoteIP", "Protocol", "LocalPort", "RemotePort",
        "Edge traversal", "Action",
    ]  # fmt: skip
    assert all(line[38] != " " for line in lines[3:-2])


def test_profiles_and_groups() -> None:
    vm = build([], "2022", 1)
    assert ask(vm, "netsh advfirewall show allprofiles").count("State                                 ON") == 3
    assert "Updated 3 rule(s)." in ask(vm, 'netsh advfirewall firewall set rule group="remote desktop" new enable=yes')


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("netsh nonsense", "The following command was not found: nonsense."),
        ("netsh advfirewall firewall show rule name=nope", "No rules match the specified criteria."),
        ("netsh advfirewall firewall add rule name=x", "A specified value is not valid."),
        ("netsh advfirewall set allprofiles state perhaps", "A specified value is not valid."),
        ("netsh int ipv4 show excludedportrange protocol=tcp", "Port Exclusion Ranges"),
    ],
)
def test_the_rest(line: str, text: str) -> None:
    assert text in ask(build([], "2022", 1), line)
