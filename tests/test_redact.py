"""Masking: no secret survives, and nothing else is touched."""

from hypothesis import given
from hypothesis import strategies as st

from serialfix.redact import Secrets

SECRET = "Zq7#äx-κ9"
texts = st.text(max_size=30)


@given(before=texts, after=texts, times=st.integers(1, 3))
def test_no_secret_is_left(before: str, after: str, times: int) -> None:
    text = (before + SECRET) * times + after
    masked = Secrets([SECRET]).mask(text)
    assert SECRET not in masked
    assert len(masked) == len(text)


@given(texts)
def test_text_without_a_secret_stays(text: str) -> None:
    if SECRET not in text:
        assert Secrets([SECRET]).mask(text) == text


@given(texts, st.integers(0, 3))
def test_what_is_too_short_is_no_secret(text: str, length: int) -> None:
    assert Secrets(["abcd"[:length]]).mask(text) == text


def test_the_longer_of_two_secrets_goes_first() -> None:
    assert Secrets(["pass", "password"]).mask("a password, a pass") == "a ••••••••, a ••••"


@given(before=st.binary(max_size=20), after=st.binary(max_size=20))
def test_spans_are_where_the_secret_stands(before: bytes, after: bytes) -> None:
    data = before + SECRET.encode() + after
    assert (len(before), len(before) + len(SECRET.encode())) in Secrets([SECRET]).spans(data)


def test_spans_that_overlap_are_all_found() -> None:
    assert Secrets(["abab"]).spans(b"ababab") == [(0, 4), (2, 6)]


@given(before=st.text("xy", max_size=20), length=st.integers(1, len(SECRET.encode()) - 1))
def test_an_open_end_is_seen_from_the_first_byte(before: str, length: int) -> None:
    assert Secrets([SECRET]).open_end(before.encode() + SECRET.encode()[:length]) == length


def test_a_whole_secret_at_the_end_is_not_open() -> None:
    assert Secrets([SECRET]).open_end(b"x" + SECRET.encode()) == 0
    assert Secrets().open_end(b"anything") == 0


def test_the_same_secret_twice_is_one() -> None:
    secrets = Secrets(["hunter2"])
    secrets.add("hunter2")
    assert secrets.spans(b"hunter2") == [(0, 7)]
