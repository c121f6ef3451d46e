"""The server that is killed: a real one on an inherited socket, which takes its time around every write."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Annotated, Any, ParamSpec, TypeVar

import uvicorn
from fastapi import Depends, FastAPI

from fastapi_session import (
    CreateSession,
    Session,
    SessionConfig,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.clock import system_clock
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import Store
from tests.conftest import Place

P = ParamSpec("P")
T = TypeVar("T")

SECRET = "the secret that every life of the server shares"
BEFORE_COMMIT = 0.010
AFTER_COMMIT = 0.080
"""How long each write of a refresh takes at most before and after its commit, in seconds."""


@dataclass(frozen=True)
class Life:
    """What one life of the server is told: its store, how far its clock is set forward (milliseconds), its luck.

    Before and after each commit of a refresh it waits *before_commit* and *after_commit* seconds at most.
    """

    place: Place
    offset: int
    seed: int
    before_commit: float = BEFORE_COMMIT
    after_commit: float = AFTER_COMMIT

    def clock(self) -> int:
        return system_clock() + self.offset


def hesitant(store: Store, life: Life) -> Store:
    """Let *store* wait a little before and after each write of a refresh, so that a kill finds it on either side."""
    luck = random.Random(life.seed)
    for name in ("rotate", "replace"):
        setattr(store, name, hesitating(getattr(store, name), luck, life))
    return store


def hesitating(write: Callable[P, Awaitable[T]], luck: random.Random, life: Life) -> Callable[P, Awaitable[T]]:
    @wraps(write)
    async def slow_write(*args: P.args, **kwargs: P.kwargs) -> T:
        await asyncio.sleep(luck.uniform(0, life.before_commit))
        written = await write(*args, **kwargs)
        await asyncio.sleep(luck.uniform(0, life.after_commit))
        return written

    return slow_write


def application(life: Life) -> FastAPI:
    app = FastAPI()
    store = hesitant(life.place.store(life.clock), life)
    install(app, Sessions(SessionConfig(store=store, secret=SECRET), clock=life.clock))
    app.include_router(session_router())

    @app.get("/up")
    async def up() -> None:
        """Return as soon as the server does."""

    @app.post("/login")
    async def login(user_id: str, create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create(user_id)

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> dict[str, Any]:
        return {"user_id": session.user_id, "handle": session.handle}

    return app


def serve(listener: socket.socket, life: Life) -> None:
    """Serve until the process is killed."""
    config = uvicorn.Config(application(life), log_config=None, ws="none", http="h11", loop="asyncio")
    uvicorn.Server(config).run(sockets=[listener])
