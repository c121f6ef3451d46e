"""Each error has one status, wherever it is read."""

from __future__ import annotations

import pytest

from fastapi_session import (
    ClearDuplicateSessionCookiesError,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    SessionConfig,
    SessionError,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
)
from fastapi_session.errors import ForgedRequestError, RenewalSkippedError, SessionLimitReached, SessionSupersededError
from fastapi_session.web.error_statuses import status_of


class OfTheApplication(InvalidClaimsError):
    """An application may have subclasses of its own."""


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (SessionError, 440),
        (UnauthorisedError, 440),
        (TryRefreshTokenError, 440),
        (ForgedRequestError, 440),
        (TokenTheftError, 440),
        (SessionSupersededError, 503),
        (RenewalSkippedError, 503),
        (SessionLimitReached, 409),
        (InvalidClaimsError, 451),
        (OfTheApplication, 451),
        (ClearDuplicateSessionCookiesError, 200),
        (DuplicateSessionCookiesError, 500),
        (StoreUnavailable, 503),
    ],
)
def test_status(kind: type[Exception], status: int) -> None:
    """The status is that of the nearest class in the table; those of a refusal are the configured ones."""
    config = SessionConfig(store="memory:", session_expired_status_code=440, invalid_claim_status_code=451)
    assert status == status_of(kind, config)
