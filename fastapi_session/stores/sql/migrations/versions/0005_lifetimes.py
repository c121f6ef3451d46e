"""What a session has of its own: its kind, its idle timeout, and whether it outlives the browser. And an index by page."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, true

from fastapi_session.stores.sql.dialects import ExactText

revision = "0005"
down_revision = "0004"

BRINGS = ("fastapi_session.idle_timeout", "fastapi_session.kind", "fastapi_session.persistent")
"""What is there once this has run, by which `migrate` knows it."""


def upgrade() -> None:
    """Add the columns, and put an index in the order of the pages in the place of the one by user.

    Sessions that are there are of the default kind; workers of the version before go on writing such.
    """
    table, schema = "fastapi_session", op.get_context().version_table_schema
    op.add_column(table, Column("idle_timeout", BigInteger), schema=schema)
    op.add_column(table, Column("kind", ExactText(32), nullable=False, server_default="default"), schema=schema)
    op.add_column(table, Column("persistent", Boolean, nullable=False, server_default=true()), schema=schema)
    op.create_index("fastapi_session_user_page", table, ["user_id", "session_id", "tenant_id"], schema=schema)
    op.drop_index("fastapi_session_user", table, schema=schema)
