"""An application with administrators, and what none of them may see: canaries, tokens, and what verifies or signs them."""

from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Depends, FastAPI

from fastapi_session import (
    Clock,
    CreateSession,
    PrimitiveArrayClaim,
    Sessions,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.stores.base import MovableStore
from tests.engines import config

IN_CLAIMS = "CANARY-IN-CLAIMS"
IN_DATA = "CANARY-IN-DATA"
PIECE = 10
"""Characters of a secret that are no coincidence."""

ADMIN = "grace"


async def fetch_roles(user_id: str, tenant_id: str, payload: Any) -> list[str]:
    return ["admin"] if user_id == ADMIN else []


Roles = PrimitiveArrayClaim("roles", fetch_roles)
ADMINS = verify_session(Roles.includes("admin"))


async def fetch_for_everybody(user_id: str, tenant_id: str, payload: Any) -> list[str]:
    return ["admin"]


GenerousRoles = PrimitiveArrayClaim("roles", fetch_for_everybody)
"""A claim that says of guests too that they are administrators."""


def with_guests(sessions: Sessions) -> FastAPI:
    """That application, in which guests begin sessions too."""
    app = application(sessions)

    @app.post("/guest")
    async def guest(create: Annotated[CreateSession, Depends(create_session())]) -> None:
        await create.guest()

    return app


def engine_of(clock: Clock, *, audit: bool = True, **options: Any) -> Sessions:
    return Sessions(config(audit=audit, **options), clock=clock, claims=[Roles])


def application(sessions: Sessions) -> FastAPI:
    """An application in which anybody signs in as whom he likes."""
    app = FastAPI()
    install(app, sessions)
    app.include_router(session_router())

    @app.post("/login")
    async def login(
        user_id: str, create: Annotated[CreateSession, Depends(create_session())], tenant: str = "public"
    ) -> None:
        claims = {"canary": IN_CLAIMS}
        await create(user_id, tenant_id=tenant, access_token_payload=claims, session_data={"canary": IN_DATA})

    return app


async def kept_secrets(sessions: Sessions) -> list[bytes]:
    """What the store keeps that verifies refresh tokens, or signs access tokens."""
    store = sessions.store
    assert isinstance(store, MovableStore)
    found = [key.private_key for key in await store.signing_keys()]
    async for page in store.every_session(batch=100):
        for record in page:
            line = record.lineage
            found += [each for each in (line.current, line.previous, line.exchanged, line.used) if each]
    return found


def shown(text: str, *, secrets: Iterable[bytes] = (), texts: Iterable[str] = ()) -> list[str]:
    """The pieces of *secrets*, however they may be written, and of the secret *texts*, that stand in *text*."""
    written = [way(each) for each in secrets for way in (bytes.hex, _base64, _urlsafe)]
    pieces = {each[at : at + PIECE] for each in (*written, *texts) for at in range(max(1, len(each) - PIECE))}
    return sorted(piece for piece in pieces if piece in text)


def _base64(secret: bytes) -> str:
    return b64encode(secret).decode()


def _urlsafe(secret: bytes) -> str:
    return urlsafe_b64encode(secret).decode()
