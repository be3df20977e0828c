"""Events are plain data: each survives being written and read, and no two share a name."""

import typing
from typing import Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from serialfix import events
from serialfix.steps import Finding
from serialfix.transcript import read_event

KINDS: tuple[type[events.AnyEvent], ...] = get_args(events.AnyEvent)
texts = st.text(max_size=20)


def made(kind: type[events.AnyEvent], text: st.SearchStrategy[str] = texts) -> st.SearchStrategy[events.AnyEvent]:
    """Any event of a kind; every text in it is drawn from ``text``."""
    return st.builds(kind, **{field.name: _values(_hints(kind)[field.name], text) for field in _fields(kind)})


def _fields(kind: Any) -> tuple[msgspec.structs.FieldInfo, ...]:
    return msgspec.structs.fields(kind)


def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _values(hint: Any, text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    origin, args = typing.get_origin(hint), get_args(hint)
    if hint is str:
        return text
    if hint is Finding:
        return st.builds(Finding, text, _values(_hints(Finding)["status"], text), text, st.tuples(text), text, text)
    if hint in (events.ProposedChange, events.LeftChannel, events.LeftChange):
        fields = {field.name: _values(_hints(hint)[field.name], text) for field in _fields(hint)}
        return st.builds(hint, **fields)
    if origin is typing.Literal:
        return st.sampled_from(args)
    if origin is tuple:
        # A proposal without a change is never made.
        return st.lists(_values(args[0], text), min_size=1, max_size=2).map(tuple)
    if origin is dict:
        keys = st.sampled_from(["name", "os_name", "size", "location", "power"])
        return st.dictionaries(keys, text | st.none())
    if type(None) in args:
        return st.none() | _values(args[0], text)
    return {int: st.integers(0, 65535), bool: st.booleans(), float: st.floats(0, 1e6)}[hint]


any_event = st.one_of([made(kind) for kind in KINDS])


@given(any_event)
def test_an_event_survives_its_record(event: events.AnyEvent) -> None:
    assert read_event(msgspec.json.encode(event).decode(), "here") == event


def test_every_kind_is_in_the_union_and_has_a_name_of_its_own() -> None:
    kinds = {kind for kind in vars(events).values() if isinstance(kind, type) and issubclass(kind, events.Event)}
    assert kinds - {events.Event} == set(KINDS)
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(tags)


@given(any_event)
def test_events_are_frozen(event: events.AnyEvent) -> None:
    for field in _fields(type(event)):
        try:
            setattr(event, field.name, None)
        except AttributeError:
            continue
        raise AssertionError(f"{field.name} can be set")
