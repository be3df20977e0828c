"""icacls: paths and principals are told apart by proof, or it is said that they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Unreadable
from serialfix.windows.permissions import parse, read_paste
from tests.windows.samples import failed, good, partial


def listing(path: str, *aces: str) -> str:
    return "\n".join((" " * (len(path) + 1) if number else path + " ") + ace for number, ace in enumerate(aces))


def shown(text: str) -> list[tuple[str | None, list[tuple[str, str]]]]:
    return [(one.path, [(ace.principal, ace.flags) for ace in one.aces]) for one in read_paste(text).objects]


@pytest.mark.parametrize(
    "names",
    [
        ("VORDEFINIERT\\Administratoren", "NT-AUTORITÄT\\SYSTEM", "Jeder", "EIGENTÜMERRECHTE"),
        ("BUILTIN\\Администраторы", "NT AUTHORITY\\СИСТЕМА", "Все"),
        ("BUILTIN\\Administradores", "NT AUTHORITY\\SYSTEM", "Todos"),
        ("BUILTIN\\Administrators", "S-1-5-80-4022436659-1090538466", "a name of 2 words$"),
    ],
)
@pytest.mark.parametrize("path", ["C:\\x", "C:\\Program Files (x86)\\Zero Tier", "\\\\srv\\a b", "d:"])
def test_the_second_line_tells_where_the_path_ends(path: str, names: tuple[str, ...]) -> None:
    aces = [f"{name}:(I)(F)" for name in names]
    assert shown(listing(path, *aces)) == [(path, [(name, "(I)(F)") for name in names])]


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("C:\\Program Files\\x NT AUTHORITY\\SYSTEM:(F)", "C:\\Program Files\\x"),
        ("C:\\My Programs CREATOR OWNER:(F)", "C:\\My Programs"),
        ("root.txt CHATTERBOX\\Administrator:(F)", "root.txt"),
        ("C:\\x S-1-5-20:(R)", "C:\\x"),
    ],
)
def test_one_line_is_split_at_a_known_name_or_at_the_only_blank(line: str, path: str) -> None:
    assert [one.path for one in read_paste(line).objects] == [path]


def test_one_line_that_can_be_split_in_two_ways_is_said() -> None:
    found = read_paste("C:\\a b c\\My Company Users:(F)\nC:\\x Everyone:(F)")
    assert [one.path for one in found.objects] == ["C:\\x"]
    assert "not to be known" in found.unread[0].why


def test_the_command_tells_it_as_well() -> None:
    assert shown('C:\\>icacls "my file" /t\nmy file Some Group Name:(R)') == [("my file", [("Some Group Name", "(R)")])]


def test_the_text_of_a_command_is_no_entry() -> None:
    found = read_paste(
        "C:\\>icacls x /deny user:(OI)(CI)(DE,DC)\nprocessed file: x.txt\n"
        "Successfully processed 1 files; Failed processing 0 files"
    )
    assert (found.objects, found.changed, found.summaries) == ((), ("x.txt",), ((1, 0),))


def test_denials_inheritance_and_the_old_form() -> None:
    aces = (
        read_paste(listing("C:\\x", "A\\b:(DENY)(S,X)", "A\\b:(N)", "A\\b:(OI)(CI)(ID)F", "A\\b:(I)(RX,W)"))
        .objects[0]
        .aces
    )
    assert [ace.denies for ace in aces] == [True, True, False, False]
    assert [ace.inherited for ace in aces] == [False, False, True, True]
    assert [ace.rights for ace in aces] == [("S", "X"), ("N",), ("F",), ("RX", "W")]


@pytest.mark.parametrize(
    "summary",
    [
        "Successfully processed 2 files; Failed processing 1 files",
        "Успешно обработано 2 файлов; не удалось обработать 1 файлов",
        "已成功处理 2 个文件; 处理 1 个文件时失败",
        "2 個のファイルが正常に処理されました。1 個のファイルを処理できませんでした",
        "2 Dateien erfolgreich verarbeitet, bei 1 Dateien ist ein Verarbeitungsfehler aufgetreten.",
    ],
)
def test_a_summary_is_two_numbers_in_any_language(summary: str) -> None:
    entries = listing("C:\\x", "Everyone:(F)", "A\\b:(F)")
    found = read_paste(f"{entries}\nC:\\y: Zugriff verweigert\n{summary}\n")
    assert (found.summaries, found.errors, found.unread) == (((2, 1),), ("C:\\y: Zugriff verweigert",), ())


def test_an_entry_whose_rights_are_cut_is_said() -> None:
    found = read_paste(listing("C:\\x", "A\\b:(I)(F)", "A\\c:(I)(OI)"))
    assert [ace.principal for ace in found.objects[0].aces] == ["A\\b"]
    assert "cut" in found.unread[0].why


def test_entries_below_a_lost_first_line_have_no_path() -> None:
    found = read_paste("     BUILTIN\\Users:(I)(RX)\n     NT AUTHORITY\\SYSTEM:(I)(F)\n")
    assert [(one.path, len(one.aces)) for one in found.objects] == [(None, 2)]
    assert "path" in found.unread[0].why


def test_lost_letters_of_a_name_are_said() -> None:
    found = read_paste(listing("C:\\x", "VORDEFINIERT\\Administratoren:(F)", "NT-AUTORIT\ufffdT\\SYSTEM:(F)"))
    assert "lost" in found.unread[0].why


def test_the_strict_form_reads_exact_output_only() -> None:
    text = (
        listing("C:\\x", "Everyone:(F)", "A\\b:(F)") + "\n\nSuccessfully processed 1 files; Failed processing 0 files\n"
    )
    assert parse(good(text))[0].path == "C:\\x"
    refused = "C:\\x: Access is denied.\nSuccessfully processed 0 files; Failed processing 1 files\n"
    for wrong in (good(text + "noise\n"), failed(text), partial(text), good(""), good(refused)):
        with pytest.raises(Unreadable):
            parse(wrong)


PATHS = st.from_regex(r"[A-Z]:\\[a-z]{1,8}( [a-z(]{1,8}){0,3}", fullmatch=True)
NAMES = st.from_regex(r"[A-Z]{1,8}( [A-Z]{1,5})?\\[a-z0-9$-]{1,9}( [a-z]{1,5})?", fullmatch=True)


@given(st.lists(st.tuples(PATHS, st.lists(NAMES, min_size=2, max_size=4)), min_size=1, max_size=4))
def test_what_icacls_lists_is_what_is_read(objects: list[tuple[str, list[str]]]) -> None:
    text = "\n\n".join(listing(path, *(f"{name}:(OI)(CI)(F)" for name in names)) for path, names in objects)
    assert shown(text) == [(path, [(name, "(OI)(CI)(F)") for name in names]) for path, names in objects]
