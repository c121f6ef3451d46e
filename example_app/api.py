"""What the page calls: signing in, protected endpoints, the live line, and what happened to the user's sessions."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, HTTPException, WebSocket
from pydantic import BaseModel

from example_app.users import ROLES, USERS, RoleName, password_is_right
from fastapi_session import (
    Authentication,
    CreateSession,
    Fresh,
    Lifetime,
    NotGuest,
    NotImpersonated,
    Session,
    Sessions,
    create_session,
    get_sessions,
    verify_session,
)

api = APIRouter(prefix="/api", tags=["example"])

SignedIn = Annotated[Session, Depends(verify_session(NotGuest()))]
StillSignedIn = Annotated[Session, Depends(verify_session(NotGuest(), check_database=True))]
Themselves = Annotated[Session, Depends(verify_session(NotGuest(), NotImpersonated()))]
JustAuthenticated = Annotated[Session, Depends(verify_session(Fresh(minutes=1)))]
Maybe = Annotated[Session | None, Depends(verify_session(session_required=False))]
Admin = Annotated[Session, Depends(verify_session(ROLES.includes("admin")))]
Engine = Annotated[Sessions, Depends(get_sessions())]


class Credentials(BaseModel):
    """What the sign-in form sends."""

    user_name: str
    password: str
    remember: bool = False


class Password(BaseModel):
    """What the dialog sends that asks for the password again."""

    password: str


class Plan(BaseModel):
    """What the user pays for."""

    plan: Literal["free", "pro"]


class Role(BaseModel):
    """As what the user works."""

    role: RoleName


class Message(BaseModel):
    """A line for the page to show."""

    message: str


class Happened(BaseModel):
    """Something that happened to a session of the user: the name of the event, and why, if the session ended."""

    event: str
    at: datetime
    handle: str
    reason: str | None


@api.post("/sign-in", responses={403: {"description": "User name and password do not belong together"}})
async def sign_in(
    credentials: Credentials,
    before: Maybe,
    create: Annotated[CreateSession, Depends(create_session())],
) -> Message:
    """Begin a session, with the note of the guest. A refusal is no 401, by which a client would understand that it should refresh."""
    if not await password_is_right(credentials.user_name, credentials.password):
        raise HTTPException(403, "This user name and this password do not belong together.")
    session = await create(
        user_id=credentials.user_name,
        access_token_payload={"plan": "free"},
        lifetime=Lifetime(remember=credentials.remember),
        authentication=Authentication(("pwd",)),
        upgrading=before,
    )
    return Message(message=f"Welcome, {session.user_id}.")


@api.get("/hello")
async def hello(session: SignedIn) -> Message:
    """Greet. The access token is enough: no database is asked."""
    return Message(message=f"Hello {session.user_id}, your access token is good.")


@api.get("/vault")
async def vault(session: StillSignedIn) -> Message:
    """Open the vault. What matters asks the database too, and so notices a revoked session at once."""
    return Message(message=f"The vault is open, {session.user_id}: the database knows your session.")


@api.post("/plan")
async def change_plan(change: Plan, session: Themselves) -> Message:
    """Change a claim of the access token; the response carries the new token. Not for the staff: it costs money."""
    await session.merge_into_access_token_payload({"plan": change.plan})
    return Message(message=f"The plan is now {change.plan}.")


@api.get("/admin")
async def admin(session: Admin) -> Message:
    """Let admins in. For anybody else the 403 says why."""
    return Message(message=f"The control room is open, {session.user_id}: you are an admin.")


@api.post("/role")
async def change_role(change: Role, session: SignedIn) -> Message:
    """Change the user's role, and this session's with it. A demo lets everybody do it; in your app only admins may."""
    USERS[session.user_id].roles = ("user", "admin") if change.role == "admin" else ("user",)
    await session.fetch_and_set_claim(ROLES)
    return Message(message=f"You are now {'an admin' if change.role == 'admin' else 'a user'}.")


@api.post("/confirm", responses={403: {"description": "The password is not the user's"}})
async def confirm(again: Password, session: SignedIn) -> Message:
    """Take the password again: another session with new tokens takes the place of this one. Yours limits how often one may try."""
    if not await password_is_right(session.user_id, again.password):
        raise HTTPException(403, "This is not your password.")
    await session.elevate("pwd")
    return Message(message="Thank you.")


@api.post("/recovery-codes")
async def new_recovery_codes(session: JustAuthenticated) -> list[str]:  # noqa: ARG001 - it has to be fresh, no more
    """Make new recovery codes. Whoever has them gets in without a second factor, so a stolen session is not enough."""
    return [f"{secrets.token_hex(2)}-{secrets.token_hex(2)}" for _ in range(4)]


@api.websocket("/live")
async def live(socket: WebSocket, _session: StillSignedIn) -> None:
    """Keep a line open on which nothing is said: when the session ends it is closed, with the reason."""
    await socket.accept()
    async for _ in socket.iter_text():
        pass


@api.get("/history")
async def history(session: SignedIn, sessions: Engine) -> list[Happened]:
    """List what happened to the user's sessions, newest first, as the audit has kept it."""
    page = await sessions.events(user_id=session.user_id, tenant_id=session.tenant_id, newest_first=True, limit=20)
    return [
        Happened(event=each.name, at=each.at, handle=each.handle, reason=each.details.get("reason"))
        for each in page.events
    ]
