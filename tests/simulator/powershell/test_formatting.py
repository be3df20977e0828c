import json

from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.faults import build
from serialfix.simulator.powershell import formatting
from serialfix.simulator.powershell.values import Table, custom
from tests.simulator.powershell.console import answer

TEXT = st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=120)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)), max_leaves=8,
)  # fmt: skip


@given(JSON)
def test_json_is_json_and_ascii(value: object) -> None:
    def powershell(each: object) -> object:
        if isinstance(each, dict):
            return Table({key: powershell(item) for key, item in each.items()})
        return [powershell(item) for item in each] if isinstance(each, list) else each

    for compress in (True, False):
        made = formatting.to_json(powershell(value), 50, compress=compress)
        assert not set("'<>&") & set(made)
        found = json.loads(made)
        folded = len(json.dumps(value).lower()) == len(json.dumps(found).lower())
        assert found == value or not folded or "{" in made


@given(st.lists(st.dictionaries(st.sampled_from(["A", "Bb", "Ccc", "D"]), TEXT, min_size=4), min_size=1, max_size=5))
def test_no_table_or_list_is_wider_than_the_screen(rows: list[dict[str, str]]) -> None:
    values = [custom(dict(row)) for row in rows]
    names = list(rows[0])
    for line in formatting.table(values, tuple(formatting.Column(n) for n in names), 80):
        assert len(line) < 80
    for line in formatting.listing(values, names, 80):
        assert len(line) < 80


def test_columns_that_do_not_fit_are_dropped() -> None:
    text = answer(build([], "2022", 1), "Get-NetTCPConnection -State Listen")
    assert "LocalPort" in text
    assert "OwningProcess" not in text


def test_services_as_in_the_real_output() -> None:
    assert answer(build([], "2022", 1), "Get-Service Spooler") == (
        "\nStatus   Name               DisplayName\n------   ----               -----------\n"
        "Running  Spooler            Print Spooler\n\n\n"
    )
