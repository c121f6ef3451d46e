"""Writes of more than one statement: what a verb does, and the notice of it.

They run inside the transaction that other writers share, so each sees to it that its statements are undone together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from fastapi_session.model import NoticeKind, Predecessor
from fastapi_session.stores.rows import Row
from fastapi_session.stores.sqlite import statements

Parameters = Row | statements.Parameters


def insert_replacing(
    db: sqlite3.Connection, row: Row, *, replacing: Sequence[str], succeeding: Predecessor | None, now: int
) -> bool:
    """Insert a session, and delete those whose place it takes, unless *succeeding* has changed. Say whether that was done."""
    superseded = [(session_id,) for session_id in replacing]
    with _together(db):
        if succeeding is not None:
            # First: if it deletes nothing, nothing else has been written yet.
            if not db.execute(statements.DELETE_VERSION, (succeeding.session_id, succeeding.version)).rowcount:
                return False
            _note(db, [(succeeding.session_id,)], "session_superseded", now=now)
        db.execute(statements.INSERT, row)
        db.executemany(statements.DELETE_SUPERSEDED, superseded)
        _note(db, superseded, "session_superseded", now=now)
        return True


def delete(db: sqlite3.Connection, statement: str, parameters: Parameters, *, now: int) -> Sequence[Row]:
    """Return the rows of the sessions that *statement* deletes; its first column is the id."""
    with _together(db):
        rows = db.execute(statement, parameters).fetchall()
        _note(db, rows, "session_revoked", now=now)
        return rows


def update_stale(db: sqlite3.Connection, parameters: statements.Parameters, *, now: int) -> int:
    """Write payload, data and label, and return how many sessions were changed."""
    with _together(db):
        changed = db.execute(statements.UPDATE, parameters).rowcount
        _note(db, [(parameters["session_id"],)] * changed, "session_stale", now=now)
        return changed


def delete_key(db: sqlite3.Connection, kid: str, *, now: int) -> int:
    """Delete the key *kid*, and return how many there were."""
    with _together(db):
        deleted = db.execute(statements.DELETE_KEY, (kid,)).rowcount
        _note(db, [(kid,)] * deleted, "key_deleted", now=now)
        return deleted


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
