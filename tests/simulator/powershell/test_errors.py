from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.powershell import errors
from serialfix.simulator.powershell.errors import Position, Record


def test_the_real_output_of_a_missing_path() -> None:
    # failures/02 of the real outputs, from "At line" on
    record = errors.path_not_found(r"C:\Users\Admin\Desktop\root.txt", "Get-Content")
    text = errors.shown(record, Position(1, r"cat C:\Users\Admin\Desktop\root.txt", 1, 35)).replace("\r\n", "\n")
    assert text.partition("At line")[2] == (
        ":1 char:1\n"
        "+ cat C:\\Users\\Admin\\Desktop\\root.txt\n"
        "+ ~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
        "    + CategoryInfo          : ObjectNotFound: (C:\\Users\\Admin\\Desktop\\root.txt \n"
        "   :String) [Get-Content], ItemNotFoundException\n"
        "    + FullyQualifiedErrorId : PathNotFound,Microsoft.PowerShell.Commands.GetCo \n"
        "   ntentCommand\n"
        " \n"
    )


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "Zs"]), max_size=300), st.integers(1, 200))
def test_no_line_is_longer_than_the_screen_and_nothing_is_lost(text: str, column: int) -> None:
    record = Record("m", "c", text + ":String", "Get-X", "E", text or "id")
    shown = errors.shown(record, Position(1, "x" * 200, column, 3)).split("\r\n")
    assert all(len(line) <= 80 for line in shown)
    footer = [line for line in shown if line.startswith("   ")]
    assert (text or "id") in "".join(line.removesuffix(" ")[0 if "+" in line[:5] else 3 :] if len(line) > 78 else
                                     line[0 if "+" in line[:5] else 3 :] for line in footer)  # fmt: skip
