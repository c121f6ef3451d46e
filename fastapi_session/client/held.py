"""What a client holds of its session, and what a response makes of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fastapi_session.core import access_token
from fastapi_session.web.transport import (
    ACCESS_HEADER,
    ANTI_CSRF_HEADER,
    FRONT_TOKEN_HEADER,
    NONCE_HEADER,
    REFRESH_HEADER,
)


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """The tokens of a session in header mode, to be kept where nobody else reads them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens, if they travel in headers; cookies have a jar of their own. *nonce* is for the next DPoP proof.

    It is replaced whenever one of these comes, so that a call sees by the object's identity whether another one has refreshed since.
    """

    tokens: SessionTokens | None = None
    anti_csrf: str | None = field(default=None, repr=False)
    nonce: str | None = None

    @property
    def is_bound(self) -> bool:
        """Whether the tokens are bound to a key that each request has to prove (RFC 9449, section 6.1)."""
        known = None if self.tokens is None else access_token.parse(self.tokens.access_token)
        return known is not None and known.content.jkt is not None


def after(held: Held, headers: Mapping[str, str]) -> Held:
    """Return what a client holds after a response with *headers*: *held* itself, if that says nothing of them."""
    front, nonce = headers.get(FRONT_TOKEN_HEADER), headers.get(NONCE_HEADER, held.nonce)
    if front is None:
        return held if nonce == held.nonce else replace(held, nonce=nonce)
    if front == "remove":
        return Held(nonce=nonce)
    access, refresh = headers.get(ACCESS_HEADER), headers.get(REFRESH_HEADER)
    tokens = held.tokens
    if access and refresh:
        tokens = SessionTokens(access, refresh)
    elif access and tokens is not None:  # its claims have changed, and the refresh token stays
        tokens = replace(tokens, access_token=access)
    return Held(tokens, headers.get(ANTI_CSRF_HEADER, held.anti_csrf), nonce)
