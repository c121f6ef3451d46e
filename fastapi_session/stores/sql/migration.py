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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the tables of a database are: what is *noted*, and which of *revisions*, oldest first, they have *reached*."""

    revisions: Sequence[str]
    noted: str | None
    reached: str | None

    @property
    def newer(self) -> str | None:
        """The noted revision, if it is one that this version does not know."""
        return None if self.noted in self.revisions else self.noted

    @property
    def pending(self) -> Sequence[str]:
        """The revisions that have not run, none if a newer version has migrated."""
        passed = 0 if self.reached is None else self.revisions.index(self.reached) + 1
        return self.revisions[passed:] if self.newer is None else ()


def standing(connection: Connection, config: Config) -> Standing:
    """Return how far the tables are. Nothing is written. Raises `ConfigurationError` if a part of what belongs together is missing."""
    scripts = ScriptDirectory.from_config(config)
    revisions = {each.revision: each.module.BRINGS for each in reversed([*scripts.walk_revisions()])}
    noted = _noted(connection)
    if noted is not None and noted not in revisions:
        return Standing([*revisions], noted, None)
    noted_ones = {each.revision for each in scripts.iterate_revisions(noted, "base")} if noted else set()
    return Standing([*revisions], noted, _reached(revisions, present=_present(connection), noted=noted_ones))


def _adopt(connection: Connection, config: Config) -> None:
    """Note the revision that the tables are at, unless it is noted already, or one of a newer version is."""
    found = standing(connection, config)
    if found.newer is None and found.noted != found.reached:
        command.stamp(config, found.reached or "base")


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
