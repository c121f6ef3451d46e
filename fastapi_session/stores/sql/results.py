"""Whether a result of the database can belong to the statement that was sent.

A connection on which two clients were mixed up (by a pooler, a proxy, a driver that was interrupted) gives one of them the
other's result. Such a result is returned to nobody, and its connection is dropped.

| statement | its result |
|---|---|
| a session | that session, or none |
| sessions by their places in a batch | each place once at most, with that session |
| some sessions by their ids, each with the time | some of those, each once |
| a rotation | that session with the successor, or none |
| the sessions of a user | sessions of that user, and of the tenant |
| the sessions of an external session or subject | sessions that have its digest |
| a digest | that digest, or none |
| sessions of some ids | those, or fewer |
| what lives of a user, to be counted | sessions of that user in that tenant |
| a page of all sessions, devices or digests | as many columns as asked for |
| digests that were inserted | some of those given |
| the feed | notices between the moments given |
| the events of a user | events of that user, and of the tenant |
| a change of one row | one row, or none |
| a row to be kept | one row |
| many rows, all of them there or new | all of them |
| a deletion of some | no more than those |
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import CursorResult

from fastapi_session.audit import EventQuery
from fastapi_session.model import Rotation
from fastapi_session.stores.columns import Row
from fastapi_session.stores.limits import Living
from fastapi_session.stores.rows import EVENT_COLUMNS, KEY_COLUMNS, NOTICE_COLUMNS, SESSION_COLUMNS

Rows = Sequence[Row]

Result = CursorResult[Any]
"""What the driver says of a statement."""

_SESSION_ID, _TENANT_ID, _USER_ID, _CURRENT = map(
    SESSION_COLUMNS.index, ("session_id", "tenant_id", "user_id", "current")
)
_EXTERNAL = SESSION_COLUMNS.index("external_session"), SESSION_COLUMNS.index("external_subject")
_AT = NOTICE_COLUMNS.index("at")
_EVENT_TENANT_ID, _EVENT_USER_ID = map(EVENT_COLUMNS.index, ("tenant_id", "user_id"))


class ForeignResult(Exception):
    """The result cannot belong to the statement."""


def rows_of(result: Result) -> Rows:
    """Return the rows of *result*, of a statement that has any, be they none."""
    _ensure(result.returns_rows)
    return result.all()


def said_of(rows: Rows, done: str, *, tag: str) -> Rows:
    """Return *rows*, of which the server says that they are *done*: by the *tag* of the statement, and their number."""
    _ensure(done == f"{tag} {len(rows)}")
    return rows


def at_most_one(rows: Rows) -> Row | None:
    """Return the row of *rows*, which are one or none."""
    _ensure(len(rows) <= 1)
    return rows[0] if rows else None


def by_place(rows: Rows, count: int) -> dict[int, Row]:
    """Return *rows* by the places that are their last column: of so many, each once at most."""
    placed = {row[-1]: row[:-1] for row in rows}
    _ensure(len(placed) == len(rows) and all(type(place) is int and 1 <= place <= count for place in placed))
    return placed


def reading(row: Row, *, session_id: str) -> tuple[Row | None, int]:
    """Return the session of this id, and the clock, of *row*: the clock, and beside it the session or nothing."""
    _ensure(len(row) == 1 + len(SESSION_COLUMNS) and type(row[0]) is int)
    # The outer join says nothing of a session that is not there.
    return None if row[1] is None else session(row[1:], session_id=session_id), row[0]


def readings(rows: Rows, session_ids: Collection[str]) -> dict[str, tuple[Row, int]]:
    """Return the sessions of *rows*, some of *session_ids*, each with the time that is its first column."""
    read = {row[1]: (row[1:], row[0]) for row in rows}
    _ensure(len(read) == len(rows) and all(len(row) == 1 + len(SESSION_COLUMNS) for row in rows))
    _ensure(read.keys() <= {*session_ids} and all(type(at) is int for _, at in read.values()))
    return read


def kept(rows: Rows, session_ids: Collection[str]) -> set[str]:
    """Return the one column of *rows*, which has some of *session_ids*."""
    _ensure(all(len(row) == 1 for row in rows))
    found = {session_id for (session_id,) in rows}
    _ensure(found <= {*session_ids})
    return found


def ids(result: Result) -> list[object]:
    """Return the one column of *result*."""
    return [each for (each,) in rows_of(result)]


def session(row: Row, *, session_id: str) -> Row:
    """Return *row*, which has the session of this id."""
    _ensure(len(row) == len(SESSION_COLUMNS) and row[_SESSION_ID] == session_id)
    return row


def rotated(row: Row | None, rotation: Rotation) -> Row | None:
    """Return *row*, which has the session as *rotation* left it, `None` if there is none."""
    if row is not None:
        _ensure(session(row, session_id=rotation.session_id)[_CURRENT] == rotation.successor)
    return row


def sessions_of(rows: Rows, *, user_id: str, tenant_id: str | None) -> Rows:
    """Return *rows*, which have sessions of the user and, if one is given, of the tenant."""
    _ensure(all(len(row) == len(SESSION_COLUMNS) and row[_USER_ID] == user_id for row in rows))
    _ensure(all(tenant_id in {None, row[_TENANT_ID]} for row in rows))
    return rows


def external(rows: Rows, *, digest: bytes) -> Rows:
    """Return *rows*, which have sessions whose external session or external subject is *digest*."""
    _ensure(all(len(row) == len(SESSION_COLUMNS) and digest in [row[place] for place in _EXTERNAL] for row in rows))
    return rows


def remembered(rows: Rows, *, digest: bytes) -> bool:
    """Say whether *rows* have the *digest*, in the one column that they have."""
    _ensure(all([*row] == [digest] for row in rows))
    return bool(rows)


def page(rows: Rows, *, columns: int) -> Rows:
    """Return *rows*, which have so many *columns*."""
    _ensure(all(len(row) == columns for row in rows))
    return rows


def inserted(result: Result, digests: Collection[bytes]) -> set[bytes]:
    """Return the one column of *result*, which has some of *digests*."""
    found = {*ids(result)}
    _ensure(found <= {*digests})
    return {digest for digest in digests if digest in found}


def these(result: Result, session_ids: Collection[str]) -> Rows:
    """Return the rows of *result*, which has sessions of these ids and no others."""
    rows = rows_of(result)
    _ensure(all(len(row) == len(SESSION_COLUMNS) and row[_SESSION_ID] in session_ids for row in rows))
    return rows


def living_of(rows: Rows, *, user_id: str, tenant_id: str) -> Iterator[Living]:
    """Yield what *rows*, which have sessions of the user in the tenant, say of each."""
    for *living, of_user, in_tenant in rows:
        _ensure((of_user, in_tenant) == (user_id, tenant_id))
        yield Living(*living)


def notices(rows: Rows, *, after: int, until: int) -> Rows:
    """Return *rows*, which have notices later than *after* and not later than *until*, each with its place in the feed."""
    _ensure(all(len(row) == len(NOTICE_COLUMNS) + 1 and after < row[_AT] <= until for row in rows))
    return rows


def events(rows: Rows, query: EventQuery) -> Rows:
    """Return *rows*, which have the events that *query* asks for, between the time and the place of each."""
    _ensure(all(len(row) == len(EVENT_COLUMNS) + 2 for row in rows))
    _ensure(all(query.user_id in {None, row[1 + _EVENT_USER_ID]} for row in rows))
    _ensure(all(query.tenant_id in {None, row[1 + _EVENT_TENANT_ID]} for row in rows))
    return rows


def signing_keys(rows: Rows) -> Rows:
    """Return *rows*, which have signing keys."""
    _ensure(all(len(row) == len(KEY_COLUMNS) for row in rows))
    return rows


def moment(rows: Rows) -> int:
    """Return the time in *rows*, one row of one number."""
    [[now]] = rows
    _ensure(isinstance(now, int))
    return int(now)


def changed_one(result: Result) -> bool:
    """Say whether *result*, of a change of one row, found it."""
    return at_most(1, result) == 1


def ensure_kept(result: Result) -> None:
    """Take it that *result* is that of one row which was kept."""
    _ensure(changed_one(result))


def ensure_changed(count: int, result: Result) -> None:
    """Take it that *result* is that of *count* rows which were changed or kept."""
    _ensure(at_most(count, result) == count)


def at_most(limit: int, result: Result) -> int:
    """Return how many rows *result*, of a change of *limit* rows at most, has found."""
    _ensure(not result.returns_rows and 0 <= result.rowcount <= limit)
    return result.rowcount


def _ensure(belongs: bool) -> None:  # noqa: FBT001 - a condition that reads as one
    if not belongs:
        raise ForeignResult
