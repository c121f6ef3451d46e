"""The tables, for every database alike. Let `migrate` make them, or give `METADATA` to your own Alembic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Computed,
    Connection,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    inspect,
    true,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.sql.functions import coalesce

from fastapi_session.model import DEFAULT_KIND, MAX_NAME
from fastapi_session.stores.sql.dialects import ExactText, Least

TABLES = MetaData()
"""The tables that the statements are written for."""

VERSION_TABLE = "fastapi_session_version"
"""The name of the table in which Alembic notes how far `migrate` has come, apart from the versions of your own."""

METADATA = MetaData()
"""Every table that is ours in a database, that of `migrate` too, in types of SQLAlchemy that any migration can write down."""

_MYSQL = ("mysql", "mariadb")
_JSON = Text().with_variant(mysql.MEDIUMTEXT(), *_MYSQL)
_HASH = LargeBinary().with_variant(mysql.VARBINARY(32), *_MYSQL)
_ISSUE_ID = LargeBinary().with_variant(mysql.VARBINARY(9), *_MYSQL)
_OPTIONS: dict[str, Any] = {
    f"{name}_{option}": value
    for name in _MYSQL
    for option, value in {"engine": "InnoDB", "default_charset": "utf8mb4"}.items()
}

_NAME = 4 * MAX_NAME
"""Bytes: UTF-8 has at most four for a character."""

_EXTERNAL_SESSION: Column[bytes] = Column("external_session", _HASH)
_EXTERNAL_SUBJECT: Column[bytes] = Column("external_subject", _HASH)
_IDLE: Column[int] = Column("idle_expires_at", BigInteger, nullable=False)
_ABSOLUTE: Column[int] = Column("absolute_expires_at", BigInteger)


def _index_where_known(name: str, column: Column[bytes]) -> Index:
    """Return an index of the rows whose *column* is not null: most sessions have none, and should not pay for it."""
    return Index(name, column, postgresql_where=column.is_not(None))


SESSION = Table(
    "fastapi_session",
    TABLES,
    Column("session_id", ExactText(32), primary_key=True),
    Column("tenant_id", ExactText(255), nullable=False),
    Column("user_id", ExactText(512, encoded=_NAME), nullable=False),
    Column("recipe_user_id", ExactText(512, encoded=_NAME), nullable=False),
    Column("access_token_payload", _JSON, nullable=False),
    Column("session_data", _JSON, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("ip_address", Text),
    Column("user_agent", Text),
    Column("generation", BigInteger, nullable=False),
    Column("current", _HASH, nullable=False),
    Column("previous", _HASH),
    Column("current_kid", Integer, nullable=False),
    Column("window_at", BigInteger, nullable=False),
    Column("acknowledged", Boolean, nullable=False),
    _IDLE,
    _ABSOLUTE,
    # The database keeps it true, whoever writes.
    Column("deadline", BigInteger, Computed(Least(_IDLE, coalesce(_ABSOLUTE, _IDLE)), persisted=True)),
    Column("exchanged", _ISSUE_ID),
    Column("used", _ISSUE_ID),
    Column("used_at", BigInteger, nullable=False, server_default="0"),
    Column("crossed", Integer, nullable=False, server_default="0"),
    Column("idle_timeout", BigInteger),
    Column("kind", ExactText(32), nullable=False, server_default=DEFAULT_KIND),
    Column("persistent", Boolean, nullable=False, server_default=true()),
    # MySQL takes no default for a text of any length.
    Column("factors", String(2048), nullable=False, server_default="{}"),
    Column("acr", Text),
    Column("first_ip_address", Text),
    Column("first_user_agent", Text),
    Column("label", Text),
    Column("actor", Text),
    Column("actor_session", Text),
    Column("impersonation_reason", Text),
    _EXTERNAL_SESSION,
    _EXTERNAL_SUBJECT,
    Column("last_seen_at", BigInteger, nullable=False, server_default="0"),
    Column("source", Text),
    Column("bound_key", ExactText(64)),
    # In the order in which a user's sessions are read page by page; by the tenant they are only chosen.
    Index("fastapi_session_user_page", "user_id", "session_id", "tenant_id"),
    Index("fastapi_session_deadline", "deadline"),
    _index_where_known("fastapi_session_external_session", _EXTERNAL_SESSION),
    _index_where_known("fastapi_session_external_subject", _EXTERNAL_SUBJECT),
    **_OPTIONS,
)

SIGNING_KEY = Table(
    "fastapi_session_signing_key",
    TABLES,
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
    **_OPTIONS,
)

NOTICE = Table(
    "fastapi_session_notice",
    TABLES,
    # SQLite counts up nothing but its INTEGER, which is as long. For an identity, unlike a sequence, PostgreSQL needs no rights beside those of the table.
    Column("notice_id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("subject", ExactText(255), nullable=False),
    Column("kind", ExactText(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("fastapi_session_notice_at", "at"),
    **_OPTIONS,
)

EVENT = Table(
    "fastapi_session_event",
    TABLES,
    Column("place", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
    Column("event_id", ExactText(32), nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("name", ExactText(64), nullable=False),
    Column("session_id", ExactText(32), nullable=False),
    Column("tenant_id", ExactText(255), nullable=False),
    Column("user_id", ExactText(512, encoded=_NAME), nullable=False),
    Column("kind", ExactText(32), nullable=False),
    Column("body", _JSON, nullable=False),
    Index("fastapi_session_event_at", "at"),
    Index("fastapi_session_event_user", "user_id", "place"),
    **_OPTIONS,
)

DEVICE = Table(
    "fastapi_session_device",
    TABLES,
    Column("user_id", ExactText(512, encoded=_NAME), primary_key=True),
    Column("tenant_id", ExactText(255), primary_key=True),
    Column("device", _HASH, primary_key=True),
    Column("last_seen_at", BigInteger, nullable=False),
    Index("fastapi_session_device_last_seen_at", "last_seen_at"),
    **_OPTIONS,
)

ONCE = Table(
    "fastapi_session_once",
    TABLES,
    Column("digest", _HASH, primary_key=True),
    Column("until", BigInteger, nullable=False),
    Index("fastapi_session_once_until", "until"),
    **_OPTIONS,
)

# One row a user: whoever begins a session under a limit locks it, since sessions that are begun at once do not see each other.
USER = Table(
    "fastapi_session_user",
    TABLES,
    Column("user_id", ExactText(512, encoded=_NAME), primary_key=True),
    Column("tenant_id", ExactText(255), primary_key=True),
    **_OPTIONS,
)

# As Alembic makes it by itself.
Table(
    VERSION_TABLE,
    METADATA,
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)


def _describe(table: Table) -> None:
    """Add *table* to `METADATA`. A migration that is generated of it imports nothing of this package."""
    for column in table.to_metadata(METADATA).columns:
        if isinstance(column.type, ExactText):
            column.type = column.type.plain()


for _each in TABLES.sorted_tables:
    _describe(_each)


def schema_of(connection: Connection) -> str | None:
    """Return the schema in which the tables are for *connection*: by its `schema_translate_map`, or `None` for the default."""
    return connection.schema_for_object(SESSION)


def missing_columns(connection: Connection) -> Sequence[str]:
    """Return which tables, or columns of them, the database lacks."""
    found = inspect(connection).get_multi_columns(schema_of(connection), filter_names=list(TABLES.tables))
    there = {table: {column["name"] for column in columns} for (_, table), columns in found.items()}
    missing = [table for table in TABLES.tables if table not in there]
    for table, names in there.items():
        missing += [f"{table}.{name}" for name in TABLES.tables[table].columns.keys() if name not in names]  # noqa: SIM118 - columns iterate as columns
    return missing
