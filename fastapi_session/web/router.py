"""The endpoints of sessions: refresh, sign-out, JWKS and discovery; if asked for, also those for pages, and `client.js`.

A browser brings the refresh cookie to one path alone, and only the browser knows at which path it sees this application: a proxy
may strip a prefix, and say so or not. So whether `api_base_path` is right shows in what a browser brings:

| came to the refresh endpoint | logged |
|---|---|
| the refresh cookie, at whatever path | nothing: its path is right |
| a verified access-token cookie alone | a warning: most likely its refresh cookie has another path |
| anything else: a bearer token, nothing, what anybody can make up | nothing: it says nothing about paths |
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from fastapi_session import endpoint_paths
from fastapi_session.core.claims.validators import ClaimValidator
from fastapi_session.errors import StoreUnavailable, UnauthorisedError
from fastapi_session.sessions import Sessions
from fastapi_session.web.circumstances import circumstances_of
from fastapi_session.web.client_script import serve_client
from fastapi_session.web.dependencies import (
    RefreshSession,
    get_sessions,
    refresh_session,
    verify_session,
)
from fastapi_session.web.device_endpoints import serve_device_binding
from fastapi_session.web.exchange import exchange_of
from fastapi_session.web.pages.addresses import known_path
from fastapi_session.web.pages.routes import serve_pages
from fastapi_session.web.prefixes import ensure_prefix
from fastapi_session.web.published_endpoints import DISCOVERY_NAME, published
from fastapi_session.web.session import Session
from fastapi_session.web.transport import FOR_ANY_ORIGIN

PUBLIC = {**FOR_ANY_ORIGIN, "Cache-Control": "public, max-age=60"}
"""Headers of the public documents. A new key is published ten minutes before it signs, so caches may keep them for one."""

LOST_COOKIE = (
    "a browser with a session came to refresh it at %s, without its refresh cookie, which is bound to %s: set api_base_path to "
    "the path that browsers see, with every prefix that a proxy strips"
)

logger = logging.getLogger("fastapi_session")


def session_router(
    prefix: str = "/auth", *, refresh: bool = True, sign_out: bool = True, client: bool = False, pages: bool = False
) -> APIRouter:
    """Return the router of the session endpoints: `app.include_router(session_router())`.

    They are `POST {prefix}/session/refresh`, `POST {prefix}/signout`, and the documents by which other services verify tokens.
    *prefix*, as the browser sees it, must be `api_base_path` of the configuration, because the refresh cookie is bound
    to that path. With *refresh=False* and *sign_out=False* the application serves those endpoints itself, at the same paths.
    With *client* it serves `client.js` too, the script by which a page keeps its session, and its types.
    With *pages*, for pages that the server renders, a navigation whose access token has expired goes through a refresh and back,
    a user who is signed out is sent to `login_url`, and `POST .../signout/page` is for the form that signs out.
    """
    ensure_prefix(prefix, of="session_router")
    router = APIRouter(prefix=prefix, tags=["session"])
    if refresh:
        router.post(endpoint_paths.REFRESH, summary="Refresh the session")(_refresh)
    if sign_out:
        router.post(endpoint_paths.SIGN_OUT, summary="Sign out")(_sign_out)
    router.get(endpoint_paths.JWKS, summary="Public keys of access tokens")(_jwks)
    router.get(endpoint_paths.DISCOVERY, name=DISCOVERY_NAME, summary="Discovery")(_discovery)
    serve_device_binding(router)
    if client:
        serve_client(router)
    if pages:
        serve_pages(router)
    return router


async def _refresh(
    request: Request,
    refresh: Annotated[RefreshSession, Depends(refresh_session())],
    sessions: Annotated[Sessions, Depends(get_sessions())],
) -> dict[str, str]:
    try:
        await refresh()
    except UnauthorisedError:
        if await _lost_its_refresh_cookie(request, sessions):
            logger.warning(LOST_COOKIE, known_path(request.scope), sessions.config.refresh_path)
        raise
    return {}


REFRESH_ENDPOINT = _refresh
"""What is served at the path of the refresh, for whoever looks where that is."""


async def _lost_its_refresh_cookie(request: Request, sessions: Sessions) -> bool:
    """Say whether a browser with a session came without its refresh cookie."""
    # By a verified token only: a warning that anybody can cause would fill the log.
    credentials = exchange_of(request).credentials(request)
    if credentials.refresh_cookies or sessions.config.token_transfer_method == "header":
        return False
    tokens = [sessions.parse(text) for text in credentials.access_cookies]
    with suppress(StoreUnavailable):  # the refusal stands, whether or not there is something to warn of
        return any([await sessions.verified_handle(token) for token in tokens if token is not None])
    return False


def _no_validators(_validators: Sequence[ClaimValidator], _session: Session) -> list[ClaimValidator]:
    """Return no validators: a user whose claims allow nothing else may still sign out."""
    return []


async def _sign_out(
    request: Request,
    session: Annotated[Session, Depends(verify_session(override_global_claim_validators=_no_validators))],
) -> dict[str, str]:
    await session.revoke(circumstances=circumstances_of(request))
    return {"status": "OK"}


SIGN_OUT_ENDPOINT = _sign_out
"""What is served at the path of the sign-out."""


async def _jwks(sessions: Annotated[Sessions, Depends(get_sessions())]) -> JSONResponse:
    return JSONResponse(await sessions.jwks(), headers=PUBLIC)


async def _discovery(request: Request, sessions: Annotated[Sessions, Depends(get_sessions())]) -> JSONResponse:
    return JSONResponse(published(request, sessions), headers=PUBLIC)
