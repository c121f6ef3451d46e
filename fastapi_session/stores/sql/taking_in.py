"""Taking sessions into the tables, in one transaction.

First the ids are remembered, in one order: whoever takes in one of them at the same time waits here, and then finds what the other
one wrote. Then the rows of those ids are locked, in one order too, and only then it is decided what becomes of each.

MySQL does not say which rows it has inserted. So there those are read first that are there, and the insertion fails, is undone and
tried again if somebody came in between.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from fastapi_session.model import SessionRecord
from fastapi_session.stores.columns import Row
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.rows import SESSION_COLUMNS
from fastapi_session.stores.sql import results
from fastapi_session.stores.sql.dialects import DIFFERENCES, insert_missing
from fastapi_session.stores.sql.statements import LOCK_THESE, columns
from fastapi_session.stores.sql.tables import ONCE, SESSION
from fastapi_session.stores.taking_in import Taking, mark_of, marked_until, taking

_REMEMBER = {dialect: insert_missing(ONCE, dialect=dialect) for dialect in DIFFERENCES}
# Not as the transaction first saw it, be that REPEATABLE READ.
_REMEMBERED = (
    select(ONCE.c.digest)
    .where(ONCE.c.digest.in_(bindparam("digests", type_=ONCE.c.digest.type, expanding=True)))
    .with_for_update(read=True)
)
_LOCK = LOCK_THESE.order_by(SESSION.c.session_id)
_KEEP = insert(SESSION)
_RENEW = update(SESSION).where(SESSION.c.session_id == bindparam("given_session_id", type_=SESSION.c.session_id.type))


def take_in(connection: Connection, records: Sequence[SessionRecord], *, readable: Readable) -> list[Taking]:
    """Write what is new of *records*, and return what became of each."""
    marks = {mark_of(record.session_id): marked_until(record) for record in records}
    new = _remember(connection, dict(sorted(marks.items())))
    rows = _locked(connection, [record.session_id for record in records])
    takings = [
        _taking(record, rows.get(record.session_id), is_new=mark_of(record.session_id) in new, readable=readable)
        for record in records
    ]
    kept, renewed = ([each.row for each in takings if each.outcome == outcome] for outcome in ("kept", "renewed"))
    if kept:
        connection.execute(_KEEP, [columns(SESSION_COLUMNS, row) for row in kept])
    if renewed:
        connection.execute(_RENEW, [{**columns(SESSION_COLUMNS, row), "given_session_id": row[0]} for row in renewed])
    return takings


def _remember(connection: Connection, marks: Mapping[bytes, int]) -> set[bytes]:
    """Remember *marks*, and return which of them were not remembered before."""
    statement = _REMEMBER[connection.dialect.name]
    if connection.dialect.update_returning:
        rows = [{"digest": digest, "until": until} for digest, until in marks.items()]
        return results.inserted(connection.execute(statement, rows), marks)
    while True:
        known = results.inserted(connection.execute(_REMEMBERED, {"digests": [*marks]}), marks)
        rows = [{"digest": digest, "until": until} for digest, until in marks.items() if digest not in known]
        if not rows:
            return set()
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(statement, rows)
            return {*marks} - known


def _locked(connection: Connection, session_ids: Sequence[str]) -> Mapping[object, Row]:
    rows = results.these(connection.execute(_LOCK, {"session_ids": session_ids}), {*session_ids})
    return {row[0]: row for row in rows}


def _taking(record: SessionRecord, row: Row | None, *, is_new: bool, readable: Readable) -> Taking:
    kept = None if row is None else readable.kept(row, session_id=record.session_id)
    if row is not None and kept is None:
        return Taking("there")
    return taking(record, kept, was_taken_in=not is_new)
