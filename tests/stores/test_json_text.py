"""A JSON object is text in one way, and comes back as it was."""

from __future__ import annotations

import math

import pytest

from fastapi_session.model import Json
from fastapi_session.stores.json_text import dump_json, load_json


def test_equal_payloads_are_equal_text() -> None:
    """JSON text has sorted keys, no spaces and no character that a database might mistake."""
    assert '{"a":{"c":[1,null],"d":"\\u00fc"},"b":true}' == dump_json({"b": True, "a": {"d": "ü", "c": [1, None]}})


@pytest.mark.parametrize(
    "payload", [{}, {"a": [1, 2.5, "x", None, True, {"b": {}}]}, {"emoji": "🐍", "lone": "\ud800"}]
)
def test_json_comes_back(payload: Json) -> None:
    """What JSON can say comes back as it was."""
    assert payload == load_json(dump_json(payload))


def test_empty_objects_are_not_shared() -> None:
    """Two records without data have an object each, though it is written in the same two characters."""
    first, second = load_json(dump_json({})), load_json("{}")

    assert "{}" == dump_json(first)
    assert {} == first == second
    assert first is not second


@pytest.mark.parametrize("value", [math.nan, math.inf, object(), b"bytes", {1, 2}])
def test_what_is_not_json_is_refused(value: object) -> None:
    """Nothing is written that another reader of JSON would not understand."""
    with pytest.raises((ValueError, TypeError)):
        dump_json({"value": value})


@pytest.mark.parametrize("text", [' {"a":1}', '{"a":1}\n', "\t{}\r\n"])
def test_blanks_around_an_object(text: str) -> None:
    """What another hand has written may stand between blanks."""
    assert load_json(text) in ({"a": 1}, {})


@pytest.mark.parametrize("text", ['{"a":1}{}', '{"a":1},', '{"a":1', "", " ", "[]", "1", "null", '\x0b{"a":1}'])
def test_what_is_no_object(text: str) -> None:
    """What stands beside an object, or is none, is refused."""
    with pytest.raises((ValueError, TypeError)):
        load_json(text)
