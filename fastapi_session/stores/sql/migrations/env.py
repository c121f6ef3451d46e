"""Run by Alembic: our migrations, over the connection that was handed to it."""

from __future__ import annotations

from alembic import context

from fastapi_session.stores.sql.migration import VERSION_TABLE
from fastapi_session.stores.sql.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
