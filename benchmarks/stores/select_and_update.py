"""A refresh as it is usually written: a transaction that reads the row, compares in Python, writes and commits.

It uses SQLAlchemy and the tables of `SqlStore`, so that nothing but the method differs.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, event, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from fastapi_session.clock import system_clock
from fastapi_session.model import Rotation, SessionRecord
from fastapi_session.stores.rows import LINEAGE_COLUMNS, SESSION_COLUMNS, lineage_row, session_record, session_row
from fastapi_session.stores.sql import METADATA
from fastapi_session.stores.sql.tables import SESSION

_IS_SESSION = SESSION.c.session_id == bindparam("key")
READ = select(*(SESSION.c[name] for name in SESSION_COLUMNS)).where(_IS_SESSION)
FIND = READ.with_for_update()
INSERT = insert(SESSION)
WRITE = update(SESSION).where(_IS_SESSION)


class SelectAndUpdate:
    """Keeps sessions through *engine*. A transaction that fails because SQLite is locked is tried again."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._parts = engine

    async def insert(self, record: SessionRecord) -> None:
        """Insert in a transaction of its own."""
        row = dict(zip(SESSION_COLUMNS, session_row(record), strict=True))
        while True:
            try:
                async with self._parts.begin() as connection:
                    await connection.execute(INSERT, row)
            except OperationalError as error:
                ensure_locked(error)
            else:
                return

    async def rotate(self, rotation: Rotation) -> SessionRecord | None:
        """Lock the row, compare, write, commit."""
        while True:
            try:
                return await self._rotate(rotation)
            except OperationalError as error:
                ensure_locked(error)

    async def get(self, session_id: str) -> SessionRecord | None:
        """Read the row."""
        async with self._parts.connect() as connection:
            row = (await connection.execute(READ, {"key": session_id})).first()
            return None if row is None else session_record(row)

    async def _rotate(self, rotation: Rotation) -> SessionRecord | None:
        key = {"key": rotation.session_id}
        async with self._parts.begin() as connection:
            row = (await connection.execute(FIND, key)).first()
            record = None if row is None else session_record(row)
            if record is None or record.lineage.current != rotation.presented:
                return None
            rotated = replace(record, lineage=rotated_lineage(record, rotation))
            changed = dict(zip(LINEAGE_COLUMNS, lineage_row(rotated.lineage), strict=True))
            await connection.execute(WRITE, {**key, **changed})
            return rotated


def rotated_lineage(record: SessionRecord, rotation: Rotation) -> Any:
    """Return where the session stands after *rotation*."""
    now = system_clock()
    return replace(
        record.lineage,
        generation=record.lineage.generation + 1,
        current=rotation.successor,
        previous=record.lineage.current,
        current_kid=rotation.successor_kid,
        window_at=now,
        acknowledged=False,
        idle_expires_at=now + rotation.idle_timeout,
    )


def ensure_locked(error: OperationalError) -> None:
    """Raise *error*, unless it says that another connection has the lock of SQLite."""
    if "locked" not in str(error.orig):
        raise error


async def aiosqlite_engine(path: Path, *, tuned: bool) -> AsyncEngine:
    """Return an engine on aiosqlite: with its defaults, or *tuned* to what the store does.

    Tuned means the write-ahead log, no flush at each commit, and transactions that take the lock when they begin.
    """
    engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
    if tuned:
        event.listen(engine.sync_engine, "connect", tune)
        event.listen(engine.sync_engine, "begin", begin_immediately)
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
    return engine


def tune(connection: Any, _record: object) -> None:
    """Set a new connection up."""
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def begin_immediately(connection: Any) -> None:
    """Take the lock when the transaction begins, so that none waits for a lock that it cannot get."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
