"""Whether a database is that of a core, and of one that is new enough: each thing that can be wrong has an error that says what to correct.

| there | error |
|---|---|
| no table of the names, but such tables in another schema, or with another prefix | their schema and prefix, to be given |
| no such table at all | another database, or MySQL's user may not see them |
| a table lacks a column | a core older than 7.0: to be upgraded first |
| no `refresh_token_key` of the app | the apps that have one |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr
from sqlalchemy import ColumnElement, Connection, inspect, literal, select, text

from fastapi_session.handles import PUBLIC_TENANT
from fastapi_session.moving.supertokens.tables import PREVIOUS_HASH, ROTATED_AT, Tables

UNREADABLE: frozenset[str | int | None] = frozenset({"42501", 1142, 1143})
"""What a server says to a user who may not read a table, by the codes of PostgreSQL and of MySQL and MariaDB."""

_NEW_COLUMNS = frozenset({PREVIOUS_HASH, ROTATED_AT})
_SIMILAR = text(
    "SELECT table_schema, table_name FROM information_schema.tables"
    " WHERE lower(table_name) LIKE '%session\\_info' ORDER BY table_schema, table_name LIMIT 5"
)
_FEW = 5


@dataclass(frozen=True, slots=True)
class Probe:
    """What was found: a *mistake* to be corrected, in words, or else the *key* of the app's refresh tokens.

    *rotates* says whether the operator has added the columns in which core 12.1 writes down rotations.
    """

    mistake: str | None = None
    key: SecretStr | None = field(repr=False, default=None)
    rotates: bool = False


def probe(connection: Connection, tables: Tables, *, app_id: str) -> Probe:
    """Return what there is of *tables*, and of the app. What of them may not be read, the database says."""
    if connection.dialect.name != "postgresql" and tables.sessions.schema is not None:
        return Probe("tables.schema: MySQL has no schemas: leave it out, and name the database in the URL")
    there = _columns(connection, tables)
    if mistake := _missing(connection, tables, there):
        return Probe(mistake)
    for table in tables:
        connection.execute(select(literal(1)).select_from(table).limit(1))
    values = tables.values
    key = connection.scalar(select(values.c.value).where(values.c.app_id == app_id, *_is_key(tables)))
    if not key:
        return Probe(_no_key(connection, tables, app_id=app_id))
    return Probe(key=SecretStr(key), rotates=there[tables.sessions.name] >= _NEW_COLUMNS)


def _missing(connection: Connection, tables: Tables, there: Mapping[str, set[str]]) -> str | None:
    for table in (tables.sessions, tables.values):
        if table.name not in there:
            return _no_table(connection, table.fullname)
    lacking = [
        f"{table.name}.{name}"
        for table in tables
        for name in table.columns.keys()  # noqa: SIM118 - columns iterate as columns
        if name not in _NEW_COLUMNS and name not in there.get(table.name, ())
    ]
    if not lacking:
        return None
    return f"database: it lacks {', '.join(lacking)}: its tables are older than those of SuperTokens core 7.0; upgrade the core first"


def _no_key(connection: Connection, tables: Tables, *, app_id: str) -> str:
    values = tables.values
    apps: Sequence[str] = connection.scalars(select(values.c.app_id).where(*_is_key(tables)).limit(_FEW)).all()
    if not apps:
        return (
            f"database: {values.fullname} has no refresh_token_key: this core has never begun a session; "
            "give the database of the other one"
        )
    return f"app_id: there is no refresh_token_key of the app {app_id!r}, but of {', '.join(map(repr, apps))}: give one of these"


def _is_key(tables: Tables) -> tuple[ColumnElement[bool], ...]:
    return tables.values.c.name == "refresh_token_key", tables.values.c.tenant_id == PUBLIC_TENANT


def _columns(connection: Connection, tables: Tables) -> dict[str, set[str]]:
    names = [table.name for table in tables]
    found = inspect(connection).get_multi_columns(schema=tables.sessions.schema, filter_names=names)
    return {table: {column["name"] for column in columns} for (_, table), columns in found.items()}


def _no_table(connection: Connection, table: str) -> str:
    similar = [f"{schema}.{name}" for schema, name in connection.execute(_SIMILAR)]
    if similar:
        return (
            f"tables: there is no table {table}, but {', '.join(similar)}:"
            " give the schema and the prefix of these, or none (--schema and --prefix, or tables=SuperTokensTables(schema=..., prefix=...))"
        )
    return f"database: it has no table {table}, nor one like it: give the database of the SuperTokens core"
