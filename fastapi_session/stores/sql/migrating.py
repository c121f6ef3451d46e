"""Migrating from a command line: what the database refuses is an error of one line, and no traceback."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from fastapi_session.errors import StoreUnavailable
from fastapi_session.stores.sql.dialects import error_code
from fastapi_session.stores.sql.migration import migrate


async def migrate_or_say(url: str) -> None:
    """Migrate the database of *url*. Raises as `migrate`, and `StoreUnavailable`, with the first line of what the database says."""
    try:
        await migrate(url)
    except Exception as error:
        if not isinstance(error, (OSError, DBAPIError)) and error_code(error) is None:
            raise
        first = str(error).partition("\n")[0]
        raise StoreUnavailable(f"the database failed: {type(error).__name__}: {first}") from error
