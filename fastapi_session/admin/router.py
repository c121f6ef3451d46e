"""The endpoints of administrators: everybody's sessions, devices, signing keys and the audit, for those whom the guard lets in.

| a request | the response |
|---|---|
| without a session, or with one that has ended | 401, as from any route |
| of a user who is no administrator | 403, or what the application's own dependency responds with |
| about a session or a key that is not there | 404 |
| with a place of a page, or a reason, that is none; with parameters that contradict each other | 400 |
| for what this deployment has not: an audit, keys that rotate, a store with pages | 409, which says what to configure |
| anything, while the store is down | 503 |

Who is refused may learn that these endpoints exist: an expired access token has to be refused by a 401, or no administrator could refresh it.

What changes something is a POST or a DELETE, with the same proof against forged requests as for any route, and the event names the administrator.
No response that tells something is kept by any cache. All parameters are in the address, since none of them is secret: user ids, handles, names of keys.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute

from fastapi_session.admin.guarding import Decision, Requirement, administrator, asked_session, ensure_required
from fastapi_session.admin.key_changes import delete_key, make_next_key
from fastapi_session.admin.shown import (
    AdminDevice,
    AdminDevices,
    AdminEvents,
    AdminHealth,
    AdminKey,
    AdminKeys,
    AdminSession,
    AdminSessions,
    Ended,
    RotatedKey,
    Told,
)
from fastapi_session.admin.signed_in import devices_of
from fastapi_session.engine.administration import InformationPage
from fastapi_session.errors import PayloadError
from fastapi_session.handles import PUBLIC_TENANT, own_handle
from fastapi_session.model import MAX_REASON
from fastapi_session.session_information import SessionInformation
from fastapi_session.sessions import Sessions
from fastapi_session.stores.base import PagedStore
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.dependencies import get_sessions
from fastapi_session.web.prefixes import ensure_prefix
from fastapi_session.web.session import Session

LONGEST_PAGE = 500

NO_SESSION = "no such session"
NO_KEY = "no such key"
NOT_KEPT = "keep: the user has no such session"
NO_AUDIT = "audit: it is off, so no events are kept"
NO_PAGES = "store: this one cannot be looked through; ask for the sessions of a user by user_id"
NO_ROTATION = "use_dynamic_access_token_signing_key: it is off, so one key signs for ever; to replace it, delete it"
BOTH_TENANTS = "tenant_id: give this or all_tenants, not both"
NOT_OF_A_TENANT = "tenant_id: give user_id too; without a user the sessions of every tenant come"
NO_PAGES_OF_A_USER = "after: the sessions of a user have no pages"

ASKING = asked_session()

Asking = Annotated[Session[Any, Any], Depends(ASKING)]
Engine = Annotated[Sessions, Depends(get_sessions())]
Tenant = Annotated[
    str | None,
    Query(
        description="The tenant of the user, the public one by default: in another one the same id may be another person's."
    ),
]
AllTenants = Annotated[bool, Query(description="The user's sessions in every tenant.")]
After = Annotated[str | None, Query(description="What the page before said.")]
Limit = Annotated[int, Query(ge=1, le=LONGEST_PAGE)]
Data = Annotated[bool, Query(description="Claims and session data too.")]
Reason = Annotated[str | None, Query(max_length=MAX_REASON, description="Why, as the event is to say.")]


class Refusal(Exception):
    """What cannot be done, with the *status* and the *message* of the response."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class KeptByNobody(APIRoute):
    """A route whose response no cache keeps, and which says what cannot be done."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what handles a request."""
        handle = super().get_route_handler()

        async def handle_privately(request: Request) -> Response:
            try:
                response = await handle(request)
            except Refusal as refusal:
                response = JSONResponse({"message": refusal.message}, refusal.status)
            except PayloadError as error:
                response = JSONResponse({"message": str(error)}, 400)
            response.headers["Cache-Control"] = "no-store"
            return response

        return handle_privately


_MAY_FAIL: dict[int | str, dict[str, Any]] = {400: {"model": Told}, 409: {"model": Told}}
_NOT_THERE: dict[int | str, dict[str, Any]] = {404: {"model": Told}}
_ENDS: dict[str, Any] = {"status_code": 204, "responses": _NOT_THERE}


def admin_router(
    prefix: str = "/admin",
    *,
    require: Sequence[Requirement] = (),
    admitted_by: Decision | None = None,
) -> APIRouter:
    """Return the router by which administrators see and end the sessions of everybody, in every tenant, below *prefix*.

    *require* is what each request has to meet, as a list of dependencies: `[verify_session(Roles.includes("admin"))]`. One of them has
    to ask for a claim, since any user meets all else that a session can be asked for. If something else decides who is an
    administrator, give it as *admitted_by*: a dependency, no class, that raises for everybody else, or returns `False`. Beside it,
    `require=[verify_session()]` is enough. At each request the store is asked whether the session of the administrator is still there.

    Raises `ConfigurationError` without such a guard.
    """
    guard = ensure_required("admin_router", require, admitted_by=admitted_by)
    ensure_prefix(prefix, of="admin_router")
    router = APIRouter(
        prefix=prefix, tags=["administration"], dependencies=[Depends(ASKING), *guard], route_class=KeptByNobody
    )
    router.get("/sessions", summary="Sessions, of a user or of everybody", responses=_MAY_FAIL)(_sessions)
    router.post("/sessions/revoke-user", summary="End all sessions of a user", responses=_MAY_FAIL)(_revoke_user)
    router.get("/sessions/{handle}", summary="One session", responses=_NOT_THERE)(_session)
    router.delete("/sessions/{handle}", summary="End one session", **_ENDS)(_revoke)
    router.get("/devices", summary="The devices by which a user is signed in", responses=_MAY_FAIL)(_devices)
    router.get("/keys", summary="The signing keys")(_keys)
    router.post("/keys/rotate", summary="Make the next signing key now", responses=_MAY_FAIL)(_rotate)
    router.delete("/keys/{kid}", summary="Delete a signing key that may have leaked", **_ENDS)(_revoke_key)
    router.get("/events", summary="The audit, newest first", responses=_MAY_FAIL)(_events)
    router.get("/health", summary="How the process that responds is")(_health)
    return router


