"""What distinguishes the refresh tokens of one generation: which was exchanged, which was used, which exchanges were crossed."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, LargeBinary
from sqlalchemy.dialects import mysql

revision = "0003"
down_revision = "0002"

BRINGS = ("fastapi_session.exchanged", "fastapi_session.used", "fastapi_session.used_at", "fastapi_session.crossed")
"""What is there once this has run, by which `migrate` knows it."""


def upgrade() -> None:
    """Add the columns. Of sessions that are there nothing is known yet; workers of the version before go on writing."""
    schema = op.get_context().version_table_schema
    issue_id = LargeBinary().with_variant(mysql.VARBINARY(9), "mysql", "mariadb")
    op.add_column("fastapi_session", Column("exchanged", issue_id), schema=schema)
    op.add_column("fastapi_session", Column("used", issue_id), schema=schema)
    op.add_column("fastapi_session", Column("used_at", BigInteger, nullable=False, server_default="0"), schema=schema)
    op.add_column("fastapi_session", Column("crossed", Integer, nullable=False, server_default="0"), schema=schema)
