"""The tables may be in another schema: they are made, looked for and used where the engine's `schema_translate_map` says."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sql import METADATA, SqlStore, migrate
from fastapi_session.testing.records import new_session
from tests.stores.sql.conftest import SERVERS

ELSEWHERE = "fastapi_session_elsewhere"


@pytest.fixture(params=SERVERS)
def driver(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def elsewhere(bare_engine: AsyncEngine) -> AsyncIterator[AsyncEngine]:
    """The user's engine, whose tables without a schema are in one; MySQL calls it a database. Both are empty."""
    cascade = " CASCADE" if bare_engine.dialect.name == "postgresql" else ""
    async with bare_engine.begin() as connection:
        await connection.execute(text(f"CREATE SCHEMA {ELSEWHERE}"))
    yield bare_engine.execution_options(schema_translate_map={None: ELSEWHERE})
    async with bare_engine.begin() as connection:
        await connection.execute(text(f"DROP SCHEMA {ELSEWHERE}{cascade}"))


def ours(connection: Connection) -> dict[bool, int]:
    """Return how many tables of ours are elsewhere, and how many are in the default schema."""
    schemas = {True: ELSEWHERE, False: None}
    return {
        is_elsewhere: len([name for name in inspect(connection).get_table_names(schema) if name.startswith("fastapi")])
        for is_elsewhere, schema in schemas.items()
    }


@pytest.mark.parametrize("is_migrated", [True, False])
async def test_tables_in_another_schema(elsewhere: AsyncEngine, is_migrated: bool) -> None:
    """Whoever makes them, the tables are found where they were made, and sessions are kept there."""
    store = SqlStore(elsewhere)
    with pytest.raises(ConfigurationError, match="lacks fastapi_session,"):
        await store.open()
    for _ in range(2):
        await (migrate(elsewhere) if is_migrated else store.create_all())
    await store.open()
    record = new_session("a", now=0)
    await store.insert(record)

    assert record == (await store.get(record.session_id)).record
    async with elsewhere.connect() as connection:
        assert {True: len(METADATA.tables), False: 0} == await connection.run_sync(ours)
        assert await SqlStore(elsewhere).within(connection).delete(record.session_id)


async def test_tables_of_the_default_schema_are_others(elsewhere: AsyncEngine, bare_engine: AsyncEngine) -> None:
    """Tables in the default schema do not make up for those that are missing."""
    await migrate(bare_engine)

    with pytest.raises(ConfigurationError, match="lacks fastapi_session,"):
        await SqlStore(elsewhere).open()
