"""The server that is killed: a real one on an inherited socket, which takes its time around every write."""

from __future__ import annotations

import asyncio
import random
import socket
from dataclasses import dataclass
from typing import Annotated, Any

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
from fastapi_session.model import Lineage, Rotation, SessionRecord
from fastapi_session.sessions import Sessions
from fastapi_session.stores.sqlite import SqliteStore

SECRET = "the secret that every life of the server shares"
BEFORE_COMMIT = 0.010
AFTER_COMMIT = 0.040
"""How long each write of a refresh takes at most before and after its commit, in seconds."""


@dataclass(frozen=True)
class Life:
    """What one life of the server is told: its file, how far its clock is set forward (milliseconds), its luck."""

    path: str
    offset: int
    seed: int

    def clock(self) -> int:
        return system_clock() + self.offset


class HesitantStore(SqliteStore):
    """Waits a little before and after each write of a refresh, so that a kill finds it on either side of the commit."""

    def __init__(self, life: Life) -> None:
        super().__init__(life.path, clock=life.clock)
        self._luck = random.Random(life.seed)

    async def rotate(self, rotation: Rotation) -> SessionRecord | None:
        await self._hesitate(BEFORE_COMMIT)
        record = await super().rotate(rotation)
        await self._hesitate(AFTER_COMMIT)
        return record

    async def replace(self, session_id: str, *, expected: Lineage, lineage: Lineage) -> bool:
        await self._hesitate(BEFORE_COMMIT)
        written = await super().replace(session_id, expected=expected, lineage=lineage)
        await self._hesitate(AFTER_COMMIT)
        return written

    async def _hesitate(self, longest: float) -> None:
        await asyncio.sleep(self._luck.uniform(0, longest))


def application(life: Life) -> FastAPI:
    app = FastAPI()
    install(app, Sessions(SessionConfig(store=HesitantStore(life), secret=SECRET), clock=life.clock))
    app.include_router(session_router())

    @app.get("/up")
    async def up() -> None:
        """Answer as soon as the server does."""

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
