"""Which store a URL names.

| URL | store | extra |
|---|---|---|
| `sqlite:///sessions.db` | `SqliteStore`, path relative to the working directory | |
| `sqlite:////var/lib/app/sessions.db` | `SqliteStore`, absolute path | |
| `memory:` | `MemoryStore`, for tests and first steps: gone with the process | |
| `postgresql+asyncpg://user@host/database`, `postgresql+psycopg://...` | `SqlStore` | `postgres` |
| `mysql+asyncmy://user@host/database`, `mariadb+asyncmy://...` | `SqlStore` | `mysql` |
| `redis://host:6379/0`, `valkey://`, or `rediss://` and `valkeys://` over TLS | `RedisStore` | `redis` |
"""

from __future__ import annotations

from importlib import import_module

from fastapi_session.clock import Clock, system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore

_SQLITE = "sqlite:///"

_REDIS = ("fastapi_session.stores.redis", "RedisStore", "redis")
_SQL = ("fastapi_session.stores.sql", "SqlStore")

# Imported only if a URL names it, since its packages need not be installed: module, store, and the extra that brings them.
_EXTRAS = {
    "mariadb+asyncmy": (*_SQL, "mysql"),
    "mysql+asyncmy": (*_SQL, "mysql"),
    "postgresql+asyncpg": (*_SQL, "postgres"),
    "postgresql+psycopg": (*_SQL, "postgres"),
    "redis": _REDIS,
    "rediss": _REDIS,
    "valkey": _REDIS,
    "valkeys": _REDIS,
}


def store_by_url(url: str, *, clock: Clock) -> Store:
    """Return the store that *url* names, not opened yet.

    A store with a server goes by the server's clock if *clock* is but the machine's own. Raises `ConfigurationError`
    if *url* names no store, or what that store needs is not installed.
    """
    if url == "memory:":
        return MemoryStore(clock=clock)
    # Without a path, SQLite would open a temporary database.
    if url.startswith(_SQLITE) and len(url) > len(_SQLITE):
        return SqliteStore(url.removeprefix(_SQLITE), clock=clock)
    if url.partition("://")[0] in _EXTRAS:
        return _store_of_extra(url, clock=None if clock is system_clock else clock)
    raise ConfigurationError(
        "store: give sqlite:///path/to/file, postgresql+asyncpg://user@host/database, "
        "mysql+asyncmy://user@host/database, redis://host:6379/0, memory: or a store object"
    )


def _store_of_extra(url: str, *, clock: Clock | None) -> Store:
    scheme = url.partition("://")[0]
    module, name, extra = _EXTRAS[scheme]
    try:
        store: Store = getattr(import_module(module), name)(url, clock=clock)
    except ModuleNotFoundError as error:
        package = str(error.name).partition(".")[0]  # of which a module is imported, maybe
        raise ConfigurationError(
            f"store: {scheme} needs {package}, which comes with pip install 'fastapi-session-auth[{extra}]'"
        ) from error
    return store
