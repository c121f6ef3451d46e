"""The endpoints that clients of sessions know: refresh, sign-out, JWKS and discovery."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from fastapi_session.sessions import Sessions
from fastapi_session.web.dependencies import (
    RefreshSession,
    get_sessions,
    refresh_session,
    verify_session,
)
from fastapi_session.web.session import Session

PUBLIC = {"Access-Control-Allow-Origin": "*", "Cache-Control": "public, max-age=60"}
"""Headers of the well-known documents. A new key is published ten minutes before it signs, so a minute is not stale."""

logger = logging.getLogger("fastapi_session")


def session_router(prefix: str = "/auth") -> APIRouter:
    """Answer the router of the session endpoints.

    *prefix* must lead, as the browser sees it, to `api_base_path` of the configuration, because the refresh cookie is bound
    to that path.
    """
    router = APIRouter(prefix=prefix, tags=["session"])
    router.post("/session/refresh", summary="Refresh the session")(_refresh)
    router.post("/signout", summary="Sign out")(_sign_out)
    router.get("/jwt/jwks.json", summary="Public keys of access tokens")(_jwks)
    router.get("/.well-known/openid-configuration", summary="Discovery")(_discovery)
    return router


async def _refresh(
    request: Request,
    refresh: Annotated[RefreshSession, Depends(refresh_session())],
    sessions: Annotated[Sessions, Depends(get_sessions())],
) -> dict[str, str]:
    if request.scope["path"] != sessions.config.refresh_path:
        logger.warning(
            "refresh was called at %s, but its cookie is bound to %s: set api_base_path to what browsers see",
            request.scope["path"],
            sessions.config.refresh_path,
        )
    await refresh()
    return {}


async def _sign_out(session: Annotated[Session, Depends(verify_session())]) -> dict[str, str]:
    await session.revoke()
    return {"status": "OK"}


async def _jwks(sessions: Annotated[Sessions, Depends(get_sessions())]) -> JSONResponse:
    return JSONResponse(await sessions.jwks(), headers=PUBLIC)


async def _discovery(sessions: Annotated[Sessions, Depends(get_sessions())]) -> JSONResponse:
    issuer = sessions.config.issuer
    return JSONResponse({"issuer": issuer, "jwks_uri": f"{issuer}/jwt/jwks.json"}, headers=PUBLIC)
