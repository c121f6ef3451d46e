"""Sessions of Starlette: its own `SessionMiddleware`, and starsessions."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Request
from redis.asyncio import Redis
from starlette.middleware.sessions import SessionMiddleware
from starsessions import InMemoryStore, load_session
from starsessions import SessionMiddleware as StarsessionsMiddleware
from starsessions.stores.redis import RedisStore

from benchmarks.applications import SECRET, Answer, application

LIFETIME = 24 * 3600


async def starlette_endpoint(request: Request) -> Answer:
    """Read the session that the cookie carries."""
    return {"user_id": request.session["user_id"]}


async def starlette_login(request: Request) -> Answer:
    """Create a session."""
    request.session["user_id"] = "alice"
    return {}


def starlette() -> FastAPI:
    """Return an application with Starlette's sessions: all of it is in the cookie, signed."""
    app = application(starlette_endpoint, login=starlette_login)
    app.add_middleware(SessionMiddleware, secret_key=SECRET)
    return app


async def loaded(request: Request) -> dict[str, Any]:
    """Load the session of starsessions."""
    await load_session(request)
    return request.session


async def starsessions_endpoint(session: Annotated[dict[str, Any], Depends(loaded)]) -> Answer:
    """Read the session that the store keeps."""
    return {"user_id": session["user_id"]}


async def starsessions_login(session: Annotated[dict[str, Any], Depends(loaded)]) -> Answer:
    """Create a session."""
    session["user_id"] = "alice"
    return {}


def starsessions(url: str | None) -> FastAPI:
    """Return an application with starsessions, in memory, or on the server at *url*."""
    store = InMemoryStore() if url is None else RedisStore(connection=Redis.from_url(url))
    app = application(starsessions_endpoint, login=starsessions_login)
    app.add_middleware(StarsessionsMiddleware, store=store, lifetime=LIFETIME, cookie_https_only=False)
    return app
