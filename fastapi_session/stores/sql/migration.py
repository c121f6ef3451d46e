"""Bringing the tables of a database to what this version needs: forward only, and by one process at a time.

What is there counts, not who made it: a revision whose tables and columns are there is taken as run.

| the database has | then `migrate` |
|---|---|
| nothing of ours | makes all |
| all that is needed, made by `migrate`, `create_all` or your own Alembic | notes it, and changes nothing |
| what an older version needed, whoever made it | adds what came since |
| a part of what one revision brings | raises `ConfigurationError` |
"""

from __future__ import annotations

from collections.abc import Mapping

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import NullPool

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.sql.dialects import DIFFERENCES
from fastapi_session.stores.sql.engines import for_transactions, new_engine
from fastapi_session.stores.sql.tables import METADATA, TABLES, VERSION_TABLE, schema_of


def include_object(_item: object, name: str | None, kind: str, *_rest: object) -> bool:
    """Keep your own Alembic from touching our tables: the option `include_object` of its `context.configure`.

    Return `False` for a table of ours, whatever schema it is in, and `True` for all else. *kind* is Alembic's `type_`. If
    you have such a function already, return `mine(*given) and include_object(*given)`.
    """
    return not (kind == "table" and name in METADATA.tables)


async def migrate(engine: AsyncEngine | str) -> None:
    """Bring the tables in the database of *engine*, your own or by URL, to what this version needs.

    Tables that are up to date stay as they are, whoever made them. If several processes start at once, one migrates and
    the others wait. Raises `ConfigurationError` if a part of what belongs together is missing.
    """
    if isinstance(engine, str):
        own = new_engine(engine, poolclass=NullPool)
        try:
            await migrate(own)
        finally:
            await own.dispose()
        return
    async with for_transactions(engine).begin() as connection:
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    differences = DIFFERENCES[connection.dialect.name]
    connection.execute(text(differences.lock))
    try:
        config = alembic_config(connection)
        _adopt(connection, config)
        command.upgrade(config, "head")
    finally:
        if differences.unlock is not None:
            connection.execute(text(differences.unlock))


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for our migrations over *connection*."""
    config = Config()
    config.set_main_option("script_location", "fastapi_session.stores.sql:migrations")
    config.attributes["connection"] = connection
    return config


def _adopt(connection: Connection, config: Config) -> None:
    """Note the revision that the tables are at, unless it is noted already, or one of a newer version is."""
    scripts = ScriptDirectory.from_config(config)
    revisions = {each.revision: each.module.BRINGS for each in reversed([*scripts.walk_revisions()])}
    noted = _noted(connection)
    if noted is not None and noted not in revisions:
        return
    noted_ones = {each.revision for each in scripts.iterate_revisions(noted, "base")} if noted else set()
    reached = _reached(revisions, present=_present(connection), noted=noted_ones)
    if noted != reached:
        command.stamp(config, reached or "base")


def _noted(connection: Connection) -> str | None:
    options = {"version_table": VERSION_TABLE, "version_table_schema": schema_of(connection)}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def _present(connection: Connection) -> set[str]:
    """Return which tables of ours are there, and as `table.column` which columns of them."""
    found = inspect(connection).get_multi_columns(schema_of(connection), filter_names=list(TABLES.tables))
    columns = {f"{table}.{column['name']}" for (_, table), each in found.items() for column in each}
    return {table for _, table in found} | columns


def _reached(revisions: Mapping[str, tuple[str, ...]], *, present: set[str], noted: set[str]) -> str | None:
    """Return the last of *revisions*, oldest first and with what they bring, up to which all is *present*.

    One that brings nothing by name changes what is there, and may be run twice: it counts if it is *noted*, or if what a
    later one brings is present.
    """
    reached = None
    for revision, brings in revisions.items():
        missing = [name for name in brings if name not in present]
        if missing and len(missing) < len(brings):
            there = ", ".join(name for name in brings if name in present)
            raise ConfigurationError(
                f"the database has {there}, but lacks {', '.join(missing)}: complete them, or drop what is there"
            )
        if missing:
            return reached
        if brings or revision in noted:
            reached = revision
    return reached
