"""Writes of more than one statement: what a verb does, and the notice of it.

They run inside the transaction that other writers share, so each sees to it that its statements are undone together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple

from fastapi_session.audit import Audit, InsertionAudit
from fastapi_session.insertion import Limit
from fastapi_session.model import Notice, NoticeKind, Predecessor, SessionRecord
from fastapi_session.stores.base import TakenIn
from fastapi_session.stores.columns import Row
from fastapi_session.stores.limits import Living, making_room
from fastapi_session.stores.readable import Readable
from fastapi_session.stores.rows import SESSION_COLUMNS, whose
from fastapi_session.stores.sqlite import statements
from fastapi_session.stores.sqlite.events import tell
from fastapi_session.stores.taking_in import Taking, mark_of, marked_until, taking

Parameters = Row | statements.Parameters


def ending_for(
    db: sqlite3.Connection, record: SessionRecord, limit: Limit, *, replacing: Sequence[str], now: int
) -> list[str] | None:
    """Return the ids of the sessions that make room for *record*, `None` if *limit* refuses it."""
    # Nobody else writes meanwhile: the transaction was begun for writing.
    user = {"user_id": record.user_id, "tenant_id": record.tenant_id, "now": now}
    living = (Living(*row) for row in db.execute(statements.LIVING, user))
    return making_room(living, limit, replacing=replacing)


def insert_replacing(
    db: sqlite3.Connection,
    row: Row,
    *,
    replacing: Sequence[str],
    succeeding: Predecessor | None,
    ending: Sequence[str],
    now: int,
    audit: InsertionAudit | None,
) -> Sequence[Row] | None:
    """Insert a session, and delete those whose place it takes and those *ending*. Return the latter, `None` if *succeeding* has changed."""
    superseded: list[Row] = []
    with _together(db):
        if succeeding is not None:
            # First: if it deletes nothing, nothing else has been written yet.
            superseded += db.execute(statements.DELETE_VERSION, (succeeding.session_id, succeeding.version))
            if not superseded:
                return None
            _note(db, superseded, "session_superseded", now=now)
        db.execute(statements.INSERT, row)
        for session_id in replacing:
            superseded += db.execute(statements.DELETE, (session_id,))
        _note(db, [(session_id,) for session_id in replacing], "session_superseded", now=now)
        evicted = [db.execute(statements.DELETE, (session_id,)).fetchone() for session_id in ending]
        _note(db, evicted, "session_revoked", now=now)
        if audit is not None:
            tell(db, audit.superseded, map(whose, superseded), now=now)
            tell(db, audit.began, [whose(row)], now=now)
            tell(db, audit.evicted, map(whose, evicted), now=now)
        return evicted


def delete(
    db: sqlite3.Connection, statement: str, parameters: Parameters, *, now: int, audit: Audit | None
) -> Sequence[Row]:
    """Return the rows of the sessions that *statement* deletes."""
    with _together(db):
        rows = db.execute(statement, parameters).fetchall()
        _note(db, rows, "session_revoked", now=now)
        tell(db, audit, map(whose, rows), now=now)
        return rows


def change_told(
    db: sqlite3.Connection, statement: str, parameters: Parameters, *, now: int, audit: Audit
) -> Sequence[Row]:
    """Return the rows of the sessions that *statement* changes, without a notice, and of which the events are written."""
    with _together(db):
        rows = db.execute(statement, parameters).fetchall()
        tell(db, audit, map(whose, rows), now=now)
        return rows


def update_stale(db: sqlite3.Connection, parameters: statements.Parameters, *, now: int) -> int:
    """Write payload, data and label, and return how many sessions were changed."""
    with _together(db):
        changed = db.execute(statements.UPDATE, parameters).rowcount
        _note(db, [(parameters["session_id"],)] * changed, "session_stale", now=now)
        return changed


def take_in(
    db: sqlite3.Connection, records: Sequence[SessionRecord], *, readable: Readable, now: int, audit: Audit | None
) -> list[TakenIn]:
    """Keep sessions that began elsewhere, and return what became of each."""
    with _together(db):
        takings = [_take_in(db, record, readable) for record in records]
        _note(db, [each.row for each in takings if each.makes_stale], "session_stale", now=now)
        tell(db, audit, (whose(each.row) for each in takings if each.outcome == "kept"), now=now)
        return [each.outcome for each in takings]


def delete_key(db: sqlite3.Connection, kid: str, *, now: int) -> int:
    """Delete the key *kid*, and return how many there were."""
    with _together(db):
        deleted = db.execute(statements.DELETE_KEY, (kid,)).rowcount
        _note(db, [(kid,)] * deleted, "key_deleted", now=now)
        return deleted


def see_device(db: sqlite3.Connection, seen: statements.Parameters) -> bool | None:
    """Note the device that was *seen*. Return false if it was known, true if others of the user were, `None` if none was."""
    if db.execute(statements.SEE_DEVICE, seen).rowcount:
        return False
    has_others = db.execute(statements.A_DEVICE, seen).fetchone() is not None
    db.execute(statements.INSERT_DEVICE, seen)
    return True if has_others else None


def append(db: sqlite3.Connection, notices: Sequence[Notice]) -> None:
    """Append *notices*, each with the date that it has."""
    with _together(db):
        db.executemany(statements.NOTE, map(astuple, notices))


def _take_in(db: sqlite3.Connection, record: SessionRecord, readable: Readable) -> Taking:
    is_new = db.execute(statements.ONCE, (mark_of(record.session_id), marked_until(record))).rowcount == 1
    row = db.execute(statements.GET, (record.session_id,)).fetchone()
    kept = None if row is None else readable.kept(row, session_id=record.session_id)
    if row is not None and kept is None:
        return Taking("there")
    taken = taking(record, kept, was_taken_in=not is_new)
    if taken.outcome == "kept":
        db.execute(statements.INSERT, taken.row)
    if taken.outcome == "renewed":
        db.execute(statements.RENEW, dict(zip(SESSION_COLUMNS, taken.row, strict=True)))
    return taken


def _note(db: sqlite3.Connection, rows: Iterable[Row], kind: NoticeKind, *, now: int) -> None:
    db.executemany(statements.NOTE, [(row[0], kind, now) for row in rows])


@contextmanager
def _together(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("SAVEPOINT together")  # the commit of the group ends it
    try:
        yield
    except BaseException:  # of whatever kind: text that UTF-8 cannot encode is no error of SQLite's
        db.execute("ROLLBACK TO together")
        raise
