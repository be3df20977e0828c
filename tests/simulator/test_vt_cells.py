from serialfix.simulator.vt_cells import VtCells


def rows(data: bytes, *, strict: bool) -> list[str]:
    model = VtCells(strict=strict)
    model.feed(data)
    return [line.rstrip() for line in model.cells.lines()]


def test_strict_cells_do_not_wrap_and_keep_tails() -> None:
    assert rows(b"x" * 79 + b"ab", strict=True)[0] == "x" * 79 + "b"
    assert rows(b"\x1b]0;t\x07a", strict=True)[0] == "0;ta"
    assert rows(b"\ta", strict=True)[0] == "    a"


def test_tolerant_cells_wrap_and_skip() -> None:
    assert rows(b"x" * 80 + b"ab", strict=False)[:2] == ["x" * 80, "ab"]
    assert rows(b"\x1b]0;t\x07a\x1b[3Cb", strict=False)[0] == "a   b"


def test_redraw_is_the_documented_sequence() -> None:
    data = VtCells().redraw()
    assert data.startswith(
        b"\x1b[2J\x1b[1;1H\x1b[0m\x1b[22m\x1b[25m\x1b[27m\x1b[40m\x1b[37m" + b" " * 80 + b"\x1b[2;1H"
    )
    assert data.endswith(b"\x1b[24;1H" + b" " * 80 + b"\x1b[1;1H\x1b[22m\x1b[25m\x1b[27m\x1b[40m\x1b[37m")
    assert b"\r" not in data
    assert 2000 < len(data) < 2200
