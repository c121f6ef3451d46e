"""The database of a core, through every driver, read by a user who may do nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from tests.cli import conftest as commands
from tests.moving.supertokens.core_tables import READER, Core, let_read
from tests.stores.sql.conftest import SERVERS
from tests.supertokens_core.tables import Layout, tables

command_line = commands.command_line

MakeCore = Callable[..., Awaitable[Core]]

DATABASE = "supertokens"


@pytest.fixture(params=SERVERS)
def core_driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def server_url(core_driver: str, request: pytest.FixtureRequest) -> URL:
    """Where the server is, for the user who may do all."""
    url: str = request.getfixturevalue("postgres_url" if core_driver.startswith("postgresql") else "mysql_url")
    return make_url(url).set(drivername=core_driver)


@pytest.fixture
async def make_core(server_url: URL) -> AsyncIterator[MakeCore]:
    """Makes the database of a core, with its tables in the given layout, and two apps of two tenants."""
    async with AsyncExitStack() as stack:
        yield lambda **layout: _made(stack, server_url, Layout(**layout))


@pytest.fixture
async def core(make_core: MakeCore) -> Core:
    """The database of a core as most are, with the key of its refresh tokens."""
    made = await make_core()
    await made.key()
    return made


async def _made(stack: AsyncExitStack, server_url: URL, layout: Layout) -> Core:
    await ensure_database(server_url)
    url = server_url.set(database=DATABASE)
    owner = create_async_engine(url, poolclass=NullPool)
    stack.push_async_callback(owner.dispose)
    metadata = tables(layout)
    core = Core(
        owner,
        url.set(username=READER).render_as_string(hide_password=False),
        {table.info["core"]: table for table in metadata.tables.values()},
    )
    async with owner.begin() as connection:
        if layout.schema is not None:
            await connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {layout.schema}"))
        await connection.run_sync(metadata.create_all)
        for statement in let_read(dialect=owner.dialect.name, schema=layout.schema):
            await connection.execute(text(statement))
    stack.push_async_callback(_drop, core)
    for app_id in ("public", "another"):
        await core.add("apps", {}, app_id=app_id)
        await core.add("tenants", {"tenant_id": "public"}, {"tenant_id": "shop"}, app_id=app_id)
    return core


async def _drop(core: Core) -> None:
    async with core.owner.begin() as connection:
        await connection.run_sync(core.tables["session_info"].metadata.drop_all)


async def ensure_database(server_url: URL) -> None:
    postgresql = server_url.drivername.startswith("postgresql")
    engine = create_async_engine(server_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        if postgresql:
            there = await connection.scalar(text(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"))
            statements = [] if there else [f"CREATE DATABASE {DATABASE}", f"CREATE ROLE {READER} LOGIN"]
        else:
            statements = [
                f"CREATE DATABASE IF NOT EXISTS {DATABASE}",
                f"CREATE USER IF NOT EXISTS {READER}@localhost",
            ]
        for statement in statements:
            await connection.execute(text(statement))
    await engine.dispose()
