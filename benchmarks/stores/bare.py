"""The least that a driver can do: one INSERT for a session that begins, an UPDATE by its key for a refresh, a SELECT to read.

Nothing but the key of the row is compared or returned, nothing is decided, and no clock is read.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import asyncmy
import asyncpg  # type: ignore[import-untyped]  # it ships no type information
import psycopg
from redis.asyncio import BlockingConnectionPool, Redis

from fastapi_session.model import Rotation, SessionRecord
from fastapi_session.stores.rows import SESSION_COLUMNS, session_row

CONNECTIONS = 10
"""As many as a store opens that is given a URL."""

Execute = Callable[[Any, str, Sequence[Any]], Awaitable[object]]


class Statements(NamedTuple):
    """One for each verb."""

    insert: str
    update: str
    select: str


def statements(table: str, placeholder: Callable[[int], str], *, returning: bool = True) -> Statements:
    """Return the statements in a driver's way of writing the parameter of a number."""
    values = ", ".join(placeholder(number + 1) for number in range(len(SESSION_COLUMNS)))
    changed = f"generation = {placeholder(1)}, current = {placeholder(2)}"
    answered = " RETURNING session_id" if returning else ""
    names = ", ".join(SESSION_COLUMNS)
    return Statements(
        insert=f"INSERT INTO {table} ({names}) VALUES ({values})",
        update=f"UPDATE {table} SET {changed} WHERE session_id = {placeholder(3)}{answered}",
        select=f"SELECT {names} FROM {table} WHERE session_id = {placeholder(1)}",
    )


def parameters(rotation: Rotation) -> tuple[Any, ...]:
    """Return what the UPDATE is given."""
    return rotation.generation + 1, rotation.successor, rotation.session_id


class BareMemory:
    """A dictionary."""

    def __init__(self) -> None:
        self._rows: dict[str, object] = {}

    async def insert(self, record: SessionRecord) -> None:
        """Keep *record* as it is."""
        self._rows[record.session_id] = record

    async def rotate(self, rotation: Rotation) -> object:
        """Keep *rotation* in its place."""
        self._rows[rotation.session_id] = rotation
        return rotation

    async def get(self, session_id: str) -> object:
        """Look it up."""
        return self._rows.get(session_id)


class BareSqlite:
    """The sqlite3 of Python on the event loop's own thread: each statement a transaction, and all else waits for it."""

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._statements = statements("session", lambda _: "?")

    async def insert(self, record: SessionRecord) -> None:
        """Execute the INSERT."""
        self._connection.execute(self._statements.insert, session_row(record))

    async def rotate(self, rotation: Rotation) -> object:
        """Execute the UPDATE."""
        return self._connection.execute(self._statements.update, parameters(rotation)).fetchone()

    async def get(self, session_id: str) -> object:
        """Execute the SELECT."""
        return self._connection.execute(self._statements.select, (session_id,)).fetchone()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class BareServer:
    """Some connections of a driver, each lent to one statement at a time."""

    def __init__(self, connections: Sequence[Any], execute: Execute, texts: Statements) -> None:
        self._connections = connections
        self._free: asyncio.Queue[Any] = asyncio.Queue()
        self._execute = execute
        self._statements = texts
        for connection in connections:
            self._free.put_nowait(connection)

    async def insert(self, record: SessionRecord) -> None:
        """Execute the INSERT."""
        await self._run(self._statements.insert, session_row(record))

    async def rotate(self, rotation: Rotation) -> object:
        """Execute the UPDATE."""
        return await self._run(self._statements.update, parameters(rotation))

    async def get(self, session_id: str) -> object:
        """Execute the SELECT."""
        return await self._run(self._statements.select, (session_id,))

    async def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            closing = connection.close()  # asyncmy does so at once
            if closing is not None:
                await closing

    async def _run(self, text: str, given: Sequence[Any]) -> object:
        connection = await self._free.get()
        try:
            return await self._execute(connection, text, given)
        finally:
            self._free.put_nowait(connection)


async def bare_asyncpg(folder: Path) -> BareServer:
    """Return asyncpg, by which each statement is prepared once a connection."""

    async def execute(connection: asyncpg.Connection, text: str, given: Sequence[Any]) -> object:
        return (
            await connection.execute(text, *given)
            if text.startswith("INSERT")
            else await connection.fetchrow(text, *given)
        )

    connections = [
        await asyncpg.connect(host=str(folder), user="postgres", database="postgres") for _ in range(CONNECTIONS)
    ]
    return BareServer(connections, execute, statements("fastapi_session", lambda number: f"${number}"))


async def bare_psycopg(folder: Path) -> BareServer:
    """Return psycopg, by which each statement is prepared once a connection."""

    async def execute(connection: psycopg.AsyncConnection[Any], text: str, given: Sequence[Any]) -> object:
        cursor = await connection.execute(text.encode(), given, prepare=True)
        return cursor.rowcount if text.startswith("INSERT") else await cursor.fetchone()

    connections = [
        await psycopg.AsyncConnection.connect(f"host={folder} user=postgres dbname=postgres", autocommit=True)
        for _ in range(CONNECTIONS)
    ]
    return BareServer(connections, execute, statements("fastapi_session", lambda _: "%s"))


async def bare_asyncmy(folder: Path) -> BareServer:
    """Return asyncmy, without a RETURNING, which MySQL and MariaDB do not have for an UPDATE."""

    async def execute(connection: Any, text: str, given: Sequence[Any]) -> object:
        async with connection.cursor() as cursor:
            changed = await cursor.execute(text, given)
            return await cursor.fetchone() if text.startswith("SELECT") else changed

    connections = [
        await asyncmy.connect(unix_socket=str(folder / "socket"), user="root", db="test", autocommit=True)
        for _ in range(CONNECTIONS)
    ]
    texts = statements("fastapi_session", lambda _: "%s", returning=False)
    return BareServer(connections, execute, texts)


class BareRedis:
    """One HSET for each operation that writes, one HGETALL to read."""

    def __init__(self, url: str) -> None:
        self._client = Redis.from_pool(BlockingConnectionPool.from_url(url, max_connections=50, protocol=2))

    async def insert(self, record: SessionRecord) -> None:
        """Keep the whole row."""
        row = zip(SESSION_COLUMNS, session_row(record), strict=True)
        fields: Any = {name: int(value) if value is True else value for name, value in row if value is not None}
        await self._client.hset(f"bare:{record.session_id}", mapping=fields)

    async def rotate(self, rotation: Rotation) -> object:
        """Keep what has changed."""
        fields: Any = {"generation": rotation.generation + 1, "current": rotation.successor}
        return await self._client.hset(f"bare:{rotation.session_id}", mapping=fields)

    async def get(self, session_id: str) -> object:
        """Read the whole row."""
        return await self._client.hgetall(f"bare:{session_id}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
