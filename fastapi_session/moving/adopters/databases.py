"""Reading a row of another system's database, by an engine of the application's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnClause, Executable, TableClause, table
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import ConfigurationError, StoreUnavailable

DOWN = (OperationalError, InterfaceError, PoolTimeoutError, OSError, TimeoutError)
"""What drivers raise if the database is down, or too slow. All else is a mistake: no such table, or no right to read it."""


async def row_of(engine: AsyncEngine, statement: Executable) -> Mapping[str, Any] | None:
    """Return the one row that *statement* selects, `None` if there is none.

    Raises `StoreUnavailable`, and `ConfigurationError` if the row cannot be read for another reason.
    """
    # From None: SQLAlchemy's errors tell the parameters of the statement, among which is a key that signs somebody in.
    try:
        async with engine.connect() as connection:
            row = (await connection.execute(statement)).mappings().one_or_none()
    except DOWN as error:
        raise StoreUnavailable(f"the database of the logins to adopt does not respond: {_reason(error)}") from None
    except DBAPIError as error:
        raise ConfigurationError(f"adopters: the logins to adopt cannot be read: {_reason(error)}") from None
    return None if row is None else dict(row)


def _reason(error: BaseException) -> str:
    """Return what the driver says, without the statement and its parameters."""
    said = error.orig if isinstance(error, DBAPIError) else None
    return type(error).__name__ if said is None else f"{type(said).__name__}: {said}"


async def write(engine: AsyncEngine, statement: Executable) -> None:
    """Execute *statement* in a transaction of its own. Raises `StoreUnavailable` if that fails, for whatever reason."""
    try:
        async with engine.begin() as connection:
            await connection.execute(statement)
    except (*DOWN, DBAPIError) as error:
        raise StoreUnavailable(f"the login to retire cannot be deleted: {_reason(error)}") from None


def table_of(name: str, *columns: ColumnClause[Any]) -> TableClause:
    """Return the table *name*, which may name its schema too: `schema.table`."""
    schema, _, relation = name.rpartition(".")
    return table(relation, *columns, schema=schema or None)


def milliseconds_of(moment: datetime) -> int:
    """Return *moment* in milliseconds since the epoch. A naive one is in UTC, as databases without time zones keep it."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1000)
