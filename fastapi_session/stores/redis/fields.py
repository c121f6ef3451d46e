"""A row as fields of a hash, and back: every field is the JSON of its column, bytes as hexadecimal digits.

So all that is kept is ASCII, whatever encoding the client has, and Lua compares it as text: equal values are equal text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from fastapi_session.model import Lineage, Notice, SessionRecord, SigningKeyRecord
from fastapi_session.stores.rows import (
    KEY_COLUMNS,
    SESSION_COLUMNS,
    Row,
    key_record,
    key_row,
    lineage_row,
    session_record,
    session_row,
)

LINEAGE_COLUMNS = SESSION_COLUMNS[SESSION_COLUMNS.index("generation") :]

_SESSION_BYTES = tuple(map(SESSION_COLUMNS.index, ("current", "previous", "exchanged", "used")))
_KEY_BYTES = tuple(map(KEY_COLUMNS.index, ("private_key",)))


def field(value: Any) -> str:
    """Answer *value*, which a row holds, as the text of a field."""
    return json.dumps(value, default=bytes.hex)


def session_fields(record: SessionRecord) -> list[str]:
    """Answer names and values of a session's fields, one after the other."""
    return _pairs(SESSION_COLUMNS, session_row(record))


def lineage_fields(lineage: Lineage) -> list[str]:
    """Answer names and values of the fields that *lineage* fills, one after the other."""
    return _pairs(LINEAGE_COLUMNS, lineage_row(lineage))


def expected_fields(lineage: Lineage) -> list[str]:
    """Answer the values that tell whether a session has moved on since it stood where *lineage* says."""
    place = lineage.generation, lineage.current, lineage.acknowledged, lineage.window_at
    return [field(each) for each in (*place, lineage.exchanged, lineage.crossed)]


def session_of(text: str) -> SessionRecord:
    """Answer the session whose fields, in the order of the columns, are the JSON array *text*."""
    return session_record(_row(text, _SESSION_BYTES))


def key_text(record: SigningKeyRecord) -> str:
    """Answer a signing key as a JSON array."""
    return field(key_row(record))


def key_of(text: str) -> SigningKeyRecord:
    """Answer the signing key that `key_text` wrote."""
    return key_record(_row(text, _KEY_BYTES))


def notices_of(text: str) -> list[Notice]:
    """Answer the notices of a feed: the JSON array *text*, each of them an array of subject, kind and moment."""
    return [Notice(*each) for each in json.loads(text)]


def _pairs(columns: Iterable[str], row: Row) -> list[str]:
    return [text for column, value in zip(columns, row, strict=True) for text in (column, field(value))]


def _row(text: str, places: Iterable[int]) -> Row:
    row: list[Any] = json.loads(text)
    for place in places:
        row[place] = None if row[place] is None else bytes.fromhex(row[place])
    return row
