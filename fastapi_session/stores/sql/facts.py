"""What a database says of how it is set up for our tables, and how much is kept there too long. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    UniqueConstraint,
    func,
    inspect,
    literal,
    select,
    text,
)
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.ext.asyncio import AsyncEngine

from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.facts import MOST_COUNTED, Overdue, SqlFacts
from fastapi_session.stores.sql.engines import POOL
from fastapi_session.stores.sql.migration import alembic_config, standing
from fastapi_session.stores.sql.prepared import leads_to_pooler
from fastapi_session.stores.sql.tables import DEVICE, EVENT, NOTICE, ONCE, SESSION, TABLES, missing_columns, schema_of

_MYSQL = ("mysql", "mariadb")

_READ_ONLY = {
    # As it is on a standby, and where a database or a user is set so.
    "postgresql": "SELECT current_setting('transaction_read_only')",
    "mysql": "SELECT @@global.read_only",
}
_ROOM = {
    "postgresql": """
        SELECT least(
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
            (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
            (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
        )
    """,
    "mysql": "SELECT least(@@max_connections, coalesce(nullif(@@max_user_connections, 0), @@max_connections))",
}
# Unlogged: PostgreSQL empties them after a crash.
_UNLOGGED = """
    SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relpersistence <> 'p' AND relkind IN ('r', 'p') AND nspname = coalesce(CAST(:schema AS text), current_schema())
"""


def read_facts(connection: Connection, *, own: bool, engine: AsyncEngine) -> SqlFacts:
    """Return what *connection* says of its database. Its *engine* is the store's *own*, or the user's."""
    dialect = connection.dialect
    name = "mysql" if dialect.name in _MYSQL else dialect.name
    inspector, missing = inspect(connection), missing_columns(connection)
    pending, newer = _migrations(connection, missing)
    return SqlFacts(
        name=name,
        version=tuple(each for each in dialect.server_version_info or () if isinstance(each, int)),
        is_mariadb=bool(getattr(dialect, "is_mariadb", False)),
        missing=tuple(missing),
        pending=tuple(pending),
        newer=newer,
        is_read_only=name in _READ_ONLY and _is_on(connection.exec_driver_sql(_READ_ONLY[name]).scalar()),
        isolation=connection.get_isolation_level(),
        unindexed=tuple(_unindexed(inspector, connection)),
        perishable=tuple(_perishable(inspector, connection, name)),
        is_own_engine=own,
        pool=_pool(engine, own=own),
        room=_room(connection, name),
    )


def count_overdue(connection: Connection, *, moments: Overdue) -> Overdue:
    """Count what is kept though its time was over at these *moments*, none further than `MOST_COUNTED`."""
    columns = SESSION.c.deadline, NOTICE.c.at, EVENT.c.at, ONCE.c.until, DEVICE.c.last_seen_at
    return Overdue(*(_count(connection, column <= at) for column, at in zip(columns, moments, strict=True)))


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    found = select(literal(1)).where(condition).limit(MOST_COUNTED).subquery()
    return connection.execute(select(func.count()).select_from(found)).scalar_one()


def _migrations(connection: Connection, missing: Sequence[str]) -> tuple[Sequence[str], str | None]:
    try:
        found = standing(connection, alembic_config(connection))
    except ConfigurationError:  # only a part of what belongs together is there: that is in *missing*
        assert missing
        return (), None
    return found.pending, found.newer


def _is_on(value: object) -> bool:
    return str(value).upper() not in {"0", "OFF", "FALSE"}


def _unindexed(inspector: Inspector, connection: Connection) -> Iterable[str]:
    """Yield the names of our indexes for which there is none, of whatever name, that begins with the same columns."""
    schema, names = schema_of(connection), list(TABLES.tables)
    indexes = inspector.get_multi_indexes(schema, filter_names=names)
    constraints = inspector.get_multi_unique_constraints(schema, filter_names=names)
    there: dict[str, list[list[str | None]]] = {name: [] for name in names}
    unique: dict[str, list[list[str | None]]] = {name: [] for name in names}
    for (_, table), found in indexes.items():
        there[table] += [each["column_names"] for each in found]
        unique[table] += [each["column_names"] for each in found if each["unique"]]
    for (_, table), given in constraints.items():
        unique[table] += [[*each["column_names"]] for each in given]
    for wanted in TABLES.tables.values():
        for index in wanted.indexes:
            columns = [column.name for column in index.columns]
            if not any(each[: len(columns)] == columns for each in there[wanted.name]):
                yield str(index.name)
        for constraint in wanted.constraints:
            columns = [column.name for column in constraint.columns] if isinstance(constraint, UniqueConstraint) else []
            if columns and columns not in unique[wanted.name]:
                yield str(constraint.name)


def _perishable(inspector: Inspector, connection: Connection, name: str) -> Sequence[str]:
    """Return the tables of ours that a crash may empty or spoil, or in which a transaction is none."""
    schema, names = schema_of(connection), list(TABLES.tables)
    if name == "postgresql":
        unlogged = connection.execute(text(_UNLOGGED), {"schema": schema}).scalars()
        return sorted({*unlogged} & {*names})
    if name != "mysql":
        return ()  # SQLAlchemy may not even know a table's options there
    options: Mapping[Any, Mapping[str, Any]] = inspector.get_multi_table_options(schema, filter_names=names)
    kinds = {
        table: str(said.get(f"{connection.dialect.name}_engine", "InnoDB")) for (_, table), said in options.items()
    }
    return sorted(f"{table} ({kind})" for table, kind in kinds.items() if kind.lower() != "innodb")


def _pool(engine: AsyncEngine, *, own: bool) -> int | None:
    """Return how many connections the pool of *engine* opens at most, `None` if it has no bound, or pools nothing."""
    if own:  # also while it is not open, and pools nothing yet
        return int(str(POOL["pool_size"]))
    pool = engine.sync_engine.pool
    size, beyond = getattr(pool, "size", int)(), getattr(pool, "_max_overflow", 0)  # nothing public says the latter
    return size + beyond if size > 0 and beyond >= 0 else None


def _room(connection: Connection, name: str) -> int | None:
    """Return how many connections the server accepts. Behind a pooler it does not matter."""
    if name not in _ROOM or leads_to_pooler(connection):
        return None
    return int(connection.exec_driver_sql(_ROOM[name]).scalar_one())
