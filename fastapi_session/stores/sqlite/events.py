"""The events of the audit: written in the transaction of a change, read page by page, and cleared away.

One process at a time writes to a file, so places grow in the order in which transactions commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from fastapi_session.audit import Audit, EventQuery
from fastapi_session.stores.columns import Row
from fastapi_session.stores.rows import EVENT_COLUMNS, event_rows

_EVENT = ", ".join(EVENT_COLUMNS)

INSERT_EVENT = f"INSERT INTO event ({_EVENT}) VALUES ({', '.join('?' * len(EVENT_COLUMNS))})"

DELETE_EVENTS = "DELETE FROM event WHERE place IN (SELECT place FROM event WHERE at <= ? LIMIT ?)"


def tell(db: sqlite3.Connection, audit: Audit | None, sessions: Iterable[Row], *, now: int) -> None:
    """Write the event of *audit*, if there is one, of each of the *sessions*, which are said by `WHOSE_COLUMNS`."""
    if audit is not None:
        db.executemany(INSERT_EVENT, event_rows(audit, sessions, at=now))


def events(db: sqlite3.Connection, query: EventQuery) -> Sequence[Row]:
    """Return the rows of the events that *query* asks for, each with its place at the end."""
    after = query.number
    conditions = {
        "user_id = :user_id": query.user_id,
        "tenant_id = :tenant_id": query.tenant_id,
        ("place < :after" if query.newest_first else "place > :after"): after,
    }
    where = " AND ".join(condition for condition, value in conditions.items() if value is not None) or "TRUE"
    statement = f"""
        SELECT {_EVENT}, place FROM event WHERE {where}
        ORDER BY place {"DESC" if query.newest_first else "ASC"} LIMIT :limit
    """
    parameters = {"user_id": query.user_id, "tenant_id": query.tenant_id, "after": after, "limit": query.limit}
    return db.execute(statement, parameters).fetchall()
