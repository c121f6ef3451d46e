"""The endpoints of a user's devices: listing the sessions, labelling them, and ending one or all others.

A request sees the sessions of its own user and tenant, and no others.

| handle | `DELETE` | `PATCH` |
|---|---|---|
| of the current session | signs it out: 204, its tokens are cleared | 204 |
| of another one of the same user and tenant | ends it: 204 | 204 |
| of anybody else's, of another tenant, of none | 404 | 404, the same |

Nothing that a session keeps for the application is listed, neither claims nor data, and nothing that verifies a token. Where
somebody acts as the user is listed to that one alone: address and device are not the user's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, model_validator

from fastapi_session.core.claims.validators import ClaimValidator, validators_of
from fastapi_session.core.payload import LABEL, LONGEST_LABEL
from fastapi_session.device import Device
from fastapi_session.handles import split_handle
from fastapi_session.model import Actor
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.dependencies import get_sessions, verify_session
from fastapi_session.web.prefixes import ensure_prefix
from fastapi_session.web.session import Session

LONGEST_LIST = 100
"""How many sessions are listed at most. A user who has more ends them together."""

NOT_FOUND = "no such session"

Asking = Annotated[Session, Depends(verify_session())]
Engine = Annotated[Sessions, Depends(get_sessions())]


class ListedSession(BaseModel):
    """What a user is shown of one session. *current* says whether it is the one of this request."""

    handle: str
    current: bool
    kind: str
    label: str | None
    device: Device
    user_agent: str | None
    ip_address: str | None
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, found: SessionInformation, *, asking: str) -> Self:
        """Return what is shown of *found* to the session whose handle is *asking*."""
        return cls(
            handle=found.handle,
            current=found.handle == asking,
            kind=found.kind,
            label=found.label,
            device=found.device,
            user_agent=found.last_seen.user_agent,
            ip_address=found.last_seen.ip_address,
            created_at=found.created_at,
            last_seen_at=found.last_seen_at,
            expires_at=found.expires_at,
        )


class SessionList(BaseModel):
    """A user's sessions: the current one first, then those seen last. *total* counts those beyond the longest list too."""

    sessions: list[ListedSession]
    total: int


class Revoked(BaseModel):
    """How many sessions were ended."""

    revoked: int


class NewLabel(BaseModel):
    """What the user calls a session, `null` to call it nothing."""

    label: Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL, pattern=LABEL)] | None

    @model_validator(mode="before")
    @classmethod
    def _take_the_label(cls, given: object) -> object:
        """Return of the body *given* what is to be checked. Half of a character is replaced, as browsers do when they encode text."""
        # FastAPI says back what it refuses, and fails at what UTF-8 cannot encode: so it is given nothing of that.
        if not isinstance(given, dict) or "label" not in given:
            return {}
        label = given["label"]
        if not isinstance(label, str):
            return {"label": label is not None or None}
        return {"label": label.encode("utf-16", "surrogatepass").decode("utf-16", "replace")}


class NotFound(BaseModel):
    """The user has no session of this handle."""

    message: str = NOT_FOUND


_ONE: dict[str, Any] = {"status_code": 204, "response_class": Response, "responses": {404: {"model": NotFound}}}
"""Of an endpoint about one session."""


def devices_router(prefix: str = "/auth", *, validators: Sequence[ClaimValidator] = ()) -> APIRouter:
    """Return the router by which users see and end their sessions, to be included beside `session_router()`.

    *prefix* is that of `session_router()`. Each request needs a session that satisfies *validators* beside the global ones, and
    that has not been ended in any process: the store is asked. Raises `ConfigurationError` for what is no list of validators.
    """
    ensure_prefix(prefix, of="devices_router")
    guard = verify_session(*validators_of(validators), check_database=True)
    router = APIRouter(prefix=f"{prefix}/sessions", tags=["devices"], dependencies=[Depends(guard)])
    router.get("", summary="The user's sessions")(_list)
    router.post("/revoke-others", summary="End all others")(_revoke_others)
    router.delete("/{handle}", summary="End one session", **_ONE)(_revoke)
    router.patch("/{handle}", summary="Name one session", **_ONE)(_set_label)
    return router


async def _list(asking: Asking, sessions: Engine) -> SessionList:
    every = await sessions.of_user(asking.user_id, tenant_id=asking.tenant_id)
    found = [each for each in every if each.actor is None or each.handle == asking.handle]
    found.sort(key=lambda each: (each.handle != asking.handle, -each.last_seen_at.timestamp()))
    # On a thread: what a hundred user agents say takes a tenth of a second if none is known yet.
    return SessionList(sessions=await asyncio.to_thread(_shown, found[:LONGEST_LIST], asking.handle), total=len(found))


def _shown(found: Sequence[SessionInformation], asking: str) -> list[ListedSession]:
    return [ListedSession.of(each, asking=asking) for each in found]


async def _revoke_others(request: Request, asking: Asking, sessions: Engine) -> Revoked:
    ended = await sessions.revoke_all(
        asking.user_id,
        tenant_id=asking.tenant_id,
        keep=asking.handle,
        by=Actor(asking.user_id, asking.handle),
        circumstances=circumstances_of(request),
    )
    return Revoked(revoked=len(ended))


async def _revoke(handle: str, request: Request, asking: Asking, sessions: Engine) -> Response:
    if not await _is_own(handle, asking, sessions):
        return JSONResponse(NotFound().model_dump(), 404)
    circumstances = circumstances_of(request)
    if split_handle(handle)[0] == split_handle(asking.handle)[0]:  # a handle may name the default tenant, or not
        await asking.revoke(circumstances=circumstances)
    else:
        await sessions.revoke(handle, by=Actor(asking.user_id, asking.handle), circumstances=circumstances)
    return Response(status_code=204)


async def _set_label(handle: str, new: NewLabel, asking: Asking, sessions: Engine) -> Response:
    if not await _is_own(handle, asking, sessions) or not await sessions.set_label(handle, new.label):
        return JSONResponse(NotFound().model_dump(), 404)
    return Response(status_code=204)


async def _is_own(handle: str, asking: Session, sessions: Sessions) -> bool:
    """Say whether *handle* names a session of the user who asks, in the same tenant."""
    found = await sessions.information(handle)
    return found is not None and (found.user_id, found.tenant_id) == (asking.user_id, asking.tenant_id)
