"""The sessions of a deployment, opened for a command, and closed after it.

| the store | then |
|---|---|
| a file that is not there | refused: most likely the command was called in another folder, and a new file would say nothing |
| in memory | refused: it is that of one process |
| any other | it is opened |

No key is made for a command that only reads.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_bytes

from fastapi_session.cli.deployment import configuration_of, sessions_of
from fastapi_session.clock import system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.engine.assembly import Engine
from fastapi_session.engine.from_config import configured_store
from fastapi_session.errors import ConfigurationError
from fastapi_session.foreign_sessions import ForeignSessions
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.stores.sqlite.file import is_there


@asynccontextmanager
async def opened_sessions(app: str | None) -> AsyncIterator[Sessions]:
    """Give the sessions of the deployment that `--app` says, with the store open. Raises `ConfigurationError`, `StoreUnavailable`."""
    sessions = existing_sessions(app)
    try:
        # Sessions that go on here are elsewhere too, and only an engine that is open finds them there.
        await (sessions.store.open() if sessions.moving_from is None else sessions.open())
        yield sessions
    finally:
        await sessions.close()


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment, with an *engine* of its own for what no verb of `Sessions` does."""

    config: SessionConfig
    engine: Engine
    moving_from: ForeignSessions | None


@asynccontextmanager
async def opened_deployment(app: str | None) -> AsyncIterator[Deployment]:
    """Give the deployment that `--app` says, with the store open, and nothing else. Raises as `opened_sessions`."""
    found = existing_sessions(app)
    with quiet():
        engine = Engine(
            found.config,
            clock=system_clock,
            random=token_bytes,
            subscribers=found.subscribers,
            moving_from=found.moving_from,
        )
    try:
        await engine.store.open()
        yield Deployment(found.config, engine, found.moving_from)
    finally:
        await engine.close()


def quiet_configuration(app: str | None) -> SessionConfig:
    """Return what `configuration_of` does, without the warnings that the application logs. Raises `ConfigurationError`."""
    with quiet():
        return configuration_of(app)


def existing_sessions(app: str | None) -> Sessions:
    """Return the sessions of the deployment that `--app` says, whose store is there. Raises `ConfigurationError`."""
    with quiet():
        if app is None:  # before anything is made: the key file of a database that is not there
            _ensure_is_there(configured_store(configuration_of(None), clock=system_clock))
        sessions = sessions_of(app)
    _ensure_is_there(sessions.store)
    return sessions


def _ensure_is_there(store: Store) -> None:
    if isinstance(store, MemoryStore):
        raise ConfigurationError("store: a store in memory is that of one process, and no command sees it")
    if isinstance(store, SqliteStore) and not is_there(Path(store.path)):
        raise ConfigurationError(
            f"store: there is no file {store.path}; name the application (--app main:app) or the store (FASTAPI_SESSION_STORE)"
        )


@contextmanager
def quiet() -> Iterator[None]:
    """Leave out the warnings about a configuration, which the application logs when it starts."""
    logger = logging.getLogger("fastapi_session")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
