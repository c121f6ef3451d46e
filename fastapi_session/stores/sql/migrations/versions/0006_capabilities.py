"""What a session can be: how its user was authenticated, where it began, who acts in it, and which provider signed it in.

And the tables of what goes with sessions: events for the audit, known devices, what may happen once, and users with a limit.
"""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Identity, Integer, LargeBinary, String, Text, column
from sqlalchemy.dialects import mysql

from fastapi_session.stores.sql.dialects import ExactText

revision = "0006"
down_revision = "0005"

_MYSQL = ("mysql", "mariadb")
_TEXTS = ("acr", "first_ip_address", "first_user_agent", "label", "actor", "actor_session", "impersonation_reason")
_DIGESTS = ("external_session", "external_subject")

BRINGS = (
    "fastapi_session.factors",
    *(f"fastapi_session.{name}" for name in (*_TEXTS, *_DIGESTS)),
    "fastapi_session.last_seen_at",
    "fastapi_session.source",
    "fastapi_session_event",
    "fastapi_session_device",
    "fastapi_session_once",
    "fastapi_session_user",
)
"""What is there once this has run, by which `migrate` knows it."""


def upgrade() -> None:
    """Add the columns and the tables. Workers of the version before go on writing sessions that have none of it."""
    schema = op.get_context().version_table_schema
    _add_columns(schema)
    _create_event(schema)
    _create_device(schema)
    _create_once(schema)
    _create_user(schema)


def _add_columns(schema: str | None) -> None:
    table = "fastapi_session"
    op.add_column(table, Column("factors", String(2048), nullable=False, server_default="{}"), schema=schema)
    for name in _TEXTS:
        op.add_column(table, Column(name, Text), schema=schema)
    for name in _DIGESTS:
        op.add_column(table, Column(name, _digest()), schema=schema)
        op.create_index(f"{table}_{name}", table, [name], schema=schema, postgresql_where=column(name).is_not(None))
    op.add_column(table, Column("last_seen_at", BigInteger, nullable=False, server_default="0"), schema=schema)
    op.add_column(table, Column("source", Text), schema=schema)


def _create_event(schema: str | None) -> None:
    table = "fastapi_session_event"
    op.create_table(
        table,
        Column("place", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
        Column("event_id", ExactText(32), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("name", ExactText(64), nullable=False),
        Column("session_id", ExactText(32), nullable=False),
        _tenant_id(),
        _user_id(),
        Column("kind", ExactText(32), nullable=False),
        Column("body", Text().with_variant(mysql.MEDIUMTEXT(), *_MYSQL), nullable=False),
        schema=schema,
        **_options(),
    )
    op.create_index(f"{table}_at", table, ["at"], schema=schema)
    op.create_index(f"{table}_user", table, ["user_id", "place"], schema=schema)


def _create_device(schema: str | None) -> None:
    table = "fastapi_session_device"
    columns = (
        _user_id(primary_key=True),
        _tenant_id(primary_key=True),
        Column("device", _digest(), primary_key=True),
        Column("last_seen_at", BigInteger, nullable=False),
    )
    op.create_table(table, *columns, schema=schema, **_options())
    op.create_index(f"{table}_last_seen_at", table, ["last_seen_at"], schema=schema)


def _create_once(schema: str | None) -> None:
    table = "fastapi_session_once"
    columns = Column("digest", _digest(), primary_key=True), Column("until", BigInteger, nullable=False)
    op.create_table(table, *columns, schema=schema, **_options())
    op.create_index(f"{table}_until", table, ["until"], schema=schema)


def _create_user(schema: str | None) -> None:
    columns = _user_id(primary_key=True), _tenant_id(primary_key=True)
    op.create_table("fastapi_session_user", *columns, schema=schema, **_options())


def _user_id(*, primary_key: bool = False) -> Column[str]:
    return Column("user_id", ExactText(512, encoded=1020), primary_key=primary_key, nullable=False)


def _tenant_id(*, primary_key: bool = False) -> Column[str]:
    return Column("tenant_id", ExactText(255), primary_key=primary_key, nullable=False)


def _digest() -> LargeBinary:
    return LargeBinary().with_variant(mysql.VARBINARY(32), *_MYSQL)


def _options() -> dict[str, Any]:
    options = {"engine": "InnoDB", "default_charset": "utf8mb4"}
    return {f"{name}_{option}": value for name in _MYSQL for option, value in options.items()}
