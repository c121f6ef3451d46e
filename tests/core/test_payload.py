"""What goes into a session comes out of it unchanged, or is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastapi_session.core.payload import MAX_DEPTH, checked_name, checked_tenant, is_same, json_object, merged
from fastapi_session.errors import PayloadError
from fastapi_session.model import MAX_NAME, MAX_OBJECT, SessionRecord
from fastapi_session.stores.rows import session_record, session_row
from fastapi_session.testing.records import new_session

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=6)


@pytest.mark.parametrize(("excess", "is_taken"), [(0, True), (1, False)])
def test_a_large_object(excess: int, is_taken: bool) -> None:
    """As many bytes of JSON as every store takes are accepted, one more is refused with the bound."""
    value = {"a": "\u00fc" * (MAX_OBJECT // 2 - 5) + "a" * (1 + excess)}
    assert MAX_OBJECT + excess == len(json.dumps(value, ensure_ascii=False).encode())
    if is_taken:
        assert value == json_object(value, "session_data")
    else:
        with pytest.raises(
            PayloadError, match=f"^session_data: {MAX_OBJECT + 1} bytes as JSON, give at most {MAX_OBJECT}"
        ):
            json_object(value, "session_data")


@given(OBJECTS)
def test_json_round_trip(value: dict[str, Any]) -> None:
    """Any JSON object is accepted, and a row brings back exactly what was accepted."""
    accepted = json_object(value, "payload")
    record = new_session("a", now=0, access_token_payload=accepted, session_data=accepted)
    read: SessionRecord = session_record(session_row(record))

    assert value == accepted
    assert json.dumps(accepted, sort_keys=True) == json.dumps(dict(read.session_data), sort_keys=True)


@given(OBJECTS)
def test_what_is_accepted_is_a_copy(value: dict[str, Any]) -> None:
    """What the application changes afterwards does not change the session."""
    accepted, before = json_object(value, "payload"), json.dumps(value)
    value["later"] = 1
    for inner in value.values():
        if isinstance(inner, list):
            inner.append("later")

    assert before == json.dumps(accepted)


class Colour(Enum):
    RED = "red"


class Plan(StrEnum):
    PRO = "pro"


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    "value",
    [
        {"x": float("nan")},
        {"x": float("inf")},
        {"x": str},
        {"x": b"bytes"},
        {"x": {1, 2}},
        {"x": (1, 2)},
        {"x": 1 + 2j},
        {"x": Colour.RED},
        {1: "x"},
        {None: "x"},
        {"x": {True: 1}},
        {"x": "\ud800"},
        {"\udfff": 1},
    ],
    ids=ascii,
)
def test_what_json_cannot_say_is_refused(value: dict[Any, Any]) -> None:
    """What would come back differently, or not at all, is refused by a message that names the place."""
    with pytest.raises(PayloadError, match=r"^session_data: "):
        json_object(value, "session_data")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"a": {"b": [1, {"when": Colour.RED}]}}, "the value at ['a']['b'][1]['when'] is Colour, give"),
        ({"a": {"b": float("nan")}}, "the value at ['a']['b'] is float, give"),
        ({"a": {"b": "\ud800"}}, "the value at ['a']['b'] is text that UTF-8 cannot encode, give"),
        ({"a": {"b\ud800": 1}}, "a key at ['a'] is text that UTF-8 cannot encode, give"),
        ({"a": {(1, 2): 3}}, "a key at ['a'] is tuple, give"),
        ({"a": [(1, 2)]}, "the value at ['a'][0] is tuple, which JSON reads back differently"),
        ({7: 1}, "a key is int, which JSON reads back differently"),
        ([1], "it is list, give"),
        (nested(100_000), f"it is nested deeper than {MAX_DEPTH}, give"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_the_place_is_told(value: Any, told: str) -> None:
    """An error names the place in a large object that JSON cannot say, and not what stands there."""
    with pytest.raises(PayloadError, match=rf"^session_data: {re.escape(told)}"):
        json_object(value, "session_data")


@pytest.mark.parametrize("wrap", [lambda inner: [inner], lambda inner: {"a": inner}], ids=["lists", "objects"])
@pytest.mark.parametrize(("depth", "fits"), [(MAX_DEPTH, True), (MAX_DEPTH + 1, False), (400, False)])
def test_nesting_is_bounded(wrap: Callable[[object], object], depth: int, fits: bool) -> None:
    """What every reader can read back is accepted, however many of its stack frames are in use; deeper is refused."""
    value: object = 1
    for _ in range(depth - 1):
        value = wrap(value)
    try:
        accepted = json_object({"a": value}, "payload") == {"a": value}
    except PayloadError:
        accepted = False

    assert fits == accepted


def test_endless_nesting_is_refused() -> None:
    """What is nested deeper than a reader follows is refused like all else."""
    with pytest.raises(PayloadError, match=r"^session_data: "):
        json_object(nested(100_000), "session_data")


@pytest.mark.parametrize("value", [[1], "text", 5, [("a", 1)]], ids=str)
def test_only_objects_are_accepted(value: Any) -> None:
    """A list or a single value is no object."""
    with pytest.raises(PayloadError):
        json_object(value, "session_data")


def test_plain_values_come_out_plain() -> None:
    """An enumeration of texts is its text from then on; nothing at all is the empty object."""
    accepted = json_object({"plan": Plan.PRO}, "payload")

    assert ({"plan": "pro"}, str) == (accepted, type(accepted["plan"]))
    assert {} == json_object(None, "payload") == json_object({}, "payload")


@given(OBJECTS, OBJECTS)
def test_merging(payload: dict[str, Any], changes: dict[str, Any]) -> None:
    """Each name of the changes has the new value or is gone; every other one is as it was."""
    after = merged(payload, changes)

    assert {key: value for key, value in changes.items() if value is not None} == {
        key: value for key, value in after.items() if key in changes
    }
    assert {key: value for key, value in payload.items() if key not in changes} == {
        key: value for key, value in after.items() if key not in changes
    }


@pytest.mark.parametrize("value", ["a", "ü" * MAX_NAME, " ", "用户"], ids=ascii)
def test_names(value: str) -> None:
    """Any text of a reasonable length is a user's id."""
    assert value == checked_name(value, "user_id")


