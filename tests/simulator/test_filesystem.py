from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.filesystem import FileSystem, absolute, parent

NAMES = st.text("abcXYZ 01_", min_size=1, max_size=8).filter(lambda s: s == s.strip())


@given(st.lists(NAMES, min_size=1, max_size=4), st.binary(), st.binary())
def test_what_is_written_is_read(parts: list[str], first: bytes, second: bytes) -> None:
    files = FileSystem()
    path = "C:\\" + "\\".join(parts)
    assert parent(path) == "C:\\" or not files.write(path, first, 0.0)
    if len(parts) > 1:
        assert files.make_folder(parent(path), 0.0)
    assert files.write(path, first, 0.0)
    assert files.write(path.upper(), second, 1.0, append=True)
    entry = files.find(path.lower())
    assert entry is not None
    assert (entry.data, entry.path) == (first + second, path)
    assert files.delete(path)
    assert files.find(path) is None


@given(st.lists(st.sampled_from(["..", ".", "a", "b c", ""]), max_size=6))
def test_absolute_paths_have_no_dots_and_stay_put(parts: list[str]) -> None:
    path = absolute("\\".join(parts), r"C:\Windows\system32")
    assert path.startswith("C:\\")
    assert ".." not in path.split("\\")
    assert absolute(path, r"C:\other") == path


def test_folders() -> None:
    files = FileSystem()
    assert files.make_folder(r"C:\a\b", 0.0)
    assert not files.make_folder(r"C:\A\B", 0.0)
    assert not files.make_folder("C:\\a?", 0.0)
    assert not files.make_folder(r"D:\x", 0.0)
    assert not files.delete(r"C:\a")
    assert [entry.name for entry in files.inside("C:\\")] == ["a"]
    assert files.delete(r"C:\a\b")
    assert files.delete(r"C:\a")
