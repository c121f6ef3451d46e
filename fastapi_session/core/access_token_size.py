"""How long an access token may be, so that browsers keep it for as long as its session lives.

A browser drops a cookie that is too long without a word: the client would be signed out by its next request.
"""

from __future__ import annotations

from fastapi_session.core.access_token import LONGEST, AccessToken, header_segment
from fastapi_session.core.jws import segment
from fastapi_session.core.signing_keys import SigningKey
from fastapi_session.errors import PayloadError

MAX_LENGTH = 4_080
"""Characters of an access token that a browser keeps: name and value fit into the 4,096 bytes of a cookie (RFC 6265bis,
section 5.6), also where the npm client keeps it as `st-access-token`."""

RESERVE = 64
"""Characters that are left free when claims are written, for an address and a prefix of cookies that get longer."""

_FRONT_TOKEN = 4_096 - len("sFrontToken")
"""Characters of a front token that a browser keeps, in the cookie in which the npm client puts it."""

_LONGEST_HEADER = ("RS256", f"d-{'0' * 32}")

SIGNATURE_LENGTH = {"ES256": 86, "RS256": 512}
"""Characters of a signature, by algorithm."""


def ensure_fits(content: AccessToken, key: SigningKey) -> None:
    """Raise `PayloadError` unless browsers keep a token of this *content*, whatever the algorithm, at a little longer address.

    So a session whose claims were accepted goes on when the deployment changes its algorithm or its address.
    """
    # Its claims are in no variable here, since error reporters would send what they tell of the session's tokens.
    # As if the longest signature were on it: the algorithm may be changed while the session lives.
    widening = max(SIGNATURE_LENGTH.values()) - SIGNATURE_LENGTH[key.algorithm]
    access, front = length(content, key) + widening, _front_token_length(content)
    needed = max(access - MAX_LENGTH, front - _FRONT_TOKEN) + RESERVE
    if needed > 0:
        raise PayloadError(
            f"access_token_payload: the access token would be {needed} characters too long for a browser to keep it; "
            "keep large values in session_data"
        )


def ensure_readable(content: AccessToken) -> None:
    """Raise `PayloadError` if an access token of this *content* would be longer than any that is read, whatever key signs it."""
    needed = len(header_segment(*_LONGEST_HEADER)) + len(segment(content.claims())) + 2 + max(SIGNATURE_LENGTH.values())
    if needed > LONGEST:
        raise PayloadError(
            f"access_token_payload: the access token would have {needed} characters, at most {LONGEST} are read"
        )


def longest(cookie_prefix: str) -> int:
    """Return how many characters of an access token a browser keeps in a cookie whose name has that prefix."""
    return min(MAX_LENGTH, 4_096 - len(cookie_prefix) - len("sAccessToken"))


def length(content: AccessToken, key: SigningKey) -> int:
    """Return how many characters the access token of this *content* has when *key* has signed it."""
    header = header_segment(key.algorithm, key.kid)
    return len(header) + 1 + len(segment(content.claims())) + 1 + SIGNATURE_LENGTH[key.algorithm]


def _front_token_length(content: AccessToken) -> int:
    """Return how many characters the front token has that goes with *content*: base64 of its end, its user, and its claims."""
    claims = content.claims()
    return (
        len(segment({"ate": claims["exp"] * 1000, "uid": claims["sub"], "up": claims})) + 2
    )  # its base64 is padded, that of a segment is not
