"""The tables for sessions and signing keys."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, Computed, Integer, LargeBinary, Text, UniqueConstraint, column
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.functions import coalesce

from fastapi_session.stores.sql.dialects import ExactText, Least

revision = "0001"
down_revision = None

BRINGS = ("fastapi_session", "fastapi_session_signing_key")
"""What is there once this has run, by which `migrate` knows it."""

_MYSQL = ("mysql", "mariadb")
_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_default_charset": "utf8mb4"}
_OPTIONS |= {"mariadb_engine": "InnoDB", "mariadb_default_charset": "utf8mb4"}


def upgrade() -> None:
    """Create the tables and their indexes."""
    schema = op.get_context().version_table_schema
    create_session(schema)
    op.create_index("fastapi_session_user", "fastapi_session", ["user_id", "tenant_id"], schema=schema)
    op.create_index("fastapi_session_deadline", "fastapi_session", ["deadline"], schema=schema)
    create_signing_key(schema)


def create_session(schema: str | None) -> None:
    """Create the table of sessions in *schema*."""
    json = Text().with_variant(mysql.MEDIUMTEXT(), *_MYSQL)
    digest = LargeBinary().with_variant(mysql.VARBINARY(32), *_MYSQL)
    idle, absolute = column("idle_expires_at", BigInteger), column("absolute_expires_at", BigInteger)
    op.create_table(
        "fastapi_session",
        Column("session_id", ExactText(32), primary_key=True),
        Column("tenant_id", ExactText(255), nullable=False),
        Column("user_id", ExactText(512), nullable=False),
        Column("recipe_user_id", ExactText(512), nullable=False),
        Column("access_token_payload", json, nullable=False),
        Column("session_data", json, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("ip_address", Text),
        Column("user_agent", Text),
        Column("generation", BigInteger, nullable=False),
        Column("current", digest, nullable=False),
        Column("previous", digest),
        Column("current_kid", Integer, nullable=False),
        Column("window_at", BigInteger, nullable=False),
        Column("acknowledged", Boolean, nullable=False),
        Column("idle_expires_at", BigInteger, nullable=False),
        Column("absolute_expires_at", BigInteger),
        Column("deadline", BigInteger, Computed(Least(idle, coalesce(absolute, idle)), persisted=True)),
        schema=schema,
        **_OPTIONS,
    )


def create_signing_key(schema: str | None) -> None:
    """Create the table of signing keys in *schema*."""
    op.create_table(
        "fastapi_session_signing_key",
        Column("kid", ExactText(255), primary_key=True),
        Column("family", ExactText(1), nullable=False),
        Column("sequence", BigInteger, nullable=False),
        Column("algorithm", Text, nullable=False),
        Column("public_jwk", Text, nullable=False),
        Column("private_key", LargeBinary, nullable=False),
        Column("secret_kid", Integer, nullable=False),
        Column("created_at", BigInteger, nullable=False),
        Column("activates_at", BigInteger, nullable=False),
        Column("token_lifetime", BigInteger, nullable=False),
        UniqueConstraint("family", "sequence", name="fastapi_session_signing_key_place"),
        schema=schema,
        **_OPTIONS,
    )
