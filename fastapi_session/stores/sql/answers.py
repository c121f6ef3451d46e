"""Whether what a database says can be the answer to what it was asked.

A connection on which two askers were mixed up (by a pooler, a proxy, a driver that was interrupted) gives one of them what
the other asked for. Such an answer is given to nobody, and its connection is dropped.

| asked | answered |
|---|---|
| a session | that session, or none |
| a rotation | that session with the successor, or none |
| the sessions of a user | sessions of that user, and of the tenant |
| the feed | notices of the moments asked for |
| a change of one row | one row, or none |
| a row to be kept | one row |
| a deletion of some | no more than those |
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CursorResult

from fastapi_session.model import Notice, Rotation, SessionRecord, SigningKeyRecord
from fastapi_session.stores.rows import key_record, session_record

Rows = Sequence[Sequence[Any]]


class ForeignAnswer(Exception):
    """The answer cannot belong to the question."""


def rows_of(result: CursorResult[Any]) -> Rows:
    """Return the rows of *result*, of a statement that has any, be they none."""
    _ensure(result.returns_rows)
    return result.all()


def ids(result: CursorResult[Any]) -> list[Any]:
    """Return the one column of *result*."""
    return [each for (each,) in rows_of(result)]


def session(row: Sequence[Any], *, session_id: str) -> SessionRecord:
    """Return the session in *row*, whose id is *session_id*."""
    record = session_record(row)
    _ensure(record.session_id == session_id)
    return record


def rotated(row: Sequence[Any] | None, rotation: Rotation) -> SessionRecord | None:
    """Return the session in *row* as *rotation* left it, `None` if there is none."""
    if row is None:
        return None
    record = session(row, session_id=rotation.session_id)
    _ensure(record.lineage.current == rotation.successor)
    return record


def sessions_of(rows: Rows, *, user_id: str, tenant_id: str | None) -> list[SessionRecord]:
    """Return the sessions in *rows*, all of the user and, if one is given, of the tenant."""
    records = [session_record(row) for row in rows]
    _ensure(all(record.user_id == user_id and tenant_id in {None, record.tenant_id} for record in records))
    return records


def notices(rows: Rows, *, after: int, until: int) -> tuple[Notice, ...]:
    """Return the notices in *rows*, all later than *after* and not later than *until*."""
    found = tuple(Notice(subject, kind, at) for subject, kind, at in rows)
    _ensure(all(after < notice.at <= until for notice in found))
    return found


def signing_keys(rows: Rows) -> list[SigningKeyRecord]:
    """Return the signing keys in *rows*."""
    return [key_record(row) for row in rows]


def moment(rows: Rows) -> int:
    """Return the time in *rows*, one row of one number."""
    [[now]] = rows
    _ensure(isinstance(now, int))
    return int(now)


def changed_one(result: CursorResult[Any]) -> bool:
    """Say whether *result*, of a change of one row, found it."""
    return at_most(1, result) == 1


def ensure_kept(result: CursorResult[Any]) -> None:
    """Take it that *result* is that of one row which was kept."""
    _ensure(changed_one(result))


def at_most(limit: int, result: CursorResult[Any]) -> int:
    """Return how many rows *result*, of a change of *limit* rows at most, has found."""
    _ensure(not result.returns_rows and 0 <= result.rowcount <= limit)
    return result.rowcount


def _ensure(belongs: bool) -> None:  # noqa: FBT001 - a condition that reads as one
    if not belongs:
        raise ForeignAnswer
