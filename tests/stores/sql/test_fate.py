"""What becomes of what was written in a transaction of the user's is told once it is certain, and truly."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from fastapi_session.stores.sql.fate import Fate
from tests.stores.sql.conftest import DRIVERS

DEFERRED = (
    "CREATE TABLE fate_parent (id INTEGER PRIMARY KEY)",
    "CREATE TABLE fate_child (id INTEGER REFERENCES fate_parent (id) DEFERRABLE INITIALLY DEFERRED)",
)
DROPPED = ("DROP TABLE IF EXISTS fate_child", "DROP TABLE IF EXISTS fate_parent")
"""A constraint that only the COMMIT looks at."""


class Told(list[tuple[str, bool]]):
    """What was told of what was written on one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        super().__init__()
        assert connection.sync_connection is not None
        self._connection = connection.sync_connection
        self._fate = Fate(self._connection)

    async def write(self, name: str) -> None:
        self._fate.on_end(self._connection, lambda has_committed: self.append((name, has_committed)))


async def test_a_commit_is_told_after_it(engine: AsyncEngine) -> None:
    """While the transaction is open nothing is told, and after its commit that it has committed, once."""
    async with engine.connect() as connection:
        told = Told(connection)
        for name in ("a", "b"):
            await connection.execute(text("SELECT 1"))
            await told.write(name)
            assert [] == [each for each in told if each[0] == name]
            await connection.commit()
        await connection.execute(text("SELECT 1"))
        await connection.commit()

    assert [("a", True), ("b", True)] == told


async def test_a_rollback_is_told(engine: AsyncEngine) -> None:
    """What is rolled back is undone, by its owner, by an error or with a connection that is only closed."""
    async with engine.connect() as connection:
        told = Told(connection)
        await connection.execute(text("SELECT 1"))
        await told.write("rolled back")
        await connection.rollback()
        with suppress(LookupError):
            async with connection.begin():
                await told.write("failed")
                raise LookupError
        await connection.execute(text("SELECT 1"))
        await told.write("closed")

    assert [("rolled back", False), ("failed", False), ("closed", False)] == told


async def test_a_savepoint_that_is_rolled_back(engine: AsyncEngine) -> None:
    """What it undoes is told at once, also what a savepoint inside it had released; the rest goes with the transaction."""
    async with engine.begin() as connection:
        told = Told(connection)
        await told.write("before")
        outer = await connection.begin_nested()
        await told.write("in it")
        async with connection.begin_nested():
            await told.write("released in it")
        await outer.rollback()
        assert [("in it", False), ("released in it", False)] == told
        async with connection.begin_nested():
            await told.write("in another")
        await told.write("after")

    assert [("before", True), ("in another", True), ("after", True)] == told[2:]


async def test_a_savepoint_of_before(engine: AsyncEngine) -> None:
    """It counts although it was opened before anybody listened."""
    async with engine.begin() as connection:
        savepoint = await connection.begin_nested()
        told = Told(connection)
        await told.write("in it")
        await savepoint.rollback()

    assert [("in it", False)] == told


@pytest.mark.parametrize(
    "driver", [driver for driver in DRIVERS if "mysql" not in driver]
)  # that has no such constraint
async def test_a_commit_that_fails(engine: AsyncEngine) -> None:
    """A COMMIT that the database refuses has undone everything, and the connection can be used again."""
    async with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            await connection.execute(text("PRAGMA foreign_keys = ON"))
            await connection.commit()
        for statement in (*DROPPED, *DEFERRED):
            await connection.execute(text(statement))
        await connection.commit()
        told = Told(connection)
        await connection.execute(text("INSERT INTO fate_child VALUES (1)"))
        await told.write("refused")
        with pytest.raises(DBAPIError):
            await connection.commit()
        assert [("refused", False)] == told
        await connection.rollback()
        await connection.execute(text("INSERT INTO fate_parent VALUES (1)"))
        await told.write("accepted")
        await connection.commit()
        for statement in DROPPED:
            await connection.execute(text(statement))
        await connection.commit()

    assert [("refused", False), ("accepted", True)] == told


async def test_an_orm_session(engine: AsyncEngine) -> None:
    """The commit of an ORM session, and its savepoints, are those of its connection."""
    async with AsyncSession(engine) as orm, orm.begin():
        told = Told(await orm.connection())
        await told.write("kept")
        with suppress(LookupError):
            async with orm.begin_nested():
                await orm.execute(text("SELECT 1"))
                await told.write("undone")
                raise LookupError

    assert [("undone", False), ("kept", True)] == told
