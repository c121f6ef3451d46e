"""A row says everything about a record, and says it in one way."""

from __future__ import annotations

from dataclasses import fields

import pytest

from fastapi_session.model import Circumstances, Lineage, Notice, SessionRecord, SigningKeyRecord
from fastapi_session.stores.columns import Unreadable
from fastapi_session.stores.json_text import dump_json
from fastapi_session.stores.rows import (
    CIRCUMSTANCES_COLUMNS,
    COMPARED_COLUMNS,
    KEY,
    KEY_COLUMNS,
    LINEAGE_COLUMNS,
    NOTICE,
    NOTICE_COLUMNS,
    SESSION,
    SESSION_COLUMNS,
    circumstances_row,
    compared_row,
    key_record,
    key_row,
    lineage_row,
    session_record,
    session_row,
)
from fastapi_session.testing.records import full_session, new_signing_key


@pytest.mark.parametrize("truth", [True, False])
def test_a_session_comes_back_from_its_row(*, truth: bool) -> None:
    """A record survives the way through a row, and through a database that knows numbers but no booleans."""
    record = full_session("a", now=1, lineage={"acknowledged": truth})
    row = [int(value) if isinstance(value, bool) else value for value in session_row(record)]
    back = session_record(row)

    assert record == back
    assert back.lineage.acknowledged is truth


@pytest.mark.parametrize(
    ("column", "value"),
    [
        *(("factors", text) for text in ('{"pwd":"1"}', '{"pwd":null}', '{"pwd":1.5}', '{"pwd":true}', '{"pwd":-1}')),
        ("factors", '{"otp":1,"pwd":253402300800000}'),
        ("actor_session", None),
    ],
)
def test_what_no_session_has(column: str, value: str | None) -> None:
    """Factors that were checked at no moment, and an actor without a session, are found before anybody relies on them."""
    row = [*session_row(full_session("a", now=1))]
    row[SESSION_COLUMNS.index(column)] = value

    with pytest.raises(Unreadable, match=f"^{column}$"):
        session_record(row)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("generation", True),
        ("generation", None),
        ("version", 1.0),
        ("user_id", b"ada"),
        ("user_id", None),
        ("label", 1),
    ],
)
def test_a_type_that_no_column_has(column: str, value: object) -> None:
    """Another type is found in each such row, however many right ones were read before: true is no number."""
    right = [*session_row(full_session("a", now=1))]
    wrong = [*right]
    wrong[SESSION_COLUMNS.index(column)] = value
    for _ in range(2):
        session_record(right)
        with pytest.raises(Unreadable, match=f"^{column}$"):
            session_record(wrong)


def test_columns_name_the_values_of_a_row() -> None:
    """Every column stands for the field of its name, in the record, its circumstances or its lineage."""
    record = full_session("a", now=1)
    row = dict(zip(SESSION_COLUMNS, session_row(record), strict=True))
    for column, value in row.items():
        owners = (record, record.circumstances, record.lineage)
        field = next(getattr(owner, column) for owner in owners if hasattr(owner, column))
        assert (dump_json(field) if isinstance(field, dict) else field) == value


def test_every_field_is_a_column_once() -> None:
    """The tables describe the fields of all records, no other, and no two fields of a session share a column."""
    parts = {"circumstances", "lineage"}
    of_sessions = [
        f.name for kind in (SessionRecord, Circumstances, Lineage) for f in fields(kind) if f.name not in parts
    ]

    assert sorted(of_sessions) == sorted(SESSION) == sorted(SESSION_COLUMNS)
    assert tuple(KEY) == KEY_COLUMNS == tuple(field.name for field in fields(SigningKeyRecord))
    assert tuple(NOTICE) == NOTICE_COLUMNS == tuple(field.name for field in fields(Notice))


def test_what_compare_and_set_compares() -> None:
    """These six move with everything that a verdict looks at, as `SessionStore.replace` says."""
    six = {"generation", "current", "acknowledged", "window_at", "exchanged", "crossed"}

    assert six == set(COMPARED_COLUMNS) == {name for name, column in SESSION.items() if column.compared}


def test_slices_of_a_row() -> None:
    """What a rotation, `replace` and compare-and-set take of a record are the columns of the same names in its row."""
    record = full_session("a", now=1)
    row = dict(zip(SESSION_COLUMNS, session_row(record), strict=True))
    slices = (
        (CIRCUMSTANCES_COLUMNS, circumstances_row(record.circumstances)),
        (LINEAGE_COLUMNS, lineage_row(record.lineage)),
        (COMPARED_COLUMNS, compared_row(record.lineage)),
    )
    for names, values in slices:
        assert {name: row[name] for name in names} == dict(zip(names, values, strict=True))


def test_a_key_comes_back_from_its_row() -> None:
    """A signing key survives the way through a row, whose columns are its fields."""
    record = new_signing_key("k1", now=1)
    row = dict(zip(KEY_COLUMNS, key_row(record), strict=True))

    assert record == key_record(key_row(record))
    assert {column: getattr(record, column) for column in KEY_COLUMNS} == row | {"public_jwk": record.public_jwk}