@pytest.mark.parametrize("value", ["", "x" * (MAX_NAME + 1), "a\x00", "\ud800"], ids=ascii)
def test_what_is_no_name(value: str) -> None:
    """Nothing, too much, a zero byte and half a character are refused."""
    with pytest.raises(PayloadError, match=r"^user_id: "):
        checked_name(value, "user_id")


@pytest.mark.parametrize("value", ["public", "acme", "a_b", "A.b-c_1", "x" * 64])
def test_tenants(value: str) -> None:
    """Tenants are named by what a handle and a URL can carry."""
    assert value == checked_tenant(value)


@pytest.mark.parametrize("value", ["", "x" * 65, "a b", "a/b", "ü", "a\n", "a:b"], ids=ascii)
def test_what_is_no_tenant(value: str) -> None:
    """Everything else is refused."""
    with pytest.raises(PayloadError, match=r"^tenant_id: "):
        checked_tenant(value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({}, {}, True),
        ({}, {"a": None}, False),
        ({"a": None}, {}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ({"a": 1}, {"a": 2}, False),
        ({"a": 1}, {"a": True}, False),
        ({"a": 0}, {"a": False}, False),
        ({"a": [1]}, {"a": [1.0]}, False),
        ({"a": {"b": [True]}}, {"a": {"b": [True]}}, True),
    ],
    ids=str,
)
def test_the_same(one: dict[str, Any], other: dict[str, Any], same: bool) -> None:
    """The order of keys says nothing, and a type does: true is not 1, and 1.0 is not 1."""
    assert same is is_same(one, other)
