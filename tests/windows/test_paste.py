"""What stands around an output in a paste: prompts, echoes, pagers, Markdown, broken lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.steps import Unreadable
from serialfix.windows.paste import Paste, damaged, in_order, starts_with_program, strictly


def roles(text: str) -> list[tuple[str, str]]:
    return [(line.role, line.text) for line in Paste.of(text).lines]


@pytest.mark.parametrize(
    ("prompt", "command"),
    [
        ("C:\\>", "netstat -ano"),
        ("C:\\Users\\thm unpriv (x86)>", "sc query"),
        ("C:\\Windows\\system32> ", "tasklist /svc"),
        ("PS C:\\> ", "reg query 'HKLM\\SYSTEM'"),
        ("PS>", "gci"),
        ("PS > ", "gci"),
        (">> ", "| ft"),
        ("*Evil-WinRM* PS C:\\Users\\Ryan.K\\Documents> ", "icacls C:/windows"),
        ("(base) PS C:\\Users\\x> ", "netstat"),
        ("(base) C:\\>", "netstat"),
        ("[vm1]: PS C:\\Users\\x\\Documents> ", "netstat"),
        ("PS Cert:\\LocalMachine\\My> ", "ls"),
        ("PS Microsoft.PowerShell.Core\\FileSystem::\\\\srv\\share> ", "ls"),
        ("\\\\srv\\share>", "dir"),
        ("$ ", "certs"),
        ("SAC>", "cmd"),
    ],
)
def test_prompts_of_all_kinds_with_what_was_typed(prompt: str, command: str) -> None:
    first = Paste.of(prompt + command).lines[0]
    assert (first.role, first.command) == ("command", command)


def test_an_echo_of_the_command_is_no_output_but_the_same_text_later_is() -> None:
    assert roles("C:\\>icacls x\nicacls x\nicacls x\n") == [
        ("command", "C:\\>icacls x"),
        ("command", "icacls x"),
        ("text", "icacls x"),
    ]


@pytest.mark.parametrize(
    "line", ["-- More --", "-- More  -- ", "-- Mehr  --", "-- Más  --", "-- Далее --", "-- More (45%) --"]
)
def test_a_pager_line_vanishes_and_what_follows_it_on_the_line_stays(line: str) -> None:
    assert roles(f"a\n{line}\nb\n{line}c") == [("text", "a"), ("text", "b"), ("text", "c")]


def test_the_component_line_of_xp_is_no_pager() -> None:
    assert roles("  -- unknown component(s) --") == [("text", "  -- unknown component(s) --")]


@pytest.mark.parametrize(
    "line", ["...", "......", "[...]", "[…]", "…", "<snip>", "[ ... ]", "---snip---", "[truncated]"]
)
def test_where_somebody_cut_is_seen(line: str) -> None:
    assert roles(f"a\n {line} \nb")[1][0] == "elided"


def test_markdown_and_banners_are_noise() -> None:
    banner = "Microsoft Windows [Version 10.0.17763.1]\n(c) 2018 Microsoft Corporation. All rights reserved."
    text = f"```\n{banner}\n**TCP** x\n```"
    assert [role for role, _ in roles(text)] == ["noise", "noise", "noise", "text", "noise"]
    assert roles(text)[3][1] == "TCP x"


def test_a_quotation_loses_its_mark_but_marked_matches_keep_theirs() -> None:
    assert roles("> a\n>   b\n>\n> c") == [("text", "a"), ("text", "  b"), ("blank", ""), ("text", "c")]
    assert roles("> a\n  b")[0] == ("text", "> a")


def test_numbers_are_those_of_the_paste() -> None:
    assert [line.number for line in Paste.of("\r\r\na\r\r\n-- More --\r\nb").lines] == [1, 2, 4]


def test_a_wiki_that_doubles_line_breaks_is_undone() -> None:
    lines = Paste.of("\n\n".join("abcdef")).lines
    assert [(line.number, line.text) for line in lines] == [(1, "a"), (3, "b"), (5, "c"), (7, "d"), (9, "e"), (11, "f")]


def test_escape_sequences_go_and_c1_controls_are_marked() -> None:
    assert roles("\x1b[1;31mTCP\x1b[0m \x1b]0;title\x07x\x00\x07y") == [("text", "TCP xy")]
    assert damaged(roles("ABH\x99REN")[0][1])


@given(st.text("abc def", min_size=81, max_size=400), st.sampled_from([80, 100, 120]), st.booleans())
def test_a_line_that_a_window_broke_can_be_joined_again(text: str, width: int, padded: bool) -> None:
    whole = "x" + " ".join(text.split()) + "x"
    pieces = [whole[at : at + width] for at in range(0, len(whole), width)]
    if len(pieces) < 2:
        return
    shown = "\n".join(piece.ljust(width) if padded else piece.rstrip() for piece in pieces)
    assert (len(pieces) - 1, whole) in list(Paste.of(shown).joined(0))


def test_nothing_is_joined_where_no_window_shows() -> None:
    assert list(Paste.of("a\nb\nc").joined(0)) == []


def test_a_program_is_told_from_a_word_that_begins_like_it() -> None:
    assert starts_with_program(" sc.exe query", ("sc",))
    assert not starts_with_program("scan of disk", ("sc",))
    assert not starts_with_program("SERVICE_NAME: sc", ("sc",))


def test_unread_lines_are_in_order_and_once() -> None:
    first, second = Paste.of("a\nb").lines
    found = in_order([second.unread("x"), first.unread("y"), second.unread("z")])
    assert [(item.line, item.why) for item in found] == [(1, "y"), (2, "x")]
    with pytest.raises(Unreadable, match="'a'"):
        strictly(found, "netstat")
    strictly((), "netstat")


@given(st.text(max_size=200))
def test_any_text_is_lines_or_unreadable(text: str) -> None:
    try:
        lines = Paste.of(text)
    except Unreadable:
        return
    assert all(line.number >= 1 for line in lines.lines)
