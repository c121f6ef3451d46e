"""Sessions that begin anew inside an application that stays: one that is made once, at the top of its module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastapi import FastAPI

from fastapi_session.clock import Clock, system_clock
from fastapi_session.errors import ConfigurationError
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from fastapi_session.web.installed import engine_of


@contextmanager
def fresh_sessions(app: FastAPI, *, clock: Clock = system_clock, store: str | Store = "memory:") -> Iterator[Sessions]:
    """Let *app* begin without sessions, by another *clock* and in another *store*, for as long as the `with` lasts.

    Everything else is as `install` got it: settings, claims, validators, subscribers. What is yielded is the very engine that
    `install` returned, with new parts, so whoever holds it takes part; afterwards it has those of before. *store* is a URL, or
    a store that goes by a clock of its own. One `with` may be within another.

    Raises `ConfigurationError` if *app* has no sessions, or *store* names no store.
    """
    sessions = engine_of(app)
    if sessions is None:
        raise ConfigurationError("fresh_sessions: this application has no sessions, call install for it first")
    made = Sessions(
        sessions.config.model_copy(update={"store": store}),
        claims=sessions.claims,
        validators=sessions.validators,
        subscribers=sessions.subscribers,
        moving_from=sessions.moving_from,
        clock=clock,
    )
    # The engine stays the same object: routes, providers and subscribers hold it already.
    before = dict(vars(sessions))
    vars(sessions).update(vars(made))
    try:
        yield sessions
    finally:
        vars(sessions).update(before)
