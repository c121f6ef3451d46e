"""Which error is which HTTP response: one table.

| error | status | body |
|---|---|---|
| `UnauthorisedError`, `TryRefreshTokenError`, `TokenTheftError` | `session_expired_status_code` | `{"message": ...}` |
| `InvalidClaimsError` | `invalid_claim_status_code` | `{"message": ..., "claimValidationErrors": [...]}` |
| `ClearDuplicateSessionCookiesError` | 200 | `{"message": ...}` |
| `DuplicateSessionCookiesError` | 500 | text that names the setting |
| `StoreUnavailable` | 503, `Retry-After` | `{"message": ...}` |

What the answer does to the client's tokens was settled when the error was raised, so a handler of one's own,
registered for any of these classes, answers differently and loses nothing.
"""

from __future__ import annotations

import logging
from typing import Any

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from starlette.requests import Request

from fastapi_session.config import SessionConfig
from fastapi_session.errors import (
    ClearDuplicateSessionCookiesError,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    SessionError,
    StoreUnavailable,
)

RETRY_AFTER = "1"
"""Seconds after which a client may come again when the store was down."""

logger = logging.getLogger("fastapi_session")


def register_handlers(app: FastAPI, config: SessionConfig) -> None:
    """Register a handler for each row of the table, except where *app* has one of its own already."""

    async def session_error(_request: Request, error: Exception) -> Response:
        return _session_error(error, config)

    for error_class, handler in (
        (SessionError, session_error),
        (DuplicateSessionCookiesError, _duplicate_session_cookies),
        (StoreUnavailable, _store_unavailable),
    ):
        app.exception_handlers.setdefault(error_class, handler)


def _session_error(error: Exception, config: SessionConfig) -> Response:
    assert isinstance(error, SessionError)
    content: dict[str, Any] = {"message": error.message}
    status = config.session_expired_status_code
    if isinstance(error, InvalidClaimsError):
        status = config.invalid_claim_status_code
        content["claimValidationErrors"] = [_failure(failure.id, failure.reason) for failure in error.failures]
    if isinstance(error, ClearDuplicateSessionCookiesError):
        status = 200
    return JSONResponse(content, status)


def _failure(claim: str, reason: object) -> dict[str, Any]:
    return {"id": claim} if reason is None else {"id": claim, "reason": reason}


async def _duplicate_session_cookies(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), 500)


async def _store_unavailable(_request: Request, error: Exception) -> Response:
    logger.error("the session store is unavailable: %s", error)
    return JSONResponse({"message": "the session store is unavailable"}, 503, headers={"Retry-After": RETRY_AFTER})
