"""Putting sessions into an application. When it starts, the log says what the doctor finds in it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from fastapi import FastAPI

from fastapi_session.config import SessionConfig
from fastapi_session.core.claims.claim import Claim
from fastapi_session.core.claims.validators import ClaimValidator
from fastapi_session.doctor.application.findings import application_findings
from fastapi_session.doctor.application.installed import Installed
from fastapi_session.doctor.finding import Level
from fastapi_session.errors import ConfigurationError
from fastapi_session.events import Subscriber
from fastapi_session.foreign_sessions import ForeignSessions
from fastapi_session.moving.adopters.adopter import LONGEST_NAME, Adopter
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import MovableStore
from fastapi_session.web.handlers import register_handlers
from fastapi_session.web.installed import engine_of
from fastapi_session.web.middleware import ExchangeMiddleware
from fastapi_session.web.openapi import document_sessions
from fastapi_session.web.pages.routes import ensure_pages_fit
from fastapi_session.web.transport import Transport

_LOG_LEVELS = {Level.ERROR: logging.ERROR, Level.WARNING: logging.WARNING}

logger = logging.getLogger("fastapi_session")


def install(
    app: FastAPI,
    sessions: SessionConfig | Sessions | None = None,
    *,
    claims: Sequence[Claim[Any]] = (),
    validators: Sequence[ClaimValidator] = (),
    subscribers: Sequence[Subscriber] = (),
    adopters: Sequence[Adopter] = (),
    moving_from: ForeignSessions | None = None,
) -> Sessions:
    """Give *app* sessions: `install(app, SessionConfig(api_domain="https://api.example.com", store="sqlite:///sessions.db"))`.

    That is middleware, exception handlers, OpenAPI, and opening and closing with its lifespan.

    *sessions* is a configuration, or an engine made from one; by default the configuration is read from the environment.
    *claims* are fetched into each new session, *validators* hold for every route, *subscribers* are called with each event.
    *adopters* know logins of other systems, which become sessions here at the first request that brings one and no token of ours.
    *moving_from* is a system whose sessions go on here, as `SuperTokens(...)` of `fastapi_session.moving`.

    Returns the engine. A mounted application has the sessions of the one it is mounted in, whose handlers respond to its errors
    unless it has some of its own; install the same engine on it too if its OpenAPI document is to describe sessions.

    Raises `ConfigurationError` if *app* is no FastAPI application or has sessions already, if the store or the secret in the
    configuration is wrong, for what is no adopter, or if the store takes in no sessions.
    """
    _ensure_installable(app, sessions)
    if engine_of(app) is not None:
        raise ConfigurationError("install: this application has sessions already, call it once for each application")
    if isinstance(sessions, Sessions):
        if claims or validators or subscribers or moving_from is not None:
            raise ConfigurationError(
                "install: give claims, validators, subscribers and moving_from to the Sessions you made"
            )
        engine = sessions
    else:
        engine = Sessions(
            sessions, claims=claims, validators=validators, subscribers=subscribers, moving_from=moving_from
        )
    _ensure_adopters_fit(adopters, engine)
    app.add_middleware(
        ExchangeMiddleware, sessions=engine, transport=Transport(engine.config), adopters=tuple(adopters)
    )
    register_handlers(app, engine.config)
    document_sessions(app, engine.config)
    _open_and_close_with(app, engine)
    return engine


def _ensure_installable(app: object, sessions: object) -> None:
    """Raise `ConfigurationError`, with what to write, if the arguments are of other types."""
    if not (isinstance(app, FastAPI) and isinstance(sessions, SessionConfig | Sessions | None)):
        raise ConfigurationError(
            "install: give a FastAPI application, then a configuration: install(app, SessionConfig())"
        )


def _ensure_adopters_fit(adopters: Sequence[Adopter], engine: Sessions) -> None:
    """Raise `ConfigurationError` unless each of *adopters* is one, with a name of its own, and the store of *engine* takes in sessions."""
    given: object = adopters
    if not isinstance(given, list | tuple) or not all(isinstance(each, Adopter) for each in given):
        raise ConfigurationError("adopters: give a list of adopters, as in adopters=[StarletteSessions(...)]")
    names = [each.name for each in adopters]
    if any(not 1 <= len(name) <= LONGEST_NAME for name in names) or len({*names}) < len(names):
        raise ConfigurationError(
            f"adopters: give each a name of its own, 1 to {LONGEST_NAME} characters, as in name='bearer'; they have {names}"
        )
    if adopters and not isinstance(engine.store, MovableStore):
        raise ConfigurationError("adopters: this store takes in no sessions; give it the methods of MovableStore")


def _open_and_close_with(app: FastAPI, engine: Sessions) -> None:
    """Open and close *engine* inside the lifespan that *app* has."""
    # A router with a lifespan would do it too, but every request to a route after it would try to match one more router.
    own = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(served: FastAPI) -> AsyncIterator[Mapping[str, object] | None]:
        ensure_pages_fit(app, engine.config)
        _say_what_is_wrong(Installed(engine.config, app))
        async with own(served) as state:
            await engine.open()
            try:
                yield state
            finally:
                await engine.close()

    app.router.lifespan_context = cast("Any", lifespan)  # typed as if it had either a state or none


def _say_what_is_wrong(installed: Installed) -> None:
    """Log what the doctor says of *installed*, but for mere remarks."""
    for finding in application_findings(installed):
        if finding.check.level.reaches(Level.WARNING):
            logger.log(_LOG_LEVELS[finding.check.level], "%s", finding)
