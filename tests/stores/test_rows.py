"""A row says everything about a record, and says it in one way."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fastapi_session.model import Json
from fastapi_session.stores.rows import (
    KEY_COLUMNS,
    SESSION_COLUMNS,
    dump_json,
    key_record,
    key_row,
    load_json,
    session_record,
    session_row,
)
from fastapi_session.testing.records import digest, new_session, new_signing_key


@pytest.mark.parametrize("truth", [True, False])
def test_a_session_comes_back_from_its_row(*, truth: bool) -> None:
    """A record survives the way through a row, and through a database that knows numbers but no booleans."""
    lineage = {"acknowledged": truth, "previous": digest("p"), "absolute_expires_at": 3}
    record = new_session("a", now=1, lineage=lineage)
    row = [int(value) if isinstance(value, bool) else value for value in session_row(record)]
    back = session_record(row)

    assert record == back
    assert back.lineage.acknowledged is truth


def test_columns_name_the_values_of_a_row() -> None:
    """Every column stands for the field of its name, in the record, its circumstances or its lineage."""
    record = new_session("a", now=1)
    row = dict(zip(SESSION_COLUMNS, session_row(record), strict=True))
    for column, value in row.items():
        owners = (record, record.circumstances, record.lineage)
        field = next(getattr(owner, column) for owner in owners if hasattr(owner, column))
        assert (dump_json(field) if isinstance(field, dict) else field) == value


def test_a_key_comes_back_from_its_row() -> None:
    """A signing key survives the way through a row, whose columns are its fields."""
    record = new_signing_key("k1", now=1)
    row = dict(zip(KEY_COLUMNS, key_row(record), strict=True))

    assert record == key_record(key_row(record))
    assert {column: getattr(record, column) for column in KEY_COLUMNS} == row | {"public_jwk": record.public_jwk}


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
def test_what_is_not_json_is_refused(value: Any) -> None:
    """Nothing is written that another reader of JSON would not understand."""
    with pytest.raises((ValueError, TypeError)):
        dump_json({"value": value})
