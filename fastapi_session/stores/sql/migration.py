"""Bringing the tables of a database to what this version needs: forward only, and by one process at a time."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool

from fastapi_session.stores.sql.dialects import DIFFERENCES
from fastapi_session.stores.sql.engines import for_transactions, new_engine

VERSION_TABLE = "fastapi_session_version"
"""Where Alembic notes how far the tables have come, apart from the versions of your own."""


async def migrate(engine: AsyncEngine | str) -> None:
    """Bring the tables in the database of *engine*, your own or by URL, to what this version needs.

    Tables that are up to date stay as they are. Where several processes start at once, one migrates and the others wait.
    """
    if isinstance(engine, str):
        own = new_engine(engine, poolclass=NullPool)
        await migrate(own)
        await own.dispose()
        return
    async with for_transactions(engine).begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    differences = DIFFERENCES[connection.dialect.name]
    connection.execute(text(differences.lock))
    try:
        command.upgrade(alembic_config(connection), "head")
    finally:
        if differences.unlock is not None:
            connection.execute(text(differences.unlock))


def alembic_config(connection: Connection) -> Config:
    """Answer Alembic's configuration for our migrations over *connection*."""
    config = Config()
    config.set_main_option("script_location", "fastapi_session.stores.sql:migrations")
    config.attributes["connection"] = connection
    return config
