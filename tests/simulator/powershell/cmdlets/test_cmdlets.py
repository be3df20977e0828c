from serialfix.simulator.powershell.cmdlets import ALIASES, CMDLETS


def test_sc_is_set_content() -> None:
    assert ALIASES["sc"] == "Set-Content"  # rdp-repair.md 1 C6


def test_places_are_parameters() -> None:
    for cmdlet in CMDLETS.values():
        assert set(cmdlet.places) | set(cmdlet.mandatory) <= set(cmdlet.parameters), cmdlet.name
