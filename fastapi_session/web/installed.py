"""The sessions that an application was given."""

from __future__ import annotations

from typing import cast

from fastapi import FastAPI

from fastapi_session.sessions import Sessions
from fastapi_session.web.middleware import ExchangeMiddleware


def engine_of(app: object) -> Sessions | None:
    """Return the engine that `install` gave *app*, `None` if it has none or is no FastAPI application."""
    for middleware in app.user_middleware if isinstance(app, FastAPI) else ():
        kind: object = middleware.cls
        if kind is ExchangeMiddleware:
            return cast("Sessions", middleware.kwargs["sessions"])
    return None
