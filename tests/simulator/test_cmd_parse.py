import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.cmd_parse import BadSyntax, For, Group, If, Incomplete, Join, Node, Redirect, Simple, parse


def commands(node: Node) -> list[str]:
    if isinstance(node, Simple):
        return [node.text]
    if isinstance(node, Join):
        return [*commands(node.left), node.how, *commands(node.right)]
    if isinstance(node, Group):
        return ["(", *commands(node.body), ")"]
    return [type(node).__name__]


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_any_line_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except Incomplete:
        assert text.endswith("^") or "(" in text
    except BadSyntax:
        assert (
            set(text) & set('&|<>()"') or text.lower().split()[0][:3] in {"if", "for"} or "if" in text or "for" in text
        )


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"], exclude_characters='"'), min_size=1))
def test_quotes_protect_everything(text: str) -> None:
    line = f'echo "{text}"'
    assert parse(line) == Simple(line)


@given(st.text("abc&|<>^()%! ", min_size=1, max_size=20))
def test_carets_protect_each_character(text: str) -> None:
    assert parse("echo ." + "".join("^" + c for c in text)) == Simple("echo ." + text)


def test_operators_bind_as_cmd_does() -> None:
    assert commands(parse("a & b && c || d | e")) == ["a ", "&", "b ", "&&", "c ", "||", "d ", "|", "e"]
    tree = parse("a && b || c & d")
    assert isinstance(tree, Join)
    assert tree.how == "&"
    assert isinstance(tree.left, Join)
    assert tree.left.how == "||"


def test_redirections_leave_the_text() -> None:
    assert parse("echo hi>f") == Simple("echo hi", (Redirect(1, ">", "f"),))
    assert parse("echo 5>f") == Simple("echo ", (Redirect(5, ">", "f"),))
    assert parse("echo a5>f") == Simple("echo a5", (Redirect(1, ">", "f"),))
    assert parse('dir >>"a b" 2>&1') == Simple("dir  ", (Redirect(1, ">>", '"a b"'), Redirect(2, ">", "&1")))
    assert parse("(a & b) > nul") == Group(Join("&", Simple("a "), Simple("b")), (Redirect(1, ">", "nul"),))


def test_if_and_for() -> None:
    tree = parse('if /i not "a b"=="A B" (echo x) else echo y')
    assert isinstance(tree, If)
    assert tree.test == ("==", '"a b"', '"A B"')
    assert (tree.negate, tree.fold) == (True, True)
    assert tree.otherwise == Simple("echo y")
    loop = parse("for /f \"tokens=1,2 delims=,\" %a in ('x ^| y') do echo %a & echo %b")
    assert isinstance(loop, For)
    assert (loop.kind, loop.options, loop.variable, loop.items) == ("/f", "tokens=1,2 delims=,", "a", "'x | y'")
    assert isinstance(loop.body, Join)


@pytest.mark.parametrize(
    ("line", "token"),
    [
        ("& a", "&"),
        ("a && ", ""),
        ("echo >", ""),
        ("| a", "|"),
        ("for x in (a) do b", "x"),
        ("(a) b", "b"),
        ("a > & b", "&"),
    ],
)
def test_what_cmd_did_not_expect(line: str, token: str) -> None:
    try:
        parse(line)
    except BadSyntax as error:
        assert str(error) == token  # noqa: PT017
    else:
        assert line == "a && "


@pytest.mark.parametrize("line", ["(", "(echo a", "echo a^", "if 1==1 (", "for %i in (a b"])
def test_lines_that_go_on(line: str) -> None:
    with pytest.raises(Incomplete):
        parse(line)
