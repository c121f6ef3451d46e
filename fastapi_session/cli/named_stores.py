"""The stores that a command is given, and the secret that opens both.

| given | the store |
|---|---|
| `postgresql+asyncpg://app@host/app`, or another URL of a store | that of the URL |
| `env:NAME` | that of the URL in the variable `NAME`: other users of the machine see the command line, with every password in it |
| `main:app`, `main:sessions` | that of the application or the `Sessions` |
| `main:store` | that store, with an engine or a client of your own |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastapi_session.cli.deployment import engine_in, named_object
from fastapi_session.cli.variables import resolved
from fastapi_session.clock import system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.core.secret import Secret, Secrets
from fastapi_session.engine.keys import secret_file
from fastapi_session.errors import ConfigurationError
from fastapi_session.moving.copying.places import CopyStore, Places
from fastapi_session.store_url import StoreUrl
from fastapi_session.stores.base import MovableStore
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.stores.sqlite.file import is_there


def places(old: str, new: str) -> Places:
    """Return the stores that are called *old* and *new*, not opened yet. Raises `ConfigurationError`."""
    found = Places(_store("FROM", old), _store("TO", new))
    if isinstance(found.old, SqliteStore) and not is_there(Path(found.old.path)):
        raise ConfigurationError(f"FROM: there is no file {found.old.path}")
    if old == new or _are_one_file(found):
        raise ConfigurationError("FROM and TO are the same store")
    return found


def _are_one_file(found: Places) -> bool:
    files = [Path(store.path) for store in (found.old, found.new) if isinstance(store, SqliteStore)]
    return len(files) == len((found.old, found.new)) and is_there(files[1]) and files[0].samefile(files[1])


def _store(name: str, place: str) -> CopyStore:
    try:
        store = _store_at(place)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from error
    if isinstance(store, MemoryStore):
        raise ConfigurationError(f"{name}: a store in memory is that of one process, and ends with it")
    if not isinstance(store, MovableStore):
        raise ConfigurationError(f"{name}: {type(store).__name__} is no store that can be copied")
    return store  # type: ignore[return-value]


def _store_at(place: str) -> object:
    place = resolved(place)
    if "://" in place or place == "memory:":
        return store_by_url(StoreUrl(place), clock=system_clock)
    named = named_object(place)
    engine = engine_in(named)
    return named if engine is None else engine.store


def secrets_for(found: Places, config: SessionConfig) -> Secrets:
    """Return the secrets of *config*; without any, those of the key files beside both stores.

    Raises `ConfigurationError`, with the fix, if those are not there, or not the same.
    """
    materials = config.secrets or (_own_secret(found),)
    return Secrets([*map(Secret.from_material, materials)])


@contextmanager
def naming_key_file(found: Places) -> Iterator[None]:
    """Let an error about the secret name the key file beside the old store, if there is one: that may be the secret."""
    try:
        yield
    except ConfigurationError as error:
        file = _key_file(found.old)
        if file is None or not file.exists():
            raise
        raise ConfigurationError(f"{error}; the key file {file} has one: {_configured(file)}") from error


def _configured(file: Path) -> str:
    return f'export FASTAPI_SESSION_SECRET="$(cat {file})"'


def _own_secret(found: Places) -> bytes:
    old = _key_file(found.old)
    secret = None if old is None else secret_file.read(old)
    if old is None or not secret:
        raise ConfigurationError("secret: give the one that the application has (FASTAPI_SESSION_SECRET, or --app)")
    new = _key_file(found.new)
    if new is None:
        raise ConfigurationError(
            f"secret: the application has used the key file {old} so far, and on TO it needs that secret configured; "
            f"give it to both, to this command and to the application: {_configured(old)}"
        )
    if secret_file.read(new) != secret:
        raise ConfigurationError(
            f"secret: {new} has to be the same as {old}, or all are signed out; before anything runs on TO: cp -p {old} {new}"
        )
    return secret


def _key_file(store: object) -> Path | None:
    return secret_file.beside(store.path) if isinstance(store, SqliteStore) else None
