"""The applications that are measured. Each has one route that returns the user, and one to sign in.

`POST /login` returns the headers to send with `GET /`. All applications have the same two routes, so that routing costs all
of them the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from fastapi_session import (
    Claim,
    PrimitiveArrayClaim,
    Session,
    SessionConfig,
    Sessions,
    get_sessions,
    install,
    verify_session,
)

Endpoint = Callable[..., Any]
Engine = Annotated[Sessions, Depends(get_sessions())]
Answer = dict[str, str]

MEMORY = "memory:"
SECRET = "a benchmark has nothing to hide from anybody"


async def roles(_user_id: str, _tenant_id: str, _payload: object) -> list[str]:
    """Return one role."""
    return ["admin"]


Role = PrimitiveArrayClaim[str]("roles", roles)


async def nothing() -> None:
    """Do nothing."""


async def bare() -> Answer:
    """Read no session."""
    return {"user_id": "alice"}


async def trivial(_: Annotated[None, Depends(nothing)]) -> Answer:
    """Depend on a function that does nothing."""
    return {"user_id": "alice"}


async def verified(session: Annotated[Session, Depends(verify_session())]) -> Answer:
    """Verify the access token."""
    return {"user_id": session.user_id}


async def claimed(session: Annotated[Session, Depends(verify_session(Role.includes("admin")))]) -> Answer:
    """Verify the access token and a claim in it."""
    return {"user_id": session.user_id}


async def checked(session: Annotated[Session, Depends(verify_session(check_database=True))]) -> Answer:
    """Verify the access token and ask the store."""
    return {"user_id": session.user_id}


async def no_login() -> Answer:
    """Return no headers, for a route that reads none."""
    return {}


async def unread_login() -> Answer:
    """Return a header as long as that of a session, for a route that does not read it."""
    return by_header("x" * 600)


async def bearer_login(sessions: Engine) -> Answer:
    """Begin a session whose access token travels as a bearer token."""
    return by_header((await sessions.create("alice")).tokens.access_token)


async def cookie_login(sessions: Engine) -> Answer:
    """Begin a session whose access token travels as a cookie."""
    return by_cookie((await sessions.create("alice")).tokens.access_token)


def by_header(token: str) -> Answer:
    """Return the header that carries *token* as a bearer token."""
    return {"authorization": f"Bearer {token}"}


def by_cookie(token: str) -> Answer:
    """Return the header that carries *token* as a cookie."""
    return {"cookie": f"sAccessToken={token}"}


def in_folder(folder: Path) -> str:
    """Return the URL of a SQLite file in *folder*."""
    return f"sqlite:///{folder / 'sessions.db'}"


def engine(store: str = MEMORY, *, claims: Sequence[Claim[Any]] = ()) -> Sessions:
    """Return an engine with its sessions in the store at that URL. Every refresh rotates."""
    config = SessionConfig(
        store=store,
        secret=SECRET,
        api_domain="http://localhost",
        refresh_token_rotation_grace_period=timedelta(0),
    )
    return Sessions(config, claims=claims)


def application(endpoint: Endpoint, *, login: Endpoint = no_login, sessions: Sessions | None = None) -> FastAPI:
    """Return an application of the two routes."""
    app = FastAPI()
    if sessions is not None:
        install(app, sessions)
    app.get("/")(endpoint)
    app.post("/login")(login)
    return app


def sessions_application(endpoint: Endpoint, login: Endpoint, store: str = MEMORY) -> FastAPI:
    """Return an application with sessions, in the store at that URL."""
    return application(endpoint, login=login, sessions=engine(store, claims=[Role]))
