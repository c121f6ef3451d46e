"""How long an access token may be, so that browsers keep it for as long as its session lives.

A browser drops a cookie that is too long without a word: the client would be signed out by its next request.
"""

from __future__ import annotations

from typing import Any

from fastapi_session.core.access_token import header_segment
from fastapi_session.core.jws import segment
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.errors import PayloadError
from fastapi_session.json_types import JsonObject

MAX_LENGTH = 4_080
"""Characters of an access token that a browser keeps: name and value fit into the 4,096 bytes of a cookie (RFC 6265bis,
section 5.6), also where the npm client keeps it as `st-access-token`."""

RESERVE = 64
"""Characters that are left free when claims are written, for an address and a prefix of cookies that get longer."""

_FRONT_TOKEN = 4_096 - len("sFrontToken")
"""Characters of a front token that a browser keeps, in the cookie in which the npm client puts it."""

SIGNATURE_LENGTH = {"ES256": 86, "RS256": 512}
"""Characters of a signature, by algorithm."""


def ensure_fits(claims: JsonObject, key: SigningKey) -> None:
    """Raise `PayloadError` unless browsers keep a token of these *claims*, whatever the algorithm, at a little longer address.

    So a session whose claims were accepted goes on when the deployment changes its algorithm or its address.
    """
    # As if the longest signature were on it: the algorithm may be changed while the session lives.
    widening = max(SIGNATURE_LENGTH.values()) - SIGNATURE_LENGTH[key.algorithm]
    access, front = length(claims, key) + widening, _front_token_length(claims)
    needed = max(access - MAX_LENGTH, front - _FRONT_TOKEN) + RESERVE
    if needed > 0:
        raise PayloadError(
            f"access_token_payload: the access token would be {needed} characters too long for a browser to keep it; "
            "keep large values in session_data"
        )


def longest(cookie_prefix: str) -> int:
    """Return how many characters of an access token a browser keeps in a cookie whose name has that prefix."""
    return min(MAX_LENGTH, 4_096 - len(cookie_prefix) - len("sAccessToken"))


def length(claims: JsonObject, key: SigningKey) -> int:
    """Return how many characters the access token of these *claims* has when *key* has signed it."""
    header = header_segment(key.algorithm, key.kid)
    return len(header) + 1 + len(segment(claims)) + 1 + SIGNATURE_LENGTH[key.algorithm]


def _front_token_length(claims: dict[str, Any]) -> int:
    """Return how many characters the front token has that goes with *claims*: base64 of their end, their user, and all of them."""
    content = {"ate": claims["exp"] * 1000, "uid": claims["sub"], "up": claims}
    return len(segment(content)) + 2  # padded to a multiple of four
