"""The tables of a SuperTokens core as far as sessions need them, made and filled in a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.types import CHAR, TypeEngine

Rows = Sequence[Mapping[str, Any]]

UNSIGNED: TypeEngine[int] = BigInteger().with_variant(mysql.BIGINT(unsigned=True), "mysql", "mariadb")
USER_ID = CHAR(36)

ADDED_BY_12_1 = frozenset({"session_info.prev_refresh_token_hash_2", "session_info.refresh_token_rotated_at"})
"""The columns that cores before 12.1 do not have, and that its operator adds."""

ADDED_BY_7_0 = frozenset(
    {
        "app_id_to_user_id.primary_or_recipe_user_id",
        "app_id_to_user_id.is_linked_or_is_a_primary_user",
        "all_auth_recipe_users.primary_or_recipe_user_id",
        "all_auth_recipe_users.is_linked_or_is_a_primary_user",
        "all_auth_recipe_users.primary_or_recipe_user_time_joined",
    }
)
"""The columns of linked accounts, which cores before 7.0 do not have either."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the tables are, what they are called, and which columns they are *without*, each as `table.column`.

    The core writes an underscore after a *prefix*, which is not a part of it here. *names* are those of tables that an
    operator has called otherwise: such a name gets the schema but no prefix.
    """

    schema: str | None = None
    prefix: str = ""
    names: Mapping[str, str] | None = None
    without: frozenset[str] = frozenset()

    def name(self, table: str) -> str:
        """Return what the core's *table* is called in the database."""
        return (self.names or {}).get(table, f"{self.prefix}_{table}" if self.prefix else table)


@asynccontextmanager
async def filled(url: str, rows: Mapping[str, Rows], layout: Layout | None = None) -> AsyncIterator[None]:
    """The tables in the database at *url*, with these *rows* of each, until the end."""
    chosen = layout or Layout()
    metadata = tables(chosen)
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            if chosen.schema:
                await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{chosen.schema}"'))
            await connection.run_sync(metadata.drop_all)
            await connection.run_sync(metadata.create_all)
            for table in metadata.sorted_tables:
                if known := [kept(row, table) for row in rows[table.info["core"]]]:
                    await connection.execute(table.insert(), known)
        yield
    finally:
        async with engine.begin() as connection:
            await connection.run_sync(metadata.drop_all)
        await engine.dispose()


