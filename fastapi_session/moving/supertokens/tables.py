"""The tables of a core that are read here, for PostgreSQL and MySQL alike, and what is asked of them.

| table | what is read |
|---|---|
| `session_info` | the sessions; since core 12.1, where the operator has added two columns, also the token before the current one |
| `key_value` | `refresh_token_key`, in which all refresh tokens of an app are sealed |
| `session_access_token_signing_keys`, `jwt_signing_keys` | the keys of access tokens |
| `app_id_to_user_id` | the primary user of each user; `all_auth_recipe_users` has it too, and may be out of date |
| `userid_mapping` | what the application calls a user of the core |
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, ColumnElement, Dialect, MetaData, String, Table, Text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import CHAR, TypeDecorator

from fastapi_session.moving.supertokens.names import SuperTokensTables

PREVIOUS_HASH, ROTATED_AT = "prev_refresh_token_hash_2", "refresh_token_rotated_at"
"""The columns that an operator adds for core 12.1."""

CORE_ID = 36
"""Characters of the id that the core gives a user: a UUID with dashes. No other text can be one."""


class CoreId(TypeDecorator[str]):
    """The id that the core gives a user, a `CHAR(36)`, found by its index: PostgreSQL would not use that for another type of text."""

    impl = CHAR
    cache_ok = True

    def __init__(self) -> None:
        super().__init__(CORE_ID)

    def bind_expression(self, bindvalue: Any) -> ColumnElement[str]:
        """Return *bindvalue* as the database has to compare it."""
        return Fixed(bindvalue)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002 - alike in all
        """Return *value* without the spaces with which PostgreSQL fills it up."""
        return value.rstrip(" ") if isinstance(value, str) else value


class Fixed(FunctionElement[str]):
    """A text as `CHAR(36)`."""

    type = String()
    inherit_cache = True


@compiles(Fixed)
def _fixed(element: Fixed, compiler: SQLCompiler, **options: object) -> str:
    # On MySQL a cast would have a collation of its own, which does not go with that of the column.
    return compiler.process(element.clauses, **options)


@compiles(Fixed, "postgresql")
def _fixed_postgresql(element: Fixed, compiler: SQLCompiler, **options: object) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS CHAR({CORE_ID}))"


class Tables:
    """The tables under the names of one core. *folds* says that its database writes all names in lower case, as PostgreSQL does."""

    def __init__(self, names: SuperTokensTables, *, folds: bool) -> None:
        def called(name: str) -> str:
            return name.lower() if folds else name

        metadata = MetaData(schema=None if names.schema is None else called(names.schema.strip()))

        def table(name: str, *columns: Column[Any]) -> Table:
            return Table(called(name), metadata, Column("app_id", String), *columns)

        self.sessions = table(
            names.session_info or names.named("session_info"),
            Column("tenant_id", String),
            Column("session_handle", String),
            Column("user_id", String),
            Column("refresh_token_hash_2", String),
            Column("session_data", Text),
            Column("expires_at", BigInteger),
            Column("created_at_time", BigInteger),
            Column("jwt_user_payload", Text),
            Column(PREVIOUS_HASH, String),
            Column(ROTATED_AT, BigInteger),
        )
        self.values = table(
            names.key_value or names.named("key_value"),
            Column("tenant_id", String),
            Column("name", String),
            Column("value", Text),
        )
        self.dynamic_keys = table(
            names.named("session_access_token_signing_keys"),
            Column("created_at_time", BigInteger),
            Column("value", Text),
        )
        self.static_keys = table(
            names.named("jwt_signing_keys"),
            Column("key_id", String),
            Column("key_string", Text),
            Column("algorithm", String),
        )
        self.users = table(
            names.named("app_id_to_user_id"), Column("user_id", CoreId()), Column("primary_or_recipe_user_id", CoreId())
        )
        self.mapping = table(
            names.named("userid_mapping"), Column("supertokens_user_id", CoreId()), Column("external_user_id", String)
        )

    def __iter__(self) -> Iterator[Table]:
        return iter((self.sessions, self.values, self.dynamic_keys, self.static_keys, self.users, self.mapping))
