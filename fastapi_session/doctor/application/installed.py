"""What the checks of an application look at."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI

from fastapi_session.clock import system_clock
from fastapi_session.config import SessionConfig
from fastapi_session.foreign_sessions import ForeignSessions
from fastapi_session.origin import Origin
from fastapi_session.sessions import Sessions
from fastapi_session.stores.by_url import store_by_url
from fastapi_session.stores.memory import MemoryStore
from fastapi_session.stores.sqlite import SqliteStore
from fastapi_session.web.installed import engine_of

_EMBEDDED = ("memory:", "sqlite:")


@dataclass(frozen=True, slots=True)
class Installed:
    """The configuration of a deployment, and its application unless only the environment or the engine is known.

    Sessions of *moving_from* go on there, if any do.
    """

    config: SessionConfig
    app: FastAPI | None = None
    moving_from: ForeignSessions | None = None


def installed_in(named: object) -> Installed | None:
    """Return what is installed in the application or the `Sessions` that is *named*, `None` if nothing is."""
    engine = named if isinstance(named, Sessions) else engine_of(named)
    if engine is None:
        return None
    return Installed(engine.config, named if isinstance(named, FastAPI) else None, engine.moving_from)


def is_local(config: SessionConfig) -> bool:
    """Say whether the API and its pages are of this machine alone, by http."""
    origins = (Origin.parse(config.api_domain), Origin.parse(config.website_domain))
    return all(each is not None and each.is_loopback and each.scheme == "http" for each in origins)


def embedded_store(config: SessionConfig) -> MemoryStore | SqliteStore | None:
    """Return the store of *config*, not opened, if it needs no server."""
    given = config.store
    if isinstance(given, str) and not given.startswith(_EMBEDDED):
        return None  # a driver is not imported to look at its URL
    store = store_by_url(given, clock=system_clock) if isinstance(given, str) else given
    return store if isinstance(store, MemoryStore | SqliteStore) else None
