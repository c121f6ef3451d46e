"""Stores that are filled with a given number of sessions, five a user: by their own statements, many rows at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.databases import execute
from fastapi_session.clock import system_clock
from fastapi_session.model import SessionRecord
from fastapi_session.stores import sql, sqlite
from fastapi_session.stores.base import Store
from fastapi_session.stores.redis import RedisStore
from fastapi_session.stores.rows import SESSION_COLUMNS, session_row
from fastapi_session.stores.sql.statements import INSERT, columns
from fastapi_session.stores.sqlite.file import connect
from fastapi_session.stores.sqlite.statements import INSERT as SQLITE_INSERT
from fastapi_session.testing.records import new_session

SESSIONS_OF_A_USER = 5
LIFETIME = 100 * 24 * 3600 * 1000
"""Milliseconds."""

BATCH = 5_000
AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class FilledStore:
    """An open store of *size* sessions; *random* picks some of them."""

    store: Store
    size: int
    random: Random

    def some_ids(self, count: int) -> list[str]:
        """Return the ids of *count* different sessions in the store."""
        return [session(number).session_id for number in self.random.sample(range(self.size), count)]

    def some_users(self, count: int) -> list[str]:
        """Return *count* users who have sessions in the store."""
        return [session(self.random.randrange(self.size)).user_id for _ in range(count)]

    def newcomers(self, count: int) -> list[SessionRecord]:
        """Return *count* sessions that are not in the store yet, five a user again."""
        begin = self.random.randrange(2**40, 2**60) * SESSIONS_OF_A_USER
        return [session(begin + n) for n in range(count)]


def session(number: int, *, lifetime: int = LIFETIME) -> SessionRecord:
    """Return the session of this *number*, which begins now and ends *lifetime* (milliseconds) later."""
    now = system_clock()
    user_id = f"user {number // SESSIONS_OF_A_USER}"
    return new_session(f"{number}", now=now, user_id=user_id, lineage={"idle_expires_at": now + lifetime})


def batches(size: int, *, each: int) -> Iterator[Sequence[SessionRecord]]:
    """Yield the sessions of a store of *size*, *each* at a time."""
    for begin in range(0, size, each):
        yield [session(number) for number in range(begin, min(begin + each, size))]


@asynccontextmanager
async def sqlite_store(folder: Path, size: int) -> AsyncIterator[FilledStore]:
    """Yield a store on a file in *folder*, with *size* sessions in it."""
    path = folder / f"{size}.db"
    with closing(connect(str(path), busy_timeout=timedelta(0))) as connection:
        for records in batches(size, each=BATCH):
            connection.execute("BEGIN")
            connection.executemany(SQLITE_INSERT, map(session_row, records))
            connection.execute("COMMIT")
    store = sqlite.SqliteStore(path)
    yield FilledStore(store, size, Random(size))
    await store.close()


@asynccontextmanager
async def postgresql_store(server: str, size: int) -> AsyncIterator[FilledStore]:
    """Yield a store on a new database of the server at the URL *server*, with *size* sessions in it."""
    database = f"sessions_{size}"
    await execute(server, f"CREATE DATABASE {database}")
    url = make_url(server).set(database=database).render_as_string(hide_password=False)
    store = sql.SqlStore(url)
    await store.create_all()
    engine = create_async_engine(url)
    for records in batches(size, each=BATCH):
        async with engine.begin() as connection:
            await connection.execute(INSERT, [columns(SESSION_COLUMNS, session_row(record)) for record in records])
    await engine.dispose()
    await execute(url, "VACUUM ANALYZE")
    await execute(url, "CHECKPOINT")
    await store.open()
    yield FilledStore(store, size, Random(size))
    await store.close()


@asynccontextmanager
async def valkey_store(url: str, size: int) -> AsyncIterator[FilledStore]:
    """Yield a store on the empty database at *url*, with *size* sessions in it."""
    store = RedisStore(url)
    for records in batches(size, each=AT_ONCE):
        await asyncio.gather(*(store.insert(record) for record in records))
    yield FilledStore(store, size, Random(size))
    await store.close()
