"""Which error has which HTTP status. Refusals, handlers, pages and the OpenAPI document all read it here."""

from __future__ import annotations

from fastapi_session.config import SessionConfig
from fastapi_session.errors import (
    ClearDuplicateSessionCookiesError,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    SessionError,
    SessionSupersededError,
    StoreUnavailable,
)


def status_of(kind: type[Exception], config: SessionConfig) -> int:
    """Return the status of the response to an error of *kind*, one of the classes here or a subclass of one."""
    statuses = {
        SessionError: config.session_expired_status_code,
        SessionSupersededError: 503,
        InvalidClaimsError: config.invalid_claim_status_code,
        ClearDuplicateSessionCookiesError: 200,
        DuplicateSessionCookiesError: 500,
        StoreUnavailable: 503,
    }
    # By the nearest class: a superseded session is not over, and an application may have subclasses of its own.
    return next(statuses[each] for each in kind.__mro__ if each in statuses)
