"""Who is compared on which server: for each store the bare statement of its driver, the store, and the usual way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.databases import ASYNCMY, ASYNCPG, MEMORY, PSYCOPG, SQL, SQLITE, VALKEY
from benchmarks.serving import folder
from benchmarks.stores import bare
from benchmarks.stores.contestants import Contestant
from benchmarks.stores.select_and_update import SelectAndUpdate, aiosqlite_engine
from fastapi_session import MemoryStore
from fastapi_session.stores.redis import RedisStore
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sqlite import SqliteStore
from tests.stores.redis_servers import running
from tests.stores.sql.servers import started

BARE = "bare statement"
OURS = "the store"
USUAL = "transaction, SQLAlchemy"

Contestants = Mapping[str, Contestant]
Arena = Callable[[], AbstractAsyncContextManager[Contestants]]
MakeBare = Callable[[Path], Awaitable[bare.BareServer]]


@asynccontextmanager
async def in_memory() -> AsyncIterator[Contestants]:
    """Compare with a dictionary."""
    yield {BARE: bare.BareMemory(), OURS: MemoryStore()}


@asynccontextmanager
async def in_sqlite() -> AsyncIterator[Contestants]:
    """Compare with SQLAlchemy on aiosqlite, in files of its own."""
    with folder() as path:
        store = SqliteStore(path / "ours.db")
        await store.open()
        plain = bare.BareSqlite(path / "ours.db")
        engines = [await aiosqlite_engine(path / f"tuned-{tuned}.db", tuned=tuned) for tuned in (False, True)]
        yield {
            BARE: plain,
            OURS: store,
            f"{USUAL} on aiosqlite": SelectAndUpdate(engines[0]),
            f"{USUAL} on aiosqlite, tuned": SelectAndUpdate(engines[1]),
        }
        for engine in engines:
            await engine.dispose()
        plain.close()
        await store.close()


@asynccontextmanager
async def in_database(name: str, make_bare: MakeBare) -> AsyncIterator[Contestants]:
    """Compare with a transaction by the same driver, through as many connections."""
    make, driver = SQL[name]
    with started(make) as server:
        url = make_url(server.url).set(drivername=driver).render_as_string(hide_password=False)
        store, engine = SqlStore(url), create_async_engine(url, pool_size=bare.CONNECTIONS, max_overflow=0)
        await store.create_all()
        await store.open()
        plain = await make_bare(server.folder)
        yield {BARE: plain, OURS: store, USUAL: SelectAndUpdate(engine)}
        await plain.close()
        await engine.dispose()
        await store.close()


@asynccontextmanager
async def in_valkey() -> AsyncIterator[Contestants]:
    """Compare with one HSET."""
    with folder() as path, running(path) as server:
        plain, store = bare.BareRedis(server.url), RedisStore(server.url)
        yield {BARE: plain, OURS: store}
        await plain.close()
        await store.close()


ARENAS: Mapping[str, Arena] = {
    MEMORY: in_memory,
    SQLITE: in_sqlite,
    ASYNCPG: partial(in_database, ASYNCPG, bare.bare_asyncpg),
    PSYCOPG: partial(in_database, PSYCOPG, bare.bare_psycopg),
    ASYNCMY: partial(in_database, ASYNCMY, bare.bare_asyncmy),
    VALKEY: in_valkey,
}
