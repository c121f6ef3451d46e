"""The example app put together: sessions installed, the API and the page beside it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles

from example_app.api import api
from example_app.notes import notes
from example_app.staff import staff
from example_app.theft_lab import theft_lab
from example_app.users import ROLES
from fastapi_session import (
    Clock,
    SessionConfig,
    SessionLimit,
    Sessions,
    devices_router,
    install,
    session_router,
    system_clock,
)

PAGE = Path(__file__).parent / "page"


def create_app(config: SessionConfig | None = None, *, clock: Clock = system_clock) -> FastAPI:
    """Build the app, with sessions as *config* says, which go by *clock*."""
    config = config or demo_config()
    app = FastAPI(title="fastapi_session example app", responses={400: {"description": "The body cannot be read"}})
    install(app, Sessions(config, claims=[ROLES], clock=clock))
    app.include_router(session_router(client=True))
    app.include_router(devices_router())
    app.include_router(api)
    app.include_router(notes)
    app.include_router(staff)
    app.include_router(theft_lab(config.refresh_token_rotation_grace_period))
    app.mount("/page", StaticFiles(directory=PAGE))

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(PAGE / "index.html")

    return app


def demo_config(origin: str = "http://localhost:8000") -> SessionConfig:
    """Choose lifetimes so short that a visitor sees them pass; the defaults suit everybody else.

    Over https, sessions are bound to a key of the browser. What is served with a throwaway certificate has throwaway sessions.
    """
    settings: dict[str, Any] = {"store": "sqlite:///example_app.db"}
    if origin.startswith("https:"):
        settings = {"store": "memory:", "secret": token_urlsafe(48), "device_binding": "optional"}
    return SessionConfig(
        api_domain=origin,
        website_domain=origin,
        access_token_validity=timedelta(seconds=60),
        refresh_token_rotation_grace_period=timedelta(seconds=10),
        session_limit=SessionLimit(5),
        audit=True,
        **settings,
    )
