"""The database of a core, through every driver, read by a user who may do nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import URL, MetaData, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from tests.cli import conftest as commands
from tests.moving.supertokens.core_tables import Core, let_read, reader
from tests.stores.sql.conftest import SERVERS
from tests.supertokens_core.tables import Layout, tables

command_line = commands.command_line

MakeCore = Callable[..., Awaitable[Core]]

DATABASE, KEPT = "supertokens", "supertokens_kept"
"""The database whose tables a test makes and drops, and the one whose tables are only emptied."""


@pytest.fixture(params=SERVERS)
def core_driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def usual() -> MetaData:
    """The tables of a core as most are."""
    return tables(Layout())


@pytest.fixture(scope="session")
def prepared() -> set[URL]:
    """The servers that have the databases and the reader."""
    return set()


@pytest.fixture
async def server_url(core_driver: str, request: pytest.FixtureRequest, prepared: set[URL]) -> URL:
    """Where the server is, for the user who may do all."""
    url: str = request.getfixturevalue("postgres_url" if core_driver.startswith("postgresql") else "mysql_url")
    server = make_url(url).set(drivername=core_driver)
    if server not in prepared:
        await ensure_databases(server)
        prepared.add(server)
    return server


@pytest.fixture
async def make_core(server_url: URL) -> AsyncIterator[MakeCore]:
    """Makes the database of a core, with its tables in the given layout, and two apps of two tenants."""
    async with AsyncExitStack() as stack:
        yield lambda **layout: _made(stack, server_url.set(database=DATABASE), Layout(**layout))


@pytest.fixture
async def core(server_url: URL, usual: MetaData) -> AsyncIterator[Core]:
    """The database of a core as most are, with the key of its refresh tokens. Its tables stay as they are: only rows change."""
    async with AsyncExitStack() as stack:
        made = _core(stack, server_url.set(database=KEPT), usual)
        async with made.owner.begin() as connection:
            await connection.run_sync(usual.create_all)
            for table in reversed(usual.sorted_tables):
                await connection.execute(table.delete())
            await _let_read(connection, KEPT, None)
        await _add_apps(made)
        await made.key()
        yield made


async def _made(stack: AsyncExitStack, url: URL, layout: Layout) -> Core:
    metadata = tables(layout)
    core = _core(stack, url, metadata)
    async with core.owner.begin() as connection:
        if layout.schema is not None:
            await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {layout.schema}"))
        await connection.run_sync(metadata.create_all)
        await _let_read(connection, DATABASE, layout.schema)
    stack.push_async_callback(_drop, core)
    await _add_apps(core)
    return core


def _core(stack: AsyncExitStack, url: URL, metadata: MetaData) -> Core:
    owner = create_async_engine(url, poolclass=NullPool)  # Tests may add rows in a loop of their own.
    stack.push_async_callback(owner.dispose)
    reading = url.set(username=reader(str(url.database))).render_as_string(hide_password=False)
    return Core(owner, reading, {table.info["core"]: table for table in metadata.tables.values()})


async def _let_read(connection: AsyncConnection, database: str, schema: str | None) -> None:
    for statement in let_read(dialect=connection.dialect.name, database=database, schema=schema):
        await connection.execute(text(statement))


async def _add_apps(core: Core) -> None:
    for app_id in ("public", "another"):
        await core.add("apps", {}, app_id=app_id)
        await core.add("tenants", {"tenant_id": "public"}, {"tenant_id": "shop"}, app_id=app_id)


async def _drop(core: Core) -> None:
    async with core.owner.begin() as connection:
        await connection.run_sync(core.tables["session_info"].metadata.drop_all)


async def ensure_databases(server_url: URL) -> None:
    engine = create_async_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        for statement in await _missing(connection):
            await connection.execute(text(statement))
    await engine.dispose()


async def _missing(connection: AsyncConnection) -> list[str]:
    """The statements that make the databases and the reader, as far as they are not there."""
    databases = (DATABASE, KEPT)
    if connection.dialect.name != "postgresql":
        return [
            *(f"CREATE DATABASE IF NOT EXISTS {name}" for name in databases),
            *(f"CREATE USER IF NOT EXISTS {reader(name)}@localhost" for name in databases),
        ]
    there = {*await connection.scalars(text("SELECT datname FROM pg_database UNION SELECT rolname FROM pg_roles"))}
    wanted = {name: f"CREATE DATABASE {name}" for name in databases}
    wanted |= {reader(name): f"CREATE ROLE {reader(name)} LOGIN" for name in databases}
    return [statement for name, statement in wanted.items() if name not in there]
