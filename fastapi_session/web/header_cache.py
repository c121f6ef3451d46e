"""A cache by raw headers: which token counts in a request that brings the same as an earlier one, without parsing them.

A client sends the same token with every request, and to find it among the headers takes longer than all checks of a known
token. Which token counts follows from the headers alone, so it is cached. Whether it is still good does not, and is checked
each time. Only verified tokens are cached, so only clients that were given a token can fill the cache.
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
"""Headers that are longer than this together are not cached."""

Came = tuple[bytes | None, bytes | None, TokenTransferMethod]
"""The key: the first Authorization header, the Cookie headers joined, and how tokens may travel."""

Counting = tuple[Method, VerifiedAccessToken]
"""The value: the token that counts, and how it came."""

_ENTRY = 200
"""Bytes of an entry beside its headers and the token (`benchmarks.memory`)."""


class HeaderCache(BoundedCache[Came, Counting]):
    """The cache of one application: which access token counted when the same headers came before."""

    def __init__(self) -> None:
        super().__init__(_weight)

    def keep(self, came: Came, counting: Counting) -> None:
        """Cache that *counting* is what *came* brings, unless that is too long."""
        if len(came[0] or b"") + len(came[1] or b"") <= MAX_BYTES:
            super().keep(came, counting)


def _weight(came: Came, counting: Counting) -> int:
    """Return how many bytes an entry takes."""
    # With the token, although another cache has it too: this entry keeps it alive after that one has dropped it.
    return _ENTRY + len(came[0] or b"") + len(came[1] or b"") + counting[1].weight


def what_came(headers: Iterable[tuple[bytes, bytes]], allowed: TokenTransferMethod) -> Came:
    """Return the key of a request with these raw *headers*, whose tokens are *allowed* to travel so."""
    # A loop and no dict, which keeps the last header of a name: the first Authorization counts and every Cookie, as in
    # `transport.read`. Every warm request runs it.
    authorization: bytes | None = None
    cookie: bytes | None = None
    for name, value in headers:
        if name == COOKIE_HEADER:
            cookie = value if cookie is None else cookie + b"; " + value
        elif name == _AUTHORIZATION and authorization is None:
            authorization = value
    return authorization, cookie, allowed
