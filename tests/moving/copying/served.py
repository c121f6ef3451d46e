"""The application that moves, as a server of its own: users sign in, change what their tokens say, and sign out."""

from __future__ import annotations

import socket
from datetime import timedelta
from typing import Annotated, Any

import uvicorn
from fastapi import Depends, FastAPI

from fastapi_session import (
    CreateSession,
    Session,
    SessionConfig,
    SessionEvent,
    TokenTheftDetected,
    create_session,
    install,
    session_router,
    verify_session,
)
from tests.conftest import Place

API = "http://api.test"
"""Where the clients believe the application to be, whichever server is behind it."""

SECRET = "the secret that the application has on every store"


def application(place: Place) -> FastAPI:
    alarms: list[str] = []

    async def listen(event: SessionEvent) -> None:
        if isinstance(event, TokenTheftDetected):
            alarms.append(event.handle)

    app = FastAPI()
    # Without a grace period each refresh is a step: no client of the test has two tabs, and none has to wait.
    config = SessionConfig(
        api_domain=API,
        store=place.store(),
        secret=SECRET,
        refresh_token_rotation_grace_period=timedelta(0),
        telemetry="off",
    )
    sessions = install(app, config, subscribers=[listen])
    app.include_router(session_router())

    @app.post("/login")
    async def login(user_id: str, create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create(user_id)

    @app.get("/me")
    async def me(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> dict[str, Any]:
        return {"user_id": session.user_id, "step": session.access_token_payload.get("step", 0)}

    @app.post("/step")
    async def step(number: int, session: Annotated[Session, Depends(verify_session())]) -> bool:
        """Change the claims by handle: the client has to refresh with its next call."""
        return await sessions.merge_into_access_token_payload(session.handle, {"step": number})

    @app.get("/alarms")
    async def seen() -> list[str]:
        return alarms

    return app


def serve(listener: socket.socket, place: Place) -> None:
    """Serve until the process is ended."""
    # Connections stay open for as long as the test takes, however busy the machine is.
    config = uvicorn.Config(
        application(place), log_config=None, ws="none", http="h11", loop="asyncio", timeout_keep_alive=300
    )
    uvicorn.Server(config).run(sockets=[listener])
