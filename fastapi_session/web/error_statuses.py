"""Which error has which HTTP status. Refusals, handlers, pages and the OpenAPI document all read it here."""

from __future__ import annotations

from fastapi_session.config import SessionConfig
from fastapi_session.errors import (
    ClearDuplicateSessionCookiesError,
    DpopError,
    DuplicateSessionCookiesError,
    ImpersonationError,
    InvalidClaimsError,
    RenewalSkippedError,
    SessionError,
    SessionLimitReached,
    SessionNotBoundError,
    SessionSupersededError,
    StepUpRequired,
    StoreUnavailable,
)
from fastapi_session.web.step_up import step_up_status
from fastapi_session.web.transport import RawHeaders


def status_of(kind: type[Exception], config: SessionConfig, request_headers: RawHeaders = ()) -> int:
    """Return the status of the response to an error of *kind*, one of the classes here or a subclass of one.

    Only that of a step-up depends on the headers of the request.
    """
    statuses = {
        SessionError: config.session_expired_status_code,
        DpopError: 401,
        SessionSupersededError: 503,
        RenewalSkippedError: 503,
        SessionLimitReached: 409,
        InvalidClaimsError: config.invalid_claim_status_code,
        StepUpRequired: step_up_status(config, request_headers),
        SessionNotBoundError: config.invalid_claim_status_code,  # which no client takes for an expired session
        ImpersonationError: 409,
        ClearDuplicateSessionCookiesError: 200,
        DuplicateSessionCookiesError: 500,
        StoreUnavailable: 503,
    }
    # By the nearest class: a superseded session is not over, and an application may have subclasses of its own.
    return next(statuses[each] for each in kind.__mro__ if each in statuses)