async def _sessions(
    sessions: Engine,
    user_id: str | None = None,
    *,
    tenant_id: Tenant = None,
    all_tenants: AllTenants = False,
    after: After = None,
    limit: Limit = 100,
    data: Data = False,
) -> AdminSessions:
    if user_id is None:
        if tenant_id is not None:  # else those of every tenant would be taken for those of one
            raise Refusal(400, NOT_OF_A_TENANT)
        page = await _page(sessions, after=after, limit=limit)
        return AdminSessions(sessions=await _shown(page.sessions, data=data), after=page.after, total=None)
    if after is not None:
        raise Refusal(400, NO_PAGES_OF_A_USER)
    found = await sessions.of_user(user_id, tenant_id=_tenant(tenant_id, all_tenants=all_tenants))
    found.sort(key=lambda each: each.last_seen_at, reverse=True)
    return AdminSessions(sessions=await _shown(found[:limit], data=data), after=None, total=len(found))


async def _session(handle: str, sessions: Engine, *, data: Data = False) -> AdminSession:
    found = await sessions.information(handle)
    if found is None:
        raise Refusal(404, NO_SESSION)
    return (await _shown([found], data=data))[0]


async def _revoke(handle: str, request: Request, asking: Asking, sessions: Engine, *, reason: Reason = None) -> None:
    ended = await sessions.revoke(
        handle,
        reason="by_handle" if reason is None else reason,
        by=administrator(asking),
        circumstances=circumstances_of(request),
    )
    if not ended:
        raise Refusal(404, NO_SESSION)


async def _revoke_user(
    user_id: str,
    request: Request,
    asking: Asking,
    sessions: Engine,
    *,
    tenant_id: Tenant = None,
    all_tenants: AllTenants = False,
    keep: Annotated[str | None, Query(description="The handle of the session that goes on.")] = None,
    reason: Reason = None,
) -> Ended:
    tenant = _tenant(tenant_id, all_tenants=all_tenants)
    kept = None if keep is None else own_handle(keep)
    if kept is not None and kept not in {each.handle for each in await sessions.of_user(user_id, tenant_id=tenant)}:
        raise Refusal(400, NOT_KEPT)  # with a slip in it, the session that is to go on would end
    ended = await sessions.revoke_all(
        user_id,
        tenant_id=tenant,
        keep=kept,
        reason=reason,
        by=administrator(asking),
        circumstances=circumstances_of(request),
    )
    return Ended(ended=ended, kept=kept)


async def _devices(
    user_id: str, sessions: Engine, *, tenant_id: Tenant = None, all_tenants: AllTenants = False
) -> AdminDevices:
    found = await sessions.of_user(user_id, tenant_id=_tenant(tenant_id, all_tenants=all_tenants))
    return AdminDevices(devices=await asyncio.to_thread(lambda: [*map(AdminDevice.of, devices_of(found))]))


async def _keys(sessions: Engine) -> AdminKeys:
    return AdminKeys(keys=[AdminKey.of(key) for key in await sessions.administration.keys()])


async def _rotate(asking: Asking, sessions: Engine) -> RotatedKey:
    key = await make_next_key(sessions, by=administrator(asking))
    if key is None:
        raise Refusal(409, NO_ROTATION)
    return RotatedKey.model_validate(key, from_attributes=True)


async def _revoke_key(kid: str, asking: Asking, sessions: Engine) -> None:
    if not await delete_key(sessions, kid, by=administrator(asking)):
        raise Refusal(404, NO_KEY)


async def _events(
    sessions: Engine,
    user_id: str | None = None,
    *,
    tenant_id: Annotated[str | None, Query(description="Of this tenant alone.")] = None,
    after: After = None,
    limit: Limit = 100,
) -> AdminEvents:
    if not sessions.config.audit:
        raise Refusal(409, NO_AUDIT)
    page = await sessions.events(user_id=user_id, tenant_id=tenant_id, after=after, newest_first=True, limit=limit)
    return AdminEvents(events=[event.to_json() for event in page.events], after=page.after if page.events else None)


async def _health(sessions: Engine) -> AdminHealth:
    return AdminHealth.of(await sessions.administration.health(), audit=bool(sessions.config.audit))


async def _page(sessions: Sessions, *, after: str | None, limit: int) -> InformationPage:
    if not isinstance(sessions.store, PagedStore):
        raise Refusal(409, NO_PAGES)
    return await sessions.administration.page(after=after, limit=limit)


async def _shown(found: Sequence[SessionInformation], *, data: bool) -> list[AdminSession]:
    # On a thread: what a hundred user agents say takes a tenth of a second if none is known yet.
    return await asyncio.to_thread(lambda: [AdminSession.of(each, data=data) for each in found])


def _tenant(tenant_id: str | None, *, all_tenants: bool) -> str | None:
    """Return the tenant that was asked for, `None` for every one, as the command line says it."""
    if all_tenants and tenant_id is not None:
        raise Refusal(400, BOTH_TENANTS)
    tenant = PUBLIC_TENANT if tenant_id is None else tenant_id
    return None if all_tenants else tenant
