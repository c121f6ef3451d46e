"""The JSON response to each error. The statuses are in `error_statuses`.

| error | body | header |
|---|---|---|
| `InvalidClaimsError` | `{"message": ..., "claimValidationErrors": [...]}` | |
| `StepUpRequired` | the same, and `error`, `acr_values`, `max_age` | `WWW-Authenticate` |
| `SessionSupersededError`, `RenewalSkippedError` | `{"message": ...}` | `Retry-After` |
| `SessionLimitReached` | `{"message": ..., "limit": ...}` | |
| `DpopError` | `{"message": ..., "error": ...}` | `WWW-Authenticate` |
| any other `SessionError`, of a request whose token came by the scheme `DPoP` | `{"message": ...}` | `WWW-Authenticate`, if it is a 401 |
| any other `SessionError` | `{"message": ...}` | |
| `DuplicateSessionCookiesError` | text that names the setting | |
| `StoreUnavailable` | `{"message": ...}` | `Retry-After` |
"""

from __future__ import annotations

from fastapi.responses import JSONResponse, PlainTextResponse, Response

from fastapi_session.errors import (
    DpopError,
    InvalidClaimsError,
    RenewalSkippedError,
    SessionError,
    SessionLimitReached,
    SessionSupersededError,
    StepUpRequired,
    StoreUnavailable,
)
from fastapi_session.web.dpop_challenge import SCHEME, dpop_headers
from fastapi_session.web.step_up import challenge_headers, step_up_members
from fastapi_session.web.transport import EXPOSE_HEADER, FAILED_CLAIMS, RETRY_AFTER_HEADER, Scheme

STORE_UNAVAILABLE = "the session store is unavailable"
"""The message to a client if the store is down, in a response or in a close."""

AGAIN = {RETRY_AFTER_HEADER: "1", EXPOSE_HEADER: RETRY_AFTER_HEADER}
"""After how many seconds a client may try again, exposed to the scripts of other origins too."""


UNAUTHORISED = 401
"""The status that goes with a challenge (RFC 9110, section 15.5.2)."""


def response_to(error: Exception, status: int, scheme: Scheme | None = None) -> Response:
    """Return the response to *error* with *status*, as the table says, to a request whose token came by *scheme*."""
    if isinstance(error, SessionError):
        return _to_session_error(error, status, scheme)
    if isinstance(error, StoreUnavailable):
        return JSONResponse({"message": STORE_UNAVAILABLE}, status, headers=AGAIN)
    return PlainTextResponse(str(error), status)


def _to_session_error(error: SessionError, status: int, scheme: Scheme | None) -> Response:
    content: dict[str, object] = {"message": error.message}
    headers = dpop_headers(error, scheme) if status == UNAUTHORISED else None
    if isinstance(error, SessionSupersededError | RenewalSkippedError):
        headers = AGAIN
    if isinstance(error, DpopError):
        content["error"] = error.error
    if isinstance(error, StepUpRequired):
        content |= step_up_members(error)
        headers = challenge_headers(error, SCHEME if scheme == "dpop" else "Bearer")
    if isinstance(error, SessionLimitReached):
        content["limit"] = error.limit
    if isinstance(error, InvalidClaimsError):
        content[FAILED_CLAIMS] = [_failure(failure.id, failure.reason) for failure in error.failures]
    return JSONResponse(content, status, headers)


def _failure(claim: str, reason: object) -> dict[str, object]:
    return {"id": claim} if reason is None else {"id": claim, "reason": reason}
