"""Every error is one of a tree, and tells what its catcher needs."""

from __future__ import annotations

import pytest

from fastapi_session import errors
from fastapi_session.errors import (
    ClaimFailure,
    ClearDuplicateSessionCookiesError,
    ConfigurationError,
    DuplicateSessionCookiesError,
    InvalidClaimsError,
    PayloadError,
    RenewalSkippedError,
    SessionError,
    SessionLimitReached,
    SessionSupersededError,
    StoreUnavailable,
    TokenTheftError,
    TryRefreshTokenError,
    UnauthorisedError,
)

ALL: list[type[Exception]] = [
    each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, Exception)
]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UnauthorisedError(), "UNAUTHORISED", "unauthorised"),
        (TryRefreshTokenError(), "TRY_REFRESH_TOKEN", "try refresh token"),
        (TokenTheftError("STALE_LINEAGE", user_id="u", handle="h"), "TOKEN_THEFT_DETECTED", "token theft detected"),
        (SessionSupersededError(), "SESSION_SUPERSEDED", "session superseded, come again"),
        (RenewalSkippedError(), "RENEWAL_SKIPPED", "key not proved, come again"),
        (SessionLimitReached(3), "SESSION_LIMIT_REACHED", "session limit reached"),
        (InvalidClaimsError([]), "INVALID_CLAIMS", "invalid claim"),
        (
            ClearDuplicateSessionCookiesError(),
            "CLEAR_DUPLICATE_SESSION_COOKIES",
            "cookies of an older domain were cleared, refresh again",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_a_client_is_told(error: SessionError, code: str, message: str) -> None:
    """Each outcome has a code for programs and a message for the wire."""
    assert (code, message) == (error.code, error.message)


def test_codes_tell_errors_apart() -> None:
    """No two errors share a code."""
    codes = [vars(each)["code"] for each in ALL if "code" in vars(each)]

    assert [] == [code for code in codes if not isinstance(code, str)]
    assert sorted(set(codes)) == sorted(codes)


def test_tokens_are_kept_unless_the_raise_says_otherwise() -> None:
    """Only theft always clears the tokens of a client; elsewhere it is a property of the raise."""
    assert not UnauthorisedError().clears_tokens
    assert not TryRefreshTokenError().clears_tokens
    assert UnauthorisedError("gone", clears_tokens=True).clears_tokens
    assert TokenTheftError("STALE_LINEAGE", user_id="u", handle="h").clears_tokens


def test_the_reason_is_for_logs() -> None:
    """An error reads as its reason, and as its message where it has none."""
    assert ("GONE", "GONE") == (UnauthorisedError("GONE").reason, str(UnauthorisedError("GONE")))
    assert ("", "unauthorised") == (UnauthorisedError().reason, str(UnauthorisedError()))


def test_theft_says_whose_session_it_was() -> None:
    """A theft carries the user, the session, and the row of the table that decided."""
    theft = TokenTheftError("RECENT_PREV", user_id="alice", handle="0" * 32)

    assert ("alice", "0" * 32, "RECENT_PREV") == (theft.user_id, theft.handle, theft.reason)


def test_every_failed_claim_is_carried() -> None:
    """All failures come at once, in their order, and each is named."""
    failures = [ClaimFailure("role", {"expected": "admin"}), ClaimFailure("mfa")]
    error = InvalidClaimsError(failures)

    assert (tuple(failures), "role, mfa") == (error.failures, str(error))


def test_kinship() -> None:
    """A client's outcomes are one family; mistakes of the set-up and a store that is down belong to none of them."""
    assert issubclass(DuplicateSessionCookiesError, ConfigurationError)
    assert issubclass(PayloadError, ValueError)
    assert [] == [
        each for each in (ConfigurationError, PayloadError, StoreUnavailable) if issubclass(each, SessionError)
    ]
