"""Sessions in PostgreSQL, MySQL or MariaDB, through SQLAlchemy: the store, its tables, and the migrations that make them.

Install it with an extra: `fastapi-session-auth[postgres]`, `[mysql]`, or `[sql]` to bring a driver of your own.
"""

from __future__ import annotations

from fastapi_session.stores.sql.migration import include_object, migrate
from fastapi_session.stores.sql.store import JoinedStore, SqlStore
from fastapi_session.stores.sql.tables import METADATA

__all__ = ["METADATA", "JoinedStore", "SqlStore", "include_object", "migrate"]
