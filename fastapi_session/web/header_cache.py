"""Requests that bring what an earlier one brought: recognised by their headers as they came, before anything is read in them.

A client sends the same token with every request, and to find it among its headers takes longer than all the checks of a token
that is known. Which token counts follows from the headers alone, so it is remembered; whether it is to be believed is not,
and asked each time. Only what was proved is kept, so nobody fills the memory who has not been given a token.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi_session.config import TokenTransferMethod
from fastapi_session.engine.bounded_cache import BoundedCache
from fastapi_session.engine.tokens.verified_tokens import VerifiedAccessToken
from fastapi_session.web.cookies import COOKIE_HEADER
from fastapi_session.web.transport import AUTHORIZATION_HEADER, Method

_AUTHORIZATION = AUTHORIZATION_HEADER.encode()

MAX_BYTES = 4_096
"""Headers that are longer than this together are read each time."""

Came = tuple[bytes | None, bytes | None, TokenTransferMethod]
"""What decides which token counts: the first Authorization header, the Cookie headers, and how tokens may travel."""

Counting = tuple[Method, VerifiedAccessToken]
"""The token that counts, and how it came."""


_ENTRY = 200
"""Bytes of what is kept of a request, beside its headers and the token (`benchmarks.memory`)."""


class HeaderCache(BoundedCache[Came, Counting]):
    """Which access token counted when the same came before. It is shared by the requests of one application."""

    def __init__(self) -> None:
        super().__init__(_weight)

    def keep(self, came: Came, counting: Counting) -> None:
        """Remember that *counting* is what *came* brings, if that is not too long."""
        if len(came[0] or b"") + len(came[1] or b"") <= MAX_BYTES:
            super().keep(came, counting)


def _weight(came: Came, counting: Counting) -> int:
    """Return how many bytes are kept of a request. Its token counts too, which may be kept nowhere else any more."""
    return _ENTRY + len(came[0] or b"") + len(came[1] or b"") + counting[1].weight


def what_came(headers: Iterable[tuple[bytes, bytes]], allowed: TokenTransferMethod) -> Came:
    """Return what decides which token counts, of the raw *headers* of a request and how tokens are *allowed* to travel."""
    authorization: bytes | None = None
    cookie: bytes | None = None
    for name, value in headers:
        if name == COOKIE_HEADER:
            cookie = value if cookie is None else cookie + b"; " + value
        elif name == _AUTHORIZATION and authorization is None:
            authorization = value
    return authorization, cookie, allowed
