"""The key that a session is bound to, without which nobody refreshes it."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column

from fastapi_session.stores.sql.dialects import ExactText

revision = "0007"
down_revision = "0006"

BRINGS = ("fastapi_session.bound_key",)
"""What is there once this has run, by which `migrate` knows it."""


def upgrade() -> None:
    """Add the column. Workers of the version before go on writing sessions that are not bound."""
    schema = op.get_context().version_table_schema
    op.add_column("fastapi_session", Column("bound_key", ExactText(64)), schema=schema)
