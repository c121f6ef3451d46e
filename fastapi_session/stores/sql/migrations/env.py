"""Run by Alembic: our migrations, over the connection that was handed to it."""

from __future__ import annotations

from alembic import context

from fastapi_session.stores.sql.tables import METADATA, VERSION_TABLE, schema_of

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    # What Alembic says itself knows nothing of a schema_translate_map: each migration names the schema, which is this one.
    version_table_schema=schema_of(connection),
)
with context.begin_transaction():
    context.run_migrations()
