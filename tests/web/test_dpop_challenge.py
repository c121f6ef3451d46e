"""The challenge of DPoP, whatever came with the request."""

from __future__ import annotations

import pytest

from fastapi_session.errors import DpopError, TryRefreshTokenError, UnauthorisedError, UnprovenKeyError
from fastapi_session.web.dpop_challenge import dpop_headers
from fastapi_session.web.transport import Scheme

ALGS = 'algs="ES256 EdDSA Ed25519 PS256 RS256"'


@pytest.mark.parametrize(
    ("error", "scheme", "challenge"),
    [
        (
            DpopError("use_dpop_nonce"),
            None,
            f'DPoP error="use_dpop_nonce", {ALGS}',
        ),
        (TryRefreshTokenError(), "dpop", f'DPoP error="invalid_token", {ALGS}'),
        (UnprovenKeyError(), "bearer", f'DPoP error="invalid_token", {ALGS}'),
        (UnprovenKeyError(), None, None),
        (UnauthorisedError(), "bearer", None),
    ],
)
def test_who_is_challenged(error: DpopError, scheme: Scheme | None, challenge: str | None) -> None:
    """Who brought a token by the scheme DPoP, or one that is bound as a bearer token; nobody else."""
    headers = dpop_headers(error, scheme)

    assert challenge == headers.get("WWW-Authenticate")
    assert ({"Access-Control-Expose-Headers"} if challenge else set()) == {
        name.title() for name in headers if name != "WWW-Authenticate"
    }


def test_a_method_that_nobody_knows() -> None:
    """Whatever the reason names, the challenge stays one, in the characters that it may have."""
    reason = 'htm: not A"B\\C\r\nSet-Cookie: x=\u00e9\U0001f600'
    headers = dpop_headers(DpopError("invalid_dpop_proof", reason), "dpop")

    assert (
        f'DPoP error="invalid_dpop_proof", error_description="htm: not A?B?C??Set-Cookie: x=??", {ALGS}'
        == headers["WWW-Authenticate"]
    )
