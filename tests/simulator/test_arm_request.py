import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serialfix.simulator.arm_request import Refused, Request, document, inside, is_json, must_exist
from serialfix.simulator.subscription import Subscription

JSON = {"content-type": "application/json; charset=utf-8"}


OBJECTS = st.dictionaries(st.text(), st.integers()).map(lambda made: json.dumps(made).encode())


@given(st.one_of(st.binary(max_size=50), OBJECTS))
def test_a_body_is_an_object_or_refused(body: bytes) -> None:
    request = Request("PUT", "/", headers=JSON, body=body)
    try:
        read = json.loads(body)
    except ValueError:
        read = None
    if isinstance(read, dict):
        assert document(request) == read
        return
    with pytest.raises(Refused) as refused:
        document(request)
    assert refused.value.reply.status == 400


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(Refused):
        document(Request("PUT", "/", headers=JSON, body=b"[" * 100_000))


def test_a_body_without_its_type_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        document(Request("PUT", "/", body=b"{}"))
    assert refused.value.reply.status == 415


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("application/json", True), ("Application/JSON ; charset=utf-8", True), ("text/json", False), ("", False)],
)
def test_json_is_known_by_its_type(kind: str, expected: bool) -> None:
    assert is_json(Request("POST", "/", headers={"content-type": kind})) is expected


def test_looking_inside_never_fails() -> None:
    assert inside({"a": {"b": 1}}, "a", "b") == 1
    nowhere: tuple[Any, ...] = (None, 1, "a", [], {}, {"a": 1}, {"a": None})
    for nothing in nowhere:
        assert inside(nothing, "a", "b") is None


def test_names_are_the_same_whatever_their_case() -> None:
    it = Subscription(1, "WEB01", "2022")
    must_exist(it, "web01", "WEB01", "kind", "web01")
    for name, real in (("web02", "WEB01"), ("", "WEB01"), ("web01", None)):
        with pytest.raises(Refused, match=f"kind/{name}"):
            must_exist(it, name, real, "kind", name)
