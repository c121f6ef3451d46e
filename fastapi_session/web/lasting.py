"""How long a request's session lasts: until it is revoked, or until its access token ends, whichever comes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi_session.core.access_token import AccessToken
from fastapi_session.errors import TryRefreshTokenError, UnauthorisedError
from fastapi_session.sessions import Sessions

T = TypeVar("T")

LONGEST_WAIT = 60.0
"""Seconds after which the clock is looked at again, so that a machine that slept is noticed."""


async def end_of_session(ended: asyncio.Future[None], *, sessions: Sessions, token: AccessToken) -> str:
    """Wait until the session of *token* is over, and answer why, in the words of the wire.

    *ended* is done when it is revoked (`Sessions.ending`).
    """
    while not ended.done():
        remaining = token.expires_at - sessions.now() / 1000
        if remaining <= 0:
            return TryRefreshTokenError.message
        await asyncio.wait([ended], timeout=min(remaining, LONGEST_WAIT))
    return UnauthorisedError.message


async def until_end(source: AsyncIterator[T], *, sessions: Sessions, token: AccessToken) -> AsyncIterator[T]:
    """Yield what *source* yields until the session of *token* is over."""
    with sessions.ending(token.session_handle) as ended:
        end = asyncio.ensure_future(end_of_session(ended, sessions=sessions, token=token))
        following: asyncio.Future[T] | None = None
        try:
            while not end.done():
                following = asyncio.ensure_future(anext(source))
                await asyncio.wait([following, end], return_when=asyncio.FIRST_COMPLETED)
                if following.done():
                    yield following.result()
        except StopAsyncIteration:
            return
        finally:
            end.cancel()
            if following is not None and not following.done():
                following.cancel()
                await asyncio.wait([following])
