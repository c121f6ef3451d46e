"""An application as most are: made once, at the top of its module, with the settings of production."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import Depends, FastAPI

from fastapi_session import (
    CreateSession,
    PrimitiveArrayClaim,
    Session,
    SessionConfig,
    create_session,
    install,
    session_router,
    verify_session,
)
from fastapi_session.events import SessionEvent

ORIGIN = "https://api.shop.example"
DATABASE = {"root": ["admin"]}
TOLD: list[SessionEvent] = []


async def fetch_roles(user_id: str, _tenant_id: str, _payload: object) -> list[str]:
    return DATABASE[user_id]


async def tell(event: SessionEvent) -> None:
    TOLD.append(event)


Roles = PrimitiveArrayClaim("roles", fetch_roles, default_max_age=timedelta(minutes=5))

app = FastAPI()
sessions = install(
    app,
    SessionConfig(
        api_domain=ORIGIN,
        anti_csrf="VIA_TOKEN",
        store="redis://nowhere.invalid:1/0",
        secret="of the shop in production, 32 bytes",
    ),
    claims=[Roles],
    subscribers=[tell],
)
app.include_router(session_router())


@app.post("/login")
async def login(user_id: str, create: Annotated[CreateSession, Depends(create_session())]) -> None:
    await create(user_id)


@app.get("/me")
async def me(session: Annotated[Session, Depends(verify_session())]) -> str:
    return session.user_id


@app.post("/buy")
async def buy(session: Annotated[Session, Depends(verify_session())]) -> str:
    return session.user_id


@app.get("/admin")
async def admin(session: Annotated[Session, Depends(verify_session(Roles.includes("admin")))]) -> list[str] | None:
    return session.get_claim_value(Roles)


@app.get("/roles")
async def roles(session: Annotated[Session, Depends(verify_session())]) -> list[str] | None:
    return session.get_claim_value(Roles)


@app.get("/count")
async def count(session: Annotated[Session, Depends(verify_session())]) -> int:
    return len(await sessions.of_user(session.user_id))
