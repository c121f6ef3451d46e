"""A staff view: an admin sees the app as one of its users does, with a reason, for a while, and comes back."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from example_app.users import ROLES, USERS
from fastapi_session import Session, verify_session

staff = APIRouter(prefix="/api/staff", tags=["example"])

NOT_HERE: dict[int | str, dict[str, Any]] = {409: {"description": "Not possible in this session"}}


class View(BaseModel):
    """As whom the staff wants to see the app, and why."""

    user_name: str
    reason: str = Field(min_length=1, max_length=200, pattern=r"\S")


class Acting(BaseModel):
    """Who the page is now."""

    user_name: str


@staff.post("/view-as", responses={403: {"description": "Nobody may act as this user"}, **NOT_HERE})
async def view_as(view: View, session: Annotated[Session, Depends(verify_session(ROLES.includes("admin")))]) -> Acting:
    """Act as a user. Whether the staff may is checked here: the library asks nobody."""
    if view.user_name not in USERS or "admin" in USERS[view.user_name].roles:
        raise HTTPException(403, "Nobody of the staff may view the app as this user.")
    acting = await session.impersonate(
        view.user_name,
        reason=view.reason,
        lifetime=timedelta(minutes=30),
        access_token_payload={"plan": "free"},
    )
    return Acting(user_name=acting.user_id)


@staff.post("/stop", responses=NOT_HERE)
async def stop(session: Annotated[Session, Depends(verify_session())]) -> Acting:
    """Be oneself again."""
    return Acting(user_name=(await session.stop_impersonating()).user_id)
