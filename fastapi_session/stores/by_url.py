"""Which store a URL names.

| URL | store |
|---|---|
| `sqlite:///sessions.db` | `SqliteStore`, path relative to the working directory |
| `sqlite:////var/lib/app/sessions.db` | `SqliteStore`, absolute path |
| `memory:` | `MemoryStore`, for tests and first steps: gone with the process |
"""

from __future__ import annotations

from fastapi_session.clock import Clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore

_SQLITE = "sqlite:///"


def store_by_url(url: str, *, clock: Clock) -> Store:
    """Answer the store that *url* names, not opened yet. Raises `ConfigurationError` where it names none."""
    if url == "memory:":
        return MemoryStore(clock=clock)
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return SqliteStore(url.removeprefix(_SQLITE), clock=clock)
    raise ConfigurationError("store: give sqlite:///path/to/file, memory: or a store object")
