"""What a client holds of its session, and what a response makes of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from fastapi_session.web.transport import ACCESS_HEADER, ANTI_CSRF_HEADER, FRONT_TOKEN_HEADER, REFRESH_HEADER


@dataclass(frozen=True, slots=True)
class SessionTokens:
    """The tokens of a session in header mode, to be kept where nobody else reads them."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Held:
    """Tokens, if they travel in headers; cookies have a jar of their own.

    It is replaced whenever tokens come, so that a call sees by the object's identity whether another one has refreshed since.
    """

    tokens: SessionTokens | None = None
    anti_csrf: str | None = field(default=None, repr=False)


def after(held: Held, headers: Mapping[str, str]) -> Held:
    """Return what a client holds after a response with *headers*: *held* itself, if that says nothing of tokens."""
    front = headers.get(FRONT_TOKEN_HEADER)
    if front is None:
        return held
    if front == "remove":
        return Held()
    access, refresh = headers.get(ACCESS_HEADER), headers.get(REFRESH_HEADER)
    tokens = held.tokens
    if access and refresh:
        tokens = SessionTokens(access, refresh)
    elif access and tokens is not None:  # its claims have changed, and the refresh token stays
        tokens = replace(tokens, access_token=access)
    return Held(tokens, headers.get(ANTI_CSRF_HEADER, held.anti_csrf))
