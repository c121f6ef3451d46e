"""The JSON response to each error. The statuses are in `error_statuses`.

| error | body | header |
|---|---|---|
| `InvalidClaimsError` | `{"message": ..., "claimValidationErrors": [...]}` | |
| `StepUpRequired` | the same, and `error`, `acr_values`, `max_age` | `WWW-Authenticate` |
| `SessionSupersededError`, `RenewalSkippedError` | `{"message": ...}` | `Retry-After` |
| `SessionLimitReached` | `{"message": ..., "limit": ...}` | |
| any other `SessionError` | `{"message": ...}` | |
| `DuplicateSessionCookiesError` | text that names the setting | |
| `StoreUnavailable` | `{"message": ...}` | `Retry-After` |
"""

from __future__ import annotations

from fastapi.responses import JSONResponse, PlainTextResponse, Response

from fastapi_session.errors import (
    InvalidClaimsError,
    RenewalSkippedError,
    SessionError,
    SessionLimitReached,
    SessionSupersededError,
    StepUpRequired,
    StoreUnavailable,
)
from fastapi_session.web.step_up import challenge_headers, step_up_members
from fastapi_session.web.transport import EXPOSE_HEADER, FAILED_CLAIMS, RETRY_AFTER_HEADER

STORE_UNAVAILABLE = "the session store is unavailable"
"""The message to a client if the store is down, in a response or in a close."""

AGAIN = {RETRY_AFTER_HEADER: "1", EXPOSE_HEADER: RETRY_AFTER_HEADER}
"""After how many seconds a client may try again, exposed to the scripts of other origins too."""


def response_to(error: Exception, status: int) -> Response:
    """Return the response to *error* with *status*, as the table says."""
    if isinstance(error, SessionError):
        return _to_session_error(error, status)
    if isinstance(error, StoreUnavailable):
        return JSONResponse({"message": STORE_UNAVAILABLE}, status, headers=AGAIN)
    return PlainTextResponse(str(error), status)


def _to_session_error(error: SessionError, status: int) -> Response:
    content: dict[str, object] = {"message": error.message}
    headers = AGAIN if isinstance(error, SessionSupersededError | RenewalSkippedError) else None
    if isinstance(error, StepUpRequired):
        content |= step_up_members(error)
        headers = challenge_headers(error)
    if isinstance(error, SessionLimitReached):
        content["limit"] = error.limit
    if isinstance(error, InvalidClaimsError):
        content[FAILED_CLAIMS] = [_failure(failure.id, failure.reason) for failure in error.failures]
    return JSONResponse(content, status, headers)


def _failure(claim: str, reason: object) -> dict[str, object]:
    return {"id": claim} if reason is None else {"id": claim, "reason": reason}
