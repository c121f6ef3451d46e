"""Sessions in one SQLite file: the store, the thread that owns its connection, the file and the SQL."""

from __future__ import annotations

from fastapi_session.stores.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
