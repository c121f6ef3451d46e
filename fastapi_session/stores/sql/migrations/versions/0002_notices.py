"""The table of the revocation feed."""

from __future__ import annotations

from typing import Any

from alembic import op
from sqlalchemy import BigInteger, Column, Identity, Integer

from fastapi_session.stores.sql.dialects import ExactText

revision = "0002"
down_revision = "0001"

BRINGS = ("fastapi_session_notice",)
"""What is there once this has run, by which `migrate` knows it."""

_OPTIONS: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_default_charset": "utf8mb4"}
_OPTIONS |= {"mariadb_engine": "InnoDB", "mariadb_default_charset": "utf8mb4"}


def upgrade() -> None:
    """Create the table and its index. The other tables are not touched: what is at work on them goes on."""
    schema = op.get_context().version_table_schema
    op.create_table(
        "fastapi_session_notice",
        Column("notice_id", BigInteger().with_variant(Integer, "sqlite"), Identity(), primary_key=True),
        Column("subject", ExactText(255), nullable=False),
        Column("kind", ExactText(32), nullable=False),
        Column("at", BigInteger, nullable=False),
        schema=schema,
        **_OPTIONS,
    )
    op.create_index("fastapi_session_notice_at", "fastapi_session_notice", ["at"], schema=schema)
