"""Room for names of 255 characters on MySQL and MariaDB, which count bytes here: a character can have four."""

from __future__ import annotations

from alembic import op
from sqlalchemy.dialects import mysql

revision = "0004"
down_revision = "0003"

BRINGS = ()
"""Nothing that has a name: it may be run again."""


def upgrade() -> None:
    """Widen the columns of names. The rows stay as they are, and whoever is at work on them goes on."""
    if op.get_context().dialect.name in {"mysql", "mariadb"}:
        for name in ("user_id", "recipe_user_id"):
            op.alter_column(
                "fastapi_session",
                name,
                existing_type=mysql.VARBINARY(512),
                type_=mysql.VARBINARY(1020),
                existing_nullable=False,
                schema=op.get_context().version_table_schema,
            )