def kept(row: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Return what of the *row* the *table* has a column for."""
    return {column.name: row[column.name] for column in table.columns}


def tables(layout: Layout) -> MetaData:
    """Describe the tables in this *layout*."""
    metadata = MetaData(schema=layout.schema)

    def table(core: str, *parts: Column[Any] | PrimaryKeyConstraint | ForeignKeyConstraint | UniqueConstraint) -> None:
        missing = {each.partition(".")[2] for each in layout.without if each.startswith(f"{core}.")}
        there = [each for each in parts if not (isinstance(each, Column) and each.name in missing)]
        keys = [each for each in there if not missing.intersection(getattr(each, "column_keys", ()))]
        Table(layout.name(core), metadata, *keys, info={"core": core}, mysql_charset="utf8mb4")

    def refers(columns: Sequence[str], core: str, to: Sequence[str]) -> ForeignKeyConstraint:
        path = ".".join(filter(None, (layout.schema, layout.name(core))))
        return ForeignKeyConstraint(columns, [f"{path}.{column}" for column in to], ondelete="CASCADE")

    describe_apps(table, refers)
    describe_keys(table, refers)
    describe_users(table, refers)
    table(
        "session_info",
        *app_and_tenant(),
        Column("session_handle", String(255), nullable=False),
        Column("user_id", String(128), nullable=False),
        Column("refresh_token_hash_2", String(128), nullable=False),
        Column("session_data", Text),
        Column("expires_at", UNSIGNED, nullable=False),
        Column("created_at_time", UNSIGNED, nullable=False),
        Column("jwt_user_payload", Text),
        Column("use_static_key", Boolean, nullable=False),
        Column("prev_refresh_token_hash_2", String(128)),
        Column("refresh_token_rotated_at", BigInteger),
        PrimaryKeyConstraint("app_id", "tenant_id", "session_handle"),
        refers(["app_id", "tenant_id"], "tenants", ["app_id", "tenant_id"]),
    )
    return metadata


def app() -> Column[str]:
    return Column("app_id", String(64), nullable=False, server_default="public")


def app_and_tenant() -> tuple[Column[str], Column[str]]:
    return app(), Column("tenant_id", String(64), nullable=False, server_default="public")


def describe_apps(table: Any, refers: Any) -> None:
    """The apps of a core, and the tenants of each."""
    table("apps", app(), Column("created_at_time", UNSIGNED), PrimaryKeyConstraint("app_id"))
    table(
        "tenants",
        *app_and_tenant(),
        Column("created_at_time", UNSIGNED),
        PrimaryKeyConstraint("app_id", "tenant_id"),
        refers(["app_id"], "apps", ["app_id"]),
    )


def describe_keys(table: Any, refers: Any) -> None:
    """The key of the refresh tokens, and the two kinds of keys that sign access tokens."""
    table(
        "key_value",
        *app_and_tenant(),
        Column("name", String(128)),
        Column("value", Text),
        Column("created_at_time", UNSIGNED),
        PrimaryKeyConstraint("app_id", "tenant_id", "name"),
        refers(["app_id", "tenant_id"], "tenants", ["app_id", "tenant_id"]),
    )
    table(
        "session_access_token_signing_keys",
        app(),
        Column("created_at_time", UNSIGNED, nullable=False, autoincrement=False),
        Column("value", Text),
        PrimaryKeyConstraint("app_id", "created_at_time"),
        refers(["app_id"], "apps", ["app_id"]),
    )
    table(
        "jwt_signing_keys",
        app(),
        Column("key_id", String(255), nullable=False),
        Column("key_string", Text, nullable=False),
        Column("algorithm", String(10), nullable=False),
        Column("created_at", UNSIGNED),
        PrimaryKeyConstraint("app_id", "key_id"),
        refers(["app_id"], "apps", ["app_id"]),
    )


def describe_users(table: Any, refers: Any) -> None:
    """Who is linked to whom, by which id the application knows a user, and the older table that does not keep up."""
    table(
        "app_id_to_user_id",
        app(),
        Column("user_id", USER_ID, nullable=False),
        Column("recipe_id", String(128), nullable=False),
        Column("primary_or_recipe_user_id", USER_ID, nullable=False),
        Column("is_linked_or_is_a_primary_user", Boolean, nullable=False),
        PrimaryKeyConstraint("app_id", "user_id"),
        refers(["app_id"], "apps", ["app_id"]),
    )
    table(
        "userid_mapping",
        app(),
        Column("supertokens_user_id", USER_ID, nullable=False),
        Column("external_user_id", String(128), nullable=False),
        Column("external_user_id_info", Text),
        UniqueConstraint("app_id", "supertokens_user_id"),
        UniqueConstraint("app_id", "external_user_id"),
        PrimaryKeyConstraint("app_id", "supertokens_user_id", "external_user_id"),
        refers(["app_id", "supertokens_user_id"], "app_id_to_user_id", ["app_id", "user_id"]),
    )
    table(
        "all_auth_recipe_users",
        *app_and_tenant(),
        Column("user_id", USER_ID, nullable=False),
        Column("primary_or_recipe_user_id", USER_ID, nullable=False),
        Column("is_linked_or_is_a_primary_user", Boolean, nullable=False),
        Column("primary_or_recipe_user_time_joined", UNSIGNED, nullable=False),
        Column("recipe_id", String(128), nullable=False),
        Column("time_joined", UNSIGNED, nullable=False),
        PrimaryKeyConstraint("app_id", "tenant_id", "user_id"),
        refers(["app_id", "tenant_id"], "tenants", ["app_id", "tenant_id"]),
    )
