"""A row as fields of a hash, and back: every field is the JSON of its column, bytes as hexadecimal digits.

So all that is kept is ASCII, whatever encoding the client has, and Lua compares it as text: equal values are equal text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from json.encoder import encode_basestring_ascii
from types import NoneType
from typing import Any

from fastapi_session.model import Circumstances, Lineage, Notice, SessionRecord, SigningKeyRecord
from fastapi_session.stores.columns import Kind, Row, places
from fastapi_session.stores.rows import (
    CIRCUMSTANCES_COLUMNS,
    KEY,
    KEY_COLUMNS,
    LINEAGE_COLUMNS,
    SESSION,
    SESSION_COLUMNS,
    circumstances_row,
    compared_row,
    key_row,
    lineage_row,
    session_row,
)

_TEXTS: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    bytes: lambda value: f'"{value.hex()}"',
    int: int.__repr__,
    bool: {False: "false", True: "true"}.__getitem__,
    NoneType: lambda _: "null",
}
"""What is in nearly all fields, without a JSON encoder made for each."""

NEWLINE = "\n"
"""What is between two notices of a feed: nothing that is written as JSON has one."""

_SESSION_BYTES = places(Kind.BYTES, SESSION_COLUMNS, SESSION)
_KEY_BYTES = places(Kind.BYTES, KEY_COLUMNS, KEY)


def field(value: object) -> str:
    """Return *value*, which a row holds, as the text of a field."""
    # Lua compares fields as text, so one value has one text: numbers are integers alone, whose digits are the same everywhere.
    text = _TEXTS.get(type(value))
    return json.dumps(value, default=bytes.hex) if text is None else text(value)


def session_fields(record: SessionRecord) -> list[str]:
    """Return names and values of a session's fields, one after the other."""
    return _pairs(SESSION_COLUMNS, session_row(record))


def lineage_fields(lineage: Lineage) -> list[str]:
    """Return names and values of the fields that *lineage* fills, one after the other."""
    return _pairs(LINEAGE_COLUMNS, lineage_row(lineage))


def circumstances_fields(circumstances: Circumstances) -> list[str]:
    """Return names and values of the fields that *circumstances* fill, one after the other."""
    return _pairs(CIRCUMSTANCES_COLUMNS, circumstances_row(circumstances))


def expected_fields(lineage: Lineage) -> list[str]:
    """Return the values of *lineage* that compare-and-set compares, in the order of `COMPARED_COLUMNS`."""
    return [*map(field, compared_row(lineage))]


def session_row_of(text: str) -> Row:
    """Return the row of a session whose fields, in the order of the columns, are the JSON array *text*.

    What is damaged stays as it is: whoever reads a row finds out.
    """
    return _row(text, _SESSION_BYTES)


def key_text(record: SigningKeyRecord) -> str:
    """Return a signing key as a JSON array."""
    return field(key_row(record))


def key_row_of(text: str) -> Row:
    """Return the row that `key_text` wrote, as `session_row_of` does."""
    return _row(text, _KEY_BYTES)


def event_row_of(text: str) -> Row:
    """Return the row of an event, of which *text* is a JSON array, as `session_row_of` does."""
    return _row(text)


def notice_rows_of(text: str) -> Sequence[Row]:
    """Return the rows of a feed: *text* has one on each line, an array of subject, kind and moment, as `session_row_of` does."""
    try:
        rows: list[Row] = json.loads(f"[{text.replace(NEWLINE, ',')}]")  # many times as fast as one by one
    except (ValueError, RecursionError):
        return [_row(line) for line in text.split(NEWLINE)]
    return [row if isinstance(row, list) else () for row in rows]


def notice_member(notice: Notice) -> tuple[str, str]:
    """Return the date of *notice* and its text, the same as scripts write it: so it is in a feed once."""
    return field(notice.at), f"[{field(notice.subject)},{field(notice.kind)},{field(notice.at)}]"


def _pairs(columns: Sequence[str], row: Row) -> list[str]:
    return [text for column, value in zip(columns, row, strict=True) for text in (column, field(value))]


def _row(text: str, of_bytes: Collection[int] = ()) -> Row:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    if not isinstance(row, list):
        return ()
    for place in of_bytes:
        if place < len(row) and isinstance(row[place], str):
            with suppress(ValueError):
                row[place] = bytes.fromhex(row[place])
    return row
