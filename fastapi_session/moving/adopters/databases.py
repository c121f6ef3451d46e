"""Reading a row of another system's database, by an engine of the application's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnClause, Executable, TableClause, table
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import StoreUnavailable

DOWN = (OperationalError, InterfaceError, PoolTimeoutError, OSError, TimeoutError)
"""What drivers raise if the database is down, or too slow. All else is a mistake: no such table, no such column, no right to read it."""


async def row_of(engine: AsyncEngine, statement: Executable) -> Mapping[str, Any] | None:
    """Return the one row that *statement* selects, `None` if there is none. Raises `StoreUnavailable`."""
    try:
        async with engine.connect() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
    except DOWN as error:
        raise StoreUnavailable("the database of the logins to adopt does not respond") from error
    return None if row is None else dict(row)


async def write(engine: AsyncEngine, statement: Executable) -> None:
    """Execute *statement* in a transaction of its own."""
    async with engine.begin() as connection:
        await connection.execute(statement)


def table_of(name: str, *columns: ColumnClause[Any]) -> TableClause:
    """Return the table *name*, which may name its schema too: `schema.table`."""
    schema, _, relation = name.rpartition(".")
    return table(relation, *columns, schema=schema or None)


def milliseconds_of(moment: datetime) -> int:
    """Return *moment* in milliseconds since the epoch. A naive one is in UTC, as databases without time zones keep it."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
